"""The last stage: every record once more, without what goes, and a row for all that went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple, TypeAlias

import numpy as np
import orjson

from dedup.config import Config
from dedup.engines.threads import in_order
from dedup.errors import OwnError
from dedup.formats import cleaned, encode, kernels
from dedup.formats.cuts import Cuts, Judged, RowsOf, batches, cuts_of
from dedup.formats.encode import Column, Piece
from dedup.formats.row import Row, Rows, Spliced
from dedup.judge.kept import explained
from dedup.judge.verdicts import KEPT
from dedup.records import I64, KINDS, U8, Bool, Buffer, Counts

Put: TypeAlias = Callable[[str, Buffer], None]
"""Takes "clean", "removed", "dropped", "kept" or "rejected", and lines."""


class Written(NamedTuple):
    """Some records, written, and what became of them.

    Attributes:
        lines: by the name of the file; to be taken once.
        cleaned: how many lost something but not everything.
        dropped: how many have nothing left.
        spans: how many spans went, by kind.
        chars: how many characters went, by kind.
    """

    lines: Iterable[tuple[str, Buffer]]
    cleaned: int
    dropped: int
    spans: dict[str, int]
    chars: dict[str, int]


def write(judged: Judged, rows: RowsOf, config: Config, counts: Counts, put: Put) -> None:
    """Write every record of this run, and its removals.

    Args:
        judged: all that is known.
        rows: the records of this run, in the order that the corpus was built in.
        config: mode, `keep_empty`, workers.
        counts: counted into.
        put: takes the lines.
    """
    _count(judged, counts)

    def written(batch: tuple[int, Rows, Bool]) -> Written:
        return _written(judged, config, *batch)

    for done in in_order(written, batches(judged, rows), config.workers):
        for name, lines in done.lines:
            put(name, lines)
        counts.cleaned += done.cleaned
        counts.dropped += done.dropped
        for kind in counts.kinds:
            counts.kinds[kind] += done.spans[kind]
            counts.removed_chars[kind] += done.chars[kind]


def _written(judged: Judged, config: Config, base: int, batch: Rows, touched: Bool) -> Written:
    """Write the rows of a batch, of `batches`."""
    corpus, n = judged.corpus, batch.size
    annotate = config.mode == "annotate"
    cuts = cuts_of(judged, base, batch, touched)
    cut_start, cut_end = _byte_spans(batch, cuts)
    text = Column(batch.data, cut_start, cut_end)
    removals = cleaned.removal_lines(judged, base, batch, cuts, text)
    lines: list[tuple[str, Buffer]] = [("removed", next(removals, b""))]
    removed = np.diff(cuts.first)
    kept = np.diff(corpus.first[base : base + n + 1]) - cuts.whole_blocks()
    dropped = (kept == 0) & (not config.keep_empty and not annotate)
    more: list[Piece] = []
    if annotate:
        told = list(cleaned.spans(cuts, cuts.reasons(judged), corpus))
        more += [b',"spans":', encode.values(told)]
    if dropped.any():
        position = base - len(corpus.runs) + np.arange(n)
        for name, column in (
            ("file", encode.constant(orjson.dumps(batch.file))),
            ("line", encode.values(batch.number)), ("position", encode.values(position)),
        ):  # fmt: skip
            more += [encode.constant(b',"%b":' % name.encode()).only(dropped)]
            more += [column.only(dropped)]
    if batch.original:
        more += [b',"original":', encode.table(batch.original)]
    structs = cleaned.structs(judged, base, kept, removed, more)
    first = np.zeros_like(cuts.first) if annotate else cuts.first  # nothing is cut
    gone = None if annotate else _gone(batch, cut_start, cut_end)
    for name, which in (("clean", ~dropped), ("dropped", dropped)):
        rows = np.flatnonzero(which)
        spliced = batch.spliced(rows, first, cut_start, cut_end, structs)
        lines.append((name, spliced.lines.data))
        if gone is not None:
            _prove(batch, cuts, cut_start, cut_end, rows, spliced, gone)
    if judged.suspicious is not None:
        for number, row in enumerate(batch.each(), base):
            lines.append(("kept", b"".join(_kept_rows(judged, judged.suspicious, number, row))))
    size = len(KINDS) + 1
    spans = np.bincount(cuts.kind, minlength=size)[1:].tolist()
    chars = np.bincount(cuts.kind, cuts.end - cuts.start, size)[1:].astype(int).tolist()
    return Written(
        chain(lines, (("removed", more) for more in removals)),  # made when the first are written
        int(((removed > 0) & ~dropped).sum()),
        int(dropped.sum()),
        dict(zip(KINDS, spans, strict=True)),
        dict(zip(KINDS, chars, strict=True)),
    )


def _gone(batch: Rows, cut_start: I64, cut_end: I64) -> tuple[U8, I64]:
    """What goes of some rows, as in the rows of removals, and where each piece begins."""
    out = np.empty(int((cut_end - cut_start).sum()), dtype=np.uint8)
    bounds = np.zeros(1 + cut_start.size, dtype=np.int64)
    columns = (np.ascontiguousarray(places[:, None]) for places in (cut_start, cut_end))
    kernels.join(np.frombuffer(batch.data, dtype=np.uint8), *columns, out, bounds)
    return out, bounds[:-1].copy()


def _prove(
    batch: Rows,
    cuts: Cuts,
    cut_start: I64,
    cut_end: I64,
    rows: I64,
    spliced: Spliced,
    gone: tuple[U8, I64],
) -> None:
    """See that what stays and what goes of some rows, as it is written, is all that there was.

    Raises:
        OwnError: it is not.
    """
    cut = np.flatnonzero(np.diff(cuts.first)[rows])
    which, (removed, bounds) = rows[cut], gone
    at = kernels.misfit(
        np.frombuffer(batch.data, dtype=np.uint8), batch.text_start[which], batch.text_end[which],
        cuts.first[which], cuts.first[which + 1], cut_start, cut_end, cuts.start, cuts.end,
        spliced.lines, spliced.text[cut], removed, bounds,
    )  # fmt: skip
    if at != kernels.NOT_FOUND:
        raise OwnError(
            f"{batch.file}:{batch.number[which[at]]}: what would be written does not give this "
            "record's text back; nothing was written. This is an error of the program; clean the "
            "others without this record, and report it"
        )


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
    counts.records, counts.blocks, counts.chars = mine.size, corpus.n - n, int(corpus.chars.sum())
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
