"""Groups: blocks that say the same, around the one that stays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.match import kernels
from dedup.match.verify import shingle_sets
from dedup.records import F64, I64, Bool
from dedup.sketch import lsh, minhash
from dedup.text.blocks import Blocks


class Groups(NamedTuple):
    """Which block stands for which.

    Attributes:
        representative: int64[n]; the block that a block matches, itself if none.
        similarity: float64[n]; Jaccard similarity to it; 1.0 for equal keys and for itself.
        capped: blocks for which `max_candidates` cut the comparison short.
    """

    representative: I64
    similarity: F64
    capped: int

    def sizes(self) -> I64:
        """int64[n]; at each representative, the blocks of its group; 0 elsewhere."""
        return np.bincount(self.representative, minlength=self.representative.size)


def group(blocks: Blocks, order: I64, config: Config) -> Groups:
    """Group blocks whose keys are equal or whose shingle sets are alike.

    Equal keys group without MinHash; blocks too short for a shingle match in no other way. One of
    each key goes through LSH, and is verified on exact shingle sets.

    Args:
        blocks: all blocks.
        order: int64[n]; all blocks, the ones that should stay first.
        config: threshold, shingle, permutations, caps.
    """
    first = equal_keys(blocks, order)
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    unique = np.flatnonzero(
        (first == np.arange(first.size)) & (blocks.length() >= config.shingle) & (blocks.key != 0)
    )
    near, similarity, capped = _near(blocks, unique, rank, config)
    representative = near[first]
    return Groups(representative, similarity[first], capped)


def without(blocks: Blocks, groups: Groups, out: Bool, order: I64, config: Config) -> Groups:
    """The groups of the blocks that are left when some, representatives among them, are taken out.

    Members that lose their representative find a new one among themselves, verified anew.

    Args:
        blocks: all blocks.
        groups: their groups.
        out: bool; which of the first blocks to take out; they then stand alone.
        order: int64[n]; the order that `groups` was made in.
        config: threshold and shingle.
    """
    representative, similarity = groups.representative.copy(), groups.similarity.copy()
    mine = np.arange(order.size)
    out = np.pad(out, (0, order.size - out.size))
    orphans: dict[int, list[int]] = {}
    lost = out[representative] & ~out
    for block in order[lost[order]].tolist():
        orphans.setdefault(int(representative[block]), []).append(block)
    representative[out | lost] = mine[out | lost]
    similarity[out | lost] = 1.0
    for members in orphans.values():
        sets = shingle_sets(blocks.tokens, blocks.pointer, np.array(members), config.shingle)
        heads: list[int] = []
        for i, block in enumerate(members):
            alike = [
                (1.0 if blocks.key[block] == blocks.key[members[h]] else sets.jaccard(i, h), -h)
                for h in heads
            ]
            best, head = max(alike, default=(0.0, 0))
            if best >= config.threshold:
                representative[block], similarity[block] = members[-head], best
            else:
                heads.append(i)
    return groups._replace(representative=representative, similarity=similarity)


def equal_keys(blocks: Blocks, order: I64) -> I64:
    """int64[n]; the foremost block with the same key. Blocks without a key stand alone."""
    n = order.size
    by_key = order[np.argsort(blocks.key[order], kind="stable")]
    keys = blocks.key[by_key]
    begins = np.ones(n, dtype=np.bool_)
    begins[1:] = (keys[1:] != keys[:-1]) | (keys[1:] == 0)
    first = np.empty(n, dtype=np.int64)
    first[by_key] = by_key[np.maximum.accumulate(np.where(begins, np.arange(n), 0))]
    return first


def _near(blocks: Blocks, unique: I64, rank: I64, config: Config) -> tuple[I64, F64, int]:
    """Representatives and similarities among blocks of different keys, for all n blocks."""
    n = rank.size
    representative, similarity = np.arange(n, dtype=np.int64), np.ones(n, dtype=np.float64)
    bands, rows = lsh.optimal_bands(config.threshold, config.num_perm, config.false_negative_weight)
    hashes = minhash.sketch(
        blocks.tokens, blocks.pointer, unique, config.shingle, config.seed, bands, rows
    )
    bucket = lsh.buckets(hashes)
    meeting = lsh.meeting(bucket)
    members = unique[meeting]
    sets = shingle_sets(blocks.tokens, blocks.pointer, members, config.shingle)
    m = members.size
    found, alike = np.empty(m, dtype=np.int64), np.empty(m, dtype=np.float64)
    capped = kernels.group(
        sets.hashes,
        sets.pointer,
        np.ascontiguousarray(bucket[:, meeting]),
        np.argsort(rank[members], kind="stable"),
        config.threshold,
        config.max_candidates,
        np.full(bucket.shape, -1, dtype=np.int32),
        np.empty((bands, m), dtype=np.int32),
        np.full(m, -1, dtype=np.int64),
        found,
        alike,
    )
    representative[members] = members[found]
    similarity[members] = alike
    return representative, similarity, int(capped)
