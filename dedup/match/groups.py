"""Groups: blocks that say the same, around the one that stays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.match import kernels
from dedup.match.verify import first_same, shingle_sets
from dedup.records import F64, I32, I64, Bool
from dedup.sketch import lsh, minhash
from dedup.sketch.lsh import Buckets, first_equal
from dedup.text.blocks import Blocks


class Groups(NamedTuple):
    """Which block stands for which.

    Attributes:
        representative: int32[n]; the block that a block matches, itself if none.
        similarity: float64[n]; Jaccard similarity to it; 1.0 for equal keys and for itself.
        capped: blocks for which `max_candidates` cut the comparison short.
    """

    representative: I32
    similarity: F64
    capped: int

    def sizes(self) -> I64:
        """int64[n]; at each representative, the blocks of its group; 0 elsewhere."""
        return np.bincount(self.representative, minlength=self.representative.size)


def group(blocks: Blocks, order: I32, config: Config, memory: Memory) -> Groups:
    """Group blocks whose keys are equal or whose shingle sets are alike.

    Equal keys group without MinHash; blocks too short for a shingle match in no other way. One of
    each key goes through LSH, and is verified on exact shingle sets.

    Args:
        blocks: all blocks.
        order: int32[n]; all blocks, the ones that should stay first.
        config: threshold, shingle, permutations, caps.
        memory: where large arrays lie.
    """
    first = equal_keys(blocks, order)
    unique = np.flatnonzero(
        (first == np.arange(first.size)) & (blocks.length() >= config.shingle) & (blocks.key != 0)
    ).astype(np.int32)
    near, similarity, capped = _near(blocks, unique, order, config, memory)
    return Groups(memory.keep(near[first]), memory.keep(similarity[first]), capped)


def without(
    blocks: Blocks,
    groups: Groups,
    out: Bool,
    order: I32,
    config: Config,
    memory: Memory,
    foremost: I64 | tuple[()] = (),
) -> Groups:
    """The groups of the blocks that are left when some, representatives among them, are taken out.

    Members that lose their representative find a new one among themselves, verified anew. So do
    those of groups in which some block is to come first.

    Args:
        blocks: all blocks.
        groups: their groups.
        out: bool; which of the first blocks to take out; they then stand alone.
        order: int32[n]; the order that `groups` was made in.
        config: threshold and shingle.
        memory: where large arrays lie.
        foremost: int64; blocks that come before all others of their groups.
    """
    first = np.asarray(foremost, dtype=np.int64)
    if not out.any() and not first.size:
        return groups
    memory.relax()
    representative = memory.empty(order.size, np.int32)
    similarity = memory.empty(order.size, np.float64)
    representative[:], similarity[:] = groups.representative, groups.similarity
    out = np.pad(out, (0, order.size - out.size))
    anew = out.copy()
    anew[representative[first]] = True
    lost = anew[representative] & ~out
    # The members of each group that lost its representative, as one bucket.
    orphans = order[lost[order]]
    ahead = np.isin(orphans, first)
    orphans = np.concatenate((orphans[ahead], orphans[~ahead]))
    bucket = first_equal(groups.representative[orphans])
    buckets = Buckets(orphans, np.arange(orphans.size + 1), bucket, orphans.size)
    alone = np.flatnonzero(out | lost)
    representative[alone] = alone
    similarity[alone] = 1.0
    if not orphans.size:
        return groups._replace(representative=representative, similarity=similarity)
    found, alike, _ = _star(blocks, orphans, buckets, None, config, memory)
    # Equal keys are equal, however short.
    equal = first_same(blocks, orphans)
    again = equal != np.arange(orphans.size)
    found[again], alike[again] = found[equal[again]], alike[equal[again]]
    representative[orphans] = orphans[found]
    similarity[orphans] = alike
    return groups._replace(representative=representative, similarity=similarity)


def equal_keys(blocks: Blocks, order: I32) -> I32:
    """int32[n]; the foremost block with the same tokens. Blocks without any stand alone."""
    first = np.empty(order.size, dtype=np.int32)
    first[order] = order[first_same(blocks, order)]
    alone = np.flatnonzero(blocks.key == 0)
    first[alone] = alone
    return first


def _near(
    blocks: Blocks, unique: I32, order: I32, config: Config, memory: Memory
) -> tuple[I32, F64, int]:
    """Representatives and similarities among blocks of different keys, for all n blocks."""
    n = order.size
    representative, similarity = memory.empty(n, np.int32), memory.empty(n, np.float64)
    representative[:] = np.arange(n, dtype=np.int32)
    similarity[:] = 1.0
    bands, rows = lsh.optimal_bands(config.threshold, config.num_perm, config.false_negative_weight)
    hashes = minhash.sketch(
        blocks.tokens, blocks.pointer, unique, config.shingle, config.seed, bands, rows, memory,
        config.workers,
    )  # fmt: skip
    buckets = lsh.buckets(hashes, memory, config.workers)
    members = unique[buckets.members]
    if not members.size:
        return representative, similarity, 0
    rank = memory.empty(n, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    foremost = memory.keep(np.argsort(rank[members], kind="stable"))
    found, alike, capped = _star(blocks, members, buckets, foremost, config, memory)
    representative[members] = members[found]
    similarity[members] = alike
    return representative, similarity, capped


def _star(
    blocks: Blocks,
    members: I32,
    buckets: Buckets,
    order: I64 | None,
    config: Config,
    memory: Memory,
) -> tuple[I64, F64, int]:
    """Group members around representatives: positions, similarities, and how many were capped."""
    m = members.size
    sets = shingle_sets(
        blocks.tokens, blocks.pointer, members, config.shingle, memory, config.workers
    )
    found, alike = memory.empty(m, np.int64), memory.empty(m, np.float64)
    head = memory.empty(buckets.size, np.int32)
    head[:] = -1
    owner, chain = (memory.empty(buckets.bucket.size, np.int32) for _ in range(2))
    capped = kernels.group(
        sets.hashes,
        sets.pointer,
        buckets.bucket,
        buckets.pointer,
        np.arange(m) if order is None else order,
        config.threshold,
        config.max_candidates,
        head,
        owner,
        chain,
        np.full(m, -1, dtype=np.int64),
        found,
        alike,
    )
    return found, alike, int(capped)
