"""Loops over shingle sets: comparing two, and grouping many around representatives.

The naive twins are in tests/twins.py.
"""

from __future__ import annotations

from typing import Any

import numba as nb

from dedup.sketch.kernels import shingle_hash


@nb.njit(cache=True, nogil=True)
def shingle_sets(
    tokens: Any, pointer: Any, which: Any, width: Any, out_pointer: Any, out: Any
) -> int:
    """Sorted shingle hashes of blocks, each hash once.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks.
        width: tokens in a shingle.
        out_pointer: int64[m + 1] out; where each set begins.
        out: uint64 out, room for a hash a token.

    Returns:
        The number of hashes.
    """
    total = 0
    for i in range(which.size):
        out_pointer[i] = total
        lo, hi = pointer[which[i]], pointer[which[i] + 1] - width + 1
        begun = total
        for t in range(lo, hi):
            out[total] = shingle_hash(tokens, t, width)
            total += 1
        _sort(out, begun, total)
        unique = begun
        for k in range(begun, total):
            if k == begun or out[k] != out[k - 1]:
                out[unique] = out[k]
                unique += 1
        total = unique
    out_pointer[which.size] = total
    return total


@nb.njit(cache=True, nogil=True)
def _sort(values: Any, lo: Any, hi: Any) -> None:
    """Shell sort in place; compiling `ndarray.sort` costs two seconds, this a tenth of one."""
    gap = 1
    while gap < (hi - lo) // 9:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(lo + gap, hi):
            value, j = values[i], i
            while j >= lo + gap and values[j - gap] > value:
                values[j] = values[j - gap]
                j -= gap
            values[j] = value
        gap //= 3


@nb.njit(cache=True, nogil=True)
def jaccard(sets: Any, a: Any, a_end: Any, b: Any, b_end: Any, least: Any) -> float:
    """|A and B| / |A or B| of two sorted runs of `sets`; 0 as soon as it must be under `least`."""
    n, m = a_end - a, b_end - b
    if n == 0 or m == 0 or min(n, m) < least * max(n, m):
        return 0.0
    both = 0
    while a < a_end and b < b_end:
        x, y = sets[a], sets[b]
        if x == y:
            both += 1
            a += 1
            b += 1
        elif x < y:
            a += 1
        else:
            b += 1
    similarity = both / (n + m - both)
    return similarity if similarity >= least else 0.0


@nb.njit(cache=True, nogil=True)
def group(
    sets: Any, pointer: Any, bucket: Any, order: Any, threshold: Any, cap: Any,
    head: Any, chain: Any, seen: Any, representative: Any, similarity: Any,
) -> int:  # fmt: skip
    """Give every member the most similar representative, or make it one.

    Members come in `order`; each is compared with the representatives it shares a bucket with, so
    a group is a star: all were measured against its centre, and A~B, B~C joins no A and C.

    Args:
        sets: uint64; sorted shingle sets, member after member.
        pointer: int64[m + 1]; where each set begins.
        bucket: int32[bands, m]; bucket numbers in 0..head.shape[1]-1.
        order: int64[m]; members, the ones that should stay first.
        threshold: least Jaccard similarity.
        cap: comparisons for one member at most.
        head: int32[bands, buckets] scratch, filled with -1.
        chain: int32[bands, m] scratch.
        seen: int64[m] scratch, filled with -1.
        representative: int64[m] out; a member, itself for representatives.
        similarity: float64[m] out; to the representative, 1.0 for itself.

    Returns:
        How many members had more to compare with than `cap` allowed.
    """
    bands = bucket.shape[0]
    cut = 0
    for i in order:
        best, best_similarity, compared, stopped = i, 0.0, 0, False
        for band in range(bands):
            r = head[band, bucket[band, i]]
            while r >= 0:
                if seen[r] != i:
                    seen[r] = i
                    if compared == cap:
                        stopped = True
                        break
                    compared += 1
                    s = jaccard(
                        sets, pointer[i], pointer[i + 1], pointer[r], pointer[r + 1], threshold
                    )
                    if s > best_similarity:
                        best, best_similarity = r, s
                r = chain[band, r]
            if stopped:
                break
        cut += stopped
        representative[i] = best
        similarity[i] = best_similarity if best != i else 1.0
        if best == i:
            for band in range(bands):
                chain[band, i] = head[band, bucket[band, i]]
                head[band, bucket[band, i]] = i
    return cut
