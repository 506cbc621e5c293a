"""The fields of records: where they stand in lines of JSON, by any of their usual names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np

from dedup.config import Config
from dedup.formats import kernels
from dedup.formats.encode import Column, joined
from dedup.formats.faults import NotARecord, no_text, why
from dedup.formats.row import Object, fields_of, find, written
from dedup.formats.sections import with_text
from dedup.records import ALIASES, I64, U8, Bool, Names, Strings, names_of
from dedup.text.blocks import pointer_of
from dedup.text.utf8 import is_utf8

Fields: TypeAlias = Counter[tuple[str, str]]
"""(meaning, field name) -> in how many records it served."""

NEWLINE, QUOTE = ord("\n"), kernels.QUOTE
BOM = b"\xef\xbb\xbf"  # before a line, as at the beginning of a file
TOGETHER = 1 << 14  # lines looked at together at most: a chunk may hold a million
# A record's form: whether it has a struct of an earlier run, the number of its text's name twice,
# whether a likelier name holds an empty string, whether its fields cannot be found by a kernel, and
# whether its text is in sections.
STRUCT, NAME, SHADED, REWRITTEN, SECTIONS = 0x01, 0x1E, 0x20, 0x40, 0x80
_NUMBERS = {"id": True, "date": False}  # may be numbers; whether whole ones only


class Lines(NamedTuple):
    """The lines of a piece of an input that are not blank.

    Attributes:
        data: the piece.
        start: int64[n]; each line's first byte that is no white space.
        end: int64[n]; the byte after its last.
        number: int64[n]; its 1-based number in the input.
    """

    data: bytes
    start: I64
    end: I64
    number: I64

    @classmethod
    def of(cls, data: bytes, before: int) -> tuple[Lines, int]:
        """The lines of a piece that so many others come before, and how many do now."""
        buf = np.frombuffer(data, dtype=np.uint8)
        room = kernels.count_byte(buf, NEWLINE) + 1
        start, end = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
        n = kernels.line_bounds(buf, start, end)
        which = np.flatnonzero(start[:n] < end[:n])
        marked = which[buf[start[which]] == BOM[0]]
        for at in marked.tolist():  # where files were joined
            line = data[start[at] : end[at]]
            start[at] += len(line) - len(line.removeprefix(BOM).lstrip())
        if marked.size:
            which = which[start[which] < end[which]]
        return cls(data, start[which], end[which], before + 1 + which), before + n

    def parts(self) -> Iterator[Lines]:
        """The same, at most `TOGETHER` lines at a time: what is made of each takes room."""
        if self.start.size <= TOGETHER:
            yield self
            return
        begin = 0
        for at in range(0, self.start.size, TOGETHER):
            here = slice(at, at + TOGETHER)
            stop = len(self.data)
            if here.stop < self.start.size:
                stop = self.data.rfind(b"\n", 0, self.start[here.stop]) + 1
            start, end = self.start[here] - begin, self.end[here] - begin
            yield Lines(self.data[begin:stop], start, end, self.number[here])
            begin = stop

    def line(self, at: int) -> bytes:
        """A line without the white space around it."""
        return self.data[self.start[at] : self.end[at]]

    def whole(self, at: int) -> bytes:
        """A line with all that it holds."""
        first = self.data.rfind(b"\n", 0, self.start[at]) + 1
        stop = self.data.find(b"\n", self.end[at])
        return self.data[first:] if stop < 0 else self.data[first:stop]

    def outer(self) -> tuple[I64, I64]:
        r"""int64[n]; each line's first byte and the byte after its last, but for \n, white space
        and all.
        """
        start, end = self.start.copy(), self.end.copy()
        kernels.widen(np.frombuffer(self.data, dtype=np.uint8), start, end)
        return start, end

    def take(self, which: I64) -> Lines:
        """Some of them."""
        return Lines(self.data, self.start[which], self.end[which], self.number[which])


class Found(NamedTuple):
    """Where n records hold the values of m fields.

    Attributes:
        data: holds them.
        start: int64[n, m]; each value's first byte, NOT_FOUND where there is none.
        end: int64[n, m]; the byte after its last.
        rewritten: bool[n]; records that are not as they came.
        sections: bool[n]; records whose text is in sections.
    """

    data: bytes
    start: I64
    end: I64
    rewritten: Bool
    sections: Bool


class Values(NamedTuple):
    """A JSON value of each record, decoded when it is asked for.

    Attributes:
        data: holds them.
        start: int64[n]; each value's first byte.
        end: int64[n]; the byte after its last, equal to `start` where there is none.
    """

    data: bytes
    start: I64
    end: I64

    def decoded(self) -> list[str]:
        """As text, "" for none."""
        places = zip(self.start.tolist(), self.end.tolist(), strict=True)
        return list(map(str, _decoded([self.data[a:b] or b'""' for a, b in places])))

    def take(self, which: I64) -> Values:
        """Of some records."""
        return self._replace(start=self.start[which], end=self.end[which])

    def as_written(self) -> Names | None:
        """As they are; None unless each is a string, not empty, that orjson writes so, too."""
        buf = np.frombuffer(self.data, dtype=np.uint8)
        if (self.end - self.start < 3).any() or (buf[self.start] != QUOTE).any():
            return None
        found = joined([Column(*self), b","], self.start.size)
        return None if b"\\" in found.data else Names.written(found.data, found.end)


class Columns(NamedTuple):
    """What some records hold.

    Attributes:
        texts: JSON strings.
        titles: JSON strings, as all that follows empty for none.
        abstracts: JSON strings.
        ids: strings and whole numbers.
        urls: strings.
        dates: strings and numbers.
        sources: strings.
        forms: uint8[n]; each record's form.
        served: (meaning, field name) -> in how many of them it served.
    """

    texts: Strings
    titles: Strings
    abstracts: Strings
    ids: Values
    urls: Values
    dates: Values
    sources: Values
    forms: U8
    served: Fields


class Parser:
    """Finds the fields of lines."""

    def __init__(self, config: Config) -> None:
        self._names = {meaning: names_of(meaning, config) for meaning in ALIASES}
        self.texts = self._names["text"]
        every = [name for names in self._names.values() for name in names]
        self._place = {name: at for at, name in enumerate(dict.fromkeys([*every, "dedup"]))}
        self._written = written(list(self._place))

    def found(self, lines: Lines) -> tuple[Found, dict[int, str]]:
        """The fields of the lines that are records, and what is wrong with the others."""
        start, end, plain = find(lines.data, lines.start, lines.end, self._written)
        buf = np.frombuffer(lines.data, dtype=np.uint8)
        plain &= self._holds_text(buf, start, end)
        if not is_utf8(buf):
            each = zip(lines.start.tolist(), lines.end.tolist(), strict=True)
            plain &= np.array([is_utf8(buf[a:b]) for a, b in each], dtype=np.bool_)
        sections = np.zeros(plain.size, dtype=np.bool_)
        if plain.all():
            return Found(lines.data, start, end, sections, sections), {}
        wrong: dict[int, str] = {}
        others: dict[int, bytes] = {}
        for at in np.flatnonzero(~plain).tolist():
            try:
                others[at], sections[at] = self._rewritten(lines.line(at))
            except NotARecord as error:
                wrong[at] = str(error)
        which = np.array(list(others), dtype=np.int64)
        bounds = pointer_of(np.array(list(map(len, others.values())), dtype=np.int64))
        more = b"".join(others.values())
        late_start, late_end, _ = find(more, bounds[:-1], bounds[1:], self._written)
        shift = np.where(late_start >= 0, len(lines.data), 0)
        start[which], end[which] = late_start + shift, late_end + shift
        stays = np.ones(plain.size, dtype=np.bool_)
        stays[list(wrong)] = False
        columns = (start[stays], end[stays], ~plain[stays], sections[stays])
        return Found(lines.data + more, *columns), wrong

    def _holds_text(self, buf: U8, start: I64, end: I64) -> Bool:
        """bool[n]; records with a text, or with an empty one that no sections may stand in for."""
        holds = np.zeros(start.shape[0], dtype=np.bool_)
        left = np.arange(holds.size)  # whose text was not found yet: none, as a rule, at once
        for name in self.texts:
            at = self._place[name]
            first = start[left, at]
            some = (first >= 0) & (buf[first] == QUOTE) & (end[left, at] - first > 2)
            holds[left[some]] = True
            left = left[~some]
            if not left.size:
                return holds
        first = start[left][:, [self._place[name] for name in self.texts]]
        there = first >= 0
        empty = (there & (buf[first] == QUOTE)).any(axis=1)
        objects = (there & (buf[first] == ord("{"))).any(axis=1)
        holds[left] = empty & ~objects
        return holds

    def _rewritten(self, line: bytes) -> tuple[bytes, bool]:
        """A record as a plain object with its known fields, and whether its text is in sections.

        Raises:
            NotARecord: the line is none.
        """
        fields, sections = self.fields(line), False
        if not self._says(fields):
            other = with_text(line)
            whole = fields_of(other) if other else fields
            if not self.texts_of(whole):
                raise NotARecord(no_text(fields, self.texts))
            if self._says(whole) or not self.texts_of(fields):
                fields, sections = whole, True
        known: dict[str, msgspec.Raw | bytes] = {}
        for name in self._place:
            value = memoryview(fields.get(name, b"{"))
            if value[0] not in b"{[":  # which serve for nothing, and may be deep
                known[name] = fields[name]
        if "dedup" in fields:
            known["dedup"] = b"null"
        return Object.of(known, "").data, sections

    def fields(self, line: bytes) -> dict[str, msgspec.Raw]:
        """All fields of a line.

        Raises:
            NotARecord: it is no JSON object.
        """
        try:
            line.decode()
            return fields_of(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotARecord(why(line, error)) from None

    def _says(self, fields: Mapping[str, msgspec.Raw]) -> bool:
        """Whether a field holds a text that is not empty."""
        return any(bytes(memoryview(fields[name])[:3]) != b'""' for name in self.texts_of(fields))

    def texts_of(self, fields: Mapping[str, msgspec.Raw]) -> list[str]:
        """The names of the fields that may hold a record's text, the likeliest first."""
        return [n for n in self.texts if memoryview(fields.get(n, b" "))[0] == QUOTE]

    def id_of(self, fields: Mapping[str, msgspec.Raw]) -> str:
        """A record's own id, "" for none."""
        for name in self._names["id"]:
            value = _decoded([bytes(fields.get(name, b"null"))])[0]
            if type(value) in (str, int) and value != "":
                return str(value)
        return ""

    def columns(self, found: Found) -> Columns:
        """What records hold."""
        buf = np.frombuffer(found.data, dtype=np.uint8)
        served: Fields = Counter()
        values: dict[str, Values] = {}
        by = np.zeros(found.sections.size, dtype=np.uint8)
        shaded = np.zeros(by.size, dtype=np.bool_)
        there: Bool = np.any(found.start >= 0, axis=0)
        for meaning, names in self._names.items():
            start, end = (np.zeros(by.size, dtype=np.int64) for _ in range(2))
            serving = np.full(by.size, -1, dtype=np.int8)
            left = np.arange(by.size)  # of which no name has anything to say yet
            for number, name in enumerate(names):
                at = self._place[name]
                if not there[at]:
                    continue
                every = left.size == by.size
                which: Any = slice(None) if every else left
                first, stop = found.start[which, at], found.end[which, at]
                letter = np.where(first >= 0, buf[first], 0)
                usable = strings = letter == QUOTE
                if meaning in _NUMBERS:
                    usable = strings | _numbers(found.data, letter, first, stop, _NUMBERS[meaning])
                full = (usable & ~strings) | (strings & (stop - first > 2))
                if every and full.all():  # as a rule
                    start, end = np.ascontiguousarray(first), np.ascontiguousarray(stop)
                    serving[:] = number
                    break
                # An empty string serves only where no other name has more to say.
                mine = full | (usable & (end[left] == 0))
                which = left[mine]
                if meaning == "text":
                    shaded[which] = end[which] > 0
                start[which], end[which] = first[mine], stop[mine]
                serving[which] = number
                left = left[~full]
                if not left.size:
                    break
            values[meaning] = Values(found.data, start, end)
            for number, times in enumerate(np.bincount(serving + 1)[1:].tolist()):
                if times:
                    served[meaning, names[number]] = times
            if meaning == "text":
                by[:] = serving
        struct = found.start[:, self._place["dedup"]] >= 0
        texts, titles, abstracts = (
            Strings(*values[meaning], quoted=True) for meaning in ("text", "title", "abstract")
        )
        return Columns(
            texts=texts,
            titles=titles,
            abstracts=abstracts,
            ids=values["id"],
            urls=values["url"],
            dates=values["date"],
            sources=values["source"],
            forms=by << 1
            | struct * np.uint8(STRUCT)
            | shaded * np.uint8(SHADED)
            | found.rewritten * np.uint8(REWRITTEN)
            | found.sections * np.uint8(SECTIONS),
            served=served,
        )


def _numbers(data: bytes, letter: U8, start: I64, end: I64, whole: bool) -> Bool:
    """bool[n]; records of which a field, that begins with a letter, holds a number."""
    number = (letter == ord("-")) | ((letter >= ord("0")) & (letter <= ord("9")))
    for one in np.flatnonzero(number).tolist() if whole else ():
        number[one] = data[start[one] : end[one]].lstrip(b"-").isdigit()
    return np.asarray(number)


def _decoded(pieces: Sequence[bytes]) -> list[Any]:
    try:
        found: list[Any] = msgspec.json.decode(b"[" + b",".join(pieces) + b"]")
        return found
    except msgspec.DecodeError:  # a number that nothing can hold
        if len(pieces) == 1:
            return [""]
        return [value for piece in pieces for value in _decoded([piece])]
