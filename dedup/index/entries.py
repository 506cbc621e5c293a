"""What the members of a fleet tell each other: the rows of a commit, packed, and looked at by
whoever hears them. What is on a server may be damaged, or put there by somebody else.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np

from dedup.index.segments import ACTIVE, COLUMNS, FULL
from dedup.index.store import Store

LARGEST = 1 << 28  # bytes of an entry, inflated
PIECE = 1 << 24  # bytes that an entry is begun anew behind
_MOST = (1 << 31) - 1  # counts are held in 32 bits

Changes: TypeAlias = Sequence[tuple[str, Sequence[tuple[Any, ...]]]]
"""Rows by the name of what writes them, in order; see `dedup.index.store.WRITES`."""

_Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
_Wide = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Sum = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
_Blob = bytes
_ROWS: dict[str, Any] = {
    "run": tuple[_Number, _Sum, _Count],
    "record": tuple[
        _Number, _Number, str, _Number, _Wide, _Number, _Count, _Count, _Count, _Number
    ],
    "source": tuple[str, _Count],
    "segment": tuple[
        _Number, _Count, _Blob, _Blob, _Blob, _Blob, _Blob, _Blob, _Blob, _Blob, _Blob, _Blob
    ],
    "spread": tuple[_Number, _Number, _Number, _Count, _Count, _Sum, _Sum, _Sum],
    "retold": tuple[_Number, _Count],
    "residue": tuple[_Number, _Number],
    "habit": tuple[_Number, _Count, _Count, _Count, _Count, _Count],
}
_DECODERS: dict[str, Any] = {
    name: msgspec.msgpack.Decoder(list[row])  # type: ignore[valid-type]
    for name, row in _ROWS.items()
}
_ENTRY = msgspec.msgpack.Decoder(list[tuple[str, msgspec.Raw]])


def packed(changes: Changes) -> Iterator[bytes]:
    """Entries that say what was written.

    Raises:
        ValueError: a row is larger than an entry may be.
    """
    held: list[msgspec.Raw] = []
    size = 0
    for name, rows in changes:
        for part in _parts(name, rows):
            if held and size + len(part) > PIECE:
                yield _entry(held)
                held, size = [], 0
            held.append(msgspec.Raw(part))
            size += len(part)
    if held:
        yield _entry(held)


def _parts(name: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[bytes]:
    part = msgspec.msgpack.encode((name, rows))
    if len(part) <= PIECE:
        yield part
    elif len(rows) > 1:
        yield from _parts(name, rows[: len(rows) // 2])
        yield from _parts(name, rows[len(rows) // 2 :])
    elif len(part) < LARGEST:
        yield part
    else:
        raise ValueError(f"a row of {len(part):,} bytes is more than a server takes")


def _entry(parts: list[msgspec.Raw]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(parts), 1)


def unpacked(entry: bytes) -> Changes:
    """The rows that an entry holds, each of the shape that its table has.

    Raises:
        ValueError: it is no such entry.
    """
    try:
        found = _ENTRY.decode(_inflated(entry, LARGEST))
        return [(name, _DECODERS[name].decode(rows)) for name, rows in found]
    except KeyError as unknown:
        raise ValueError(f"there is no table {str(unknown)[:60]}") from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _inflated(data: bytes, most: int) -> bytes:
    """What was deflated; no more than `most` bytes."""
    inflating = zlib.decompressobj()
    try:
        whole = inflating.decompress(data, most + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(whole) > most:
        raise ValueError(f"more than {most:,} bytes, inflated")
    if not inflating.eof or inflating.unused_data:
        raise ValueError("it is cut off, or there is something behind it")
    return whole


class Following:
    """A look at rows before they are written: each run, record and block follows the last one, and
    what a row names is there.

    Args:
        store: what the rows are written to.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._run, self._record = store.last("run"), store.next_record()
        self._block = store.next_block()
        self._first = self._block  # what the next record begins with
        self._named = {"record": 0, "block": 0, "source": 0, "run": 0}  # highest of those named
        self._sources: set[str] = set()

    def look(self, name: str, rows: Sequence[Any]) -> None:
        """Look at some rows.

        Raises:
            ValueError: one of them cannot be.
        """
        getattr(self, f"_{name}_rows")(rows)

    def end(self) -> None:
        """Look at what all rows came to, when they are written.

        Raises:
            ValueError: something is named that is not there.
        """
        _equal("blocks", self._first, self._block)
        there = {
            "record": self._record - 1,
            "block": self._block - 1,
            "source": self._store.last("source"),
            "run": self._run,
        }
        for what, number in self._named.items():
            if number > max(0, there[what]):
                raise ValueError(f"{what} {number:,} is named and not there")
        for name, (_, records) in self._store.sources_named(sorted(self._sources)).items():
            if records > _MOST:
                raise ValueError(f"{records:,} records of {name[:60]!r}")

    def _name(self, what: str, numbers: Iterable[int]) -> None:
        self._named[what] = max(self._named[what], *numbers, 0)

    def _run_rows(self, rows: Sequence[Any]) -> None:
        for run, _, _ in rows:
            _equal("run", run, self._run + 1)
            self._run = run

    def _record_rows(self, rows: Sequence[Any]) -> None:
        for record, run, _, source, _, first, texts, titles, abstracts, leader in rows:
            _equal("record", record, self._record)
            _equal("first block", first, self._first)
            self._record += 1
            self._first += texts + titles + abstracts
            self._name("run", [run])
            self._name("source", [source])
            self._name("record", [leader])

    def _source_rows(self, rows: Sequence[Any]) -> None:
        self._sources.update(name for name, _ in rows)

    def _segment_rows(self, rows: Sequence[Any]) -> None:
        for first, blocks, *columns in rows:
            _equal("first block", first, self._block)
            _look_at_columns(blocks, columns, self._store.bands)
            self._block += blocks

    def _spread_rows(self, rows: Sequence[Any]) -> None:
        for block, source, run, *sums in rows:
            self._name("block", [block])
            self._name("source", [source])
            self._name("run", [run])
            if not all(map(math.isfinite, sums)):
                raise ValueError(f"block {block}: {sums} are no sums")

    def _retold_rows(self, rows: Sequence[Any]) -> None:
        self._name("record", (leader for leader, _ in rows))

    def _residue_rows(self, rows: Sequence[Any]) -> None:
        self._name("block", (block for block, _ in rows))
        self._name("run", (run for _, run in rows))

    def _habit_rows(self, rows: Sequence[Any]) -> None:
        self._name("source", (source for source, *_ in rows))


