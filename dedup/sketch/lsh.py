"""Locality-sensitive hashing: how many bands, and which signatures meet in one."""

from __future__ import annotations

import secrets
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dedup.engines.memory import Memory
from dedup.engines.threads import in_order
from dedup.records import I32, I64, U32, Bool
from dedup.sketch import kernels

STEPS = 512  # of a sum that stands for an integral
# Drawn anew in every process, so that no input can be made whose values all fall into one place.
SALT = np.uint64(secrets.randbits(64) | 1)
MANY, PARTS = 1 << 21, 256  # values of which no one table is made, and the parts they come in
FEW = 1 << 12  # signatures that are sorted into buckets in one pass


class Buckets(NamedTuple):
    """Signatures that share a bucket with another: the only ones worth comparing.

    Two members are candidates when they have a bucket in common. Buckets are never expanded to
    pairs, and those of one signature are left out: of nineteen, a member stands in six on average.

    Attributes:
        members: int64[k]; their positions, ascending.
        pointer: int64[k + 1]; where each member's buckets begin.
        bucket: int32; buckets in 0..size-1, member after member, by band.
        size: number of buckets.
    """

    members: I64
    pointer: I64
    bucket: I32
    size: int


@lru_cache(maxsize=16)
def optimal_bands(threshold: float, num_perm: int, false_negative_weight: float) -> tuple[int, int]:
    """Bands and rows with the least weighted error, as datasketch's `MinHashLSH` chooses them.

    A pair of similarity s meets in a band of r rows with probability s**r, in one of b bands with
    1 - (1 - s**r)**b (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4). The error is
    that curve's area below the threshold (false positives) and its complement's above (false
    negatives), each with its weight.

    Returns:
        (bands, rows), bands * rows <= num_perm.
    """
    middles = (np.arange(STEPS) + 0.5) / STEPS
    below, above = middles * threshold, middles * (1 - threshold) + threshold
    best, least = (1, 1), float("inf")
    for bands in range(1, num_perm + 1):
        for rows in range(1, num_perm // bands + 1):
            positive = float((1 - (1 - below**rows) ** bands).mean()) * threshold
            negative = float(((1 - above**rows) ** bands).mean()) * (1 - threshold)
            error = positive * (1 - false_negative_weight) + negative * false_negative_weight
            if error < least:
                best, least = (bands, rows), error
    return best


def first_equal(values: npt.NDArray[np.integer[Any]]) -> I32:
    """int32[n]; where each value stands first.

    This is what `np.unique` would be asked for, ten times as fast: nothing is sorted, and a value
    that stands a thousand times has one number.

    Args:
        values: integers of 64 bits at most.
    """
    keys = np.ascontiguousarray(values).astype(np.uint64, copy=False)
    out, place = np.empty(keys.size, dtype=np.int32), np.empty(0, dtype=np.int32)
    parted, ends, largest = keys, np.array([keys.size]), keys.size
    if keys.size > MANY:
        parted, place = np.empty_like(keys), np.empty_like(out)
        ends = np.empty(PARTS, dtype=np.int64)
        largest = kernels.part(keys, SALT, ends, place, parted)
    kernels.first_equal(parted, place, ends, SALT, _table(largest), out)
    return out


def _table(n: int) -> I32:
    """Room for a hash table of n values."""
    return np.empty(1 << int(2 * n).bit_length(), dtype=np.int32)


def is_in(values: npt.NDArray[np.integer[Any]], others: npt.NDArray[np.integer[Any]]) -> Bool:
    """bool[n]; which values are among others of the same type."""
    first = first_equal(np.concatenate((others, values)))
    return np.asarray(first[others.size :] < others.size)


def buckets(band_hashes: U32, memory: Memory, workers: int = 1) -> Buckets:
    """Which signatures meet.

    Args:
        band_hashes: uint32[bands, m].
        memory: where large arrays lie.
        workers: bands in work at a time.
    """
    m = band_hashes.shape[1]
    if m <= FEW:
        return _few_buckets(band_hashes)
    count = np.zeros(m, dtype=np.int32)
    parts = np.array_split(band_hashes, min(workers, band_hashes.shape[0]))
    for more in in_order(_shared, parts, workers):
        count += more
    members = np.flatnonzero(count)
    pointer = np.append(0, np.cumsum(count[members], dtype=np.int64))
    del count
    bucket = memory.empty(int(pointer[-1]), np.int32)
    cursor = pointer[:-1].copy()
    size = 0
    for among, shared in in_order(lambda v: _meeting(v[members]), band_hashes, workers):
        at = np.flatnonzero(shared)
        first = among[at]
        number = np.zeros(members.size, dtype=np.int32)
        number[at] = np.cumsum(first == at, dtype=np.int32) + (size - 1)
        bucket[cursor[at]] = number[first]
        cursor[at] += 1
        size += int((first == at).sum())
    return Buckets(members, pointer, bucket, size)


def _few_buckets(band_hashes: U32) -> Buckets:
    """The same in one pass, whose scratch grows with bands times signatures."""
    bands, m = band_hashes.shape
    members, pointer = np.empty(m, dtype=np.int64), np.empty(m + 1, dtype=np.int64)
    bucket = np.empty(bands * m, dtype=np.int32)
    table = np.empty(1 << max(4, int(2 * m).bit_length()), dtype=np.int32)
    number = np.empty((bands, m), dtype=np.int32)
    count, size = kernels.meet(band_hashes, table, number, members, pointer, bucket)
    pointer = pointer[: count + 1]
    return Buckets(members[:count], pointer, bucket[: pointer[-1]], size)


def _shared(band_hashes: U32) -> I32:
    """int32[m]; in how many bands each signature meets another."""
    count = np.zeros(band_hashes.shape[1], dtype=np.int32)
    if count.size > MANY:
        for values in band_hashes:
            count += _meeting(values)[1]
        return count
    table = _table(count.size)
    for values in band_hashes:
        kernels.count_shared(values, SALT, table, count)
    return count


def _meeting(values: U32) -> tuple[I32, Bool]:
    """Where each value stands first, and whether it stands twice."""
    first = first_equal(values)
    late = np.flatnonzero(first != np.arange(first.size, dtype=np.int32))
    shared = np.zeros(first.size, dtype=np.bool_)
    shared[late] = True
    shared[first[late]] = True
    return first, shared
