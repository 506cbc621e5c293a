"""Reading an input again: it must be what it was when it was read first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from dedup.errors import InputError
from dedup.text.digest import sums_of


class FirstReading:
    """What is kept of an input's first reading, to compare the next ones with.

    Args:
        name: of the input, for errors.
        path: of the file it lies in, if there is one.
    """

    def __init__(self, name: str, path: Path | None) -> None:
        self._name = name
        self._path = path
        self._stamp: tuple[int, ...] | None = None
        self._sums: list[tuple[int, ...]] = []

    def noted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces of the first reading, as they pass.

        Raises:
            InputError: the file changed meanwhile.
        """
        self._sums = []
        self._stamp = self._now()
        for piece in pieces:
            self._sums.append(sums_of(piece))
            yield piece
        self._look()

    def same(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces of another reading: none passes that is not as it was.

        Raises:
            InputError: the input changed since the first reading.
        """
        self._look()
        read = 0
        for piece in pieces:
            if read == len(self._sums) or sums_of(piece) != self._sums[read]:
                raise self._changed()
            read += 1
            yield piece
        if read < len(self._sums):
            raise self._changed()
        self._look()

    def _look(self) -> None:
        if self._now() != self._stamp:
            raise self._changed()

    def _now(self) -> tuple[int, ...] | None:
        """Which file it is, how large, and when it was written last; None for no file."""
        if self._path is None:
            return None
        try:
            stat = os.stat(self._path)
        except OSError as error:
            raise InputError(f"{self._name}: {error.strerror or error}") from error
        return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _changed(self) -> InputError:
        return InputError(
            f"{self._name}: the file changed while it was read; nothing was written. Clean a copy, "
            "or wait until its writer is done"
        )
