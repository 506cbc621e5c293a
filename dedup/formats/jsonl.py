"""JSON Lines: one JSON object a line, its fields by any of their usual names."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import orjson

from dedup.config import Config
from dedup.formats import kernels
from dedup.formats.fields import (
    NAME,
    REWRITTEN,
    SECTIONS,
    SHADED,
    STRUCT,
    Columns,
    Fields,
    Lines,
    Parser,
)
from dedup.formats.lines import refused
from dedup.formats.row import UNREAD, Object, Rows, as_it_came, fields_of, find_texts
from dedup.formats.sections import with_text
from dedup.records import U8, Batch, Bool, Names, Rejected


class JsonLines:
    """One input of JSON lines: first its records as batches, then its rows once more.

    Args:
        name: as the user named it.
        config: field names.
        before: lines of it that were read before, where it comes in pieces.
    """

    def __init__(self, name: str, config: Config, before: int = 0) -> None:
        self._name = name
        self._base = PurePath(name).name
        self._before = before
        self._parser = Parser(config)
        self._outlets = config.outlets()
        self._dated = config.keep == "earliest"
        # Of each record, its line, and by which name it holds its text and whether it holds a
        # struct already: all that the second reading needs to copy it.
        self._lines = array("Q")
        self._forms = bytearray()

    def batches(self, chunks: Iterator[bytes], fields: Fields) -> Iterator[Batch | Rejected]:
        """The records, a batch for each chunk of whole lines; lines that are none come by
        themselves.

        Empty lines are passed over; lines end at \\n and nowhere else.
        """
        self._lines, self._forms = array("Q"), bytearray()
        number = self._before
        for chunk in chunks:
            lines, number = Lines.of(chunk, number)
            for some in lines.parts():
                yield from self._batches(some, fields)

    def _batches(self, lines: Lines, fields: Fields) -> Iterator[Batch | Rejected]:
        found, wrong = self._parser.found(lines)
        for at in sorted(wrong):
            rule, raw = refused(lines.line(at)) or (wrong[at], lines.whole(at))
            yield Rejected(self._name, int(lines.number[at]), rule, raw)
        if not found.sections.size:
            return
        columns = self._parser.columns(found)
        numbers = np.delete(lines.number, list(wrong))
        self._lines.frombytes(numbers.tobytes())
        self._forms += columns.forms.tobytes()
        fields.update(columns.served)
        yield Batch(
            texts=columns.texts,
            titles=columns.titles,
            abstracts=columns.abstracts,
            ids=self._ids(columns, numbers.tolist()),
            sources=self._sources(columns),
            dates=columns.dates.decoded() if self._dated else [],
        )

    def _ids(self, columns: Columns, numbers: list[int]) -> Sequence[str]:
        names: Names | None = columns.ids.as_written()
        if names is not None:
            return names
        ids = zip(columns.ids.decoded(), numbers, strict=True)
        return [id_ or f"{self._base}:{line}" for id_, line in ids]

    def _sources(self, columns: Columns) -> list[str]:
        """The outlet of each record; where no field names it, its address does."""
        named = columns.sources.decoded()
        outlets = {name: _source(name) for name in set(named)}
        found = [outlets[name] for name in named]
        nameless = [at for at, name in enumerate(found) if not name]
        urls = columns.urls.take(np.array(nameless, dtype=np.int64)).decoded()
        for at, url in zip(nameless, urls, strict=True):
            found[at] = _host(url) or self._base
        return [self._outlets.get(outlet, outlet) for outlet in found]

    @property
    def records(self) -> int:
        """How many `batches` found."""
        return len(self._lines)

    @property
    def rewrites(self) -> bool:
        """Whether `rows` has records that are not as they came."""
        forms = np.frombuffer(self._forms, dtype=np.uint8)
        return bool((forms & (STRUCT | SHADED | REWRITTEN | SECTIONS)).any())

    def rows(self, chunks: Iterator[bytes], read: Bool | None = None) -> Iterator[Rows]:
        """The rows of the records, in order, as `batches` found them.

        Args:
            chunks: the input once more.
            read: bool[records]; those whose texts are looked into, None for all.
        """
        numbers = np.frombuffer(self._lines, dtype=np.int64)
        forms = np.frombuffer(self._forms, dtype=np.uint8)
        number, at = self._before, 0
        for chunk in chunks:
            lines, number = Lines.of(chunk, number)
            for some in lines.parts():
                last = some.number[-1] if some.number.size else 0
                here = slice(at, int(np.searchsorted(numbers, last, side="right")))
                if here.stop <= at:
                    continue
                found = some.take(np.searchsorted(some.number, numbers[here]))
                yield self._rows(found, forms[here], None if read is None else read[here])
                at = here.stop

    def _rows(self, lines: Lines, forms: U8, read: Bool | None) -> Rows:
        names: Sequence[str] = self._parser.texts
        which: U8 = (forms & np.uint8(NAME)) >> np.uint8(1)
        late = (forms & (STRUCT | REWRITTEN | SECTIONS)) != 0
        looked = np.ones_like(late) if read is None else read
        # Which of its fields was its text, nothing else may tell once it is empty, too.
        late |= looked & ((forms & SHADED) != 0)
        wanted = np.flatnonzero(late | looked)
        places = np.full((2, forms.size), UNREAD)
        places[:, wanted] = find_texts(
            lines.data, lines.start[wanted], lines.end[wanted], names, which[wanted]
        )
        outer_start, outer_end = lines.outer()
        unended = int(outer_end[-1]) == len(lines.data)
        late |= places[0] == kernels.NOT_FOUND
        if not late.any():
            text_start, text_end = places
            return Rows(
                self._name, lines.data, lines.start, lines.end, text_start, text_end,
                lines.number, (), outer_start, outer_end, (), unended,
            )  # fmt: skip
        begin, end = (places - lines.start).tolist()
        objects, around, original = [], [], []
        for at in range(forms.size):
            line = lines.line(at)
            around.append((lines.data[outer_start[at] : lines.start[at]],
                           lines.data[lines.end[at] : outer_end[at]]))  # fmt: skip
            if not late[at]:
                objects.append(Object(line, begin[at], end[at]))
                original.append(b"null")
                continue
            whole = with_text(line) if forms[at] & SECTIONS else None
            fields = fields_of(whole or line)
            fields.pop("dedup", None)
            objects.append(Object.of(fields, names[which[at]]))
            place = (begin[at], end[at]) if whole is None else (kernels.NOT_FOUND,) * 2
            original.append(as_it_came(line, *place))
        rows = Rows.of(self._name, objects, lines.number, around=around, original=original)
        return rows._replace(unended=unended)


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
    return b"%b\n" % orjson.dumps(out)  # in as little room as it takes: what orjson gives has more
