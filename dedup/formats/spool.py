"""Temporary files that several processes read at a time, each at its own place."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any


class Spool:
    """Bytes kept in a temporary file, since they come only once or are dear to come by."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as this
        self.size = 0

    def fill(self, data: Iterable[bytes]) -> None:
        """Append bytes."""
        for some in data:
            self._file.write(some)
            self.size += len(some)
        self._file.flush()

    def filling(self, data: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes, which are appended as they pass."""
        for some in data:
            self._file.write(some)
            self.size += len(some)
            yield some
        self._file.flush()

    def open(self, start: int = 0, size: int | None = None) -> Part:
        """The bytes from `start` on; `size` of them, or all."""
        return Part(self._file, start, self.size - start if size is None else size)


class Part(io.RawIOBase):
    """A part of an open file. Files that a fork shares have one place between them; this has none.

    Args:
        file: kept open.
        start: where the part begins.
        size: its bytes.
        closes: whether the file is closed with it.
    """

    def __init__(self, file: IO[bytes], start: int, size: int, closes: bool = False) -> None:
        self._file = file
        self._start = self._at = start
        self._end = start + size
        self._closes = closes

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from anywhere."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go on from elsewhere."""
        origin = {os.SEEK_SET: self._start, os.SEEK_CUR: self._at, os.SEEK_END: self._end}
        self._at = origin[whence] + offset
        return self._at - self._start

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something.

        Raises:
            EOFError: the file ends before the part does.
        """
        size = max(0, min(len(buffer), self._end - self._at))
        data = os.pread(self._file.fileno(), size, self._at)
        if size and not data:
            raise EOFError
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file, if nobody else needs it."""
        if self._closes:
            self._file.close()
        super().close()
