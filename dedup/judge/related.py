"""Links to other stories: headers, what stands below them, headlines of others, teasers."""

from __future__ import annotations

import numpy as np

from dedup.judge.evidence import Evidence
from dedup.judge.verdicts import (
    BELOW_HEADER,
    HEADER,
    HEADER_LINK,
    HEADLINE_OF,
    KEPT,
    LONE_LINK,
    REPEATED_LINK,
    TEASER,
    Verdicts,
)
from dedup.records import F64, I32, I64, Bool
from dedup.text import kernels
from dedup.text.corpus import Corpus

HEADLINE_TOKENS = 4  # fewer words equal a headline by chance
LINK_TOKENS = 6  # a line that recurs between paragraphs is a link from this length on
LINKED_TOKENS = 24  # a header and its link in one line have so many words at most
LINKS_BELOW = 12  # links below one header at most
LINK_STEMS = 4  # a question with fewer meaningful stems may be asked by any story
LONE_STEMS = 6  # a subheading seldom has as many meaningful stems
LONE_TOKENS = 14  # a sentence without a full stop is longer
LONE_ECHO = 0.5  # of them at most this part stands in the next two paragraphs
USUAL = 0.05  # what a source does in this part of the possible places it does as a habit
LISTED = 3  # as many headings in a row, none of them a link for sure, are a list
LOOSE = 0.4  # records with more headings than this part are lists or verse
TEASER_ZONE = 8  # blocks from the end in which teasers stand
TEASER_OVERLAP = 0.35  # of its words a teaser shares hardly more with the prose above it
LEAD_TOKENS = 8


def judge_links(
    corpus: Corpus, evidence: Evidence, listed: list[list[int]], verdicts: Verdicts
) -> None:
    """Mark links, the surest first.

    Args:
        corpus: all records.
        evidence: of all blocks.
        listed: of `links_below`.
        verdicts: marked in place.
    """
    inside = evidence.heading & (evidence.place > 0)
    headline = inside & (evidence.title_of >= 0) & (evidence.length >= HEADLINE_TOKENS)
    verdicts.mark(headline, HEADLINE_OF)
    verdicts.mark(inside & _repeated(corpus, evidence), REPEATED_LINK)
    _below_headers(corpus, evidence, listed, verdicts)
    verdicts.mark(_lone(corpus, evidence, verdicts), LONE_LINK)
    verdicts.mark(_teasers(corpus, evidence, verdicts), TEASER)


