"""Cleaning records as they come, a few at a time, against all that came before."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from dedup.clean import Sink, run
from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.errors import ConfigError, InputError
from dedup.formats.given import as_lines
from dedup.formats.inputs import Inputs, listed, piece
from dedup.formats.outputs import Outputs, StandardOutput
from dedup.index.index import Index
from dedup.records import Counts
from dedup.result import Result

TOGETHER = 256  # records cleaned at a time at most
DELAY = 0.2  # seconds that a record waits for others to come
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
        self._index = Index("" if index is None else index, self.config, prompt=True)
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
        return self._clean(data, "records", strict=strict, given=True)

    def clean_lines(self, data: bytes, name: str) -> Result:
        """Clean some JSON lines; `name` is what they are called in messages."""
        return self._clean(data, name)

    def _clean(
        self, data: bytes, name: str, *, strict: bool = False, given: bool = False
    ) -> Result:
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
            with self._index.attempt():
                memory = Memory(config.memory_limit())
                result = run(inputs, Sink(), config, memory, None, self._index, streamed=True)
            if self._index.shared:  # others wait
                self._commit()
        self.counts.add(result.counts)
        self.counts.unmet.clear()  # what is not there may come yet
        return result

    def commit(self) -> None:
        """Make all that was seen so far part of the index."""
        with self._lock:
            self._commit()

    def _commit(self, *, soon: bool = False) -> None:
        if self._begun:
            for file in self.before_commit:  # nothing is known that is in no file
                os.fsync(file.fileno())
            self._index.commit(soon=soon)
            self._begun = 0.0

    def close(self) -> None:
        """Commit and close the index."""
        with self._lock:
            self._commit()
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

    Raises:
        InputError: a file cannot be written.
    """
    outputs = Outputs(None, removed)
    outputs.paths.pop("clean", None)
    outputs.check(spared, force=force)
    with ExitStack() as stack:
        files = {name: stack.enter_context(_appended(p)) for name, p in outputs.paths.items()}
        cleaner.before_commit = list(files.values())
        for data in arriving(source):
            if not data:  # nobody shall wait for an index that is not written to
                cleaner.commit()
                continue
            result = cleaner.clean_lines(data, "stdin")
            for name, file in (("clean", out), *files.items()):
                file.write(b"".join(result.lines(name)))
                file.flush()


def _appended(path: Path) -> IO[bytes]:
    try:
        return path.open("ab")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def arriving(source: IO[bytes]) -> Iterator[bytes]:
    """Whole lines of a pipe as they come, some together: no line waits longer than `DELAY`.

    Yields:
        Lines, or nothing where none came for `COMMIT` seconds.
    """
    rest = b""
    while True:
        lines, rest, ended = _gather(source.fileno(), rest)
        if lines or not ended:
            yield lines
        if ended:
            if rest:
                yield rest
            return


def _gather(handle: int, rest: bytes) -> tuple[bytes, bytes, bool]:
    """The next whole lines, what came behind them, and whether that is all."""
    parts, lines, until = [rest], rest.count(b"\n"), None
    while lines < TOGETHER:
        wait = COMMIT if until is None else max(0.0, until - time.monotonic())
        if not select.select([handle], [], [], wait)[0]:
            break
        data = os.read(handle, 1 << 16)
        parts.append(data)
        if not data:
            break
        lines += data.count(b"\n")
        if lines and until is None:
            until = time.monotonic() + DELAY
    whole = b"".join(parts)
    ended = len(parts) > 1 and not parts[-1]
    cut = whole.rfind(b"\n") + 1
    return whole[:cut], whole[cut:], ended
