"""JSON Lines: one JSON object a line, its fields by any of their usual names."""

from __future__ import annotations

import base64
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import PurePath
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import msgspec
import numpy as np
import orjson

from dedup.config import Config, flag_of
from dedup.formats.row import Row
from dedup.records import ALIASES, Batch, Rejected
from dedup.text.utf8 import is_utf8

Fields: TypeAlias = Counter[tuple[str, str]]
"""(meaning, field name) -> in how many records it served."""

CUT_OFF = b"\0cut off"  # the line that a torn compressed file ends in
TORN = "the compressed file is cut off here; what came before was read"
BOM = b"\xef\xbb\xbf"
_TYPES: dict[str, tuple[type, ...]] = {
    "id": (str, int),
    "title": (str,),
    "abstract": (str,),
    "url": (str,),
    "date": (str, int, float),
    "source": (str,),
}


class Found(NamedTuple):
    """What a line holds.

    Attributes:
        names: of the fields that serve as text, id, title, abstract, url, date and source.
        text: the text, a JSON string.
        values: the values of the others, "" for none.
        struct: the "dedup" field of an earlier run, None for none.
    """

    names: tuple[str, ...]
    text: msgspec.Raw
    values: list[Any]
    struct: msgspec.Raw | None


class NotARecord(Exception):
    """A line that is no record; its argument is the rule it breaks and what to try."""


class JsonLines:
    """One input of JSON lines: first its records as batches, then its rows once more.

    Args:
        name: as the user named it.
        config: field names.
    """

    def __init__(self, name: str, config: Config) -> None:
        self._name = name
        self._parser = Parser(config)
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
        number = 0
        for chunk in _without_bom(chunks):
            doubtful = not is_utf8(np.frombuffer(chunk, dtype=np.uint8))
            texts: list[memoryview] = []
            ids, sources, titles, abstracts, dates = (list[str]() for _ in range(5))
            for line in _lines(chunk):
                number += 1
                if not line or line.isspace():
                    continue
                try:
                    names, text, values, struct = self._parser.parse(line, doubtful)
                except NotARecord as wrong:
                    yield Rejected(self._name, number, str(wrong), line)
                    continue
                served[names] += 1
                texts.append(memoryview(text))
                self._lines.append(number)
                self._forms.append(self._parser.texts.index(names[0]) << 1 | (struct is not None))
                id_, title, abstract, url, date, source = values
                ids.append(str(id_) or f"{base}:{number}")
                sources.append(_source(source) or _host(url) or base)
                titles.append(title)
                abstracts.append(abstract)
                dates.append(str(date))
            if ids:
                starts = np.zeros(len(texts) + 1, dtype=np.int64)
                np.cumsum([text.nbytes for text in texts], out=starts[1:])
                heads: list[tuple[str, ...]] = [()] * len(ids)
                yield Batch(
                    b"".join(texts), starts, True, ids, sources, titles, abstracts, dates, heads
                )
        for names, times in served.items():
            for meaning, name in zip(("text", *_TYPES), names, strict=True):
                if name:
                    fields[meaning, name] += times

    def rows(self, chunks: Iterator[bytes]) -> Iterator[Row]:
        """The rows of the records, in order, as `batches` found them."""
        wanted = zip(self._lines, self._forms, strict=True)
        line, form = next(wanted, (0, 0))
        number = 0
        for chunk in _without_bom(chunks):
            for raw in _lines(chunk):
                number += 1
                if number == line:
                    name = self._parser.texts[form >> 1]
                    yield Row(self._name, number, raw.strip(), name, bool(form & 1))
                    line, form = next(wanted, (0, 0))


class Parser:
    """Finds the fields of lines.

    The text stays as it was written, a JSON string: only kernels look into it. (Walking a line
    past its text takes a third of the time of decoding it.)
    """

    def __init__(self, config: Config) -> None:
        self._names = {meaning: _names(meaning, config) for meaning in ALIASES}
        self.texts = self._names["text"]
        names = dict.fromkeys(name for group in self._names.values() for name in group)
        names.pop("dedup", None)  # the added struct is nothing else
        slots = {name: f"f{n}" for n, name in enumerate(names)}
        line = msgspec.defstruct(
            "Line",
            [
                *(
                    (slot, msgspec.Raw if name in self.texts else object, None)
                    for name, slot in slots.items()
                ),
                ("struct", msgspec.Raw, None),
            ],
            rename={**{slot: name for name, slot in slots.items()}, "struct": "dedup"},
            gc=False,
        )
        slots["dedup"] = "struct"
        self._struct = attrgetter("struct")
        self._decode = msgspec.json.Decoder(line).decode
        self._plan = [
            (kinds, [(name, slots[name]) for name in self._names[meaning]])
            for meaning, kinds in _TYPES.items()
        ]
        self._text_plan = [(name, slots[name]) for name in self.texts]

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
            row = self._decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NotARecord(_why(line, error)) from None
        text_name, text = self._text(line, row)
        chosen, values = [text_name], []
        for kinds, names in self._plan:
            for name, slot in names:
                value = getattr(row, slot)
                if type(value) is msgspec.Raw:
                    value = orjson.loads(memoryview(value))
                if type(value) in kinds:
                    chosen.append(name)
                    values.append(value)
                    break
            else:
                chosen.append("")
                values.append("")
        return Found(tuple(chosen), text, values, self._struct(row))

    def _text(self, line: bytes, row: msgspec.Struct) -> tuple[str, msgspec.Raw]:
        for name, slot in self._text_plan:
            text = getattr(row, slot)
            if text is not None and memoryview(text)[0] == 0x22:
                return name, text
        raise NotARecord(_no_text(orjson.loads(line), self.texts))


def _names(meaning: str, config: Config) -> tuple[str, ...]:
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
    if line == CUT_OFF:
        return TORN
    row = line.strip()
    try:
        row.decode()
        found = orjson.loads(row)
    except UnicodeDecodeError as wrong:
        return not_utf8(wrong)
    except orjson.JSONDecodeError as wrong:
        return f"not JSON: {str(wrong).replace(': line 1 column', ' at column').partition(' (')[0]}"
    if isinstance(found, dict):
        return f"not JSON: {error}"
    return f"a JSON {_type(found)}, not an object; every line must be one {{...}}"


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
    if row.raw != CUT_OFF:
        try:
            out["text"] = row.raw.decode()
        except UnicodeDecodeError:
            out["base64"] = base64.b64encode(row.raw).decode()
    return orjson.dumps(out, option=orjson.OPT_APPEND_NEWLINE)
