"""Credit lines and standing lines: what a source puts at the edges of its pages."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from dedup.judge.evidence import Evidence
from dedup.judge.verdicts import CREDIT, FOOTER, KEPT, STANDING, Verdicts
from dedup.records import Bool
from dedup.sketch.lsh import is_in
from dedup.text import kernels, lexicon
from dedup.text.blocks import tokens_of
from dedup.text.corpus import Corpus

AT_EDGE = 0.9  # share of a standing line's places that must be at the same edge
CREDIT_TOKENS = 12
LISTED_TOKENS = 5  # a link has as many words
ANYWHERE = 12  # stories, and a quarter of its source's, that no line of an article stands in
SUPPORT = 3  # stories of a source that must share a template


def judge_edges(
    corpus: Corpus, evidence: Evidence, listed: list[list[int]], verdicts: Verdicts
) -> None:
    """Mark furniture words, standing lines and credit lines.

    Args:
        corpus: all records.
        evidence: of all blocks.
        listed: lines that stand below headers: links, unless nearly every record has them, and
            never right below a header.
        verdicts: marked in place.
    """
    _footers(corpus, evidence, verdicts)
    _counters(corpus, evidence, verdicts)
    announces = (corpus.blocks.shape[: corpus.n] & kernels.COLON_END) != 0
    usual = 2 * evidence.spread >= evidence.records
    stands = _stands(evidence) & ~(announces & (evidence.left > 0) & ~usual)
    links = np.array([b for run in listed for b in run], dtype=np.int64)
    long = evidence.length[links] >= LISTED_TOKENS
    key = corpus.blocks.key
    topmost = key[[run[0] for run in listed]]
    rare = 2 * evidence.spread[links] < evidence.records[links]
    stands[links[long & (rare | is_in(key[links], topmost))]] = False
    standing = np.flatnonzero(stands & (verdicts.rule == KEPT))
    verdicts.mark(standing[corpus.phrases["credit"][standing] > 0], CREDIT)
    verdicts.mark(standing, STANDING)
    _templates(corpus, evidence, verdicts)


def _stands(evidence: Evidence) -> Bool:
    """Lines that stand at the same edge of many different stories of their source, or anywhere in
    so many of them as no article's own text does.

    A sentence of background that closes many stories on one matter stands there too, and copies
    of one story end alike: prose must recur more often than a line that is no sentence, and more
    often still where its neighbours recur with it.
    """
    spread, records, line = evidence.spread, evidence.records, evidence.line
    alone = line | ~evidence.passage
    often = (
        (alone & (spread >= SUPPORT) & (4 * spread >= records))
        | (line & (spread >= 5))
        | ((spread >= 5) & (2 * spread >= records))
        | (spread >= 12)
    )
    edge = (evidence.head >= AT_EDGE) | (evidence.tail >= AT_EDGE)
    everywhere = (spread >= ANYWHERE) & (4 * spread >= records)
    return np.asarray(((often & edge) | everywhere) & (evidence.length > 0))


def _footers(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> None:
    """Lines of furniture words, and lines that begin with some and stand at the tail."""
    footer, opening = corpus.phrases["footer"], corpus.phrases["opening"]
    verdicts.mark(evidence.line & (footer > 0) & (footer == evidence.length), FOOTER)
    verdicts.mark(evidence.line & (corpus.phrases["embed"] > 0), FOOTER)
    late = evidence.at_tail & (evidence.place > 0)
    label = (footer > 0) & (footer == corpus.blocks.lead[: corpus.n])
    verdicts.mark(evidence.line & late & label, FOOTER)
    recurs = (evidence.spread >= 2) & (evidence.tail >= AT_EDGE)
    last_and_loose = (evidence.left == 0) & evidence.line
    verdicts.mark(late & (recurs | last_and_loose) & (opening > 0), FOOTER)


def _counters(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> None:
    """Lines at an edge of many stories that are equal but for their numbers: dates, counts."""
    blocks = corpus.blocks
    free = evidence.line & (evidence.length <= CREDIT_TOKENS) & (verdicts.rule == KEPT)
    free &= (evidence.length > 1) & (corpus.fixed == 0)
    edge = np.flatnonzero(free & (evidence.at_head | evidence.at_tail))
    if not edge.size:
        return
    pointer, tokens = tokens_of(blocks.tokens, blocks.pointer, edge)
    begins, size = pointer[:-1], np.diff(pointer)
    known = lexicon.numbers(corpus.seed)
    number = known[np.minimum(np.searchsorted(known, tokens), known.size - 1)] == tokens
    told = np.add.reduceat(number.astype(np.int64), begins)
    record = corpus.record_of()
    places: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for k in np.flatnonzero((told > 0) & (told < size)).tolist():
        b, words = int(edge[k]), slice(int(begins[k]), int(begins[k] + size[k]))
        masked = np.where(number[words], 0, tokens[words]).tolist()
        template = (int(corpus.source[record[b]]), int(evidence.at_head[b]), *masked)
        places[template].append(b)
    for template, found in places.items():
        if len(found) < SUPPORT:
            continue
        which = np.array(found, dtype=np.int64)
        support = np.unique(record[which]).size
        # A link with a number in it is longer, and the same wherever it stands.
        varies = 2 * np.unique(blocks.key[which]).size > support
        brief = len(template) - 2 <= LISTED_TOKENS or varies
        if brief and support >= SUPPORT and 4 * support >= evidence.records[found[0]]:
            verdicts.mark(which[corpus.phrases["credit"][which] > 0], CREDIT)
            verdicts.mark(which, STANDING)


def _templates(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> None:
    """Credit lines with a varying slot: 'place - agency', '* from "paper"', 'this piece by ...'.

    A template is the wording before or after the separating mark, or the words of the lexicon
    that a line begins with; it counts where stories of the source share it at the same edge.
    """
    credit = corpus.phrases["credit"]
    edge = evidence.at_head | evidence.at_tail
    shape = corpus.blocks.shape[: corpus.n]
    marked = (shape & (kernels.DASH | kernels.BULLET)) != 0
    short = evidence.line & (evidence.length <= CREDIT_TOKENS)
    bare = short & marked & (evidence.length <= CREDIT_TOKENS // 2) & ((shape & kernels.COLON) == 0)
    shares: dict[tuple[int, ...], set[int]] = defaultdict(set)
    wordings: dict[int, list[tuple[int, ...]]] = {}
    record = corpus.record_of()
    likely = edge & (bare | (short & (credit > 0)) | (credit > 1))
    for b in np.flatnonzero(likely & verdicts.by((KEPT, CREDIT))).tolist():
        wordings[b] = [
            (int(corpus.source[record[b]]), int(evidence.at_head[b]), *part)
            for part in _wordings(corpus, b, int(credit[b]), bool(short[b]))
        ]
        for part in wordings[b]:
            shares[part].add(int(record[b]))
    found = []
    for b, parts in wordings.items():
        support = max(len(shares[part]) for part in parts)
        named = evidence.place[b] == 0 and credit[b] > 1 and corpus.blocks.lead[b] == credit[b]
        alone = named or (credit[b] and bare[b])
        if support >= SUPPORT or alone:
            found.append(b)
    verdicts.mark(np.array(found, dtype=np.int64), CREDIT)


def _wordings(corpus: Corpus, block: int, known: int, short: bool) -> list[tuple[int, ...]]:
    parts = corpus.blocks.wordings(block)
    if not short:
        parts = parts[:1]
    if known:
        _, *tokens = parts[0]
        parts.append((1, *tokens[:known]))
    return parts
