"""Putting back what was removed: the original records, to the character."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from dedup.config import Config
from dedup.errors import InputError
from dedup.formats import Outputs
from dedup.formats.jsonl import NotARecord, Parser
from dedup.formats.outputs import sibling
from dedup.formats.row import Row


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
        for record in _merge(clean_path, dropped_path, config):
            outputs.write("clean", _original(record, rows))
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


class _Cleaned(NamedTuple):
    """A cleaned record, its own id ("" for none) and the struct that `clean` added to it."""

    row: Row
    id: str
    struct: dict[str, Any]


def _merge(clean_path: Path, dropped_path: Path, config: Config) -> Iterator[_Cleaned]:
    """Cleaned and dropped records in the order of the input."""
    gone = list(_records(dropped_path, config)) if dropped_path.is_file() else []
    gone.sort(key=lambda item: item.struct.get("position", -1), reverse=True)
    place = 0
    for record in _records(clean_path, config):
        while gone and gone[-1].struct.get("position", -1) == place:
            yield gone.pop()
            place += 1
        yield record
        place += 1
    yield from reversed(gone)


def _records(path: Path, config: Config) -> Iterator[_Cleaned]:
    parser = Parser(config)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            raw = line.strip()
            if not raw:
                continue
            try:
                found = parser.parse(raw)
            except NotARecord as wrong:
                raise InputError(f"{path}:{number}: {wrong}") from wrong
            struct = orjson.loads(memoryview(parser.struct or b"null"))
            if not isinstance(struct, dict) or "removed" not in struct:
                raise InputError(f"{path}:{number}: no 'dedup' field; dedup clean did not write it")
            yield _Cleaned(Row(str(path), number, raw, parser.names[0]), str(found.id), struct)


def _original(record: _Cleaned, rows: Iterator[dict[str, Any]]) -> bytes:
    """The record with its removed spans put back, and without the added struct."""
    row, removed = record.row, record.struct["removed"]
    if not removed:
        return row.without_struct()
    parts: list[str] = []
    kept, at = 0, 0
    for _ in range(removed):
        removal = next(rows, None)
        if removal is None or (record.id and removal["id"] != record.id):
            seen = "no more removals" if removal is None else f"a removal of {removal['id']!r}"
            raise InputError(
                f"{row.file}:{row.line}: {removed} removals expected for "
                f"{record.id!r}, but {seen} found; are these files of one run?"
            )
        more = removal["start"] - at
        if more < 0 or kept + more > len(row.text):
            raise InputError(
                f"{row.file}:{row.line}: the removals do not fit field "
                f"{row.text_field!r}; try --text-field"
            )
        parts += (row.text[kept : kept + more], removal["text"])
        kept, at = kept + more, removal["end"]
    parts.append(row.text[kept:])
    return row.with_text("".join(parts), b"")
