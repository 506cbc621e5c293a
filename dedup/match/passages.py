"""Passages: what two records share in the same order, and reworded blocks in between."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.match import kernels
from dedup.match.groups import Groups
from dedup.match.verify import shingle_sets
from dedup.records import F64, I32, I64, Bool
from dedup.text.corpus import Corpus

CONTAINED = 0.75  # share of a reworded block's tokens that must stand in its counterpart
LONGER = 1.2  # such a paragraph must not be longer than its counterpart by more: it says more
FRAMED, FRAMED_PART = 0.5, 0.25  # the same, and part of `extend`, for the only paragraph in a gap


class Passages(NamedTuple):
    """Blocks taken into a passage below the threshold, in block order, one row each.

    Attributes:
        block: int64[k]; the block.
        match: int64[k]; its counterpart.
        similarity: float64[k]; Jaccard similarity of their shingle sets.
        contained: float64[k]; share of the block's tokens that stand in the counterpart.
    """

    block: I64
    match: I64
    similarity: F64
    contained: F64


_NONE = Passages(*np.zeros((2, 0), dtype=np.int64), *np.zeros((2, 0)))


class Scratch:
    """Room in which the runs of two records are found, enough for the longest record."""

    def __init__(self, first: I64) -> None:
        n = int(np.diff(first).max(initial=0)) + 1
        self.table = np.empty(1 << int(2 * n).bit_length(), dtype=np.int32)
        self.room = np.empty((5, n), dtype=np.int32)
        self.one = np.empty(n, dtype=np.int64)
        self.other = np.empty(n, dtype=np.int64)


def counted(corpus: Corpus, groups: Groups, usable: Bool) -> tuple[I64, I32, I64]:
    """The blocks that count, their representatives, and where each record's begin among them."""
    which = np.flatnonzero(usable)
    return which, groups.representative[which], np.searchsorted(which, corpus.first)


def extend_passages(
    corpus: Corpus, groups: Groups, kept: Bool, free: Bool, out: Bool, config: Config
) -> Passages:
    """Seed and extend: reworded blocks between or next to matched neighbours of two records.

    Args:
        corpus: all records.
        groups: matched blocks.
        kept: bool[n]; blocks that stay so far; only to match these others are taken.
        free: bool[n]; the ones among them that may be taken.
        out: bool[n]; page residue, which neither makes nor parts a passage.
        config: `extend` is the least similarity.
    """
    n = corpus.n
    usable = ~out & (corpus.blocks.key[:n] != 0)
    one, other = _partners(corpus, groups.representative[:n], usable)
    if not one.size:
        return _NONE
    which, label, first = counted(corpus, groups, usable)
    scratch = Scratch(first)
    line = corpus.blocks.headings()[which]
    room = 1024
    while True:
        block, match = np.empty((2, room), dtype=np.int64)
        framed = np.empty(room, dtype=np.bool_)
        found = kernels.gap_pairs(
            label, line, first, one, other, scratch.table, scratch.room, scratch.one,
            scratch.other, block, match, framed,
        )  # fmt: skip
        if found <= room:
            break
        room = found
    block, match, framed = which[block[:found]], which[match[:found]], framed[:found]
    may = free[block] & kept[match]
    block, match, framed = block[may], match[may], framed[may]
    similarity, contained = _alike(corpus, block, match, config.shingle)
    length = corpus.blocks.length()
    framed &= length[block] <= LONGER * length[match]
    alike = similarity >= np.where(framed, FRAMED_PART, 1.0) * config.extend
    alike &= contained >= np.where(framed, FRAMED, CONTAINED)
    # The most similar counterpart of each block, the first of equals.
    order = np.flatnonzero(alike)
    order = order[np.lexsort((match[order], -similarity[order], block[order]))]
    _, first = np.unique(block[order], return_index=True)
    best = order[first]
    best = best[~np.isin(match[best], block[best])]
    return Passages(block[best], match[best], similarity[best], contained[best])


def _partners(corpus: Corpus, representative: I32, usable: Bool) -> tuple[I64, I64]:
    """Pairs of records with two matched blocks or more, the one that repeats first."""
    record = corpus.record_of()
    matched = np.flatnonzero(usable & (representative != np.arange(usable.size)))
    matched = matched[representative[matched] < usable.size]
    mine = record[matched].astype(np.int64)
    theirs = record[representative[matched]].astype(np.int64)
    if mine.size < 2:
        return mine[:0], theirs[:0]
    code = (mine * corpus.records + theirs)[mine != theirs]
    code, shared = np.unique(code, return_counts=True)
    code = code[shared >= 2]
    return code // max(1, corpus.records), code % max(1, corpus.records)


def _alike(corpus: Corpus, one: I64, other: I64, shingle: int) -> tuple[F64, F64]:
    """Jaccard similarity of pairs of blocks, and the share of the first's tokens in the second."""
    blocks = corpus.blocks
    which, place = np.unique(np.concatenate((one, other)), return_inverse=True)
    sets = shingle_sets(blocks.tokens, blocks.pointer, which, shingle)
    words = shingle_sets(blocks.tokens, blocks.pointer, which, 1)
    similarity, contained = np.empty((2, one.size), dtype=np.float64)
    a, b = place[: one.size], place[one.size :]
    kernels.jaccards(sets.hashes, sets.pointer, a, b, similarity)
    kernels.containments(
        blocks.tokens, blocks.pointer, which, words.hashes, words.pointer, a, b, contained
    )
    return similarity, contained
