"""The tables of an index: what their rows hold, and the checksum that each row carries.

What a file says is believed only when its checksum is right and every value is of its kind and in
its range. Counts that runs add to (`run`, `before` in their rows) note which run changed them last,
and what they were before it, so that a run that is done once more can be judged as it was.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from types import GenericAlias
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

MOST = 1 << 16  # blocks of a segment
FEW = 16  # rows that are looked at one by one
LARGEST = 1 << 52
Number = Annotated[int, Meta(ge=0, le=LARGEST)]
Counted = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
Blocks = Annotated[int, Meta(ge=1, le=MOST)]
Signed = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Sum = Annotated[float, Meta(ge=0.0, le=1e12)]
Before = bytes | None


class Damaged(ValueError):
    """An index holds what cannot be: the file was damaged, or made by something else."""


class Setting(NamedTuple):
    """A row of `meta`."""

    name: str
    value: str


class Run(NamedTuple):
    """A run: when it was (seconds since 1970), its new records, and whether what was known before
    it can still be told (0 or 1).
    """

    run: Number
    at: Sum
    records: Number
    whole: Counted


class Outlet(NamedTuple):
    """An outlet and its records."""

    name: str
    source: Number
    records: Counted
    run: Number
    before: Before


class Earlier(NamedTuple):
    """A record of an earlier run.

    Attributes:
        record: its number.
        run: the run that saw it.
        id: its id.
        source: number of its outlet.
        content: a hash of what it says.
        first: number of its first block.
        texts: blocks of its text, then its headlines and its abstracts (none or one).
        titles: see there.
        abstracts: see there.
        leader: the record that leads its story.
    """

    record: Number
    run: Number
    id: str
    source: Number
    content: Signed
    first: Number
    texts: Counted
    titles: Counted
    abstracts: Counted
    leader: Number

    @property
    def end(self) -> int:
        """The number behind its last block's."""
        return self.first + self.texts + self.titles + self.abstracts


class Columns(NamedTuple):
    """A segment: its blocks, deflated, column by column."""

    first: Number
    blocks: Blocks
    key: bytes
    length: bytes
    tokens: bytes
    start: bytes
    size: bytes
    shape: bytes
    flags: bytes
    content: bytes
    echo: bytes
    bands: bytes


class Spread(NamedTuple):
    """Sums of a block that stands in several places, in an outlet."""

    block: Number
    source: Number
    run: Number
    stories: Counted
    places: Counted
    head: Sum
    tail: Sum
    echo: Sum
    before: Before

    @property
    def values(self) -> tuple[Any, ...]:
        """What runs change."""
        return self[3:8]


class Residue(NamedTuple):
    """A block that stayed once and was found to be residue in a run."""

    block: Number
    run: Number


class Retold(NamedTuple):
    """How many records retell the story that one leads."""

    leader: Number
    records: Number
    run: Number
    before: Before

    @property
    def values(self) -> tuple[Any, ...]:
        """What runs change."""
        return self[1:2]


class Habit(NamedTuple):
    """What an outlet does as a habit: see `dedup.judge.habits`."""

    source: Number
    headings: Number
    links: Number
    between_prose: Number
    taken_up: Number
    ends: Number
    run: Number
    before: Before

    @property
    def values(self) -> tuple[Any, ...]:
        """What runs change."""
        return self[1:6]


class Total(NamedTuple):
    """How many rows a table has, and the sum of their checksums."""

    name: str
    rows: Number
    sum: Number


