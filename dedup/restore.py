"""Putting back what was removed: the original records, to the character."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from dedup.config import Config
from dedup.errors import InputError
from dedup.formats import Outputs, jsonl
from dedup.formats.outputs import sibling
from dedup.records import Record, Rejected


def restore(
    cleaned: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    removed: str | os.PathLike[str] | None = None,
    config: Config | None = None,
) -> int:
    """Write the records as they were before `clean`, in input order.

    Args:
        cleaned: what `clean` wrote; its removals and dropped records are found beside it.
        out: where the records go; "-" or None for standard output.
        removed: the removals, if they are not beside `cleaned`.
        config: `text_field` and `id_field`, when `clean` was told them.

    Returns:
        The number of records.

    Raises:
        InputError: a file is missing, or the files do not belong together.
    """
    clean_path = Path(cleaned)
    removed_path = Path(removed) if removed else sibling(clean_path, "removed")
    for path in (clean_path, removed_path):
        if not path.is_file():
            hint = "" if path == clean_path else "; name it with --removed"
            raise InputError(f"{path}: no such file{hint}")
    outputs = Outputs(os.fspath(out) if out else "-")
    outputs.paths = {name: path for name, path in outputs.paths.items() if name == "clean"}
    outputs.check([clean_path, removed_path])
    dropped_path = sibling(clean_path, "dropped")
    config = config or Config()
    count = 0
    with outputs, removed_path.open("rb") as removals:
        rows = _rows(removals, str(removed_path))
        for record, removed_spans in _merge(clean_path, dropped_path, config):
            outputs.write("clean", _original(record, removed_spans, rows))
            count += 1
        if next(rows, None) is not None:
            raise InputError(
                f"{removed_path}: more removals than {clean_path} accounts for; "
                f"is {dropped_path.name} missing beside it?"
            )
    return count


def _rows(lines: Iterable[bytes], name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            row = orjson.loads(line)
            row["id"], row["start"], row["end"], row["text"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(f"{name}:{number}: not a removal that dedup wrote") from error
        yield row


def _merge(clean_path: Path, dropped_path: Path, config: Config) -> Iterator[tuple[Record, int]]:
    """Cleaned and dropped records in the order of the input, each with its number of removals."""
    gone = list(_records(dropped_path, config)) if dropped_path.is_file() else []
    gone.sort(key=lambda item: item[1].get("position", -1), reverse=True)
    place = 0
    for record, struct in _records(clean_path, config):
        while gone and gone[-1][1].get("position", -1) == place:
            dropped, its_struct = gone.pop()
            yield dropped, its_struct["removed"]
            place += 1
        yield record, struct["removed"]
        place += 1
    for dropped, its_struct in reversed(gone):
        yield dropped, its_struct["removed"]


def _records(path: Path, config: Config) -> Iterator[tuple[Record, dict[str, Any]]]:
    """Records and the structs that `clean` added to them."""
    with path.open("rb") as file:
        for row in jsonl.read(iter(file), str(path), config, jsonl.Fields()):
            if isinstance(row, Rejected):
                raise InputError(f"{row.file}:{row.line}: {row.rule}")
            struct = orjson.loads(row.raw).get("dedup")
            if not isinstance(struct, dict) or "removed" not in struct:
                raise InputError(
                    f"{path}:{row.line}: no 'dedup' field; dedup clean did not write it"
                )
            yield row, struct


def _original(record: Record, removed: int, rows: Iterator[dict[str, Any]]) -> bytes:
    """The record with its removed spans put back, and without the added struct."""
    has_id = record.id != jsonl.fallback_id(record.file, record.line)
    parts: list[str] = []
    kept, at = 0, 0
    for _ in range(removed):
        row = next(rows, None)
        if row is None or (has_id and row["id"] != record.id):
            seen = "no more removals" if row is None else f"a removal of {row['id']!r}"
            raise InputError(
                f"{record.file}:{record.line}: {removed} removals expected for "
                f"{record.id!r}, but {seen} found; are these files of one run?"
            )
        more = row["start"] - at
        if more < 0 or kept + more > len(record.text):
            raise InputError(
                f"{record.file}:{record.line}: the removals do not fit field "
                f"{record.text_field!r}; try --text-field"
            )
        parts += (record.text[kept : kept + more], row["text"])
        kept, at = kept + more, row["end"]
    parts.append(record.text[kept:])
    return jsonl.with_text(record, "".join(parts), b"") if removed else jsonl.without_struct(record)
