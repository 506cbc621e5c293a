"""What a cleaned record, a removal and a dropped record look like as JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from dedup.formats import encode
from dedup.formats.cuts import Cuts, Judged
from dedup.formats.encode import Column, Piece
from dedup.formats.row import Row, Rows
from dedup.judge.kept import Suspicion
from dedup.judge.verdicts import RULES, Reasons
from dedup.records import I64, KINDS, U64, Buffer
from dedup.text.corpus import Corpus
from dedup.text.digest import SIZE, as_hex

TOGETHER = 1 << 14  # removals written together: one record may have any number of them
_NAMES = ["white-space", *(rule.name for rule in RULES.values())]
_RULES, _KINDS = (
    encode.table([orjson.dumps(name) for name in names]) for names in (_NAMES, ["", *KINDS])
)
_TOLD = {
    name: np.array([False, *(name in rule.numbers for rule in RULES.values())])
    for rule in RULES.values() for name in rule.numbers
}  # fmt: skip


def span_lines(row: Row, spans: Iterable[tuple[int, int]]) -> Iterator[int]:
    """The 1-based line of the input file that each span, in order, begins on.

    White space that begins behind a block that stays counts from the first line it takes whole.
    """
    line, at = 0, 0
    if not row.lines:
        yield from (row.line for _ in spans)
        return
    for start, end in spans:
        line += row.text.count("\n", at, start)
        at = start
        inside = at > 0 and row.text[at - 1] != "\n"
        whole = line + (inside and "\n" in row.text[at:end])
        yield row.lines[whole] if whole < len(row.lines) else row.lines[-1] + 1


def removal_lines(
    judged: Judged, base: int, rows: Rows, cuts: Cuts, text: Column
) -> Iterator[Buffer]:
    """The lines of OUT.removed.jsonl for what goes of some rows, some at a time.

    Args:
        judged: all that is known.
        base: the first row's record.
        rows: the records.
        cuts: what goes of them.
        text: that as it stands in the JSON strings.
    """
    line = _lines(rows, cuts)
    for at in range(0, cuts.start.size, TOGETHER):
        here = slice(at, at + TOGETHER)
        yield _removal_lines(judged, base, cuts.some(here), text.take(here), line[here])


def _removal_lines(judged: Judged, base: int, cuts: Cuts, text: Column, line: I64) -> Buffer:
    corpus, why, row = judged.corpus, cuts.reasons(judged), cuts.row
    source, which = np.unique(corpus.source[base + row], return_inverse=True)
    sources = encode.values([corpus.sources[number] for number in source.tolist()])
    matched = why.record >= 0
    pieces: list[Piece] = [
        b'{"id":', encode.names(corpus.ids, base + row),
        b',"source":', sources.take(which),
        b',"line":', encode.values(line),
        b',"start":', encode.values(cuts.start),
        b',"end":', encode.values(cuts.end),
        b',"text":"', text.packed(),
        b'","kind":', _KINDS.take(cuts.kind),
        b',"similarity":', encode.values(why.similarity),
        b',"match":', encode.constant(b"null").only(~matched), *_match(corpus, why),
        b',"evidence":{"rule":', _RULES.take(why.rule),
    ]  # fmt: skip
    for name, column in why.numbers.items():
        told = _TOLD[name][why.rule]
        if told.any():
            pieces += [encode.constant(b',"%b":' % name.encode()).only(told)]
            pieces += [encode.values(column).only(told)]
    pieces += [b'},"run_id":%b}\n' % orjson.dumps(judged.run_id)]
    return encode.joined(pieces, row.size).data


def _match(corpus: Corpus, why: Reasons) -> Iterator[Column]:
    """Where what is repeated stands; a record of an earlier run is told with that run."""
    matched = why.record >= 0
    earlier = matched & (why.record < len(corpus.runs))
    yield encode.constant(b'{"id":').only(matched)
    yield encode.names(corpus.ids, np.maximum(why.record, 0)).only(matched)
    told = [(b',"start":', why.start, matched), (b',"end":', why.end, matched)]
    if earlier.any():
        runs = np.array([*corpus.runs, 0])[np.where(earlier, why.record, -1)]
        told.append((b',"run":', runs, earlier))
    for name, column, which in told:
        yield encode.constant(name).only(which)
        yield encode.values(column).only(which)
    yield encode.constant(b"}").only(matched)


def _lines(rows: Rows, cuts: Cuts) -> I64:
    """int64[k]; the line of the input file that each span begins on."""
    if not rows.lines:
        return rows.number[cuts.row]
    spans = list(zip(cuts.start.tolist(), cuts.end.tolist(), strict=True))
    return np.array(
        [
            line
            for row, (a, b) in zip(rows.each(), pairwise(cuts.first.tolist()), strict=True)
            for line in span_lines(row, spans[a:b])
        ],
        dtype=np.int64,
    )


def structs(
    judged: Judged, base: int, kept: I64, removed: I64, more: Sequence[Piece] = ()
) -> Column:
    """The struct that each record gets, from number `base` on.

    Args:
        judged: all that is known.
        base: number of the first record.
        kept: int64[n]; blocks that stay of each.
        removed: int64[n]; removals of each.
        more: columns behind the others.
    """
    leader = judged.stories[base : base + kept.size]
    names = encode.names(judged.names, leader)
    own = leader == np.arange(base, base + kept.size)
    pieces: list[Piece] = [
        b'{"kept":', encode.values(kept),
        b',"removed":', encode.values(removed),
        b',"story":', names,
        b',"story_size":', encode.values(judged.sizes[leader]),
        b',"duplicate_of":', encode.constant(b"null").only(own), names.only(~own),
        b',"run_id":%b' % orjson.dumps(judged.run_id),
        b',"digest":"', _digests(judged.corpus.digest[base : base + kept.size]), b'"', *more, b"}",
    ]  # fmt: skip
    return encode.joined(pieces, kept.size)


def _digests(values: U64) -> Column:
    """Digests as they are written."""
    start = SIZE * np.arange(values.size)
    return Column(as_hex(values).tobytes(), start, start + SIZE)


def spans(cuts: Cuts, why: Reasons, corpus: Corpus) -> Iterator[list[dict[str, Any]]]:
    """What an annotated record tells of its removals: where, what and why, in a fixed schema."""
    similarity = [None if np.isnan(value) else value for value in why.similarity.tolist()]
    told = [
        {
            "start": start,
            "end": end,
            "kind": kind,
            "rule": _NAMES[rule],
            "similarity": alike,
            "match": corpus.ids[record] if record >= 0 else None,
        }
        for start, end, kind, rule, alike, record in zip(
            cuts.start.tolist(), cuts.end.tolist(), cuts.kinds(), why.rule.tolist(), similarity,
            why.record.tolist(), strict=True,
        )
    ]  # fmt: skip
    for a, b in pairwise(cuts.first.tolist()):
        yield told[a:b]


def kept_row(
    id_: str, source: str, line: int, text: str, place: tuple[int, int], suspicion: Suspicion
) -> bytes:
    """One line of the file of suspicious lines that stay: a removal's fields, as far as they go."""
    start, end = place
    return orjson.dumps(
        {
            "id": id_,
            "source": source,
            "line": line,
            "start": start,
            "end": end,
            "text": text[start:end],
            "kind": None,
            "why": suspicion.why,
            "evidence": suspicion.evidence,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
