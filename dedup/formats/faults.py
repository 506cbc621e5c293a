"""What is wrong with lines that are no records, and what to try."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import orjson

from dedup.config import flag_of

_NO_NUMBER = re.compile(r"-?\b(?:NaN|Infinity|nan|inf)\b")


class NotARecord(Exception):
    """A line that is no record; its argument is the rule it breaks and what to try."""


def why(line: bytes, error: Exception) -> str:
    """What is wrong with a line that could not be decoded."""
    row = line.strip()
    try:
        row.decode()
        found = orjson.loads(row)
    except UnicodeDecodeError as wrong:
        return not_utf8(wrong)
    except orjson.JSONDecodeError as wrong:
        return not_json(wrong)
    if isinstance(found, dict):
        return f"not JSON: {error}"
    return f"a JSON {_type(row)}, not an object; every line must be one {{...}}"


def not_json(wrong: orjson.JSONDecodeError) -> str:
    """What is wrong with bytes that are no JSON, and where."""
    said = str(wrong).replace(": line 1 column", " at column").partition(" (")[0]
    number = _NO_NUMBER.search(wrong.doc, max(0, wrong.pos - 2), wrong.pos + 9)
    if number:
        column = number.start() + 1
        return f"not JSON: {number[0]} at column {column}; JSON has no such number, write null"
    if "surrogate" in said:
        return f"not JSON: half a surrogate pair at column {wrong.colno}; no text can hold it"
    if said.startswith("unexpected content") and "\r" in wrong.doc.strip():
        said += "; where lines end in a carriage return alone, try tr '\\r' '\\n'"
    elif said.startswith("unexpected content") and "\ufeff" in wrong.doc:
        said += "; files were joined without a line's end between them"
    return f"not JSON: {said}"


def not_utf8(wrong: UnicodeDecodeError) -> str:
    """What is wrong with bytes that are not UTF-8, and what to try."""
    return (
        f"not UTF-8: byte 0x{wrong.object[wrong.start]:02x} at column {wrong.start + 1}; "
        "convert the file, e.g. iconv -f windows-1256 -t utf-8"
    )


def no_text(fields: Mapping[str, msgspec.Raw], names: tuple[str, ...]) -> str:
    """What is wrong with a record without a text, and what to try."""
    for name in names:
        if name in fields:
            return f"field {name!r} is a JSON {_type(bytes(fields[name]))}, not a string"
    strings = {key: bytes(value) for key, value in fields.items() if bytes(value)[:1] == b'"'}
    longest = max(strings, key=lambda key: len(strings[key]), default=None)
    hint = f"try {flag_of('text_field')} {longest}" if longest else f"looked for {', '.join(names)}"
    return f"field {names[0]!r} is missing; {hint}"


def _type(written: bytes) -> str:
    """What kind of value is written so."""
    names = {b'"': "string", b"{": "object", b"[": "array", b"n": "null"}
    return names.get(written[:1], "boolean" if written[:1] in (b"t", b"f") else "number")
