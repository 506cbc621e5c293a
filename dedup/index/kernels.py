"""Loops over the hash table of an index. The naive twins are in tests/twins.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel
from dedup.sketch.kernels import shingle_hash, spread
from dedup.text.bits import bit_count

_S32 = np.uint64(32)
_ONE, _SIX = np.uint64(1), np.uint64(6)
WORDS = 4  # of 64 bits, in a mask
LOOKED = 64  # rows looked at for each candidate that may be found


def _slot(value: Any, band: Any, salt: Any, mask: Any) -> Any:
    h = spread(np.uint64(value) ^ (np.uint64(band) << _S32), salt)
    return np.int64((h >> _S32) & np.uint64(mask))


@kernel("void(uint32[], int64[], int64[], int64, uint64[,], int32[])")
def masks(tokens: Any, pointer: Any, which: Any, width: Any, mask: Any, shingles: Any) -> None:
    """For each shingle of a block a bit, of `WORDS` words; what it does not have, its set lacks.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks.
        width: tokens in a shingle.
        mask: uint64[m, WORDS] out.
        shingles: int32[m] out; shingles of each block, equal ones as often as they stand there.
    """
    for i in range(which.size):
        lo, hi = pointer[which[i]], pointer[which[i] + 1] - width + 1
        shingles[i] = max(0, hi - lo)
        for k in range(WORDS):
            mask[i, k] = 0
        for t in range(lo, hi):
            h = shingle_hash(tokens, t, width)
            mask[i, (h >> _SIX) & np.uint64(WORDS - 1)] |= _ONE << (h & np.uint64(63))


@kernel("float64(uint64[], int64, uint64[], int64)")
def most_alike(one: Any, n: Any, other: Any, m: Any) -> Any:
    """The highest Jaccard similarity that two sets of such masks, of n and m shingles, can have.

    A bit that only one mask has is a shingle that the other set lacks.
    """
    mine, theirs = 0, 0
    for k in range(WORDS):
        mine += np.int64(bit_count(one[k] & ~other[k]))
        theirs += np.int64(bit_count(other[k] & ~one[k]))
    apart = mine + theirs
    if apart == 0:
        return 1.0
    both = min(n - mine, m - theirs)
    return both / (both + apart)


@kernel("void(uint32[,], int64, int64, uint64, int32[], int32[])")
def insert(values: Any, begin: Any, end: Any, salt: Any, head: Any, chain: Any) -> None:
    """Put rows of a matrix into the table.

    Args:
        values: uint32[a, b]; band hashes; 0 stands for none.
        begin: the first row to put in.
        end: the row after the last.
        salt: uint64, odd; where a value stands in the table.
        head: int32[2**k]; the last entry of each slot, -1 for none. An entry is row * b + band.
        chain: int32; of each entry, the one before it in its slot.
    """
    bands = values.shape[1]
    mask = head.size - 1
    for row in range(begin, end):
        for band in range(bands):
            if values[row, band] != 0:
                slot = _slot(values[row, band], band, salt, mask)
                chain[row * bands + band] = head[slot]
                head[slot] = row * bands + band


@kernel(
    "int64(uint32[,], uint64[,], int32[], uint32[,], uint64[,], int32[], uint64, int32[], int32[], "
    "int64, float64, int64, int64, int32[], int32[], int32[])"
)
def probe(
    queries: Any, query_mask: Any, query_shingles: Any, values: Any, mask: Any, shingles: Any,
    salt: Any, head: Any, chain: Any, end: Any, threshold: Any, cap: Any, begin: Any, stamp: Any,
    query: Any, row: Any,
) -> int:  # fmt: skip
    """Rows that share a band with a query, and that may be as similar as the threshold asks.

    Args:
        queries: uint32[m, b]; band hashes; 0 stands for none.
        query_mask: uint64[m, WORDS]; as of `masks`.
        query_shingles: int32[m]; as of `masks`.
        values: uint32[a, b]; the rows.
        mask: uint64[a, WORDS]; theirs.
        shingles: int32[a]; theirs.
        salt: as of `insert`.
        head: int32[2**k]; as of `insert`.
        chain: int32; as of `insert`.
        end: rows from this one on are as if they were not there.
        threshold: least Jaccard similarity.
        cap: rows for one query at most, the last ones first.
        begin: a number that no stamp reaches.
        stamp: int32[a] scratch; what it holds is kept for the next call.
        query: int32 out; the query of each pair.
        row: int32 out; its row. Pairs that find no room are counted only.

    Returns:
        The number of pairs.
    """
    bands = values.shape[1]
    slots = head.size - 1
    found = 0
    for q in range(queries.shape[0]):
        mine, looked = 0, 0
        for band in range(bands):
            value = queries[q, band]
            if value == 0:
                continue
            entry = head[_slot(value, band, salt, slots)]
            while entry >= 0 and mine < cap and looked < LOOKED * cap:
                r = entry // bands
                if (
                    entry % bands == band
                    and values[r, band] == value
                    and stamp[r] != begin + q
                    and r < end
                ):
                    stamp[r] = begin + q
                    looked += 1
                    alike = most_alike(query_mask[q], query_shingles[q], mask[r], shingles[r])
                    if alike >= threshold:
                        if found < query.size:
                            query[found], row[found] = q, r
                        found += 1
                        mine += 1
                entry = chain[entry]
    return found
