"""Cleaned records in other forms than JSON lines: as a Parquet file, and as text alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from dedup.errors import InputError
from dedup.formats import cells

_ROWS = 2000  # looked at, and written, at once
JSON = {b"dedup": b"json"}  # marks a column whose values have no common type, as JSON


def to_parquet(
    lines: IO[bytes],
    path: Path,
    name: str,
    schema: Any = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Write a Parquet file of JSON lines, a column for each field.

    Args:
        lines: read twice: for the types of the columns, and for the values.
        path: where it goes.
        name: of the output, for errors.
        schema: columns that keep their types, if they can; those of others are found out.
        say: told of columns that cannot.

    Raises:
        InputError: pyarrow is not installed.
    """
    pa, pq = arrow(name, "writing")
    given = {field.name: field for field in schema or () if field.name != "dedup"}
    types: dict[str, Any] = dict.fromkeys(given, pa.null())
    lost: dict[str, str] = {}
    lines.seek(0)
    for rows in _blocks(lines):
        for column in dict.fromkeys([*given, *(key for row in rows for key in row)]):
            values = [row.get(column) for row in rows]
            field = None if column in lost else given.get(column)
            if field is not None and (wrong := _misfit(pa, values, field)):
                lost[column] = wrong
            found = _type(pa, values)
            types[column] = _common(pa, types.get(column, pa.null()), found)
    for column, wrong in lost.items():
        if say is not None:
            say(f"{name}: column {column!r} is no longer {given[column].type}: {wrong}")
    kept = {column: field for column, field in given.items() if column not in lost}
    fields = [
        kept[name] if name in kept
        else pa.field(name, kind) if kind is not None
        else pa.field(name, pa.string(), metadata=JSON)
        for name, kind in types.items()
    ]  # fmt: skip
    pandas = {key: value for key, value in ((schema and schema.metadata) or {}).items()
              if key == b"pandas"}  # fmt: skip
    made = pa.schema(fields, metadata=pandas or None)
    lines.seek(0)
    with pq.ParquetWriter(path, made, compression="zstd") as writer:
        for rows in _blocks(lines):
            columns = [
                _kept(pa, [row.get(name) for row in rows], field) if name in kept
                else pa.array([_value(row, name, types[name]) for row in rows], field.type)
                for name, field in zip(types, made, strict=True)
            ]  # fmt: skip
            writer.write_table(pa.Table.from_arrays(columns, schema=made))


def _kept(pa: Any, values: list[Any], field: Any) -> Any:
    """Values as a column of the type that they had."""
    if field.metadata and JSON.items() <= field.metadata.items():
        packed = [None if value is None else orjson.dumps(value).decode() for value in values]
        return pa.array(packed, field.type)
    return cells.back(pa, values, field.type)


def _misfit(pa: Any, values: list[Any], field: Any) -> str:
    """Why values are none of the type that they had, "" if they are."""
    try:
        found = _kept(pa, values, field)
    except (
        pa.ArrowException,
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        ArithmeticError,
    ) as e:
        return str(e).partition("\n")[0] or type(e).__name__
    return "" if field.nullable or not found.null_count else "a row has none"


def to_text(lines: Iterable[bytes], out: IO[bytes], names: Sequence[str]) -> None:
    """Write the texts of JSON lines, an empty line between them.

    Args:
        lines: the records.
        out: where the texts go.
        names: the fields that may hold a text, the likeliest first.
    """
    begun = False
    for line in lines:
        row = orjson.loads(line)
        texts = [row[name] for name in names if isinstance(row.get(name), str)]
        # Of a record with nothing left, only what never was its text can be full.
        spent = row.get("dedup", {}).get("kept") == 0
        text = "" if spent else next(filter(None, texts), "")
        if text.strip():
            out.write((b"\n" if begun else b"") + text.strip("\n").encode() + b"\n")
            begun = True


def arrow(name: str, doing: str) -> tuple[Any, Any]:
    """The library that reads and writes Parquet.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415 - optional
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f"{name}: {doing} .parquet needs pyarrow; try: pip install 'newsdedup[arrow]'"
        ) from error
    return pyarrow, pyarrow.parquet


def _blocks(lines: IO[bytes]) -> Iterator[list[dict[str, Any]]]:
    while rows := [orjson.loads(line) for line in islice(lines, _ROWS)]:
        yield rows


def _type(pa: Any, values: list[Any]) -> Any:
    """The type of some values, None if they have none in common that Parquet knows."""
    try:
        found = pa.array(values).type
    except (pa.ArrowException, OverflowError):
        return None
    return None if "struct<>" in str(found) else found


def _common(pa: Any, one: Any, two: Any) -> Any:
    if one is None or two is None:
        return None
    try:
        schemas = [pa.schema([("x", kind)]) for kind in (one, two)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return None


def _value(row: dict[str, Any], name: str, kind: Any) -> Any:
    value = row.get(name)
    return value if kind is not None or name not in row else orjson.dumps(value).decode()
