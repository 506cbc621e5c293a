"""The last stage: every record once more, without what goes, and a row for all that went."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import orjson

from dedup.config import Config
from dedup.engines.processes import in_parts
from dedup.formats import cleaned
from dedup.formats.row import Row, Rows
from dedup.judge.evidence import Evidence
from dedup.judge.kept import explained
from dedup.judge.verdicts import KEPT, RULES, Part, Reason, Verdicts
from dedup.records import I64, U8, Counts, Removal
from dedup.text.arabic import part_span
from dedup.text.blocks import pointer_of
from dedup.text.corpus import Corpus

Put: TypeAlias = Callable[[str, bytes], None]
"""Takes "clean", "removed", "dropped", "kept" or "rejected", and lines."""

RowsOf: TypeAlias = Callable[[int, int], Iterator[Rows]]
"""Gives the rows of the records [start, stop)."""

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


def write(
    judged: Judged, rows: RowsOf, config: Config, counts: Counts, put: Put, parts: int
) -> None:
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
            def spool(name: str, lines: bytes) -> None:
                files[part - 1][name].write(lines)

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
                    put(name, piece)


def _write(
    judged: Judged, start: int, stop: int, rows: RowsOf, config: Config, put: Put
) -> Written:
    """Write the records [start, stop)."""
    corpus = judged.corpus
    seen = len(corpus.runs)
    annotate = config.mode == "annotate"
    done = Written()
    for base, batch, gone in removed(judged, start, stop, rows):
        many = np.array([len(removals) for removals in gone], dtype=np.int64)
        first = pointer_of(many)
        cut_start, cut_end = _byte_spans(batch, first, gone)
        put("removed", _removal_rows(judged, base, batch, gone, cut_start, cut_end))
        whole = np.array([sum(g.removal.whole for g in removals) for removals in gone])
        kept = np.diff(corpus.first[base : base + batch.size + 1]) - whole
        dropped = (kept == 0) & (not config.keep_empty and not annotate)
        structs = _structs(judged, base, kept, many)
        if annotate:
            for struct, removals in zip(structs, gone, strict=True):
                struct["spans"] = [cleaned.span(*one) for one in removals]
        for at in np.flatnonzero(dropped).tolist():
            place = {"line": int(batch.number[at]), "position": base + at - seen}
            structs[at] |= {"file": batch.file, **place}
        added = [orjson.dumps(struct) for struct in structs]
        if annotate:  # nothing is cut
            first = np.zeros_like(first)
        for name, which in (("clean", ~dropped), ("dropped", dropped)):
            put(name, batch.spliced(np.flatnonzero(which), first, cut_start, cut_end, added))
        if judged.suspicious is not None:
            for number, row in enumerate(batch.each(), base):
                put("kept", b"".join(_kept_rows(judged, judged.suspicious, number, row)))
        done.cleaned += int(((many > 0) & ~dropped).sum())
        done.dropped += int(dropped.sum())
        for removal, _ in chain.from_iterable(gone):
            done.kinds[removal.kind] += 1
            done.removed_chars[removal.kind] += removal.end - removal.start
    return done


class Gone(NamedTuple):
    """A span that goes, and why."""

    removal: Removal
    reason: Reason


def removed(
    judged: Judged, start: int, stop: int, rows: RowsOf
) -> Iterator[tuple[int, Rows, list[list[Gone]]]]:
    """The records [start, stop), some at a time: the number of the first of them, their rows, and
    what goes of each, in order.
    """
    corpus, evidence, verdicts = judged.corpus, judged.evidence, judged.verdicts
    seen = len(corpus.runs)
    going = (verdicts.rule != KEPT) | (corpus.residue != 0)
    touched = np.zeros(corpus.records, dtype=np.bool_)
    touched[corpus.record_of()[going]] = True
    touched[corpus.record_of()[[part.block for part in verdicts.parts]]] = True
    reasons = verdicts.reasons(corpus, evidence, int(corpus.first[start]), int(corpus.first[stop]))
    base = start
    for batch in rows(start - seen, stop - seen):
        gone: list[list[Gone]] = [[] for _ in range(batch.size)]
        which = np.flatnonzero(touched[base : base + batch.size])
        for at, removals in zip(which.tolist(), _removals(judged, base, batch, which), strict=True):
            gone[at] = [
                Gone(removal, next(reasons) if removal.block >= 0 else _BLANK)
                for removal in removals
            ]
        yield base, batch, gone
        base += batch.size


def _structs(judged: Judged, base: int, kept: I64, removed: I64) -> list[dict[str, Any]]:
    """The struct that each record gets, from number `base` on."""
    stories = judged.stories[base : base + kept.size]
    columns = (stories, judged.sizes[stories], kept, removed)
    return [
        {
            "kept": left,
            "removed": gone,
            "story": judged.names[leader],
            "story_size": told,
            "duplicate_of": judged.names[leader] if leader != number else None,
        }
        for number, (leader, told, left, gone) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True), base
        )
    ]


def _removals(judged: Judged, base: int, batch: Rows, which: I64) -> Iterator[list[Removal]]:
    """What goes of some rows of a batch, which begins with record `base`."""
    corpus, verdicts = judged.corpus, judged.verdicts
    bounds = corpus.first[base : base + batch.size + 1]
    begin, end = int(bounds[0]), int(bounds[-1])
    columns = (corpus.blocks.start, corpus.blocks.end, verdicts.rule, corpus.residue)
    starts, ends, rules, residue = (column[begin:end].tolist() for column in columns)
    places = list(zip(starts, ends, strict=True))
    kinds = [_KIND[rule] for rule in rules]
    parts = defaultdict(list)
    for part in verdicts.parts_of(begin, end):
        parts[int(corpus.blocks.record[part.block])].append(part)
    firsts = (bounds - begin).tolist()
    for at, length in zip(which.tolist(), batch.lengths(which).tolist(), strict=True):
        first, stop = firsts[at : at + 2]
        row, own = batch.row(at), slice(first, stop)
        spans = _part_spans(corpus, row, parts.get(base + at, ()))
        for block in [block for block, one in spans.items() if one[0].whole]:
            kinds[block - begin] = spans.pop(block)[0].kind
        yield cleaned.spans(
            row, length, places[own], kinds[own], residue[own],
            {block - begin - first: found for block, found in spans.items()}, begin + first,
        )  # fmt: skip


def _part_spans(corpus: Corpus, row: Row, parts: Iterable[Part]) -> dict[int, list[Removal]]:
    """By block, the spans of its parts that go; a single whole one where all of it does."""
    blocks = corpus.blocks
    found: dict[int, list[Removal]] = {}
    for part in parts:
        begin, end = int(blocks.start[part.block]), int(blocks.end[part.block])
        kind = _KIND[part.rule]
        if part.tokens == blocks.pointer[part.block + 1] - blocks.pointer[part.block]:
            found[part.block] = [Removal(begin, end, kind, part.block, True)]
            continue
        at_tail = part.first > 0
        at, stop = part.span or part_span(row.text, begin, end, part.tokens, at_tail)
        while stop == end and row.text[at - 1].isspace():
            at -= 1
        found.setdefault(part.block, []).append(Removal(at, stop, kind, part.block, False))
    return found


def _byte_spans(batch: Rows, first: I64, gone: Sequence[Sequence[Gone]]) -> tuple[I64, I64]:
    """First byte of each span that goes in the batch's data, and the byte after its last."""
    which = np.flatnonzero(np.diff(first))
    chars = [place for removals in gone for one in removals for place in one.removal[:2]]
    bounds = 2 * np.append(first[which], first[-1])
    places = batch.byte_places(which, bounds, np.array(chars, dtype=np.int64))
    return np.ascontiguousarray(places[0::2]), np.ascontiguousarray(places[1::2])


def _removal_rows(
    judged: Judged, base: int, batch: Rows, gone: Sequence[Sequence[Gone]], cut_start: I64,
    cut_end: I64,
) -> bytes:  # fmt: skip
    corpus = judged.corpus
    lines = []
    texts = (batch.data[a:b] for a, b in zip(cut_start.tolist(), cut_end.tolist(), strict=True))
    for at, removals in enumerate(gone):
        if removals:
            id_, source = corpus.ids[base + at], corpus.sources[corpus.source[base + at]]
            spans = [(one.removal.start, one.removal.end) for one in removals]
            for one, line in zip(removals, cleaned.span_lines(batch.row(at), spans), strict=True):
                lines.append(cleaned.removal_row(id_, source, line, next(texts), *one))
    return b"".join(lines)


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
