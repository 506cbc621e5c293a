"""JSON from columns: whole batches of objects without a Python object for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import orjson

from dedup.formats import kernels
from dedup.records import I64, U8, Bool, Buffer, Names
from dedup.text.blocks import pointer_of


class Column(NamedTuple):
    """A piece of JSON for each row, or one for all.

    Attributes:
        data: holds the pieces.
        start: int64[n] or int64[1]; each piece's first byte.
        end: the byte after its last.
    """

    data: Buffer
    start: I64
    end: I64

    def take(self, which: I64 | U8 | slice) -> Column:
        """The pieces of some rows."""
        return self._replace(start=self.start[which], end=self.end[which])

    def packed(self) -> Column:
        """The same pieces without what lies between them."""
        return joined([self], self.start.size)

    def only(self, which: Bool) -> Column:
        """The pieces of some rows, nothing for the others."""
        return self._replace(start=self.start * which, end=self.end * which)


Piece: TypeAlias = "Column | bytes"
"""A column, or the same for all rows."""


def constant(piece: bytes) -> Column:
    """The same for all rows."""
    return Column(piece, np.array([0]), np.array([len(piece)]))


def table(pieces: Sequence[bytes]) -> Column:
    """Pieces to take from."""
    bounds = pointer_of(np.array([len(piece) for piece in pieces], dtype=np.int64))
    return Column(b"".join(pieces), bounds[:-1], bounds[1:])


def values(column: Sequence[Any] | np.ndarray[Any, Any]) -> Column:
    """A value for each row: texts, numbers or None; nan is null."""
    data = orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)
    start, end = np.empty(len(column), dtype=np.int64), np.empty(len(column), dtype=np.int64)
    kernels.elements(np.frombuffer(data, dtype=np.uint8), start, end)
    return Column(data, start, end)


def names(of: Sequence[str], which: I64) -> Column:
    """Some names as JSON strings."""
    if isinstance(of, Names):
        starts = of.starts()
        return Column(of.data, starts[which], starts[which + 1] - 1).packed()
    return values([of[one] for one in which.tolist()])


def joined(pieces: Sequence[Piece], n: int) -> Column:
    """The pieces of each of n rows, one after the other; rows follow each other without a gap."""
    start, end = (np.empty((n, len(pieces)), dtype=np.int64) for _ in range(2))
    parts: list[Buffer] = []
    size = 0
    for at, piece in enumerate(pieces):
        if isinstance(piece, bytes):
            start[:, at], end[:, at] = size, size + len(piece)
            parts.append(piece)
        else:
            np.add(piece.start, size, out=start[:, at])
            np.add(piece.end, size, out=end[:, at])
            parts.append(piece.data)
        size += len(parts[-1])
    out = np.empty(int((end - start).sum()), dtype=np.uint8)
    bounds = np.empty(n + 1, dtype=np.int64)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    kernels.join(np.frombuffer(data, dtype=np.uint8), start, end, out, bounds)
    return Column(out.tobytes(), bounds[:-1], bounds[1:])
