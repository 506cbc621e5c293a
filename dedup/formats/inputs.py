"""Finding inputs: files, folders, globs, members of archives, standard input."""

from __future__ import annotations

import glob
import io
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any, NamedTuple, TypeAlias

from dedup.config import Config
from dedup.errors import InputError, RecordError
from dedup.formats.again import FirstReading
from dedup.formats.archives import Member, is_archive, members
from dedup.formats.encodings import Mender, in_utf8
from dedup.formats.fields import BOM, Fields
from dedup.formats.given import as_lines
from dedup.formats.jsonl import JsonLines
from dedup.formats.lines import JSON_LINES, grouped, pieces, with_line_ends
from dedup.formats.ours import is_empty, is_ours
from dedup.formats.outputs import SIDE, sibling
from dedup.formats.packed import PACKED, SAMPLE, unpacked
from dedup.formats.pages import html_lines, warc_lines
from dedup.formats.publish import one_line
from dedup.formats.row import Rows
from dedup.formats.shapes import is_json, nothing
from dedup.formats.spool import Spool
from dedup.formats.tables import csv_lines, one_schema, parquet_lines, parquet_schema
from dedup.formats.text import TextDump
from dedup.formats.values import json_lines
from dedup.records import Batch, Bool, Rejected, names_of

Reader: TypeAlias = "JsonLines | TextDump"
Say: TypeAlias = Callable[[str], None]


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        reader: makes records of its lines.
        lines: makes lines of the file, its name, the bytes of a record at most, and what is told;
            None if it has lines.
        text: whether it is text, whose encoding matters.
        dear: whether its lines are kept, since they are dear to come by.
        shaped: whether an object of it may hold many records.
    """

    reader: Callable[[str, Config], Reader]
    lines: Callable[[io.BufferedReader, str, int, Say], Iterator[bytes]] | None = None
    text: bool = True
    dear: bool = False
    shaped: bool = False


KINDS = {
    ".jsonl": Kind(JsonLines),
    ".ndjson": Kind(JsonLines),
    ".json": Kind(JsonLines, lambda file, name, most, say: json_lines(file, most), shaped=True),
    ".csv": Kind(JsonLines, lambda file, name, most, say: csv_lines(file, most)),
    ".tsv": Kind(JsonLines, lambda file, name, most, say: csv_lines(file, most, tabs=True)),
    ".parquet": Kind(
        JsonLines, lambda file, name, most, say: parquet_lines(file, name, most), text=False
    ),
    ".warc": Kind(JsonLines, warc_lines, text=False, dear=True),
    ".wet": Kind(JsonLines, warc_lines, text=False, dear=True),
    ".html": Kind(
        JsonLines, lambda file, name, most, say: html_lines(file, name, most), text=False, dear=True
    ),
    ".txt": Kind(TextDump),
}
LINES = KINDS[".jsonl"]
KINDS[".htm"] = KINDS[".html"]
KINDS |= dict.fromkeys(JSON_LINES, LINES)
SMALL, MANY = 1 << 16, 200  # bytes of a batch's lines that wait for others, and how many wait
KNOWN = f"{', '.join(KINDS)} (plain, {', '.join(PACKED)}, in .zip or .tar)"


def _nothing(what: str) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Input:
    """One input that can be read any number of times.

    Attributes:
        name: as the user named it; "stdin" for standard input.
        open: gives its bytes from the start.
        kind: what it is.
        size: bytes on disk, 0 if unknown.
        kept: its lines, after a first reading, if they are dear.
        first: what is kept of its first reading.
    """

    name: str
    open: Callable[[], io.BufferedReader]
    kind: Kind
    size: int = 0
    path: Path | None = None
    kept: Spool | None = None
    first: FirstReading = field(init=False)

    def __post_init__(self) -> None:
        self.first = FirstReading(self.name, self.path)


@dataclass(slots=True)
class Inputs:
    """All inputs of a run, in order.

    Attributes:
        inputs: the inputs.
        config: field names and what to do about lines that are no records.
        fields: how often each field name served for each meaning, of the last reading.
        encodings: what there is to say of encodings, of the last reading.
        empty: inputs that held no record, with their lines that are none, of the last reading; but
            not what an earlier run wrote that left none.
        shapes: how many records came out of objects that hold many, by input, by what it is and by
            what of it is left out, of the last reading.
    """

    inputs: list[Input]
    config: Config
    fields: Fields = field(default_factory=Fields)
    empty: dict[str, int] = field(default_factory=dict)
    encodings: list[str] = field(default_factory=list)
    shapes: Counter[tuple[str, str, tuple[str, ...]]] = field(default_factory=Counter)
    _readers: list[Reader] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(item.size for item in self.inputs)

    def schema(self, say: Say) -> Any:
        """The columns of all inputs with their types, None unless all of them are Parquet.

        Args:
            say: told when they do not agree.

        Raises:
            InputError: an input cannot be read.
        """
        if not self.inputs or any(item.kind is not KINDS[".parquet"] for item in self.inputs):
            return None
        found: list[Any] = []
        for item in self.inputs:
            with _reading(item), item.open() as file:
                found.append(parquet_schema(file, item.name))
        common = one_schema(found)
        if common is None:
            say("columns of the same name have different types in the inputs; a type that holds "
                "all values was found for each column")  # fmt: skip
        return common

    def batches(self, progress: Callable[[int], None] | None = None) -> Iterator[Batch | Rejected]:
        """All records, in order, and all lines that are none.

        Records of small inputs come together, since a batch costs the same however small it is.

        Args:
            progress: told the number of bytes read since the last call.

        Raises:
            RecordError: a line is no record and `on_error` is "fail".
            InputError: an input cannot be read.
        """
        held: list[Batch] = []
        for found in self._found(progress):
            if isinstance(found, Batch) and not found.dump and found.texts.quoted:
                held.append(found)
                if len(found.texts.data) < SMALL and len(held) < MANY:
                    continue
            elif not isinstance(found, Batch):
                yield found
                continue
            if held:
                yield Batch.joined(held)
                held = []
            if found.dump or not found.texts.quoted:
                yield found
        if held:
            yield Batch.joined(held)

    def _found(self, progress: Callable[[int], None] | None) -> Iterator[Batch | Rejected]:
        self.fields.clear()
        self.empty.clear()
        self.encodings.clear()
        self.shapes.clear()
        self._readers = [item.kind.reader(item.name, self.config) for item in self.inputs]
        for item, reader in zip(self.inputs, self._readers, strict=True):
            records = rejected = 0
            mender = Mender(self.config.repair)
            with _reading(item), self._chunks(item, progress, self._say) as chunks:
                pieces = mender.mended(item.first.noted(chunks))
                for found in reader.batches(pieces, self.fields):
                    if isinstance(found, Batch):
                        records += len(found.ids)
                    elif self.config.on_error == "fail":
                        raise RecordError(found.file, found.line, found.rule)
                    else:
                        rejected += 1
                    yield found
            what = "mended" if self.config.repair else "mend them with --repair"
            for damage, lines in mender.found.items():
                self._say(f"{item.name}: {damage} in {lines:,} lines; {what}")
            if not records and (rejected or not _is_rightly_empty(item.path)):
                self.empty[item.name] = rejected

    def _found_in(self, name: str, told: str, left: Sequence[str], rows: int) -> None:
        self.shapes[name, told, tuple(left)] += rows

    def _say(self, what: str) -> None:
        self.encodings.append(what)

    @contextmanager
    def _chunks(
        self, item: Input, progress: Callable[[int], None] | None, say: Say = _nothing
    ) -> Iterator[Iterator[bytes]]:
        """The bytes of an input in pieces that end where a line ends."""
        kind, name, most = item.kind, item.name, self.config.record_limit()
        if item.kept is not None:
            with io.BufferedReader(item.kept.open()) as file:
                yield pieces(file, most, progress)
            return
        with item.open() as file:
            text = in_utf8(file, name, self.config.encoding, say) if kind.text else file
            texts = names_of("text", self.config)
            if kind is LINES and is_json(text.peek(SAMPLE)[:SAMPLE].removeprefix(BOM), texts):
                item.kind = kind = KINDS[".json"]  # also when it is read again
            if kind.lines is None:
                if kind.text and kind.reader is not TextDump:  # which knows all line ends
                    text = with_line_ends(text, name, say)
                yield pieces(text, most, progress)
                return
            if kind.shaped:
                tell = nothing if say is _nothing else partial(self._found_in, name)
                made = json_lines(text, most, texts, tell)
            else:
                made = kind.lines(text, name, most, say)
            lines = grouped(made, progress)
            if not kind.dear:
                yield lines
                return
            kept = Spool()
            yield kept.filling(lines)
            item.kept = kept

    def rows(
        self, read: Bool | None = None, progress: Callable[[int], None] | None = None
    ) -> Iterator[Rows]:
        """The records once more, in the same order, as rows to write.

        Args:
            read: bool[records]; those whose texts are looked into, None for all.
            progress: told the number of bytes read since the last call.

        Raises:
            InputError: an input cannot be read.
        """
        base = 0
        filled = [pair for pair in zip(self.inputs, self._readers, strict=True) if pair[1].records]
        rewrites = any(isinstance(reader, JsonLines) and reader.rewrites for _, reader in filled)
        for item, reader in filled:
            wanted = None if read is None else read[base : base + reader.records]
            base += reader.records
            last = item is filled[-1][0] and item.kind.lines is None
            with _reading(item), self._chunks(item, progress) as chunks:
                same = item.first.same(chunks)
                mended = Mender(True).mended(same) if self.config.repair else same
                for rows in reader.rows(mended, wanted):
                    if rewrites and not rows.original:
                        rows = rows._replace(original=[b"null"] * rows.size)  # noqa: PLW2901
                    yield rows if last else rows._replace(unended=False)


@contextmanager
def _reading(item: Input) -> Iterator[None]:
    """Tells what the system says about an input in one line."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{item.name}: {error.strerror or error}") from error


