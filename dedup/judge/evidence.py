"""Evidence: what is known of each block, in numbers, before anything is decided.

Counting is per source and over distinct stories: the same story stored under ten addresses
counts once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.match.groups import Groups
from dedup.records import F64, I32, I64, Bool
from dedup.text import kernels
from dedup.text.corpus import Corpus

OWN = 3  # a paragraph that stands in fewer stories of its source is a record's own
LEAD_TOKENS = 8
OPENER, OPENER_ODDS = 20, 50  # paragraphs a word must open, and how often for one headline
ENOUGH_TITLES = 200  # headlines from which on a word that opens none of them tells something


class Evidence(NamedTuple):
    """One value for each of the n blocks that stand in texts.

    Attributes:
        group: int64; the block that represents its group.
        length: int64; tokens.
        line: bool; shaped like a headline: one short run without a full stop.
        heading: bool; shaped so, and not opening like a paragraph of prose.
        place: int64; blocks before it in its record.
        left: int64; blocks behind it in its record.
        passage: bool; whether a neighbour's group stands next to its group elsewhere too: they
            recur together, as the paragraphs of a story do.
        times: int64; how often its group stands in its own record.
        spread: int32; distinct stories of its source that hold its group.
        at_head: bool; no paragraph of the record's own stands before it.
        at_tail: bool; no paragraph of the record's own stands behind it.
        head: float64; share of the group's places in the source that are at the head.
        tail: float64; the same for the tail.
        echo: float64; mean over the group's places in the source of the share of the heading's
            meaningful stems that the prose right after it takes up.
        title_of: int64; another story's record whose headline it matches, -1 if none.
        lead_of: int64; another story's record whose first paragraph or abstract it matches.
        records: int64; records of its source.
    """

    group: I64
    length: I64
    line: Bool
    heading: Bool
    passage: Bool
    times: I64
    place: I64
    left: I64
    spread: I32
    at_head: Bool
    at_tail: Bool
    head: F64
    tail: F64
    echo: F64
    title_of: I64
    lead_of: I64
    records: I64


def gather(corpus: Corpus, groups: Groups, leader: I64) -> Evidence:
    """Gather the evidence of all blocks.

    Args:
        corpus: all records.
        groups: matched blocks, headlines and abstracts among them.
        leader: int64[records]; the record that leads each record's story.
    """
    n = corpus.n
    blocks = corpus.blocks
    record = corpus.record_of().astype(np.int64)
    group = groups.representative[:n]
    place = np.arange(n) - corpus.first[record]
    left = corpus.first[record + 1] - 1 - np.arange(n)
    source = corpus.source[record].astype(np.int64)
    here = source * np.int64(n + 1) + group  # a group within a source
    _, of_here = np.unique(here, return_inverse=True)
    count = np.bincount(of_here)
    shaped = blocks.content[:n] > 0
    share = np.where(shaped, blocks.echo[:n] / np.maximum(1, blocks.content[:n]), 0.0)
    length = blocks.length()[:n]
    line = blocks.headings()[:n]
    heading = line & ~_opens_prose(corpus, ~line)
    first_prose = _first_prose(record, ~heading & (length >= LEAD_TOKENS))
    titles = slice(n, n + corpus.titles)
    abstracts = slice(n + corpus.titles, None)
    leads = np.concatenate([group[first_prose], groups.representative[abstracts]])
    lead_records = np.concatenate([record[first_prose], blocks.record[abstracts]])
    lead_of = _other(group, record, leads, lead_records, leader)
    lead_of[first_prose] = -1
    spread = _distinct(of_here, leader[record])[of_here]
    own = np.cumsum(~line & (length >= LEAD_TOKENS) & (spread < OWN))
    own_before = np.append(0, own)  # own paragraphs of the input before each block, and after all
    at_head = own_before[:-1] == own_before[corpus.first[record]]
    at_tail = own_before[1:] == own_before[corpus.first[record + 1]]
    return Evidence(
        group=group,
        length=length,
        line=line,
        heading=heading,
        passage=_in_passage(record, group),
        times=_counts(record * np.int64(n + 1) + group),
        place=place,
        left=left,
        spread=spread.astype(np.int32),
        at_head=at_head,
        at_tail=at_tail,
        head=_mean(of_here, at_head, count),
        tail=_mean(of_here, at_tail, count),
        echo=_mean(of_here, share, count),
        title_of=_other(
            group, record, groups.representative[titles], blocks.record[titles], leader
        ),
        lead_of=lead_of,
        records=np.bincount(corpus.source)[source],
    )


def _mean(of_here: I64, value: np.ndarray[tuple[int], np.dtype[np.generic]], count: I64) -> F64:
    total = np.bincount(of_here, weights=value.astype(np.float64), minlength=count.size)
    out: F64 = (total / count)[of_here]
    return out


def _counts(code: I64) -> I64:
    """For each value, how often it occurs."""
    _, which, count = np.unique(code, return_inverse=True, return_counts=True)
    return np.asarray(count[which])


def _distinct(group: I64, story: I64) -> I64:
    """For each group number, how many distinct stories it stands in."""
    code = np.unique(group * np.int64(story.size + 1) + story)
    return np.bincount(code // (story.size + 1), minlength=int(group.max(initial=-1)) + 1)


def _opens_prose(corpus: Corpus, prose: Bool) -> Bool:
    """Blocks whose first word opens paragraphs, and never or hardly ever a headline.

    The lexicon knows some such words; the input's own paragraphs and headlines tell the others.
    """
    n, blocks = corpus.n, corpus.blocks
    known: Bool = corpus.phrases["prose"] > 0
    filled = np.flatnonzero(blocks.length()[: n + corpus.titles])
    words, word = np.unique(blocks.tokens[blocks.pointer[filled]], return_inverse=True)
    texts = filled < n
    opens_prose = np.bincount(word[texts], weights=prose[filled[texts]], minlength=words.size)
    opens_title = np.bincount(word[~texts], minlength=words.size)
    learned = (opens_prose >= OPENER) & (opens_title * OPENER_ODDS < opens_prose)
    known[filled[texts]] |= learned[word[texts]]
    if corpus.titles >= ENOUGH_TITLES:
        joined = (blocks.shape[filled[texts]] & kernels.WAW) != 0
        known[filled[texts]] |= joined & (opens_title[word[texts]] == 0)
    return known


def _first_prose(record: I64, prose: Bool) -> I64:
    """The first block of each record that is a paragraph: its lead."""
    at = np.flatnonzero(prose)
    _, first = np.unique(record[at], return_index=True)
    return at[first]


def _in_passage(record: I64, group: I64) -> Bool:
    """Blocks whose group stands next to the same group elsewhere too."""
    n = group.size
    out = np.zeros(n, dtype=np.bool_)
    if n < 2:
        return out
    same = np.flatnonzero(record[1:] == record[:-1])
    pairs = group[same] * np.int64(n + 1) + group[same + 1]
    _, of_pair, count = np.unique(pairs, return_inverse=True, return_counts=True)
    again = same[count[of_pair] > 1]
    out[again] = True
    out[again + 1] = True
    return out


def _other(group: I64, record: I64, lines: I64, line_records: I64 | I32, leader: I64) -> I64:
    """For each block, a record of another story that one of the matching lines belongs to, or -1.

    Args:
        group: int64[n]; group of each block.
        record: int64[n]; record of each block.
        lines: int64[m]; group of each line (a headline, a lead).
        line_records: int[m]; the record it belongs to.
        leader: int64[records].
    """
    story = leader[line_records]
    order = np.lexsort((line_records, lines))
    lines, line_records, story = lines[order], line_records[order].astype(np.int64), story[order]
    # The first line of each group, and the first one of another story than that.
    begins = np.flatnonzero(np.append(True, lines[1:] != lines[:-1])) if lines.size else order
    first_story = np.repeat(story[begins], np.diff(np.append(begins, lines.size)))
    second = np.flatnonzero(story != first_story)
    out = np.full(group.size, -1, dtype=np.int64)
    mine = leader[record]
    for which in (second[::-1], begins):  # later assignments win: the first line, if it may serve
        serving = np.full(int(max(group.max(initial=0), lines.max(initial=0))) + 1, -1)
        serving[lines[which]] = line_records[which]
        hit = serving[group]
        usable = (hit >= 0) & (leader[np.maximum(hit, 0)] != mine)
        out[usable] = hit[usable]
    return out
