"""JSON Lines: one JSON object a line, its fields by any of their usual names."""

from __future__ import annotations

import base64
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import PurePath
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import msgspec
import numpy as np
import orjson
from msgspec.structs import astuple

from dedup.config import Config, flag_of
from dedup.formats.lines import refused
from dedup.formats.row import Row
from dedup.formats.sections import with_text
from dedup.records import ALIASES, Batch, Rejected, Strings
from dedup.text.utf8 import is_utf8

Fields: TypeAlias = Counter[tuple[str, str]]
"""(meaning, field name) -> in how many records it served."""

BOM = b"\xef\xbb\xbf"
QUOTE = ord('"')
SECTIONS = 0x80  # a record's form where its text is in sections
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


class Found(NamedTuple):
    """What a line holds; "" (or an empty JSON string) for what it does not hold."""

    text: msgspec.Raw
    title: msgspec.Raw
    abstract: msgspec.Raw
    id: str | int
    url: str
    date: str | float
    source: str


class NotARecord(Exception):
    """A line that is no record; its argument is the rule it breaks and what to try."""


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
        served: Counter[tuple[str, ...]] = Counter()
        base = PurePath(self._name).name
        parser = self._parser
        number = self._before
        for chunk in _without_bom(chunks):
            doubtful = not is_utf8(np.frombuffer(chunk, dtype=np.uint8))
            found: list[Found] = []
            begun = len(self._lines)
            for line in _lines(chunk):
                number += 1
                if not line or line.isspace():
                    continue
                try:
                    found.append(parser.parse(line, doubtful))
                    form = parser.form
                except NotARecord as wrong:
                    if other := with_text(line):
                        found.append(parser.parse(other))
                        form = parser.form | SECTIONS
                    else:
                        rule, raw = refused(line) or (str(wrong), line)
                        yield Rejected(self._name, number, rule, raw)
                        continue
                served[parser.names] += 1
                self._lines.append(number)
                self._forms.append(form)
            if found:
                texts, titles, abstracts, own_ids, urls, dates, sources = zip(*found, strict=True)
                outlets = [
                    _source(source) or _host(url) or base
                    for source, url in zip(sources, urls, strict=True)
                ]
                yield Batch(
                    texts=_strings(texts),
                    titles=_strings(titles),
                    abstracts=_strings(abstracts),
                    ids=[
                        str(id_) or f"{base}:{line}"
                        for id_, line in zip(own_ids, self._lines[begun:], strict=True)
                    ],
                    sources=[self._outlets.get(outlet, outlet) for outlet in outlets],
                    dates=list(map(str, dates)),
                )
        for names, times in served.items():
            for meaning, name in zip(_TYPES, names, strict=True):
                if name:
                    fields[meaning, name] += times

    @property
    def records(self) -> int:
        """How many `batches` found."""
        return len(self._lines)

    def rows(self, chunks: Iterator[bytes], start: int) -> Iterator[Row]:
        """The rows of the records from `start` on, in order, as `batches` found them."""
        wanted = zip(self._lines[start:], self._forms[start:], strict=True)
        line, form = next(wanted, (0, 0))
        number = self._before
        for chunk in _without_bom(chunks):
            if not line:
                return
            ends = chunk.count(b"\n") + (not chunk.endswith(b"\n"))
            if number + ends < line:  # nothing wanted in here
                number += ends
                continue
            for raw in _lines(chunk):
                number += 1
                if number == line:
                    if form & SECTIONS:
                        raw = with_text(raw) or raw  # noqa: PLW2901
                        form -= SECTIONS
                    name = self._parser.texts[form >> 1]
                    yield Row(self._name, number, raw.strip(), name, bool(form & 1))
                    line, form = next(wanted, (0, 0))


class _Plan(NamedTuple):
    """Where the lines of a file hold their fields, which is mostly where the line before did.

    Attributes:
        names: the field that serves for each meaning, "" for none.
        pick: picks the values that serve.
        types: their types.
        others: picks the values under likelier names, and under all names where none serves.
        nothing: what these must be: None, all of them.
        twice: positions of values that serve as a string, too, and so came as one.
    """

    names: tuple[str, ...]
    pick: itemgetter[Any]
    types: tuple[type, ...]
    others: itemgetter[Any]
    nothing: tuple[None, ...]
    twice: frozenset[int]


@lru_cache(maxsize=8)  # it is dear, and there may be a file for each article
def _decoder(names: tuple[str, ...], raw: frozenset[str]) -> Callable[[bytes], Any]:
    """Decodes a line to a struct of some of its fields, None for those that it does not have."""
    line = msgspec.defstruct(
        "Line",
        [(f"f{n}", msgspec.Raw if name in raw else object, None) for n, name in enumerate(names)],
        rename={f"f{n}": name for n, name in enumerate(names)},
        gc=False,
    )
    return msgspec.json.Decoder(line).decode


