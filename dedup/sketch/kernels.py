"""Loops over tokens: shingles, MinHash signatures, band hashes, and which of many values are equal.

Arrays in, arrays out; every constant stands here. The naive twins are in tests/twins.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel

_MIX1 = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's 64-bit finalizer
_MIX2 = np.uint64(0xC4CEB9FE1A85EC53)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_S32, _S33 = np.uint64(32), np.uint64(33)
_PRIME = np.uint64(0x100000001B3)
_at = np.uint64  # an index that cannot be negative


def shingle_hash(tokens: Any, at: Any, width: Any) -> Any:
    """uint64 hash of the tokens [at, at + width)."""
    h = _STEP
    for k in range(at, at + width):
        h = (h ^ np.uint64(tokens[k])) * _MIX1
        h ^= h >> _S33
    h *= _MIX2
    return h ^ (h >> _S33)


@kernel("void(uint32[], int64[], int32[], int64, uint32[], uint32[], uint32[,])")
def signatures(tokens: Any, pointer: Any, which: Any, width: Any, a: Any, b: Any, out: Any) -> None:
    """MinHash signatures of blocks by the affine32 scheme of datasketch 2.

    The input hash of a shingle is the low half of `shingle_hash`; it is mixed by MurmurHash3's
    32-bit finalizer, then permuted by (a * h + b) mod 2**32.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks with at least `width` tokens.
        width: tokens in a shingle.
        a: uint32[p]; odd multipliers.
        b: uint32[p]; offsets.
        out: uint32[m, p] out.
    """
    for i in range(which.size):
        block = which[i]
        row = out[i]
        for j in range(row.size):
            row[j] = 0xFFFFFFFF
        last = pointer[block + 1] - width
        # Four at a time wait for each other's products less; the last ones come more than once.
        for t in range(pointer[block], last + 1, 4):
            one, two = _mixed(tokens, t, width), _mixed(tokens, min(t + 1, last), width)
            three = _mixed(tokens, min(t + 2, last), width)
            four = _mixed(tokens, min(t + 3, last), width)
            for j in range(row.size):
                least = min(np.uint32(a[j] * one + b[j]), np.uint32(a[j] * two + b[j]))
                other = min(np.uint32(a[j] * three + b[j]), np.uint32(a[j] * four + b[j]))
                row[j] = min(row[j], least, other)


def _mixed(tokens: Any, at: Any, width: Any) -> Any:
    """The low half of a shingle's hash through MurmurHash3's 32-bit finalizer."""
    h = np.uint32(shingle_hash(tokens, at, width))
    h ^= h >> np.uint32(16)
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h ^= h >> np.uint32(13)
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return h ^ (h >> np.uint32(16))


@kernel("void(uint32[,], int64, int64, uint32[,])")
def band_hashes(signature: Any, rows: Any, at: Any, out: Any) -> None:
    """One 32-bit hash for each band of `rows` values of each signature.

    Args:
        signature: uint32[m, p].
        rows: values in a band (r).
        at: the column of the first signature.
        out: uint32[bands, n >= at + m] out, bands * rows <= p.
    """
    for i in range(signature.shape[0]):
        for band in range(out.shape[0]):
            h = _STEP
            for j in range(band * rows, (band + 1) * rows):
                h = (h ^ np.uint64(signature[i, j])) * _MIX1
                h ^= h >> _S33
            out[band, at + i] = np.uint32(h)


def spread(value: Any, salt: Any) -> Any:
    """uint64 whose upper bits tell where a value stands in a table.

    One product with any salt leaves values of equal steps in few places now and then; two do not.
    """
    h = value * salt
    return (h ^ (h >> _S32)) * salt


@kernel("int64(uint64[], uint64, int64[], int32[], uint64[])", seldom=True)
def part(values: Any, salt: Any, ends: Any, place: Any, parted: Any) -> int:
    """Put values into parts, equal ones into the same, so that a table of one part is small: one of
    all would lie outside the processor's caches.

    Args:
        values: uint64[n].
        salt: uint64, odd; in which part a value stands.
        ends: int64[2**k > 1] out; where each part ends.
        place: int32[n] out; where each value stood; they ascend within a part.
        parted: uint64[n] out; the values, part after part.

    Returns:
        How many the largest part has.
    """
    shift = np.uint64(64 - _bits(ends.size))
    ends[:] = 0
    for value in values:
        ends[_at(spread(value, salt) >> shift)] += 1
    total, largest = 0, 0
    for p in range(ends.size):
        size = ends[p]
        ends[p] = total
        total, largest = total + size, max(largest, size)
    for i in range(values.size):
        p = _at(spread(values[i], salt) >> shift)
        at = ends[p]
        ends[p] = at + 1
        place[_at(at)], parted[_at(at)] = i, values[i]
    return largest


def _bits(size: Any) -> Any:
    """How many bits it takes to number so many places."""
    bits = 0
    while 1 << bits < size:
        bits += 1
    return bits


@kernel("void(uint64[], int32[], int64[], uint64, int32[], int32[])")
def first_equal(parted: Any, place: Any, ends: Any, salt: Any, table: Any, out: Any) -> None:
    """Where each value stands first.

    Args:
        parted: uint64[n]; the values, as of `part`, or as they are where there is one part only.
        place: int32[n]; where each stood; not looked at where there is one part only.
        ends: int64[2**k]; where each part ends.
        salt: as of `part`; `out` does not hang on it.
        table: int32[2**k >= 2 m] scratch, for m values in the largest part.
        out: int32[n] out; the first i with the same value.
    """
    begin = 0
    for end in ends:
        bits = _bits(2 * (end - begin))
        shift, mask = np.uint64(64 - _bits(ends.size) - bits), (1 << bits) - 1
        for k in range(mask + 1):
            table[k] = -1
        for i in range(begin, end):
            slot = np.int64(spread(parted[i], salt) >> shift) & mask
            while table[slot] >= 0 and parted[table[slot]] != parted[i]:
                slot = (slot + 1) & mask
            if table[slot] < 0:
                table[slot] = i
            if ends.size > 1:
                out[place[i]] = place[table[slot]]
            else:
                out[i] = table[slot]
        begin = end


@kernel("void(uint32[], uint64, int32[], int32[])")
def count_shared(values: Any, salt: Any, table: Any, count: Any) -> None:
    """Count those that share their value with another.

    Args:
        values: uint32[n].
        salt: as of `part`.
        table: int32[2**k >= 2 n] scratch.
        count: int32[n]; one more for each of them, in and out.
    """
    mask, shift = table.size - 1, np.uint64(64 - _bits(table.size))
    table[:] = -1
    for i in range(values.size):
        slot = np.int64(spread(np.uint64(values[i]), salt) >> shift)
        while True:
            entry = table[slot]
            if entry == -1:
                table[slot] = i
                break
            first = entry if entry >= 0 else -2 - entry
            if values[first] == values[i]:
                if entry >= 0:  # till now it stood alone
                    table[slot] = -2 - entry
                    count[first] += 1
                count[i] += 1
                break
            slot = (slot + 1) & mask


@kernel("(int64, int64)(uint32[,], int32[], int32[,], int64[], int64[], int32[])")
def meet(values: Any, table: Any, number: Any, members: Any, pointer: Any, bucket: Any) -> Any:
    """Which signatures share a band hash with another, and in which buckets they stand.

    Args:
        values: uint32[bands, m]; band hashes.
        table: int32[2**k >= 2 m] scratch.
        number: int32[bands, m] scratch.
        members: int64[m] out; signatures that share a hash, ascending.
        pointer: int64[m + 1] out; where each member's buckets begin.
        bucket: int32[bands * m] out; buckets, numbered in order, member after member, by band.

    Returns:
        How many members there are, and how many buckets.
    """
    mask = table.size - 1
    size = 0
    for band in range(values.shape[0]):
        row, first = values[band], number[band]
        table[:] = -1
        for i in range(row.size):
            slot = np.int64((np.uint64(row[i]) * _STEP) >> _S33) & mask
            while table[slot] >= 0 and row[table[slot]] != row[i]:
                slot = (slot + 1) & mask
            if table[slot] < 0:
                table[slot] = i
                first[i] = -1
            else:
                first[i] = first[table[slot]] = table[slot]
        for i in range(row.size):
            if first[i] == i:
                first[i] = size
                size += 1
            elif first[i] >= 0:
                first[i] = first[first[i]]
    count, total = 0, 0
    for i in range(values.shape[1]):
        pointer[count] = total
        for band in range(values.shape[0]):
            if number[band, i] >= 0:
                bucket[total] = number[band, i]
                total += 1
        if total > pointer[count]:
            members[count] = i
            count += 1
    pointer[count] = total
    return count, size
