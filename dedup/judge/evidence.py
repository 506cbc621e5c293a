"""Evidence: what is known of each block, in numbers, before anything is decided.

Counting is per source and over distinct stories: the same story stored under ten addresses
counts once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dedup.engines.memory import Memory
from dedup.match.groups import Groups
from dedup.records import F32, F64, I32, I64, U32, U64, Bool
from dedup.sketch.lsh import first_equal
from dedup.text import kernels
from dedup.text.blocks import Blocks
from dedup.text.corpus import Corpus

OWN = 3  # a paragraph that stands in fewer stories of its source is a record's own
LEAD_TOKENS = 8
OPENER, OPENER_ODDS = 20, 50  # paragraphs a word must open, and how often for one headline
PIECE = 1 << 20  # blocks looked at together
_ODD = np.uint64(0x9E3779B97F4A7C15)
WORDS = 1 << 18  # words told apart where it is only counted how often they stand
ENOUGH_TITLES = 200  # headlines from which on a word that opens none of them tells something


class Evidence(NamedTuple):
    """One value for each of the n blocks that stand in texts, and one for each word.

    Attributes:
        length: int32; tokens.
        line: bool; shaped like a headline: one short run without a full stop.
        heading: bool; shaped so, and not opening like a paragraph of prose.
        place: int32; blocks before it in its record.
        left: int32; blocks behind it in its record.
        passage: bool; whether a neighbour's group stands next to its group elsewhere too: they
            recur together, as the paragraphs of a story do.
        times: int32; how often its group stands in its own record.
        spread: int32; distinct stories of its source that hold its group.
        at_head: bool; no paragraph of the record's own stands before it.
        at_tail: bool; no paragraph of the record's own stands behind it.
        head: float32; share of the group's places in the source that are at the head.
        tail: float32; the same for the tail.
        echo: float32; mean over the group's places in the source of the share of the heading's
            meaningful stems that the prose right after it takes up.
        title_of: int32; another story's record whose headline it matches, -1 if none.
        lead_of: int32; another story's record whose first paragraph or abstract it matches, or
            whose first paragraph begins with it, as a sentence.
        records: int32; records of its source.
        places: int32; places of its group in the source.
        words: int32[WORDS]; how often each word stands in texts, words told by their hashes' last
            bits only (`marks`).
    """

    length: I32
    line: Bool
    heading: Bool
    passage: Bool
    times: I32
    place: I32
    left: I32
    spread: I32
    at_head: Bool
    at_tail: Bool
    head: F32
    tail: F32
    echo: F32
    title_of: I32
    lead_of: I32
    records: I32
    places: I32
    words: I32


class Prior(NamedTuple):
    """What earlier runs counted: a row for each group and source that a block of this run is in.

    Attributes:
        counted: bool[records]; records whose places are in the rows.
        records: int32[sources]; records of each source in earlier runs.
        block: int32[k]; a block of the group.
        source: int32[k]; the source.
        stories: int32[k]; distinct stories that hold the group.
        places: int32[k]; places of the group.
        head: float32[k]; how many of them are at the head.
        tail: float32[k]; the same for the tail.
        echo: float32[k]; the sum of the shares that the prose after them takes up.
        residue: bool[b]; the first blocks, those of earlier runs: whether they were page residue.
        habits: int64[sources, 5]; what each source did, of `dedup.judge.habits`.
    """

    counted: Bool
    records: I32
    block: I32
    source: I32
    stories: I32
    places: I32
    head: F32
    tail: F32
    echo: F32
    residue: Bool
    habits: I64


class Standing(NamedTuple):
    """What is known of each of the n blocks before any stories are: form, place, neighbours.

    Attributes:
        group: int32; representative of its group.
        here: int32; the first block of its group in its source, which names the group there.
        length, line, heading, passage, times, place, left, echo, records, places, words: as of
            `Evidence`.
        begins: int64[k]; the first paragraph of each record that has one: its lead.
        telling: int64[m]; paragraphs that say what a lead's first sentence says.
        told: int64[m]; that lead.
        known: what earlier runs counted, by `here`; None if there were none.
    """

    group: I32
    here: I32
    length: I32
    line: Bool
    heading: Bool
    passage: Bool
    times: I32
    place: I32
    left: I32
    echo: F32
    records: I32
    places: I32
    words: I32
    begins: I64
    telling: I64
    told: I64
    known: _Known | None


def stand(corpus: Corpus, groups: Groups, memory: Memory, prior: Prior | None = None) -> Standing:
    """What is known of all blocks before any stories are.

    Args:
        corpus: all records.
        groups: matched blocks, headlines and abstracts among them.
        memory: where the columns lie, each from when it is known.
        prior: what earlier runs counted.
    """
    n, keep = corpus.n, memory.keep
    blocks = corpus.blocks
    record = corpus.record_of()
    group = groups.representative[:n]
    here = keep(first_equal(corpus.source[record] * np.int64(n + 1) + group))
    length = keep(blocks.length()[:n].astype(np.int32))
    line = blocks.headings()[:n]
    heading = line & ~_opens_prose(corpus, ~line)
    prose = ~heading & (length >= LEAD_TOKENS)
    begins = _first_of(record, prose)
    telling, told = _first_sentences(blocks, begins, prose)
    known = _known(prior, corpus, group, memory) if prior is not None else None
    fresh = None if prior is None else ~prior.counted[record]
    count = np.bincount(here, weights=fresh, minlength=n).astype(np.int32)
    if known is not None:
        count = count + known.places.astype(np.int32)
    share = np.where(
        blocks.content[:n] > 0, blocks.echo[:n] / np.maximum(1, blocks.content[:n]), 0.0
    )
    mine = np.arange(n, dtype=np.int32)
    return Standing(
        group=group,
        here=here,
        length=length,
        line=line,
        heading=heading,
        passage=_in_passage(record, group),
        times=keep(_counts(record * np.int64(n + 1) + group)),
        place=keep(mine - corpus.first[:-1].astype(np.int32)[record]),
        left=keep(corpus.first[1:].astype(np.int32)[record] - 1 - mine),
        echo=keep(_mean(here, share, fresh, known and known.echo, count)),
        records=keep(_records(corpus, prior)[corpus.source[record]]),
        places=keep(count[here]),
        words=count_words(blocks.tokens[: blocks.pointer[n]]),
        begins=begins,
        telling=telling,
        told=told,
        known=known,
    )


def gather(
    corpus: Corpus,
    groups: Groups,
    standing: Standing,
    leader: I64,
    memory: Memory,
    prior: Prior | None = None,
) -> Evidence:
    """Gather the evidence of all blocks.

    Args:
        corpus: all records.
        groups: matched blocks, headlines and abstracts among them.
        standing: of the blocks.
        leader: int64[records]; the record that leads each record's story.
        memory: where the columns lie, each from when it is known.
        prior: what earlier runs counted.
    """
    n, keep = corpus.n, memory.keep
    blocks = corpus.blocks
    record = corpus.record_of()
    group, here, begins, known = standing.group, standing.here, standing.begins, standing.known
    titles = slice(n, n + corpus.titles)
    abstracts = slice(n + corpus.titles, None)
    leads = np.concatenate([group[begins], groups.representative[abstracts]])
    lead_records = np.concatenate([record[begins], blocks.record[abstracts]])
    lead_of = keep(_other(group, record, leads, lead_records, leader))
    block, lead = standing.telling, standing.told
    new = (lead_of[block] < 0) & (leader[record[block]] != leader[record[lead]])
    lead_of[block[new]] = record[lead[new]]
    lead_of[begins] = -1
    title_of = _other(group, record, groups.representative[titles], blocks.record[titles], leader)
    spread = keep(_spread(here, record, leader, prior, known)[here])
    long = ~standing.line & (standing.length >= LEAD_TOKENS)
    own = np.append(np.int32(0), np.cumsum(long & (spread < OWN), dtype=np.int32))
    at_head = own[:-1] == own[corpus.first[:-1]][record]
    at_tail = own[1:] == own[corpus.first[1:]][record]
    del own
    fresh = None if prior is None else ~prior.counted[record]
    count = np.zeros(n, dtype=np.int32)
    count[here] = standing.places
    return Evidence(
        length=standing.length,
        line=standing.line,
        heading=standing.heading,
        passage=standing.passage,
        times=standing.times,
        place=standing.place,
        left=standing.left,
        spread=spread,
        at_head=at_head,
        at_tail=at_tail,
        head=keep(_mean(here, at_head, fresh, known and known.head, count)),
        tail=keep(_mean(here, at_tail, fresh, known and known.tail, count)),
        echo=standing.echo,
        title_of=keep(title_of),
        lead_of=lead_of,
        records=standing.records,
        places=standing.places,
        words=standing.words,
    )


def marks(tokens: U32) -> U32:
    """Where words stand among `Evidence.words`."""
    return np.asarray(tokens & np.uint32(WORDS - 1))


def count_words(tokens: U32) -> I32:
    """int32[WORDS]; how often each word stands there."""
    times = np.zeros(WORDS, dtype=np.int32)
    kernels.count_words(tokens, times)
    return times


def _mean(here: I32, value: F64 | Bool, fresh: Bool | None, more: F64 | None, count: I32) -> F32:
    """The mean of a value over the places of each group, those of earlier runs among them."""
    if value.dtype == np.bool_:  # counted, which takes less than adding does
        marked: Bool = value.astype(np.bool_, copy=False)
        which = marked if fresh is None else marked & fresh
        sums = np.bincount(here[which], minlength=count.size)
    else:
        sums = np.bincount(here, value if fresh is None else value * fresh, count.size)
    total: F64 = sums.astype(np.float64, copy=False)
    if more is not None:
        total += more
    return (total / np.maximum(1, count)).astype(np.float32)[here]


def _records(corpus: Corpus, prior: Prior | None) -> I32:
    """int32[sources]; records of each source, of this run and earlier ones."""
    size = len(corpus.sources)
    if prior is None:
        return np.bincount(corpus.source, minlength=size).astype(np.int32)
    fresh = np.bincount(corpus.source[~prior.counted], minlength=size).astype(np.int32)
    return fresh + prior.records


class _Known(NamedTuple):
    """Sums of earlier runs, each float64[n] by a group's first block in a source."""

    stories: F64
    places: F64
    head: F64
    tail: F64
    echo: F64