class Parser:
    """Finds the fields of lines.

    Texts, headlines and abstracts stay as they were written, JSON strings: walking past them takes
    a third of the time of decoding them.

    Attributes:
        struct: the "dedup" field of an earlier run on the last line, None for none.
        form: by which name the last line holds its text, and whether it holds a struct.
    """

    def __init__(self, config: Config) -> None:
        self._names = {meaning: names_of(meaning, config) for meaning in _TYPES}
        self.texts = self._names["text"]
        names = list(dict.fromkeys(name for group in self._names.values() for name in group))
        if "dedup" not in names:
            names.append("dedup")
        raw = {name for meaning, kinds in _TYPES.items() if kinds == STRING
               for name in self._names[meaning]} | {"dedup"}  # fmt: skip
        self._decode = _decoder(tuple(names), frozenset(raw))
        self._place = {name: n for n, name in enumerate(names)}
        self._plan: _Plan | None = None
        self.struct: msgspec.Raw | None = None
        self.form = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the fields that served for the last line, in the order of `Found`."""
        return self._plan.names if self._plan else ()

    def parse(self, line: bytes, doubtful: bool = True) -> Found:
        """What a line holds.

        Args:
            line: a line, not empty.
            doubtful: whether it may hold bytes that are not UTF-8.

        Raises:
            NotARecord: it is no JSON object with a text.
        """
        try:
            if doubtful:
                line.decode()
            values = (*astuple(self._decode(line)), *_NOTHING)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotARecord(_why(line, error)) from None
        plan = self._plan
        if plan is None or plan.others(values) != plan.nothing:
            plan = self._plan = self._planned(values, line)
        found = plan.pick(values)
        if tuple(map(type, found)) != plan.types or not _are_strings(found):
            plan = self._plan = self._planned(values, line)
            found = plan.pick(values)
        self.struct = values[self._place["dedup"]]
        self.form = self.texts.index(plan.names[0]) << 1 | (self.struct is not None)
        if plan.twice:
            found = tuple(
                orjson.loads(memoryview(value)) if n in plan.twice else value
                for n, value in enumerate(found)
            )
        return Found(*found)

    def _planned(self, values: tuple[Any, ...], line: bytes) -> _Plan:
        """Where a line holds its fields."""
        missing = len(values) - len(_NOTHING)
        names, places, others = [], [], [missing, missing]
        for meaning, kinds in _TYPES.items():
            for name in self._names[meaning]:
                place = self._place[name]
                if _is_one_of(values[place], kinds):
                    break
                others.append(place)
            else:
                if meaning == "text":
                    raise NotARecord(_no_text(orjson.loads(line), self.texts))
                name, place = "", missing + (1 if kinds == STRING else 2)
            names.append(name)
            places.append(place)
        pick = itemgetter(*places)
        types = tuple(map(type, pick(values)))
        twice = frozenset(n for n, kind in enumerate(types) if n > 2 and kind is msgspec.Raw)
        return _Plan(tuple(names), pick, types, itemgetter(*others), (None,) * len(others), twice)


_NOTHING = (None, msgspec.Raw(b'""'), "")


def _is_one_of(value: Any, kinds: tuple[type, ...]) -> bool:
    if type(value) is not msgspec.Raw:
        return type(value) in kinds
    if kinds == STRING:
        return memoryview(value)[0] == QUOTE
    return type(orjson.loads(memoryview(value))) in kinds


def _are_strings(found: Sequence[Any]) -> bool:
    """Whether the JSON values that serve as text, headline and abstract are strings."""
    text, title, abstract = found[:3]
    return memoryview(text)[0] == memoryview(title)[0] == memoryview(abstract)[0] == QUOTE


def _strings(values: Sequence[msgspec.Raw]) -> Strings:
    views = [memoryview(value) for value in values]
    starts = np.zeros(len(views) + 1, dtype=np.int64)
    np.cumsum([view.nbytes for view in views], out=starts[1:])
    return Strings(b"".join(views), starts, quoted=True)


def names_of(meaning: str, config: Config) -> tuple[str, ...]:
    """The fields that may hold what is meant, the likeliest first."""
    chosen = getattr(config, f"{meaning}_field")
    return (chosen,) if chosen else ALIASES[meaning]


def _without_bom(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield next(chunks, b"").removeprefix(BOM)
    yield from chunks


def _lines(chunk: bytes) -> list[bytes]:
    """The lines of a chunk, without their ends."""
    lines = chunk.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


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
