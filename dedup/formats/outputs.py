"""Writing files that appear all at once or not at all."""

from __future__ import annotations

import ctypes
import gzip
import os
import re
import select
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dedup.errors import InputError
from dedup.formats import columns
from dedup.formats.lines import JSON_LINES
from dedup.formats.ours import is_ours
from dedup.formats.packed import PACKED
from dedup.formats.publish import (
    Publication,
    found_at,
    journal_of,
    like_before,
    make_part,
    one_line,
    place_of,
    recover,
    sweep,
)
from dedup.records import Buffer

FORMS = {  # what the name of an output may end in; it may have no ending
    "clean": (*JSON_LINES, ".parquet", ".txt"),
    "attributes": (*JSON_LINES, ".json"),
    "stats": (".json", ".jsonl"),
    "report": (".html", ".htm"),
}
PACKINGS = (".gz", ".zst")  # that JSON lines may be written in
TOLD = {
    "clean": ".jsonl, .jsonl.gz, .jsonl.zst, .parquet or .txt",
    "stats": ".json",
    "report": ".html",
}
_ENDING = re.compile(r"\.[A-Za-z]+")  # and not that of v1.2
FLAGS = {"clean": "-o", "kept": "--explain-kept"}
SIDE = ("removed", "dropped", "rejected")
AHEAD = 8 << 20  # bytes that the system is asked to write at once


class StandardOutput:
    """Standard output, which takes all or tells why not.

    Without a buffer of its own (PYTHONUNBUFFERED), or where it does not block and its reader is
    slow, it takes a part at a time: the rest waits.

    Args:
        instead: what to try where it is closed.

    Raises:
        InputError: it is closed, or the disk is full.
    """

    def __init__(self, instead: str = "name a file with -o") -> None:
        if sys.stdout is None:
            raise InputError(f"standard output: is closed; {instead}")
        self._file = sys.stdout.buffer

    def write(self, data: Buffer) -> None:
        """Write all bytes."""
        rest = memoryview(data)
        with one_line("standard output"):
            while rest:
                try:
                    taken = self._file.write(rest)
                except BlockingIOError as full:
                    taken = full.characters_written
                rest = rest[taken or 0 :]
                if not taken:
                    self._wait()

    def flush(self) -> None:
        """Hand on what lies in the buffer."""
        with one_line("standard output"):
            while True:
                try:
                    self._file.flush()
                except BlockingIOError:
                    self._wait()
                else:
                    return

    def _wait(self) -> None:
        select.select([], [self._file.fileno()], [])


