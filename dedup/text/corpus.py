"""All records of a run as arrays: what every later stage looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from dedup.records import I32, I64, U8, Record
from dedup.text.blocks import Blocks, scan
from dedup.text.lexicon import Lexicon

BATCH_CHARS = 2_000_000
NOTHING, TITLE, BYLINE = 0, 1, 2
_HEAD = {"title": TITLE, "byline": BYLINE}


class Corpus(NamedTuple):
    """The blocks of all records, and what is known of each record.

    The headlines and abstracts of the records are blocks too, behind those of the texts: a line
    that matches one of them is a link to its record.

    Attributes:
        blocks: n blocks of texts, then the headlines, then the abstracts.
        n: blocks that stand in texts.
        titles: blocks [n, n + titles) are headlines; abstracts follow.
        first: int64[records + 1]; where each record's blocks begin.
        fixed: uint8[n]; NOTHING, or TITLE or BYLINE where a raw dump was cut so.
        phrases: role of the lexicon -> int64[n]; tokens of the longest phrase of that role that a
            block begins with, 0 for none.
        residue: uint8[n]; 1 where the white space behind a block holds an invisible line, such as
            an embedded widget leaves behind.
        ids: id of each record.
        dates: date of each record, sortable, "" if unknown.
        source: int32[records]; index into `sources`.
        sources: the outlets, in order of appearance.
    """

    blocks: Blocks
    n: int
    titles: int
    first: I64
    fixed: U8
    phrases: dict[str, I64]
    residue: U8
    ids: list[str]
    dates: list[str]
    source: I32
    sources: list[str]

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self.ids)

    def record_of(self) -> I32:
        """int32[n]; the record of each block that stands in a text."""
        return self.blocks.record[: self.n]


def build(records: Iterable[Record], lexicon: Lexicon) -> Corpus:
    """Cut and fold the texts of all records, a batch at a time."""
    parts: list[Blocks] = []
    lines: tuple[list[tuple[int, str]], list[tuple[int, str]]] = ([], [])
    ids: list[str] = []
    dates: list[str] = []
    source: list[int] = []
    known: dict[str, int] = {}
    fixed: list[tuple[int, str]] = []
    residue: list[U8] = []
    for batch in _batches(records):
        base = len(ids)
        blocks = scan([record.text for record in batch], lexicon.common).blocks
        residue.append(_residue(batch, blocks))
        parts.append(blocks._replace(record=blocks.record + np.int32(base)))
        for number, record in enumerate(batch, base):
            ids.append(record.id)
            dates.append(record.date)
            source.append(known.setdefault(record.source, len(known)))
            if record.title:
                lines[0].append((number, record.title))
            if record.abstract:
                lines[1].append((number, record.abstract))
            fixed.extend((number, kind) for kind in record.head)
    n = sum(part.key.size for part in parts)
    for found in lines:
        parts.append(_scan_lines(found, lexicon))
    blocks = concatenate(parts)
    first = np.searchsorted(blocks.record[:n], np.arange(len(ids) + 1)).astype(np.int64)
    return Corpus(
        blocks=blocks,
        n=n,
        titles=parts[-2].key.size,
        first=first,
        fixed=_fixed(fixed, first, n),
        phrases={role: lexicon.begins(blocks, role)[:n] for role in lexicon.phrases},
        residue=np.concatenate([*residue, np.zeros(0, dtype=np.uint8)]),
        ids=ids,
        dates=dates,
        source=np.array(source, dtype=np.int32),
        sources=list(known),
    )


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.text)
        if size >= BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _scan_lines(lines: list[tuple[int, str]], lexicon: Lexicon) -> Blocks:
    """Each line as one block, whatever line ends it holds."""
    parts = []
    rest = iter(lines)
    while batch := list(islice(rest, 20_000)):
        blocks = scan([" ".join(line.split()) for _, line in batch], lexicon.common).blocks
        record = np.array([number for number, _ in batch], dtype=np.int32)
        parts.append(blocks._replace(record=record[blocks.record]))
    return concatenate(parts) if parts else scan([], lexicon.common).blocks


def concatenate(parts: list[Blocks]) -> Blocks:
    """Blocks one after the other; their records must be numbered for the whole already."""
    offsets = np.cumsum([0, *(part.tokens.size for part in parts)])
    pointers = [
        part.pointer[:-1] + offset for part, offset in zip(parts, offsets[:-1], strict=True)
    ]
    pointer = np.concatenate([*pointers, offsets[-1:]])
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Blocks._fields
        if name != "pointer"
    }
    return Blocks(pointer=pointer, **joined)


def _fixed(head: list[tuple[int, str]], first: I64, n: int) -> U8:
    out = np.zeros(n, dtype=np.uint8)
    done: dict[int, int] = {}
    for number, kind in head:
        at = done.get(number, 0)
        out[first[number] + at] = _HEAD[kind]
        done[number] = at + 1
    return out


def _residue(batch: list[Record], blocks: Blocks) -> U8:
    """Which blocks have an invisible line behind them."""
    out = np.zeros(blocks.key.size, dtype=np.uint8)
    next_start = np.append(blocks.start[1:], 0)
    same = np.append(blocks.record[1:] == blocks.record[:-1], False)
    # The common case by far is one or two line ends and nothing else.
    for b in np.flatnonzero(same & (next_start - blocks.end > 2)).tolist():
        gap = batch[blocks.record[b]].text[blocks.end[b] : next_start[b]]
        out[b] = any(line.strip(" \t\r") for line in gap.split("\n")[1:-1])
    return out
