"""Lines that stay although something about them is suspicious, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dedup.judge.evidence import Evidence
from dedup.judge.verdicts import KEPT, RULES, Verdicts
from dedup.records import U8
from dedup.text.corpus import NOTHING, Corpus

MARKERS = ("header", "leadin", "footer", "opening", "embed", "credit")
STEMS = 4  # a heading of so many meaningful stems, none of which its text takes up, is foreign
SUSPICIONS = {
    1: "recurs in its source",
    2: "begins with a marker",
    4: "says what another story's headline or lead says",
    8: "a heading that its text does not take up",
    16: "all its record has",
}


class Suspicion(NamedTuple):
    """A block that stays, and why it was looked at.

    Attributes:
        block: the block.
        why: what is suspicious.
        evidence: all numbers that the rules go by.
    """

    block: int
    why: list[str]
    evidence: dict[str, Any]


def suspicious(corpus: Corpus, evidence: Evidence, verdicts: Verdicts) -> U8:
    """uint8[n]; a sum of keys of `SUSPICIONS`, 0 for what goes and for what is above suspicion."""
    n = corpus.n
    out = np.zeros(n, dtype=np.uint8)
    marked = np.zeros(n, dtype=np.bool_)
    for role in MARKERS:
        marked |= corpus.phrases[role] > 0
    content, echo = corpus.blocks.content[:n], corpus.blocks.echo[:n]
    foreign = evidence.heading & (evidence.place > 0) & (content >= STEMS) & (echo == 0)
    spared = np.zeros(n, dtype=np.bool_)
    spared[list(verdicts.spared)] = True
    other = (evidence.title_of >= 0) | (evidence.lead_of >= 0)
    recurs = (evidence.spread >= 2) & ~evidence.passage
    for number, which in zip(
        SUSPICIONS, (recurs, marked & evidence.line, other, foreign, spared), strict=True
    ):
        out[which] |= number
    out[(verdicts.rule != KEPT) | (corpus.fixed != NOTHING)] = 0
    return out


def explained(
    corpus: Corpus, evidence: Evidence, verdicts: Verdicts, found: U8, start: int, stop: int
) -> Iterator[Suspicion]:
    """The suspicions against the blocks [start, stop), in order.

    Args:
        corpus: all records.
        evidence: of all blocks.
        verdicts: on all blocks.
        found: of `suspicious`.
        start: first block.
        stop: the block after the last.
    """
    for b in (start + np.flatnonzero(found[start:stop])).tolist():
        titled, led = int(evidence.title_of[b]), int(evidence.lead_of[b])
        numbers: dict[str, Any] = {
            "stories": int(evidence.spread[b]),
            "of": int(evidence.records[b]),
            "head": round(float(evidence.head[b]), 4),
            "tail": round(float(evidence.tail[b]), 4),
            "stems": int(corpus.blocks.content[b]),
            "echo": int(corpus.blocks.echo[b]),
            "line": bool(evidence.line[b]),
            "heading": bool(evidence.heading[b]),
            "headline_of": corpus.ids[titled] if titled >= 0 else None,
            "lead_of": corpus.ids[led] if led >= 0 else None,
            "spared": RULES[verdicts.spared[b]].name if b in verdicts.spared else None,
        }
        why = [text for number, text in SUSPICIONS.items() if found[b] & number]
        yield Suspicion(b, why, numbers)
