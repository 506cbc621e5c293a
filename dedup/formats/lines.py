"""Lines: how the bytes of an input come to its reader, and what stands in for those that cannot."""

from __future__ import annotations

import base64
import io
import re
import secrets
from collections.abc import Callable, Iterator

from dedup.errors import one_line

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


def pieces(
    file: io.BufferedIOBase, most: int, progress: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """The bytes of a file in pieces that end where a line ends.

    A line of more than `most` bytes is never held: a refusal stands in its place.
    """
    rest: list[bytes] = []
    held = 0  # bytes of `rest`, or of a line that is too long
    too_long = False
    while data := file.read1(CHUNK):
        if progress is not None:
            progress(len(data))
        cut = data.rfind(b"\n") + 1
        if too_long:
            first = data.find(b"\n")
            if first < 0:
                held += len(data)
                continue
            yield _too_long(held + first, most)
            data, cut = data[first + 1 :], cut - first - 1
            held, too_long = 0, False
        if cut:
            piece = b"".join((*rest, memoryview(data)[:cut]))
            yield piece if len(piece) <= most else _without_long(piece, most)
            rest, held = [], 0
        rest.append(data[cut:])
        held += len(data) - cut
        if held > most:
            rest, too_long = [], True
    if too_long:
        yield _too_long(held, most)
    elif last := b"".join(rest):
        yield last


def grouped(
    lines: Iterator[bytes], progress: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """Some lines at a time in pieces of about `CHUNK` bytes."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= CHUNK:
            if progress is not None:
                progress(size)
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


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
