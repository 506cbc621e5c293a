"""Records as JSON objects: bytes that are looked through and copied, not decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec
import numpy as np
import orjson

from dedup.formats import kernels
from dedup.formats.encode import Column
from dedup.records import I64, U8, Bool
from dedup.text.blocks import pointer_of

UNREAD = -2  # in the place of a text's place, where nobody asks for it
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Object(NamedTuple):
    """A JSON object, and where its text stands in it: a JSON string, quotes and all."""

    data: bytes
    text_start: int
    text_end: int

    @classmethod
    def of(cls, fields: Mapping[str, msgspec.Raw | bytes], text_field: str) -> Object:
        """An object of fields as they are to be written."""
        parts, size, start, end = [], 0, 0, 0
        for name, value in fields.items():
            key, string = orjson.dumps(name), memoryview(value)
            if name == text_field:
                start = size + len(key) + 2
                end = start + string.nbytes
            parts.append(b"".join((key, b":", string)))
            size += len(parts[-1]) + 1
        return cls(b"{" + b",".join(parts) + b"}", start, end)


class Spliced(NamedTuple):
    """Lines of some records without what goes.

    Attributes:
        lines: uint8.
        text: int64[n]; the quote in `lines` that each one's text begins with, where it is known.
    """

    lines: U8
    text: I64


class Rows(NamedTuple):
    """Some records of an input, in order.

    Attributes:
        file: the input they came from, as named by the user.
        data: holds the JSON object of each, without the struct of an earlier run.
        start: int64[n]; each object's first byte.
        end: int64[n]; the byte after its last.
        text_start: int64[n]; the quote that the JSON string of its text begins with; UNREAD where
            the text is not looked into.
        text_end: int64[n]; the byte after the quote that it ends with.
        number: int64[n]; its 1-based line in the input (of the headline, in a raw dump).
        lines: for articles cut out of a raw dump, the line of the file that each line of the text
            stands on; empty for others.
        outer_start: int64[n]; the first byte of the line that each object stands in; equal to
            `start` where objects are by themselves.
        outer_end: int64[n]; the byte after the line's last, but for what ends it.
        original: JSON of what `as_it_came` tells of each, null for those that came as they are;
            empty where all did.
        unended: whether the last line ends without a line end.
    """

    file: str
    data: bytes
    start: I64
    end: I64
    text_start: I64
    text_end: I64
    number: I64
    lines: Sequence[tuple[int, ...]] = ()
    outer_start: I64 | None = None
    outer_end: I64 | None = None
    original: Sequence[bytes] = ()
    unended: bool = False

    @classmethod
    def of(
        cls,
        file: str,
        objects: Sequence[Object],
        number: I64,
        lines: Sequence[tuple[int, ...]] = (),
        around: Sequence[tuple[bytes, bytes]] = (),
        original: Sequence[bytes] = (),
    ) -> Rows:
        """Rows of objects by themselves, or with what stands before and behind each on its line."""
        around = around or [(b"", b"")] * len(objects)
        parts = [(a, one.data, b) for one, (a, b) in zip(objects, around, strict=True)]
        sizes = np.array([list(map(len, part)) for part in parts], dtype=np.int64).reshape(-1, 3)
        bounds = pointer_of(sizes.sum(axis=1))
        start, end = bounds[:-1] + sizes[:, 0], bounds[1:] - sizes[:, 2]
        text_start = start + np.array([one.text_start for one in objects], dtype=np.int64)
        text_end = start + np.array([one.text_end for one in objects], dtype=np.int64)
        data = b"".join(piece for part in parts for piece in part)
        return cls(
            file, data, start, end, text_start, text_end, number, lines, bounds[:-1], bounds[1:],
            original,
        )  # fmt: skip

    @property
    def size(self) -> int:
        """How many there are."""
        return self.start.size

    def row(self, at: int) -> Row:
        """One of them."""
        return Row(self, at)

    def each(self) -> Iterator[Row]:
        """One by one."""
        return map(self.row, range(self.size))

    def byte_places(self, which: I64, first: I64, chars: I64) -> I64:
        """Where characters of texts stand in `data`.

        Args:
            which: rows.
            first: int64; `chars[first[k]:first[k + 1]]` are of row which[k].
            chars: int64; numbers of characters, in order.
        """
        out = np.empty(chars.size, dtype=np.int64)
        kernels.byte_places(self._buf(), self.text_start[which], first, chars, out)
        return out

    def spliced(
        self, which: I64, first: I64, cut_start: I64, cut_end: I64, structs: Column
    ) -> Spliced:
        """Some rows as lines, without what goes, each with its struct as a field more.

        Args:
            which: rows.
            first: int64[n + 1]; cuts first[r] to first[r + 1] are of row r.
            cut_start: int64; the first byte in `data` that goes.
            cut_end: int64; the byte after the last that goes.
            structs: the JSON struct of each row.
        """
        start = (self.start if self.outer_start is None else self.outer_start)[which]
        stop = (self.end if self.outer_end is None else self.outer_end)[which]
        added_start, added_end = structs.start[which], structs.end[which]
        size = stop - start + added_end - added_start + kernels.AROUND
        out = np.empty(int(size.sum()), dtype=np.uint8)
        written = kernels.splice(
            self._buf(), start, self.end[which], stop, first[which], first[which + 1], cut_start,
            cut_end, np.frombuffer(structs.data, dtype=np.uint8), added_start, added_end, out,
        )  # fmt: skip
        if self.unended and which.size and which[-1] == self.size - 1:
            written -= 1
        gone = pointer_of(cut_end - cut_start)
        size -= gone[first[which + 1]] - gone[first[which]]
        return Spliced(out[:written], pointer_of(size)[:-1] + self.text_start[which] - start)

    def _buf(self) -> U8:
        return np.frombuffer(self.data, dtype=np.uint8)


def as_it_came(line: bytes, text_start: int, text_end: int) -> bytes:
    """What brings back a line whose object is written anew: JSON of the line, and where the text
    stands in it.

    Args:
        line: a JSON object.
        text_start: the first byte of the JSON string that is its text; negative if that is not
            known, so that the text stays in the line.
        text_end: the byte after its last.
    """
    if text_start < 0:
        return orjson.dumps({"line": line.decode(), "at": None})
    before, after = line[:text_start].decode(), line[text_end:].decode()
    return orjson.dumps({"line": before + after, "at": len(before)})


class Row:
    """One of some rows."""

    def __init__(self, rows: Rows, at: int) -> None:
        self._rows = rows
        self._at = at

    @property
    def file(self) -> str:
        """The input it came from."""
        return self._rows.file

    @property
    def line(self) -> int:
        """Its 1-based line there."""
        return int(self._rows.number[self._at])

    @property
    def lines(self) -> tuple[int, ...]:
        """As of `Rows`."""
        return self._rows.lines[self._at] if self._rows.lines else ()

    @property
    def raw(self) -> bytes:
        """The JSON object."""
        rows = self._rows
        return rows.data[rows.start[self._at] : rows.end[self._at]]

    @cached_property
    def text(self) -> str:
        """The text whose characters all offsets count."""
        rows = self._rows
        text: str = orjson.loads(rows.data[rows.text_start[self._at] : rows.text_end[self._at]])
        return text


class Written(NamedTuple):
    """Names of fields as they stand in JSON, without quotes.

    Attributes:
        data: uint8; one after the other.
        start: int64[m + 1]; where each begins, and the end of the last.
    """

    data: U8
    start: I64


def written(names: Sequence[str]) -> Written:
    """Names as they stand in JSON."""
    parts = [orjson.dumps(name)[1:-1] for name in names]
    bounds = pointer_of(np.array(list(map(len, parts)), dtype=np.int64))
    return Written(np.frombuffer(b"".join(parts), dtype=np.uint8), bounds)


def find(data: bytes, start: I64, end: I64, names: Written) -> tuple[I64, I64, Bool]:
    """Where JSON objects hold the values of m fields.

    Args:
        data: holds what may be objects.
        start: int64[n]; each one's first byte.
        end: int64[n]; the byte after its last.
        names: of the fields.

    Returns:
        int64[n, m]: each value's first byte, NOT_FOUND where there is none; int64[n, m]: the byte
        after its last; bool[n]: whether this can be relied on. It cannot where there is no valid
        object, where one goes too deep, nor where a name is written with an escape.
    """
    places = np.empty((2, start.size, names.start.size - 1), dtype=np.int64)
    plain = np.empty(start.size, dtype=np.bool_)
    kernels.find_fields(np.frombuffer(data, dtype=np.uint8), start, end, *names, *places, plain)
    return places[0], places[1], plain


def find_texts(
    data: bytes, start: I64, end: I64, names: Sequence[str], which: U8
) -> tuple[I64, I64]:
    """Where the objects hold their texts, each under `names[which]`; NOT_FOUND if it is not to be
    found.

    Args:
        data: holds the objects.
        start: int64[n]; each object's first byte.
        end: int64[n]; the byte after its last.
        names: of fields.
        which: uint8[n]; index into `names`.
    """
    starts, ends, plain = find(data, start, end, written(names))
    mine = np.arange(start.size), which
    first, stop = starts[mine], ends[mine]
    buf = np.frombuffer(data, dtype=np.uint8)
    missing = ~plain | (first < 0) | (buf[first] != kernels.QUOTE)
    first[missing] = stop[missing] = kernels.NOT_FOUND
    return first, stop


def fields_of(line: bytes) -> dict[str, msgspec.Raw]:
    """The fields of a JSON object as they were written."""
    return _FIELDS.decode(line)
