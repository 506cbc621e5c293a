"""Looking after an index: what is in it, what went wrong in it, what is old, two made one."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from dedup.errors import ConfigError, IndexFileError, one_line
from dedup.index.segments import ABSTRACT, ACTIVE, TITLE, Segment
from dedup.index.store import Store

_SECONDS = {"h": 3600, "d": 86_400, "w": 604_800}


def info(store: Store) -> dict[str, Any]:
    """What an index holds, in numbers."""
    blocks = sum(store.segments().values())
    size = os.path.getsize(store.path)
    runs = store.runs()
    return {
        "path": store.path,
        "records": sum(1 for _ in store.all_records()),
        "blocks": blocks,
        "bytes": size,
        "bytes_per_block": round(size / blocks, 1) if blocks else None,
        "runs": len(runs),
        "first_run": _day(runs[0].at) if runs else None,
        "last_run": _day(runs[-1].at) if runs else None,
        "sources": {name: records for name, (_, records) in store.sources().items()},
        "settings": store.meta(),
    }


def export(store: Store) -> Iterator[dict[str, Any]]:
    """Every record: its id, outlet and run, and the record that leads its story."""
    names = _names(store)
    ids = {record.record: record.id for record in store.all_records()}
    for record in store.all_records():
        yield {
            "id": record.id,
            "source": names[record.source],
            "run": record.run,
            "story": ids.get(record.leader, record.id),
            "blocks": record.texts,
        }


def review(store: Store) -> Iterator[dict[str, Any]]:
    """Blocks that stayed in the output of a run, and that a later one found to be page residue.

    Their records may be cleaned again.
    """
    names = _names(store)
    records = [record for record in store.all_records() if record.end > record.first]
    firsts = np.array([record.first for record in records], dtype=np.int64)
    for block, run in store.all_residue():
        at = int(np.searchsorted(firsts, block, side="right")) - 1
        if at < 0 or block >= records[at].end:
            raise store.damaged(f"no record holds block {block}")
        segment = store.take(np.array([block], dtype=np.int64))
        start = int(segment.start[0])
        yield {
            "id": records[at].id,
            "source": names[records[at].source],
            "run": records[at].run,
            "start": start,
            "end": start + int(segment.size[0]),
            "found_in_run": run,
        }


def _names(store: Store) -> dict[int, str]:
    """Number -> name of the outlets of all records."""
    return store.names_of(sorted({record.source for record in store.all_records()}))


def check(store: Store) -> list[str]:
    """What is wrong with an index; empty if nothing is.

    Everything is read: SQLite's pages and its log, every row and its checksum, how many rows there
    are, every segment, and what rows say of each other.
    """
    with store.still() as alone:
        wrong = store.complaints(alone)
        try:
            wrong += _contradictions(store)
        except IndexFileError as error:  # what it looks at is among the complaints
            if not wrong:
                wrong.append(str(error).removeprefix(f"{store.path}: "))
        return wrong


def _contradictions(store: Store) -> list[str]:
    """What rows, each of them whole, say of each other that cannot be."""
    wrong = []
    at = 0
    kinds: list[Any] = []
    for first in store.segments():
        segment = store.segment(first)
        if first != at:
            wrong.append(f"blocks {at} to {first} are missing, or there twice")
        kinds.append(segment.flags & (TITLE | ABSTRACT))
        at = segment.end
    kind = np.concatenate(kinds) if kinds else np.zeros(0, dtype=np.uint8)
    runs = {run.run: 0 for run in store.runs()}
    outlets = {number: 0 for number, _ in store.sources().values()}
    last = 0
    for record in store.all_records():
        name = f"record {record.record} ({record.id})"
        if record.first < last or record.end > at:
            wrong.append(f"{name} holds blocks that are not there, or another's")
        else:
            ends = record.first + record.texts
            mine = [
                kind[record.first : ends] == 0,
                kind[ends : ends + record.titles] == TITLE,
                kind[ends + record.titles : record.end] == ABSTRACT,
            ]
            forgotten = not kind[record.first : record.end].any()
            if not forgotten and not all(part.all() for part in mine):
                wrong.append(f"{name} holds blocks of other kinds than it says")
        last = max(last, record.end)
        if record.run in runs and record.source in outlets:
            runs[record.run] += 1
            outlets[record.source] += 1
        else:
            wrong.append(f"{name} is of a run or an outlet that is not there")
    for run in store.runs():
        if runs[run.run] > run.records:
            wrong.append(f"run {run.run} has {runs[run.run]:,} records, not {run.records:,}")
    for name, (number, records) in store.sources().items():
        if outlets[number] != records:
            wrong.append(f"outlet {name!r} has {outlets[number]:,} records, not {records:,}")
    strays = [
        ("sums", ((row.block, row.source, row.run) for row in store.all_spread())),
        ("residue", ((block, None, run) for block, run in store.all_residue())),
        ("habits", ((0, row.source, None) for row in store.all_habits())),
    ]
    for what, rows in strays:
        lost = sum(
            (block >= at > 0) or not (s is None or s in outlets) or not (r is None or r in runs)
            for block, s, r in rows
        )
        if lost:
            wrong.append(f"{what}: {lost:,} rows are of what is not there")
    return [one_line(line) for line in wrong]


def seconds(age: str) -> int:
    """How many seconds '90d', '12h' or '8w' are.

    Raises:
        ConfigError: it is no age.
    """
    found = re.fullmatch(r"([0-9]{1,9}) *([hdw])", age)
    if not found:
        raise ConfigError(f"--older-than: {age!r:.60} is no age; try 90d, 12h or 8w")
    return int(found[1]) * _SECONDS[found[2]]


def _sound(store: Store) -> None:
    """Nothing is written into an index on the ground of what is damaged."""
    if check(store):
        raise IndexFileError(
            f"{store.path}: damaged, and left as it is; 'dedup index check' tells what is wrong"
        )


def prune(store: Store, age: int, sources: Sequence[str] = (), now: float | None = None) -> int:
    """Forget what was not seen for so many seconds.

    Blocks that stood in several places stay as long as they are seen now and then.

    Args:
        store: the index.
        age: seconds.
        sources: outlets that alone are looked at, such as those with new templates; all if empty.
        now: seconds since 1970.

    Returns:
        How many records were forgotten.

    Raises:
        ConfigError: the index does not know an outlet.
        IndexFileError: the index is damaged.
    """
    cut = (time.time() if now is None else now) - age
    known = store.sources()
    for name in sources:
        if name not in known:
            raise ConfigError(
                f"--source: {store.path} knows no outlet {name!r}; "
                "'dedup index info' lists those it knows"
            )
    _sound(store)
    with store.writing():
        gone = store.forget_before(cut, [known[name][0] for name in sources or known])
        spans = [(record.first, record.end) for record in store.all_records()]
        kept = np.zeros(store.next_block() + 1, dtype=np.int64)
        for first, end in spans:
            kept[first] += 1
            kept[end] -= 1
        kept = np.cumsum(kept)
        for first in list(store.segments()):
            segment = store.segment(first)
            stays = kept[first : first + segment.key.size] > 0
            if not stays.all():
                store.replace_segment(_thinned(segment, stays))
    store.vacuum()
    return gone


def _thinned(segment: Segment, stays: np.ndarray[Any, np.dtype[np.bool_]]) -> Segment:
    """A segment whose other blocks are empty."""
    active = np.flatnonzero(segment.flags & ACTIVE)
    length = np.where(stays, np.diff(segment.pointer), 0)
    tokens = segment.tokens[np.repeat(stays, np.diff(segment.pointer))]
    return segment._replace(
        key=np.where(stays, segment.key, np.uint64(0)),
        pointer=np.append(0, np.cumsum(length)),
        tokens=tokens,
        flags=np.where(stays, segment.flags, 0).astype(np.uint8),
        bands=segment.bands[stays[active]],
    )


def merge(store: Store, other: Store) -> int:
    """Add all that another index holds; returns how many records that are.

    Raises:
        IndexFileError: the two were made with different settings, or one is damaged.
    """
    if os.path.samefile(store.path, other.path):
        raise IndexFileError(f"{other.path}: is {store.path} itself; name another index")
    for name, value in store.meta().items():
        if other.meta().get(name) != value:
            raise IndexFileError(
                f"{other.path}: made with {name} {other.meta().get(name)}, {store.path} with "
                f"{value}; only indexes of the same settings can be made one"
            )
    _sound(store)
    _sound(other)
    with store.writing():
        block, record = store.next_block(), store.next_record()
        run = {r.run: store.add_run(r.at, r.records) for r in other.runs()}
        outlets = other.sources()
        store.write("source", ((name, records) for name, (_, records) in outlets.items()))
        here = store.sources()
        source = {number: here[name][0] for name, (number, _) in outlets.items()}
        rows = [
            r._replace(
                record=r.record + record,
                run=run[r.run],
                source=source[r.source],
                first=r.first + block,
                leader=r.leader + record,
            )
            for r in other.all_records()
        ]
        store.write("record", rows)
        for first in other.segments():
            segment = other.segment(first)
            store.add_segment(segment._replace(first=first + block))
        store.write(
            "spread",
            (
                (row.block + block, source[row.source], run[row.run], *row.values)
                for row in other.all_spread()
            ),
        )
        store.write("habit", ((source[row.source], *row.values) for row in other.all_habits()))
        store.write("retold", ((row.leader + record, row.records) for row in other.all_retold()))
        store.write("residue", ((b + block, run[r]) for b, r in other.all_residue()))
        store.settle()
    return len(rows)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")
