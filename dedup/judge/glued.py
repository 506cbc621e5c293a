"""Glued residue: what a page puts before or behind an article, run into its first or last line.

A slider's buttons, a list of tags, a line that asks to follow, extracted without the break that
parted them from the prose. Only that part goes. No words are known beforehand: a part is told by
recurring at that edge of a source's different stories and hardly anywhere else, and by leaving
behind what looks like a beginning or an end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dedup.engines.threads import in_order
from dedup.judge.evidence import count_words, marks
from dedup.judge.verdicts import GLUED, GLUED_TAGS, KEPT, Part, Verdicts
from dedup.records import I32, I64, U32, U64, Bool
from dedup.text import kernels
from dedup.text.corpus import Corpus

SUPPORT = 5  # stories of a source that must share a part, and in a large source
SHARE = 0.001  # so many of its records: chance repeats more in much text
AT_EDGE = 0.9  # share of its places that must be at that edge
HEAD_TOKENS = 8  # a part before the prose has at most this many
TAIL_TOKENS = 16  # a part behind it
TAGS_TOKENS = 30  # a list of tags
OFTEN = 0.25  # a sentence with a full stop is a part where it closes so many of a source's records
PARTED = 0.45  # so often what is left of a block begins (or ends) as other blocks do
BORDER = 0.1  # of its places a word that blocks begin (or end) with has at least this part there
SAME = 0.3  # of a part's neighbours at most this part are one and the same word
DATELINE = 4  # so many words at most name the place and the agency that a text begins with
HABIT = 0.1  # of a source's records so many end in tags where that is its habit
LISTS = 0.6  # and so many of the open ends are lists of words
KNOWN = 0.5  # of a list's tags at least this part recur in other lists

_CLOSED = kernels.STOP | kernels.QUESTION | kernels.COLON_END | kernels.DOTS_END
PIECE = 1 << 20  # tokens looked at together
PAIRS = 1 << 18  # pairs of words told apart where it is looked which may be meant
_ODD = np.uint64(0x9E3779B97F4A7C15)
_Gram = tuple[int, bytes]  # a source, and tokens


def glued(
    corpus: Corpus,
    leader: I64,
    verdicts: Verdicts,
    words: I32,
    common: U32,
    workers: int = 1,
) -> list[Part]:
    """Parts of blocks that are residue, in order.

    Args:
        corpus: all records.
        leader: int64[records]; the record that leads each record's story.
        verdicts: what else goes; only blocks that stay are looked at.
        words: int32[WORDS]; `Evidence.words`.
        common: uint32; function words as token hashes.
        workers: edges in work at a time.
    """
    if corpus.records < SUPPORT:
        return []
    blocks = corpus.blocks
    stays = (verdicts.rule == KEPT) & (blocks.key[: corpus.n] != 0) & (corpus.fixed == 0)
    # What `fold` had to fold may have its tokens elsewhere than its words.
    stays &= (blocks.shape[: corpus.n] & kernels.DEFERRED) == 0
    kept = np.flatnonzero(stays).astype(np.int32)
    if not kept.size:
        return []
    record = corpus.record_of()[kept]
    changes = np.flatnonzero(record[1:] != record[:-1]) + 1
    first, last = kept[np.append(0, changes)], kept[np.append(changes, kept.size) - 1]
    del record

    def parts(at_tail: bool) -> list[Part]:
        edge = last if at_tail else first
        return _Edge(corpus, leader, edge, stays, words, at_tail=at_tail).parts()

    heads, tails = in_order(parts, (False, True), workers)
    done = {part.block for part in tails}
    # Few of many: as numbers of Python all of them would take more room than anything else.
    some = last[(blocks.tail[last] > 1) & (blocks.tail[last] <= TAGS_TOKENS)]
    tags = _tags(corpus, leader, [b for b in some.tolist() if b not in done], common)
    return sorted(heads + tails + tags, key=lambda part: (part.block, part.first))


class _Edge:
    """One edge of all records: the tokens their first blocks begin with, or their last end with."""

    def __init__(
        self, corpus: Corpus, leader: I64, edge: I32, stays: Bool, words: I32, at_tail: bool
    ) -> None:
        self._corpus, self._leader, self._at_tail = corpus, leader, at_tail
        self._records = np.bincount(corpus.source)
        self._support = np.maximum(SUPPORT, SHARE * self._records)
        self._stays = stays
        outermost = np.zeros_like(words)
        for at in range(0, corpus.n, PIECE):
            kept = at + np.flatnonzero(stays[at : at + PIECE])
            outermost += count_words(corpus.blocks.tokens[self._outer(kept, 0)])
        # Words that blocks often begin (or end) with.
        self._borders = (outermost >= 2) & (outermost >= BORDER * words)
        self._blocks = self._exclusive(edge)

    def _outer(self, blocks: I32 | I64, k: int) -> I64:
        """Where the token stands that k others part from the edge."""
        pointer = self._corpus.blocks.pointer
        return pointer[blocks + 1] - 1 - k if self._at_tail else pointer[blocks] + k

    def _exclusive(self, edge: I32) -> I32:
        """The blocks whose two outermost words recur at this edge, and hardly anywhere else."""
        pointer = self._corpus.blocks.pointer
        blocks = edge[pointer[edge + 1] - pointer[edge] > 2]
        one, other = self._outer(blocks, 0), self._outer(blocks, 1)
        code = self._pairs(np.minimum(one, other), blocks)
        support = self._support[self._corpus.source[self._corpus.blocks.record[blocks]]]
        codes, example, which, here = np.unique(
            code, return_index=True, return_inverse=True, return_counts=True
        )
        recurs = here >= support[example]
        everywhere = self._count(codes[recurs], np.minimum(one, other)[example[recurs]])
        recurs[recurs] = here[recurs] >= AT_EDGE * everywhere
        found: I32 = blocks[recurs[which]]
        return found

    def _pairs(self, at: I64, blocks: I32 | I64) -> U64:
        """Codes of the words at some places and behind them, in the blocks' sources."""
        tokens = self._corpus.blocks.tokens
        code = tokens[at].astype(np.uint64) << np.uint64(32)
        code |= tokens[at + 1]
        source = self._corpus.source[self._corpus.blocks.record[blocks]]
        return np.asarray(code * _ODD + source.astype(np.uint64))

    def _count(self, codes: U64, examples: I64) -> I64:
        """How often each pair of words stands in the blocks that stay.

        Args:
            codes: uint64, sorted; of `_pairs`.
            examples: where each stands.
        """
        out = np.zeros(codes.size, dtype=np.int64)
        for at, blocks in self._places(examples):
            found = self._pairs(at, blocks)
            which = np.minimum(np.searchsorted(codes, found), codes.size - 1)
            out += np.bincount(which[codes[which] == found], minlength=codes.size)
        return out

    def _places(self, examples: I64) -> Iterator[tuple[I64, I64]]:
        """Where in blocks that stay a pair of words stands like the pairs at some places.

        Yields:
            Places and their blocks. Among them is every place wanted, and few others.
        """
        blocks = self._corpus.blocks
        end = int(blocks.pointer[self._corpus.n])
        known = np.zeros(PAIRS, dtype=np.bool_)
        one, other = blocks.tokens[examples], blocks.tokens[examples + 1]
        known[kernels.pair_mark(one, other, PAIRS)] = True
        room = np.empty(PIECE + 1, dtype=np.int64)
        for at in range(0, end if examples.size else 0, PIECE):
            tokens = blocks.tokens[at : min(at + PIECE + 1, end)]
            places = at + room[: kernels.find_pairs(tokens, known, room)]
            of = np.searchsorted(blocks.pointer, places, side="right") - 1
            inside = self._stays[of] & (places + 1 < blocks.pointer[of + 1])
            yield places[inside], of[inside]

    def parts(self) -> list[Part]:
        """The longest part of each block that is one."""
        places: dict[_Gram, list[int]] = defaultdict(list)
        for b in self._blocks.tolist():
            for gram in self._grams(b):
                places[gram].append(b)
        often = {g: blocks for g, blocks in places.items() if len(blocks) >= self._support[g[0]]}
        counted = {gram: self._stories(blocks) for gram, blocks in often.items()}
        likely = {
            gram: blocks
            for gram, blocks in often.items()
            if counted[gram] >= self._support[gram[0]]
            and self._may_be(gram, blocks)
            and self._parted(gram, blocks)
        }
        elsewhere = self._elsewhere(likely)
        found: dict[int, Part] = {}
        pointer = self._corpus.blocks.pointer
        for gram, blocks in sorted(likely.items(), key=lambda item: len(item[0][1])):
            if len(blocks) < AT_EDGE * (len(blocks) + elsewhere[gram]):
                continue
            for b in blocks:
                size = len(gram[1]) // 4
                first = self._outer(np.array([b]), size - 1)[0] if self._at_tail else pointer[b]
                found[b] = Part(b, int(first - pointer[b]), size, GLUED, counted[gram])
        return list(found.values())

    def _grams(self, block: int) -> Iterator[_Gram]:
        blocks, source = self._corpus.blocks, self._source(block)
        at, end = int(blocks.pointer[block]), int(blocks.pointer[block + 1])
        most = min(TAIL_TOKENS if self._at_tail else HEAD_TOKENS, end - at - 1)
        # A separator within the first words, or right behind them, makes them a dateline.
        lead = int(blocks.lead[block])
        if not self._at_tail and lead:
            most = min(most, lead - 1)
        tokens = blocks.tokens[end - most : end] if self._at_tail else blocks.tokens[at : at + most]
        for k in range(2, most + 1):
            yield source, (tokens[-k:] if self._at_tail else tokens[:k]).tobytes()

    def _source(self, block: int) -> int:
        return int(self._corpus.source[self._corpus.blocks.record[block]])

    def _stories(self, blocks: list[int]) -> int:
        return len(set(self._leader[self._corpus.blocks.record[blocks]].tolist()))

    def _inner(self, gram: _Gram, places: list[int]) -> U32:
        """The words next to a part."""
        at = np.array(places, dtype=np.int64)
        inner: U32 = self._corpus.blocks.tokens[self._outer(at, len(gram[1]) // 4)]
        return inner

    def _share(self, gram: _Gram, places: list[int]) -> float:
        """Part of its source's records that have it."""
        return len(places) / float(self._records[gram[0]])

    def _may_be(self, gram: _Gram, places: list[int]) -> bool:
        """Whether different words stand next to a part, and no sentence of prose ends with it."""
        inner = Counter(self._inner(gram, places).tolist())
        if max(inner.values()) > max(1, SAME * len(places)):
            return False
        closed = (self._corpus.blocks.shape[places] & _CLOSED) != 0
        open_end = closed.mean() <= 1 - AT_EDGE
        return bool(not self._at_tail or open_end or self._share(gram, places) >= OFTEN)

    def _parted(self, gram: _Gram, places: list[int]) -> bool:
        """Whether what is left without a part is whole at that end, too."""
        blocks, size = self._corpus.blocks, len(gram[1]) // 4
        parted = self._borders[marks(self._inner(gram, places))]
        if self._at_tail:
            parted |= blocks.tail[places] == size
        else:
            behind = blocks.lead[places].astype(np.int64) - size
            parted |= (behind > 0) & (behind <= DATELINE)
        return bool(parted.mean() >= PARTED)

    def _elsewhere(self, likely: dict[_Gram, list[int]]) -> Counter[_Gram]:
        """How often each gram stands somewhere else in its source's prose."""
        out: Counter[_Gram] = Counter()
        edge = {gram: set(places) for gram, places in likely.items()}
        if not likely:
            return out
        blocks = self._corpus.blocks
        by_pair: dict[tuple[int, bytes], list[_Gram]] = defaultdict(list)
        for gram in likely:
            by_pair[gram[0], gram[1][:8]].append(gram)
        examples = np.array([self._begin(gram, b[0]) for gram, b in likely.items()])
        for places, of in self._places(examples):
            for at, b in zip(places.tolist(), of.tolist(), strict=True):
                start, stop = int(blocks.pointer[b]), int(blocks.pointer[b + 1])
                for gram in by_pair.get(
                    (self._source(b), blocks.tokens[at : at + 2].tobytes()), ()
                ):
                    size = len(gram[1]) // 4
                    outermost = at + size == stop if self._at_tail else at == start
                    if blocks.tokens[at : min(at + size, stop)].tobytes() == gram[1]:
                        out[gram] += not (outermost and b in edge[gram])
        return out

    def _begin(self, gram: _Gram, block: int) -> int:
        """Where a part begins in one of its blocks."""
        pointer = self._corpus.blocks.pointer
        size = len(gram[1]) // 4
        return int(pointer[block + 1]) - size if self._at_tail else int(pointer[block])


class _List(NamedTuple):
    """An open end that may be a list of tags."""

    block: int
    story: int
    tokens: list[int]


def _tags(corpus: Corpus, leader: I64, last: list[int], common: U32) -> list[Part]:
    """Lists of tags behind the last stop of an article, in sources that have them.

    Prose that lacks its full stop holds function words and is about what nobody else says; a list
    of tags holds none, and its words stand in other lists. `last` are blocks with as many tokens
    behind that stop as such a list may have.
    """
    blocks, record = corpus.blocks, corpus.record_of()
    function = set(common.tolist())
    open_ends: Counter[int] = Counter()
    lists: dict[int, list[_List]] = defaultdict(list)
    for b in last:
        size, end = int(blocks.tail[b]), int(blocks.pointer[b + 1])
        if blocks.shape[b] & _CLOSED:
            continue
        source = int(corpus.source[record[b]])
        open_ends[source] += 1
        tokens = blocks.tokens[end - size : end].tolist()
        if function.isdisjoint(tokens):
            lists[source].append(_List(b, int(leader[record[b]]), tokens))
    sizes = np.bincount(corpus.source)
    found: list[Part] = []
    for source, its in lists.items():
        stories = len({one.story for one in its})
        if stories < max(SUPPORT, HABIT * sizes[source]) or len(its) < LISTS * open_ends[source]:
            continue
        told: dict[int, set[int]] = defaultdict(set)
        for one in its:
            for token in one.tokens:
                told[token].add(one.story)
        for one in its:
            known = sum(len(told[token]) > 1 for token in one.tokens)
            if known >= KNOWN * len(one.tokens):
                size = len(one.tokens)
                first = int(blocks.pointer[one.block + 1] - blocks.pointer[one.block]) - size
                found.append(Part(one.block, first, size, GLUED_TAGS, stories))
    return found
