"""Digests: 64 bits that tell whether bytes are the same as before.

XXH64 with seed 0, as https://github.com/Cyan4973/xxHash describes it
(doc/xxhash_spec.md), so that other programs can check what this one writes:
`xxhash.xxh64(text.encode()).hexdigest()`. It tells of accidents, not of attacks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel
from dedup.records import I64, U8, U64, Buffer
from dedup.text.bits import word_at

SIZE = 16  # hexadecimal digits of a digest as it is written
LANES = 32  # bytes that the four sums take together
_P1, _P2 = np.uint64(0x9E3779B185EBCA87), np.uint64(0xC2B2AE3D27D4EB4F)
_P3, _P4 = np.uint64(0x165667B19E3779F9), np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_FIRST = np.uint64(0x60EA27EEADC0B5D6)  # _P1 + _P2, in 64 bits
_FOURTH = np.uint64(0x61C8864E7A143579)  # 0 - _P1
_LOW = np.uint64(0xFFFFFFFF)
_at = np.uint64  # an index that cannot be negative
_HEX = np.frombuffer(b"".join(b"%02x" % n for n in range(256)), dtype=np.uint8).reshape(256, 2)


@kernel("void(uint8[], int64[], uint64[])")
def digest_texts(buf: Any, starts: Any, out: Any) -> None:
    """The digest of each of n texts.

    Args:
        buf: uint8; the texts, one after the other.
        starts: int64[n + 1]; where each begins, and the end of the last.
        out: uint64[n] out; their digests.
    """
    for r in range(out.size):
        out[r] = _digest(buf, starts[r], starts[r + 1])


def digests(buf: U8, starts: I64) -> U64:
    """uint64[n]; the digest of each of n texts.

    Args:
        buf: uint8; the texts in UTF-8, one after the other.
        starts: int64[n + 1]; where each begins, and the end of the last.
    """
    out = np.empty(starts.size - 1, dtype=np.uint64)
    digest_texts(buf, starts, out)
    return out


def digest_of(data: Buffer) -> int:
    """The digest of some bytes.

    >>> f"{digest_of('خبر'.encode()):016x}"
    'f016ea9f3de9dcee'
    """
    buf = np.frombuffer(data, dtype=np.uint8)
    return int(digests(buf, np.array([0, buf.size]))[0])


@kernel("void(uint64[], uint64[])")
def sum_words(words: Any, out: Any) -> None:
    """Two sums over words: of products with a key of each place, and of the words as they are.

    Args:
        words: uint64.
        out: uint64[2] out; the sums.
    """
    products, plain = np.uint64(0), np.uint64(0)
    for i in range(words.size):
        mixed = words[_at(i)] ^ (_at(i) * _P2 + _P1)
        products += (mixed & _LOW) * (mixed >> np.uint64(32))
        plain += words[_at(i)]
    out[0] = products
    out[1] = plain


def sums_of(data: Buffer) -> tuple[int, int, int, int]:
    """What tells whether bytes are the same as a moment ago: their number, two sums of their words,
    and what is left behind the last of these.

    A word that differs always shows; all else that can happen by accident does so as surely as in a
    digest of 64 bits, at half the price.
    """
    n, out = len(data) // 8, np.empty(2, dtype=np.uint64)
    sum_words(np.frombuffer(data, dtype=np.uint64, count=n), out)
    rest = int.from_bytes(memoryview(data)[8 * n :], "little")
    return len(data), int(out[0]), int(out[1]), rest


def as_hex(values: U64) -> U8:
    """uint8[n, SIZE]; digests as they are written: hexadecimal, the highest digit first."""
    parts = values.astype(">u8").view(np.uint8).reshape(-1, 8)
    return _HEX[parts].reshape(-1, SIZE)


def _rotated(value: Any, bits: Any) -> Any:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


def _round(total: Any, word: Any) -> Any:
    return _rotated(total + word * _P2, 31) * _P1


def _digest(buf: Any, start: Any, end: Any) -> Any:
    i = start
    if end - start >= LANES:
        a, b, c, d = _FIRST, _P2, np.uint64(0), _FOURTH
        while i + LANES <= end:
            a = _round(a, word_at(buf, i))
            b = _round(b, word_at(buf, i + 8))
            c = _round(c, word_at(buf, i + 16))
            d = _round(d, word_at(buf, i + 24))
            i += LANES
        total = _rotated(a, 1) + _rotated(b, 7) + _rotated(c, 12) + _rotated(d, 18)
        for lane in (a, b, c, d):
            total = (total ^ _round(np.uint64(0), lane)) * _P1 + _P4
    else:
        total = _P5
    total += np.uint64(end - start)
    while i + 8 <= end:
        total = _rotated(total ^ _round(np.uint64(0), word_at(buf, i)), 27) * _P1 + _P4
        i += 8
    if i + 4 <= end:
        half = np.uint64(0)
        for k in range(4):
            half |= np.uint64(buf[_at(i + k)]) << np.uint64(8 * k)
        total = _rotated(total ^ (half * _P1), 23) * _P2 + _P3
        i += 4
    while i < end:
        total = _rotated(total ^ (np.uint64(buf[_at(i)]) * _P5), 11) * _P1
        i += 1
    total = (total ^ (total >> np.uint64(33))) * _P2
    total = (total ^ (total >> np.uint64(29))) * _P3
    return total ^ (total >> np.uint64(32))
