"""The LSH table of an index in memory: which earlier blocks may be like a new one."""

from __future__ import annotations

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.index import kernels
from dedup.records import I32, I64, U32
from dedup.sketch import minhash
from dedup.sketch.lsh import SALT, optimal_bands
from dedup.text.blocks import Blocks

LEAST = 1 << 12  # slots


class Table:
    """Band hashes of blocks that stand for others, to be asked for candidates.

    Args:
        columns: band hashes of a block, and one for its key.
    """

    def __init__(self, columns: int) -> None:
        self._values = np.zeros((0, columns), dtype=np.uint32)
        self._block = np.zeros(0, dtype=np.int64)
        self._chain = np.zeros(0, dtype=np.int32)
        self._head = np.full(LEAST, -1, dtype=np.int32)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, block: I64, values: U32) -> None:
        """Put in blocks (int64[m]) and their hashes (uint32[m, columns])."""
        size, columns = self._size + block.size, self._values.shape[1]
        if size > self._block.size:
            room = max(size, 2 * self._block.size)
            self._values = _grown(self._values, room)
            self._block = _grown(self._block, room)
            self._chain = _grown(self._chain, room * columns)
        self._values[self._size : size], self._block[self._size : size] = values, block
        begin = self._size
        if size * columns > self._head.size:
            slots = 1 << int(size * columns).bit_length()
            self._head = np.full(slots, -1, dtype=np.int32)
            begin = 0
        kernels.insert(self._values, begin, size, SALT, self._head, self._chain)
        self._size = size

    def candidates(self, values: U32, cap: int) -> tuple[I32, I64]:
        """Pairs that share a hash.

        Args:
            values: uint32[m, columns].
            cap: candidates of one row at most.

        Returns:
            int32[k], int64[k]; rows of `values`, and the blocks they may be like.
        """
        room = max(1024, 4 * values.shape[0])
        while True:
            query, row = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
            found = kernels.probe(
                values, self._values[: self._size], SALT, self._head, self._chain, cap,
                np.full(self._size, -1, dtype=np.int32), query, row,
            )  # fmt: skip
            if found <= room:
                return query[:found], self._block[row[:found]]
            room = found


def hashes(blocks: Blocks, which: I64, config: Config, memory: Memory) -> U32:
    """uint32[m, 1 + bands]; what a `Table` knows some blocks by; none of it is 0 but for none."""
    bands, rows = optimal_bands(config.threshold, config.num_perm, config.false_negative_weight)
    out = np.zeros((which.size, 1 + bands), dtype=np.uint32)
    out[:, 0] = np.maximum(blocks.key[which] & np.uint64(0xFFFFFFFF), 1)
    shingled = np.flatnonzero(blocks.length()[which] >= config.shingle)
    found = minhash.sketch(
        blocks.tokens, blocks.pointer, which[shingled], config.shingle, config.seed, bands, rows,
        memory, config.workers,
    )  # fmt: skip
    out[shingled, 1:] = np.maximum(found.T, 1)
    return out


def _grown(values: np.ndarray, room: int) -> np.ndarray:
    out = np.zeros((room, *values.shape[1:]), dtype=values.dtype)
    out[: values.shape[0]] = values
    return out