def judge_headers(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> I64:
    """Mark lines that are a header, or a header and its link; return the former (int64)."""
    blocks = corpus.blocks
    header, leadin = corpus.phrases["header"], corpus.phrases["leadin"]
    phrase = np.maximum(header, leadin)
    alone = evidence.line & (phrase > 0) & (phrase == evidence.length)
    linked = (leadin > 0) | ((header > 0) & (header == blocks.lead[: corpus.n]))
    # A question inside its headline parts a link into sentences.
    asks = (evidence.length <= LINKED_TOKENS) & ((blocks.shape[: corpus.n] & kernels.STOP) == 0)
    verdicts.mark(alone, HEADER)
    verdicts.mark((evidence.line | asks) & linked & (evidence.place > 0), HEADER_LINK)
    return np.flatnonzero(alone)


def _repeated(corpus: Corpus, evidence: Evidence) -> Bool:
    """Headings that stand in several stories of their source, whatever prose follows them.

    Or more than once among the paragraphs of one record, as no subheading does; refrains do, but
    not between paragraphs.
    """
    shape = corpus.blocks.shape[: corpus.n]
    announces = (shape & (kernels.COLON_END | kernels.DOTS_END | kernels.NUMBERED)) != 0
    vague = ((shape & kernels.QUESTION) != 0) & (corpus.blocks.content[: corpus.n] < LINK_STEMS)
    device = (shape & (kernels.QUESTION | kernels.DOTS | kernels.COLON)) != 0
    long = (evidence.length >= LINK_TOKENS) | ((evidence.length >= LINK_TOKENS - 1) & device)
    foreign_to_prose = (evidence.echo <= 0.6) & ~evidence.passage
    often = evidence.spread >= 4
    prose = ~evidence.line
    between = np.zeros(prose.size, dtype=np.bool_)
    between[1:-1] = prose[:-2] & prose[2:]
    across = (evidence.spread >= 2) & (foreign_to_prose | often)
    within = (evidence.times >= 2) & between
    return np.asarray(long & ~announces & ~vague & (across | within))


def links_below(corpus: Corpus, evidence: Evidence, headers: I64) -> list[list[int]]:
    """The lines below each header that look like links, up to where the prose goes on."""
    record = corpus.record_of()
    runs = []
    for header in headers.tolist():
        run: list[int] = []
        b = header + 1
        while b < corpus.n and record[b] == record[header] and len(run) < LINKS_BELOW:
            link_like = evidence.heading[b] or evidence.title_of[b] >= 0
            announces = corpus.blocks.shape[b] & kernels.COLON_END
            if not link_like or corpus.fixed[b] or announces:
                break
            run.append(b)
            b += 1
        if run:
            runs.append(run)
    return runs


def _below_headers(
    corpus: Corpus, evidence: Evidence, listed: list[list[int]], verdicts: Verdicts
) -> None:
    """Mark links below headers; the last line before prose may be that prose's subheading."""
    blocks, found = corpus.blocks, []
    for run in listed:
        last = run[-1]
        stems, echo = int(blocks.content[last]), int(blocks.echo[last])
        subheading = (
            evidence.left[last] > 0
            and len(run) > 1
            and verdicts.rule[last] == KEPT
            and evidence.title_of[last] < 0
            and stems < LONE_STEMS
            and 2 * echo > stems
        )
        found += run[:-1] if subheading else run
    verdicts.mark(np.array(found, dtype=np.int64), BELOW_HEADER)


def _lone(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> Bool:
    """Headings that the prose after them does not take up, in sources known to drop links so."""
    n = corpus.n
    record = corpus.record_of()
    source = corpus.source[record]
    inside = evidence.heading & (evidence.place > 0) & (corpus.fixed == 0)
    sure: Bool = inside & verdicts.by((HEADLINE_OF, REPEATED_LINK, BELOW_HEADER))
    if not sure.any():  # no source drops any
        return sure
    sources = len(corpus.sources)
    usual: F64 = np.bincount(source, weights=sure, minlength=sources) / np.maximum(
        1, np.bincount(source, weights=inside, minlength=sources)
    )
    loose: F64 = np.bincount(record, weights=inside & ~sure, minlength=corpus.records) / np.diff(
        corpus.first
    ).clip(1)
    content = corpus.blocks.content[:n].astype(np.int16)
    echo = corpus.blocks.echo[:n].astype(np.int16)
    shape = corpus.blocks.shape[:n]
    unlike = (
        kernels.COLON_END | kernels.DOTS_END | kernels.BULLET | kernels.NUMBERED
    )  # announcements and items of lists
    device = (shape & (kernels.DOTS | kernels.COLON)) != 0
    question = (shape & kernels.QUESTION) != 0
    brief = evidence.length <= LONE_TOKENS
    apart = brief & (content >= LONE_STEMS) & (echo <= np.float32(LONE_ECHO) * content)
    strong = apart & (4 * echo <= content)
    kept = evidence.heading & (verdicts.rule == KEPT)
    touching = _beside(record, sure | (kept & apart))
    # Questions that stand alone are asked by the prose, and so is what ends a text.
    asked = (question | (evidence.left == 0)) & ~device & ~touching
    return np.asarray(
        inside
        & apart
        & ~asked
        & ~_listed(record, kept, sure, strong)
        & ~_item(corpus, record, kept, sure)
        & ((shape & unlike) == 0)
        & (usual[source] >= USUAL)
        & (loose[record] <= LOOSE)
    )


def _beside(record: I32, marked: Bool) -> Bool:
    """Blocks with a marked one right before or behind them in their record."""
    out = np.zeros(marked.size, dtype=np.bool_)
    same = record[1:] == record[:-1]
    out[1:] |= same & marked[:-1]
    out[:-1] |= same & marked[1:]
    return out


def _item(corpus: Corpus, record: I32, heading: Bool, sure: Bool) -> Bool:
    """Headings that follow an announcement, or begin like the heading next to them: list items."""
    blocks, n = corpus.blocks, corpus.n
    out = np.zeros(n, dtype=np.bool_)
    same = record[1:] == record[:-1]
    announced = (blocks.shape[:n] & kernels.COLON_END) != 0
    out[1:] = same & announced[:-1]
    first = np.zeros(n, dtype=np.uint32)
    first[heading] = blocks.tokens[blocks.pointer[:n][heading]]
    alike = same & heading[1:] & heading[:-1] & ~sure[1:] & ~sure[:-1] & (first[1:] == first[:-1])
    out[1:] |= alike
    out[:-1] |= alike
    return out


def _listed(record: I32, heading: Bool, sure: Bool, strong: Bool) -> Bool:
    """Headings in a run of LISTED or more, none a link for sure, few alike one: items of a list."""
    n = heading.size
    line = heading | sure
    begins = np.ones(n, dtype=np.bool_)
    begins[1:] = (record[1:] != record[:-1]) | ~line[:-1] | ~line[1:]
    run = np.cumsum(begins, dtype=np.int32) - 1
    length = np.bincount(run)
    links = (np.bincount(run, weights=sure) > 0) | (
        (length <= LISTED) & (2 * np.bincount(run, weights=strong) > length)
    )
    return np.asarray(heading & (length >= LISTED)[run] & ~links[run])


def _teasers(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> I64:
    """Paragraphs about other stories at the end of a record: leads of others, many times over.

    Form cannot tell them from the record's own prose. What can: they are other records' first
    paragraphs, they have few words in common with what stands above them, and the source closes
    many of its records so, mostly with the same number of them; or the record ends in the first
    paragraphs of different stories, and in nothing else.
    """
    record = corpus.record_of()
    zone = (evidence.left < TEASER_ZONE) & (evidence.place > 0) & (verdicts.rule == KEPT)
    joined = (corpus.blocks.shape[: corpus.n] & kernels.WAW) != 0
    opens = ~joined & (corpus.phrases["prose"] == 0)
    hinted = zone & opens & (evidence.length >= LEAD_TOKENS) & (evidence.lead_of >= 0)
    seeds: dict[int, list[int]] = {}
    for b in np.flatnonzero(hinted).tolist():
        r = int(record[b])
        often = evidence.spread[b] >= 3 and evidence.tail[b] >= 0.5
        if often or _overlap(corpus, b, r, seeds.get(r, [b])[0]) <= TEASER_OVERLAP:
            seeds.setdefault(r, []).append(b)
    if not seeds:
        return np.zeros(0, dtype=np.int64)
    closed = [r for r, found in seeds.items() if len(found) >= 2]
    by_source: dict[int, list[int]] = {}
    for r in closed:
        by_source.setdefault(int(corpus.source[r]), []).append(r)
    sizes = np.bincount(corpus.source, minlength=len(corpus.sources))
    found: list[int] = []
    for source, records in by_source.items():
        if len(records) < max(2, USUAL * sizes[source]):
            for r in records:
                found += _last_of(seeds[r], int(corpus.first[r + 1]), evidence.lead_of)
            continue
        usual = int(np.median([corpus.first[r + 1] - seeds[r][0] for r in records]))
        for r in records:
            first, end = int(corpus.first[r]), int(corpus.first[r + 1])
            start = max(seeds[r][0], end - usual)
            while (
                end - start < usual
                and start - 1 > first
                and opens[start - 1]
                and _overlap(corpus, start - 1, r, start - 1) <= TEASER_OVERLAP
            ):
                start -= 1
            found += range(start, end)
    return np.array(found, dtype=np.int64)


def _last_of(seeds: list[int], end: int, lead_of: I32) -> list[int]:
    """Those that a record ends in without a gap, if they are leads of different records."""
    last: list[int] = []
    while seeds and seeds[-1] == end - 1 - len(last):
        last.append(seeds.pop())
    return last if len({int(lead_of[b]) for b in last}) > 1 else []


def _overlap(corpus: Corpus, block: int, record: int, end: int) -> float:
    """Share of a block's tokens that stand in its record's blocks before `end`."""
    tokens, pointer = corpus.blocks.tokens, corpus.blocks.pointer
    mine = np.unique(tokens[pointer[block] : pointer[block + 1]])
    above = tokens[pointer[corpus.first[record]] : pointer[end]]
    return float(np.isin(mine, above).mean()) if mine.size else 0.0
