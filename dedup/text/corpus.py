"""All records of a run as arrays: what every later stage looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from dedup.engines.threads import in_order
from dedup.records import I32, I64, U8, Batch
from dedup.text.blocks import Blocks, Scan, scan, scan_strings, scan_utf8
from dedup.text.lexicon import ROLES, Lexicon

NOTHING, TITLE, BYLINE = 0, 1, 2
_HEAD = {"title": TITLE, "byline": BYLINE}


class Place(NamedTuple):
    """Where a block stands: its record's id, and characters [start, end) of the original text."""

    id: str
    start: int
    end: int


class Corpus(NamedTuple):
    """The blocks of all records, and what is known of each record.

    The headlines and abstracts of the records are blocks too, behind those of the texts: a line
    that matches one of them is a link to its record.

    Attributes:
        blocks: n blocks of texts, then the headlines, then the abstracts.
        n: blocks that stand in texts.
        chars: characters of the texts.
        titles: blocks [n, n + titles) are headlines; abstracts follow.
        first: int64[records + 1]; where each record's blocks begin.
        fixed: uint8[n]; NOTHING, or TITLE or BYLINE where a raw dump was cut so.
        phrases: role of the lexicon -> uint8[n]; tokens of the longest phrase of that role that a
            block begins with, 0 for none.
        residue: uint8[n]; as of `Scan`.
        ids: id of each record.
        dates: date of each record as it came, "" if unknown; empty if not wanted.
        source: int32[records]; index into `sources`.
        sources: the outlets, in order of appearance.
    """

    blocks: Blocks
    n: int
    chars: int
    titles: int
    first: I64
    fixed: U8
    phrases: dict[str, U8]
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

    def places(self, which: I64) -> list[Place]:
        """Where some blocks stand."""
        blocks = self.blocks
        records, starts, ends = (
            column[which].tolist() for column in (blocks.record, blocks.start, blocks.end)
        )
        return [Place(self.ids[r], s, e) for r, s, e in zip(records, starts, ends, strict=True)]


def build(batches: Iterable[Batch], lexicon: Lexicon, workers: int, dated: bool) -> Corpus:
    """Cut and fold the texts of all records, a batch at a time.

    Args:
        batches: all records, in order.
        lexicon: markers and function words.
        workers: batches in work at a time.
        dated: whether dates are wanted.
    """
    columns = _Columns()
    lines: tuple[list[tuple[int, str]], list[tuple[int, str]]] = ([], [])
    ids: list[str] = []
    dates: list[str] = []
    source: list[int] = []
    known: dict[str, int] = {}
    fixed: list[tuple[int, str]] = []
    residue: list[U8] = []
    chars = 0

    def scanned(batch: Batch) -> tuple[Batch, Scan]:
        if batch.quoted:
            return batch, scan_strings(batch.text, batch.starts, lexicon.common)
        text = np.frombuffer(batch.text, dtype=np.uint8)
        return batch, scan_utf8(text, batch.starts, lexicon.common)

    for batch, found in in_order(scanned, batches, workers):
        base = len(ids)
        columns.add(found.blocks, base)
        residue.append(found.residue)
        chars += found.chars
        ids += batch.ids
        if dated:
            dates += batch.dates
        source += [known.setdefault(name, len(known)) for name in batch.sources]
        for column, texts in zip(lines, (batch.titles, batch.abstracts), strict=True):
            column += [(number, text) for number, text in enumerate(texts, base) if text]
        for number, head in enumerate(batch.heads, base):
            fixed += [(number, kind) for kind in head]
    n = columns.blocks
    for column in lines:
        for part in _scan_lines(column, lexicon):
            columns.add(part)
        if column is lines[0]:
            titles = columns.blocks - n
    blocks = columns.done()
    first = np.searchsorted(blocks.record[:n], np.arange(len(ids) + 1)).astype(np.int64)
    return Corpus(
        blocks=blocks,
        n=n,
        chars=chars,
        titles=titles,
        first=first,
        fixed=_fixed(fixed, first, n),
        phrases={role: lexicon.begins(blocks, role)[:n] for role in ROLES if role != "common"},
        residue=np.concatenate([*residue, np.zeros(0, dtype=np.uint8)]),
        ids=ids,
        dates=dates,
        source=np.array(source, dtype=np.int32),
        sources=list(known),
    )


class _Columns:
    """The columns of `Blocks`, growing."""

    def __init__(self) -> None:
        self.blocks = 0
        self._tokens = 0
        self._room = {name: np.empty(0, dtype=kind) for name, kind in _DTYPES.items()}

    def add(self, part: Blocks, base: int | None = None) -> None:
        """Append blocks, their records numbered from `base`, or for the whole already."""
        more = part._asdict()
        if base is not None:
            more["record"] = part.record + np.int32(base)
        more["pointer"] = part.pointer[:-1] + self._tokens
        for name, values in more.items():
            at = self._tokens if name == "tokens" else self.blocks
            room = self._room[name]
            if at + values.size > room.size:
                room.resize(max(at + values.size, room.size * 5 // 4), refcheck=False)
            room[at : at + values.size] = values
        self.blocks += part.key.size
        self._tokens += part.tokens.size

    def done(self) -> Blocks:
        """All that was added; nothing can be added any more."""
        for name, room in self._room.items():
            room.resize(self._tokens if name == "tokens" else self.blocks, refcheck=False)
        pointer = np.append(self._room.pop("pointer"), self._tokens)
        return Blocks(pointer=pointer, **self._room)


_DTYPES = {
    "record": np.int32, "start": np.int32, "end": np.int32, "key": np.uint64, "pointer": np.int64,
    "tokens": np.uint32, "shape": np.uint16, "lead": np.uint8, "content": np.uint8,
    "echo": np.uint8,
}  # fmt: skip


def _scan_lines(lines: list[tuple[int, str]], lexicon: Lexicon) -> Iterator[Blocks]:
    """Each line as one block, whatever line ends it holds."""
    rest = iter(lines)
    while batch := list(islice(rest, 20_000)):
        blocks = scan([" ".join(line.split()) for _, line in batch], lexicon.common).blocks
        record = np.array([number for number, _ in batch], dtype=np.int32)
        yield blocks._replace(record=record[blocks.record])


def _fixed(head: list[tuple[int, str]], first: I64, n: int) -> U8:
    out = np.zeros(n, dtype=np.uint8)
    done: dict[int, int] = {}
    for number, kind in head:
        at = done.get(number, 0)
        out[first[number] + at] = _HEAD[kind]
        done[number] = at + 1
    return out
