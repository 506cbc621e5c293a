"""Lines: how the bytes of an input come to its reader, and what stands in for those that cannot."""

from __future__ import annotations

import base64
import io
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from dedup.errors import one_line

JSON_LINES = (".jsonl", ".ndjson", ".jl", ".jsonlines")  # Scrapy has the last two
CHUNK = 1 << 21  # bytes read at once; a batch is made of so much
# Begins a line that stands for what could not be read; drawn anew in every process, so that no
# input has such a line of its own.
MARK = b"\0dedup:%b:" % secrets.token_hex(8).encode()
MARKED = re.compile(rb"\n?(%b[^\n]*)\Z" % re.escape(MARK))  # such a line at the end of some bytes


def refusal(rule: str, raw: bytes = b"") -> bytes:
    """The line, without its end, that stands for something that cannot be read.

    Args:
        rule: what is wrong and what to try.
        raw: what it is about, as far as it is at hand.
    """
    told = one_line(rule).replace("\0", "\\0").encode(errors="backslashreplace")
    return MARK + told + b"\0" + base64.b64encode(raw)


def refused(line: bytes) -> tuple[str, bytes] | None:
    """What `refusal` was told, None for any other line."""
    if not line.startswith(MARK):
        return None
    rule, _, raw = line[len(MARK) :].strip().partition(b"\0")
    return rule.decode(errors="replace"), base64.b64decode(raw)


CUT_OFF = refusal("the compressed file is cut off here; what came before was read")
DAMAGED = refusal("the compressed file is damaged from here on; what came before was read")


class WholeLines:
    """Makes pieces that end where a line ends of bytes as they come.

    A line of more than `most` bytes is never held: a refusal stands in its place.

    Args:
        most: bytes of a line at most, its end left out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = bytearray()  # the beginning of a line
        self._lost = 0  # bytes of a line that is too long, 0 for none

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that are whole now."""
        if self._lost:
            first = data.find(b"\n")
            if first < 0:
                self._lost += len(data)
                return
            yield _too_long(self._lost + first, self._most)
            data, self._lost = data[first + 1 :], 0
        cut = data.rfind(b"\n") + 1
        if cut:
            piece = b"".join((self._rest, memoryview(data)[:cut]))
            self._rest = bytearray()
            yield piece if len(piece) <= self._most else _without_long(piece, self._most)
        self._rest += memoryview(data)[cut:]
        if len(self._rest) > self._most:
            self._lost, self._rest = len(self._rest), bytearray()

    def end(self) -> bytes:
        """The last line, if it has no end."""
        if self._lost:
            return _too_long(self._lost, self._most)
        return bytes(self._rest)


def pieces(
    file: io.BufferedIOBase, most: int, progress: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """The bytes of a file in pieces that end where a line ends, as `WholeLines` makes them."""
    lines = WholeLines(most)
    # Of a file, pieces of one size, however its bytes come; of a pipe, what there is.
    take = file.read if file.seekable() else file.read1
    while data := take(CHUNK):
        if progress is not None:
            progress(len(data))
        yield from lines.feed(data)
    if last := lines.end():
        yield last


_BETWEEN = re.compile(rb"\}[ \t]*\r[ \t\r]*(?=\{)")  # no string of JSON holds a carriage return
_AT_END = re.compile(rb"\}[ \t\r]*\Z")


def with_line_ends(
    file: io.BufferedReader, name: str, say: Callable[[str], None]
) -> io.BufferedReader:
    r"""The bytes of a file of JSON lines that all end in \n, and none in a carriage return alone.

    Args:
        file: at its start; its buffer holds `SAMPLE` bytes, which show whether there are such.
        name: of the file, for what is said.
        say: told where there are.
    """
    sample = file.peek(CHUNK)
    if b"\r" not in sample or not _BETWEEN.search(sample):
        return file
    say(f"{name}: lines end in a carriage return alone, which counts as a line's end")
    return io.BufferedReader(_Ends(file), CHUNK)


class _Ends(io.RawIOBase):
    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._held = b""  # what may be a line's end, or not
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something."""
        while not self._ready:
            data = self._file.read1(CHUNK)
            some = self._held + data
            if not some:
                return 0
            held = _AT_END.search(some, max(0, len(some) - 1000)) if data else None
            stop = held.start() if held else len(some)
            self._held = some[stop:]
            made = _BETWEEN.sub(lambda found: found[0].replace(b"\r", b"\n"), some[:stop])
            self._ready = memoryview(made)
        n = min(len(buffer), len(self._ready))
        buffer[:n] = self._ready[:n]
        self._ready = self._ready[n:]
        return n

    def close(self) -> None:
        """Close what is within."""
        self._file.close()
        super().close()


def grouped(
    lines: Iterator[bytes], progress: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """Some lines at a time in pieces of about `CHUNK` bytes."""
    held = bytearray()  # lines by themselves may take many times their room
    for line in lines:
        held += line
        if len(held) >= CHUNK:
            if progress is not None:
                progress(len(held))
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _too_long(size: int, most: int) -> bytes:
    return too_large("line", size, most) + b"\n"


def too_large(what: str, size: int, most: int) -> bytes:
    """The refusal of a line or record of more bytes than may be."""
    return refusal(f"a {what} of {size:,} bytes, more than {most:,}; try a larger --max-record")


def _without_long(piece: bytes, most: int) -> bytes:
    lines = piece.split(b"\n")
    return b"\n".join(
        line if len(line) <= most else _too_long(len(line), most)[:-1] for line in lines
    )
