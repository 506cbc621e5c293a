"""What earlier runs have seen of the records at hand: they join them, as the first records.

Of the blocks of an index only those are fetched that a new block matches, verified, with the
records they stand in. The stages then do with old and new records what they do with new ones.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.index.store import (
    ACTIVE,
    HEAD,
    RESIDUE,
    TAIL,
    Earlier,
    Segment,
    Store,
    merged,
)
from dedup.index.table import Table, hashes
from dedup.judge.evidence import Prior
from dedup.match import kernels
from dedup.match.verify import shingle_sets
from dedup.records import I32, I64
from dedup.sketch.lsh import first_equal
from dedup.text.blocks import Blocks
from dedup.text.corpus import JUDGED, Corpus

CANDIDATES = 50  # earlier blocks that a new one is compared with at most
CACHED = 64  # segments in memory


class Known(NamedTuple):
    """New records, behind the earlier ones that they have something in common with.

    Attributes:
        corpus: all of them.
        prior: what earlier runs counted.
        block: int64; of each block in `corpus`, its number in the index, -1 if it has none.
        earlier: the earlier records, the first ones in `corpus`.
        again: record in `corpus` -> the earlier record that it is, to the letter.
        content: a hash of each new record.
        stories: record in `corpus` that earlier runs saw -> the id of the record that leads its
            story, and how many records were known to tell it.
    """

    corpus: Corpus
    prior: Prior
    block: I64
    earlier: list[Earlier]
    again: dict[int, Earlier]
    content: list[int]
    stories: dict[int, tuple[str, int]]


class Seen:
    """The blocks of an index that can be asked for, kept up with its file.

    Args:
        store: the index.
        config: as the index was made with.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        columns = 1 + int(store.meta()["bands"].split(" ")[0])
        self._table = Table(columns)
        self._sizes: dict[int, int] = {}
        self._begins, self._numbers, self._firsts = (np.zeros(0, dtype=np.int64) for _ in range(3))
        self._next = 0
        self._cache: OrderedDict[int, Segment] = OrderedDict()

    def catch_up(self) -> None:
        """Take in what was committed since the last time, by whomever."""
        store = self._store
        sizes = store.segments()
        if sizes == self._sizes:
            return
        for first, size in sizes.items():
            if first in self._cache and self._cache[first].key.size != size:
                del self._cache[first]
            if first + size > self._next:
                segment = self._segment(first)
                active = np.flatnonzero(segment.flags & ACTIVE)
                new = active + first >= self._next
                self._table.add((active + first)[new], segment.bands[new])
        numbers, firsts = store.firsts(self._next)
        self._numbers = np.append(self._numbers, numbers)
        self._firsts = np.append(self._firsts, firsts)
        self._sizes, self._begins = sizes, np.array(list(sizes), dtype=np.int64)
        self._next = max(first + size for first, size in sizes.items())

    def look(self, corpus: Corpus, memory: Memory) -> Known:
        """Find what earlier runs know of some records."""
        store = self._store
        content = _contents(corpus)
        same = {(hashed, record.id): record for hashed, record in store.records_with(content)}
        again = {
            r: same[content[r], corpus.ids[r]]
            for r in range(corpus.records)
            if (content[r], corpus.ids[r]) in same
        }
        mine = np.array([record.record for record in again.values()], dtype=np.int64)
        found = self._matches(corpus, mine, memory)
        wanted = np.unique(self._record_of(found)).tolist()
        by_number = store.records(wanted)
        earlier = [by_number[n] for n in wanted]
        joined, block = self._joined(corpus, earlier)
        shift = len(earlier)
        again = {r + shift: record for r, record in again.items()}
        for r, record in again.items():
            _name(joined, block, r, record)
        prior = self._prior(joined, block, earlier, again)
        stories = self._stories({**dict(enumerate(earlier)), **again})
        return Known(joined, prior, block, earlier, again, content, stories)

    def _stories(self, seen: dict[int, Earlier]) -> dict[int, tuple[str, int]]:
        leaders = sorted({record.leader for record in seen.values()})
        ids = {n: record.id for n, record in self._store.records(leaders).items()}
        retold = self._store.retold(leaders)
        return {
            r: (ids[record.leader], 1 + retold.get(record.leader, 0)) for r, record in seen.items()
        }

    def _record_of(self, blocks: I64) -> I64:
        """The numbers of the records that hold some blocks."""
        return self._numbers[np.searchsorted(self._firsts, blocks, side="right") - 1]

    def _matches(self, corpus: Corpus, but: I64, memory: Memory) -> I64:
        """Numbers of earlier blocks that say what new ones say, verified, each once.

        Args:
            corpus: new records.
            but: numbers of earlier records that are not looked at.
            memory: where large arrays lie.
        """
        config, blocks = self._config, corpus.blocks
        distinct = first_equal(blocks.key)
        which = np.flatnonzero(
            (distinct == np.arange(distinct.size, dtype=np.int32)) & (blocks.key != 0)
        )
        if not len(self._table) or not which.size:
            return np.zeros(0, dtype=np.int64)
        query, block = self._table.candidates(hashes(blocks, which, config, memory), CANDIDATES)
        others = ~np.isin(self._record_of(block), but)
        query, block = query[others], block[others]
        old, place = np.unique(block, return_inverse=True)
        held = self._take(old)
        equal = blocks.key[which[query]] == held.key[place]
        one = shingle_sets(blocks.tokens, blocks.pointer, which, config.shingle)
        other = shingle_sets(
            held.tokens, held.pointer, np.arange(old.size, dtype=np.int32), config.shingle
        )
        similarity = np.empty(query.size, dtype=np.float64)
        kernels.jaccards(
            np.concatenate((one.hashes, other.hashes)),
            np.concatenate((one.pointer, one.pointer[-1] + other.pointer[1:])),
            query.astype(np.int64), which.size + place, similarity,
        )  # fmt: skip
        similarity[equal] = 1.0
        alike = np.flatnonzero(similarity >= config.threshold)
        # The most similar block for each, the earliest of equals.
        order = alike[np.lexsort((block[alike], -similarity[alike], query[alike]))]
        best = (
            order[np.append(True, query[order][1:] != query[order][:-1])] if order.size else order
        )
        return np.unique(block[best])

    def _take(self, blocks: I64) -> Segment:
        """Some blocks, ascending, as if they were a segment."""
        where = np.searchsorted(self._begins, blocks, side="right") - 1
        parts: list[Segment] = []
        for k in np.unique(where).tolist():
            segment = self._segment(int(self._begins[k]))
            parts.append(_picked(segment, blocks[where == k] - segment.first))
        return merged(parts or [_EMPTY])

    def _segment(self, first: int) -> Segment:
        segment = self._cache.pop(first, None) or self._store.segment(first)
        self._cache[first] = segment
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return segment

    def _joined(self, corpus: Corpus, earlier: list[Earlier]) -> tuple[Corpus, I64]:
        """Earlier records before new ones, and the numbers of their blocks."""
        names = {name: number for number, name in enumerate(corpus.sources)}
        outlets = {number: name for name, (number, _) in self._store.sources().items()}
        source = [names.setdefault(outlets[e.source], len(names)) for e in earlier]
        groups = (
            [np.arange(e.first, e.first + e.texts) for e in earlier],
            [np.arange(e.first + e.texts, e.first + e.texts + e.titles) for e in earlier],
            [
                np.arange(e.first + e.texts + e.titles, e.first + e.texts + e.titles + e.abstracts)
                for e in earlier
            ],
        )
        n, titles = corpus.n, corpus.titles
        bounds = (0, n, n + titles, corpus.blocks.key.size)
        parts: list[Blocks] = []
        numbers: list[I64] = []
        for k, rows in enumerate(groups):
            which = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
            record = np.repeat(np.arange(len(earlier)), [row.size for row in rows])
            # Blocks are ascending within a record; records are, too.
            parts.append(_as_blocks(self._take(which), record.astype(np.int32)))
            parts.append(_slice(corpus.blocks, bounds[k], bounds[k + 1], len(earlier)))
            numbers += [which, np.full(bounds[k + 1] - bounds[k], -1, dtype=np.int64)]
        old = parts[0].key.size
        blocks = _concatenated(parts)
        zeros = np.zeros(old, dtype=np.uint8)
        first = np.append(
            np.cumsum([0, *(e.texts for e in earlier)])[:-1], corpus.first + old
        ).astype(np.int64)
        joined = corpus._replace(
            blocks=blocks._replace(cut=corpus.blocks.cut + blocks.pointer[old]),
            n=n + old,
            titles=titles + sum(e.titles for e in earlier),
            first=first,
            fixed=np.append(zeros, corpus.fixed),
            phrases={role: np.append(zeros, corpus.phrases[role]) for role in JUDGED},
            residue=np.append(zeros, corpus.residue),
            ids=[*(e.id for e in earlier), *corpus.ids],
            dates=[*[""] * len(earlier), *corpus.dates] if corpus.dates else [],
            source=np.append(np.array(source, dtype=np.int32), corpus.source),
            sources=list(names),
            runs=tuple(e.run for e in earlier),
        )
        return joined, np.concatenate(numbers)

    def _prior(
        self, corpus: Corpus, block: I64, earlier: list[Earlier], again: dict[int, Earlier]
    ) -> Prior:
        """What earlier runs counted for the blocks that have a number."""
        store = self._store
        named = np.flatnonzero(block[: corpus.n] >= 0)
        order = named[np.argsort(block[named], kind="stable")]
        held = self._take(block[order])
        active = (held.flags & ACTIVE) != 0
        order, numbers = order[active], block[order[active]]
        flags = held.flags[active]
        content, echo = held.content[active].astype(float), held.echo[active].astype(float)
        places = {name: k for k, name in enumerate(corpus.sources)}
        counted = np.zeros(corpus.records, dtype=np.bool_)
        counted[: len(earlier)] = True
        counted[list(again)] = True
        # A block seen once stands at its place; of one seen again, the sums are kept.
        rows: dict[tuple[int, int], tuple[float, ...]] = {}
        at = dict(zip(numbers.tolist(), range(numbers.size), strict=True))
        source_of = corpus.source[corpus.blocks.record[order]].tolist()
        for k, source in enumerate(source_of):
            share = echo[k] / content[k] if content[k] else 0.0
            rows[k, source] = (1, 1, bool(flags[k] & HEAD), bool(flags[k] & TAIL), share)
        known = store.sources()
        outlets = {number: name for name, (number, _) in known.items()}
        for number, source, *sums in store.spread(numbers.tolist()):
            place = places.get(outlets[source])
            if place is not None:
                rows[at[number], place] = tuple(sums)
        late = store.residue(numbers.tolist())
        residue = np.zeros(corpus.seen, dtype=np.bool_)
        gone = ((flags & RESIDUE) != 0) | np.isin(numbers, list(late))
        residue[order[gone & (order < corpus.seen)]] = True
        keys = np.array(list(rows), dtype=np.int64).reshape(-1, 2)
        sums_of = np.array(list(rows.values()), dtype=np.float64).reshape(-1, 5)
        return Prior(
            counted=counted,
            records=np.array([known.get(n, (0, 0))[1] for n in corpus.sources], dtype=np.int32),
            block=order[keys[:, 0]].astype(np.int32),
            source=keys[:, 1].astype(np.int32),
            stories=sums_of[:, 0].astype(np.int32),
            places=sums_of[:, 1].astype(np.int32),
            head=sums_of[:, 2].astype(np.float32),
            tail=sums_of[:, 3].astype(np.float32),
            echo=sums_of[:, 4].astype(np.float32),
            residue=residue,
        )


