"""Exact comparison: hashes only propose; tokens and shingle sets decide."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.engines.memory import Memory
from dedup.engines.threads import in_order
from dedup.match import kernels
from dedup.records import I32, I64, U32, U64
from dedup.sketch.lsh import first_equal
from dedup.text.blocks import Blocks, pointer_of

BATCH = 1 << 15  # blocks in work together


class ShingleSets(NamedTuple):
    """Sorted shingle hashes, each once.

    Attributes:
        pointer: int64[m + 1]; where each set begins.
        hashes: uint64.
    """

    pointer: I64
    hashes: U64

    def jaccard(self, i: int, j: int) -> float:
        """Similarity of sets i and j: |A and B| / |A or B|, 0 when both are empty."""
        p = self.pointer
        return float(kernels.jaccard(self.hashes, p[i], p[i + 1], p[j], p[j + 1], 0.0))


def first_same(blocks: Blocks, which: I32 | I64) -> I32:
    """int32[m]; of some blocks, the position among them of the first one with the same tokens.

    Blocks of one key that have other tokens than its first block stand alone.
    """
    first = first_equal(blocks.key[which])
    kernels.confirm(blocks.tokens, blocks.pointer, which.astype(np.int64, copy=False), first)
    return first


def shingle_sets(
    tokens: U32,
    pointer: I64,
    which: I32 | I64,
    shingle: int,
    memory: Memory | None = None,
    workers: int = 1,
) -> ShingleSets:
    """The shingle sets of some blocks.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks.
        shingle: tokens in a shingle; shorter blocks have an empty set.
        memory: where the sets lie, and what to relax on the way.
        workers: batches in work at a time.
    """
    which = which.astype(np.int32, copy=False)
    length = pointer[which + 1] - pointer[which]
    room = pointer_of(length)
    empty = np.empty if memory is None else memory.empty
    out = empty(int(room[-1]), np.uint64)
    out_pointer = np.zeros(which.size + 1, dtype=np.int64)

    def made(at: int) -> tuple[int, I64]:
        """The sets of a batch, where there is room for all their tokens."""
        end = min(at + BATCH, which.size)
        spare = np.empty(int(length[at:end].max()) + kernels.RUN, dtype=np.uint64)
        ends = np.empty(end - at + 1, dtype=np.int64)
        mine = out[room[at] : room[end]]
        kernels.shingle_sets(tokens, pointer, which[at:end], shingle, spare, ends, mine)
        return at, ends

    total = 0
    for at, ends in in_order(made, range(0, which.size, BATCH), workers):
        size = int(ends[-1])
        out[total : total + size] = out[room[at] : room[at] + size]  # behind those before
        out_pointer[at : at + ends.size] = ends + total
        total += size
        if memory is not None:
            memory.relax()
    return ShingleSets(out_pointer, out[:total])
