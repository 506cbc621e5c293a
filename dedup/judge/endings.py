"""The ends of records: what tells paragraphs about other stories there from a record's own.

All that is known of many ends is put together at once, as arrays. A place in an end is counted from
the record's last block, 0, upwards; an end that begins at place s holds the places 0 to s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dedup.judge.evidence import Evidence, marks
from dedup.records import F64, I32, I64, U32, Bool
from dedup.sketch.lsh import first_equal
from dedup.text import lexicon
from dedup.text.blocks import tokens_of
from dedup.text.corpus import Corpus

ZONE = 8  # places in which teasers stand
SURELY = 4.0  # log-odds from which an end is not the record's own
LEAST = 0.5  # each paragraph's own
BRIEF = 12  # tokens; whole sentences about a story of its own have more
RECURS = 0.6  # of its places a teaser that recurs has at the tail
DOUBT = 3  # paragraphs by which a record's own manner of opening is drawn to its source's
RECORDS = 512  # whose ends are put together at once

# Logistic regression of teasers against the last paragraphs of articles, such as open as leads do,
# fitted by benchmarks/quality/fit_ends.py: constant; shares of its words, by weight, in the prose
# above it and in the record's first block; names of days; words that point back; whether it is
# another story's lead; whether it recurs at the tail; whether it has several sentences; share of
# the prose above that opens as leads do; whether it is brief, and whether a function word opens it.
WEIGHTS = (3.7, -6.4, -3.8, 2.1, -0.7, 3.3, 1.6, -3.8, -5.1, -0.8, -1.4)
ABOVE, FIRST, DAYS, BACK, LEADS, AGAIN, SEVERAL, OPENING, SHORT, INNER = range(1, len(WEIGHTS))
MOST_DAYS, MOST_BACK = 2, 3  # counted
WORDS = ("day", "back", "inner")


class Ends(NamedTuple):
    """What tells the ends of records.

    Attributes:
        closing: bool[n]; paragraphs that teasers may be.
        most: int64[records]; how many of them each record ends in, two blocks left above.
        opens: bool[n]; blocks that open as leads do.
        kept: bool[n]; what nothing removes.
        opening: float64[sources]; share of a source's own paragraphs that open as leads do.
        weight: float64; how much each word tells, words told by their hashes' last bits only.
        days, back, inner: uint32, sorted; token hashes of names of days, of what points back, and
            of function words that seldom open a lead.
    """

    closing: Bool
    most: I64
    opens: Bool
    kept: Bool
    opening: F64
    weight: F64
    days: U32
    back: U32
    inner: U32

    @classmethod
    def of(cls, corpus: Corpus, evidence: Evidence, kept: Bool, opens: Bool, behind: I32) -> Ends:
        """Of all records."""
        record = corpus.record_of()
        upto = np.append(np.int32(0), np.cumsum(kept, dtype=np.int32))
        rank = upto[:-1] - upto[corpus.first[:-1]][record]
        paragraph = kept & ~evidence.heading & (rank > 0)
        own = paragraph & (behind >= ZONE // 2)
        source, sizes = corpus.source[record], len(corpus.sources)
        # One in ten, before anything is known.
        opening = (1 + np.bincount(source[own & opens], minlength=sizes)) / (
            10 + np.bincount(source[own], minlength=sizes)
        )
        closing = paragraph & opens & (behind < ZONE) & (rank > 1)
        other = np.flatnonzero(kept & ~closing)
        most = np.zeros(corpus.records, dtype=np.int64)
        most[record[other]] = behind[other]  # the last one counts
        days, back, inner = (lexicon.words(role, corpus.seed) for role in WORDS)
        return cls(closing, most, opens, kept, opening, _weights(evidence), days, back, inner)

    def possible(self, size: int) -> Bool:
        """bool[records]; those with so many paragraphs at the end that may be teasers."""
        return self.most >= size

    def stays(self, corpus: Corpus, records: I64) -> tuple[I64, I64]:
        """The blocks of some records that stay, and int64[k + 1], where each record's begin."""
        size = corpus.first[records + 1] - corpus.first[records]
        begins = np.append(0, np.cumsum(size))
        blocks = np.arange(begins[-1]) + np.repeat(corpus.first[records] - begins[:-1], size)
        kept = self.kept[blocks]
        return blocks[kept], np.append(0, np.cumsum(kept))[begins]


