"""JSON that is no JSON lines: one object, an array of them, or objects one after the other."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import msgspec
import orjson

from dedup.formats.faults import not_json
from dedup.formats.lines import CHUNK, MARKED, refusal, too_large

# A string ends with its quote; without it, it is not all there, or holds what no string may.
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*("?)|[{}\[\]]', re.DOTALL)
_REST = re.compile(rb'[^"\\\n]*(?:\\.[^"\\\n]*)*("?)', re.DOTALL)  # of a string
QUOTE, OPEN = b'"{'
_BETWEEN = b" \t\r\n,[]\xef\xbb\xbf"
_HELD = 1000  # bytes that may be the beginning of something


def json_lines(file: io.BufferedReader, most: int) -> Iterator[bytes]:
    """A line for each object, white space left out and all else as it was written.

    An object stands by itself, or in an array at the top. What stands between objects, and what is
    no JSON, is refused; after that the next object is looked for on a line of its own.

    Args:
        file: UTF-8.
        most: bytes of an object at most; more are not held.
    """
    values = _Values(most)
    while data := file.read1(CHUNK):
        yield from values.feed(data)
    yield from values.end()


class _Values:
    """Where objects begin and end, as the bytes come in. No byte is looked at twice."""

    def __init__(self, most: int) -> None:
        self._most = most
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
        self._data, self._at = self._data[self._done :], self._at - self._done
        self._start, self._done = min(self._start, 0), 0

    def end(self) -> Iterator[bytes]:
        """The lines of what is left."""
        mark = MARKED.search(self._data)
        self._data = self._data[: mark.start()] if mark else self._data
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
            elif what == OPEN and self._start < 0:
                yield from _none(data[self._done : token.start()])
                self._start, self._depth = token.start(), 1
            elif self._start >= 0:
                self._depth += 1 if what in b"{[" else -1
                if self._depth == 0:
                    yield _as_line(data[self._start : self._at], self._most)
                    self._start, self._done = -1, self._at
        self._at = len(data)

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
