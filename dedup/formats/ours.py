"""Whether a file was written by this program: only such files are replaced."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from dedup.errors import InputError
from dedup.formats.packed import unpacked

LOOKED = 1 << 26  # bytes of a first line at most
PAGE = b'<meta name="generator" content="dedup '  # stands at the head of every report


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda row: isinstance(row, dict) and set(names) <= row.keys()


def _is_cleaned(row: Any) -> bool:
    return _has("dedup")(row) and _has("kept", "removed", "story")(row["dedup"])


# What the first line of each file is like.
_ROWS: dict[str, Callable[[Any], bool]] = {
    "clean": _is_cleaned,
    "dropped": _is_cleaned,
    "removed": _has("id", "start", "end", "text", "kind", "evidence"),
    "rejected": _has("file", "line", "reason"),
    "kept": _has("id", "start", "end", "why", "evidence"),
    "spans": _has("text", "spans", "meta"),
    "attributes": _has("id", "attributes"),
    "restored": _has(),
}


def is_ours(path: Path, what: str, beside: Path | None = None, torn: bool = False) -> bool:
    """Whether a file is one that this program may have written as "clean", "removed" and the like.

    An empty file and none at all are nobody's loss.

    Args:
        path: of the file.
        what: what it would be replaced with.
        beside: where the removals of the same run lie: of texts alone nothing else tells.
        torn: whether its first line may lack its end, as where a run died that appended to it.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if not path.exists() or path.stat().st_size == 0:
            return True
        suffix = path.suffix.lower()
        if what == "report":
            with path.open("rb") as file:
                return PAGE in file.read(4096)
        if what == "stats":
            with path.open("rb") as file:
                return _has("records", "blocks", "kinds")(_loaded(file.read(LOOKED)))
        if suffix == ".txt":
            return beside is not None and beside.exists() and is_ours(beside, "removed")
        if suffix == ".parquet":
            return what == "restored" or _is_parquet_of_ours(path)
        with unpacked(io.BufferedReader(io.FileIO(path)), str(path)) as file:
            line = file.readline(LOOKED + 1)
            if not line or (torn and not line.endswith(b"\n") and line.startswith(b"{")):
                return True
            return len(line) <= LOOKED and _ROWS[what.partition(" ")[0]](_loaded(line))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def is_empty(path: Path) -> bool:
    """Whether a file, unpacked, holds nothing.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with unpacked(io.BufferedReader(io.FileIO(path)), str(path)) as file:
            return not file.read(1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _loaded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _is_parquet_of_ours(path: Path) -> bool:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - optional
    except ImportError:
        return False  # nothing can be written then
    try:
        return "dedup" in pq.read_schema(path).names
    except (ValueError, OSError):
        return False
