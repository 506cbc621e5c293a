"""Records that a program hands over, as lines of JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from dedup.formats.lines import refusal

DEEPEST = 250  # objects and lists inside each other
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class _Unsaid(Exception):
    """A value that JSON has no word for; its argument says what it is."""


def as_lines(records: Iterable[Any]) -> bytes:
    """Records as JSON lines, a line for each; what is no record comes as a refusal.

    Besides what JSON has: numbers and arrays of NumPy, a Decimal as the number it is written as,
    dates and times as ISO 8601, what is not a number (NaN, NaT, NA) as null, any mapping as an
    object, any sequence as an array.
    """
    lines = bytearray()
    for record in records:
        lines += _line(record)
    return bytes(lines)


def _line(record: Any) -> bytes:
    try:
        line = orjson.dumps(record, option=_OPTIONS)
        if type(record) is dict and not (b"null" in line and _is_endless(record)):
            return line
    except TypeError:
        pass
    if not isinstance(record, Mapping):
        return _refused(f"a {type(record).__name__}, not a dict; every record must be one", record)
    place: list[str] = []
    try:
        plain = _plain(record, place, [])
        return orjson.dumps(plain, option=_OPTIONS)
    except _Unsaid as wrong:
        return _refused(f"field {''.join(place).lstrip('.')!r} is {wrong}", record)
    except Exception as error:  # whatever somebody's own class does
        name = "".join(place).lstrip(".")
        return _refused(f"field {name!r}: {type(error).__name__}: {error}", record)


def simple(value: Any) -> str | int | float | None:
    """A text, a number or a date as JSON has it, a text that it cannot hold as it is; None for
    anything else.
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        return str(value)
    try:
        plain = _scalar(value)
        found = orjson.loads(orjson.dumps(plain))
    except (_Unsaid, TypeError):
        return None
    return found if isinstance(found, (str, int, float)) else None


def is_sayable(text: Any) -> bool:
    """Whether JSON can hold a text, if it is one."""
    try:
        return not isinstance(text, str) or bool(_text(text) or True)
    except _Unsaid:
        return False


def _refused(rule: str, record: Any) -> bytes:
    try:
        shown = repr(record).encode("utf-8", "backslashreplace")
    except Exception:  # whatever somebody's own class does
        shown = b""
    return refusal(rule, shown) + b"\n"


def _is_endless(value: Any) -> bool:
    """Whether there is an infinite number in it."""
    if isinstance(value, (float, np.floating)):
        return math.isinf(value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" and bool(np.isinf(value).any())
    if isinstance(value, dict):
        return any(map(_is_endless, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_is_endless, value))


def _plain(value: Any, place: list[str], around: list[int]) -> Any:
    """A value as JSON has it.

    Args:
        value: anything.
        place: where it is; left as it is where something is wrong.
        around: ids of what it stands in.

    Raises:
        _Unsaid: JSON has no word for it.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, (Mapping, list, tuple, np.ndarray)) or _is_listed(value):
        if id(value) in around:
            raise _Unsaid("a part of itself")
        if len(around) == DEEPEST:
            raise _Unsaid(f"more than {DEEPEST} deep")
        around.append(id(value))
        plain: Any
        if isinstance(value, Mapping):
            plain = _object(value, place, around)
        else:
            plain = []
            for at, item in enumerate(value.tolist() if hasattr(value, "tolist") else value):
                place.append(f"[{at}]")
                plain.append(_plain(item, place, around))
                place.pop()
        around.pop()
        return plain
    return _scalar(value)


def _is_listed(value: Any) -> bool:
    texts = (str, bytes, bytearray, memoryview)
    return isinstance(value, Sequence) and not isinstance(value, texts)


def _object(value: Mapping[Any, Any], place: list[str], around: list[int]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key in value:
        place.append(f".{key}" if isinstance(key, str) else f".{key!r}")
        name = _name(key)
        if name in plain:
            raise _Unsaid("there twice; name fields by strings")
        plain[name] = _plain(value[key], place, around)
        place.pop()
    return plain


def _name(key: Any) -> str:
    """The name of a field, as `json` writes it."""
    plain = key.item() if isinstance(key, np.generic) else key
    if isinstance(plain, str):
        return _text(str(plain))
    if plain is None or isinstance(plain, (bool, int, float)):
        return json.dumps(plain)
    if isinstance(plain, date):
        return plain.isoformat()
    raise _Unsaid(f"named by a {type(key).__name__}; name fields by strings")


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _scalar(value.value)
    if isinstance(value, np.generic):
        return _of_numpy(value)
    if isinstance(value, str):
        return _text(str(value))
    if isinstance(value, (int, float, Decimal)):
        return _number(value)
    if type(value).__name__ in ("NAType", "NaTType"):  # of pandas
        return None
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (timedelta, UUID, PurePath)):
        return _text(str(value))
    what = type(value).__name__
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise _Unsaid(f"of type {what}; decode it to a string")
    if isinstance(value, (set, frozenset)):
        raise _Unsaid(f"a {what}, which has no order; make it a list")
    raise _Unsaid(f"of type {what}, which JSON has no word for; make it a string")


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as wrong:
        raise _Unsaid(
            f"a string with half a surrogate pair at character {wrong.start}; no text can hold it"
        ) from wrong
    return text


def _of_numpy(value: np.generic) -> Any:
    if isinstance(value, (np.datetime64, np.timedelta64)):
        if isinstance(value, np.datetime64) and not np.isnat(value):
            return orjson.Fragment(orjson.dumps(value, option=_OPTIONS).strip())
        return None if np.isnat(value) else str(value)
    plain = value.item()
    if isinstance(plain, np.generic):  # a number of more bits than Python has
        return _number(float(plain)) if isinstance(plain, np.floating) else _number(int(plain))
    return _plain(plain, [], [])


def _number(value: int | float | Decimal) -> Any:
    if isinstance(value, int):
        try:
            return orjson.Fragment(str(int(value)))  # of any size
        except ValueError as error:  # of thousands of digits
            raise _Unsaid(f"a number that cannot be written: {error}") from error
    precise = isinstance(value, Decimal)
    if value.is_nan() if isinstance(value, Decimal) else math.isnan(value):
        return None
    if value.is_infinite() if isinstance(value, Decimal) else math.isinf(value):
        raise _Unsaid(f"{value}; JSON has no such number, write null")
    return orjson.Fragment(str(value)) if precise else float(value)
