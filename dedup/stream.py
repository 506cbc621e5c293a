"""Cleaning records as they come, a few at a time, against all that came before."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dedup.clean import Sink, run
from dedup.config import Config
from dedup.engines.interrupts import Interrupts
from dedup.engines.memory import Memory
from dedup.errors import ConfigError, InputError
from dedup.formats.fields import BOM
from dedup.formats.given import as_lines
from dedup.formats.inputs import Inputs, listed, piece
from dedup.formats.lines import CHUNK, WholeLines
from dedup.formats.outputs import Outputs, StandardOutput
from dedup.formats.packed import SAMPLE
from dedup.formats.publish import one_line, sync_folders
from dedup.formats.shapes import is_json
from dedup.index.index import Index
from dedup.records import Counts, names_of
from dedup.result import Result

TOGETHER = 256  # records cleaned at a time at most
DELAY = 0.2  # seconds that a record waits for others to come
BACK = 1 << 16  # bytes looked at together for a line's end
COMMIT = 1.0  # seconds of work that an interrupted process loses the memory of at most


class Cleaner:
    """Cleans records as they come. Threads may share one; records are taken one by one.

    What was seen lies in the index, or without one in a temporary file. It is committed every
    second and at the end; whoever else writes to the index waits that long.

        with dedup.Cleaner(index="news.db") as clean:
            for record in records:
                cleaned = clean(record)  # None where nothing is left

    Args:
        index: a file; made if it is not there.
        config: all settings; or give single ones by name.

    Attributes:
        counts: of all that was cleaned.
        before_commit: files that must be on the disk before what they hold is remembered.

    Raises:
        ConfigError: a setting cannot be.
        IndexFileError: the index cannot be used.
    """

    def __init__(
        self,
        index: str | os.PathLike[str] | None = None,
        config: Config | None = None,
        **settings: Any,
    ) -> None:
        if config is not None and settings:
            raise ConfigError("give settings by name or a config, not both")
        self.config = config or Config.of(settings)
        self._strict = replace(self.config, on_error="fail")
        self.counts = Counts()
        self._index = Index(index, self.config, prompt=True)
        self._lock = threading.Lock()
        self._begun = 0.0
        self._taken = 0
        self.before_commit: Sequence[IO[bytes]] = ()

    def __call__(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """The record cleaned; None when nothing of it is left.

        Raises:
            RecordError: it is no record, such as one without a text.
        """
        return next(iter(self.clean([record], strict=True)), None)

    async def cleaned(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """The same without holding up the event loop."""
        return await asyncio.to_thread(self, record)

    def clean(self, records: Iterable[Mapping[str, Any]], *, strict: bool = False) -> Result:
        """Clean some records at once, which is faster: iterate over the result.

        Args:
            records: dicts. What of one JSON has no word for is told as in `dedup.clean`.
            strict: whether one that cannot be read is an error; it is set aside otherwise.
        """
        data = as_lines(listed(records))
        with self.handing_out(data, "records", strict=strict, given=True) as result:
            return result

    def clean_lines(self, data: bytes, name: str) -> Result:
        """Clean some JSON lines; `name` is what they are called in messages."""
        with self.handing_out(data, name) as result:
            return result

    @contextmanager
    def handing_out(
        self, data: bytes, name: str, *, strict: bool = False, given: bool = False
    ) -> Iterator[Result]:
        """The same, to hand the result out in this context: if that fails, what was seen is
        forgotten.

        Args:
            data: JSON lines.
            name: what they are called in messages.
            strict: whether one that cannot be read is an error; it is set aside otherwise.
            given: whether a program handed them over.

        Raises:
            IndexFileError: a shared index was lost to others; before the context, nothing is to be
                handed out.
        """
        config = self._strict if strict else self.config
        with self._lock:
            # What was handed out before is committed now: nothing is known that nobody was given.
            if self._begun and time.monotonic() > self._begun + COMMIT:
                self._commit(soon=True)
            inputs = Inputs([piece(name, data, self._taken, given=given)], config)
            self._taken += data.count(b"\n")
            if not self._begun:
                self._index.begin()
                self._begun = time.monotonic()
            with self._attempt():
                memory = Memory(config.memory_limit())
                result = run(inputs, Sink(), config, memory, None, self._index, streamed=True)
                if self._index.shared:
                    self._index.prepare()
                yield result
            if self._index.shared:  # others wait
                self._commit()
        self.counts.add(result.counts)
        self.counts.unmet.clear()  # what is not there may come yet

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        """Forget what is remembered in this context if it fails."""
        if not self._index.shared:
            with self._index.attempt():
                yield
            return
        try:
            yield
        except BaseException:  # nothing else waits to be committed
            self._begun = 0.0
            self._index.rollback()
            raise

    def commit(self) -> None:
        """Make all that was seen so far part of the index."""
        with self._lock:
            self._commit()

    def _commit(self, *, soon: bool = False) -> None:
        if self._begun:
            self.sync()
            if self._index.shared:  # it is begun anew even if this fails
                self._begun = 0.0
            self._index.commit(soon=soon)
            self._begun = 0.0

    def sync(self) -> None:
        """Have all that was handed out on the disk; what cannot be is forgotten.

        Raises:
            InputError: the disk is full or broken.
        """
        try:
            for file in self.before_commit:
                os.fsync(file.fileno())
        except OSError as error:
            if self._begun:
                self._index.rollback()
                self._begun = 0.0
            raise InputError(f"{file.name}: {error.strerror}; run it again") from error

    def close(self) -> None:
        """Commit and close the index."""
        with self._lock:
            try:
                self._commit()
            finally:
                self._index.close()

    def __enter__(self) -> Cleaner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Cleaner:
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await asyncio.to_thread(self.close)


def clean_stream(
    source: IO[bytes],
    cleaner: Cleaner,
    out: IO[bytes] | StandardOutput,
    removed: str | None = None,
    *,
    force: bool = False,
    spared: Iterable[str] = (),
    begin: Callable[[], None] | None = None,
) -> None:
    """Clean JSON lines as they come, and write each out before long.

    Removals, and beside them records with nothing left and lines that are no records, are appended
    to files as they are found.

    Args:
        source: a pipe or file, with a file descriptor.
        cleaner: what was seen before.
        out: where cleaned records go; flushed before what was seen is committed.
        removed: path of the removals.
        force: append to files though this program did not write them.
        spared: files that are not to be written to.
        begin: called before the first records are written.

    Raises:
        InputError: a file cannot be written, or what comes is no JSON lines.
    """
    outputs = Outputs(None, removed)
    outputs.paths.pop("clean", None)
    outputs.check(spared, force=force, appended=True)
    with ExitStack() as stack:
        files = {name: stack.enter_context(_appended(p)) for name, p in outputs.paths.items()}
        sync_folders(outputs.paths.values())
        cleaner.before_commit = list(files.values())
        interrupts = stack.enter_context(Interrupts())
        try:
            lines = arriving(source, cleaner.config.record_limit())
            for data in _seen_to_be_lines(lines, names_of("text", cleaner.config)):
                if not data:  # nobody shall wait for an index that is not written to
                    cleaner.commit()
                    continue
                if begin is not None:
                    begin()
                    begin = None
                with interrupts.waiting(), cleaner.handing_out(data, "stdin") as result:
                    out.write(b"".join(result.lines()))
                    out.flush()
                    with _all_or_none(files.values()):
                        for name, file in files.items():
                            _write_all(file, b"".join(result.lines(name)))
        finally:
            try:
                cleaner.sync()  # what is still to be committed is in them
            finally:
                cleaner.before_commit = ()


def _seen_to_be_lines(lines: Iterator[bytes], texts: Sequence[str]) -> Iterator[bytes]:
    """The lines, unless they begin as JSON of another form does.

    Raises:
        InputError: they do.
    """
    begun = False
    for data in lines:
        if data.strip() and not begun:
            begun = True
            if is_json(data[:SAMPLE].removeprefix(BOM), texts):
                raise InputError(
                    "stdin: JSON, but not JSON lines, which --stream takes as they come; clean it "
                    "without --stream, or take it apart, such as: jq -c '.[]'"
                )
        yield data


def _appended(path: Path) -> IO[bytes]:
    """A file to append to; a line without its end, of a run that died, is cut off."""
    try:
        file = path.open("a+b", buffering=0)  # what fails to be written is not written later
        end = place = file.seek(0, os.SEEK_END)
        whole = 0
        while place and not whole:
            at = max(0, place - BACK)
            file.seek(at)
            found = file.read(place - at).rfind(b"\n") + 1
            whole, place = (at + found if found else 0), at
        if whole < end:
            file.truncate(whole)
        return file
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


@contextmanager
def _all_or_none(files: Iterable[IO[bytes]]) -> Iterator[None]:
    """If this context fails, files are as long as they were: what was appended comes once more."""
    sizes = [(file, os.fstat(file.fileno()).st_size) for file in files]
    try:
        yield
    except BaseException:
        for file, size in sizes:
            with suppress(OSError):
                os.ftruncate(file.fileno(), size)
        raise


def _write_all(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise InputError(f"{file.name}: {error.strerror}") from error


def arriving(source: IO[bytes], most: int) -> Iterator[bytes]:
    """Whole lines of a pipe as they come, some together: no line waits longer than `DELAY`.

    Args:
        source: a pipe or file, with a file descriptor.
        most: bytes of a line at most; a refusal stands in place of a longer one.

    Yields:
        Lines, or nothing where none came for `COMMIT` seconds.
    """
    lines = WholeLines(most)
    while True:
        found, ended = _gather(source.fileno(), lines)
        if found or not ended:
            yield found
        if ended:
            if last := lines.end():
                yield last
            return


def _gather(handle: int, lines: WholeLines) -> tuple[bytes, bool]:
    """The next whole lines, and whether nothing comes behind them."""
    found: list[bytes] = []
    count = size = 0
    until, ended = None, False
    while count < TOGETHER and size < CHUNK:
        wait = COMMIT if until is None else max(0.0, until - time.monotonic())
        if not select.select([handle], [], [], wait)[0]:
            break
        with one_line("standard input"):
            data = os.read(handle, 1 << 16)
        if not data:
            ended = True
            break
        for whole in lines.feed(data):
            found.append(whole)
            count += whole.count(b"\n")
            size += len(whole)
        if found and until is None:
            until = time.monotonic() + DELAY
    return b"".join(found), ended
