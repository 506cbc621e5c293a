"""Blocks of an index as columns: some that follow each other are a segment."""

from __future__ import annotations

import zlib
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from dedup.index.rows import Columns, Damaged
from dedup.records import I32, I64, U8, U16, U32, U64
from dedup.text.blocks import pointer_of, tokens_of

FULL = 512  # blocks of a segment in the file; to look at one of them all are inflated
HELD = 1 << 17  # blocks held in memory, some 40 MB
WEIGHT = 320  # bytes of a block as there are many
TOKENS = 1 << 28  # in a segment at most
LAST = (1 << 31) - 1  # of a text's characters

# What a block is, one bit each (`Segment.flags`).
ACTIVE, RESIDUE, HEAD, TAIL, TITLE, ABSTRACT = 1, 2, 4, 8, 16, 32


class Segment(NamedTuple):
    """Some blocks, numbered from `first` on.

    Attributes:
        first: number of the first one.
        key: uint64[n]; hash of the folded block, 0 for blocks that repeat one.
        pointer: int64[n + 1]; where each block's tokens begin.
        tokens: uint32; of blocks that stand for others, nothing of those that repeat one.
        start: int32[n]; first character in the record's text.
        size: int32[n]; characters.
        shape: uint16[n]; shape bits.
        flags: uint8[n]; the bits above.
        content: uint8[n]; meaningful stems.
        echo: uint8[n]; how many of them the prose behind takes up.
        bands: uint32[a, 1 + b]; of each active block, the low half of its key and its band hashes;
            zeros for the latter when it has no shingle.
    """

    first: int
    key: U64
    pointer: I64
    tokens: U32
    start: I32
    size: I32
    shape: U16
    flags: U8
    content: U8
    echo: U8
    bands: U32

    @property
    def end(self) -> int:
        """The number behind the last block's."""
        return self.first + self.key.size

    def active(self) -> I64:
        """int64; the places of the blocks that stand for others."""
        return np.flatnonzero(self.flags & ACTIVE)


COLUMNS: dict[str, Any] = {
    "key": np.uint64, "length": np.uint32, "tokens": np.uint32, "start": np.int32,
    "size": np.int32, "shape": np.uint16, "flags": np.uint8, "content": np.uint8,
    "echo": np.uint8, "bands": np.uint32,
}  # fmt: skip
ROWS = ("key", "start", "size", "shape", "flags", "content", "echo")  # a value for each block


def packed(segment: Segment) -> tuple[Any, ...]:
    """A segment as a row of the file: its first block, its blocks, and its columns, deflated."""
    columns = segment._asdict()
    columns["length"] = np.diff(segment.pointer)
    data = (
        zlib.compress(columns[name].astype(dtype, copy=False).tobytes(), 1)
        for name, dtype in COLUMNS.items()
    )
    return (segment.first, int(segment.key.size), *data)


def unpacked(row: Columns, bands: int) -> Segment:
    """The segment whose columns a row of the file holds, with so many bands.

    Raises:
        Damaged: the columns do not fit each other; no loop over them would be safe.
    """

    def column(name: str, size: int) -> Any:
        try:
            return _inflated(getattr(row, name), COLUMNS[name], size)
        except ValueError as error:
            raise Damaged(
                f"the segment of block {row.first}: its column {name!r} {error}"
            ) from error

    n = row.blocks
    columns = {name: column(name, n) for name in ROWS}
    length = column("length", n)
    tokens = int(length.sum(dtype=np.int64))
    if tokens > TOKENS:
        raise Damaged(f"the segment of block {row.first}: {tokens:,} words, more than {TOKENS:,}")
    active = np.flatnonzero(columns["flags"] & ACTIVE)
    segment = Segment(
        first=row.first,
        pointer=pointer_of(length),
        tokens=column("tokens", tokens),
        bands=column("bands", active.size * (1 + bands)).reshape(-1, 1 + bands),
        **columns,
    )
    wrong = _wrong(segment, active)
    if wrong:
        raise Damaged(f"the segment of block {row.first}: {wrong}")
    return segment