def _contents(corpus: Corpus) -> list[int]:
    """A hash of each record: of its id, and of the keys and places of its blocks."""
    n, blocks = corpus.n, corpus.blocks
    out = []
    bounds = corpus.first.tolist()
    for r, id_ in enumerate(corpus.ids):
        part = slice(bounds[r], bounds[r + 1])
        digest = hashlib.blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=8)
        for column in (blocks.key[:n], blocks.start[:n], blocks.end[:n]):
            digest.update(column[part].tobytes())
        out.append(int.from_bytes(digest.digest(), "little", signed=True))
    return out


def _name(corpus: Corpus, block: I64, record: int, earlier: Earlier) -> None:
    """Give the blocks of a record's text the numbers they had in an earlier run."""
    first, end = corpus.first[record : record + 2].tolist()
    if end - first == earlier.texts:
        block[first:end] = np.arange(earlier.first, earlier.first + earlier.texts)


def _picked(segment: Segment, which: I64) -> Segment:
    """Some of a segment's blocks."""
    length = np.diff(segment.pointer)[which]
    pointer = np.append(0, np.cumsum(length))
    shift = np.repeat(segment.pointer[which] - pointer[:-1], length)
    tokens = segment.tokens[np.arange(int(pointer[-1])) + shift]
    columns = {
        name: getattr(segment, name)[which]
        for name in ("key", "start", "size", "shape", "flags", "content", "echo")
    }
    return Segment(first=0, pointer=pointer, tokens=tokens, bands=segment.bands[:0], **columns)


