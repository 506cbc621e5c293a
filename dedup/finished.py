"""The files of a finished run: its records as they were before anything went."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import orjson

from dedup.config import Config
from dedup.errors import InputError
from dedup.formats import kernels
from dedup.formats.faults import NotARecord, no_text
from dedup.formats.fields import Parser
from dedup.formats.outputs import sibling
from dedup.formats.publish import recover, see_file
from dedup.formats.row import Object, fields_of, find_texts
from dedup.formats.sections import with_text
from dedup.formats.written import lines_of
from dedup.text.digest import SIZE, digest_of

BLANK = b" \t\r\n\v\f"  # around a JSON object on its line
AHEAD = 64  # records whose removals are tried for one without an id, where some are missing


class Misfit(Exception):
    """A record that cannot be put together; its argument says why."""


class _Original(msgspec.Struct, forbid_unknown_fields=True):
    line: str
    at: int | None


class Struct(msgspec.Struct):
    """What `clean` adds to a record; see docs/rows.md."""

    kept: int
    removed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    story: str
    story_size: int
    duplicate_of: str | None
    run_id: str | None
    digest: str
    original: _Original | None = None
    spans: list[Any] | None = None
    file: str = ""
    line: int = 0
    position: int = -1


class _Match(msgspec.Struct):
    id: str
    start: int
    end: int


class _Evidence(msgspec.Struct):
    rule: str


class _Row(msgspec.Struct):
    id: str
    source: str
    line: int
    start: int
    end: int
    text: msgspec.Raw
    kind: str
    similarity: float | None
    match: _Match | None
    evidence: _Evidence
    run_id: str | None


_STRUCT, _ROW = msgspec.json.Decoder(Struct), msgspec.json.Decoder(_Row)


class Removal(NamedTuple):
    """A row of OUT.removed.jsonl.

    Attributes:
        line: its 1-based line there.
        id: of the record.
        run_id: of the run that removed it.
        start: the first character of the original text that went.
        end: the character after the last.
        written: what went, as a JSON string.
        row: all of it.
    """

    line: int
    id: str
    run_id: str | None
    start: int
    end: int
    written: bytes
    row: dict[str, Any]

    @classmethod
    def of(cls, number: int, line: bytes) -> Removal:
        """The removal that a line tells of.

        Raises:
            Misfit: it tells of none.
        """
        try:
            found, row = _ROW.decode(line), orjson.loads(line)
        except (ValueError, RecursionError) as error:
            raise Misfit(f"not a removal that dedup wrote: {error}") from error
        written = bytes(memoryview(found.text))
        if not isinstance(row["text"], str):
            raise Misfit("not a removal that dedup wrote: field 'text' is no string")
        if not 0 <= found.start < found.end or found.end - found.start != len(row["text"]):
            raise Misfit(
                f"a removal of characters {found.start} to {found.end} of {found.id!r}, whose text "
                f"has {len(row['text'])}"
            )
        return cls(number, found.id, found.run_id, found.start, found.end, written, row)


class Line(NamedTuple):
    """A record as it was written.

    Attributes:
        file: the file it stands in.
        number: its 1-based line there.
        raw: all of it, with the white space around it.
        fields: of its JSON object.
        struct: what `clean` added to it.
        texts: the fields that may be its text, the likeliest first.
    """

    file: str
    number: int
    raw: bytes
    fields: dict[str, msgspec.Raw]
    struct: Struct
    texts: Sequence[str]

    def before(self, name: str, written: bytes | None) -> bytes:
        """The line as it was: without the added struct, and with another text.

        Args:
            name: of the field that is its text.
            written: what that was, as a JSON string; None for what it is.
        """
        line = self.raw.strip(BLANK)
        at = self.raw.find(line)
        before, behind = self.raw[:at], self.raw[at + len(line) :]
        return b"".join((before, self._object(line, name, written), behind))

    def _object(self, line: bytes, name: str, written: bytes | None) -> bytes:
        if (original := self.struct.original) is not None:
            if original.at is None:
                return original.line.encode()
            text = bytes(memoryview(self.fields[name])) if written is None else written
            return text.join((original.line[: original.at].encode(),
                              original.line[original.at :].encode()))  # fmt: skip
        added = b"".join((b',"dedup":', memoryview(self.fields["dedup"]), b"}"))
        if line.endswith(added):  # as it was written, a key that it holds twice and all
            line = line.removesuffix(added) + b"}"
            if written is None:
                return line
            here, which = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.uint8)
            start, end = (
                int(x[0]) for x in find_texts(line, here, here + len(line), [name], which)
            )
            if start >= 0:
                return b"".join((line[:start], written, line[end:]))
        fields: dict[str, msgspec.Raw | bytes] = {**self.fields}
        del fields["dedup"]
        if written is not None:
            fields[name] = written
        return Object.of(fields, name).data


class Finished(NamedTuple):
    """A record of a finished run, put together again.

    Attributes:
        row: as it was written.
        id: its own id, "" for none.
        removals: what went of it, in order, as rows of OUT.removed.jsonl.
        text_field: which of its fields is its text.
        text: its text before anything went.
        written: the same as a JSON string, with the escapes that it had; None where nothing went.
    """

    row: Line
    id: str
    removals: list[dict[str, Any]]
    text_field: str
    text: str
    written: bytes | None

    @property
    def struct(self) -> Struct:
        """What `clean` added to it."""
        return self.row.struct

    @property
    def name(self) -> str:
        """Its id; that of its removals, or of the story that it leads, if it has none itself."""
        if self.id or self.removals:
            return self.id or str(self.removals[0]["id"])
        if self.struct.file:
            return f"{PurePath(self.struct.file).name}:{self.struct.line}"
        return "" if self.struct.duplicate_of else self.struct.story

    def original(self) -> bytes:
        """Its line in the input."""
        return self.row.before(self.text_field, self.written)


class FinishedRun:
    """The records of a finished run with what went of them, in the order of the input.

    Those that do not fit are passed over.

    Args:
        clean_path: what `clean` wrote; dropped records are found beside it, or, where it was
            standard output, beside the removals.
        removed_path: the removals.
        config: `text_field` and `id_field`, when `clean` was told them.

    Attributes:
        dropped: where dropped records are, or would be.
        wrong: what did not fit so far: file:line, and why.

    Raises:
        InputError: a file is missing, or they are not of one run.
    """

    def __init__(self, clean_path: Path, removed_path: Path, config: Config) -> None:
        for path in (clean_path, removed_path):
            recover(path)
        see_file(clean_path)
        see_file(removed_path, "; name it with --removed")
        beside = [sibling(path, "dropped") for path in (clean_path, removed_path)]
        self.dropped = next(filter(Path.is_file, beside), beside[0])
        refuse_mixture(clean_path, removed_path, self.dropped)
        self.wrong: list[str] = []
        self._clean, self._removed, self._parser = clean_path, removed_path, Parser(config)

    def __iter__(self) -> Iterator[Finished]:
        removals = _Removals(self._removed, self.wrong)
        for row in self._merged():
            id_ = self._parser.id_of(row.fields)
            wrong = ""
            for taken in removals.of(id_, row.struct.removed):
                try:
                    found = _put_together(row, id_, taken)
                except Misfit as misfit:
                    wrong = wrong or str(misfit)
                else:
                    removals.done(taken)
                    yield found
                    break
            else:
                name = f"record {id_!r}" if id_ else "a record without an id"
                self.wrong.append(f"{row.file}:{row.number}: {name}: {wrong}")
        if left := removals.left():
            self.wrong.append(
                f"{self._removed}:{left[0].line}: {len(left):,} removals, the first of record "
                f"{left[0].id!r}, that no record accounts for; is {self.dropped.name} missing, or "
                f"was a record taken out of {self._clean.name}?"
            )

    def _merged(self) -> Iterator[Line]:
        """Cleaned and dropped records in the order of the input."""
        gone = list(self._lines(self.dropped)) if self.dropped.is_file() else []
        gone.sort(key=lambda line: line.struct.position, reverse=True)
        place = 0
        for line in self._lines(self._clean):
            while gone and gone[-1].struct.position <= place:
                yield gone.pop()
                place += 1
            yield line
            place += 1
        yield from reversed(gone)

    def _lines(self, path: Path) -> Iterator[Line]:
        for number, raw in enumerate(lines_of(path), 1):
            line = raw.strip(BLANK)
            if not line:
                continue
            try:
                fields = self._parser.fields(line)
                texts = self._parser.texts_of(fields)
                if not texts:
                    raise NotARecord(no_text(fields, self._parser.texts))
                if "dedup" not in fields:
                    raise NotARecord("no 'dedup' field; dedup clean did not write it")
                struct = _STRUCT.decode(fields["dedup"])
            except NotARecord as wrong:
                self.wrong.append(f"{path}:{number}: {wrong}")
            except (ValueError, RecursionError) as error:
                self.wrong.append(
                    f"{path}:{number}: the 'dedup' field is not as dedup clean writes it: {error}"
                )
            else:
                yield Line(str(path), number, raw, fields, struct, texts)


def refuse_mixture(*paths: Path) -> None:
    """Look whether the files of a run are of one run.

    Raises:
        InputError: the first rows of two files tell of different runs.
    """
    known: tuple[str, Path] | None = None
    for path in filter(Path.is_file, paths):
        for line in islice(lines_of(path), 1):
            run_id = _run_of(line)
            if run_id and known and run_id != known[0]:
                raise InputError(
                    f"{path}: of run {run_id}, but {known[1]} is of run {known[0]}; these files "
                    "are not of one run: clean once more, or name the removals with --removed"
                )
            known = known or (run_id and (run_id, path)) or None


def _run_of(line: bytes) -> str:
    """The run that a line of a record or of a removal tells of, "" for none."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ""
    for told in (row.get("dedup"), row) if isinstance(row, dict) else ():
        if isinstance(told, dict) and isinstance(told.get("run_id"), str):
            return str(told["run_id"])
    return ""


