"""What an index keeps of a run: its new records, and how often what they hold has been seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dedup.index.seen import Known
from dedup.index.segments import (
    ABSTRACT,
    ACTIVE,
    HEAD,
    RESIDUE,
    TAIL,
    TITLE,
    Segment,
)
from dedup.index.store import Store
from dedup.judge.evidence import Evidence
from dedup.match.groups import Groups
from dedup.records import I64, Bool
from dedup.text.blocks import tokens_of


def remember(
    store: Store,
    known: Known,
    groups: Groups,
    stories: I64,
    evidence: Evidence,
    residue: Bool,
    habits: I64,
    at: float,
) -> None:
    """Add a run to an index; nothing is committed.

    Args:
        store: the index, being written to.
        known: the records, behind the earlier ones.
        groups: of all blocks, page residue among them.
        stories: int64[records]; the record that leads each record's story.
        evidence: of all blocks of texts.
        residue: bool[n]; blocks that go as a part of the page.
        habits: int64[sources, 5]; what the new records' sources did.
        at: when the run was, seconds since 1970.
    """
    corpus, earlier = known.corpus, known.earlier
    new = [r for r in range(len(earlier), corpus.records) if r not in known.again]
    if known.done or not new:  # the same records once more
        return
    run = store.add_run(at, len(new))
    number = known.block.copy()
    which, spans = _blocks_of(known, new)
    number[which] = np.arange(which.size) + store.next_block()
    outlets = _add_records(store, known, new, spans, stories, run)
    fresh = np.zeros(number.size, dtype=np.bool_)
    fresh[which] = True
    representative = groups.representative
    stands = fresh & (representative == np.arange(number.size, dtype=np.int32))
    stands &= corpus.blocks.key != 0
    if which.size:
        _add_segment(store, known, which, stands, evidence, residue)
    store.write("spread", _spread(known, outlets, number, representative, fresh, evidence, run))
    told = zip(known.corpus.sources, habits.tolist(), strict=True)
    store.write("habit", ((outlets[name], *counts) for name, counts in told if any(counts)))
    late = _late(known, number, representative, fresh, residue)
    store.write("residue", ((block, run) for block in late))


def _blocks_of(known: Known, new: list[int]) -> tuple[I64, dict[int, tuple[int, int, int]]]:
    """The blocks of new records in the order they are numbered, and how many each has of which."""
    corpus = known.corpus
    n, titles = corpus.n, corpus.titles
    record = corpus.blocks.record.astype(np.int64)
    kind = np.zeros(record.size, dtype=np.int64)
    kind[n:] = 1
    kind[n + titles :] = 2
    is_new = np.zeros(corpus.records, dtype=np.bool_)
    is_new[new] = True
    which = np.flatnonzero(is_new[record])
    which = which[np.lexsort((which, kind[which], record[which]))]
    sizes = np.bincount(3 * record[which] + kind[which], minlength=3 * corpus.records)
    spans = {r: tuple(sizes[3 * r : 3 * r + 3].tolist()) for r in new}
    return which, spans


def _add_records(
    store: Store,
    known: Known,
    new: list[int],
    spans: dict[int, tuple[int, int, int]],
    stories: I64,
    run: int,
) -> dict[str, int]:
    """Add the new records; returns the numbers of all outlets."""
    corpus, earlier = known.corpus, known.earlier
    counts = np.bincount(corpus.source[new], minlength=len(corpus.sources)).tolist()
    seen = [(s, n) for s, n in zip(corpus.sources, counts, strict=True) if n]
    store.write("source", seen)
    outlets = {name: n for name, (n, _) in store.sources_named(corpus.sources).items()}
    number = dict(zip(new, range(store.next_record(), 1 << 62), strict=False))
    number |= {r: record.record for r, record in enumerate(earlier)}
    number |= {r: record.record for r, record in known.again.items()}
    leads = {r: record.leader for r, record in enumerate(earlier)}
    leads |= {r: record.leader for r, record in known.again.items()}
    rows: list[tuple[Any, ...]] = []
    retold: dict[int, int] = {}
    first = store.next_block()
    for r in new:
        leader = int(stories[r])
        leader = leads.get(leader, number[leader])
        if leader != number[r]:
            retold[leader] = retold.get(leader, 0) + 1
        source = outlets[corpus.sources[corpus.source[r]]]
        content = known.content[r - len(earlier)]
        rows.append((number[r], run, corpus.ids[r], source, content, first, *spans[r], leader))
        first += sum(spans[r])
    store.write("record", rows)
    store.write("retold", retold.items())
    return outlets


def _add_segment(
    store: Store,
    known: Known,
    which: I64,
    stands: Bool,
    evidence: Evidence,
    residue: Bool,
) -> None:
    blocks, n = known.corpus.blocks, known.corpus.n
    active = stands[which]
    text = which < n
    flags = np.where(active, ACTIVE, 0).astype(np.uint8)
    for bit, column in ((RESIDUE, residue), (HEAD, evidence.at_head), (TAIL, evidence.at_tail)):
        flags[text] |= np.where(column[which[text]], bit, 0).astype(np.uint8)
    titles = which[~text] < n + known.corpus.titles
    flags[~text] |= np.where(titles, TITLE, ABSTRACT).astype(np.uint8)
    pointer, tokens = tokens_of(blocks.tokens, blocks.pointer, which[active])
    # Blocks that repeat one have no tokens.
    pointer = pointer[np.append(0, np.cumsum(active))]
    store.add_segment(
        Segment(
            first=store.next_block(),
            key=np.where(active, blocks.key[which], np.uint64(0)),
            pointer=pointer,
            tokens=tokens,
            start=blocks.start[which],
            size=blocks.end[which] - blocks.start[which],
            shape=blocks.shape[which],
            flags=flags,
            content=blocks.content[which],
            echo=blocks.echo[which],
            bands=known.bands(which[active]),
        )
    )


def _spread(
    known: Known,
    outlets: dict[str, int],
    number: I64,
    representative: Any,
    fresh: Bool,
    evidence: Evidence,
    run: int,
) -> Iterator[tuple[Any, ...]]:
    """The sums of each group and source that a new block joined, where they are not one place's."""
    corpus = known.corpus
    n = corpus.n
    of = corpus.source[corpus.blocks.record]
    abroad = of[:n] != of[representative[:n]]
    joined = np.flatnonzero(
        fresh[:n] & ((evidence.places > 1) | abroad) & (corpus.blocks.key[:n] != 0)
    )
    if not joined.size:
        return
    names = [outlets[name] for name in corpus.sources]
    source = of[joined].astype(np.int64)
    code = representative[joined] * np.int64(len(names)) + source
    _, one = np.unique(code, return_index=True)
    for b, s in zip(joined[one].tolist(), source[one].tolist(), strict=True):
        places = int(evidence.places[b])
        means = (evidence.head[b], evidence.tail[b], evidence.echo[b])
        block, stories = int(number[representative[b]]), int(evidence.spread[b])
        yield (block, names[s], run, stories, places, *(float(mean) * places for mean in means))


def _late(known: Known, number: I64, representative: Any, fresh: Bool, residue: Bool) -> list[int]:
    """Earlier blocks that stayed, and are the same as what is now residue in their source."""
    corpus = known.corpus
    n, record = corpus.n, corpus.record_of()
    gone = np.flatnonzero(fresh[:n] & residue)
    stand = representative[gone].astype(np.int64)
    old = stand < corpus.seen
    gone, stand = gone[old], stand[old]
    same = corpus.source[record[gone]] == corpus.source[record[stand]]
    stand = np.unique(stand[same])
    late: list[int] = number[stand[~known.prior.residue[stand]]].tolist()
    return late
