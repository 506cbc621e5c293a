"""JSON Lines: one JSON object a line, its fields by any of their usual names."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
import orjson

from dedup.config import Config, flag_of
from dedup.records import ALIASES, Record, Rejected

Fields: TypeAlias = Counter[tuple[str, str]]
"""(meaning, field name) -> in how many records it served."""

CUT_OFF = b"\0cut off\n"
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(
    lines: Iterator[bytes], name: str, config: Config, fields: Fields
) -> Iterator[Record | Rejected]:
    """Records of JSON lines. Empty lines are passed over; lines end at \\n and nowhere else."""
    names = {meaning: _names(meaning, config) for meaning in ALIASES}
    number = 0
    for number, line in enumerate(lines, 1):
        row = line.strip()
        if number == 1:
            row = row.removeprefix(b"\xef\xbb\xbf")
        if not row:
            continue
        try:
            found = orjson.loads(row)
        except orjson.JSONDecodeError as error:
            yield Rejected(name, number, _why(row, line, error), line)
            continue
        if not isinstance(found, dict):
            rule = f"a JSON {_type(found)}, not an object; every line must be one {{...}}"
            yield Rejected(name, number, rule, line)
            continue
        record = _record(found, row, name, number, names, fields)
        if isinstance(record, str):
            yield Rejected(name, number, record, line)
        else:
            yield record


def _names(meaning: str, config: Config) -> tuple[str, ...]:
    chosen = getattr(config, f"{meaning}_field")
    return (chosen,) if chosen else ALIASES[meaning]


def _why(row: bytes, line: bytes, error: Exception) -> str:
    if line == CUT_OFF:
        return "the compressed file is cut off here; what came before was read"
    try:
        row.decode()
    except UnicodeDecodeError as wrong:
        seen = row[wrong.start : wrong.start + 1].hex()
        return (
            f"not UTF-8: byte 0x{seen} at column {wrong.start + 1}; "
            "convert the file, e.g. iconv -f windows-1256 -t utf-8"
        )
    return f"not JSON: {str(error).replace(': line 1 column', ' at column').partition(' (')[0]}"


def _record(
    found: dict[str, Any],
    row: bytes,
    name: str,
    number: int,
    names: Mapping[str, tuple[str, ...]],
    fields: Fields,
) -> Record | str:
    """The record of a JSON object, or why it is none."""
    text_field = _pick(found, names["text"], str)
    if text_field is None:
        return _no_text(found, names["text"])
    fields["text", text_field] += 1

    def value(meaning: str, kinds: Any) -> Any:
        chosen = _pick(found, names[meaning], kinds)
        if chosen is None:
            return ""
        fields[meaning, chosen] += 1
        return found[chosen]

    return Record(
        id=str(value("id", (str, int))) or f"{name}:{number}",
        file=name,
        line=number,
        source=_source(value("source", str)) or _host(value("url", str)) or name,
        text=found[text_field],
        title=value("title", str),
        abstract=value("abstract", str),
        date=str(value("date", (str, int, float))),
        raw=row,
        text_field=text_field,
        has_struct="dedup" in found,
    )


def _pick(found: Mapping[str, Any], names: tuple[str, ...], kinds: Any) -> str | None:
    for name in names:
        value = found.get(name)
        if value is not None and isinstance(value, kinds) and not isinstance(value, bool):
            return name
    return None


def _no_text(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if name in found:
            return f"field {name!r} is a JSON {_type(found[name])}, not a string"
    longest = max(
        (key for key, value in found.items() if isinstance(value, str)),
        key=lambda key: len(found[key]),
        default=None,
    )
    hint = f"; try {flag_of('text_field')} {longest}" if longest else ""
    return f"field {names[0]!r} is missing{hint}"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", str: "string", dict: "object", list: "array"}
    return names.get(type(value), "number")


def _source(value: str) -> str:
    """A source field names an outlet; when it is an address, its host does."""
    return _host(value) or value.strip()


def _host(value: str) -> str:
    if "://" not in value:
        return ""
    try:
        host = urlsplit(value.strip()).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")


def with_struct(record: Record, struct: bytes) -> bytes:
    """The record's line with the added struct; nothing else in it changes."""
    if record.has_struct:
        return _rebuild(record, None, struct)
    return record.raw[:-1] + b',"dedup":' + struct + b"}\n"


def without_struct(record: Record) -> bytes:
    """The record's line as it was before `with_struct`."""
    return _rebuild(record, None, b"")


def with_text(record: Record, text: str, struct: bytes) -> bytes:
    """The record's line with another text; the other fields stay as they were written."""
    return _rebuild(record, text, struct)


def _rebuild(record: Record, text: str | None, struct: bytes) -> bytes:
    parts = []
    for key, raw in _RAW.decode(record.raw).items():
        if key == "dedup":
            continue
        value = bytes(raw) if key != record.text_field or text is None else orjson.dumps(text)
        parts.append(orjson.dumps(key) + b":" + value)
    if struct:
        parts.append(b'"dedup":' + struct)
    return b"{" + b",".join(parts) + b"}\n"


def rejected_row(row: Rejected) -> bytes:
    """A line of the file of rejected lines: where, why, and the line itself, bytes and all."""
    out: dict[str, Any] = {"file": row.file, "line": row.line, "rule": row.rule}
    if row.raw != CUT_OFF:
        try:
            out["text"] = row.raw.decode()
        except UnicodeDecodeError:
            out["base64"] = base64.b64encode(row.raw).decode()
    return orjson.dumps(out, option=orjson.OPT_APPEND_NEWLINE)
