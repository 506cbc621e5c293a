"""The last stage: every record once more, without what goes, and a row for all that went."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import orjson

from dedup.config import Config
from dedup.engines.processes import in_parts
from dedup.formats import cleaned, encode
from dedup.formats.cuts import Cuts, Judged, RowsOf, cuts_of
from dedup.formats.encode import Column, Piece
from dedup.formats.row import Row, Rows
from dedup.judge.kept import explained
from dedup.judge.verdicts import KEPT
from dedup.records import I64, KINDS, U8, Buffer, Counts

Put: TypeAlias = Callable[[str, Buffer], None]
"""Takes "clean", "removed", "dropped", "kept" or "rejected", and lines."""

PIECE = 1 << 20  # bytes that are copied at once
NAMES = ("clean", "removed", "dropped", "kept")


@dataclass(slots=True)
class Written:
    """What became of some records: how many were cleaned and dropped; by kind, spans and characters
    that went.
    """

    cleaned: int = 0
    dropped: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    removed_chars: Counter[str] = field(default_factory=Counter)


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
            def spool(name: str, lines: Buffer) -> None:
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
    for base, batch, cuts in cuts_of(judged, start, stop, rows):
        n = batch.size
        removed = np.diff(cuts.first)
        cut_start, cut_end = _byte_spans(batch, cuts)
        text = Column(batch.data, cut_start, cut_end)
        put("removed", cleaned.removal_lines(judged, base, batch, cuts, text))
        kept = np.diff(corpus.first[base : base + n + 1]) - cuts.whole_blocks()
        dropped = (kept == 0) & (not config.keep_empty and not annotate)
        more: list[Piece] = []
        if annotate:
            told = list(cleaned.spans(cuts, cuts.reasons(judged), corpus))
            more += [b',"spans":', encode.values(told)]
        if dropped.any():
            position = np.arange(base - seen, base - seen + n)
            for name, column in (
                ("file", encode.constant(orjson.dumps(batch.file))),
                ("line", encode.values(batch.number)), ("position", encode.values(position)),
            ):  # fmt: skip
                more += [encode.constant(b',"%b":' % name.encode()).only(dropped)]
                more += [column.only(dropped)]
        structs = cleaned.structs(judged, base, kept, removed, more)
        first = np.zeros_like(cuts.first) if annotate else cuts.first  # nothing is cut
        for name, which in (("clean", ~dropped), ("dropped", dropped)):
            put(name, batch.spliced(np.flatnonzero(which), first, cut_start, cut_end, structs))
        if judged.suspicious is not None:
            for number, row in enumerate(batch.each(), base):
                put("kept", b"".join(_kept_rows(judged, judged.suspicious, number, row)))
        done.cleaned += int(((removed > 0) & ~dropped).sum())
        done.dropped += int(dropped.sum())
        size = cuts.end - cuts.start
        for code, kind in enumerate(KINDS, 1):
            of_kind = cuts.kind == code
            done.kinds[kind] += int(of_kind.sum())
            done.removed_chars[kind] += int(size[of_kind].sum())
    return done


def _byte_spans(batch: Rows, cuts: Cuts) -> tuple[I64, I64]:
    """First byte of each span that goes in the batch's data, and the byte after its last."""
    if not cuts.start.size:
        return cuts.start, cuts.end
    which = np.flatnonzero(np.diff(cuts.first))
    bounds = 2 * np.append(cuts.first[which], cuts.first[-1])
    places = batch.byte_places(which, bounds, np.column_stack((cuts.start, cuts.end)).ravel())
    return np.ascontiguousarray(places[0::2]), np.ascontiguousarray(places[1::2])


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
    leads = np.zeros(corpus.records, dtype=np.bool_)
    leads[mine] = True
    counts.stories = int((judged.sizes[leads] > 1).sum())
    of_source = corpus.source[corpus.record_of()[n:]]
    sources = len(corpus.sources)
    records = np.bincount(corpus.source[seen:], minlength=sources).tolist()
    read = np.bincount(of_source, minlength=sources).tolist()
    lost = np.bincount(of_source[verdicts.rule[n:] != KEPT], minlength=sources).tolist()
    for name, present, *both in zip(corpus.sources, records, read, lost, strict=True):
        if present:
            counts.sources[name] = both
