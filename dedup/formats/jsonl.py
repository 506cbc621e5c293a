"""JSON Lines: one JSON object a line, its fields by any of their usual names."""

from __future__ import annotations

import base64
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from operator import attrgetter, or_
from pathlib import PurePath
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import msgspec
import numpy as np
import orjson
from msgspec.structs import astuple

from dedup.config import Config, flag_of
from dedup.formats import kernels
from dedup.formats.lines import refused
from dedup.formats.row import UNREAD, Object, Rows, fields_of, find_texts
from dedup.formats.sections import with_text
from dedup.records import ALIASES, I64, U8, Batch, Bool, Rejected, Strings
from dedup.text.blocks import pointer_of
from dedup.text.utf8 import is_utf8

Fields: TypeAlias = Counter[tuple[str, str]]
"""(meaning, field name) -> in how many records it served."""

BOM = b"\xef\xbb\xbf"
QUOTE, OBJECT, NEWLINE = ord('"'), b"{}", ord("\n")
EMPTY = msgspec.Raw(b'""')
# A record's form: whether it has a struct of an earlier run, the number of its text's name twice,
# and whether its text is in sections.
STRUCT, SECTIONS = 0x01, 0x80
STRING = (msgspec.Raw,)  # left as it was written: only kernels look into it
_TYPES: dict[str, tuple[type, ...]] = {
    "text": STRING,
    "title": STRING,
    "abstract": STRING,
    "id": (str, int),
    "url": (str,),
    "date": (str, int, float),
    "source": (str,),
}


_NO_NUMBER = re.compile(r"-?\b(?:NaN|Infinity|nan|inf)\b")


class Columns(NamedTuple):
    """What some lines hold, for each of them.

    Attributes:
        texts: JSON strings.
        titles: JSON strings, as all that follows empty for none.
        abstracts: JSON strings.
        ids: as they came.
        urls: as they came.
        dates: as they came.
        sources: as they came.
        structs: the "dedup" field of an earlier run; None for none.
        forms: twice the number of the name that its text goes by, and 1 more if it has a struct.
        served: (meaning, field name) -> in how many lines it served.
    """

    texts: Sequence[msgspec.Raw]
    titles: Sequence[msgspec.Raw]
    abstracts: Sequence[msgspec.Raw]
    ids: Sequence[str | int]
    urls: Sequence[str]
    dates: Sequence[str | float]
    sources: Sequence[str]
    structs: Sequence[msgspec.Raw | None]
    forms: bytes
    served: Fields


class NotARecord(Exception):
    """A line that is no record; its argument is the rule it breaks and what to try."""


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
        return cls(data, start[which], end[which], before + 1 + which), before + n

    def line(self, at: int) -> bytes:
        """A line without the white space around it."""
        return self.data[self.start[at] : self.end[at]]

    def whole(self, at: int) -> bytes:
        """A line with all that it holds."""
        first = self.data.rfind(b"\n", 0, self.start[at]) + 1
        stop = self.data.find(b"\n", self.end[at])
        return self.data[first:] if stop < 0 else self.data[first:stop]

    def seem_objects(self) -> bool:
        """Whether each begins and ends as a JSON object does, and none is blank.

        Of such a piece, if it can be decoded, every line is one object: between "}" and "{" a line
        can only end where an object does.
        """
        buf = np.frombuffer(self.data, dtype=np.uint8)
        return bool(
            self.number.size
            and self.number.size == self.number[-1] - self.number[0] + 1
            and (buf[self.start] == OBJECT[0]).all()
            and (buf[self.end - 1] == OBJECT[1]).all()
        )

    def take(self, which: I64) -> Lines:
        """Some of them."""
        return Lines(self.data, self.start[which], self.end[which], self.number[which])


