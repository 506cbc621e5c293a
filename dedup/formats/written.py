"""Reading what `Outputs` wrote, in whatever form."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dedup.errors import InputError
from dedup.formats.packed import unpacked
from dedup.formats.tables import parquet_lines, parquet_schema


def types_of(path: Path) -> Any:
    """The columns of a Parquet file of an earlier run with their types; None of another."""
    if path.suffix.lower() != ".parquet":
        return None
    with unpacked(io.BufferedReader(io.FileIO(path)), str(path)) as file:
        return parquet_schema(file, str(path))


def lines_of(path: Path) -> Iterator[bytes]:
    """The JSON lines of a file of an earlier run.

    Raises:
        InputError: it holds texts alone.
    """
    kind = path.suffix.lower()
    if kind == ".txt":
        raise InputError(f"{path}: holds texts alone; restore needs .jsonl or .parquet")
    with unpacked(io.BufferedReader(io.FileIO(path)), str(path)) as file:
        if kind == ".parquet":
            for chunk in parquet_lines(file, str(path), sys.maxsize):
                yield from chunk.splitlines(keepends=True)
        else:
            yield from file
