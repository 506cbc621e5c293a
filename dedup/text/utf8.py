"""Loops over the bytes of JSON strings, before they are text.

Arrays in, arrays out; every constant stands here. The naive twins are in tests/twins.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel
from dedup.text.bits import place_of

STRIDE = 64  # bytes copied together; loops of fewer are unrolled, byte by byte
_at = np.uint64  # an index that cannot be negative: Numba need not look where it counts from


@kernel("bool(uint8[])")
def is_utf8(buf: Any) -> bool:
    """Whether bytes are UTF-8 (RFC 3629).

    Every byte is looked at with the three before it, without a branch, so that the compiler can
    take many at a time: ten times as fast as following the characters.

    Args:
        buf: uint8.
    """
    n = buf.size
    zero = np.uint8(0)
    wrong = False
    for i in range(min(3, n)):
        one = buf[i - 1] if i > 0 else zero
        two = buf[i - 2] if i > 1 else zero
        wrong |= _is_wrong(buf[i], one, two, zero)
    here, one_before, two_before, three_before = buf[3:], buf[2:-1], buf[1:-2], buf[:-3]
    for i in range(here.size):
        wrong |= _is_wrong(here[i], one_before[i], two_before[i], three_before[i])
    cut_off = (n > 0 and buf[n - 1] >= 0xC0) or (n > 1 and buf[n - 2] >= 0xE0)
    return not (wrong or cut_off or (n > 2 and buf[n - 3] >= 0xF0))


def _is_wrong(c: Any, one: Any, two: Any, three: Any) -> Any:
    """Whether a byte may not follow the three before it (`one` is the nearest)."""
    wrong = ((c >= 0x80) & (c < 0xC0)) != ((one >= 0xC0) | (two >= 0xE0) | (three >= 0xF0))
    wrong |= (c == 0xC0) | (c == 0xC1) | (c > 0xF4)
    wrong |= ((one == 0xE0) & (c < 0xA0)) | ((one == 0xED) & (c > 0x9F))
    wrong |= ((one == 0xF0) & (c < 0x90)) | ((one == 0xF4) & (c > 0x8F))
    return wrong


def _hex(buf: Any, i: Any) -> Any:
    """The value of four hexadecimal digits."""
    value = 0
    for k in range(i, i + 4):
        c = np.int64(buf[k])
        value = (value << 4) | (c - 48 if c < 58 else (c | 32) - 87)
    return value


def _copy(buf: Any, i: Any, out: Any, o: Any) -> Any:
    """Copy a stride of bytes; whether there is a backslash among them."""
    escaped = False
    for k in range(STRIDE):
        c = buf[_at(i + k)]
        out[_at(o + k)] = c
        escaped |= c == 0x5C
    return escaped


@kernel("int64(uint8[], int64[], int64[], uint8[], int64[])")
def unescape(buf: Any, start: Any, end: Any, out: Any, out_starts: Any) -> int:
    r"""Turn JSON strings into the text they stand for: \n, \" and \u0627 among others.

    Args:
        buf: uint8; holds valid JSON strings, quotes and all.
        start: int64[n]; where each begins in `buf`.
        end: int64[n]; the byte after its last; equal to `start` where there is none.
        out: uint8 out, as long as all of them; their texts in UTF-8.
        out_starts: int64[n + 1] out; where each begins in `out`, and the end of the last.

    Returns:
        The number of bytes.
    """
    total = 0
    for r in range(start.size):
        out_starts[r] = total
        i, stop = start[r] + 1, end[r] - 1
        while i < stop:
            if i + STRIDE <= stop:
                if not _copy(buf, i, out, total):
                    i += STRIDE
                    total += STRIDE
                    continue
                escape = place_of(buf, i, 0x5C)
                total += escape - i  # what stands before it is copied already
                i = escape
            c = buf[i]
            if c != 0x5C:
                out[total] = c
                total += 1
                i += 1
                continue
            c = buf[i + 1]
            i += 2
            if c != 0x75:
                if c == 0x6E:  # n
                    c = 10
                elif c == 0x72:  # r
                    c = 13
                elif c == 0x74:  # t
                    c = 9
                elif c == 0x62:  # b
                    c = 8
                elif c == 0x66:  # f
                    c = 12
                out[total] = c
                total += 1
                continue
            point = _hex(buf, i)
            i += 4
            if 0xD800 <= point < 0xDC00:
                point = 0x10000 + ((point - 0xD800) << 10) + _hex(buf, i + 2) - 0xDC00
                i += 6
            if point < 0x80:
                out[total] = point
                total += 1
                continue
            if point < 0x800:
                out[total] = 0xC0 | (point >> 6)
                total += 1
            else:
                if point < 0x10000:
                    out[total] = 0xE0 | (point >> 12)
                    total += 1
                else:
                    out[total] = 0xF0 | (point >> 18)
                    out[total + 1] = 0x80 | ((point >> 12) & 0x3F)
                    total += 2
                out[total] = 0x80 | ((point >> 6) & 0x3F)
                total += 1
            out[total] = 0x80 | (point & 0x3F)
            total += 1
    out_starts[start.size] = total
    return total