class JsonLines:
    """One input of JSON lines: first its records as batches, then its rows once more.

    Args:
        name: as the user named it.
        config: field names.
        before: lines of it that were read before, where it comes in pieces.
    """

    def __init__(self, name: str, config: Config, before: int = 0) -> None:
        self._name = name
        self._before = before
        self._parser = Parser(config)
        self._outlets = config.outlets()
        # Of each record, its line, and by which name it holds its text and whether it holds a
        # struct already: all that the second reading needs, so that it need not parse.
        self._lines = array("Q")
        self._forms = bytearray()

    def batches(self, chunks: Iterator[bytes], fields: Fields) -> Iterator[Batch | Rejected]:
        """The records, a batch for each chunk of whole lines; lines that are none come by
        themselves.

        Empty lines are passed over; lines end at \\n and nowhere else.
        """
        self._lines, self._forms = array("Q"), bytearray()
        base = PurePath(self._name).name
        number = self._before
        for chunk in _without_bom(chunks):
            lines, number = Lines.of(chunk, number)
            structs, forms, wrong = self._decoded(lines)
            for at in sorted(wrong):
                rule, raw = refused(lines.line(at)) or (wrong[at], lines.whole(at))
                yield Rejected(self._name, int(lines.number[at]), rule, raw)
            if not structs:
                continue
            found = self._parser.columns(structs)
            numbers = np.delete(lines.number, list(wrong)).tolist()
            self._lines.extend(numbers)
            self._forms += bytes(map(or_, found.forms, forms))
            fields.update(found.served)
            outlets = (
                _source(source) or _host(url) or base
                for source, url in zip(found.sources, found.urls, strict=True)
            )
            yield Batch(
                texts=_strings(found.texts),
                titles=_strings(found.titles),
                abstracts=_strings(found.abstracts),
                ids=[
                    str(id_) or f"{base}:{line}"
                    for id_, line in zip(found.ids, numbers, strict=True)
                ],
                sources=[self._outlets.get(outlet, outlet) for outlet in outlets],
                dates=list(map(str, found.dates)),
            )

    def _decoded(self, lines: Lines) -> tuple[list[Any], bytes, dict[int, str]]:
        """Structs of the lines that are records, SECTIONS for those made of sections, and what is
        wrong with the other lines.
        """
        parser = self._parser
        structs, wrong = parser.decoded(lines)
        forms = bytearray(len(structs))
        for at in parser.textless(structs):
            if at in wrong:
                continue
            line = lines.line(at)
            if other := with_text(line):
                structs[at], forms[at] = parser.decode(other), SECTIONS
            else:
                wrong[at] = parser.no_text(line)
        if wrong:
            structs = [struct for at, struct in enumerate(structs) if at not in wrong]
            forms = bytearray(form for at, form in enumerate(forms) if at not in wrong)
        return structs, bytes(forms), wrong

    @property
    def records(self) -> int:
        """How many `batches` found."""
        return len(self._lines)

    def rows(self, chunks: Iterator[bytes], read: Bool | None = None) -> Iterator[Rows]:
        """The rows of the records, in order, as `batches` found them.

        Args:
            chunks: the input once more.
            read: bool[records]; those whose texts are looked into, None for all.
        """
        numbers = np.frombuffer(self._lines, dtype=np.int64)
        forms = np.frombuffer(self._forms, dtype=np.uint8)
        number, at = self._before, 0
        for chunk in _without_bom(chunks):
            lines, number = Lines.of(chunk, number)
            here = slice(at, int(np.searchsorted(numbers, number, side="right")))
            if here.stop == at:
                continue
            found = lines.take(np.searchsorted(lines.number, numbers[here]))
            yield self._rows(found, forms[here], None if read is None else read[here])
            at = here.stop

    def _rows(self, lines: Lines, forms: U8, read: Bool | None) -> Rows:
        names: Sequence[str] = self._parser.texts
        which: U8 = (forms & np.uint8(SECTIONS - 1)) >> np.uint8(1)
        wanted = np.arange(forms.size) if read is None else np.flatnonzero(read)
        places = np.full((2, forms.size), UNREAD)
        places[:, wanted] = find_texts(
            lines.data, lines.start[wanted], lines.end[wanted], names, which[wanted]
        )
        late = ((forms & (SECTIONS | STRUCT)) != 0) | (places[0] == kernels.NOT_FOUND)
        if not late.any():
            text_start, text_end = places
            return Rows(
                self._name, lines.data, lines.start, lines.end, text_start, text_end, lines.number
            )
        begin, end = places - lines.start
        objects = []
        for at in range(forms.size):
            line = lines.line(at)
            if not late[at]:
                objects.append(Object(line, int(begin[at]), int(end[at])))
                continue
            fields = fields_of((forms[at] & SECTIONS and with_text(line)) or line)
            fields.pop("dedup", None)
            objects.append(Object.of(fields, names[which[at]]))
        return Rows.of(self._name, objects, lines.number)


