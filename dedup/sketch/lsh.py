"""Locality-sensitive hashing: how many bands, and which signatures meet in one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dedup.engines.memory import Memory
from dedup.engines.threads import in_order
from dedup.records import I32, I64, U32, Bool
from dedup.sketch import kernels


class Buckets(NamedTuple):
    """Signatures that share a bucket with another: the only ones worth comparing.

    Attributes:
        members: int64[k]; their positions, ascending.
        number: int32[bands, k]; i and j are candidates when they have the same number in a band.
            Buckets are never expanded to pairs.
    """

    members: I64
    number: I32


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
    nodes, weights = np.polynomial.legendre.leggauss(160)
    below, above = (nodes + 1) / 2 * threshold, (nodes + 1) / 2 * (1 - threshold) + threshold
    best, least = (1, 1), float("inf")
    for bands in range(1, num_perm + 1):
        for rows in range(1, num_perm // bands + 1):
            positive = float(weights @ (1 - (1 - below**rows) ** bands)) * threshold / 2
            negative = float(weights @ ((1 - above**rows) ** bands)) * (1 - threshold) / 2
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
    out = np.empty(keys.size, dtype=np.int32)
    table = np.full(1 << max(4, int(2 * keys.size - 1).bit_length()), -1, dtype=np.int32)
    kernels.first_equal(keys, table, out)
    return out


def buckets(band_hashes: U32, memory: Memory, workers: int = 1) -> Buckets:
    """Which signatures meet.

    Args:
        band_hashes: uint32[bands, m].
        memory: where large arrays lie.
        workers: bands in work at a time.
    """
    bands, m = band_hashes.shape

    def meeting(band: int) -> Bool:
        number = first_equal(band_hashes[band])
        late = np.flatnonzero(number != np.arange(m, dtype=np.int32))
        shared = np.zeros(m, dtype=np.bool_)
        shared[late] = True
        shared[number[late]] = True
        return shared

    shared = np.zeros(m, dtype=np.bool_)
    for found in in_order(meeting, range(bands), workers):
        shared |= found
    members = np.flatnonzero(shared)
    number = memory.empty((bands, members.size), np.int32)
    for band, values in enumerate(band_hashes):
        number[band] = first_equal(values[members])
    return Buckets(members, number)
