"""Cells of Arrow tables as JSON has them, and back: a cell of any type has a form that tells all.

What JSON has no word for is text: times in ISO 8601 (with all digits of their unit), durations as
seconds ("PT1.5S"), decimals as they are written, NaN and Infinity by name, bytes as the text that
they are, or as a data URI.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np

BYTES = "data:;base64,"
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY = 86_400
_ENDLESS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_OFFSET = re.compile(r"(?:Z|([+-])(\d\d):?(\d\d)(?::?(\d\d))?)$")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def told(pa: Any, array: Any) -> list[Any]:
    """The cells of an array as JSON has them.

    Args:
        pa: pyarrow.
        array: of any type.

    Raises:
        ValueError: a string is no UTF-8.
    """
    kind, types = array.type, pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return told(pa, array.storage)
    if types.is_dictionary(kind):
        return told(pa, array.dictionary_decode())
    if types.is_run_end_encoded(kind):
        return told(pa, pa.compute.run_end_decode(array))
    if types.is_struct(kind):
        children = [told(pa, array.field(n)) for n in range(kind.num_fields)]
        names = [kind.field(n).name for n in range(kind.num_fields)]
        valid = array.is_valid().to_pylist()
        cells = zip(*children, strict=True) if children else ((),) * len(array)
        return [
            dict(zip(names, some, strict=True)) if here else None
            for here, some in zip(valid, cells, strict=True)
        ]
    if types.is_map(kind):
        inner = zip(told(pa, array.keys), told(pa, array.items), strict=True)
        return _parted(array, map(list, inner), array.offsets)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _parted(array, iter(told(pa, array.flatten())))
    if types.is_floating(kind):
        return [_number(value) for value in array.to_pylist()]
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return [None if value is None else _of_bytes(value) for value in array.to_pylist()]
    if types.is_decimal(kind):
        return [None if value is None else str(value) for value in array.to_pylist()]
    if types.is_temporal(kind) and not types.is_interval(kind):
        return list(_times(pa, array))
    if _is_plain(pa, kind):
        return list(array.to_pylist())
    return [_shown_as(one) for one in array]


def _is_plain(pa: Any, kind: Any) -> bool:
    types = pa.types
    ways = (types.is_null, types.is_boolean, types.is_integer, types.is_string,
            types.is_large_string)  # fmt: skip
    return any(way(kind) for way in ways)


def _shown_as(scalar: Any) -> Any:
    """A cell of a type that is not known here, as it shows itself."""
    if not scalar.is_valid:
        return None
    value = scalar.as_py()
    return _of_bytes(value) if isinstance(value, bytes) else str(value)


def _parted(array: Any, inner: Iterator[Any], offsets: Any = None) -> list[Any]:
    """Lists of the cells that stand in them; nothing stands in null."""
    valid = array.is_valid().to_pylist()
    if offsets is not None:  # of a map
        ends = offsets.to_pylist()
        for _ in range(ends[0] if ends else 0):  # of a slice
            next(inner)
        sizes = [b - a for a, b in pairwise(ends)]
    else:
        import pyarrow.compute as pc  # noqa: PLC0415 - optional

        sizes = [size or 0 for size in pc.list_value_length(array).to_pylist()]
    lists = [[next(inner) for _ in range(size)] for size in sizes]
    return [one if here else None for here, one in zip(valid, lists, strict=True)]


def _number(value: float | None) -> Any:
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _of_bytes(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = BYTES
    return BYTES + base64.b64encode(value).decode() if text.startswith(BYTES) else text


def _to_bytes(cell: str) -> bytes:
    return base64.b64decode(cell[len(BYTES) :]) if cell.startswith(BYTES) else cell.encode()


def _fraction(part: int, per_second: int) -> str:
    """Digits of a second: none, six as Python writes them, or nine."""
    if not part:
        return ""
    digits = f"{part:0{len(str(per_second)) - 1}d}".ljust(6, "0")
    return "." + (digits[:6] if digits.endswith("000") and len(digits) > 6 else digits)


def _times(pa: Any, array: Any) -> Iterator[str | None]:
    """Times of an array as text."""
    kind, types = array.type, pa.types
    if types.is_date32(kind):
        for day in array.view(pa.int32()).to_pylist():
            yield None if day is None else str(np.datetime64(day, "D"))
        return
    unit = "ms" if types.is_date64(kind) else kind.unit
    per = _PER_SECOND[unit]
    zone = _zone(kind.tz) if types.is_timestamp(kind) and kind.tz else None
    for count in array.view(pa.int32() if kind.bit_width == 32 else pa.int64()).to_pylist():
        if count is None:
            yield None
            continue
        seconds, part = divmod(count, per)
        if types.is_duration(kind):
            yield _duration(count, per)
        elif types.is_date64(kind) and not (part or seconds % _DAY):
            yield str(np.datetime64(seconds // _DAY, "D"))
        elif types.is_time(kind):
            clock = str(timedelta(seconds=seconds)).rjust(8, "0")
            yield clock + _fraction(part, per)
        else:
            offset = 0 if zone is None else _offset(seconds, zone)
            shown = str(np.datetime64(seconds + offset, "s")) + _fraction(part, per)
            yield shown if zone is None else shown + _shown(offset)


def _zone(name: str) -> tzinfo:
    """A time zone; UTC for one that nobody knows here."""
    found = _OFFSET.fullmatch(name)
    if found:
        return timezone(timedelta(seconds=_seconds(found)))
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - it takes a while

    try:
        return ZoneInfo(name)
    except Exception:  # unknown, or no name at all
        return timezone.utc


def _offset(seconds: int, zone: tzinfo) -> int:
    try:
        offset = (_EPOCH + timedelta(seconds=seconds)).astimezone(zone).utcoffset()
    except (OverflowError, ValueError):  # beyond the years of Python
        offset = None
    return int(offset.total_seconds()) if offset else 0


def _shown(offset: int) -> str:
    minutes, seconds = divmod(abs(offset), 60)
    shown = f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{shown}:{seconds:02d}" if seconds else shown


def _seconds(found: re.Match[str]) -> int:
    sign, hours, minutes, seconds = found.groups()
    size = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return -size if sign == "-" else size


def _duration(count: int, per: int) -> str:
    seconds, part = divmod(abs(count), per)
    return f"{'-' if count < 0 else ''}PT{seconds}{_fraction(part, per)}S"


def back(pa: Any, cells: list[Any], kind: Any) -> Any:
    """An array of a type, of cells as `told` tells them.

    Raises:
        ValueError, TypeError, KeyError, pa.ArrowException: a cell is of another type.
    """
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(back(pa, cells, kind.storage_type))
    if types.is_dictionary(kind):
        values = back(pa, cells, kind.value_type)
        return values.dictionary_encode().cast(kind)
    return pa.array([None if cell is None else _value(pa, cell, kind) for cell in cells], kind)


def _value(pa: Any, cell: Any, kind: Any) -> Any:
    """A cell as pyarrow takes it."""
    types = pa.types
    if types.is_struct(kind):
        return {
            field.name: None if cell[field.name] is None
            else _value(pa, cell[field.name], field.type) for field in kind
        }  # fmt: skip
    if types.is_map(kind):
        both = (kind.key_type, kind.item_type)
        return [
            tuple(None if one is None else _value(pa, one, of)
                  for one, of in zip(pair, both, strict=True))
            for pair in cell
        ]  # fmt: skip
    if types.is_nested(kind):
        return [None if one is None else _value(pa, one, kind.value_type) for one in cell]
    if types.is_dictionary(kind):
        return _value(pa, cell, kind.value_type)
    if types.is_floating(kind) and isinstance(cell, str):
        value = _ENDLESS[cell]
        return np.float16(value) if types.is_float16(kind) else value
    if types.is_float16(kind):
        return np.float16(cell)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return _to_bytes(cell)
    if types.is_decimal(kind):
        return Decimal(cell)
    if types.is_temporal(kind) and not types.is_interval(kind):
        return _count(pa, cell, kind)
    return cell


def _count(pa: Any, cell: str, kind: Any) -> int:
    """A time as the number that stands for it."""
    types = pa.types
    if types.is_date32(kind):
        return int(np.datetime64(cell, "D").astype(np.int64))
    per = _PER_SECOND["ms" if types.is_date64(kind) else kind.unit]
    if types.is_duration(kind):
        sign, _, size = cell.partition("PT")
        whole = int(Decimal(size.removesuffix("S")) * per)
        return -whole if sign else whole
    offset = 0
    if types.is_timestamp(kind) and kind.tz and (found := _OFFSET.search(cell)):
        offset, cell = _seconds(found), cell[: found.start()]
    clock, _, digits = cell.partition(".")
    if types.is_time(kind):
        hours, minutes, seconds = map(int, clock.split(":"))
        whole = hours * 3600 + minutes * 60 + seconds
    else:
        whole = int(np.datetime64(clock, "s").astype(np.int64)) - offset
    return whole * per + int(digits.ljust(9, "0")) * per // 10**9
