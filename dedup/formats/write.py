"""The last stage: every record once more, without what goes, and a row for all that went."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dedup.config import Config
from dedup.engines.processes import in_parts
from dedup.formats import cleaned
from dedup.formats.row import Row
from dedup.judge.evidence import Evidence
from dedup.judge.kept import explained
from dedup.judge.verdicts import KEPT, RULES, Reason, Verdicts
from dedup.records import I64, U8, Counts, Removal
from dedup.text.arabic import part_span
from dedup.text.corpus import Corpus

Put: TypeAlias = Callable[[str, list[bytes]], None]
"""Takes "clean", "removed", "dropped", "kept" or "rejected", and lines."""

Rows: TypeAlias = Callable[[int, int], Iterator[Row]]
"""Gives the rows of the records [start, stop)."""

TOGETHER = 500  # lines that are handed on at once
PIECE = 1 << 20  # bytes that are copied at once
NAMES = ("clean", "removed", "dropped", "kept")
_BLANK = Reason({"rule": "white-space"}, None, None)
_KIND = ["", *(rule.kind for rule in RULES.values())]


@dataclass(slots=True)
class Written:
    """What became of some records: how many were cleaned and dropped; by kind, spans and characters
    that went.
    """

    cleaned: int = 0
    dropped: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    removed_chars: Counter[str] = field(default_factory=Counter)


class Judged(NamedTuple):
    """What is known of all records when they are written.

    Attributes:
        corpus: all records.
        stories: int64[records]; the leading record of each record's story.
        names: id of the story that each record leads.
        sizes: int64[records]; how many records tell it.
        evidence: of all blocks.
        verdicts: on all blocks.
        suspicious: of `judge.kept`, None if nobody asks.
    """

    corpus: Corpus
    stories: I64
    names: Sequence[str]
    sizes: I64
    evidence: Evidence
    verdicts: Verdicts
    suspicious: U8 | None = None


def write(judged: Judged, rows: Rows, config: Config, counts: Counts, put: Put, parts: int) -> None:
    """Write every record of this run, and its removals.

    Args:
        judged: all that is known.
        rows: the records of this run, in the order that the corpus was built in.
        config: `keep_empty`.
        counts: counted into.
        put: takes the lines.
        parts: processes that write at a time.
    """
    _count(judged, counts)
    corpus = judged.corpus
    seen = len(corpus.runs)
    bounds = [seen, corpus.records]
    if parts > 1:
        even = np.linspace(corpus.seen, corpus.n, parts + 1)[1:-1]
        bounds[1:1] = np.searchsorted(corpus.first, even).tolist()
    with ExitStack() as stack:
        files = [
            {name: stack.enter_context(tempfile.TemporaryFile()) for name in NAMES}
            for _ in range(1, parts)
        ]

        def work(part: int) -> Written:
            def spool(name: str, lines: list[bytes]) -> None:
                files[part - 1][name].writelines(lines)

            start, stop = bounds[part : part + 2]
            written = _write(judged, start, stop, rows, config, spool if part else put)
            for file in files[part - 1].values() if part else ():
                file.flush()
            return written

        for part, written in enumerate(in_parts(work, parts)):
            counts.cleaned += written.cleaned
            counts.dropped += written.dropped
            for kind in counts.kinds:
                counts.kinds[kind] += written.kinds[kind]
                counts.removed_chars[kind] += written.removed_chars[kind]
            for name, file in files[part - 1].items() if part else ():
                file.seek(0)
                while piece := file.read(PIECE):
                    put(name, [piece])


def _write(judged: Judged, start: int, stop: int, rows: Rows, config: Config, put: Put) -> Written:
    """Write the records [start, stop)."""
    corpus = judged.corpus
    seen = len(corpus.runs)
    structs = _structs(judged, start, stop)
    lines: dict[str, list[bytes]] = {name: [] for name in NAMES}
    annotate = config.mode == "annotate"
    done = Written()
    for number, row, removals in removed(judged, start, stop, rows):
        if len(lines["clean"]) >= TOGETHER:
            _hand_on(lines, put)
        struct = next(structs)
        cuts = [gone.removal for gone in removals]
        if removals:
            source = corpus.sources[corpus.source[number]]
            for line in _removal_rows(corpus.ids[number], source, row, removals):
                lines["removed"].append(line)
                if len(lines["removed"]) >= TOGETHER:
                    _hand_on(lines, put)
            struct["kept"] -= sum(removal.whole for removal in cuts)
            struct["removed"] = len(removals)
            for removal in cuts:
                done.kinds[removal.kind] += 1
                done.removed_chars[removal.kind] += removal.end - removal.start
        if annotate:
            struct["spans"] = [cleaned.span(removal, reason) for removal, reason in removals]
            cuts = []
        if struct["kept"] == 0 and not config.keep_empty and not annotate:
            done.dropped += 1
            struct |= {"file": row.file, "line": row.line, "position": number - seen}
            lines["dropped"].append(cleaned.record_row(row, cuts, struct))
        else:
            done.cleaned += bool(removals)
            lines["clean"].append(cleaned.record_row(row, cuts, struct))
        if judged.suspicious is not None:
            lines["kept"] += _kept_rows(judged, judged.suspicious, number, row)
    _hand_on(lines, put)
    return done


class Gone(NamedTuple):
    """A span that goes, and why."""

    removal: Removal
    reason: Reason


def removed(
    judged: Judged, start: int, stop: int, rows: Rows
) -> Iterator[tuple[int, Row, list[Gone]]]:
    """The records [start, stop): number, row, and what goes of it, in order."""
    corpus, evidence, verdicts = judged.corpus, judged.evidence, judged.verdicts
    seen = len(corpus.runs)
    gone = (verdicts.rule != KEPT) | (corpus.residue != 0)
    touched = np.zeros(corpus.records, dtype=np.bool_)
    touched[corpus.record_of()[gone]] = True
    touched[corpus.record_of()[[part.block for part in verdicts.parts]]] = True
    reasons = verdicts.reasons(corpus, evidence, int(corpus.first[start]), int(corpus.first[stop]))
    for number, row in enumerate(rows(start - seen, stop - seen), start):
        removals = _removals(corpus, verdicts, number, row.text) if touched[number] else []
        yield (
            number,
            row,
            [
                Gone(removal, next(reasons) if removal.block >= 0 else _BLANK)
                for removal in removals
            ],
        )


def _hand_on(lines: dict[str, list[bytes]], put: Put) -> None:
    for name in [name for name in lines if lines[name]]:
        put(name, lines[name])
        lines[name] = []


def _structs(judged: Judged, start: int, stop: int) -> Iterator[dict[str, Any]]:
    """The struct that each record gets while nothing is removed from it."""
    corpus, stories, sizes = judged.corpus, judged.stories, judged.sizes
    blocks = np.diff(corpus.first)
    for at in range(start, stop, TOGETHER):
        part = slice(at, min(at + TOGETHER, stop))
        columns = (blocks[part].tolist(), stories[part].tolist(), sizes[stories[part]].tolist())
        for number, (kept, leader, told) in enumerate(zip(*columns, strict=True), at):
            story = judged.names[leader]
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
    places = list(zip(starts, ends, strict=True))
    parts: dict[int, list[Removal]] = {}
    for part in verdicts.parts_of(first, end):
        k = part.block - first
        if part.tokens == corpus.blocks.pointer[part.block + 1] - corpus.blocks.pointer[part.block]:
            kinds[k] = _KIND[part.rule]
            continue
        at_tail = part.first > 0
        at, stop = part.span or part_span(text, *places[k], part.tokens, at_tail)
        while stop == places[k][1] and text[at - 1].isspace():
            at -= 1
        parts.setdefault(k, []).append(Removal(at, stop, _KIND[part.rule], part.block, False))
    return cleaned.spans(text, places, kinds, parts, first)


def _removal_rows(id_: str, source: str, row: Row, gone: list[Gone]) -> Iterator[bytes]:
    places = cleaned.span_lines(row, ((one.removal.start, one.removal.end) for one in gone))
    for (removal, reason), line in zip(gone, places, strict=True):
        yield cleaned.removal_row(id_, source, line, row.text, removal, reason)


def _kept_rows(judged: Judged, found: U8, number: int, row: Row) -> Iterator[bytes]:
    corpus = judged.corpus
    first, end = int(corpus.first[number]), int(corpus.first[number + 1])
    told = list(explained(corpus, judged.evidence, judged.verdicts, found, first, end))
    places = [(int(corpus.blocks.start[t.block]), int(corpus.blocks.end[t.block])) for t in told]
    source = corpus.sources[corpus.source[number]]
    for suspicion, place, line in zip(told, places, cleaned.span_lines(row, places), strict=True):
        yield cleaned.kept_row(corpus.ids[number], source, line, row.text, place, suspicion)


def _count(judged: Judged, counts: Counts) -> None:
    corpus, stories, verdicts = judged.corpus, judged.stories, judged.verdicts
    seen, n = len(corpus.runs), corpus.seen
    mine = stories[seen:]
    counts.records, counts.blocks, counts.chars = mine.size, corpus.n - n, corpus.chars
    counts.retold = int((mine != np.arange(seen, corpus.records)).sum())
    counts.stories = int((judged.sizes[np.unique(mine)] > 1).sum())
    of_source = corpus.source[corpus.record_of()[n:]]
    sources = len(corpus.sources)
    records = np.bincount(corpus.source[seen:], minlength=sources).tolist()
    read = np.bincount(of_source, minlength=sources).tolist()
    lost = np.bincount(of_source[verdicts.rule[n:] != KEPT], minlength=sources).tolist()
    for name, present, *both in zip(corpus.sources, records, read, lost, strict=True):
        if present:
            counts.sources[name] = both