def _is_rightly_empty(path: Path | None) -> bool:
    """Whether a file is what a run wrote that left no record, as its other files tell."""
    if path is None or not path.name:
        return False
    removed, dropped = (sibling(path, what) for what in ("removed", "dropped"))
    for side, what in ((dropped, "dropped"), (removed, "removed")):
        if side.is_file():
            return is_empty(side) == (what == "removed") and is_ours(side, what)
    return False


def open_inputs(
    sources: Iterable[str | os.PathLike[str] | Mapping[str, Any]], config: Config
) -> Inputs:
    """Find the inputs behind names, folders, globs and '-', or take records as they are.

    Raises:
        InputError: one is missing, unreadable or of an unknown kind, or there is none.
    """
    items: list[Input] = []
    rows: list[Any] = []
    seen: set[str] = set()
    named: set[str] = set()
    for source in sources:
        if not isinstance(source, (str, bytes, os.PathLike)):
            rows.append(source)
            continue
        name = os.fsdecode(source)
        place = os.path.realpath(name) if os.path.exists(name) else name
        if place in named:  # a folder is not looked through again, nor an archive
            continue
        named.add(place)
        for item in _find(name, config):
            real = os.path.realpath(item.path) if item.path else item.name
            real += item.name.partition("!")[2] and item.name
            if real not in seen:
                seen.add(real)
                items.append(item)
    if rows:
        if not any(isinstance(row, Mapping) for row in rows):
            what = type(rows[0]).__name__
            raise InputError(f"a {what} is neither a path nor a record; give paths, or dicts")
        if items:
            raise InputError("records and file names cannot be mixed in one call")
        items.append(piece("records", as_lines(rows), 0, given=True))
    return Inputs(items, config)


