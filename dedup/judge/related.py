"""Links to other stories: headers, what stands below them, headlines of others."""

from __future__ import annotations

import numpy as np

from dedup.judge.evidence import ENOUGH_TITLES, Evidence, Prior
from dedup.judge.habits import BETWEEN, HEADINGS, LINKS, SURE, TAKEN_UP, between_prose, known
from dedup.judge.verdicts import (
    BELOW_HEADER,
    HEADER,
    HEADER_LINK,
    HEADLINE_OF,
    KEPT,
    LONE_LINK,
    REPEATED_LINK,
    Verdicts,
)
from dedup.records import F64, I32, I64, Bool
from dedup.text import kernels
from dedup.text.blocks import tokens_of
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
SELDOM = 0.01  # of a source's headings, if they are another's headline by chance
LOOSE = 0.4  # records with more headings than this part are lists or verse


def judge_links(
    corpus: Corpus,
    evidence: Evidence,
    listed: list[list[int]],
    verdicts: Verdicts,
    prior: Prior | None = None,
) -> None:
    """Mark links, the surest first.

    Args:
        corpus: all records.
        evidence: of all blocks.
        listed: of `links_below`.
        verdicts: marked in place.
        prior: what earlier runs counted.
    """
    inside = evidence.heading & (evidence.place > 0)
    # A headline may be two sentences, the first a question.
    brief = (evidence.length <= LINKED_TOKENS) & (evidence.place > 0)
    asks = brief & ((corpus.blocks.shape[: corpus.n] & kernels.STOP) == 0)
    headline = (inside | asks) & (evidence.title_of >= 0) & (evidence.length >= HEADLINE_TOKENS)
    verdicts.mark(headline & ~_chance(corpus, inside, headline), HEADLINE_OF)
    verdicts.mark(inside & _repeated(corpus, evidence), REPEATED_LINK)
    _below_headers(corpus, evidence, listed, verdicts)
    verdicts.mark(_lone(corpus, evidence, verdicts, prior), LONE_LINK)


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


def _chance(corpus: Corpus, inside: Bool, headline: Bool) -> Bool:
    """Headings that their text takes up, in sources of which hardly any heading is a headline.

    Who writes many subheadings writes one now and then that some headline says, too.
    """
    source = corpus.source[corpus.record_of()]
    many = np.bincount(source[inside], minlength=len(corpus.sources))
    links = np.bincount(source[headline], minlength=len(corpus.sources))
    seldom = links < SELDOM * many
    return np.asarray(seldom[source] & (corpus.blocks.echo[: corpus.n] > 0))


def _quoted(corpus: Corpus, evidence: Evidence, block: int) -> bool:
    """Whether a paragraph of its record has a block's words, one after the other."""
    blocks, record = corpus.blocks, corpus.blocks.record[block]
    first, stop = corpus.first[record : record + 2].tolist()
    prose = first + np.flatnonzero(~evidence.line[first:stop])
    _, around = tokens_of(blocks.tokens, blocks.pointer, prose)
    mine = blocks.tokens[blocks.pointer[block] : blocks.pointer[block + 1]]
    begins = np.flatnonzero(around[: max(0, around.size - mine.size + 1)] == mine[0])
    return any(np.array_equal(around[a : a + mine.size], mine) for a in begins.tolist())


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
        quoted = verdicts.rule[last] == KEPT and _quoted(corpus, evidence, last)
        found += run[:-1] if subheading or quoted else run
    verdicts.mark(np.array(found, dtype=np.int64), BELOW_HEADER)


def _lone(corpus: Corpus, evidence: Evidence, verdicts: Verdicts, prior: Prior | None) -> Bool:
    """Headings that the prose after them does not take up, in sources known to drop links so."""
    n = corpus.n
    record = corpus.record_of()
    source = corpus.source[record]
    inside = evidence.heading & (evidence.place > 0) & (corpus.fixed == 0)
    sure: Bool = inside & verdicts.by(SURE)
    habits = known(corpus, evidence, verdicts, prior)
    if not habits[:, LINKS].any():  # no source drops any
        return sure
    usual: F64 = habits[:, LINKS] / np.maximum(1, habits[:, HEADINGS])
    loose: F64 = np.bincount(record[inside & ~sure], minlength=corpus.records) / np.diff(
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
    joined = (
        ((shape & kernels.WAW) != 0)
        & (corpus.phrases["radical"] == 0)
        & (corpus.titles < ENOUGH_TITLES)
    )
    between = inside & between_prose(record, ~evidence.heading)
    told, taken_up = habits[:, BETWEEN], habits[:, TAKEN_UP]
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
        & (usual >= USUAL)[source]
        & (loose <= LOOSE)[record]
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
    runs = length.size
    links = (np.bincount(run[sure], minlength=runs) > 0) | (
        (length <= LISTED) & (2 * np.bincount(run[strong], minlength=runs) > length)
    )
    return np.asarray(heading & (length >= LISTED)[run] & ~links[run])