def _known(prior: Prior, corpus: Corpus, group: I32, memory: Memory) -> _Known:
    n = corpus.n
    code = corpus.source[corpus.record_of()] * np.int64(n + 1) + group
    rows = prior.source * np.int64(n + 1) + group[prior.block]
    here = first_equal(np.concatenate((code, rows)))[n:]
    used = np.flatnonzero(here < n)
    columns = (prior.stories, prior.places, prior.head, prior.tail, prior.echo)
    sums = (np.bincount(here[used], column[used], n).astype(np.float64) for column in columns)
    return _Known(*map(memory.keep, sums))


def _spread(here: I32, record: I32, leader: I64, prior: Prior | None, known: _Known | None) -> I32:
    """For each group in a source, how many distinct stories it stands in."""
    if prior is None or known is None:
        return _distinct(here, leader[record])
    # A story that an earlier run told was counted then, if the group stood in it.
    old = prior.counted[record] | (prior.counted[leader[record]] & (known.stories[here] > 0))
    fresh = np.flatnonzero(~old)
    which = first_equal(here[fresh] * np.int64(leader.size + 1) + leader[record[fresh]])
    firsts = fresh[which == np.arange(which.size, dtype=np.int32)]
    return (np.bincount(here[firsts], minlength=here.size) + known.stories).astype(np.int32)


