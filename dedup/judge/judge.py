"""Judging, in order: page residue first, then what is said elsewhere."""

from __future__ import annotations

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.errors import GuardError
from dedup.judge.credits import judge_edges
from dedup.judge.evidence import Evidence, Prior, first_prose
from dedup.judge.related import judge_headers, judge_links, links_below
from dedup.judge.teasers import judge_teasers
from dedup.judge.verdicts import (
    BELOW_HEADER,
    CREDIT,
    EQUAL,
    FOREIGN_END,
    HEADLINE_OF,
    KEPT,
    LONE_LINK,
    NEAR,
    PASSAGE,
    REPEATED_LINK,
    RULE_LINE,
    SENTENCES,
    STANDING,
    TEASER,
    Match,
    Part,
    Verdicts,
)
from dedup.match.groups import Groups
from dedup.match.passages import extend_passages
from dedup.match.sentences import Sentences, shared_passages
from dedup.records import I32, I64
from dedup.sketch.lsh import is_in
from dedup.text.corpus import NOTHING, Corpus

LINKS = (HEADLINE_OF, REPEATED_LINK, BELOW_HEADER, LONE_LINK)
# Not furniture where nothing else stands.
UNCERTAIN = (*LINKS, TEASER, FOREIGN_END, STANDING, CREDIT)
IMPLAUSIBLE = 0.3  # of an outlet's characters, more than this are hardly furniture
ENOUGH_RECORDS = 10  # in so many records
REPEAT_TOKENS = 8  # a shorter block that recurs is removed only within a passage


def judge_residue(
    corpus: Corpus, evidence: Evidence, stories: I64, memory: Memory, prior: Prior | None = None
) -> Verdicts:
    """Tell what is part of the page from what is part of a story.

    Args:
        corpus: all records.
        evidence: of all blocks.
        stories: int64[records]; the record that leads each record's story.
        memory: where the columns lie.
        prior: what earlier runs counted.
    """
    verdicts = Verdicts.none(corpus, memory)
    headers = judge_headers(corpus, evidence, verdicts)
    listed = links_below(corpus, evidence, headers)
    judge_edges(corpus, evidence, listed, verdicts)
    judge_links(corpus, evidence, listed, verdicts, prior)
    judge_teasers(corpus, evidence, verdicts, prior)
    _copied_furniture(corpus, stories, verdicts)
    _lines_without_words(corpus, verdicts)
    _spare_bodies(corpus, evidence, verdicts)
    return verdicts


def _copied_furniture(corpus: Corpus, stories: I64, verdicts: Verdicts) -> None:
    """Furniture of a record is furniture in the copies of it that other sources have.

    A source of nothing but copies tells of no line in how many stories of its own it stands.
    """
    marked = np.isin(verdicts.rule, (STANDING, CREDIT))
    key = corpus.blocks.key[: corpus.n]
    which = np.flatnonzero(is_in(key, key[marked]) & (key != 0))
    story = stories[corpus.record_of()[which]].astype(np.uint64)
    code = key[which] * np.uint64(corpus.records + 1) + story
    for number in (STANDING, CREDIT):
        told = code[verdicts.rule[which] == number]
        verdicts.mark(which[is_in(code, told)], number)


def _lines_without_words(corpus: Corpus, verdicts: Verdicts) -> None:
    """Rules of dashes and the like go with the residue they part from the text."""
    wordless = np.flatnonzero(corpus.blocks.key[: corpus.n] == 0)
    if not wordless.size:
        return
    record = corpus.record_of()[wordless]
    first, end = corpus.first[record], corpus.first[record + 1]
    kept = np.append(0, np.cumsum(verdicts.rule == KEPT))  # before each block
    parts_from = (end - first > 1) & (kept[end] == kept[wordless + 1])
    verdicts.mark(wordless[parts_from], RULE_LINE)


