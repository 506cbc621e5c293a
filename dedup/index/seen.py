"""What earlier runs have seen of the records at hand: they join them, as the first records.

Of the blocks of an index only those are fetched that a new block matches, verified, with the
records they stand in. The stages then do with old and new records what they do with new ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.index.rows import Earlier
from dedup.index.segments import ACTIVE, EMPTY, HEAD, RESIDUE, TAIL
from dedup.index.store import ALWAYS, Store
from dedup.index.table import Hashes, Table, hashes, hashes_of
from dedup.judge.evidence import Prior
from dedup.match import kernels
from dedup.match.verify import shingle_sets
from dedup.records import I64, U8, U32
from dedup.sketch.lsh import first_equal
from dedup.text.blocks import Blocks, tokens_of
from dedup.text.corpus import JUDGED, Corpus

MANY = 1 << 16  # blocks that room is made for at once
CANDIDATES = 50  # earlier blocks that a new one is compared with at most


class Known(NamedTuple):
    """New records, behind the earlier ones that they have something in common with.

    Attributes:
        corpus: all of them.
        prior: what earlier runs counted.
        block: int64; of each block in `corpus`, its number in the index, -1 if it has none.
        earlier: the earlier records, the first ones in `corpus`.
        again: record in `corpus` -> the earlier record that it is, to the letter.
        done: whether the last run did just these records; they are judged as they were then.
        content: a hash of each new record.
        fresh: int64; the places in `corpus` of the new records' blocks, in order.
        row: int64; of each of them, the row of `hashes` that has its own, or those of its equal.
        hashes: of the new records' blocks, equal ones once.
        stories: record in `corpus` that earlier runs saw -> the id of the record that leads its
            story, and how many records were known to tell it.
    """

    corpus: Corpus
    prior: Prior
    block: I64
    earlier: list[Earlier]
    again: dict[int, Earlier]
    done: bool
    content: list[int]
    fresh: I64
    row: I64
    hashes: Hashes
    stories: dict[int, tuple[str, int]]

    def bands(self, which: I64) -> U32:
        """uint32[m, 1 + bands]; the hashes of some of the new records' blocks."""
        return self.hashes.values[self.row[self.fresh.searchsorted(which)]]


