"""Verdicts: what goes, why, and by what evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dedup.judge.evidence import Evidence
from dedup.records import F64, I64, U8, Bool
from dedup.text.corpus import BYLINE, TITLE, Corpus

KEPT = 0
RULES: dict[str, tuple[int, str]] = {}
"""Rule -> (its number, the kind it removes). Numbers are given in order of registration."""


def rule(name: str, kind: str) -> int:
    """Register a rule: the reason that a removal's evidence names."""
    RULES[name] = (len(RULES) + 1, kind)
    return RULES[name][0]


HEADLINE = rule("headline", "title")
CREDIT_CUT = rule("credit-line", "byline")
CREDIT = rule("credit-template", "byline")
HEADER = rule("header", "related")
HEADER_LINK = rule("header-and-link", "related")
BELOW_HEADER = rule("below-header", "related")
HEADLINE_OF = rule("headline-of-another", "related")
REPEATED_LINK = rule("repeated-link", "related")
LONE_LINK = rule("lone-link", "related")
TEASER = rule("teaser", "related")
FOOTER = rule("footer-words", "boilerplate")
STANDING = rule("standing-line", "boilerplate")
RULE_LINE = rule("line-without-words", "boilerplate")
EQUAL = rule("equal", "duplicate")
NEAR = rule("near", "duplicate")
PASSAGE = rule("passage", "duplicate")

REPEATS = (EQUAL, NEAR, PASSAGE)
NAMES = {number: (name, kind) for name, (number, kind) in RULES.items()}


@dataclass(slots=True)
class Verdicts:
    """What happens to each of the n blocks that stand in texts.

    Attributes:
        rule: uint8[n]; the rule that removes it, KEPT if none does.
        match: int64[n]; the block it repeats, -1 if none.
        similarity: float64[n]; to that block, nan if none.
        contained: float64[n]; for blocks of a passage, the share of their tokens that stand in
            the match.
    """

    rule: U8
    match: I64
    similarity: F64
    contained: F64

    @classmethod
    def none(cls, corpus: Corpus) -> Verdicts:
        """Nothing goes but what a raw dump was cut at."""
        n = corpus.n
        verdicts = cls(
            np.zeros(n, dtype=np.uint8),
            np.full(n, -1, dtype=np.int64),
            np.full(n, np.nan),
            np.full(n, np.nan),
        )
        verdicts.rule[corpus.fixed == TITLE] = HEADLINE
        verdicts.rule[corpus.fixed == BYLINE] = CREDIT_CUT
        return verdicts

    def mark(self, which: I64 | Bool, number: int) -> None:
        """Remove blocks by a rule, unless one has removed them before."""
        chosen = np.zeros(self.rule.size, dtype=np.bool_)
        chosen[which] = True
        self.rule[chosen & (self.rule == KEPT)] = number

    def residue(self) -> Bool:
        """bool[n]; what goes as a part of the page, not as a repetition."""
        return np.asarray((self.rule != KEPT) & ~np.isin(self.rule, REPEATS))

    def evidence(self, block: int, corpus: Corpus, evidence: Evidence) -> dict[str, Any]:
        """Why a block goes, in numbers."""
        number = int(self.rule[block])
        row: dict[str, Any] = {"rule": NAMES[number][0]}
        if number in (HEADLINE, CREDIT_CUT):
            return row
        row["stories"] = int(evidence.spread[block])
        row["of"] = int(evidence.records[block])
        if number == PASSAGE:
            row["contained"] = round(float(self.contained[block]), 4)
        if number in (STANDING, CREDIT, TEASER, FOOTER):
            row["head"] = round(float(evidence.head[block]), 4)
            row["tail"] = round(float(evidence.tail[block]), 4)
        if number in (REPEATED_LINK, LONE_LINK):
            row["stems"] = int(corpus.blocks.content[block])
            row["echo"] = int(corpus.blocks.echo[block])
        if number in (HEADLINE_OF, BELOW_HEADER, REPEATED_LINK, HEADER_LINK):
            row["headline_of"] = _id(corpus, evidence.title_of[block])
        if number == TEASER:
            row["lead_of"] = _id(corpus, evidence.lead_of[block])
        return row


def _id(corpus: Corpus, record: np.int64) -> str | None:
    return corpus.ids[record] if record >= 0 else None
