"""Verdicts: what goes, why, and by what evidence."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from dedup.engines.memory import Memory
from dedup.judge.evidence import Evidence
from dedup.records import F32, F64, I32, I64, U8, Bool
from dedup.text.corpus import BYLINE, TITLE, Corpus

KEPT = 0


class Rule(NamedTuple):
    """A reason that a removal's evidence names.

    Attributes:
        name: its name.
        kind: the kind it removes.
        numbers: what the evidence tells besides.
    """

    name: str
    kind: str
    numbers: tuple[str, ...]


RULES: dict[int, Rule] = {}
"""Number -> rule. Numbers are given in order of registration."""


def rule(name: str, kind: str, *numbers: str) -> int:
    """Register a rule."""
    RULES[len(RULES) + 1] = Rule(name, kind, numbers)
    return len(RULES)


_SPREAD = ("stories", "of")
_EDGES = (*_SPREAD, "head", "tail")
_ECHO = ("stems", "echo")
HEADLINE = rule("headline", "title")
CREDIT_CUT = rule("credit-line", "byline")
CREDIT = rule("credit-template", "byline", *_EDGES)
HEADER = rule("header", "related", *_SPREAD)
HEADER_LINK = rule("header-and-link", "related", *_SPREAD, "headline_of")
BELOW_HEADER = rule("below-header", "related", *_SPREAD, "headline_of")
HEADLINE_OF = rule("headline-of-another", "related", *_SPREAD, "headline_of")
REPEATED_LINK = rule("repeated-link", "related", *_SPREAD, *_ECHO, "headline_of")
LONE_LINK = rule("lone-link", "related", *_SPREAD, *_ECHO)
TEASER = rule("teaser", "related", *_EDGES, "lead_of")
FOREIGN_END = rule("foreign-end", "related", *_SPREAD, "shared")
FOOTER = rule("footer-words", "boilerplate", *_EDGES)
STANDING = rule("standing-line", "boilerplate", *_EDGES)
RULE_LINE = rule("line-without-words", "boilerplate", *_SPREAD)
GLUED = rule("glued", "boilerplate", *_SPREAD)
GLUED_TAGS = rule("glued-tags", "boilerplate", *_SPREAD)
EQUAL = rule("equal", "duplicate", *_SPREAD)
NEAR = rule("near", "duplicate", *_SPREAD)
PASSAGE = rule("passage", "duplicate", *_SPREAD, "contained")
SENTENCES = rule("sentences", "duplicate", "sentences")
OVERRIDE = rule("override", "boilerplate")

REPEATS = (EQUAL, NEAR, PASSAGE)


class Reasons(NamedTuple):
    """Why some blocks and parts of blocks go, a row for each.

    Attributes:
        rule: uint8[k]; what removes it, KEPT for white space.
        similarity: float64[k]; to what it repeats, nan if it repeats nothing.
        record: int64[k]; where that stands, -1 for nowhere.
        start: int64[k]; its first character there.
        end: int64[k]; the character after its last.
        numbers: what the evidence of rules tells besides, by name, in that order: columns of
            numbers, or of ids and None.
    """

    rule: U8
    similarity: F64
    record: I64
    start: I64
    end: I64
    numbers: dict[str, Any]

    def evidence(self, at: int) -> dict[str, Any]:
        """One row's rule, and what it tells."""
        rule = RULES[int(self.rule[at])]
        told = {name: self.numbers[name][at] for name in rule.numbers}
        return {"rule": rule.name, **{
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in told.items()
        }}  # fmt: skip


class Match(NamedTuple):
    """Where the passage stands that a part of a block repeats."""

    record: int
    start: int
    end: int


class Part(NamedTuple):
    """What goes of a block that stays: residue glued to it, or sentences said elsewhere.

    Attributes:
        block: the block.
        first: its first token that goes.
        tokens: how many go.
        rule: why.
        number: distinct stories of the source that have the residue, or such; sentences that go.
        span: its characters [start, end) in the record's text, where that is known.
        similarity: to the passage it repeats, None if it repeats none.
        match: where that passage stands.
    """

    block: int
    first: int
    tokens: int
    rule: int
    number: int
    span: tuple[int, int] | None = None
    similarity: float | None = None
    match: Match | None = None


