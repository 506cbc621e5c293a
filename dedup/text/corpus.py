"""All records of a run as arrays: what every later stage looks at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.engines.threads import in_order
from dedup.records import I32, I64, U8, U64, Batch, Names
from dedup.text.blocks import Blocks, Scan, scan
from dedup.text.lexicon import ROLES, Lexicon

NOTHING, TITLE, BYLINE = 0, 1, 2
_HEAD = {"title": TITLE, "byline": BYLINE}


class Place(NamedTuple):
    """Where a block stands: its record's id, and characters [start, end) of the original text.

    `run` is the earlier run that saw the record, None for this one.
    """

    id: str
    start: int
    end: int
    run: int | None = None


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
        phrases: role of the lexicon -> uint8[n]; tokens of the longest phrase of that role that a
            block begins with, 0 for none.
        residue: uint8[n]; as of `Scan`.
        chars: int32[records]; characters of each text; 0 for texts of earlier runs.
        digest: uint64[records]; of each text as it came; 0 for texts of earlier runs.
        ids: id of each record.
        dates: date of each record as it came, "" if unknown; empty if not wanted.
        source: int32[records]; index into `sources`.
        sources: the outlets, in order of appearance.
        runs: of the first records, which earlier runs have seen, the run.
        seed: of the tokens' hashes.
    """

    blocks: Blocks
    n: int
    titles: int
    first: I64
    fixed: U8
    phrases: dict[str, U8]
    residue: U8
    chars: I32
    digest: U64
    ids: Sequence[str]
    dates: list[str]
    source: I32
    sources: list[str]
    runs: tuple[int, ...] = ()
    seed: int = Config.seed

    @property
    def seen(self) -> int:
        """How many blocks of texts, the first ones, earlier runs have seen."""
        return int(self.first[len(self.runs)])

    @property
    def records(self) -> int:
        """How many records there are."""
        return len(self.ids)

    def record_of(self) -> I32:
        """int32[n]; the record of each block that stands in a text."""
        return self.blocks.record[: self.n]

    def same_ids(self) -> tuple[int, str]:
        """How many records have an id that an earlier record has, and the first such id."""
        if self.records < 2:
            return 0, ""
        hashes = np.fromiter(map(hash, self.ids), dtype=np.int64, count=self.records)
        order = np.argsort(hashes, kind="stable")
        again = order[1:][hashes[order[1:]] == hashes[order[:-1]]]
        if not again.size:
            return 0, ""
        alike = set(hashes[again].tolist())
        seen: set[str] = set()
        found = []
        for id_ in self.ids:
            if hash(id_) in alike:
                if id_ in seen:
                    found.append(id_)
                seen.add(id_)
        return len(found), found[0] if found else ""

    def places(self, which: I32 | I64) -> list[Place]:
        """Where some blocks stand."""
        blocks = self.blocks
        records, starts, ends = (
            column[which].tolist() for column in (blocks.record, blocks.start, blocks.end)
        )
        runs = self.runs
        return [
            Place(self.ids[r], s, e, runs[r] if r < len(runs) else None)
            for r, s, e in zip(records, starts, ends, strict=True)
        ]