def _equal(what: str, found: int, due: int) -> None:
    if found != due:
        raise ValueError(f"{what} {found:,} where {due:,} is due")


def _look_at_columns(blocks: int, data: Sequence[bytes], bands: int) -> None:
    """Whether the columns of a segment are what so many blocks have."""
    if not 0 < blocks <= FULL:
        raise ValueError(f"a segment of {blocks:,} blocks; there are 1 to {FULL}")
    columns: dict[str, Any] = {}
    sizes = {"tokens": 0, "bands": 0}
    for name in (*(name for name in COLUMNS if name not in sizes), *sizes):
        dtype = np.dtype(COLUMNS[name])
        due = sizes.get(name, blocks) * dtype.itemsize
        if due > LARGEST:
            raise ValueError(f"a segment with {due:,} bytes of {name}")
        column = _inflated(data[list(COLUMNS).index(name)], due)
        _equal(f"bytes of {name}", len(column), due)
        columns[name] = np.frombuffer(column, dtype=dtype)
        if name == "length":
            sizes["tokens"] = int(columns[name].sum(dtype=np.int64))
        elif name == "flags":
            sizes["bands"] = int(np.count_nonzero(columns[name] & ACTIVE)) * (1 + bands)
    if (columns["start"] < 0).any() or (columns["size"] < 0).any():
        raise ValueError("a block that begins before its text")
