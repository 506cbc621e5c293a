"""What blocks of some records say that stands in others, too: no groups, every pair measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.match import kernels
from dedup.match.verify import first_same, shingle_sets
from dedup.records import F64, I32, I64, Bool
from dedup.sketch import lsh, minhash
from dedup.text.blocks import Blocks


class Found(NamedTuple):
    """Where blocks stand elsewhere.

    Attributes:
        match: int32[n]; the most similar block of those known, -1 for none.
        similarity: float64[n]; Jaccard similarity to it, 1.0 for equal keys, 0 for none.
        capped: blocks for which `max_candidates` cut the comparison short.
    """

    match: I32
    similarity: F64
    capped: int


def find(blocks: Blocks, known: Bool, asked: Bool, config: Config, memory: Memory) -> Found:
    """Find blocks among others.

    Groups would not do: two blocks that are alike need not be alike to the block that leads the
    group of one of them.

    Args:
        blocks: all blocks.
        known: bool[n]; blocks that may be found.
        asked: bool[n]; blocks to look for; none of them known.
        config: threshold, shingle, permutations, caps.
        memory: where large arrays lie.
    """
    n = known.size
    match, similarity = np.full(n, -1, dtype=np.int32), np.zeros(n)
    here = np.concatenate((np.flatnonzero(known), np.flatnonzero(asked))).astype(np.int32)
    # Of each key the first block, a known one where there is one.
    first = here[first_same(blocks, here)]
    unique = np.unique(first)
    unique = unique[blocks.length()[unique] >= config.shingle]
    near, alike, capped = _near(blocks, unique, known, config, memory)
    match[unique], similarity[unique] = near, alike
    match[here], similarity[here] = match[first], similarity[first]
    equal = known[first]
    match[here[equal]], similarity[here[equal]] = first[equal], 1.0
    match[~asked], similarity[~asked] = -1, 0.0
    return Found(match, similarity, capped)


def _near(
    blocks: Blocks, unique: I32, known: Bool, config: Config, memory: Memory
) -> tuple[I64, F64, int]:
    """Of each block, the most similar known one or -1, and the similarity."""
    bands, rows = lsh.optimal_bands(config.threshold, config.num_perm, config.false_negative_weight)
    hashes = minhash.sketch(
        blocks.tokens, blocks.pointer, unique, config.shingle, config.seed, bands, rows, memory,
        config.workers,
    )  # fmt: skip
    buckets = lsh.buckets(hashes, memory, config.workers)
    members = unique[buckets.members]
    m = members.size
    sets = shingle_sets(blocks.tokens, blocks.pointer, members, config.shingle, memory)
    found, alike = np.full(m, -1, dtype=np.int64), np.zeros(m)
    capped = kernels.nearest(
        sets.hashes,
        sets.pointer,
        buckets.bucket,
        buckets.pointer,
        np.flatnonzero(known[members]),
        np.flatnonzero(~known[members]),
        config.threshold,
        config.max_candidates,
        np.full(buckets.size, -1, dtype=np.int32),
        np.empty(buckets.bucket.size, dtype=np.int32),
        np.empty(buckets.bucket.size, dtype=np.int32),
        np.full(m, -1, dtype=np.int64),
        found,
        alike,
    )
    match, similarity = np.full(unique.size, -1, dtype=np.int64), np.zeros(unique.size)
    match[buckets.members] = np.where(found >= 0, members[found], -1)
    similarity[buckets.members] = alike
    return match, similarity, int(capped)