@lru_cache(maxsize=8)  # it is dear, and there may be a file for each article
def _decoder(names: tuple[str, ...], raw: frozenset[str]) -> msgspec.json.Decoder[Any]:
    """Decodes lines to structs of some of their fields, None for those that they do not have."""
    line = msgspec.defstruct(
        "Line",
        [(f"f{n}", msgspec.Raw if name in raw else object, None) for n, name in enumerate(names)],
        rename={f"f{n}": name for n, name in enumerate(names)},
        gc=False,
    )
    return msgspec.json.Decoder(line)


class Parser:
    """Finds the fields of lines.

    Texts, headlines and abstracts stay as they were written, JSON strings: walking past them takes
    a third of the time of decoding them.
    """

    def __init__(self, config: Config) -> None:
        self._names = {meaning: names_of(meaning, config) for meaning in _TYPES}
        self.texts = self._names["text"]
        names = list(dict.fromkeys(name for group in self._names.values() for name in group))
        if "dedup" not in names:
            names.append("dedup")
        raw = {name for meaning, kinds in _TYPES.items() if kinds == STRING
               for name in self._names[meaning]} | {"dedup"}  # fmt: skip
        decoder = _decoder(tuple(names), frozenset(raw))
        self.decode, self._decode_lines = decoder.decode, decoder.decode_lines
        self._place = {name: n for n, name in enumerate(names)}

    def parse(self, line: bytes) -> Any:
        """A line as a struct for `columns`.

        Raises:
            NotARecord: it is no JSON object with a text.
        """
        try:
            line.decode()
            struct = self.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotARecord(_why(line, error)) from None
        if self.textless([struct]):
            raise NotARecord(self.no_text(line))
        return struct

    def decoded(self, lines: Lines) -> tuple[list[Any], dict[int, str]]:
        """A struct for each line, and what is wrong with those that are no JSON objects."""
        good = is_utf8(np.frombuffer(lines.data, dtype=np.uint8))
        if good and lines.seem_objects():
            with suppress(msgspec.DecodeError, RecursionError):
                return self._decode_lines(lines.data), {}
        structs, wrong = [], {}
        for at in range(lines.number.size):
            line = lines.line(at)
            try:
                if not good:
                    line.decode()
                structs.append(self.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                wrong[at] = _why(line, error)
                structs.append(self.decode(b"{}"))
        return structs, wrong

    def textless(self, structs: Sequence[Any]) -> list[int]:
        """Which lines hold no text."""
        left = list(range(len(structs)))
        for name in self.texts:
            column = list(map(attrgetter(f"f{self._place[name]}"), structs))
            if _are_strings(column):
                return []
            left = [at for at in left if not _is_string(column[at])]
        return left

    def no_text(self, line: bytes) -> str:
        """What is wrong with a line without a text, and what to try."""
        return _no_text(orjson.loads(line), self.texts)

    def columns(self, structs: Sequence[Any]) -> Columns:
        """What lines hold; each has a text."""
        table = list(zip(*map(astuple, structs), strict=True))
        served: Fields = Counter()
        values: dict[str, Sequence[Any]] = {}
        by_name: dict[str, Sequence[int]] = {}
        for meaning, kinds in _TYPES.items():
            found: Sequence[Any] = (None,) * len(structs)
            by: Sequence[int] = bytes(len(structs))
            left = len(structs)
            for number, name in enumerate(self._names[meaning]):
                column = _usable(table[self._place[name]], kinds)
                if column is None:
                    continue
                if left == len(structs):
                    found, by = column, bytes([number]) * left
                else:
                    by = [number if a is None else b for a, b in zip(found, by, strict=True)]
                    found = [b if a is None else a for a, b in zip(found, column, strict=True)]
                before, left = left, found.count(None)
                if left < before:
                    served[meaning, name] = before - left
                if not left:
                    break
            else:
                nothing = EMPTY if kinds == STRING else ""
                found = [nothing if value is None else value for value in found]
            values[meaning], by_name[meaning] = found, by
        older = table[self._place["dedup"]]
        forms = bytes(
            name << 1 | (struct is not None)
            for name, struct in zip(by_name["text"], older, strict=True)
        )
        return Columns(
            texts=values["text"],
            titles=values["title"],
            abstracts=values["abstract"],
            ids=values["id"],
            urls=values["url"],
            dates=values["date"],
            sources=values["source"],
            structs=older,
            forms=forms,
            served=served,
        )


def _usable(column: Sequence[Any], kinds: tuple[type, ...]) -> Sequence[Any] | None:
    """The values of some kinds, None in the place of others; None if there are no such."""
    if column.count(None) == len(column):
        return None
    if kinds == STRING and not _are_strings(column):
        column = [value if _is_string(value) else None for value in column]
    elif kinds != STRING:
        types = set(map(type, column))
        if msgspec.Raw in types:  # the field serves as a string, too
            column = [value and orjson.loads(memoryview(value)) for value in column]
            types = set(map(type, column))
        if not types <= {type(None), *kinds}:
            column = [value if type(value) in kinds else None for value in column]
    return None if column.count(None) == len(column) else column


def _is_string(value: msgspec.Raw | None) -> bool:
    return value is not None and memoryview(value)[0] == QUOTE


def _are_strings(column: Sequence[Any]) -> bool:
    """Whether all values are."""
    return None not in column and {memoryview(value)[0] for value in column} <= {QUOTE}


def _strings(values: Sequence[msgspec.Raw]) -> Strings:
    views = [memoryview(value) for value in values]
    size = np.array([view.nbytes for view in views], dtype=np.int64)
    return Strings(b"".join(views), pointer_of(size), quoted=True)


def names_of(meaning: str, config: Config) -> tuple[str, ...]:
    """The fields that may hold what is meant, the likeliest first."""
    chosen = getattr(config, f"{meaning}_field")
    return (chosen,) if chosen else ALIASES[meaning]


def _without_bom(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield next(chunks, b"").removeprefix(BOM)
    yield from chunks


def _why(line: bytes, error: Exception) -> str:
    """What is wrong with a line that could not be decoded."""
    row = line.strip()
    try:
        row.decode()
        found = orjson.loads(row)
    except UnicodeDecodeError as wrong:
        return not_utf8(wrong)
    except orjson.JSONDecodeError as wrong:
        return not_json(wrong)
    if isinstance(found, dict):
        return f"not JSON: {error}"
    return f"a JSON {_type(found)}, not an object; every line must be one {{...}}"


def not_json(wrong: orjson.JSONDecodeError) -> str:
    """What is wrong with bytes that are no JSON, and where."""
    said = str(wrong).replace(": line 1 column", " at column").partition(" (")[0]
    number = _NO_NUMBER.search(wrong.doc, max(0, wrong.pos - 2), wrong.pos + 9)
    if number:
        column = number.start() + 1
        return f"not JSON: {number[0]} at column {column}; JSON has no such number, write null"
    if "surrogate" in said:
        return f"not JSON: half a surrogate pair at column {wrong.colno}; no text can hold it"
    return f"not JSON: {said}"


def not_utf8(wrong: UnicodeDecodeError) -> str:
    """What is wrong with bytes that are not UTF-8, and what to try."""
    return (
        f"not UTF-8: byte 0x{wrong.object[wrong.start]:02x} at column {wrong.start + 1}; "
        "convert the file, e.g. iconv -f windows-1256 -t utf-8"
    )


def _no_text(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if name in found:
            return f"field {name!r} is a JSON {_type(found[name])}, not a string"
    longest = max(
        (key for key, value in found.items() if isinstance(value, str)),
        key=lambda key: len(found[key]),
        default=None,
    )
    hint = f"try {flag_of('text_field')} {longest}" if longest else f"looked for {', '.join(names)}"
    return f"field {names[0]!r} is missing; {hint}"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", str: "string", dict: "object", list: "array"}
    return names.get(type(value), "number")


def _source(value: str) -> str:
    """A source field names an outlet; when it is an address, its host does."""
    return _host(value) or value.strip()


def _host(value: str) -> str:
    if "://" not in value:
        return ""
    try:
        host = urlsplit(value.strip()).hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.")


def rejected_row(row: Rejected) -> bytes:
    """A line of the file of rejected lines: where, why, and the line itself, bytes and all."""
    out: dict[str, Any] = {"file": row.file, "line": row.line, "reason": row.rule}
    if row.raw:
        try:
            out["text"] = row.raw.decode()
        except UnicodeDecodeError:
            out["base64"] = base64.b64encode(row.raw).decode()
    return orjson.dumps(out, option=orjson.OPT_APPEND_NEWLINE)