def _inflated(data: bytes, dtype: Any, size: int) -> Any:
    """So many values, inflated; never more room is taken than they need."""
    room = size * np.dtype(dtype).itemsize
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(data, room + 1)
    except zlib.error as error:
        raise ValueError(f"cannot be inflated: {error}") from error
    if len(found) != room or not inflater.eof or inflater.unused_data:
        raise ValueError(f"does not hold {size:,} values")
    return np.frombuffer(bytearray(found), dtype=dtype)


def _wrong(segment: Segment, active: I64) -> str | None:
    """What cannot be in a segment whose columns have the right lengths; None if all can."""
    stands = np.zeros(segment.key.size, dtype=np.bool_)
    stands[active] = True
    if ((segment.key != 0) != stands).any():
        return "a block has a key and stands for none, or the other way round"
    if segment.pointer[-1] and np.diff(segment.pointer)[~stands].any():
        return "a block that stands for none has words"
    if ((segment.start < 0) | (segment.size < 0) | (segment.size > LAST - segment.start)).any():
        return "a block begins or ends where no text is"
    if (segment.flags > 2 * ABSTRACT - 1).any():
        return "a block is of no known kind"
    low = np.maximum(segment.key[active] & np.uint64(0xFFFFFFFF), 1)
    if not np.array_equal(segment.bands[:, 0], low):
        return "hashes do not belong to their blocks"
    return None


def merged(parts: Sequence[Segment]) -> Segment:
    """Segments that follow each other as one."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.cumsum([0, *(part.tokens.size for part in parts)])
    pointer = [part.pointer[:-1] + at for part, at in zip(parts, offsets, strict=False)]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in (*ROWS, "tokens", "bands")
    }
    return Segment(
        first=parts[0].first, pointer=np.concatenate([*pointer, offsets[-1:]]), **columns
    )


def divided(segment: Segment) -> Iterator[Segment]:
    """A segment in parts of `FULL` blocks, and the rest."""
    count = segment.key.size
    active = np.append(0, np.cumsum((segment.flags & ACTIVE) != 0))
    for at in range(0, count, FULL):
        end = min(at + FULL, count)
        a, b = int(segment.pointer[at]), int(segment.pointer[end])
        columns: dict[str, Any] = {name: getattr(segment, name)[at:end] for name in ROWS}
        yield Segment(
            first=segment.first + at,
            pointer=segment.pointer[at : end + 1] - a,
            tokens=segment.tokens[a:b],
            bands=segment.bands[active[at] : active[end]],
            **columns,
        )


def picked(segment: Segment, which: I64) -> Segment:
    """Some of a segment's blocks, as if they were a segment; band hashes are left out."""
    pointer, tokens = tokens_of(segment.tokens, segment.pointer, which)
    columns: dict[str, Any] = {name: getattr(segment, name)[which] for name in ROWS}
    return Segment(first=0, pointer=pointer, tokens=tokens, bands=segment.bands[:0], **columns)


class Held:
    """Segments in memory, the ones looked at last."""

    def __init__(self) -> None:
        self._segments: OrderedDict[int, Segment] = OrderedDict()
        self._firsts: list[int] = []
        self._blocks = 0

    def get(self, block: int) -> Segment | None:
        """The segment that holds a block."""
        at = bisect_right(self._firsts, block) - 1
        if at < 0:
            return None
        segment = self._segments[self._firsts[at]]
        if block >= segment.end:
            return None
        self._segments.move_to_end(segment.first)
        return segment

    def add(self, segment: Segment) -> None:
        """Hold a segment, instead of what it holds."""
        self._drop([first for first in self._firsts if segment.first <= first < segment.end])
        insort(self._firsts, segment.first)
        self._segments[segment.first] = segment
        self._blocks += _weight(segment)
        while self._blocks > HELD and len(self._firsts) > 1:
            self._drop([next(iter(self._segments))])

    def forget(self, since: int = 0) -> None:
        """Drop the segments that hold blocks from a number on."""
        self._drop([first for first in self._firsts if self._segments[first].end > since])

    def _drop(self, firsts: list[int]) -> None:
        for first in firsts:
            self._blocks -= _weight(self._segments.pop(first))
            self._firsts.remove(first)


def _weight(segment: Segment) -> int:
    """The blocks of a segment; more where they are long."""
    return max(segment.key.size, segment.tokens.nbytes // WEIGHT)


EMPTY = Segment(
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