@dataclass(slots=True)
class Verdicts:
    """What happens to each of the n blocks that stand in texts.

    Attributes:
        rule: uint8[n]; the rule that removes it, KEPT if none does.
        match: int32[n]; the block it repeats, -1 if none.
        similarity: float64[n]; to that block, nan if none.
        contained: float32[n]; for blocks of a passage, the share of their tokens that stand in
            the match; for foreign ends, the share by weight that stands in the text above.
        parts: of blocks, in order; those of blocks that go do not count.
        spared: block -> the rule that would have left its record without a body.
    """

    rule: U8
    match: I32
    similarity: F64
    contained: F32
    parts: list[Part] = field(default_factory=list)
    spared: dict[int, int] = field(default_factory=dict)

    @classmethod
    def none(cls, corpus: Corpus, memory: Memory) -> Verdicts:
        """Nothing goes but what a raw dump was cut at."""
        kinds: list[Any] = [np.uint8, np.int32, np.float64, np.float32]
        columns: list[Any] = [memory.empty(corpus.n, kind) for kind in kinds]
        for column, value in zip(columns, (KEPT, -1, np.nan, np.nan), strict=True):
            column[:] = value
        verdicts = cls(*columns)
        verdicts.rule[corpus.fixed == TITLE] = HEADLINE
        verdicts.rule[corpus.fixed == BYLINE] = CREDIT_CUT
        return verdicts

    def mark(self, which: I64 | Bool, number: int) -> None:
        """Remove blocks by a rule, unless one has removed them before."""
        chosen = np.zeros(self.rule.size, dtype=np.bool_)
        chosen[which] = True
        self.rule[chosen & (self.rule == KEPT)] = number

    def hold(self, residue: Bool) -> None:
        """Let the first blocks be what earlier runs found them: page residue, or not."""
        self.rule[: residue.size] = np.where(residue, STANDING, KEPT)

    def add_parts(self, more: Iterable[Part]) -> None:
        """Let more parts of blocks go."""
        self.parts = sorted([*self.parts, *more], key=lambda part: (part.block, part.first))

    def leave(self, kinds: Container[str]) -> None:
        """Take back what removes blocks and parts as one of these kinds, but a reviewer's word."""
        numbers = [
            number for number, rule in RULES.items() if rule.kind in kinds and number != OVERRIDE
        ]
        self.rule[self.by(numbers)] = KEPT
        self.parts = [part for part in self.parts if part.rule not in numbers]

    def residue(self) -> Bool:
        """bool[n]; what goes as a part of the page, not as a repetition."""
        return np.asarray((self.rule != KEPT) & ~self.by(REPEATS))

    def by(self, rules: Iterable[int]) -> Bool:
        """bool[n]; what goes by one of some rules."""
        return np.asarray(_among(tuple(rules))[self.rule])

    def numbers_of_parts(self, start: int, stop: int) -> range:
        """Which parts are of the blocks [start, stop)."""
        return range(*(bisect_left(self.parts, block, key=_block) for block in (start, stop)))

    def parts_of(self, start: int, stop: int) -> list[Part]:
        """The parts that go of the blocks [start, stop)."""
        found = (self.parts[number] for number in self.numbers_of_parts(start, stop))
        return [part for part in found if self.rule[part.block] == KEPT]

    def reasons(self, corpus: Corpus, evidence: Evidence, block: I64, part: I64) -> Reasons:
        """Why blocks and parts of blocks go.

        Args:
            corpus: all records.
            evidence: of all blocks.
            block: int64[k]; -1 for white space.
            part: int64[k]; indices into `parts`, -1 for what goes whole.
        """
        which = np.maximum(block, 0)
        rule = np.where(block < 0, KEPT, self.rule[which]).astype(np.uint8)
        match = np.where(block < 0, -1, self.match[which]).astype(np.int64)
        similarity = np.where(match < 0, np.nan, self.similarity[which])
        blocks = corpus.blocks
        record, start, end = (
            np.where(match < 0, -1, column[match]).astype(np.int64)
            for column in (blocks.record, blocks.start, blocks.end)
        )
        stories, sentences = evidence.spread[which].astype(np.int64), np.zeros_like(match)
        contained = _rounded(self.contained[which])
        for at in np.flatnonzero(part >= 0).tolist():
            told = self.parts[part[at]]
            rule[at] = told.rule
            stories[at] = sentences[at] = told.number
            similarity[at] = np.nan if told.similarity is None else told.similarity
            record[at], start[at], end[at] = told.match or (-1, -1, -1)
        numbers = {
            "sentences": sentences,
            "stories": stories,
            "of": evidence.records[which],
            "head": _rounded(evidence.head[which]),
            "tail": _rounded(evidence.tail[which]),
            "stems": blocks.content[which],
            "echo": blocks.echo[which],
            "contained": contained,
            "shared": contained,
            "headline_of": _ids(corpus, evidence.title_of[which]),
            "lead_of": _ids(corpus, evidence.lead_of[which]),
        }
        return Reasons(rule, similarity, record, start, end, numbers)


@lru_cache(maxsize=64)
def _among(rules: tuple[int, ...]) -> Bool:
    out = np.zeros(256, dtype=np.bool_)
    out[list(rules)] = True
    return out


def _block(part: Part) -> int:
    return part.block


def _rounded(values: F32) -> F64:
    return np.asarray(np.round(values.astype(np.float64), 4), dtype=np.float64)


def _ids(corpus: Corpus, records: I32) -> list[str | None]:
    return [corpus.ids[record] if record >= 0 else None for record in records.tolist()]
