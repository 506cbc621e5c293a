"""The last stage: every record once more, without what goes, and a row for all that went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from dedup.config import Config
from dedup.formats import cleaned
from dedup.formats.row import Row
from dedup.judge.evidence import Evidence
from dedup.judge.verdicts import KEPT, RULES, Reason, Verdicts
from dedup.records import I64, Counts, Removal
from dedup.text.corpus import Corpus

Put: TypeAlias = Callable[[str, list[bytes]], None]
"""Takes "clean", "removed", "dropped" or "rejected", and lines."""

TOGETHER = 500  # lines that are handed on at once
_BLANK = Reason({"rule": "white-space"}, None, None)
_KIND = ["", *(rule.kind for rule in RULES.values())]


def write(
    corpus: Corpus,
    stories: I64,
    evidence: Evidence,
    verdicts: Verdicts,
    rows: Iterable[Row],
    config: Config,
    counts: Counts,
    put: Put,
) -> None:
    """Write every record and its removals.

    Args:
        corpus: all records.
        stories: int64[records]; the leading record of each record's story.
        evidence: of all blocks.
        verdicts: on all blocks.
        rows: the records, in the order that the corpus was built in.
        config: `keep_empty`.
        counts: counted into.
        put: takes the lines.
    """
    _count(corpus, stories, verdicts, counts)
    gone = (verdicts.rule != KEPT) | (corpus.residue != 0)
    touched = np.zeros(corpus.records, dtype=np.bool_)
    touched[corpus.record_of()[gone]] = True
    structs = _structs(corpus, stories)
    reasons = verdicts.reasons(corpus, evidence)
    lines: dict[str, list[bytes]] = {"clean": [], "removed": [], "dropped": []}
    for number, row in enumerate(rows):
        if len(lines["clean"]) >= TOGETHER:
            _hand_on(lines, put)
        struct = next(structs)
        removals = _removals(corpus, verdicts, number, row.text) if touched[number] else []
        if removals:
            source = corpus.sources[corpus.source[number]]
            for line in _removal_rows(corpus.ids[number], source, row, removals, reasons):
                lines["removed"].append(line)
                if len(lines["removed"]) >= TOGETHER:
                    _hand_on(lines, put)
            struct["kept"] -= sum(removal.block >= 0 for removal in removals)
            struct["removed"] = len(removals)
            for removal in removals:
                counts.kinds[removal.kind] += 1
                counts.removed_chars[removal.kind] += removal.end - removal.start
        if struct["kept"] == 0 and not config.keep_empty:
            counts.dropped += 1
            struct |= {"file": row.file, "line": row.line, "position": number}
            lines["dropped"].append(cleaned.record_row(row, removals, struct))
        else:
            counts.cleaned += bool(removals)
            lines["clean"].append(cleaned.record_row(row, removals, struct))
    _hand_on(lines, put)


def _hand_on(lines: dict[str, list[bytes]], put: Put) -> None:
    for name in [name for name in lines if lines[name]]:
        put(name, lines[name])
        lines[name] = []


def _structs(corpus: Corpus, stories: I64) -> Iterator[dict[str, Any]]:
    """The struct that each record gets while nothing is removed from it."""
    size = np.bincount(stories, minlength=corpus.records)
    blocks = np.diff(corpus.first)
    for at in range(0, corpus.records, TOGETHER):
        part = slice(at, at + TOGETHER)
        columns = (blocks[part].tolist(), stories[part].tolist(), size[stories[part]].tolist())
        for number, (kept, leader, told) in enumerate(zip(*columns, strict=True), at):
            story = corpus.ids[leader]
            yield {
                "kept": kept,
                "removed": 0,
                "story": story,
                "story_size": told,
                "duplicate_of": story if leader != number else None,
            }


def _removals(corpus: Corpus, verdicts: Verdicts, number: int, text: str) -> list[Removal]:
    first, end = int(corpus.first[number]), int(corpus.first[number + 1])
    starts, ends = (c[first:end].tolist() for c in (corpus.blocks.start, corpus.blocks.end))
    kinds = [_KIND[rule] for rule in verdicts.rule[first:end].tolist()]
    return cleaned.spans(text, list(zip(starts, ends, strict=True)), kinds, first)


def _removal_rows(
    id_: str, source: str, row: Row, removals: list[Removal], reasons: Iterator[Reason]
) -> Iterator[bytes]:
    for removal, line in zip(removals, cleaned.removal_lines(row, removals), strict=True):
        reason = next(reasons) if removal.block >= 0 else _BLANK
        yield cleaned.removal_row(id_, source, line, row.text, removal, reason)


def _count(corpus: Corpus, stories: I64, verdicts: Verdicts, counts: Counts) -> None:
    size = np.bincount(stories, minlength=corpus.records)
    counts.records, counts.blocks, counts.chars = corpus.records, corpus.n, corpus.chars
    counts.stories = int((size > 1).sum())
    counts.retold = corpus.records - int((size > 0).sum())
    of_source = corpus.source[corpus.record_of()]
    sources = len(corpus.sources)
    read = np.bincount(of_source, minlength=sources).tolist()
    lost = np.bincount(of_source[verdicts.rule != KEPT], minlength=sources).tolist()
    for name, *both in zip(corpus.sources, read, lost, strict=True):
        counts.sources[name] = both
