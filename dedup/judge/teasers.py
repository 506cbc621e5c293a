"""Teasers: paragraphs about other stories at the end of a record.

Form cannot tell them from the record's own prose. What can: they are other records' first
paragraphs, or the first sentences of these; they have few words in common with what stands above
them; the source closes many of its records so, mostly with the same number of them. Where that is
known of a source, the end of a record that is most likely none of its own goes, too: paragraphs
that open as leads do, name the day, point back to nothing and say nothing of what stands above.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.judge.evidence import Evidence, radical_waw
from dedup.judge.verdicts import FOREIGN_END, KEPT, TEASER, Verdicts
from dedup.records import F64, I64, U32, Bool
from dedup.text import kernels, lexicon
from dedup.text.blocks import tokens_of
from dedup.text.corpus import Corpus

TEASER_ZONE = 8  # blocks from the end in which teasers stand
SERIES = 2  # records that show how many teasers a source's records end in
SERIES_SHARE = 0.05  # of its records, if they are more
CLOSED = 0.1  # where teasers are known of so many of a source's records, others may have some
RARELY = 0.02  # of its records, if one teaser alone is its custom
SURELY = 4.0  # log-odds from which an end is not the record's own
LEAST = 0.5  # each paragraph's own
PLAINLY = 10.0  # and as much a record tells, on average, of a source that closes records so
FEW = 2  # records that tell it at least
TEASER_OVERLAP = 0.35  # of its words a teaser shares hardly more with the prose above it
LEAD_TOKENS = 8
BRIEF = 12  # tokens; whole sentences about a story of its own have more
RECURS = 0.6  # of its places a teaser that recurs has at the tail
DOUBT = 3  # paragraphs by which a record's own manner of opening is drawn to its source's
PIECE = 1 << 20  # of more tokens only some are counted
_MASK = np.uint32((1 << 18) - 1)

# Logistic regression of teasers against the last paragraphs of articles, such as open as leads do,
# fitted by benchmarks/quality/fit_ends.py: constant; shares of its words, by weight, in the prose
# above it and in the record's first block; names of days; words that point back; whether it is
# another story's lead; whether it recurs at the tail; whether it has several sentences; share of
# the prose above that opens as leads do; whether it is brief, and whether a function word opens it.
WEIGHTS = (3.7, -6.4, -3.8, 2.1, -0.7, 3.3, 1.6, -3.8, -5.1, -0.8, -1.4)
LEADS, AGAIN = 5, 6  # where it stands that a teaser is known from elsewhere
MOST_DAYS, MOST_BACK = 2, 3  # counted
WORDS = ("day", "back", "inner")


def judge_teasers(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> None:
    """Mark teasers, those that are known from elsewhere first.

    Args:
        corpus: all records.
        evidence: of all blocks.
        verdicts: marked in place.
    """
    kept = verdicts.rule == KEPT
    opens = opens_a_story(corpus, evidence)
    after = behind(corpus, kept)
    zone = kept & (after < TEASER_ZONE) & (evidence.place > 0) & opens
    seeds: dict[int, list[int]] = {}
    record = corpus.record_of()
    for b in np.flatnonzero(zone & (evidence.lead_of >= 0)).tolist():
        r = int(record[b])
        often = evidence.spread[b] >= 3 and evidence.tail[b] >= 0.5
        if often or _overlap(corpus, b, r, seeds.get(r, [b])[0]) <= TEASER_OVERLAP:
            seeds.setdefault(r, []).append(b)
    known = {
        r for r, found in seeds.items() if _leads_of_own(corpus, evidence, np.array(found)).any()
    }
    again = zone & ~evidence.heading & ~evidence.passage & (evidence.spread > 1)
    for b in np.flatnonzero(again & (evidence.tail >= RECURS)).tolist():
        if _overlap(corpus, b, int(record[b]), b) <= TEASER_OVERLAP:
            known.add(int(record[b]))
    found, whole = _known_ends(corpus, evidence, kept, opens, seeds)
    verdicts.mark(found, TEASER)
    ends = Ends.of(corpus, evidence, kept, opens, after)
    ends.most[whole] = 0
    foreign = _foreign_ends(corpus, evidence, ends, known)
    which = np.array([b for b in foreign if verdicts.rule[b] == KEPT], dtype=np.int64)
    verdicts.mark(which[evidence.lead_of[which] >= 0], TEASER)
    which = which[verdicts.rule[which] == KEPT]
    verdicts.mark(which, FOREIGN_END)
    verdicts.contained[which] = [foreign[b] for b in which.tolist()]


def behind(corpus: Corpus, kept: Bool) -> I64:
    """int64[n]; blocks that stay behind each block in its record."""
    upto = np.append(0, np.cumsum(kept))
    out: I64 = upto[corpus.first[1:]][corpus.record_of()] - upto[1:]
    return out


def _known_ends(
    corpus: Corpus, evidence: Evidence, kept: Bool, opens: Bool, seeds: dict[int, list[int]]
) -> tuple[I64, list[int]]:
    """Teasers whose stories are in the input, and those beside them; records that end in series."""
    upto = np.append(0, np.cumsum(kept))
    by_source: dict[int, list[int]] = {}
    for r in seeds:
        by_source.setdefault(int(corpus.source[r]), []).append(r)
    sizes = np.bincount(corpus.source, minlength=len(corpus.sources))
    found: list[int] = []
    whole: list[int] = []
    for source, records in by_source.items():
        ends = {r: int(upto[corpus.first[r + 1]] - upto[seeds[r][0]]) for r in records}
        many = [ends[r] for r in records if len(seeds[r]) >= 2]
        usual = int(np.median(many)) if many else 0
        alike = 2 * many.count(usual) > len(many) >= max(SERIES, SERIES_SHARE * sizes[source])
        for r in records:
            if alike and len(seeds[r]) >= 2:
                found += _series(corpus, opens, r, seeds[r][0], usual)
                whole.append(r)
            else:
                last = _last_of(seeds[r], kept, int(corpus.first[r + 1]))
                # One may be what another outlet begins with, or its own last word where a source
                # closes hardly any record so.
                own = _leads_of_own(corpus, evidence, np.array(last, dtype=np.int64)).all()
                habit = len(records) >= RARELY * sizes[source]
                found += last if len(last) > 1 or (own and habit) else []
    return np.array(found, dtype=np.int64), whole


def _foreign_ends(
    corpus: Corpus, evidence: Evidence, ends: Ends, known: set[int]
) -> dict[int, float]:
    """Paragraphs that end records and most likely are not theirs, in sources that close so.

    Args:
        corpus: all records.
        evidence: of all blocks.
        ends: of all records.
        known: records whose ends are teasers for other reasons.

    Returns:
        block -> share of its words, by weight, that stand in what is left above.
    """
    sources = len(corpus.sources)
    enough = CLOSED * np.bincount(corpus.source, minlength=sources)
    others = np.bincount(corpus.source[sorted(known)], minlength=sources)
    may = np.bincount(corpus.source[ends.possible(2)], minlength=sources)
    sure = others >= np.maximum(1, enough)
    found: dict[int, float] = {}
    for source in np.flatnonzero(sure | (may >= np.maximum(FEW, enough))).tolist():
        records = np.flatnonzero(ends.possible(1) & (corpus.source == source))
        likely = [_foreign_end(corpus, evidence, ends, r) for r in records.tolist()]
        told = sum(end.score for end in likely if len(end.shared) > 1)
        if sure[source] or told >= PLAINLY * max(FEW, enough[source]):
            taken = {int(corpus.blocks.key[b]) for end in likely for b in end.shared}
            for r, end in zip(records.tolist(), likely, strict=True):
                found |= end.shared or _told_end(corpus, evidence, ends, r, taken).shared
    return found


def opens_a_story(corpus: Corpus, evidence: Evidence) -> Bool:
    """bool[n]; blocks that open as leads do: with no word that goes on from something."""
    n, blocks = corpus.n, corpus.blocks
    shape = blocks.shape[:n]
    joined = ((shape & kernels.WAW) != 0) & ~radical_waw(corpus)
    item = (shape & (kernels.BULLET | kernels.NUMBERED)) != 0
    told = corpus.phrases["prose"] == 0
    return np.asarray(~joined & ~item & told & (evidence.length >= LEAD_TOKENS))


def _leads_of_own(corpus: Corpus, evidence: Evidence, which: I64) -> Bool:
    """bool[k]; of some blocks, those that say what another story of their source begins with."""
    lead = evidence.lead_of[which]
    source = corpus.source[corpus.blocks.record[which]]
    return np.asarray((lead >= 0) & (corpus.source[np.maximum(lead, 0)] == source))


class End(NamedTuple):
    """The end of a record that is most likely not its own.

    Attributes:
        score: its log-odds.
        shared: block -> share of its words, by weight, that stand in what is left above.
    """

    score: float
    shared: dict[int, float]


class Ends(NamedTuple):
    """What tells the ends of records.

    Attributes:
        closing: bool[n]; paragraphs that teasers may be.
        most: int64[records]; how many of them each record ends in, two blocks left above.
        opens: bool[n]; of `opens_a_story`.
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
    def of(cls, corpus: Corpus, evidence: Evidence, kept: Bool, opens: Bool, behind: I64) -> Ends:
        """Of all records."""
        record = corpus.record_of()
        upto = np.append(0, np.cumsum(kept))
        rank = upto[:-1] - upto[corpus.first[:-1]][record]
        paragraph = kept & ~evidence.heading & (rank > 0)
        own = paragraph & (behind >= TEASER_ZONE // 2)
        source, sizes = corpus.source[record], len(corpus.sources)
        # One in ten, before anything is known.
        opening = (1 + np.bincount(source[own & opens], minlength=sizes)) / (
            10 + np.bincount(source[own], minlength=sizes)
        )
        closing = paragraph & opens & (behind < TEASER_ZONE) & (rank > 1)
        other = np.flatnonzero(kept & ~closing)
        most = np.zeros(corpus.records, dtype=np.int64)
        most[record[other]] = behind[other]  # the last one counts
        days, back, inner = (lexicon.words(role, corpus.seed) for role in WORDS)
        return cls(
            closing, most, opens, kept, opening, _weights(corpus, evidence), days, back, inner
        )

    def possible(self, size: int) -> Bool:
        """bool[records]; those with so many paragraphs at the end that may be teasers."""
        return self.most >= size


def _foreign_end(corpus: Corpus, evidence: Evidence, ends: Ends, record: int) -> End:
    """The likeliest end of a record, an empty one if that is its own."""
    first, stop = int(corpus.first[record]), int(corpus.first[record + 1])
    stays = first + np.flatnonzero(ends.kept[first:stop])
    best = End(SURELY, {})
    for start, x in features(corpus, evidence, ends, stays, stays.size - int(ends.most[record])):
        each = x @ np.array(WEIGHTS)
        score = float(each.sum())
        # One alone may be the prose's last word, unless it is known from elsewhere.
        enough = len(x) > 1 or bool(x[0, LEADS] or x[0, AGAIN])
        enough &= not _listed(corpus, stays[start:])
        if score > best.score and each.min() > LEAST and enough:
            shared = dict(zip(stays[start:].tolist(), x[:, 1].tolist(), strict=True))
            best = End(score, shared)
    return best


def _told_end(corpus: Corpus, evidence: Evidence, ends: Ends, record: int, told: set[int]) -> End:
    """From the first paragraph on that ends other records: behind a teaser nothing goes on."""
    first, stop = int(corpus.first[record]), int(corpus.first[record + 1])
    stays = first + np.flatnonzero(ends.kept[first:stop])
    least = stays.size - int(ends.most[record])
    best = End(0.0, {})
    for start, x in features(corpus, evidence, ends, stays, least):
        if int(corpus.blocks.key[stays[start]]) in told:
            best = End(0.0, dict(zip(stays[start:].tolist(), x[:, 1].tolist(), strict=True)))
    return best


def features(
    corpus: Corpus, evidence: Evidence, ends: Ends, stays: I64, least: int
) -> list[tuple[int, F64]]:
    """What tells the paragraphs of each possible end, in the order of `WEIGHTS`.

    Args:
        corpus: all records.
        evidence: of all blocks.
        ends: of all records.
        stays: int64[m]; the blocks of a record that stay.
        least: the first of them that may begin an end.

    Returns:
        Where an end begins, from the shortest to the longest, and float64[m - that, 11].
    """
    if least >= stays.size:
        return []
    blocks = corpus.blocks
    pointer, tokens = tokens_of(blocks.tokens, blocks.pointer, stays)
    of = np.repeat(np.arange(stays.size), np.diff(pointer))
    known, at = np.unique(tokens, return_index=True)
    first_in = of[at]  # the first block of each word
    rows = stays.size - least
    x = np.zeros((rows, len(WEIGHTS)))
    x[:, 0] = 1.0
    inside = []
    for k, b in enumerate(stays[least:].tolist()):
        mine = tokens[pointer[least + k] : pointer[least + k + 1]]
        words = np.unique(mine)
        weight = ends.weight[words & _MASK]
        where = first_in[np.searchsorted(known, words)]
        total = max(1e-9, float(weight.sum()))
        inside.append((where, weight / total))
        x[k, 2] = weight[where == 0].sum() / total
        x[k, 3] = min(MOST_DAYS, int(np.isin(mine, ends.days).sum()))
        x[k, 4] = min(MOST_BACK, int(np.isin(mine, ends.back).sum()))
        low, high = blocks.pointer[b], blocks.pointer[b + 1]
        x[k, 7] = np.searchsorted(blocks.cut, high) > np.searchsorted(blocks.cut, low, "right")
    which = stays[least:]
    x[:, LEADS] = _leads_of_own(corpus, evidence, which)
    x[:, AGAIN] = (evidence.spread[which] > 1) & (evidence.tail[which] >= RECURS)
    x[:, AGAIN] *= ~evidence.passage[which]
    x[:, 9] = evidence.length[which] < BRIEF
    x[:, 10] = np.isin(blocks.tokens[blocks.pointer[which]], ends.inner)
    usual = float(ends.opening[corpus.source[blocks.record[stays[0]]]])
    out = []
    for start in range(stays.size - 1, least - 1, -1):
        if start + 1 < stays.size and _alike(tokens, pointer, start):
            break  # items of a list
        end = x[start - least :].copy()
        end[:, 1] = [weight[where < start].sum() for where, weight in inside[start - least :]]
        above = ends.opens[stays[1:start]]
        end[:, 8] = (above.sum() + DOUBT * usual) / (above.size + DOUBT)
        out.append((start, end))
    return out


def _listed(corpus: Corpus, which: I64) -> bool:
    """Whether most of some blocks, two at least, open with the same two words: items of a list."""
    tokens, at = corpus.blocks.tokens, corpus.blocks.pointer[which]
    opening = (tokens[at].astype(np.int64) << 32) + tokens[at + 1]
    _, times = np.unique(opening, return_counts=True)
    return bool(times.max() >= max(2, (which.size + 1) // 2))


def _alike(tokens: U32, pointer: I64, block: int) -> bool:
    """Whether most words of a block stand in the one behind it, or of that one in it."""
    first, second = (np.unique(tokens[pointer[b] : pointer[b + 1]]) for b in (block, block + 1))
    both = np.intersect1d(first, second, assume_unique=True).size
    return 2 * both > min(first.size, second.size)


def _series(corpus: Corpus, opens: Bool, record: int, seed: int, usual: int) -> range:
    """The usual number of teasers that a record ends in, from the first that is known on."""
    first, end = int(corpus.first[record]), int(corpus.first[record + 1])
    start = max(seed, end - usual)
    while (
        end - start < usual
        and start - 1 > first
        and opens[start - 1]
        and _overlap(corpus, start - 1, record, start - 1) <= TEASER_OVERLAP
    ):
        start -= 1
    return range(start, end)


def _last_of(seeds: list[int], kept: Bool, end: int) -> list[int]:
    """Those that a record ends in: nothing that stays stands between or behind them."""
    last: list[int] = []
    stays = [b for b in range(seeds[0], end) if kept[b]]
    while stays and seeds and seeds[-1] == stays[-1]:
        last.append(seeds.pop())
        stays.pop()
    return last


def _weights(corpus: Corpus, evidence: Evidence) -> F64:
    """float64; how much each word tells, words told by their hashes' last bits only."""
    blocks = corpus.blocks
    tokens = blocks.tokens[: blocks.pointer[corpus.n]]
    step = 1 + tokens.size // PIECE
    count = step * np.bincount(tokens[::step] & _MASK, minlength=_MASK + 1)
    paragraphs = max(1, int((~evidence.heading).sum()))
    out: F64 = np.log(np.maximum(1.0, (1 + paragraphs) / (0.5 + count)))
    return out


def _overlap(corpus: Corpus, block: int, record: int, end: int) -> float:
    """Share of a block's tokens that stand in its record's blocks before `end`."""
    tokens, pointer = corpus.blocks.tokens, corpus.blocks.pointer
    mine = np.unique(tokens[pointer[block] : pointer[block + 1]])
    above = tokens[pointer[corpus.first[record]] : pointer[end]]
    return float(np.isin(mine, above).mean()) if mine.size else 0.0