class Outputs:
    """The files of one run: written under temporary names, renamed together when complete.

    Args:
        out: path of the cleaned records; "-" for standard output, which gets them when the run is
            whole; None to write nothing.
        removed: path of the removals; by default beside `out`.
        stats: path of the counts.
        kept: path of suspicious lines that stay.
        report: path of the report.
        spans: path of spans for annotators.

    Attributes:
        paths: where each file goes.
        texts: the fields that may hold a text, for an output of texts alone.
        schema: columns of pyarrow whose types an output of Parquet keeps, if it can.
        said: what there is to say of that.
        roles: what a file is, where its name does not say it.

    The other files stand beside the removals: OUT.dropped.jsonl and OUT.rejected.jsonl, written
    only when there is something to say; left-overs of an earlier run under these names go.
    """

    def __init__(
        self,
        out: str | None,
        removed: str | None = None,
        stats: str | None = None,
        kept: str | None = None,
        report: str | None = None,
        spans: str | None = None,
    ) -> None:
        self.paths: dict[str, Path] = {}
        self._files: dict[str, IO[bytes]] = {}
        self._packers: dict[str, Any] = {}
        self._temporary: dict[str, Path] = {}
        self._waiting: Counter[str] = Counter()  # bytes of each file since it was last asked
        self.texts: Sequence[str] = ()
        self.schema: Any = None
        self.said: list[str] = []
        self.roles: dict[str, str] = {}
        self._finished = self._published = False
        self._guarded = False  # whether only what this program wrote is replaced
        self._appended = False
        named = {"clean": out, "removed": removed, "stats": stats, "kept": kept,
                 "report": report, "spans": spans}  # fmt: skip
        for name, given in named.items():
            if given is not None:
                _see_name(FLAGS.get(name, f"--{name}"), given)
        self._to_stdout = out == "-"
        if self._to_stdout:
            self._held_back = tempfile.TemporaryFile()  # noqa: SIM115 - until all is published
        if out and not self._to_stdout:
            self.paths["clean"] = Path(out)
        gone = Path(removed) if removed else None
        if gone is None and "clean" in self.paths:
            gone = sibling(self.paths["clean"], "removed")
        if gone is not None:
            stem = self.paths.get("clean", gone)
            self.paths["removed"] = gone
            self.paths["dropped"] = sibling(stem, "dropped")
            self.paths["rejected"] = sibling(stem, "rejected")
        if stats:
            self.paths["stats"] = Path(stats)
        if kept:
            self.paths["kept"] = Path(kept)
        if report:
            self.paths["report"] = Path(report)
        if spans:
            self.paths["spans"] = Path(spans)
        self._own_folder: set[Path] = set()

    def add(self, name: str, path: Path) -> None:
        """Add a file, in a folder that is made when it is written."""
        self.paths[name] = path
        self._own_folder.add(path)

    @property
    def writes(self) -> bool:
        """Whether anything is written at all."""
        return self._to_stdout or bool(self.paths)

    def keeps_types(self) -> bool:
        """Whether the cleaned records go where columns have types."""
        return "clean" in self.paths and self.paths["clean"].suffix.lower() == ".parquet"

    def takes(self, name: str) -> bool:
        """Whether what is written under a name goes anywhere."""
        return name in self.paths or (name == "clean" and self._to_stdout)

    def check(
        self,
        taken: Iterable[str | os.PathLike[str]],
        *,
        force: bool = False,
        appended: bool = False,
    ) -> None:
        """Refuse to write over what is read or kept for other runs, over a file that this program
        did not write, or into a folder that is not there.

        Args:
            taken: the inputs, the index, files of settings and decisions.
            force: whether files that this program did not write may be replaced.
            appended: whether they are appended to.

        Raises:
            InputError: one of the outputs cannot be written.
        """
        if self._to_stdout:
            StandardOutput()  # said now, not when all is done
        read = {os.path.realpath(path) for path in taken}
        real = [os.path.realpath(path) for path in self.paths.values()]
        for path, place in zip(self.paths.values(), real, strict=True):
            if real.count(place) > 1:
                raise InputError(f"{path}: is named for two outputs; give each a file of its own")
        for name, path in self.paths.items():
            if os.path.realpath(path) in read:
                raise InputError(f"{path}: is both input and output; write to another file")
            found = found_at(path)
            if found is not None and stat.S_ISDIR(found.st_mode):
                raise InputError(f"{path}: is a folder; name a file in it")
            if found is not None and not stat.S_ISREG(found.st_mode):
                raise InputError(f"{path}: is no regular file; use -o - or --dry-run instead")
            if path.name == "-":
                raise InputError("only -o may be standard output; name a file")
            _see_ending(name, path)
            self._see_folder(path)
        self._guarded, self._appended = not force, appended
        for name in self.paths:
            self._look_again(name)

    def _see_folder(self, path: Path) -> None:
        folder = place_of(path).parent
        if path in self._own_folder:  # which is made, with all above it
            while (found := found_at(folder)) is None:
                folder = folder.parent
        else:
            found = found_at(folder)
        if found is None:
            raise InputError(f"{path}: its folder does not exist; make it first")
        if not stat.S_ISDIR(found.st_mode):
            raise InputError(f"{path}: {folder} is no folder; name another")

    def _look_again(self, name: str) -> None:
        path, what = self.paths[name], self.roles.get(name, name)
        removed, torn = self.paths.get("removed"), self._appended
        if self._guarded and not is_ours(place_of(path), what, removed, torn):
            raise InputError(
                f"{path}: exists, and dedup did not write it; name another file, or replace it "
                "with --force"
            )

    def __enter__(self) -> Outputs:
        for path in self.paths.values():
            recover(path)
        for path in self.paths.values():
            sweep(place_of(path))
        return self

    def write(self, name: str, data: Buffer) -> None:
        """Append to one of "clean", "removed", "dropped", "rejected", "stats", "kept",
        "report", "spans", and files that were added.

        Raises:
            InputError: the disk is full, or the file cannot be made.
        """
        if name == "clean" and self._to_stdout:
            self._held_back.write(data)
        elif name in self.paths:
            if name not in self._files:
                self._open(name)
            with one_line(self.paths[name]):
                self._packers.get(name, self._files[name]).write(data)
            self._waiting[name] += len(data)
            if self._waiting[name] > AHEAD and not self._is_converted(name):
                _begin_to_write(self._files[name])
                self._waiting[name] = 0

    def _open(self, name: str) -> None:
        path = place_of(self.paths[name])  # what a link points to is replaced, not the link
        with one_line(path):
            if self.paths[name] in self._own_folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            file = make_part(path)
        self._temporary[name] = Path(file.name)
        self._files[name] = file
        suffix = path.suffix.lower()
        if suffix == ".gz":
            self._packers[name] = gzip.GzipFile("", "wb", 6, file, mtime=0)
        elif suffix == ".zst":
            self._packers[name] = _zstd(path).stream_writer(file, closefd=False)
        elif suffix == ".parquet":
            columns.arrow(str(path), "writing")  # told now, not at the end

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._discard()
        elif not self._published:
            self.publish()

    def publish(self, commit: Callable[[], None] | None = None) -> None:
        """Give all files their names.

        Args:
            commit: called when they have them; where it fails, the files that were there before
                come back. See `Publication`.

        Raises:
            InputError: a file cannot be written; all are as they were.
        """
        self._published = True
        try:
            self.finish()
            if self._to_stdout:
                self._hand_out()
            moves = {}
            for name, part in self._temporary.items():
                self._look_again(name)
                moves[part] = place_of(self.paths[name])
                with one_line(self.paths[name]):
                    like_before(part, moves[part])
            gone = [
                place_of(self.paths[name])
                for name in ("dropped", "rejected")
                if name in self.paths and name not in self._files and self.paths[name].exists()
            ]
            if moves or gone:
                first = place_of(next(iter(self.paths.values())))
                Publication(moves, gone, journal_of(first)).publish(commit)
            elif commit is not None:
                commit()
        except BaseException:
            self._discard()
            raise
        for file in self._files.values():
            file.close()

    def finish(self) -> None:
        """Have all parts whole, and on the disk; nothing can be added any more.

        Raises:
            InputError: the disk is full.
        """
        if self._finished:
            return
        self._finished = True
        for name in ("clean", "removed", "kept"):
            if name in self.paths and name not in self._files:
                self._open(name)
        for name, file in list(self._files.items()):
            with one_line(self.paths[name]):
                if name in self._packers:
                    self._packers[name].close()
                file.flush()
                if self._is_converted(name):
                    self._convert(name)
                with self._temporary[name].open("rb") as written:
                    os.fsync(written.fileno())

    def _hand_out(self) -> None:
        """Write to standard output what was held back until the run was whole."""
        self._held_back.seek(0)
        out = StandardOutput()
        while data := self._held_back.read(1 << 20):
            out.write(data)
        out.flush()
        self._held_back.close()

    def _is_converted(self, name: str) -> bool:
        """Whether a file is made of its JSON lines when they are complete."""
        return name == "clean" and self.paths[name].suffix.lower() in (".parquet", ".txt")

    def _convert(self, name: str) -> None:
        """Make of JSON lines what the file's name says."""
        lines, path = self._files[name], place_of(self.paths[name])
        lines.seek(0)
        with one_line(path):
            made = make_part(path)
        self._files[f"{name} made"], place = made, Path(made.name)
        self._temporary[f"{name} made"] = place
        if path.suffix.lower() == ".parquet":
            columns.to_parquet(lines, place, str(self.paths[name]), self.schema, self.said.append)
        else:
            with place.open("wb") as out:
                columns.to_text(lines, out, self.texts)
        del self._temporary[f"{name} made"]
        self._temporary[name].unlink()
        self._temporary[name] = place

    def _discard(self) -> None:
        for file in self._files.values():
            with suppress(OSError, ValueError):  # the disk may be full; the file goes anyway
                file.close()
        for temporary in self._temporary.values():
            temporary.unlink(missing_ok=True)


