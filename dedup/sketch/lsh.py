"""Locality-sensitive hashing: how many bands, and which signatures meet in one."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dedup.records import I32, I64, U32
from dedup.sketch import kernels


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


def buckets(band_hashes: U32) -> I32:
    """Which signatures meet: in each band, the first signature with the same hash.

    Args:
        band_hashes: uint32[bands, m].

    Returns:
        int32[bands, m]; i and j are candidates when they have the same number in a band. Buckets
        are never expanded to pairs: a line that stands a thousand times has one number.
    """
    bands, m = band_hashes.shape
    out = np.empty((bands, m), dtype=np.int32)
    table = np.empty(1 << max(4, int(2 * m).bit_length()), dtype=np.int32)
    for band in range(bands):
        table.fill(-1)
        kernels.buckets(band_hashes[band], table, out[band])
    return out


def meeting(bucket: I32) -> I64:
    """The signatures that share a bucket with another: the only ones worth comparing.

    Args:
        bucket: int32[bands, m], as `buckets` numbers them.

    Returns:
        int64; ascending positions in 0..m-1.
    """
    shared = np.zeros(bucket.shape[1], dtype=np.bool_)
    for numbers in bucket:
        late = np.flatnonzero(numbers != np.arange(numbers.size))
        shared[late] = True
        shared[numbers[late]] = True
    return np.flatnonzero(shared)
