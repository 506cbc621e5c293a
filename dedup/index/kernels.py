"""Loops over the hash table of an index. The naive twins are in tests/twins.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel

_S32 = np.uint64(32)


def _slot(value: Any, band: Any, salt: Any, mask: Any) -> Any:
    h = (np.uint64(value) ^ (np.uint64(band) << _S32)) * salt
    return np.int64((h >> _S32) & np.uint64(mask))


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


@kernel("int64(uint32[,], uint32[,], uint64, int32[], int32[], int64, int32[], int32[], int32[])")
def probe(
    queries: Any, values: Any, salt: Any, head: Any, chain: Any, cap: Any, stamp: Any, query: Any,
    row: Any,
) -> int:  # fmt: skip
    """Rows that share a band with a query.

    Args:
        queries: uint32[m, b]; band hashes; 0 stands for none.
        values: uint32[a, b]; the rows.
        salt: as of `insert`.
        head: int32[2**k]; as of `insert`.
        chain: int32; as of `insert`.
        cap: rows for one query at most, the last ones first.
        stamp: int32[a] scratch, filled with -1.
        query: int32 out; the query of each pair.
        row: int32 out; its row. Pairs that find no room are counted only.

    Returns:
        The number of pairs.
    """
    bands = values.shape[1]
    mask = head.size - 1
    found = 0
    for q in range(queries.shape[0]):
        mine = 0
        for band in range(bands):
            value = queries[q, band]
            if value == 0:
                continue
            entry = head[_slot(value, band, salt, mask)]
            while entry >= 0 and mine < cap:
                r = entry // bands
                if entry % bands == band and values[r, band] == value and stamp[r] != q:
                    stamp[r] = q
                    if found < query.size:
                        query[found], row[found] = q, r
                    found += 1
                    mine += 1
                entry = chain[entry]
    return found
