"""Evidence in plain words: one table, from a rule's name to what it says."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any

_SPREAD = "; distinct stories of its source that hold it: {stories:,} (of {of:,} records)"
_EDGES = (_SPREAD, ", at the head {head:.0%} of the times, at the tail {tail:.0%}")

SENTENCES: dict[str, tuple[str, ...]] = {
    "headline": ("the headline that the dump was cut at; it went to the field 'title'",),
    "credit-line": ("the credit line that the dump was cut at; it went to the field 'byline'",),
    "credit-template": ("a credit line: worded as those of other stories of its source", *_EDGES),
    "header": (
        "announces links to other stories, in words that sites use for that or by what follows it",
        _SPREAD,
    ),
    "header-and-link": (
        "announces another story and names it on the same line",
        ": the headline of record {headline_of}",
        _SPREAD,
    ),
    "below-header": (
        "stands in a list below a line that announces links",
        ", and is the headline of record {headline_of}",
        _SPREAD,
    ),
    "headline-of-another": ("the headline of another story, record {headline_of}", _SPREAD),
    "repeated-link": (
        "shaped like a headline, and recurs between paragraphs of other stories",
        ", and is the headline of record {headline_of}",
        _SPREAD,
        "; the prose right after it takes up {echo} of its {stems} meaningful words",
    ),
    "lone-link": (
        "shaped like a headline, but its text does not go on about it",
        ": the prose right after it takes up {echo} of its {stems} meaningful words",
        _SPREAD,
    ),
    "teaser": ("the opening of another story", ", record {lead_of}", *_EDGES),
    "foreign-end": (
        "ends the record and opens as other stories do, in a source that closes records so",
        "; {shared:.0%} of its words, by weight, stand in the text above it",
        _SPREAD,
    ),
    "footer-words": ("words that sites close or decorate their pages with", *_EDGES),
    "standing-line": ("stands at the same edge of many different stories", *_EDGES),
    "line-without-words": ("a line without a letter or a number, beside page residue", _SPREAD),
    "glued": ("a part of the paragraph that is glued to the edges of other stories, too", _SPREAD),
    "glued-tags": ("a run of tags or buttons glued to the paragraph", _SPREAD),
    "equal": ("word for word what the matched paragraph says", _SPREAD),
    "near": ("says what the matched paragraph says, in nearly the same words", _SPREAD),
    "passage": (
        "stands between matched neighbours, reworded",
        "; {contained:.0%} of its words stand in the matched paragraph",
        _SPREAD,
    ),
    "sentences": ("sentences of the paragraph that stand in another one: {sentences}",),
    "override": ("a reviewer decided so (--overrides)",),
    "white-space": ("white space, or a line that shows nothing, left over",),
}


def in_words(evidence: Mapping[str, Any]) -> str:
    """What the evidence of a removal says; clauses whose numbers it does not tell are left out."""
    clauses = SENTENCES.get(evidence["rule"], ("rule {rule!r}",))
    return "".join(clause.format_map(evidence) for clause in clauses if _told(clause, evidence))


def _told(clause: str, evidence: Mapping[str, Any]) -> bool:
    names = (name for _, name, _, _ in Formatter().parse(clause) if name)
    return all(evidence.get(name) is not None for name in names)