def listed(sources: Any) -> list[Any]:
    """What a program gives as inputs: one or many of them.

    Raises:
        InputError: they cannot be gone through.
    """
    if isinstance(sources, (str, bytes, os.PathLike, Mapping)):
        return [sources]
    what = type(sources).__name__
    if hasattr(sources, "to_dict") and hasattr(sources, "columns"):
        raise InputError(f"a {what} is no list of records; give its .to_dict('records')")
    if not isinstance(sources, Iterable):
        raise InputError(f"a {what} is neither a path nor a record; give paths, or dicts")
    return list(sources)


def piece(name: str, data: bytes, before: int, *, given: bool = False) -> Input:
    """Some lines of a stream of JSON lines, behind so many others.

    Args:
        name: of the stream.
        data: the lines.
        before: how many came before.
        given: whether they were made of a program's records, so that their encoding is known.
    """
    return Input(
        name,
        lambda: io.BufferedReader(io.BytesIO(data)),
        Kind(lambda n, config: JsonLines(n, config, before), text=not given),
        len(data),
    )


def _find(name: str, config: Config) -> Iterator[Input]:
    if name == "-":
        yield _standard_input(config)
        return
    if not name or "\0" in name:
        raise InputError(f"the name {name!r} of an input cannot be; name files, folders, or -")
    path = Path(name)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if _is_input(p))
        if not found:
            raise InputError(f"{name}: no input in this folder; dedup reads {KNOWN}")
    elif _is_there(path):
        found = [path]
    elif glob.has_magic(name):
        paths = [Path(p) for p in sorted(glob.glob(name, recursive=True))]
        found = [p for p in paths if _is_input(p)]
        if not found:
            raise InputError(f"{name}: no input matches; dedup reads {KNOWN}")
    else:
        raise InputError(f"{name}: no such file or folder; check the name")
    for path in found:
        yield from _file(path)