def _spare_bodies(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> None:
    """Take back what would leave a record without its body.

    A page of headlines is what it is: where no paragraph stays, its links do. And where nothing at
    all would stay, all stays but what is furniture for certain.
    """
    record = corpus.record_of()
    body = (corpus.fixed == NOTHING) & (corpus.blocks.key[: corpus.n] != 0)
    for needed, taken_back in ((~evidence.heading, LINKS), (body, UNCERTAIN)):
        goes = verdicts.by(taken_back)
        if not goes.any():
            continue
        stays = body & needed & (verdicts.rule == KEPT)
        bare = np.bincount(record[stays], minlength=corpus.records) == 0
        spared = np.flatnonzero(bare[record] & body & goes)
        verdicts.spared |= zip(spared.tolist(), verdicts.rule[spared].tolist(), strict=True)
        verdicts.rule[spared] = KEPT


def doubtful(corpus: Corpus, verdicts: Verdicts, most: float) -> dict[str, float]:
    """The outlets that lose an implausible share of their characters as page residue.

    Args:
        corpus: all records.
        verdicts: on all blocks.
        most: the share that stops the run.

    Raises:
        GuardError: an outlet loses more than that.
    """
    blocks, n = corpus.blocks, corpus.n
    residue = verdicts.residue() & (corpus.fixed == NOTHING)
    if not residue.any():
        return {}
    size = (blocks.end[:n] - blocks.start[:n]).astype(np.float64)
    source = corpus.source[corpus.record_of()]
    gone = size * residue
    total, lost = (np.bincount(source, w, len(corpus.sources)) for w in (size, gone))
    share = lost / np.maximum(total, 1.0)
    if (share > most).any():
        worst = int(share.argmax())
        raise GuardError(
            f"{corpus.sources[worst]}: page residue would take {100 * share[worst]:.0f} % of its "
            f"characters, more than --max-removed {most}; nothing was written. Look at what would "
            "go with a higher share, or leave a kind with --keep-kind"
        )
    records = np.bincount(corpus.source, minlength=share.size)
    found = np.flatnonzero((share > IMPLAUSIBLE) & (records >= ENOUGH_RECORDS))
    return {corpus.sources[s]: round(float(share[s]), 4) for s in found.tolist()}


def foremost_leads(corpus: Corpus, groups: Groups, stories: I64, evidence: Evidence) -> I64:
    """int64; leads that stand for themselves before a paragraph inside another story does.

    One article ends in, or tells in passing, what another one begins with: the latter keeps it.
    """
    n = corpus.n
    leads = first_prose(corpus, evidence)
    lead = np.zeros(n, dtype=np.bool_)
    lead[leads] = True
    record, keeper = corpus.record_of(), groups.representative[leads]
    other = np.minimum(keeper, n - 1)
    foremost: I64 = leads[
        (other == keeper)
        & ~lead[other]
        & (corpus.phrases["prose"][leads] == 0)  # nothing begins with 'and he said'
        & (other >= corpus.seen)
        & (stories[record[leads]] != stories[record[other]])
    ]
    return foremost


def judge_repeats(
    corpus: Corpus,
    groups: Groups,
    stories: I64,
    evidence: Evidence,
    verdicts: Verdicts,
    config: Config,
) -> None:
    """Mark what is said elsewhere: verified matches, and reworded blocks of shared passages.

    Args:
        corpus: all records.
        groups: of the blocks that are no residue.
        stories: int64[records]; the record that leads each record's story.
        evidence: of all blocks.
        verdicts: marked in place.
        config: `keep`, `extend` and `shingle`.
    """
    if config.keep == "mark":
        return
    n = corpus.n
    residue = verdicts.residue()
    keeper = groups.representative[:n]
    repeats = (keeper != np.arange(n, dtype=np.int32)) & (corpus.blocks.key[:n] != 0)
    if config.keep == "all":  # every version of a story stays whole
        story = stories[corpus.record_of()]
        repeats &= story != story[keeper]
    long = repeats & (evidence.length >= REPEAT_TOKENS)
    shared = long | (repeats & _beside(corpus, keeper, long))
    equal = corpus.blocks.key[:n] == corpus.blocks.key[keeper]
    verdicts.mark(shared & equal, EQUAL)
    verdicts.mark(shared & ~equal, NEAR)
    verdicts.match[shared] = keeper[shared]
    verdicts.similarity[shared] = groups.similarity[:n][shared]
    if config.keep == "all":
        return
    kept = verdicts.rule == KEPT
    # A block that others were removed for must stay, or what they said would be lost.
    free = kept.copy()
    free[keeper[shared]] = False
    passages = extend_passages(corpus, groups, kept, free, residue, config)
    verdicts.rule[passages.block] = PASSAGE
    verdicts.match[passages.block] = passages.match
    verdicts.similarity[passages.block] = passages.similarity
    verdicts.contained[passages.block] = passages.contained


def shared_parts(
    corpus: Corpus, found: Sentences, verdicts: Verdicts, config: Config, memory: Memory
) -> list[Part]:
    """Passages of some sentences that blocks which stay share with others which stay, in order.

    Sentences of which a part goes already are in none.
    """
    if config.keep in ("all", "mark"):
        return []
    stays = (verdicts.rule == KEPT) & (corpus.fixed == NOTHING)
    blocks, of = found.corpus.blocks, found.block
    usable = stays[of]
    for part in verdicts.parts:
        at = int(corpus.blocks.pointer[part.block]) + part.first
        begin = int(np.searchsorted(blocks.pointer, at, side="right")) - 1
        usable[begin : int(np.searchsorted(blocks.pointer, at + part.tokens))] = False
    keeps = np.zeros(usable.size, dtype=np.bool_)  # sentences that others went for
    parts: list[Part] = []
    while True:
        # A passage that overlaps one that goes may be found only when that is out of the way.
        runs = shared_passages(found, usable, config, memory)
        new = 0
        for first, other, count, similarity in zip(*(c.tolist() for c in runs), strict=True):
            if keeps[first : first + count].any():
                continue
            block, last, there = int(of[first]), first + count - 1, other + count - 1
            place = Match(
                int(blocks.record[other]), int(blocks.start[other]), int(blocks.end[there])
            )
            parts.append(
                Part(
                    block,
                    int(blocks.pointer[first] - corpus.blocks.pointer[block]),
                    int(blocks.pointer[last + 1] - blocks.pointer[first]),
                    SENTENCES,
                    count,
                    (int(blocks.start[first]), int(blocks.end[last])),
                    similarity,
                    place,
                )
            )
            usable[first : last + 1] = False
            keeps[other : there + 1] = True
            new += 1
        if not new:
            return parts


def _beside(
    corpus: Corpus, keeper: I32, sure: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Blocks next to a sure repeat, whose keeper stands next to that repeat's keeper."""
    out = np.zeros(sure.size, dtype=np.bool_)
    if not sure.any():
        return out
    record = corpus.record_of()
    for step in (1, -1):
        near = np.roll(np.arange(sure.size, dtype=np.int32), -step)
        same = (record[near] == record) & sure[near]
        out |= same & (keeper[near] - keeper == step)
    return out