class Features(NamedTuple):
    """What tells the paragraphs of each possible end of k records.

    Attributes:
        block: int64[k, ZONE]; the block at each place, -1 where no end may begin.
        x: float64[k, ZONE, features]; in the order of `WEIGHTS`, but those that hang on where the
            end begins.
        above: float64[k, ZONE, ZONE]; share of the words of the first place, by weight, that stand
            above an end which begins at the second.
        opening: float64[k, ZONE]; share of the prose above an end there that opens as leads do.
        begins: bool[k, ZONE]; whether an end may begin there.
    """

    block: I64
    x: F64
    above: F64
    opening: F64
    begins: Bool

    def rows(self, record: int, place: int) -> F64:
        """float64[place + 1, features]; of one end, its first paragraph first."""
        x: F64 = self.x[record, place::-1].copy()
        x[:, ABOVE] = self.above[record, place::-1, place]
        x[:, OPENING] = self.opening[record, place]
        return x

    def taken(self, place: I64) -> Taken:
        """The paragraphs of the ends that begin at some places, -1 for none."""
        record, at = np.nonzero(np.arange(ZONE) <= place[:, None])
        return Taken(self.block[record, at], self.above[record, at, place[record]])


class Taken(NamedTuple):
    """Paragraphs of ends.

    Attributes:
        block: int64[m].
        above: float64[m]; share of its words, by weight, that stand above that end.
    """

    block: I64
    above: F64

    @classmethod
    def joined(cls, parts: Sequence[Taken]) -> Taken:
        """All of some."""
        if not parts:
            return cls(np.zeros(0, dtype=np.int64), np.zeros(0))
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Found(NamedTuple):
    """The likeliest end of each of k records.

    Attributes:
        place: int64[k]; where it begins, -1 where the record's end is its own.
        score: float64[k]; its log-odds.
    """

    place: I64
    score: F64


def in_pieces(
    corpus: Corpus, evidence: Evidence, ends: Ends, records: I64
) -> Iterator[tuple[slice, Features]]:
    """Which of some records, and what tells their ends."""
    for at in range(0, records.size, RECORDS):
        part = slice(at, min(at + RECORDS, records.size))
        some = records[part]
        yield part, features(corpus, evidence, ends, *ends.stays(corpus, some), ends.most[some])


def features(
    corpus: Corpus, evidence: Evidence, ends: Ends, stays: I64, pointer: I64, most: I64
) -> Features:
    """What tells the possible ends of some records.

    Args:
        corpus: all records.
        evidence: of all blocks.
        ends: of all records.
        stays: the blocks of these records that stay.
        pointer: int64[k + 1]; where each record's begin among them.
        most: int64[k]; how many of a record's last ones may be teasers, fewer than all, `ZONE` at
            most.
    """
    blocks, n, k = corpus.blocks, stays.size, most.size
    first, tokens = tokens_of(blocks.tokens, blocks.pointer, stays)
    of = np.repeat(np.arange(n), np.diff(first))
    record = np.repeat(np.arange(k), np.diff(pointer))
    place = pointer[1:][record] - 1 - np.arange(n)
    tail = place < most[record]
    # Each word of a block once, and the first block of its record that has it.
    once = first_equal((of << 32) | tokens) == np.arange(tokens.size)
    where = of[first_equal((record[of] << 32) | tokens)]
    word = np.flatnonzero(once & tail[of])
    block, where, told = of[word], where[word], tokens[word]
    weight = ends.weight[marks(told)]
    total = np.maximum(1e-9, np.bincount(block, weight, n))
    far = np.minimum(place[where], ZONE)
    by_place = np.bincount(block * (ZONE + 1) + far, weight, n * (ZONE + 1)).reshape(n, ZONE + 1)
    above = by_place[:, :0:-1].cumsum(axis=1)[:, ::-1] / total[:, None]
    x = np.zeros((n, len(WEIGHTS)))
    x[:, 0] = 1.0
    x[:, FIRST] = np.bincount(block, weight * (where == pointer[record[block]]), n) / total
    at = np.flatnonzero(tail[of])
    for column, names, largest in ((DAYS, ends.days, MOST_DAYS), (BACK, ends.back, MOST_BACK)):
        named = at[np.isin(tokens[at], names)]
        x[:, column] = np.minimum(largest, np.bincount(of[named], minlength=n))
    x[:, LEADS] = leads_of_own(corpus, evidence, stays)
    x[:, AGAIN] = (evidence.spread[stays] > 1) & (evidence.tail[stays] >= RECURS)
    x[:, AGAIN] *= ~evidence.passage[stays]
    cuts = np.searchsorted(blocks.cut, blocks.pointer[stays + 1])
    x[:, SEVERAL] = cuts > np.searchsorted(blocks.cut, blocks.pointer[stays], "right")
    x[:, SHORT] = evidence.length[stays] < BRIEF
    x[:, INNER] = np.isin(blocks.tokens[blocks.pointer[stays]], ends.inner)
    # Where a block is like the one behind it, both are items of a list.
    codes = (block << 32) | told
    shared = first_equal(np.append(codes, codes - (1 << 32)))[codes.size :] < codes.size
    both = np.bincount(block[shared] - 1, minlength=n)
    size = np.bincount(block, minlength=n)
    alike = tail & (2 * both > np.minimum(size, np.append(size[1:], 0))) & (place > 0)
    upto = np.append(0, np.cumsum(ends.opens[stays]))
    head = pointer[:-1][record] + 1
    leads = upto[:-1] - upto[np.minimum(head, n)]
    usual = ends.opening[corpus.source[blocks.record[stays]]]
    opening = (leads + DOUBT * usual) / (np.arange(n) - head + DOUBT)
    place = np.arange(ZONE)
    known = place < most[:, None]
    which = np.where(known, pointer[1:, None] - 1 - place, 0)
    begins = known & ~np.logical_or.accumulate(alike[which] & known, axis=1)
    return Features(
        np.where(known, stays[which], -1), x[which], above[which], opening[which], begins
    )


