"""Links to other stories: headers, what stands below them, headlines of others, teasers."""

from __future__ import annotations

import numpy as np

from dedup.judge.evidence import ENOUGH_TITLES, Evidence
from dedup.judge.verdicts import (
    BELOW_HEADER,
    FOREIGN_END,
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
HEADER_TOKENS, HEADER_STORIES = 6, 3  # a header unknown so far: words at most, stories at least
LINK_TOKENS = 6  # a line that recurs between paragraphs is a link from this length on
LINKED_TOKENS = 24  # a header and its link in one line have so many words at most
LINKS_BELOW = 12  # links below one header at most
LINK_STEMS = 4  # a question with fewer meaningful stems may be asked by any story
LONE_STEMS = 6  # a subheading seldom has as many meaningful stems
FOREIGN_STEMS = 3  # and has as many where its source has none
ONLY_LINKS = 3  # known links between paragraphs for each heading that the prose takes up
TOPIC_TOKENS = 3  # words that name the topic of a question in a headline, before a colon
LONE_TOKENS = 14  # a sentence without a full stop is longer
LONE_ECHO = 0.5  # of them at most this part stands in the next two paragraphs
USUAL = 0.05  # what a source does in this part of the possible places it does as a habit
LISTED = 3  # as many headings in a row, none of them a link for sure, are a list
LOOSE = 0.4  # records with more headings than this part are lists or verse
TEASER_ZONE = 8  # blocks from the end in which teasers stand
SERIES = 2  # records that show how many teasers a source's records end in
CLOSED = 0.1  # where teasers are known of so many of a source's records, others may have some
FOREIGN = 0.3  # of its weight a teaser shares hardly more with the prose above it
OPENERS = 0.15  # where more of a source's paragraphs open as leads do, that tells nothing
OPENING = 0.34  # of the prose above at most this part opens as leads do
PIECE = 1 << 20  # tokens counted together
_MASK = np.uint32((1 << 18) - 1)
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
    _teasers(corpus, evidence, verdicts)


def judge_headers(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> I64:
    """Mark lines that are a header, or a header and its link; return the former (int64)."""
    blocks = corpus.blocks
    header, leadin = corpus.phrases["header"], corpus.phrases["leadin"]
    phrase = np.maximum(header, leadin)
    alone = evidence.line & (phrase > 0) & (phrase == evidence.length)
    linked = (leadin > 0) | ((header > 0) & (header == blocks.lead[: corpus.n]))
    # A question inside its headline parts a link into sentences.
    asks = (evidence.length <= LINKED_TOKENS) & ((blocks.shape[: corpus.n] & kernels.STOP) == 0)
    learned = _learned_headers(corpus, evidence)
    alone |= learned
    verdicts.mark(alone, HEADER)
    verdicts.mark((evidence.line | asks) & linked & (evidence.place > 0), HEADER_LINK)
    return np.flatnonzero(alone)


def _learned_headers(corpus: Corpus, evidence: Evidence) -> Bool:
    """Short lines that other records' headlines follow in most of their places in the source."""
    n, record = corpus.n, corpus.record_of()
    link = evidence.heading & (evidence.title_of >= 0) & (evidence.length >= HEADLINE_TOKENS)
    next_links = np.zeros(n, dtype=np.bool_)
    next_links[:-1] = link[1:] & (record[1:] == record[:-1])
    next_heads = np.zeros(n, dtype=np.bool_)
    next_heads[:-1] = evidence.heading[1:] & (record[1:] == record[:-1])
    short = evidence.line & (evidence.length <= HEADER_TOKENS) & (evidence.place > 0)
    short &= (evidence.spread >= HEADER_STORIES) & (evidence.title_of < 0)
    at = np.flatnonzero(short)
    if not at.size or not next_links[at].any():
        return short & False
    code = corpus.blocks.key[at] ^ corpus.source[record[at]].astype(np.uint64)
    _, which = np.unique(code, return_inverse=True)
    times, followed = np.bincount(which), np.bincount(which, weights=next_links[at])
    header = (followed >= HEADER_STORIES) & (2 * followed > times)
    out = np.zeros(n, dtype=np.bool_)
    out[at] = header[which] & next_heads[at]
    return out


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
    known = (corpus.phrases["header"] > 0) | (corpus.phrases["leadin"] > 0)
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
        # A header that was learned from the headlines below it says nothing of other lines.
        while run and not known[header] and evidence.title_of[run[-1]] < 0:
            run.pop()
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
    # And what some clause leads up to.
    led_up = (shape & (kernels.DOTS | kernels.COLON)) == kernels.COLON
    asked |= question & led_up & (corpus.blocks.lead[:n] > TOPIC_TOKENS)
    # Without headlines to tell which words with a waw open some, it goes on.
    joined = ((shape & kernels.WAW) != 0) & (corpus.titles < ENOUGH_TITLES)
    between = inside & _between(record, ~evidence.heading)
    told = np.bincount(source, weights=between & sure, minlength=sources)
    taken_up = np.bincount(source, weights=between & ~sure & (echo > 0), minlength=sources)
    # Who drops links between paragraphs, and nothing that the paragraphs take up, has no
    # subheadings.
    only_links = (told >= ONLY_LINKS) & (ONLY_LINKS * taken_up <= told)
    foreign = between & brief & (content >= FOREIGN_STEMS) & (echo == 0) & only_links[source]
    apart |= foreign
    return np.asarray(
        inside
        & apart
        & ~asked
        & ~joined
        & ~_listed(record, kept, sure, strong)
        & ~_item(corpus, record, kept, sure)
        & ((shape & unlike) == 0)
        & (usual[source] >= USUAL)
        & (loose[record] <= LOOSE)
    )


def _between(record: I32, prose: Bool) -> Bool:
    """Blocks with a paragraph of their record right before and right behind them."""
    out = np.zeros(prose.size, dtype=np.bool_)
    same = record[1:] == record[:-1]
    before, behind = same & prose[:-1], same & prose[1:]
    out[1:-1] = before[:-1] & behind[1:]
    return out


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


def _teasers(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> None:
    """Mark paragraphs about other stories at the end of a record.

    Form cannot tell them from the record's own prose. What can: they are other records' first
    paragraphs, or the first sentences of these; they have few words in common with what stands
    above them; the source closes many of its records so, mostly with the same number of them.
    Where that is known of a source, paragraphs at the end that open as leads do and have next to
    nothing in common with what stands above are teasers of stories that are not in the input.
    """
    record = corpus.record_of()
    kept = verdicts.rule == KEPT
    upto = np.append(0, np.cumsum(kept))
    behind = upto[corpus.first[1:]][record] - upto[1:]
    joined = (corpus.blocks.shape[: corpus.n] & kernels.WAW) != 0
    opens = ~joined & (corpus.phrases["prose"] == 0) & (evidence.length >= LEAD_TOKENS)
    zone = kept & (behind < TEASER_ZONE) & (evidence.place > 0) & opens
    seeds: dict[int, list[int]] = {}
    for b in np.flatnonzero(zone & (evidence.lead_of >= 0)).tolist():
        r = int(record[b])
        often = evidence.spread[b] >= 3 and evidence.tail[b] >= 0.5
        if often or _overlap(corpus, b, r, seeds.get(r, [b])[0]) <= TEASER_OVERLAP:
            seeds.setdefault(r, []).append(b)
    by_source: dict[int, list[int]] = {}
    for r in seeds:
        by_source.setdefault(int(corpus.source[r]), []).append(r)
    sizes = np.bincount(corpus.source, minlength=len(corpus.sources))
    closing = zone & ~evidence.heading
    # How often a source's own paragraphs open so, those behind the lead and before the end.
    rank = upto[:-1] - upto[corpus.first[:-1]][record]
    own = kept & ~evidence.heading & (rank > 0) & (behind >= TEASER_ZONE // 2)
    source_of = corpus.source[record]
    opening = np.bincount(source_of[own & opens], minlength=sizes.size) / np.maximum(
        1, np.bincount(source_of[own], minlength=sizes.size)
    )
    weights: F64 | None = None
    found: list[int] = []
    foreign: dict[int, float] = {}
    for source, records in by_source.items():
        ends = {r: int(upto[corpus.first[r + 1]] - upto[seeds[r][0]]) for r in records}
        many = [ends[r] for r in records if len(seeds[r]) >= 2]
        usual = int(np.median(many)) if many else 0
        alike = 2 * many.count(usual) > len(many) >= max(SERIES, USUAL * sizes[source])
        for r in records:
            if alike and len(seeds[r]) >= 2:
                found += _series(corpus, opens, r, seeds[r][0], usual)
            else:
                last = _last_of(seeds[r], kept, int(corpus.first[r + 1]))
                # One may be what another outlet begins with; an outlet's teasers are its own.
                of = corpus.source[evidence.lead_of[last]]
                found += last if len(last) > 1 or (of == source).all() else []
        if len(records) >= CLOSED * sizes[source] and opening[source] <= OPENERS:
            if weights is None:
                weights = _weights(corpus, evidence)
            for r in np.flatnonzero(corpus.source == source).tolist():
                known = set(seeds.get(r, ()))
                foreign |= _foreign_end(corpus, closing, kept, opens, r, known, weights)
    verdicts.mark(np.array(found, dtype=np.int64), TEASER)
    which = np.array([b for b in foreign if verdicts.rule[b] == KEPT], dtype=np.int64)
    verdicts.mark(which[evidence.lead_of[which] >= 0], TEASER)
    which = which[verdicts.rule[which] == KEPT]
    verdicts.mark(which, FOREIGN_END)
    verdicts.contained[which] = [foreign[b] for b in which.tolist()]


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


def _foreign_end(
    corpus: Corpus,
    closing: Bool,
    kept: Bool,
    opens: Bool,
    record: int,
    seeds: set[int],
    weights: F64,
) -> dict[int, float]:
    """Paragraphs that a record ends in, foreign to what stands above, and what they share with it.

    One alone may be the prose's last word; and where much of the prose opens as leads do, as in a
    review of the press, nothing is foreign.
    """
    stays = [b for b in range(int(corpus.first[record]), int(corpus.first[record + 1])) if kept[b]]
    run: dict[int, float] = {}
    while len(stays) > 1 and closing[stays[-1]]:
        b = stays[-1]
        shared = _shared_weight(corpus, b, stays[:-1], weights)
        if b not in seeds and shared > FOREIGN:
            break
        run[stays.pop()] = shared
    above = stays[1:]
    if len(run) < 2 - bool(seeds) or not above or np.mean(opens[above]) > OPENING:
        return {}
    return run


def _weights(corpus: Corpus, evidence: Evidence) -> F64:
    """float64; how much each word tells, words told by their hashes' last bits only."""
    blocks = corpus.blocks
    tokens = blocks.tokens[: blocks.pointer[corpus.n]]
    count = np.zeros(_MASK + 1, dtype=np.int64)
    for at in range(0, tokens.size, PIECE):
        count += np.bincount(tokens[at : at + PIECE] & _MASK, minlength=count.size)
    paragraphs = max(1, int((~evidence.heading).sum()))
    out: F64 = np.log(np.maximum(1.0, (1 + paragraphs) / (0.5 + count)))
    return out


def _shared_weight(corpus: Corpus, block: int, above: list[int], weights: F64) -> float:
    """Share of a block's words that stand in some others, by weight."""
    tokens, pointer = corpus.blocks.tokens, corpus.blocks.pointer
    mine = np.unique(tokens[pointer[block] : pointer[block + 1]])
    theirs = np.concatenate([tokens[pointer[b] : pointer[b + 1]] for b in above])
    weight = weights[mine & _MASK]
    return float(weight[np.isin(mine, theirs)].sum() / max(1e-9, weight.sum()))


def _overlap(corpus: Corpus, block: int, record: int, end: int) -> float:
    """Share of a block's tokens that stand in its record's blocks before `end`."""
    tokens, pointer = corpus.blocks.tokens, corpus.blocks.pointer
    mine = np.unique(tokens[pointer[block] : pointer[block + 1]])
    above = tokens[pointer[corpus.first[record]] : pointer[end]]
    return float(np.isin(mine, above).mean()) if mine.size else 0.0