def _counts(code: I64) -> I32:
    """For each value, how often it occurs."""
    which = first_equal(code)
    return np.bincount(which).astype(np.int32)[which]


def _distinct(here: I32, story: I64) -> I32:
    """For each group, how many distinct stories it stands in."""
    which = first_equal(here * np.int64(story.size + 1) + story)
    firsts = which == np.arange(which.size, dtype=np.int32)
    return np.bincount(here[firsts], minlength=here.size).astype(np.int32)


def _opens_prose(corpus: Corpus, prose: Bool) -> Bool:
    """Blocks whose first word opens paragraphs, and never or hardly ever a headline.

    The lexicon knows some such words; the input's own paragraphs and headlines tell the others.
    """
    n, blocks = corpus.n, corpus.blocks
    known: Bool = corpus.phrases["prose"] > 0
    filled = np.flatnonzero(blocks.length()[: n + corpus.titles])
    word = first_equal(blocks.tokens[blocks.pointer[filled]])
    texts = filled < n
    opens_prose = np.bincount(word[texts], weights=prose[filled[texts]], minlength=word.size)
    opens_title = np.bincount(word[~texts], minlength=word.size)
    learned = (opens_prose >= OPENER) & (opens_title * OPENER_ODDS < opens_prose)
    known[filled[texts]] |= learned[word[texts]]
    if corpus.titles >= ENOUGH_TITLES:
        joined = (blocks.shape[filled[texts]] & kernels.WAW) != 0
        known[filled[texts]] |= joined & (opens_title[word[texts]] == 0)
    return known