class _Removals:
    """The removals of a run, record by record.

    As long as all fits, each record's are the next ones in the file. Where some are missing, or in
    another order, they are found by the record's id.
    """

    def __init__(self, path: Path, wrong: list[str]) -> None:
        self._rows = self._read(path, wrong)
        self._next: deque[Removal] = deque()  # read, but not taken
        self._late: dict[str, list[Removal]] | None = None  # by id, in order

    @staticmethod
    def _read(path: Path, wrong: list[str]) -> Iterator[Removal]:
        for number, line in enumerate(lines_of(path), 1):
            if line.strip():
                try:
                    yield Removal.of(number, line)
                except Misfit as misfit:
                    wrong.append(f"{path}:{number}: {misfit}")

    def of(self, id_: str, count: int) -> Iterator[list[Removal]]:
        """What may be the removals of a record: its own id, "" for none, and how many it has."""
        if count <= 0:
            yield []
            return
        if self._late is None:
            self._next.extend(islice(self._rows, max(0, count - len(self._next))))
            taken = list(islice(self._next, count))
            if len(taken) == count and {one.id for one in taken} == {id_ or taken[0].id}:
                yield taken
                if not self._next or self._next[0] is not taken[0]:
                    return  # they were put back
                if id_:  # they are the record's, but do not fit
                    self.done(taken)
                    return
            self._late = {}
            for one in (*self._next, *self._rows):
                self._late.setdefault(one.id, []).append(one)
        if id_:
            taken = self._late.get(id_, [])[:count]
            yield taken
            if taken and self._late.get(id_, [])[:1] == taken[:1]:
                self.done(taken)
            return
        some = (found[:count] for found in self._late.values() if len(found) >= count)
        yield from islice(some, AHEAD)
        yield []

    def done(self, taken: list[Removal]) -> None:
        """Some are put back."""
        if not taken:
            return
        if self._late is None:
            for _ in taken:
                self._next.popleft()
            return
        left = self._late[taken[0].id][len(taken) :]
        if left:
            self._late[taken[0].id] = left
        else:
            del self._late[taken[0].id]

    def left(self) -> list[Removal]:
        """Those that no record has."""
        if self._late is not None:
            return [one for found in self._late.values() for one in found]
        return [*self._next, *self._rows]