def likeliest(corpus: Corpus, found: Features) -> Found:
    """The end of each record that is most likely not its own."""
    w = np.array(WEIGHTS)
    place = np.arange(ZONE)
    each = (found.x @ w)[:, :, None] + w[ABOVE] * found.above + w[OPENING] * found.opening[:, None]
    within = place[:, None] <= place
    score = np.where(within, each, 0.0).sum(axis=1)
    least = np.where(within, each, np.inf).min(axis=1)
    enough = found.begins & (least > LEAST) & ~_listed(corpus, found.block)
    # One alone may be the prose's last word, unless it is known from elsewhere.
    enough[:, 0] &= (found.x[:, 0, LEADS] + found.x[:, 0, AGAIN]) > 0
    score = np.where(enough & (score > SURELY), score, -np.inf)
    best = score.argmax(axis=1)
    top = score.max(axis=1)
    return Found(np.where(top > SURELY, best, -1), np.where(top > SURELY, top, 0.0))


def leads_of_own(corpus: Corpus, evidence: Evidence, which: I64) -> Bool:
    """bool[k]; of some blocks, those that say what another story of their source begins with."""
    lead = evidence.lead_of[which]
    source = corpus.source[corpus.blocks.record[which]]
    return np.asarray((lead >= 0) & (corpus.source[np.maximum(lead, 0)] == source))


def _listed(corpus: Corpus, block: I64) -> Bool:
    """bool[k, ZONE]; ends of which most paragraphs, two at least, open with the same two words:
    items of a list.
    """
    tokens, at = corpus.blocks.tokens, corpus.blocks.pointer[np.maximum(block, 0)]
    behind = tokens[np.minimum(at + 1, tokens.size - 1)]
    opening = np.where(block >= 0, (tokens[at].astype(np.int64) << 32) + behind, -1)
    times = (opening[:, :, None] == opening[:, None]).cumsum(axis=2)  # in the places up to each
    place = np.arange(block.shape[1])
    most = np.where(place[:, None] <= place, times, 0).max(axis=1)
    return np.asarray(most >= np.maximum(2, (place + 2) // 2))


def _weights(evidence: Evidence) -> F64:
    """float64[WORDS]; how much each word tells."""
    paragraphs = max(1, int((~evidence.heading).sum()))
    out: F64 = np.log(np.maximum(1.0, (1 + paragraphs) / (0.5 + evidence.words)))
    return out
