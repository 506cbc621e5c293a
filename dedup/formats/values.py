"""JSON that is no JSON lines: one object, an array of them, or objects one after the other."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence

import msgspec
import orjson

from dedup.formats.faults import not_json
from dedup.formats.lines import CHUNK, MARKED, refusal, too_large
from dedup.formats.shapes import Beginning, Tell, Unclear, list_in, nothing, records_in

# A string ends with its quote; without it, it is not all there, or holds what no string may.
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*("?)|[{}\[\]]', re.DOTALL)
_REST = re.compile(rb'[^"\\\n]*(?:\\.[^"\\\n]*)*("?)', re.DOTALL)  # of a string
QUOTE, OPEN = b'"{'
_BETWEEN = b" \t\r\n,[]\xef\xbb\xbf"
LARGE = 1 << 23  # bytes of an object that is looked into for a list of records
_HELD = 1000  # bytes that may be the beginning of something


def json_lines(
    file: io.BufferedReader, most: int, texts: Sequence[str] = (), tell: Tell = nothing
) -> Iterator[bytes]:
    """A line for each object, white space left out and all else as it was written.

    An object stands by itself, or in an array at the top, or it is one that holds many (see
    `shapes`). What stands between objects, and what is
    no JSON, is refused; after that the next object is looked for on a line of its own.

    Args:
        file: UTF-8.
        most: bytes of an object at most; more are not held.
        texts: the fields that may hold a text; none if no object holds others.
        tell: told of objects that hold others.
    """
    values = _Values(most, texts, tell)
    while data := file.read1(CHUNK):
        yield from values.feed(data)
    yield from values.end()


class _Values:
    """Where objects begin and end, as the bytes come in. No byte is looked at twice."""

    def __init__(self, most: int, texts: Sequence[str] = (), tell: Tell = nothing) -> None:
        self._most = most
        self._texts = texts
        self._tell = tell
        self._list = 0  # brackets that are open around the objects of a large list
        self._around = 0  # objects around that list; behind it, what is open
        self._behind = False
        self._found: Beginning | None = None  # such a list
        self._records = 0  # of it
        self._deepest = 0  # how deep the object at hand goes
        self._tried: tuple[int, ...] = ()  # the object that was looked into
        self._data = b""
        self._at = 0  # up to here it was looked at
        self._done = 0  # up to here it was made into lines
        self._start = -1  # of the object at hand
        self._depth = 0
        self._inside = False  # whether a string goes on where the bytes end
        self._next = b""  # how an object begins that may follow one that was given up
        self._lost = 0  # bytes of that

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines of what is complete now."""
        self._data += data
        yield from self._lines()
        if self._start >= 0 and len(self._data) - self._start > LARGE and self._goes_in():
            yield from self._lines()
        if self._start >= 0 and len(self._data) - self._start > self._most:
            self._give_up()
            yield from self._lines()
        if self._next:
            self._done = self._at
        elif self._start >= 0:
            self._done = self._start
        elif self._at - self._done > CHUNK:  # of what is no object, too, not all is held
            stop = self._at - _HELD
            yield from _none(self._data[self._done : stop])
            self._done = stop
        if self._start > 0:  # it will be found at the beginning
            self._tried = tuple(0 for at in self._tried if at == self._start)
        self._data, self._at = self._data[self._done :], self._at - self._done
        self._start, self._done = min(self._start, 0), 0

    def end(self) -> Iterator[bytes]:
        """The lines of what is left."""
        mark = MARKED.search(self._data)
        self._data = self._data[: mark.start()] if mark else self._data
        if self._list or self._behind:
            yield refusal("the file ends within its list; what came before was read") + b"\n"
        if self._found:
            self._tell_list()
        if self._next:
            yield self._told(len(self._data) - self._at)
        elif self._start >= 0:
            rule = "not JSON: the file ends within an object; what came before was read"
            yield refusal(rule, self._data) + b"\n"
        else:
            yield from _none(self._data)
        if mark:
            yield mark[1] + b"\n"

    def _lines(self) -> Iterator[bytes]:
        while not self._next or self._found_again():
            if self._lost:
                yield self._told(0)
            yield from self._objects()
            if not self._next:
                return

    def _objects(self) -> Iterator[bytes]:
        """The objects that are complete, up to one that must be given up."""
        data = self._data
        if self._inside and not self._string_ends(_REST.match(data, self._at)):
            return
        for token in _TOKEN.finditer(data, self._at):
            self._at = token.end()
            what = data[token.start()]
            if what == QUOTE:
                if not token[1] and not self._string_ends(token):
                    return
            elif self._behind:
                self._around += 1 if what in b"{[" else -1
                self._done = self._at
                if self._around == 0:
                    self._behind = False
                    self._tell_list()
            elif what == OPEN and self._start < 0:
                yield from _none(data[self._done : token.start()])
                self._start, self._depth, self._deepest = token.start(), 1, 1
                self._tried = ()
            elif self._start >= 0:
                self._depth += 1 if what in b"{[" else -1
                self._deepest = max(self._deepest, self._depth)
                if self._depth == 0:
                    yield from self._made(data[self._start : self._at])
                    self._start, self._done = -1, self._at
            elif self._list:
                self._list += 1 if what in b"{[" else -1
                if not self._list:
                    yield from _none(data[self._done : token.start()])
                    self._behind, self._done = True, self._at
        self._at = len(data)
        if self._behind:
            self._done = self._at

    def _made(self, value: bytes) -> Iterator[bytes]:
        """The line of an object, or those of the records that it holds."""
        if self._list:
            self._records += 1
        elif self._deepest > 1 and self._texts and len(value) <= self._most:
            try:
                shape = records_in(value, self._texts)
            except Unclear as wrong:
                yield refusal(str(wrong), value) + b"\n"
                return
            if shape is not None:
                self._tell(shape.told, shape.left, len(shape.rows))
                for row in shape.rows:
                    yield _as_line(row, self._most)
                return
        yield _as_line(value, self._most)

    def _goes_in(self) -> bool:
        """Whether the object at hand holds a list of records, which are then taken one by one."""
        if self._list or not self._texts or self._start in self._tried:
            return False
        self._tried = (self._start,)
        found = list_in(self._data[self._start : self._start + LARGE], self._texts)
        if found is None:
            return False
        self._found, self._list, self._around, self._records = found, 1, found.around, 0
        self._at = self._done = self._start + found.at
        self._start, self._inside = -1, False
        return True

    def _tell_list(self) -> None:
        if found := self._found:
            left = (*found.left, "what stands behind it")
            self._tell(f"the list {found.name!r} of an object", left, self._records)
        self._found = None

    def _string_ends(self, found: re.Match[bytes] | None) -> bool:
        """Whether objects may go on behind a string, or what may be one."""
        assert found is not None
        self._at = found.end()
        self._inside = not found[1] and self._at >= len(self._data) - 1
        if self._inside:  # the rest of it is still to come
            return False
        if not found[1] and self._start >= 0:
            self._give_up()
            return False
        return True

    def _give_up(self) -> None:
        """Pass over the object at hand, to one on a line that begins like its own."""
        line = self._data.rfind(b"\n", 0, self._start) + 1
        indent = self._data[line : self._start]
        self._next = b"\n" + (b"" if indent.strip() else indent) + b"{"
        self._lost = 1
        self._at, self._start, self._inside = self._start + 1, -1, False

    def _found_again(self) -> bool:
        place = self._data.find(self._next, self._at)
        passed = place if place >= 0 else max(self._at, len(self._data) - _HELD)
        self._lost += passed - self._at
        self._at = self._done = passed
        return place >= 0

    def _told(self, more: int) -> bytes:
        lost = self._lost + more
        self._next, self._lost = b"", 0
        if lost > self._most:
            return too_large("record", lost, self._most) + b"\n"
        return refusal(f"not JSON: in {lost:,} bytes no object ends") + b"\n"


def _none(raw: bytes) -> Iterator[bytes]:
    """What stands between objects, if it is not what joins them."""
    if raw := raw.strip(_BETWEEN):
        rule = "no JSON object; every record must be one {...}"
        yield refusal(rule, raw) + b"\n"


def _as_line(value: bytes, most: int) -> bytes:
    if len(value) > most:
        return too_large("record", len(value), most) + b"\n"
    try:
        return msgspec.json.format(value, indent=-1) + b"\n"
    except (msgspec.DecodeError, RecursionError) as error:
        try:
            orjson.loads(value)
        except orjson.JSONDecodeError as wrong:
            return refusal(not_json(wrong), value) + b"\n"
        return refusal(f"not JSON: {error}", value) + b"\n"
