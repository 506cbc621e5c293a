"""What outlets do as a habit: drop links between paragraphs, end records in teasers."""

from __future__ import annotations

import numpy as np

from dedup.judge.evidence import Evidence, Prior
from dedup.judge.verdicts import (
    BELOW_HEADER,
    FOREIGN_END,
    HEADLINE_OF,
    REPEATED_LINK,
    TEASER,
    Verdicts,
)
from dedup.records import I32, I64, Bool
from dedup.text.corpus import Corpus

HEADINGS, LINKS, BETWEEN, TAKEN_UP, ENDS = range(5)
SURE = (HEADLINE_OF, REPEATED_LINK, BELOW_HEADER)


def counted(corpus: Corpus, evidence: Evidence, verdicts: Verdicts, prior: Prior | None) -> I64:
    """int64[sources, 5]; the habits of this run's records, as far as verdicts tell them by now.

    Headings inside records; those that are links for sure; those of them that stand between
    paragraphs; other headings there, which the prose takes up; records that end in teasers.
    """
    record, sources = corpus.record_of(), len(corpus.sources)
    source = corpus.source[record]
    fresh = np.ones(corpus.records, dtype=np.bool_) if prior is None else ~prior.counted
    inside = evidence.heading & (evidence.place > 0) & (corpus.fixed == 0) & fresh[record]
    links = inside & verdicts.by(SURE)
    between = inside & between_prose(record, ~evidence.heading)
    taken_up = between & ~links & (corpus.blocks.echo[: corpus.n] > 0)
    out = np.zeros((sources, 5), dtype=np.int64)
    for k, marked in enumerate((inside, links, between & links, taken_up)):
        out[:, k] = np.bincount(source[marked], minlength=sources)
    ends = np.unique(record[verdicts.by((TEASER, FOREIGN_END)) & fresh[record]])
    out[:, ENDS] = np.bincount(corpus.source[ends], minlength=sources)
    return out


def known(corpus: Corpus, evidence: Evidence, verdicts: Verdicts, prior: Prior | None) -> I64:
    """int64[sources, 5]; the same, and what earlier runs counted."""
    mine = counted(corpus, evidence, verdicts, prior)
    return mine if prior is None else mine + prior.habits


def between_prose(record: I32, prose: Bool) -> Bool:
    """Blocks with a paragraph of their record right before and right behind them."""
    out = np.zeros(prose.size, dtype=np.bool_)
    same = record[1:] == record[:-1]
    before, behind = same & prose[:-1], same & prose[1:]
    out[1:-1] = before[:-1] & behind[1:]
    return out
