"""JSON Lines: one JSON object a line, its fields by any of their usual names."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
import orjson

from dedup.config import Config, flag_of
from dedup.records import ALIASES, Record, Rejected

Fields: TypeAlias = Counter[tuple[str, str]]
"""(meaning, field name) -> in how many records it served."""
Plan: TypeAlias = dict[str, tuple[str, ...]]
"""Meaning -> the names for it that an object has, the likeliest first."""

CUT_OFF = b"\0cut off\n"  # the line that a torn compressed file ends in
TORN = "the compressed file is cut off here; what came before was read"
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(
    lines: Iterator[bytes], name: str, config: Config, fields: Fields
) -> Iterator[Record | Rejected]:
    """Records of JSON lines. Empty lines are passed over; lines end at \\n and nowhere else."""
    names = {meaning: _names(meaning, config) for meaning in ALIASES}
    plans: dict[tuple[str, ...], Plan] = {}
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
        keys = tuple(found)
        plan = plans.get(keys)
        if plan is None:
            plan = plans[keys] = {m: tuple(n for n in names[m] if n in found) for m in names}
        record = _record(found, row, name, number, plan, fields)
        if record is None:
            yield Rejected(name, number, _no_text(found, names["text"]), line)
            continue
        yield record


def _names(meaning: str, config: Config) -> tuple[str, ...]:
    chosen = getattr(config, f"{meaning}_field")
    return (chosen,) if chosen else ALIASES[meaning]


def _why(row: bytes, line: bytes, error: Exception) -> str:
    if line == CUT_OFF:
        return TORN
    try:
        row.decode()
    except UnicodeDecodeError as wrong:
        return not_utf8(wrong)
    return f"not JSON: {str(error).replace(': line 1 column', ' at column').partition(' (')[0]}"


def not_utf8(wrong: UnicodeDecodeError) -> str:
    """What is wrong with bytes that are not UTF-8, and what to try."""
    return (
        f"not UTF-8: byte 0x{wrong.object[wrong.start]:02x} at column {wrong.start + 1}; "
        "convert the file, e.g. iconv -f windows-1256 -t utf-8"
    )


def _record(
    found: dict[str, Any], row: bytes, name: str, number: int, plan: Plan, fields: Fields
) -> Record | None:
    """The record of a JSON object; None when it has no text."""
    text_field, text = _pick(found, plan["text"], (str,))
    if text_field is None:
        return None
    values = {}
    for meaning, kinds in _KINDS.items():
        chosen, values[meaning] = _pick(found, plan[meaning], kinds)
        if chosen is not None:
            fields[meaning, chosen] += 1
    fields["text", text_field] += 1
    return Record(
        id=str(values["id"]) or fallback_id(name, number),
        file=name,
        line=number,
        source=_source(values["source"]) or _host(values["url"]) or PurePath(name).name,
        text=text,
        title=values["title"],
        abstract=values["abstract"],
        date=str(values["date"]),
        raw=row,
        text_field=text_field,
        has_struct="dedup" in found,
    )


def fallback_id(name: str, number: int) -> str:
    """The id of a record that has none: "<file name>:<line>"."""
    return f"{PurePath(name).name}:{number}"


_KINDS: dict[str, tuple[type, ...]] = {
    "id": (str, int),
    "title": (str,),
    "abstract": (str,),
    "url": (str,),
    "date": (str, int, float),
    "source": (str,),
}


def _pick(
    found: Mapping[str, Any], names: tuple[str, ...], kinds: tuple[type, ...]
) -> tuple[str | None, Any]:
    for name in names:
        if type(found[name]) in kinds:
            return name, found[name]
    return None, ""


def _no_text(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if name in found:
            return f"field {name!r} is a JSON {_type(found[name])}, not a string"
    longest = max(
        (key for key, value in found.items() if isinstance(value, str)),
        key=lambda key: len(found[key]),
        default=None,
    )
    hint = f"try {flag_of('text_field')} {longest}" if longest else f"looked for {', '.join(names)}"
    return f"field {names[0]!r} is missing; {hint}"


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
    out: dict[str, Any] = {"file": row.file, "line": row.line, "reason": row.rule}
    if row.raw != CUT_OFF:
        try:
            out["text"] = row.raw.decode()
        except UnicodeDecodeError:
            out["base64"] = base64.b64encode(row.raw).decode()
    return orjson.dumps(out, option=orjson.OPT_APPEND_NEWLINE)