def _put_together(row: Line, id_: str, removals: list[Removal]) -> Finished:
    """A record before anything went.

    Raises:
        Misfit: its text would not be what it was.
    """
    struct = row.struct
    if len(removals) != struct.removed:
        raise Misfit(
            f"{struct.removed} removals expected, {len(removals)} found; are these files of one "
            "run?"
        )
    for one in removals:
        if one.run_id != struct.run_id:
            raise Misfit(
                f"its removals are of run {one.run_id}, it is of run {struct.run_id}; are these "
                "files of one run?"
            )
    wrong = ""
    for name in row.texts:
        written = bytes(memoryview(row.fields[name]))
        try:
            whole = written if struct.spans is not None else _put_back(written, removals)
        except Misfit as misfit:
            wrong = wrong or f"{misfit} of field {name!r}; try --text-field"
            continue
        text: str = orjson.loads(whole)
        if f"{digest_of(text.encode()):0{SIZE}x}" == struct.digest:
            _look_at_original(row, text)
            rows = [one.row for one in removals]
            return Finished(row, id_, rows, name, text, None if whole is written else whole)
    raise Misfit(wrong or "the text put together is not what it was; a file was changed")


def _put_back(written: bytes, removals: list[Removal]) -> bytes:
    """A JSON string with what was removed of it.

    Raises:
        Misfit: the removals do not fit.
    """
    if not removals:
        return written
    length, at, kept = len(orjson.loads(written)), 0, 0
    places: list[int] = []
    for one in removals:
        kept += one.start - at
        if one.start < at or kept > length:
            raise Misfit("the removals do not fit the text")
        places.append(kept)
        at = one.end
    found = np.empty(len(places), dtype=np.int64)
    kernels.byte_places(
        np.frombuffer(written, dtype=np.uint8), np.zeros(1, dtype=np.int64),
        np.array([0, len(places)]), np.array(places, dtype=np.int64), found,
    )  # fmt: skip
    parts: list[bytes] = []
    before = 0
    for one, place in zip(removals, found.tolist(), strict=True):
        parts += (written[before:place], one.written[1:-1])
        before = place
    return b"".join((*parts, written[before:]))


def _look_at_original(row: Line, text: str) -> None:
    """See that the line that a record came in holds its text.

    Raises:
        Misfit: it does not.
    """
    original = row.struct.original
    if original is None:
        return
    if original.at is not None:
        if not 0 <= original.at <= len(original.line):
            raise Misfit("the place of its text in its line is not in that line")
        return
    line = original.line.encode()
    try:
        fields = [fields_of(one) for one in (line, with_text(line)) if one is not None]
        values = [bytes(memoryview(value)) for some in fields for value in some.values()]
        found = any(value[:1] == b'"' and orjson.loads(value) == text for value in values)
    except (msgspec.DecodeError, orjson.JSONDecodeError, RecursionError):
        found = False
    if not found:
        raise Misfit("the line that it came in does not hold its text; a file was changed")