def build(
    batches: Iterable[Batch],
    lexicon: Lexicon,
    memory: Memory,
    workers: int,
    dated: bool,
    sentences: bool,
) -> Corpus:
    """Cut and fold the texts of all records, a batch at a time.

    Args:
        batches: all records, in order.
        lexicon: markers and function words.
        memory: where the columns lie.
        workers: batches in work at a time.
        dated: whether dates are wanted.
        sentences: whether it is wanted where sentences begin.
    """
    texts, titles, abstracts = (_Columns(_BLOCKS, memory) for _ in range(3))
    more = _Columns({"residue": np.uint8, **dict.fromkeys(JUDGED, np.uint8)}, memory)
    ids = Names()
    dates: list[str] = []
    each = _Columns({"source": np.int32, "chars": np.int32, "digest": np.uint64}, memory)
    known: dict[str, int] = {}
    fixed: list[tuple[int, str]] = []

    def scanned(batch: Batch) -> tuple[Batch, list[Scan], dict[str, U8]]:
        found = scan(batch.texts, lexicon.common, sentences=sentences, seed=lexicon.seed)
        begins = lexicon.begins(found.blocks)
        phrases = {role: begins[role] for role in JUDGED}
        lines = [
            scan(column, lexicon.common, lines=False, seed=lexicon.seed)
            for column in (batch.titles, batch.abstracts)
        ]
        return batch, [found, *lines], phrases

    for batch, scans, phrases in in_order(scanned, batches, workers):
        base = len(ids)
        for columns, found in zip((texts, titles, abstracts), scans, strict=True):
            columns.add_blocks(found.blocks, base)
        more.add({"residue": scans[0].residue, **phrases})
        ids.add(batch.ids)
        if dated:
            dates += batch.dates
        numbers = [known.setdefault(name, len(known)) for name in batch.sources]
        digest = scans[0].digest if batch.digests is None else batch.digests
        source = np.array(numbers, dtype=np.int32)
        each.add({"source": source, "chars": scans[0].chars, "digest": digest})
        for number, head in enumerate(batch.heads, base):
            fixed += [(number, kind) for kind in head]
        memory.relax()
    n = texts.rows
    for columns in (titles, abstracts):
        texts.add_blocks(Blocks(**columns.done()), 0)
    found_more, blocks = more.done(), Blocks(**texts.done())
    ids.keep(memory.keep)
    first = np.searchsorted(blocks.record[:n], np.arange(len(ids) + 1))
    return Corpus(
        blocks=blocks,
        n=n,
        titles=titles.rows,
        first=memory.keep(first.astype(np.int64, copy=False)),
        fixed=_fixed(fixed, first, n),
        residue=found_more.pop("residue"),
        phrases=found_more,
        ids=ids,
        dates=dates,
        sources=list(known),
        **each.done(),
        seed=lexicon.seed,
    )


JUDGED = tuple(role for role in ROLES if role != "common")
_BLOCKS: dict[str, type[np.generic]] = {
    "record": np.int32, "start": np.int32, "end": np.int32, "key": np.uint64, "pointer": np.int64,
    "tokens": np.uint32, "shape": np.uint16, "lead": np.uint8, "tail": np.uint8,
    "content": np.uint8, "echo": np.uint8, "cut": np.int64, "cut_start": np.int32,
}  # fmt: skip


class _Columns:
    """Columns that grow."""

    def __init__(self, dtypes: dict[str, type[np.generic]], memory: Memory) -> None:
        self._memory = memory
        self._room = {name: memory.empty(0, dtype) for name, dtype in dtypes.items()}
        self._filled = dict.fromkeys(dtypes, 0)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._filled["record"]

    def add(self, more: dict[str, Any]) -> None:
        """Append values, to each column its own."""
        for name, values in more.items():
            at = self._filled[name]
            end = self._filled[name] = at + values.size
            if end > self._room[name].size:
                room = max(end, self._room[name].size * 5 // 4)
                self._room[name] = self._memory.resized(self._room[name], room)
            self._room[name][at:end] = values

    def add_blocks(self, blocks: Blocks, base: int) -> None:
        """Append blocks whose records are numbered from `base`."""
        pointer = blocks.pointer[:-1] + self._filled["tokens"]
        record = blocks.record + np.int32(base)
        cut = blocks.cut + self._filled["tokens"]
        self.add(blocks._replace(record=record, pointer=pointer, cut=cut)._asdict())

    def done(self) -> dict[str, Any]:
        """All that was added; nothing can be added any more."""
        if "pointer" in self._filled:
            self.add({"pointer": np.array([self._filled["tokens"]], dtype=np.int64)})
        return {name: self._room[name][:end] for name, end in self._filled.items()}


def _fixed(head: list[tuple[int, str]], first: I64, n: int) -> U8:
    out = np.zeros(n, dtype=np.uint8)
    done: dict[int, int] = {}
    for number, kind in head:
        at = done.get(number, 0)
        out[first[number] + at] = _HEAD[kind]
        done[number] = at + 1
    return out
