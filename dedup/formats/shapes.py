"""One JSON object that holds many records: a list of them, or a table as pandas writes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec
import orjson

from dedup.config import flag_of
from dedup.errors import brief
from dedup.formats.row import fields_of
from dedup.formats.sections import with_text

# Names that a list of records goes by.
WRAPPERS = frozenset(("articles", "data", "documents", "docs", "entries", "hits", "items", "news",
                      "objects", "posts", "records", "results", "rows", "stories"))  # fmt: skip
DEEP = 3  # objects in each other around a list at most
TRIED = 10  # objects of a list that are asked for a text
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_WRONG = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_JSON = re.compile(rb'\s*(?:\[\s*[\[{\]]|\[\s*[\r\n]|\{\s*[\r\n]\s*")')
_COLUMNS = re.compile(rb'\{\s*"[^"\\]*"\s*:\s*\{\s*"0"\s*:')  # as DataFrame.to_json() begins
Tell: TypeAlias = Callable[[str, Sequence[str], int], None]
"""Told what records were found in, what of it is left out, and how many they are."""


class Unclear(Exception):
    """An object that may hold records, but not which; its argument is the rule and what to try."""


class Shape(NamedTuple):
    """The records of one object.

    Attributes:
        rows: each as JSON.
        told: what they were found in.
        left: what of it is left out.
    """

    rows: list[bytes]
    told: str
    left: Sequence[str]


def nothing(told: str, left: Sequence[str], rows: int) -> None:
    """Tell nothing."""


def is_json(sample: bytes, texts: Sequence[str]) -> bool:
    """Whether what is called JSON lines is something else: an array, an object over several lines,
    or one that holds many records.

    Args:
        sample: how it begins.
        texts: the fields that may hold a text.
    """
    if _JSON.match(sample):
        return True
    line, end, _ = sample.lstrip().partition(b"\n")
    if b"[" not in line and b'{"' not in line[1:]:
        return False
    try:
        fields_of(line)
    except _WRONG:  # no object, or not all of it
        return not end and bool(_COLUMNS.match(line) or list_in(line, texts))
    try:
        return records_in(line, texts) is not None
    except Unclear:
        return True


def records_in(value: bytes, texts: Sequence[str]) -> Shape | None:
    """The records of an object that is none itself; None for any other.

    Args:
        value: the object.
        texts: the fields that may hold a text.

    Raises:
        Unclear: it may hold some, and which cannot be told.
    """
    try:
        fields = fields_of(value)
        if _has_text(fields, texts) or with_text(value) is not None:
            return None
        return _table(fields, texts) or _wrapped(fields, texts)
    except _WRONG:
        return None


def _has_text(fields: Mapping[str, msgspec.Raw], texts: Sequence[str]) -> bool:
    return any(name in fields and _first(fields[name]) == b'"' for name in texts)


def _is_record(value: msgspec.Raw | bytes, texts: Sequence[str]) -> bool:
    data = bytes(memoryview(value))
    if data[:1] != b"{":
        return False
    return _has_text(fields_of(data), texts) or with_text(data) is not None


def _first(value: msgspec.Raw) -> bytes:
    return bytes(memoryview(value)[:1])


def _are(fields: Mapping[str, msgspec.Raw], what: bytes) -> bool:
    return bool(fields) and all(_first(value) == what for value in fields.values())


def _labels(labels: Sequence[str]) -> Sequence[str]:
    """The labels of rows, unless they are numbers from 0 on."""
    return () if list(labels) == [str(n) for n in range(len(labels))] else ("labels of rows",)


def _table(fields: Mapping[str, msgspec.Raw], texts: Sequence[str]) -> Shape | None:
    named = any(name in fields for name in texts)
    if named and _are(fields, b"{"):  # of DataFrame.to_json(), or orient="columns"
        columns = {name: fields_of(bytes(memoryview(v))) for name, v in fields.items()}
        labels = list(next(iter(columns.values())))
        if all(list(column) == labels for column in columns.values()):
            rows = zip(*(column.values() for column in columns.values()), strict=True)
            return Shape([_row(columns, row) for row in rows], "a table, column by column",
                         _labels(labels))  # fmt: skip
    if named and _are(fields, b"["):  # of DataFrame.to_dict("list")
        lists = {name: _LIST.decode(value) for name, value in fields.items()}
        sizes = set(map(len, lists.values()))
        if len(sizes) == 1 and min(sizes) > 1:
            rows = zip(*lists.values(), strict=True)
            return Shape([_row(lists, row) for row in rows], "a table, column by column", ())
    if {"columns", "data"} <= fields.keys() <= {"columns", "data", "index"}:  # orient="split"
        names = [str(name) for name in orjson.loads(memoryview(fields["columns"]))]
        cells = [_LIST.decode(row) for row in _LIST.decode(fields["data"])]
        if all(len(row) == len(names) for row in cells):
            index = orjson.loads(memoryview(fields["index"])) if "index" in fields else []
            left = _labels([str(label) for label in index])
            return Shape([_row(names, row) for row in cells], "a table, row by row", left)
    if _are(fields, b"{"):  # orient="index"
        objects = [bytes(memoryview(value)) for value in fields.values()]
        if all(_is_record(one, texts) for one in objects[:TRIED]):
            return Shape(objects, "the objects in an object", _labels(list(fields)))
    return None


def _row(names: Sequence[str] | Mapping[str, object], cells: Sequence[msgspec.Raw]) -> bytes:
    pairs = (orjson.dumps(name) + b":" + bytes(memoryview(cell))
             for name, cell in zip(names, cells, strict=True))  # fmt: skip
    return b"{" + b",".join(pairs) + b"}"


def _wrapped(fields: Mapping[str, msgspec.Raw], texts: Sequence[str]) -> Shape | None:
    lists = dict(_lists(fields, ()))
    full = {path: some for path, some in lists.items()
            if any(_is_record(one, texts) for one in some[:TRIED])}  # fmt: skip
    if len(full) > 1:
        names = ", ".join(".".join(path) for path in full)
        jq = ".".join(next(iter(full)))
        raise Unclear(
            f"an object with several lists of records ({names}); take one out, such as: jq .{jq}"
        )
    called = {path: some for path, some in lists.items() if path[-1] in WRAPPERS}
    if not full and len(called) == len(lists) == 1:
        ((path, some),) = called.items()
        if some:
            strings = [name for name, v in fields_of(some[0]).items() if _first(v) == b'"']
            hint = f"; try {flag_of('text_field')} {strings[-1]}" if strings else ""
            raise Unclear(f"an object whose list {brief('.'.join(path))} holds {len(some):,} "
                          f"objects without a text{hint}")  # fmt: skip
        full = called
    if not full:
        return None
    ((path, some),) = full.items()
    left = [name for name in _names(fields, path) if name]
    return Shape(some, f"the list {brief('.'.join(path))} of an object", left)


def _lists(
    fields: Mapping[str, msgspec.Raw], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[bytes]]]:
    """The lists of objects, and the empty ones, in an object and those in it."""
    for name, value in fields.items():
        first = _first(value)
        if first == b"[":
            some = [bytes(memoryview(one)) for one in _LIST.decode(value)]
            if all(one[:1] == b"{" for one in some):
                yield (*path, name), some
        elif first == b"{" and len(path) + 1 < DEEP:
            yield from _lists(fields_of(bytes(memoryview(value))), (*path, name))


def _names(fields: Mapping[str, msgspec.Raw], path: Sequence[str]) -> Iterator[str]:
    """What stands beside a list."""
    for name, value in fields.items():
        if name != path[0]:
            yield name
        elif len(path) > 1:
            yield from _names(fields_of(bytes(memoryview(value))), path[1:])


class Beginning(NamedTuple):
    """Where a list of records begins in an object that is not all there.

    Attributes:
        at: the byte behind its bracket.
        around: objects that it stands in.
        name: of the list.
        left: the names that stand before it.
    """

    at: int
    around: int
    name: str
    left: Sequence[str]


def list_in(data: bytes, texts: Sequence[str]) -> Beginning | None:
    """Where the first list of records begins; None if there is none.

    Args:
        data: the beginning of an object.
        texts: the fields that may hold a text.
    """
    names: list[bytes] = []  # of the objects around, b"" for a list
    left: list[str] = []
    before, begin, end = b"", -1, 0  # the last string, and a bracket that just opened
    for token in _TOKEN.finditer(data):
        what = token[0]
        between = data[end : token.start()].strip()
        end = token.end()
        if what[:1] == b'"':
            is_name = data[end : end + 9].lstrip()[:1] == b":"
            before = what[1:-1] if is_name else before
            if is_name and len(names) == 1:
                left.append(before.decode(errors="replace"))
            if not is_name and len(names) == 1 and before.decode(errors="replace") in texts:
                return None
            begin = -1
        elif what in b"{[":
            first = what == b"{" and begin >= 0 and not between
            if first and b"" not in names[:-1] and len(names) - 1 <= DEEP:
                found = _object_at(data, token.start())
                if found is not None and _records(found, texts):
                    path = [*names[1:-1], before]  # by names, as far as they are known
                    told = path[-1].decode(errors="replace")
                    around = [name.decode(errors="replace") for name in path]
                    beside = [name for name in left if name not in around]
                    return Beginning(begin, len(names) - 1, told, beside)
            begin = end if what == b"[" and names else -1
            names.append(b"" if what == b"[" else before or b"{")
        elif names:
            names.pop()
            begin = -1
    return None


def _records(data: bytes, texts: Sequence[str]) -> bool:
    try:
        return _is_record(data, texts)
    except _WRONG:
        return False


def _object_at(data: bytes, start: int) -> bytes | None:
    depth = 0
    for token in _TOKEN.finditer(data, start):
        what = token[0]
        depth += 1 if what in (b"{", b"[") else -1 if what in (b"}", b"]") else 0
        if not depth:
            return data[start : token.end()]
    return None
