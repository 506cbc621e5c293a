"""Putting back what was removed: the original records, to the character."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import msgspec
import numpy as np
import orjson

from dedup.config import Config
from dedup.errors import InputError
from dedup.formats import Outputs
from dedup.formats.faults import NotARecord, no_text
from dedup.formats.fields import Parser
from dedup.formats.outputs import sibling
from dedup.formats.row import Object, fields_of, find_texts
from dedup.formats.written import lines_of
from dedup.records import names_of


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
    _present(clean_path, removed_path)
    config = config or Config()
    outputs = Outputs(os.fspath(out) if out else "-")
    outputs.texts = names_of("text", config)
    outputs.paths = {name: path for name, path in outputs.paths.items() if name == "clean"}
    outputs.check([clean_path, removed_path])
    count = 0
    with outputs:
        for record in finished(clean_path, removed_path, config):
            outputs.write("clean", _original(record))
            count += 1
    return count


class Line(NamedTuple):
    """A record as it was written.

    Attributes:
        file: the file it stands in.
        number: its 1-based line there.
        raw: all of it, a JSON object.
        struct: what `clean` added to it.
        text_field: which of them is its text.
    """

    file: str
    number: int
    raw: bytes
    struct: msgspec.Raw
    text_field: str

    @property
    def text(self) -> str:
        """Its text."""
        text: str = orjson.loads(memoryview(fields_of(self.raw)[self.text_field]))
        return text

    def before(self, text: str | None) -> bytes:
        """The line as it was: without the added struct, and with another text if it had one."""
        added = b"".join((b',"dedup":', memoryview(self.struct), b"}"))
        if self.raw.endswith(added):  # as it was written, a key that it holds twice and all
            line = self.raw.removesuffix(added) + b"}"
            if text is None:
                return line + b"\n"
            here, which = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.uint8)
            places = find_texts(line, here, here + len(line), [self.text_field], which)
            start, end = (int(place[0]) for place in places)
            if start >= 0:
                return b"".join((line[:start], orjson.dumps(text), line[end:], b"\n"))
        fields: dict[str, msgspec.Raw | bytes] = {**fields_of(self.raw)}
        del fields["dedup"]
        if text is not None:
            fields[self.text_field] = orjson.dumps(text)
        return Object.of(fields, self.text_field).data + b"\n"


class Finished(NamedTuple):
    """A record of a finished run.

    Attributes:
        row: as it was written.
        id: its own id, "" for none.
        struct: what `clean` added to it.
        removals: what went of it, in order, as rows of OUT.removed.jsonl.
    """

    row: Line
    id: str
    struct: dict[str, Any]
    removals: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """Its id; that of its removals, or of the story that it leads, if it has none itself."""
        if self.id or self.removals:
            return self.id or str(self.removals[0]["id"])
        if "file" in self.struct:
            return f"{PurePath(self.struct['file']).name}:{self.struct['line']}"
        return "" if self.struct.get("duplicate_of") else str(self.struct.get("story", ""))

    @property
    def text(self) -> str:
        """Its text before anything went.

        Raises:
            InputError: the removals do not fit.
        """
        if "spans" in self.struct:  # annotated only
            return self.row.text
        parts: list[str] = []
        kept, at, text = 0, 0, self.row.text
        for removal in self.removals:
            more = removal["start"] - at
            if more < 0 or kept + more > len(text):
                raise InputError(
                    f"{self.row.file}:{self.row.number}: the removals do not fit field "
                    f"{self.row.text_field!r}; try --text-field"
                )
            parts += (text[kept : kept + more], removal["text"])
            kept, at = kept + more, removal["end"]
        parts.append(text[kept:])
        return "".join(parts)


def finished(clean_path: Path, removed_path: Path, config: Config) -> Iterator[Finished]:
    """The records of a finished run with what went of them, in the order of the input.

    Args:
        clean_path: what `clean` wrote; dropped records are found beside it, or, where it was
            standard output, beside the removals.
        removed_path: the removals.
        config: `text_field` and `id_field`, when `clean` was told them.

    Raises:
        InputError: a file is missing, or the files do not belong together.
    """
    _present(clean_path, removed_path)
    beside = [sibling(path, "dropped") for path in (clean_path, removed_path)]
    dropped_path = next(filter(Path.is_file, beside), beside[0])
    rows = _rows(lines_of(removed_path), str(removed_path))
    for record in _merge(clean_path, dropped_path, config):
        yield record._replace(removals=_taken(record, rows))
    if next(rows, None) is not None:
        raise InputError(
            f"{removed_path}: more removals than {clean_path} accounts for; "
            f"is {dropped_path.name} missing beside it?"
        )


def _present(clean_path: Path, removed_path: Path) -> None:
    for path in (clean_path, removed_path):
        if not path.is_file():
            hint = "" if path == clean_path else "; name it with --removed"
            raise InputError(f"{path}: no such file{hint}")


def _rows(lines: Iterable[bytes], name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            row = orjson.loads(line)
            row["id"], row["start"], row["end"], row["text"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(f"{name}:{number}: not a removal that dedup wrote") from error
        yield row


def _merge(clean_path: Path, dropped_path: Path, config: Config) -> Iterator[Finished]:
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


def _records(path: Path, config: Config) -> Iterator[Finished]:
    parser = Parser(config)
    for number, line in enumerate(lines_of(path), 1):
        raw = line.strip()
        if not raw:
            continue
        try:
            fields = parser.fields(raw)
        except NotARecord as wrong:
            raise InputError(f"{path}:{number}: {wrong}") from wrong
        name = parser.text_of(fields)
        if name is None:
            raise InputError(f"{path}:{number}: {no_text(fields, parser.texts)}")
        added = fields.get("dedup", msgspec.Raw(b"null"))
        struct = orjson.loads(memoryview(added))
        if not isinstance(struct, dict) or "removed" not in struct:
            raise InputError(f"{path}:{number}: no 'dedup' field; dedup clean did not write it")
        row = Line(str(path), number, raw, added, name)
        yield Finished(row, parser.id_of(fields), struct, [])


def _taken(record: Finished, rows: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The removals of a record, the next ones in the file."""
    removed, taken = record.struct["removed"], []
    for _ in range(removed):
        removal = next(rows, None)
        if removal is None or (record.id and removal["id"] != record.id):
            seen = "no more removals" if removal is None else f"a removal of {removal['id']!r}"
            raise InputError(
                f"{record.row.file}:{record.row.number}: {removed} removals expected for "
                f"{record.id!r}, but {seen} found; are these files of one run?"
            )
        taken.append(removal)
    return taken


def _original(record: Finished) -> bytes:
    """The record with its removed spans put back, and without the added struct."""
    if not record.removals or "spans" in record.struct:
        return record.row.before(None)
    return record.row.before(record.text)
