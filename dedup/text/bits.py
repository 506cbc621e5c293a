"""Eight bytes in one number: what loops over bytes take together where a vector would be too long.

Numba has no instructions for this; the compiler knows these forms, and takes one instruction each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ONES, UPPER = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_HALVES, _QUARTERS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_at = np.uint64  # an index that cannot be negative


def word_at(buf: Any, i: Any) -> Any:
    """The eight bytes from `i` on, the first one lowest."""
    word = np.uint64(0)
    for k in range(8):
        word |= np.uint64(buf[_at(i + k)]) << np.uint64(8 * k)
    return word


def bit_count(word: Any) -> Any:
    """How many bits are set."""
    word -= (word >> _S1) & _HALVES
    word = (word & _QUARTERS) + ((word >> _S2) & _QUARTERS)
    word = (word + (word >> _S4)) & _NIBBLES
    return (word * ONES) >> _S56


def below(word: Any) -> Any:
    """How many bits stand below the lowest that is set; 64 if none is."""
    return bit_count(~word & (word - _S1))


def first_less(word: Any, most: Any) -> Any:
    """The upper bit of the first byte less than `most`, 128 at most, and of no byte before it."""
    return (word - np.uint64(most) * ONES) & ~word & UPPER


def first_equal(word: Any, byte: Any) -> Any:
    """The upper bit of the first byte of this value, and of no byte before it."""
    return first_less(word ^ (np.uint64(byte) * ONES), 1)


def place_of(buf: Any, i: Any, byte: Any) -> Any:
    """The next place of a byte that is known to stand from `i` on, seven more bytes behind it."""
    found = first_equal(word_at(buf, i), byte)
    while found == 0:
        i += 8
        found = first_equal(word_at(buf, i), byte)
    return i + (np.int64(below(found)) >> 3)