def _shown(path: PurePath) -> str:
    """A path as text: on disk it may be any bytes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{_shown(path)}: {error.strerror or error}") from error


def _is_there(path: Path) -> bool:
    """Whether there is such a file; a link to itself cannot tell."""
    with _told(path):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def _is_input(path: Path) -> bool:
    """Whether a file found in a folder is to be read."""
    with _told(path):
        if not (_is_read(path) or is_archive(path)):
            return False
        if path.is_symlink() and not path.name.startswith(".#"):  # the lock of an editor
            try:
                path.stat()
            except FileNotFoundError as error:
                raise InputError(
                    f"{_shown(path)}: is a link to what is not there; take it away, or name the "
                    "files one by one"
                ) from error
        return path.is_file()


def _is_read(path: PurePath) -> bool:
    """Whether a name is an input's; those of side files, of earlier runs or of macOS, are not."""
    side = set(path.name.lower().split(".")[-3:-1]) & set(SIDE)
    return _kind(path) in KINDS and not side and not path.name.startswith("._")


def _kind(path: PurePath) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _file(path: Path) -> Iterator[Input]:
    name, kind = _shown(path), _kind(path)
    if kind not in KINDS and not is_archive(path):
        raise InputError(f"{name}: unknown kind of file {kind!r}; dedup reads {KNOWN}")
    if path.is_file() and not os.access(path, os.R_OK):
        raise InputError(f"{name}: not allowed to read this file")
    if is_archive(path):
        yield from _members(path)
    else:
        yield Input(name, lambda: _open(path), KINDS[kind], path.stat().st_size, path)


def _members(path: Path) -> Iterator[Input]:
    none = True
    for member in members(path):
        inner = PurePath(member.name)
        if member.name and not _is_read(inner):
            continue
        none = False
        name = f"{_shown(path)}!{_shown(inner)}" if member.name else _shown(path)
        kind = KINDS[_kind(inner)] if member.name else LINES
        yield Input(name, partial(_unpack, member, name), kind, member.size, path)
    if none:
        raise InputError(f"{path}: no input in this archive; dedup reads {KNOWN}")


def _unpack(member: Member, name: str) -> io.BufferedReader:
    return unpacked(member.open(), name)


def _open(path: Path) -> io.BufferedReader:
    return unpacked(io.BufferedReader(io.FileIO(path), SAMPLE), _shown(path))


def _from_standard_input() -> bytes:
    with one_line("standard input"):
        return sys.stdin.buffer.read(1 << 20)


def _standard_input(config: Config) -> Input:
    """Standard input, kept in a temporary file since it is read twice; JSONL or a raw dump."""
    if sys.stdin is None:
        raise InputError("standard input: is closed; name a file")
    spool = Spool()
    spool.fill(iter(_from_standard_input, b""))

    def again() -> io.BufferedReader:
        return unpacked(io.BufferedReader(spool.open(), SAMPLE), "standard input")

    with in_utf8(again(), "stdin", config.encoding, _nothing) as file:
        start = file.peek(SAMPLE)[:SAMPLE].removeprefix(BOM).lstrip()
    if start.startswith(b"PAR1"):
        kind = ".parquet"
    elif start.startswith(b"WARC/"):
        kind = ".warc"
    elif re.match(rb"\[\s*[\[{\]]|\{\s*\n", start):
        kind = ".json"
    else:
        kind = ".jsonl" if start[:1] == b"{" else ".txt"
    return Input("stdin", again, KINDS[kind], spool.size)
