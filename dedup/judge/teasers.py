"""Teasers: paragraphs about other stories at the end of a record.

Form cannot tell them from the record's own prose. What can: they are other records' first
paragraphs, or the first sentences of these; they have few words in common with what stands above
them; the source closes many of its records so, mostly with the same number of them. Where that is
known of a source, the end of a record that is most likely none of its own goes, too: paragraphs
that open as leads do, name the day, point back to nothing and say nothing of what stands above.
"""

from __future__ import annotations

import numpy as np

from dedup.judge import endings
from dedup.judge.endings import Ends, Taken, in_pieces, leads_of_own, likeliest
from dedup.judge.evidence import Evidence, Prior
from dedup.judge.habits import ENDS
from dedup.judge.verdicts import FOREIGN_END, KEPT, TEASER, Verdicts
from dedup.records import I32, I64, U64, Bool
from dedup.sketch.lsh import is_in
from dedup.text import kernels
from dedup.text.corpus import Corpus

SERIES = 2  # records that show how many teasers a source's records end in
SERIES_SHARE = 0.05  # of its records, if they are more
CLOSED = 0.1  # where teasers are known of so many of a source's records, others may have some
OPENERS = 0.5  # where more of a source's paragraphs open as leads do, that tells nothing
RARELY = 0.02  # of its records, if one teaser alone is its custom
PLAINLY = 10.0  # and as much a record tells, on average, of a source that closes records so
FEW = 2  # records that tell it at least
TEASER_OVERLAP = 0.35  # of its words a teaser shares hardly more with the prose above it
LEAD_TOKENS = 8
TOGETHER = 1 << 16  # tokens looked at together
_ODD = np.uint64(0x9E3779B97F4A7C15)


def judge_teasers(
    corpus: Corpus, evidence: Evidence, verdicts: Verdicts, prior: Prior | None = None
) -> None:
    """Mark teasers, those that are known from elsewhere first.

    Args:
        corpus: all records.
        evidence: of all blocks.
        verdicts: marked in place.
        prior: what earlier runs counted.
    """
    kept = verdicts.rule == KEPT
    opens = opens_a_story(corpus, evidence)
    after = behind(corpus, kept)
    zone = kept & (after < endings.ZONE) & (evidence.place > 0) & opens
    seeds: dict[int, list[int]] = {}
    record = corpus.record_of()
    for b in np.flatnonzero(zone & (evidence.lead_of >= 0)).tolist():
        r = int(record[b])
        often = evidence.spread[b] >= 3 and evidence.tail[b] >= 0.5
        if often or _overlap(corpus, b, r, seeds.get(r, [b])[0]) <= TEASER_OVERLAP:
            seeds.setdefault(r, []).append(b)
    sure = np.array([b for found in seeds.values() for b in found], dtype=np.int64)
    known = set(record[sure[leads_of_own(corpus, evidence, sure)]].tolist())
    again = zone & ~evidence.heading & ~evidence.passage & (evidence.spread > 1)
    for b in np.flatnonzero(again & (evidence.tail >= endings.RECURS)).tolist():
        if _overlap(corpus, b, int(record[b]), b) <= TEASER_OVERLAP:
            known.add(int(record[b]))
    found, whole = _known_ends(corpus, evidence, kept, opens, seeds)
    verdicts.mark(found, TEASER)
    ends = Ends.of(corpus, evidence, kept, opens, after)
    ends.most[whole] = 0
    foreign = _foreign_ends(corpus, evidence, ends, known, prior)
    stays = verdicts.rule[foreign.block] == KEPT
    which, above = foreign.block[stays], foreign.above[stays]
    verdicts.mark(which[evidence.lead_of[which] >= 0], TEASER)
    stays = verdicts.rule[which] == KEPT
    verdicts.mark(which[stays], FOREIGN_END)
    verdicts.contained[which[stays]] = above[stays]


def behind(corpus: Corpus, kept: Bool) -> I32:
    """int32[n]; blocks that stay behind each block in its record."""
    upto = np.append(np.int32(0), np.cumsum(kept, dtype=np.int32))
    out: I32 = upto[corpus.first[1:]][corpus.record_of()] - upto[1:]
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
                own = leads_of_own(corpus, evidence, np.array(last, dtype=np.int64)).all()
                habit = len(records) >= RARELY * sizes[source]
                found += last if len(last) > 1 or (own and habit) else []
    return np.array(found, dtype=np.int64), whole