def _begin_to_write(file: IO[bytes]) -> None:
    """Have the system begin to write what it holds of a file, where it can, so that little is left
    to wait for in the end.
    """
    if ask := _sync_file_range():
        ask(file.fileno(), 0, 0, 2)  # SYNC_FILE_RANGE_WRITE; from the first byte to the last


@cache
def _sync_file_range() -> Any:
    ask = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if ask is not None:
        ask.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return ask


def _see_name(flag: str, given: str) -> None:
    """Refuse what is no name of a file, whatever there is on the disk."""
    if not given or "\0" in given:
        raise InputError(f"{flag}: the name {'has a zero in it' if given else 'is empty'}; "
                         "name a file, such as clean.jsonl")  # fmt: skip
    if os.path.basename(given) in ("", ".", ".."):
        raise InputError(f"{given}: is a folder; name a file in it")


def _see_ending(name: str, path: Path) -> None:
    """Refuse a name that promises another form than is written."""
    what = name.partition(" ")[0]
    forms = FORMS.get(what, JSON_LINES)
    ending = path.suffix.lower()
    if ending in ("", *forms):
        return
    stem = path.with_suffix("") if ending in PACKED else path
    inner = stem.suffix.lower()
    lines = ("", *JSON_LINES, *((".json",) if what == "attributes" else ()))
    if ending in PACKINGS and what not in ("stats", "report") and inner in lines:
        return
    told = TOLD.get(what, ".jsonl, .jsonl.gz or .jsonl.zst")
    if what == "attributes":
        raise InputError(f"{path}: is named as its input; attributes are {told}: unpack the input")
    wanted = told.partition(",")[0] + (".gz" if stem is not path and "gz" in told else "")
    name = stem.stem if _ENDING.fullmatch(stem.suffix) else stem.name
    raise InputError(f"{path}: output is {told}; name it {name}{wanted}")


def sibling(path: Path, what: str) -> Path:
    """OUT.jsonl -> OUT.<what>.jsonl, compressed as OUT is; JSON lines beside other forms, too."""
    if not path.name:
        raise InputError(f"{path}: is a folder; name a file in it")
    packing = path.suffix if path.suffix.lower() in PACKINGS else ""
    stem = path.name.removesuffix(packing)
    for suffix in (".jsonl", ".parquet", ".txt"):
        stem = stem.removesuffix(suffix)
    return path.with_name(f"{stem}.{what}.jsonl{packing}")


def _zstd(path: Path) -> Any:
    try:
        import zstandard  # noqa: PLC0415 - optional
    except ImportError as error:
        raise InputError(
            f"{path}: writing .zst needs zstandard; try: pip install 'newsdedup[zstd]'"
        ) from error
    return zstandard.ZstdCompressor()