FORMS: dict[str, Any] = {
    "meta": Setting, "run": Run, "source": Outlet, "record": Earlier, "segment": Columns,
    "spread": Spread, "residue": Residue, "retold": Retold, "habit": Habit,
}  # fmt: skip
# What a run hands in of each, where that is not the row itself. (Forms with names are looked up
# once, others are made anew for every look.)
GIVEN: dict[str, Any] = {
    "run": NamedTuple("GivenRun", [("run", Number), ("at", Sum), ("records", Number)]),
    "source": NamedTuple("GivenOutlet", [("name", str), ("records", Counted)]),
    "spread": NamedTuple(
        "GivenSpread",
        [("block", Number), ("source", Number), ("run", Number), ("stories", Counted),
         ("places", Counted), ("head", Sum), ("tail", Sum), ("echo", Sum)],
    ),
    "retold": NamedTuple("GivenRetold", [("leader", Number), ("records", Number)]),
    "habit": NamedTuple(
        "GivenHabit",
        [("source", Number), ("headings", Number), ("links", Number), ("between_prose", Number),
         ("taken_up", Number), ("ends", Number)],
    ),
}  # fmt: skip
# What the counts that a run has changed were before.
PAST: dict[Any, Any] = {
    Outlet: tuple[Counted],
    Spread: tuple[Counted, Counted, Sum, Sum, Sum],
    Retold: tuple[Number],
    Habit: tuple[Number, Number, Number, Number, Number],
}
# What SQLite's table of contents must list, to the letter: other text is another index.
TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, "
    "sum INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE run (run INTEGER PRIMARY KEY, at REAL NOT NULL, records INTEGER NOT NULL, "
    "whole INTEGER NOT NULL, sum INTEGER NOT NULL)",
    "CREATE TABLE source (name TEXT NOT NULL UNIQUE, source INTEGER PRIMARY KEY, "
    "records INTEGER NOT NULL, run INTEGER NOT NULL, before BLOB, sum INTEGER NOT NULL)",
    "CREATE TABLE record (record INTEGER PRIMARY KEY, run INTEGER NOT NULL, id TEXT NOT NULL, "
    "source INTEGER NOT NULL, content INTEGER NOT NULL, first INTEGER NOT NULL, "
    "texts INTEGER NOT NULL, titles INTEGER NOT NULL, abstracts INTEGER NOT NULL, "
    "leader INTEGER NOT NULL, sum INTEGER NOT NULL)",
    "CREATE INDEX record_content ON record (content)",
    "CREATE INDEX record_first ON record (first)",
    "CREATE TABLE segment (first INTEGER PRIMARY KEY, blocks INTEGER NOT NULL, "
    "key BLOB NOT NULL, length BLOB NOT NULL, tokens BLOB NOT NULL, start BLOB NOT NULL, "
    "size BLOB NOT NULL, shape BLOB NOT NULL, flags BLOB NOT NULL, content BLOB NOT NULL, "
    "echo BLOB NOT NULL, bands BLOB NOT NULL, sum INTEGER NOT NULL)",
    "CREATE TABLE spread (block INTEGER NOT NULL, source INTEGER NOT NULL, run INTEGER NOT NULL, "
    "stories INTEGER NOT NULL, places INTEGER NOT NULL, head REAL NOT NULL, tail REAL NOT NULL, "
    "echo REAL NOT NULL, before BLOB, sum INTEGER NOT NULL, PRIMARY KEY (block, source)) "
    "WITHOUT ROWID",
    "CREATE TABLE residue (block INTEGER PRIMARY KEY, run INTEGER NOT NULL, sum INTEGER NOT NULL)",
    "CREATE TABLE retold (leader INTEGER PRIMARY KEY, records INTEGER NOT NULL, "
    "run INTEGER NOT NULL, before BLOB, sum INTEGER NOT NULL)",
    "CREATE TABLE habit (source INTEGER PRIMARY KEY, headings INTEGER NOT NULL, "
    "links INTEGER NOT NULL, between_prose INTEGER NOT NULL, taken_up INTEGER NOT NULL, "
    "ends INTEGER NOT NULL, run INTEGER NOT NULL, before BLOB, sum INTEGER NOT NULL)",
    "CREATE TABLE total (name TEXT PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, "
    "sum INTEGER NOT NULL) WITHOUT ROWID",
)
_OVER = ("source", "spread", "retold", "habit")  # whose rows take the place of earlier ones
INSERT = {
    name: f"INSERT {'OR REPLACE ' if name in _OVER else ''}INTO {name} VALUES "
    f"({', '.join('?' * (len(form._fields) + 1))})"
    for name, form in FORMS.items()
}
_READ: dict[str, Any] = {name: GenericAlias(list, (form,)) for name, form in FORMS.items()}
_GIVEN = _READ | {name: GenericAlias(list, (form,)) for name, form in GIVEN.items()}
_encode = msgspec.msgpack.Encoder().encode