def _foreign_ends(
    corpus: Corpus, evidence: Evidence, ends: Ends, known: set[int], prior: Prior | None
) -> Taken:
    """Paragraphs that end records and most likely are not theirs, in sources that close so.

    Args:
        corpus: all records.
        evidence: of all blocks.
        ends: of all records.
        known: records whose ends are teasers for other reasons.
        prior: what earlier runs counted.
    """
    source, sources = corpus.source, len(corpus.sources)
    of_source = np.bincount(source, minlength=sources)
    others = np.bincount(source[sorted(known)], minlength=sources)
    if prior is not None:
        of_source, others = of_source + prior.records, others + prior.habits[:, ENDS]
    enough = CLOSED * of_source
    may = np.bincount(source[ends.possible(2)], minlength=sources)
    sure = others >= np.maximum(1, enough)
    likely = (ends.opening <= OPENERS) & (sure | (may >= np.maximum(FEW, enough)))
    # One alone is a teaser only where it is known from elsewhere.
    seen = ends.closing & ((evidence.lead_of >= 0) | (evidence.spread > 1))
    elsewhere = np.zeros(corpus.records, dtype=np.bool_)
    elsewhere[corpus.record_of()[seen]] = True
    possible = ends.possible(2) | (ends.possible(1) & elsewhere)
    records = np.flatnonzero(possible & likely[source])
    place, score = np.empty(records.size, dtype=np.int64), np.empty(records.size)
    taken = []
    for part, found in in_pieces(corpus, evidence, ends, records):
        place[part], score[part] = likeliest(corpus, found)
        taken.append(found.taken(place[part]))
    told = np.bincount(source[records], np.where(place > 0, score, 0.0), sources)
    closes = sure | (told >= PLAINLY * np.maximum(FEW, enough))
    own = Taken.joined(taken)
    closing = closes[source[corpus.blocks.record[own.block]]]
    taken = [Taken(own.block[closing], own.above[closing])]
    # Behind what ends another record of the source no prose goes on.
    lines = _lines(corpus, taken[0].block)
    left = records[(place < 0) & closes[source[records]]] if lines.size else records[:0]
    for _, found in in_pieces(corpus, evidence, ends, left):
        mine = _lines(corpus, found.block)
        again = found.begins & is_in(mine.ravel(), lines).reshape(mine.shape)
        longest = endings.ZONE - 1 - again[:, ::-1].argmax(axis=1)
        taken.append(found.taken(np.where(again.any(axis=1), longest, -1)))
    return Taken.joined(taken)


def _lines(corpus: Corpus, blocks: I64) -> U64:
    """Codes of what blocks say in their sources."""
    source = corpus.source[corpus.blocks.record[blocks]].astype(np.uint64)
    return np.asarray(corpus.blocks.key[blocks] * _ODD + source)


def opens_a_story(corpus: Corpus, evidence: Evidence) -> Bool:
    """bool[n]; blocks that open as leads do: with no word that goes on from something."""
    n, blocks = corpus.n, corpus.blocks
    shape = blocks.shape[:n]
    joined = ((shape & kernels.WAW) != 0) & (corpus.phrases["radical"] == 0)
    item = (shape & (kernels.BULLET | kernels.NUMBERED)) != 0
    told = corpus.phrases["prose"] == 0
    return np.asarray(~joined & ~item & told & (evidence.length >= LEAD_TOKENS))


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


def _overlap(corpus: Corpus, block: int, record: int, end: int) -> float:
    """Share of a block's tokens that stand in its record's blocks before `end`."""
    tokens, pointer = corpus.blocks.tokens, corpus.blocks.pointer
    mine = set(tokens[pointer[block] : pointer[block + 1]].tolist())
    above = tokens[pointer[corpus.first[record]] : pointer[end]]
    shared: set[int] = set()
    for at in range(0, above.size, TOGETHER):  # a list takes ten times the room
        shared |= mine.intersection(above[at : at + TOGETHER].tolist())
    return len(shared) / len(mine) if mine else 0.0
