"""Finding inputs: files, folders, globs, standard input; plain, .gz, .zst."""

from __future__ import annotations

import glob
import gzip
import io
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias

import orjson

from dedup.config import Config
from dedup.errors import InputError, RecordError
from dedup.formats.jsonl import BOM, CUT_OFF, Fields, JsonLines
from dedup.formats.outputs import SIDE
from dedup.formats.row import Row
from dedup.formats.text import TextDump
from dedup.records import Batch, Rejected

Reader: TypeAlias = "JsonLines | TextDump"
READERS: dict[str, type[Reader]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".txt": TextDump,
}
CHUNK = 1 << 21  # bytes read at once; a batch is made of so much
PACKED = (".gz", ".zst")
KNOWN = f"{', '.join(READERS)} (plain, {', '.join(PACKED)})"


@dataclass(slots=True)
class Input:
    """One input that can be read any number of times.

    Attributes:
        name: as the user named it; "stdin" for standard input.
        open: gives its bytes from the start.
        kind: makes records of its lines.
        size: bytes on disk, 0 if unknown.
    """

    name: str
    open: Callable[[], io.BufferedIOBase]
    kind: Callable[[str, Config], Reader]
    size: int = 0
    path: Path | None = None


@dataclass(slots=True)
class Inputs:
    """All inputs of a run, in order.

    Attributes:
        inputs: the inputs.
        config: field names and what to do about lines that are no records.
        fields: how often each field name served for each meaning, of the last reading.
        empty: inputs that held no record, of the last reading.
    """

    inputs: list[Input]
    config: Config
    fields: Fields = field(default_factory=Fields)
    empty: list[str] = field(default_factory=list)
    _readers: list[Reader] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(item.size for item in self.inputs)

    def batches(self, progress: Callable[[int], None] | None = None) -> Iterator[Batch | Rejected]:
        """All records and all lines that are none, in order.

        Args:
            progress: told the number of bytes read since the last call.

        Raises:
            RecordError: a line is no record and `on_error` is "fail".
            InputError: an input cannot be read.
        """
        self.fields.clear()
        self.empty.clear()
        self._readers = [item.kind(item.name, self.config) for item in self.inputs]
        for item, reader in zip(self.inputs, self._readers, strict=True):
            records = 0
            with _reading(item), item.open() as file:
                for found in reader.batches(_chunks(file, progress), self.fields):
                    if isinstance(found, Batch):
                        records += len(found.ids)
                    elif self.config.on_error == "fail":
                        raise RecordError(found.file, found.line, found.rule)
                    yield found
            if not records:
                self.empty.append(item.name)

    def rows(self, progress: Callable[[int], None] | None = None, start: int = 0) -> Iterator[Row]:
        """The records once more, in the same order, as rows to write.

        Args:
            progress: told the number of bytes read since the last call.
            start: records to leave out at the beginning.

        Raises:
            InputError: an input cannot be read.
        """
        for item, reader in zip(self.inputs, self._readers, strict=True):
            skipped = min(start, reader.records)
            start -= skipped
            if skipped < reader.records:
                with _reading(item), item.open() as file:
                    yield from reader.rows(_chunks(file, progress), skipped)


class _reading:
    """Tells what the system says about an input in one line."""

    def __init__(self, item: Input) -> None:
        self._item = item
        self._before = self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        if self._item.path is None or not self._item.path.exists():
            return None
        stat = self._item.path.stat()
        return stat.st_size, stat.st_mtime_ns

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> None:
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise InputError(f"{self._item.name}: {error.strerror or error}") from error
        if error is None and self._stamp() != self._before:
            raise InputError(
                f"{self._item.name}: the file changed while it was read; "
                "clean a copy, or wait until its writer is done"
            )


def _chunks(file: io.BufferedIOBase, progress: Callable[[int], None] | None) -> Iterator[bytes]:
    """The bytes of a file in pieces that end where a line ends."""
    rest: list[bytes] = []
    while data := file.read1(CHUNK):
        if progress is not None:
            progress(len(data))
        cut = data.rfind(b"\n") + 1
        if cut:
            yield b"".join((*rest, memoryview(data)[:cut]))
            rest = []
        rest.append(data[cut:])
    if last := b"".join(rest):
        yield last


def open_inputs(
    sources: Iterable[str | os.PathLike[str] | Mapping[str, Any]], config: Config
) -> Inputs:
    """Find the inputs behind names, folders, globs and '-', or take records as they are.

    Raises:
        InputError: one is missing, unreadable or of an unknown kind, or there is none.
    """
    items: list[Input] = []
    rows: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    for source in sources:
        if isinstance(source, Mapping):
            rows.append(source)
            continue
        for item in _find(os.fspath(source)):
            real = os.path.realpath(item.path) if item.path else item.name
            if real not in seen:
                seen.add(real)
                items.append(item)
    if rows:
        if items:
            raise InputError("records and file names cannot be mixed in one call")
        items.append(_from_rows(rows))
    return Inputs(items, config)


def piece(name: str, data: bytes, before: int) -> Input:
    """Some lines of a stream of JSON lines, behind so many others."""
    return Input(
        name, lambda: io.BytesIO(data), lambda n, config: JsonLines(n, config, before), len(data)
    )


