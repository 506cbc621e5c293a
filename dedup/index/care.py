"""Looking after an index: what is in it, what went wrong in it, what is old, two made one."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from dedup.errors import ConfigError, IndexFileError
from dedup.index.segments import ACTIVE, Segment
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
        "first_run": _day(runs[0][1]) if runs else None,
        "last_run": _day(runs[-1][1]) if runs else None,
        "sources": {name: records for name, (_, records) in store.sources().items()},
        "settings": store.meta(),
    }


def export(store: Store) -> Iterator[dict[str, Any]]:
    """Every record: its id, outlet and run, and the record that leads its story."""
    names = {number: name for name, (number, _) in store.sources().items()}
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
    names = {number: name for name, (number, _) in store.sources().items()}
    records = list(store.all_records())
    firsts = np.array([record.first for record in records], dtype=np.int64)
    begins = np.array(list(store.segments()), dtype=np.int64)
    for block, run in store.all_residue():
        record = records[int(np.searchsorted(firsts, block, side="right")) - 1]
        segment = store.segment(int(begins[np.searchsorted(begins, block, side="right") - 1]))
        start = int(segment.start[block - segment.first])
        yield {
            "id": record.id,
            "source": names[record.source],
            "run": record.run,
            "start": start,
            "end": start + int(segment.size[block - segment.first]),
            "found_in_run": run,
        }


def check(store: Store) -> list[str]:
    """What is wrong with an index; empty if nothing is."""
    wrong = store.complaints()
    at = 0
    for first, blocks in store.segments().items():
        segment = store.segment(first)
        if first != at:
            wrong.append(f"blocks {at} to {first} are missing")
        sizes = {getattr(segment, name).size for name in ("key", "start", "size", "flags")}
        active = int(((segment.flags & ACTIVE) != 0).sum())
        if sizes != {blocks} or segment.pointer[-1] != segment.tokens.size:
            wrong.append(f"the segment of block {first} has columns of different lengths")
        if segment.bands.shape[0] != active:
            wrong.append(f"the segment of block {first} lacks hashes of blocks")
        at = first + blocks
    last = 0
    for record in store.all_records():
        end = record.first + record.texts + record.titles + record.abstracts
        if record.first < last or end > at:
            wrong.append(f"record {record.record} ({record.id}) holds blocks that are not there")
        last = max(last, end)
    return wrong


def seconds(age: str) -> int:
    """How many seconds '90d', '12h' or '8w' are.

    Raises:
        ConfigError: it is no age.
    """
    found = re.fullmatch(r"(\d+) *([hdw])", age)
    if not found:
        raise ConfigError(f"--older-than: {age!r} is no age; try 90d, 12h or 8w")
    return int(found[1]) * _SECONDS[found[2]]


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
    """
    cut = (time.time() if now is None else now) - age
    known = store.sources()
    for name in sources:
        if name not in known:
            raise ConfigError(
                f"--source: {store.path} knows no outlet {name!r}; "
                "'dedup index info' lists those it knows"
            )
    with store.writing():
        gone = store.forget_before(cut, [known[name][0] for name in sources or known])
        spans = [
            (record.first, record.first + record.texts + record.titles + record.abstracts)
            for record in store.all_records()
        ]
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
        IndexFileError: the two were made with different settings.
    """
    for name, value in store.meta().items():
        if other.meta().get(name) != value:
            raise IndexFileError(
                f"{other.path}: made with {name} {other.meta().get(name)}, {store.path} with "
                f"{value}; only indexes of the same settings can be made one"
            )
    with store.writing():
        block, record = store.next_block(), store.next_record()
        run = {number: store.add_run(at, records) for number, at, records in other.runs()}
        outlets = other.sources()
        store.write("source", ((name, records) for name, (_, records) in outlets.items()))
        here = store.sources()
        source = {number: here[name][0] for name, (number, _) in outlets.items()}
        rows = [
            (r.record + record, run[r.run], r.id, source[r.source], content, r.first + block,
             r.texts, r.titles, r.abstracts, r.leader + record)
            for r, content in zip(other.all_records(), other.contents(), strict=True)
        ]  # fmt: skip
        store.write("record", rows)
        for first in other.segments():
            segment = other.segment(first)
            store.add_segment(segment._replace(first=first + block))
        spread = other.all_spread()
        store.write("spread", ((b + block, source[s], run[r], *sums) for b, s, r, *sums in spread))
        store.write("habit", ((source[s], *counts) for s, *counts in other.all_habits()))
        store.write("retold", ((leader + record, n) for leader, n in other.all_retold()))
        store.write("residue", ((b + block, run[r]) for b, r in other.all_residue()))
    return len(rows)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")
