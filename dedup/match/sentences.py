"""Sentences: passages that stand elsewhere, too, inside blocks that differ.

Sentences are to blocks what blocks are to records: they are grouped by the same stages, so that a
record cut into other paragraphs, or into none, still tells the same story.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.match import kernels
from dedup.match.groups import Groups, group, without
from dedup.match.order import keeping_order
from dedup.match.verify import shingle_sets
from dedup.records import F64, I32, I64, U64, Bool
from dedup.text.corpus import Corpus
from dedup.text.kernels import keys

LEAST_SENTENCES = 2  # a single sentence may be quoted anywhere
LEAST_TOKENS = 20
LONG = 120  # tokens of a block that is hardly a paragraph


class Sentences(NamedTuple):
    """All records once more, each sentence for a block.

    Attributes:
        corpus: the records; `blocks` are the m sentences of the texts, `fixed` and `phrases` are
            those of the blocks, not of the sentences.
        block: int32[m]; the block of each sentence.
        groups: of the sentences.
        order: int32[m]; the order they were grouped in.
    """

    corpus: Corpus
    block: I32
    groups: Groups
    order: I32


class Runs(NamedTuple):
    """Passages that go, in the order of their sentences, one row each.

    Attributes:
        first: int64[k]; the first sentence.
        other: int64[k]; the first one of the passage that says the same.
        size: int64[k]; sentences of each.
        similarity: float64[k]; Jaccard similarity of the two passages' shingle sets.
    """

    first: I64
    other: I64
    size: I64
    similarity: F64


def needed(corpus: Corpus, level: str) -> bool:
    """Whether sentences are compared at this `level`: on "auto", where most text stands in blocks
    longer than paragraphs are.
    """
    if level == "auto":
        length = corpus.blocks.length()[: corpus.n]
        return bool(2 * length[length >= LONG].sum() > length.sum())
    return level == "sentence"


def sentences(corpus: Corpus, rank: I64, config: Config, memory: Memory) -> Sentences:
    """Cut the blocks of all texts into sentences and group these.

    Args:
        corpus: all records; built with sentences.
        rank: int64[records]; the order in which records may represent others.
        config: as for the blocks' groups.
        memory: where large arrays lie.
    """
    blocks, n = corpus.blocks, corpus.n
    filled = np.flatnonzero(blocks.length()[:n])
    pointer = np.concatenate((blocks.pointer[filled], blocks.cut))
    order = np.argsort(pointer, kind="stable")
    pointer = np.append(pointer[order], blocks.pointer[n])
    block = np.searchsorted(blocks.pointer[:n], pointer[:-1], side="right").astype(np.int32) - 1
    start = np.concatenate((blocks.start[filled], blocks.cut_start))[order]
    end = blocks.end[block]
    inside = np.flatnonzero(block[1:] == block[:-1])
    end[inside] = start[inside + 1]
    m = block.size
    key = memory.empty(m, np.uint64)
    keys(blocks.tokens, pointer, key)
    cut = blocks._replace(
        record=blocks.record[block], start=start, end=end, key=key, pointer=pointer,
        shape=blocks.shape[block],
    )  # fmt: skip
    first = np.searchsorted(cut.record, np.arange(corpus.records + 1)).astype(np.int64)
    mine = corpus._replace(blocks=cut, n=m, titles=0, first=first)
    foremost = memory.keep(keeping_order(mine, rank))
    return Sentences(mine, block, group(cut, foremost, config, memory), foremost)


def shared_passages(found: Sentences, usable: Bool, config: Config, memory: Memory) -> Runs:
    """Passages of a block that stand in another one, too, verified.

    Args:
        found: all sentences.
        usable: bool[m]; the sentences that passages may hold.
        config: threshold and shingle.
        memory: where large arrays lie.
    """
    blocks, m = found.corpus.blocks, found.corpus.n
    groups = without(blocks, found.groups, ~usable, found.order, config, memory)
    hashes, pointer = _sets_near(found, groups, usable, config.shingle, memory)
    first, other, count = (np.empty(m // LEAST_SENTENCES + 1, dtype=np.int64) for _ in range(3))
    size = kernels.shared_runs(
        hashes, pointer, blocks.key, blocks.length(), blocks.record, found.block,
        groups.representative, found.order, usable, config.threshold, LEAST_SENTENCES,
        LEAST_TOKENS, np.zeros(m, dtype=np.uint8), first, other, count,
    )  # fmt: skip
    first, other, count = first[:size], other[:size], count[:size]
    similarity = _similarity(found.corpus, first, other, count, config.shingle)
    sure = np.flatnonzero(similarity >= config.threshold)
    sure = sure[np.argsort(first[sure], kind="stable")]
    return Runs(first[sure], other[sure], count[sure], similarity[sure])


def _sets_near(
    found: Sentences, groups: Groups, usable: Bool, shingle: int, memory: Memory
) -> tuple[U64, I64]:
    """The shingle sets of sentences that may be in a run; empty ones for the others."""
    blocks, m = found.corpus.blocks, found.corpus.n
    one = np.flatnonzero(usable & (groups.representative != np.arange(m, dtype=np.int32)))
    near = np.zeros(m, dtype=np.bool_)
    for record in (blocks.record[one], blocks.record[groups.representative[one]]):
        touched = np.zeros(found.corpus.records, dtype=np.bool_)
        touched[record] = True
        near |= touched[blocks.record]
    which = np.flatnonzero(near & usable)
    sets = shingle_sets(blocks.tokens, blocks.pointer, which, shingle, memory)
    size = np.zeros(m + 1, dtype=np.int64)
    size[which + 1] = np.diff(sets.pointer)
    return sets.hashes, np.cumsum(size)


def _similarity(corpus: Corpus, first: I64, other: I64, count: I64, shingle: int) -> F64:
    """Jaccard similarity of pairs of passages; 1 where their tokens are the same."""
    tokens, pointer = corpus.blocks.tokens, corpus.blocks.pointer
    begins = np.stack((first, other), axis=1).ravel()
    ends = begins + np.repeat(count, 2)
    bounds = np.stack((pointer[begins], pointer[ends]), axis=1).ravel()
    passages = np.arange(begins.size, dtype=np.int32) * 2
    sets = shingle_sets(tokens, bounds, passages, shingle)
    out = np.empty(first.size, dtype=np.float64)
    pairs = np.arange(first.size, dtype=np.int64) * 2
    kernels.jaccards(sets.hashes, sets.pointer, pairs, pairs + 1, out)
    return out