class Seen:
    """The blocks of an index that can be asked for, kept up with its file.

    Args:
        store: the index.
        config: as the index was made with.
    """

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._config = config
        self._forget()

    def _forget(self) -> None:
        self._forgotten = self._store.forgotten
        self._table = Table(1 + self._store.bands, self._config.threshold)
        self._records = np.zeros((2, 0), dtype=np.int64)  # numbers, and first blocks
        self._known = 0
        self._next = 0

    def catch_up(self) -> None:
        """Take in what was written since the last time, by whomever."""
        store = self._store
        if store.forgotten != self._forgotten:
            self._forget()
        begun = self._next
        if store.next_block() > begun + MANY:
            self._table.reserve(store.likely(store.next_block() - begun) * 5 // 4)
        for segment in store.since(begun):
            active = segment.active()
            new = active + segment.first >= self._next
            rows = hashes_of(segment, active[new], segment.bands[new], self._config.shingle)
            self._table.add(active[new] + segment.first, rows)
            self._next = segment.end
        if self._next == begun:
            return
        if not begun:
            last = store.last_record()
            self._check([last] if last is not None else [])
        more = store.firsts(begun)
        known = self._known + more.shape[1]
        if known > self._records.shape[1]:
            room = np.empty((2, max(known, 2 * self._known)), dtype=np.int64)
            room[:, : self._known] = self._records[:, : self._known]
            self._records = room
        self._records[:, self._known : known] = more
        self._known = known

    def look(self, corpus: Corpus, memory: Memory) -> Known:
        """Find what earlier runs know of some records.

        Where these are the records of the last run once more, all of them and none else that is
        new, they are judged as if it had not been: it was stopped after they were remembered, and
        what it was about to write is to be written now.
        """
        store = self._store
        content = _contents(corpus)
        same = {(record.content, record.id): record for record in store.records_with(content)}
        asked_for = list(zip(content, corpus.ids, strict=True))
        run, cut = self._done(asked_for, same)
        again = {
            r: same[asked]
            for r, asked in enumerate(asked_for)
            if asked in same and same[asked].run < run
        }
        self._check(again.values())
        mine = np.array([record.record for record in again.values()], dtype=np.int64)
        blocks = corpus.blocks
        equal = first_equal(blocks.key)
        distinct = np.flatnonzero(
            (equal == np.arange(equal.size, dtype=np.int32)) & (blocks.key != 0)
        )
        row = np.zeros(equal.size, dtype=np.int64)
        row[distinct] = np.arange(distinct.size)
        asked = hashes(blocks, distinct, self._config, memory)
        found = self._matches(blocks, distinct, asked, mine, cut)
        earlier = self._records_of(found)
        joined, block, flags = self._joined(corpus, earlier)
        fresh = np.flatnonzero(block < 0)
        shift = len(earlier)
        again = {r + shift: record for r, record in again.items()}
        for r, record in again.items():
            _name(joined, block, r, record)
        prior = self._prior(joined, block, flags, earlier, again, run)
        stories = self._stories({**dict(enumerate(earlier)), **again}, run)
        return Known(
            joined, prior, block, earlier, again, run < ALWAYS, content, fresh, row[equal], asked,
            stories,
        )  # fmt: skip

    def _done(
        self, asked: list[tuple[int, str]], same: dict[tuple[int, str], Earlier]
    ) -> tuple[int, int | None]:
        """The last run and its first block, where it did just these records; otherwise a run
        behind all, and None.

        Args:
            asked: (hash of the content, id) of each record.
            same: those that are known.
        """
        store = self._store
        if asked and all(one in same for one in asked):
            number = store.last_run_number()
            if any(record.run == number for record in same.values()):
                last = store.last_run()
                if last is not None and {(r.content, r.id) for r in last[1]} <= same.keys():
                    return last[0].run, last[1][0].first
        return ALWAYS, None

    def _check(self, records: Iterable[Earlier]) -> None:
        """Records hold blocks that are there."""
        for record in records:
            if record.end > self._next:
                raise self._store.damaged(f"record {record.record} holds blocks that are not there")

    def _stories(self, seen: dict[int, Earlier], run: int) -> dict[int, tuple[str, int]]:
        leaders = sorted({record.leader for record in seen.values()})
        ids = {record.record: record.id for record in seen.values()}
        others = [leader for leader in leaders if leader not in ids]
        ids |= {n: record.id for n, record in self._store.records(others).items()}
        retold = self._store.retold(leaders, run)
        return {
            # A leader that was forgotten leads no more.
            r: (ids.get(record.leader, record.id), 1 + retold.get(record.leader, 0))
            for r, record in seen.items()
        }

    def _place_of(self, blocks: I64) -> I64:
        """Where the records that hold some blocks stand among all."""
        place: I64 = self._records[1, : self._known].searchsorted(blocks, side="right") - 1
        if (place < 0).any():
            raise self._store.damaged(f"no record holds block {blocks.min()}")
        return place

    def _record_of(self, blocks: I64) -> I64:
        """The numbers of the records that hold some blocks."""
        found: I64 = self._records[0, self._place_of(blocks)]
        return found

    def _records_of(self, blocks: I64) -> list[Earlier]:
        """The records that hold some blocks (ascending), each once."""
        places = self._place_of(blocks)
        numbers, firsts = self._records[:, : self._known]
        by_number = self._store.records(np.unique(numbers[places]).tolist())
        for block, place in zip(blocks.tolist(), places.tolist(), strict=True):
            record = by_number.get(int(numbers[place]))
            behind = int(firsts[place + 1]) if place + 1 < self._known else self._next
            if record is None or record.first != firsts[place] or not block < record.end <= behind:
                raise self._store.damaged(f"no record holds block {block}")
        return [by_number[n] for n in sorted(by_number)]

    def _matches(self, blocks: Blocks, which: I64, asked: Hashes, but: I64, cut: int | None) -> I64:
        """Numbers of earlier blocks that say what new ones say, verified, each once.

        Args:
            blocks: of new records.
            which: int64[m]; those to look for, all with different keys.
            asked: their hashes.
            but: numbers of earlier records that are not looked at.
            cut: blocks from this number on are not looked at, either.
        """
        query, block = self._table.candidates(asked, CANDIDATES, cut)
        if but.size:
            others = ~np.isin(self._record_of(block), but)
            query, block = query[others], block[others]
        if not query.size:
            return np.zeros(0, dtype=np.int64)
        config = self._config
        old, place = np.unique(block, return_inverse=True)
        held = self._store.take(old)
        new, mine = np.unique(query, return_inverse=True)
        equal = blocks.key[which[query]] == held.key[place]
        one = shingle_sets(blocks.tokens, blocks.pointer, which[new], config.shingle)
        other = shingle_sets(
            held.tokens, held.pointer, np.arange(old.size, dtype=np.int32), config.shingle
        )
        similarity = np.empty(query.size, dtype=np.float64)
        kernels.jaccards(
            np.concatenate((one.hashes, other.hashes)),
            np.concatenate((one.pointer, one.pointer[-1] + other.pointer[1:])),
            mine, new.size + place, similarity,
        )  # fmt: skip
        similarity[equal] = 1.0
        alike = np.flatnonzero(similarity >= config.threshold)
        # The most similar block for each, the earliest of equals.
        order = alike[np.lexsort((block[alike], -similarity[alike], query[alike]))]
        best = (
            order[np.append(True, query[order][1:] != query[order][:-1])] if order.size else order
        )
        return np.unique(block[best])

    def _joined(self, corpus: Corpus, earlier: list[Earlier]) -> tuple[Corpus, I64, U8]:
        """Earlier records before new ones, the numbers of their blocks, and the flags of those of
        the earlier records' texts.
        """
        blocks, n, titles = corpus.blocks, corpus.n, corpus.titles
        size = blocks.key.size
        if not earlier:
            return corpus, np.full(size, -1, dtype=np.int64), EMPTY.flags
        kinds = np.array([(e.texts, e.titles, e.abstracts) for e in earlier])
        begins = np.array([e.first for e in earlier])
        count = kinds.sum(axis=1)
        before = np.cumsum(count) - count
        old = int(count.sum())
        number = np.arange(old) + np.repeat(begins - before, count)
        kind = np.repeat(np.tile(np.arange(3), len(earlier)), kinds.ravel())
        held = self._store.take(number)
        texts, heads = (np.flatnonzero(kind == k) for k in (0, 1))
        mine = np.arange(old, old + size)
        order = np.concatenate(
            (texts, mine[:n], heads, mine[n : n + titles], np.flatnonzero(kind == 2),
             mine[n + titles :])
        )  # fmt: skip
        pointer, tokens = tokens_of(
            np.concatenate((held.tokens, blocks.tokens)),
            np.concatenate((held.pointer, blocks.pointer[1:] + held.tokens.size)),
            order,
        )
        zeros = np.zeros(old, dtype=np.uint8)
        record = np.repeat(np.arange(len(earlier), dtype=np.int32), count)

        def both(one: Any, other: Any) -> Any:
            return np.concatenate((one, other))[order]

        joined_blocks = Blocks(
            record=both(record, blocks.record + np.int32(len(earlier))),
            start=both(held.start, blocks.start),
            end=both(held.start + held.size, blocks.end),
            key=both(held.key, blocks.key),
            pointer=pointer,
            tokens=tokens,
            shape=both(held.shape, blocks.shape),
            lead=both(zeros, blocks.lead),
            tail=both(zeros, blocks.tail),
            content=both(held.content, blocks.content),
            echo=both(held.echo, blocks.echo),
            cut=blocks.cut + pointer[texts.size],
            cut_start=blocks.cut_start,
        )
        names = {name: number for number, name in enumerate(corpus.sources)}
        outlets = self._store.names_of(sorted({e.source for e in earlier}))
        source = [names.setdefault(outlets[e.source], len(names)) for e in earlier]
        zeros = zeros[: texts.size]
        joined = corpus._replace(
            blocks=joined_blocks,
            n=n + texts.size,
            titles=titles + heads.size,
            first=np.concatenate((np.cumsum(kinds[:, 0]) - kinds[:, 0], corpus.first + texts.size)),
            fixed=np.concatenate((zeros, corpus.fixed)),
            phrases={role: np.concatenate((zeros, corpus.phrases[role])) for role in JUDGED},
            residue=np.concatenate((zeros, corpus.residue)),
            chars=np.concatenate((np.zeros(len(earlier), dtype=np.int32), corpus.chars)),
            digest=np.concatenate((np.zeros(len(earlier), dtype=np.uint64), corpus.digest)),
            ids=[*(e.id for e in earlier), *corpus.ids],
            dates=[*[""] * len(earlier), *corpus.dates] if corpus.dates else [],
            source=np.concatenate((np.array(source, dtype=np.int32), corpus.source)),
            sources=list(names),
            runs=tuple(e.run for e in earlier),
        )
        return joined, both(number, np.full(size, -1, dtype=np.int64)), held.flags[texts]

    def _prior(
        self,
        corpus: Corpus,
        block: I64,
        flags: U8,
        earlier: list[Earlier],
        again: dict[int, Earlier],
        run: int,
    ) -> Prior:
        """What earlier runs counted for the blocks that have a number.

        Args:
            corpus: all records.
            block: int64; the numbers of their blocks, -1 for none.
            flags: uint8; of the blocks of the earlier records' texts.
            earlier: these, the first ones.
            again: new records that were seen before.
            run: what it and later ones counted does not count.
        """
        store, blocks, old = self._store, corpus.blocks, corpus.seen
        counted = np.zeros(corpus.records, dtype=np.bool_)
        counted[: len(earlier)] = True
        counted[list(again)] = True
        order, content, echo = np.arange(old), blocks.content[:old], blocks.echo[:old]
        if again:
            order = np.flatnonzero(block[: corpus.n] >= 0)
            order = order[np.argsort(block[order], kind="stable")]
            held = store.take(block[order])
            content, echo, flags = held.content, held.echo, held.flags
        active = (flags & ACTIVE) != 0
        order, flags = order[active], flags[active]
        content, echo = content[active].astype(float), echo[active].astype(float)
        numbers = block[order]
        places = {name: k for k, name in enumerate(corpus.sources)}
        # A block seen once stands at its place; of one seen again, the sums are kept.
        rows: dict[tuple[int, int], tuple[float, ...]] = {}
        at = dict(zip(numbers.tolist(), range(numbers.size), strict=True))
        source_of = corpus.source[corpus.blocks.record[order]].tolist()
        for k, source in enumerate(source_of):
            share = echo[k] / content[k] if content[k] else 0.0
            rows[k, source] = (1, 1, bool(flags[k] & HEAD), bool(flags[k] & TAIL), share)
        known = store.sources_named(corpus.sources, run)
        numbered = {known[name][0]: k for name, k in places.items() if name in known}
        for number, source, *sums in store.spread(numbers.tolist(), run):
            place = numbered.get(source)
            if place is not None:
                rows[at[number], place] = tuple(sums)
        late = store.residue(numbers.tolist(), run)
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
            habits=self._habits(corpus.sources, known, run),
        )

    def _habits(self, sources: list[str], known: dict[str, tuple[int, int]], run: int) -> I64:
        counts = self._store.habits([number for number, _ in known.values()], run)
        none = (0,) * 5
        told = [counts.get(known.get(name, (-1, 0))[0], none) for name in sources]
        return np.array(told, dtype=np.int64).reshape(-1, 5)


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