def sum_of(row: Sequence[Any]) -> int:
    """The checksum of a row: 32 bits."""
    return zlib.crc32(_encode(row))


def given(name: str, rows: Sequence[Any]) -> list[Any]:
    """Rows that a run hands in to be written, of a table.

    Raises:
        ValueError: a value is of another kind, or out of its range; or there is no such table.
    """
    if name not in _GIVEN:
        raise ValueError(f"no table is called {name!r}")
    found: list[Any] = msgspec.convert(rows, _GIVEN[name])
    return found


def read(name: str, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Rows of a table as they lie in the file, each with its checksum.

    Raises:
        Damaged: a checksum is wrong, a value of another kind or out of its range.
    """
    form = FORMS[name]
    for row in rows:
        if zlib.crc32(_encode(row[:-1])) != row[-1]:
            raise Damaged(f"a row of {name!r} has a wrong checksum, that of {row[0]!r:.40}")
    try:
        found: list[Any] = msgspec.convert([row[:-1] for row in rows], _READ[name])
    except msgspec.ValidationError as error:
        raise Damaged(f"a row of {name!r} cannot be: {error}") from error
    if form in PAST:
        for row in found:
            if row.before is not None:
                values_before(row)
    return found


def numbers(rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, ...]]:
    """Numbers that are read without their row's checksum.

    Raises:
        Damaged: one is none, or out of range.
    """
    if len(rows) < FEW and all(
        type(value) is int and 0 <= value <= LARGEST for row in rows for value in row
    ):
        return list(rows)
    try:
        return msgspec.convert(rows, list[tuple[Number, ...]])
    except msgspec.ValidationError as error:
        raise Damaged(f"a number cannot be: {error}") from error


def packed_values(values: tuple[Any, ...]) -> bytes:
    """Counts as they are noted in `before`."""
    return _encode(values)


def as_of(row: Any, values: tuple[Any, ...], run: int) -> tuple[Any, ...] | None:
    """The values of a row as they were before a run; None if it was not there.

    Raises:
        Damaged: what is noted of them cannot be read.
    """
    if row.run < run:
        return values
    return None if row.before is None else values_before(row)


def values_before(row: Any) -> tuple[Any, ...]:
    """What counts were before the run that changed them last.

    Raises:
        Damaged: it cannot be read.
    """
    try:
        found: tuple[Any, ...] = msgspec.msgpack.decode(row.before, type=PAST[type(row)])
    except ValueError as error:
        raise Damaged(f"what counts were before run {row.run} cannot be: {error}") from error
    return found


def expected() -> dict[tuple[str, str], str | None]:
    """(type, name) -> the statement, of all that SQLite's table of contents must list."""
    database = sqlite3.connect(":memory:")
    for statement in TABLES:
        database.execute(statement)
    found = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    database.close()
    return {(kind, name): sql for kind, name, sql in found}


def strange(objects: Sequence[tuple[Any, Any, Any, Any]]) -> str | None:
    """What is wrong with the (type, name, statement, page) of all objects of a file; None if
    nothing is.
    """
    wanted = expected()
    if len({page for *_, page in objects}) < len(objects):
        return "has two tables in one place"
    for kind, name, sql, _ in objects:
        if (kind, name) not in wanted:
            return f"holds a {kind} {name!r}, which this program does not make"
        if wanted.pop((kind, name)) != sql:
            return f"its {kind} {name!r} is not as this program makes it"
    for kind, name in wanted:
        return f"lacks its {kind} {name!r}"
    return None
