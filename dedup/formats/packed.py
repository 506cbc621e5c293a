"""Compressed bytes: told by how they begin; what is whole of them is read."""

from __future__ import annotations

import bz2
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, Any

from dedup.errors import InputError
from dedup.formats.lines import CUT_OFF, DAMAGED

PACKED = (".gz", ".zst", ".bz2", ".xz")
SAMPLE = 1 << 18  # bytes that a buffer holds, for who looks before reading
MOST = 1 << 18  # bytes unpacked at once: a few bytes may stand for gigabytes
PIECE = 1 << 16
_ZST_PIECE = 1 << 8  # zstandard's decompressor cannot be told how much to give
_ZST_WINDOW = 1 << 31  # what `zstd --long=31` writes


class Damaged(Exception):
    """Compressed bytes that cannot be unpacked."""


def unpacked(file: io.BufferedReader, name: str) -> io.BufferedReader:
    """The bytes of a file, unpacked if they are compressed.

    Where they are cut off or damaged, they end in a line that says so (`lines.refused`).

    Args:
        file: at its start.
        name: of the file, for errors.

    Raises:
        InputError: the library that unpacks it is not installed.
    """
    found = frames(file, name)
    return io.BufferedReader(Torn(found), SAMPLE) if found else file


def frames(file: io.BufferedReader, name: str) -> Frames | None:
    """What unpacks a file, None if it is not compressed.

    Raises:
        InputError: the library that unpacks it is not installed.
    """
    begin = file.peek(10)[:10]
    if begin.startswith(b"\x1f\x8b"):
        return Frames(file, _Gzip)
    if begin.startswith(b"\x28\xb5\x2f\xfd"):
        return Frames(file, _zstd(name), _ZST_PIECE)
    if begin.startswith(b"BZh") and begin[4:] == b"1AY&SY":
        return Frames(file, bz2.BZ2Decompressor)
    if begin.startswith(b"\xfd7zXZ\0"):
        return Frames(file, lzma.LZMADecompressor)
    return None


def _zstd(name: str) -> Callable[[], Any]:
    try:
        import zstandard  # noqa: PLC0415 - optional
    except ImportError as error:
        raise InputError(
            f"{name}: reading .zst needs zstandard; try: pip install 'newsdedup[zstd]'"
        ) from error

    class Zstd:
        """One frame; it has no `needs_input`, and gives all it can at once."""

        needs_input = True

        def __init__(self) -> None:
            whole = zstandard.ZstdDecompressor(max_window_size=_ZST_WINDOW)
            self._frame = whole.decompressobj()

        def decompress(self, data: bytes, most: int) -> bytes:
            try:
                return bytes(self._frame.decompress(data))
            except zstandard.ZstdError as error:
                raise Damaged from error

        @property
        def eof(self) -> bool:
            return bool(self._frame.eof)

        @property
        def unused_data(self) -> bytes:
            return bytes(self._frame.unused_data)

    return Zstd


class _Gzip:
    """One member of a .gz file, with the methods that the other decompressors have."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._member.decompress(self._member.unconsumed_tail + data, most)

    @property
    def needs_input(self) -> bool:
        return not self._member.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data


class Frames:
    """What the frames of a compressed file hold, one after the other."""

    def __init__(self, file: IO[bytes], new: Callable[[], Any], piece: int = PIECE) -> None:
        self._file = file
        self._new = new
        self._piece = piece
        self._packed = b""
        self._frame: Any = None

    def read(self, size: int) -> bytes:
        """Some bytes, none at the end.

        Raises:
            EOFError: the file ends within a frame.
            Damaged: what a frame holds is not what was packed.
        """
        while True:
            if not self._packed and (self._frame is None or self._frame.needs_input):
                self._packed = self._file.read(self._piece)
                if not self._packed:
                    if self._frame is not None:
                        raise EOFError
                    return b""
            if self._frame is None:
                self._packed = self._packed.lstrip(b"\0")  # frames may be padded
                if not self._packed:
                    continue
                self._frame = self._new()
            try:
                data = self._frame.decompress(self._packed, MOST)
            except (OSError, zlib.error, lzma.LZMAError) as error:
                raise Damaged from error
            self._packed = b""
            if self._frame.eof:
                self._packed = self._frame.unused_data
                self._frame = None
            if data:
                return bytes(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Torn(io.RawIOBase):
    """Bytes that may be cut off or damaged: they then end in a line that says so.

    Args:
        inner: has `read`, which gives what there is at once, so that nothing whole is lost; raises
            EOFError where the bytes are cut off, `Damaged` or an error of `zipfile` where they are
            damaged.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._rest = memoryview(b"")
        self._ended = False
        self._new_line = True

    def readable(self) -> bool:
        """They can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something."""
        done = 0
        while done < len(buffer) and (self._rest or not self._ended):
            if not self._rest:
                self._rest = memoryview(self._some())
                self._ended = self._ended or not self._rest
            n = min(len(buffer) - done, len(self._rest))
            buffer[done : done + n] = self._rest[:n]
            self._rest = self._rest[n:]
            done += n
        return done

    def _some(self) -> bytes:
        try:
            data: bytes = self._inner.read(PIECE)
        except EOFError:
            return self._told(CUT_OFF)
        except (Damaged, zlib.error, lzma.LZMAError, zipfile.BadZipFile):
            return self._told(DAMAGED)
        self._new_line = data.endswith(b"\n") if data else self._new_line
        return data

    def _told(self, line: bytes) -> bytes:
        self._ended = True
        return line if self._new_line else b"\n" + line

    def close(self) -> None:
        """Close what is within."""
        self._inner.close()
        super().close()