def first_prose(corpus: Corpus, evidence: Evidence) -> I64:
    """int64; the first block of each record that is a paragraph, its lead, where there is one."""
    return _first_of(corpus.record_of(), ~evidence.heading & (evidence.length >= LEAD_TOKENS))


def _first_of(record: I32, prose: Bool) -> I64:
    at = np.flatnonzero(prose)
    first = np.ones(at.size, dtype=np.bool_)
    first[1:] = record[at[1:]] != record[at[:-1]]
    return at[first]


def _first_sentences(blocks: Blocks, leads: I64, prose: Bool) -> tuple[I64, I64]:
    """Paragraphs that say what a lead's first sentence says, and that lead (int64[k] each)."""
    pointer, tokens = blocks.pointer, blocks.tokens
    second = np.searchsorted(blocks.cut, pointer[leads], side="right")
    inside = second < blocks.cut.size
    leads, stop = leads[inside], blocks.cut[second[inside]]
    longer = (stop < pointer[leads + 1]) & (stop - pointer[leads] >= LEAD_TOKENS)
    leads, stop = leads[longer], stop[longer]
    if not leads.size:
        return leads, leads

    def code(start: I64, end: I64) -> U64:
        """Length, the first two tokens and the last two."""
        out = (end - start).astype(np.uint64)
        for at in (start, start + 1, end - 2, end - 1):
            out = out * _ODD + tokens[at]
        return out

    # Few paragraphs begin with the word that a lead does and have as many.
    opening = np.zeros(WORDS, dtype=np.bool_)
    opening[_opening(tokens[pointer[leads]], stop - pointer[leads])] = True
    known, every = code(pointer[leads], stop), np.flatnonzero(prose)
    found = []
    for at in range(0, every.size, PIECE):
        block = every[at : at + PIECE]
        length = pointer[block + 1] - pointer[block]
        block = block[opening[_opening(tokens[pointer[block]], length)]]
        mine = np.append(known, code(pointer[block], pointer[block + 1]))
        which = first_equal(mine)[leads.size :]
        alike = which < leads.size
        found.append((block[alike], which[alike]))
    block, which = (np.concatenate(column) for column in zip(*found, strict=True))
    equal = np.zeros(block.size, dtype=np.bool_)
    for k, (b, lead, end) in enumerate(zip(block, leads[which], stop[which], strict=True)):
        equal[k] = np.array_equal(tokens[pointer[b] : pointer[b + 1]], tokens[pointer[lead] : end])
    return block[equal], leads[which[equal]]


def _opening(first: U32, length: I64) -> U32:
    """A number below WORDS for blocks with a first word and so many."""
    return np.asarray(kernels.pair_mark(length.astype(np.uint32), first, WORDS))


def _in_passage(record: I32, group: I32) -> Bool:
    """Blocks whose group stands next to the same group elsewhere too."""
    n = group.size
    out = np.zeros(n, dtype=np.bool_)
    same = np.flatnonzero(record[1:] == record[:-1])
    again = same[_counts(group[same] * np.int64(n + 1) + group[same + 1]) > 1]
    out[again] = True
    out[again + 1] = True
    return out


def _other(group: I32, record: I32, lines: I32, line_records: I32, leader: I64) -> I32:
    """For each block, a record of another story that one of the matching lines belongs to, or -1.

    Args:
        group: int32[n]; group of each block.
        record: int32[n]; record of each block.
        lines: int32[m]; group of each line (a headline, a lead).
        line_records: int32[m]; the record it belongs to.
        leader: int64[records].
    """
    out = np.full(group.size, -1, dtype=np.int32)
    if not lines.size:
        return out
    story = leader[line_records]
    order = np.lexsort((line_records, lines))
    lines, line_records, story = lines[order], line_records[order], story[order]
    # The first line of each group, and the first one of another story than that.
    begins = np.flatnonzero(np.append(True, lines[1:] != lines[:-1]))
    first_story = np.repeat(story[begins], np.diff(np.append(begins, lines.size)))
    second = np.flatnonzero(story != first_story)
    for which in (second[::-1], begins):  # later assignments win: the first line, if it may serve
        size = int(max(group.max(initial=0), lines.max(initial=0))) + 1
        serving = np.full(size, -1, dtype=np.int32)
        serving[lines[which]] = line_records[which]
        block = np.flatnonzero(serving[group] >= 0)
        hit = serving[group[block]]
        usable = leader[hit] != leader[record[block]]
        out[block[usable]] = hit[usable]
    return out
