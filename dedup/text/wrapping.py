"""Paragraphs broken into lines of one width, as mail and plain-text tools leave them.

A break is due to a width W if the lines before and after it fit into W characters, and the former
would not with the first word of the latter. Where one W explains most of the breaks inside
sentences, the text is wrapped: of 31,525 articles that are not, two had such a W, both for lists;
of the same articles wrapped at 60 to 90, all but the shortest had one. Arrays in, arrays out; every
constant stands here. The naive twin is in tests/twins.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel
from dedup.text.bits import place_of

NARROWEST, WIDEST = 40, 132  # characters of a line: below are verses and lists, above paragraphs
HEADLINES = 3  # lines that a link, a headline and its credit line make, if each is full
LEAST = 4  # breaks that tell
INSIDE, ALL = 0.55, 0.25  # share of the breaks inside sentences, and of all between two lines
STRIDE = 128  # bytes looked at together; loops of fewer are unrolled, byte by byte
_at = np.uint64  # an index that cannot be negative


@kernel("int64(uint8[], int64[], int64[])")
def unwrap(buf: Any, starts: Any, votes: Any) -> int:
    """Put a space in the place of every break that wrapping made.

    Where no blank lines part paragraphs, a line that ends a sentence may end one: its break stays.

    Args:
        buf: uint8, in and out; the texts in UTF-8, one after the other.
        starts: int64[n + 1]; where each text begins in `buf`, and the end of the last.
        votes: int64[WIDEST + 2]; room.

    Returns:
        The number of breaks.
    """
    made = 0
    for r in range(starts.size - 1):
        width, apart = _width(buf, starts[r], starts[r + 1], votes)
        if width > 0:
            made += _join(buf, starts[r], starts[r + 1], width, apart)
    return made


def _width(buf: Any, start: Any, stop: Any, votes: Any) -> Any:
    """The width a text is wrapped at, 0 if it is not, and whether blank lines part paragraphs."""
    votes[:] = 0
    breaks, inside, blanks = 0, 0, 0
    i, before, ended = start, 0, False
    while i < stop:
        first, last, i = _line(buf, i, stop)
        length = _characters(buf, first, last)
        if length > 0 and before > 0:
            breaks += 1
            if not ended:
                inside += 1
                least = max(before, length, NARROWEST)
                most = min(before + _first_word(buf, first, last), WIDEST)
                if least <= most:
                    votes[least] += 1
                    votes[most + 1] -= 1
        blanks += length == 0 and before > 0
        before, ended = length, _ends(buf, first, last)
    best, width, explained = 0, 0, 0
    for w in range(NARROWEST, WIDEST + 1):
        explained += votes[w]
        if explained >= best:
            best, width = explained, w
    if best < LEAST or best < INSIDE * inside or best < ALL * breaks:
        width = 0
    return width, blanks >= breaks - best


def _join(buf: Any, start: Any, stop: Any, width: Any, apart: Any) -> Any:
    made = 0
    i, before, shown, ended = start, 0, start, False
    running, joins = False, False
    while i < stop:
        at = i
        first, last, i = _line(buf, i, stop)
        length = _characters(buf, first, last)
        if _due(buf, first, last, before, width, length) and (apart or not ended):
            if not running:
                joins = apart or _goes_on(buf, at, stop, before, width)
            running = True
            if joins:
                for k in range(shown, first):
                    if buf[_at(k)] == 0x0A or buf[_at(k)] == 0x0D:
                        buf[_at(k)] = 0x20
                made += 1
        else:
            running = False
        before, shown, ended = length, last, _ends(buf, first, last)
    return made


def _due(buf: Any, first: Any, last: Any, before: Any, width: Any, length: Any) -> Any:
    """Whether the width explains the break between a line of so many characters and the next."""
    fit = 0 < length <= width and 0 < before <= width
    return fit and before + _first_word(buf, first, last) >= width


def _goes_on(buf: Any, i: Any, stop: Any, before: Any, width: Any) -> Any:
    """Whether the lines from here on are a paragraph's: many, or the last ends a sentence.

    A headline may be as long as the width; its credit line ends no sentence.
    """
    lines = 1
    first, last, i = _line(buf, i, stop)
    length = _characters(buf, first, last)
    ended = False
    while _due(buf, first, last, before, width, length) and not ended:
        lines += 1
        if lines > HEADLINES:
            return True
        ended = _ends(buf, first, last) or buf[_at(last - 1)] == 0x3A
        before = length
        if i >= stop:
            break
        first, last, i = _line(buf, i, stop)
        length = _characters(buf, first, last)
    return ended


def _line(buf: Any, i: Any, stop: Any) -> Any:
    """The first byte of a line without its blanks, the byte after its last, the next line's."""
    end = i
    while end + STRIDE <= stop:
        found = False
        for k in range(STRIDE):
            found |= buf[_at(end + k)] == 0x0A
        if found:
            end = place_of(buf, end, 0x0A)
            break
        end += STRIDE
    while end < stop and buf[_at(end)] != 0x0A:
        end += 1
    first, last = i, end
    while first < last and _blank(buf[_at(first)]):
        first += 1
    while first < last and _blank(buf[_at(last - 1)]):
        last -= 1
    return first, last, end + 1


def _blank(c: Any) -> Any:
    return c == 0x20 or c == 0x09 or c == 0x0D


def _characters(buf: Any, first: Any, last: Any) -> Any:
    """How many characters a line has; more than `WIDEST` if they cannot be so few."""
    if last - first > 4 * WIDEST:
        return WIDEST + 1
    n = 0
    for k in range(first, last):
        n += (buf[_at(k)] & 0xC0) != 0x80
    return n


def _first_word(buf: Any, first: Any, last: Any) -> Any:
    end = first
    while end < last and end < first + 4 * WIDEST and not _blank(buf[_at(end)]):
        end += 1
    return _characters(buf, first, end)


def _ends(buf: Any, first: Any, last: Any) -> Any:
    """Whether a line ends with . ! ? ؟ ۔ or …, closing quotes and brackets aside."""
    while last > first:
        c = buf[_at(last - 1)]
        if c == 0x22 or c == 0x27 or c == 0x29 or c == 0x5D:  # " ' ) ]
            last -= 1
        elif c == 0xBB and last - first > 1 and buf[_at(last - 2)] == 0xC2:  # »
            last -= 2
        elif _closes_with(buf, first, last, 0x9D) or _closes_with(buf, first, last, 0x99):  # ” ’
            last -= 3
        else:
            break
    if last == first:
        return False
    c = buf[_at(last - 1)]
    before = buf[_at(last - 2)] if last - first > 1 else np.uint8(0)
    return (
        c == 0x2E
        or c == 0x21
        or c == 0x3F
        or (c == 0x9F and before == 0xD8)
        or (c == 0x94 and before == 0xDB)
        or _closes_with(buf, first, last, 0xA6)
    )


def _closes_with(buf: Any, first: Any, last: Any, third: Any) -> Any:
    """Whether a line ends with the character U+2000 + `third` - 0x80."""
    return (
        last - first > 2
        and buf[_at(last - 1)] == third
        and buf[_at(last - 2)] == 0x80
        and buf[_at(last - 3)] == 0xE2
    )
