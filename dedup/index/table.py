"""The LSH table of an index in memory: which earlier blocks may be like a new one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.index import kernels
from dedup.index.segments import Segment
from dedup.records import I32, I64, U32, U64
from dedup.sketch import minhash
from dedup.sketch.lsh import SALT, optimal_bands
from dedup.text.blocks import Blocks

LEAST = 1 << 12  # slots
LAST = (1 << 31) - 1


class Hashes(NamedTuple):
    """What a `Table` knows some blocks by.

    Attributes:
        values: uint32[m, 1 + bands]; a hash of the key, and those of the bands; 0 for none.
        mask: uint64[m, WORDS]; which shingles a block may have.
        shingles: int32[m]; how many shingles it has.
    """

    values: U32
    mask: U64
    shingles: I32


class Table:
    """Hashes of blocks that stand for others, to be asked for candidates.

    Args:
        columns: band hashes of a block, and one for its key.
        threshold: least Jaccard similarity of a candidate.
    """

    def __init__(self, columns: int, threshold: float) -> None:
        self._threshold = threshold
        self._values = np.zeros((0, columns), dtype=np.uint32)
        self._mask = np.zeros((0, kernels.WORDS), dtype=np.uint64)
        self._shingles, self._stamp = (np.zeros(0, dtype=np.int32) for _ in range(2))
        self._block = np.zeros(0, dtype=np.int64)
        self._chain = np.zeros(0, dtype=np.int32)
        self._head = np.full(LEAST, -1, dtype=np.int32)
        self._size = 0
        self._asked = 1  # queries so far: each leaves its number on the rows it has looked at
        self._query, self._row = (np.empty(1024, dtype=np.int32) for _ in range(2))

    def __len__(self) -> int:
        return self._size

    def add(self, block: I64, hashes: Hashes) -> None:
        """Put in blocks (int64[m]) and their hashes."""
        size = self._size + block.size
        if size > self._block.size:
            self.reserve(max(block.size, self._block.size // 2))
        part = slice(self._size, size)
        self._values[part], self._block[part] = hashes.values, block
        self._mask[part], self._shingles[part] = hashes.mask, hashes.shingles
        kernels.insert(self._values, self._size, size, SALT, self._head, self._chain)
        self._size = size

    def reserve(self, more: int) -> None:
        """Make room for so many blocks more."""
        room, columns = self._size + more, self._values.shape[1]
        self._values = _grown(self._values, room)
        self._mask = _grown(self._mask, room)
        self._shingles = _grown(self._shingles, room)
        self._stamp = _grown(self._stamp, room)
        self._block = _grown(self._block, room)
        self._chain = _grown(self._chain, room * columns)
        if room * columns > self._head.size:
            self._head = np.full(1 << (room * columns - 1).bit_length(), -1, dtype=np.int32)
            kernels.insert(self._values, 0, self._size, SALT, self._head, self._chain)

    def candidates(self, hashes: Hashes, cap: int, before: int | None = None) -> tuple[I32, I64]:
        """Pairs that share a hash and may be alike.

        Args:
            hashes: of m blocks.
            cap: candidates of one block at most.
            before: blocks from this number on are as if they were not there.

        Returns:
            int32[k], int64[k]; rows of `hashes`, and the blocks they may be like.
        """
        end = self._size
        if before is not None:
            end = int(self._block[:end].searchsorted(before))
        while True:
            if self._asked > LAST - hashes.shingles.size:
                self._stamp[:], self._asked = 0, 1
            found = kernels.probe(
                *hashes, self._values, self._mask, self._shingles, SALT, self._head, self._chain,
                end, self._threshold, cap, self._asked, self._stamp, self._query, self._row,
            )  # fmt: skip
            self._asked += hashes.shingles.size
            if found <= self._row.size:
                return self._query[:found].copy(), self._block[self._row[:found]]
            self._query, self._row = (np.empty(2 * found, dtype=np.int32) for _ in range(2))


def hashes(blocks: Blocks, which: I64, config: Config, memory: Memory) -> Hashes:
    """What a `Table` knows some blocks by."""
    bands, rows = optimal_bands(config.threshold, config.num_perm, config.false_negative_weight)
    out = np.zeros((which.size, 1 + bands), dtype=np.uint32)
    out[:, 0] = np.maximum(blocks.key[which] & np.uint64(0xFFFFFFFF), 1)
    mask, shingles = masks(blocks.tokens, blocks.pointer, which, config.shingle)
    shingled = np.flatnonzero(shingles)
    found = minhash.sketch(
        blocks.tokens, blocks.pointer, which[shingled], config.shingle, config.seed, bands, rows,
        memory, config.workers,
    )  # fmt: skip
    out[shingled, 1:] = np.maximum(found.T, 1)
    return Hashes(out, mask, shingles)


def masks(tokens: U32, pointer: I64, which: I64, width: int) -> tuple[U64, I32]:
    """The masks of some blocks, and how many shingles each has."""
    mask = np.empty((which.size, kernels.WORDS), dtype=np.uint64)
    shingles = np.empty(which.size, dtype=np.int32)
    kernels.masks(tokens, pointer, which, width, mask, shingles)
    return mask, shingles


def hashes_of(segment: Segment, active: I64, bands: U32, width: int) -> Hashes:
    """What a `Table` knows active blocks of a segment by, given their rows of its `bands`."""
    return Hashes(bands, *masks(segment.tokens, segment.pointer, active, width))


def _grown(values: np.ndarray, room: int) -> np.ndarray:
    out = np.zeros((room, *values.shape[1:]), dtype=values.dtype)
    out[: values.shape[0]] = values
    return out