def _as_blocks(held: Segment, record: I32) -> Blocks:
    zeros = np.zeros(held.key.size, dtype=np.uint8)
    return Blocks(
        record=record, start=held.start, end=held.start + held.size, key=held.key,
        pointer=held.pointer, tokens=held.tokens, shape=held.shape, lead=zeros, tail=zeros,
        content=held.content, echo=held.echo, cut=np.zeros(0, dtype=np.int64),
        cut_start=np.zeros(0, dtype=np.int32),
    )  # fmt: skip


def _slice(blocks: Blocks, start: int, end: int, shift: int) -> Blocks:
    """Some blocks, their records numbered from `shift` on."""
    a, b = int(blocks.pointer[start]), int(blocks.pointer[end])
    rows: dict[str, Any] = {
        name: getattr(blocks, name)[start:end]
        for name in ("start", "end", "key", "shape", "lead", "tail", "content", "echo")
    }
    return Blocks(
        record=blocks.record[start:end] + np.int32(shift),
        pointer=blocks.pointer[start : end + 1] - a,
        tokens=blocks.tokens[a:b],
        cut=blocks.cut[:0],
        cut_start=blocks.cut_start,
        **rows,
    )


def _concatenated(parts: list[Blocks]) -> Blocks:
    offsets = np.cumsum([0, *(part.tokens.size for part in parts)])
    pointer = [part.pointer[:-1] + at for part, at in zip(parts, offsets, strict=False)]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in Blocks._fields
        if name not in ("pointer", "cut", "cut_start")
    }
    return Blocks(
        pointer=np.concatenate([*pointer, offsets[-1:]]), cut=parts[0].cut,
        cut_start=parts[1].cut_start, **columns,
    )  # fmt: skip


_EMPTY = Segment(
    first=0,
    key=np.zeros(0, dtype=np.uint64),
    pointer=np.zeros(1, dtype=np.int64),
    tokens=np.zeros(0, dtype=np.uint32),
    start=np.zeros(0, dtype=np.int32),
    size=np.zeros(0, dtype=np.int32),
    shape=np.zeros(0, dtype=np.uint16),
    flags=np.zeros(0, dtype=np.uint8),
    content=np.zeros(0, dtype=np.uint8),
    echo=np.zeros(0, dtype=np.uint8),
    bands=np.zeros((0, 1), dtype=np.uint32),
)