def as_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Records as JSON lines.

    Raises:
        InputError: one cannot be one; names its place among them.
    """
    return b"".join(_as_line(row, number) for number, row in enumerate(rows, 1))


def _from_rows(rows: list[Mapping[str, Any]]) -> Input:
    return piece("records", as_lines(rows), 0)


def _as_line(row: Mapping[str, Any], number: int) -> bytes:
    try:
        return orjson.dumps(dict(row), option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:  # an integer beyond 64 bits is no reason to refuse a record
        try:
            return json.dumps(dict(row), ensure_ascii=False).encode() + b"\n"
        except (TypeError, ValueError):
            raise InputError(f"records:{number}: not a JSON object: {error}") from error


def _find(name: str) -> Iterator[Input]:
    if name == "-":
        yield _standard_input()
        return
    path = Path(name)
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if _is_input(p))
        if not found:
            raise InputError(f"{name}: no input in this folder; dedup reads {KNOWN}")
        yield from map(_file, found)
    elif path.exists():
        yield _file(path)
    elif glob.has_magic(name):
        paths = [Path(p) for p in sorted(glob.glob(name, recursive=True))]
        found = [p for p in paths if _is_input(p)]
        if not found:
            raise InputError(f"{name}: no input matches; dedup reads {KNOWN}")
        yield from map(_file, found)
    else:
        raise InputError(f"{name}: no such file or folder; check the name")


def _is_input(path: Path) -> bool:
    """Whether a file found in a folder is to be read: side files of earlier runs are not."""
    side = path.name.lower().split(".")[-2:-1]
    try:
        return path.is_file() and _kind(path) in READERS and not set(side) & set(SIDE)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _file(path: Path) -> Input:
    name, kind = str(path), _kind(path)
    if kind not in READERS:
        raise InputError(f"{name}: unknown kind of file {kind!r}; dedup reads {KNOWN}")
    if path.is_file() and not os.access(path, os.R_OK):
        raise InputError(f"{name}: not allowed to read this file")
    return Input(name, lambda: _open(path), READERS[kind], path.stat().st_size, path)


def _open(path: Path) -> io.BufferedIOBase:
    packing = path.suffix.lower()
    if packing == ".gz":
        packed = gzip.open(path, "rb")  # noqa: SIM115 - closed by its reader
        return io.BufferedReader(_Torn(packed, packed.read1, (EOFError, zlib.error)))
    if packing == ".zst":
        try:
            import zstandard  # noqa: PLC0415 - optional
        except ImportError as error:
            raise InputError(
                f"{path}: reading .zst needs zstandard; try: pip install 'newsdedup[zstd]'"
            ) from error
        zst = _Zst(path.open("rb"), zstandard.ZstdDecompressor())
        return io.BufferedReader(_Torn(zst, zst.read, (EOFError, zstandard.ZstdError)))
    return path.open("rb")


class _Zst:
    """Frames of a .zst file; unlike the library's own reader it tells when one is cut off."""

    def __init__(self, file: IO[bytes], decompressor: Any) -> None:
        self._file = file
        self._decompressor = decompressor
        self._frame: Any = None

    def read(self, size: int) -> bytes:
        """Some bytes, none at the end.

        Raises:
            EOFError: the file ends within a frame.
        """
        data = b""
        while not data:
            packed = self._file.read(1 << 16)
            if not packed:
                if self._frame is not None:
                    raise EOFError
                return b""
            while packed:
                self._frame = self._frame or self._decompressor.decompressobj()
                data += self._frame.decompress(packed)
                packed = self._frame.unused_data
                if self._frame.eof:
                    self._frame = None
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Torn(io.RawIOBase):
    """A decompressor whose data may be cut off: it then ends in a line that says so."""

    MARK = b"\n" + CUT_OFF

    def __init__(
        self, inner: Any, read: Callable[[int], bytes], errors: tuple[type[Exception], ...]
    ) -> None:
        self._inner = inner
        self._read = read  # gives what there is at once, so that nothing whole is lost
        self._errors = errors
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        done = 0
        while done < len(buffer) and (self._rest or not self._ended):
            if not self._rest:
                try:
                    self._rest = self._read(1 << 16)
                    self._ended = not self._rest
                except self._errors:
                    self._rest, self._ended = self.MARK, True
            n = min(len(buffer) - done, len(self._rest))
            buffer[done : done + n] = self._rest[:n]
            self._rest = self._rest[n:]
            done += n
        return done

    def close(self) -> None:
        self._inner.close()
        super().close()


def _standard_input() -> Input:
    """Standard input, kept in a temporary file since it is read twice; JSONL or a raw dump."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the input
    stream = sys.stdin.buffer
    while chunk := stream.read(1 << 20):
        spool.write(chunk)
    size = spool.tell()
    spool.seek(0)
    start = spool.read(4096).removeprefix(BOM).lstrip()

    def again() -> io.BufferedIOBase:
        spool.seek(0)
        return _Unclosed(spool)

    return Input("stdin", again, JsonLines if start[:1] == b"{" else TextDump, size)


class _Unclosed(io.BufferedReader):
    """A view of a file that stays open when the view is closed."""

    def __init__(self, file: Any) -> None:
        super().__init__(io.FileIO(os.dup(file.fileno()), "rb"))
