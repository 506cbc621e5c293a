"""The file of an index: SQLite, whose transactions make a run happen whole or not at all.

Columns of numbers lie in segments, as NumPy holds them, deflated. Blocks are numbered from 0 in the
order they were seen, each record's one after the other: those of its text, then its headline, then
its abstract.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple

import numpy as np

from dedup.config import Config
from dedup.errors import IndexFileError
from dedup.index.segments import (
    COLUMNS,
    EMPTY,
    FULL,
    Held,
    Segment,
    divided,
    merged,
    packed,
    picked,
    unpacked,
)
from dedup.records import I64
from dedup.sketch.lsh import optimal_bands
from dedup.text.arabic import FOLD_VERSION

SCHEMA = 1
APPLICATION = 0x64656475  # 'dedu': what SQLite's header says the file is for
WAIT = 0.2  # seconds between two tries to write
PATIENCE = 30.0  # seconds that opening waits for whoever else opens
SMALL, MANY = 64, 16  # segments of fewer blocks are made one when there are so many
LOG = 1 << 25  # bytes of a log that is not waited for
TOGETHER = 512  # values asked for at once

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE run (run INTEGER PRIMARY KEY, at REAL NOT NULL, records INTEGER NOT NULL);
CREATE TABLE source (source INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    records INTEGER NOT NULL);
CREATE TABLE record (record INTEGER PRIMARY KEY, run INTEGER NOT NULL, id TEXT NOT NULL,
    source INTEGER NOT NULL, content INTEGER NOT NULL, first INTEGER NOT NULL,
    texts INTEGER NOT NULL, titles INTEGER NOT NULL, abstracts INTEGER NOT NULL,
    leader INTEGER NOT NULL);
CREATE INDEX record_content ON record (content);
CREATE INDEX record_first ON record (first);
CREATE TABLE segment (first INTEGER PRIMARY KEY, blocks INTEGER NOT NULL, key BLOB NOT NULL,
    length BLOB NOT NULL, tokens BLOB NOT NULL, start BLOB NOT NULL, size BLOB NOT NULL,
    shape BLOB NOT NULL, flags BLOB NOT NULL, content BLOB NOT NULL, echo BLOB NOT NULL,
    bands BLOB NOT NULL);
CREATE TABLE spread (block INTEGER NOT NULL, source INTEGER NOT NULL, run INTEGER NOT NULL,
    stories INTEGER NOT NULL, places INTEGER NOT NULL, head REAL NOT NULL, tail REAL NOT NULL,
    echo REAL NOT NULL, PRIMARY KEY (block, source)) WITHOUT ROWID;
CREATE TABLE residue (block INTEGER PRIMARY KEY, run INTEGER NOT NULL);
CREATE TABLE retold (leader INTEGER PRIMARY KEY, records INTEGER NOT NULL);
"""
HABIT = """
CREATE TABLE IF NOT EXISTS habit (source INTEGER PRIMARY KEY, headings INTEGER NOT NULL,
    links INTEGER NOT NULL, between_prose INTEGER NOT NULL, taken_up INTEGER NOT NULL,
    ends INTEGER NOT NULL)
"""
_HABITS = ("headings", "links", "between_prose", "taken_up", "ends")

# All that a run writes, by name: what a fleet's members tell each other.
WRITES = {
    "run": "INSERT INTO run VALUES (?, ?, ?)",
    "record": "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "source": "INSERT INTO source (name, records) VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET records = records + excluded.records",
    "segment": "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "spread": "INSERT OR REPLACE INTO spread VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "retold": "INSERT INTO retold VALUES (?, ?) "
    "ON CONFLICT (leader) DO UPDATE SET records = records + excluded.records",
    "residue": "INSERT OR IGNORE INTO residue VALUES (?, ?)",
    "habit": "INSERT INTO habit VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _HABITS),
}


class Earlier(NamedTuple):
    """A record of an earlier run.

    Attributes:
        record: its number.
        run: the run that saw it.
        id: its id.
        source: number of its outlet.
        first: number of its first block.
        texts: blocks of its text, then its headlines and its abstracts (none or one).
        titles: see there.
        abstracts: see there.
        leader: the record that leads its story.
    """

    record: int
    run: int
    id: str
    source: int
    first: int
    texts: int
    titles: int
    abstracts: int
    leader: int


_EARLIER = "record, run, id, source, first, texts, titles, abstracts, leader"


def fingerprint(config: Config) -> dict[str, str]:
    """What two runs must have in common for one to know what the other saw."""
    bands, rows = optimal_bands(config.threshold, config.num_perm, config.false_negative_weight)
    return {
        "schema": str(SCHEMA),
        "fold": str(FOLD_VERSION),
        "scheme": "affine32",
        "seed": str(config.seed),
        "shingle": str(config.shingle),
        "bands": f"{bands} x {rows}",
        "threshold": str(config.threshold),
    }


class Store:
    """An open index file.

    Args:
        path: made if it is not there, unless `must_exist`; "" for a temporary file.
        config: whose fingerprint the file must have; None to look at any index.
        prompt: whether nobody shall wait for the disk when some of what was seen is committed:
            a loss of power may then take the last moments, and nothing else.

    Attributes:
        forgotten: how often blocks were forgotten that could be looked at before.

    Raises:
        IndexFileError: it is no index, or one made with other settings.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        config: Config | None,
        *,
        must_exist: bool = False,
        prompt: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.forgotten = 0
        self._held = Held()
        self._unwritten: list[Segment] = []  # blocks that wait for others, to be deflated together
        self._unwritten_then: list[Segment] = []
        self._version = 0
        self._prompt = prompt and bool(self.path)
        self._file = os.path.abspath(self.path)  # the working directory may change
        self._settling: threading.Thread | None = None
        if must_exist and not os.path.exists(path):
            raise IndexFileError(f"{self.path}: no such index; 'dedup clean --index' makes one")
        with self._telling():
            self._db = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._keep_log()
            self._db.execute(f"PRAGMA synchronous = {'NORMAL' if self._prompt else 'FULL'}")
            if self._prompt:
                self._db.execute("PRAGMA wal_autocheckpoint = 0")
            self._prepare(config)
        self.bands = int(self.meta()["bands"].split(" ")[0])

    def _keep_log(self) -> None:
        """Write ahead: SQLite changes to that by itself only while nobody else looks, and does not
        wait.
        """
        until = time.monotonic() + PATIENCE
        while not self._done("PRAGMA journal_mode = WAL", time.monotonic() > until):
            time.sleep(0.01)

    def _done(self, sql: str, last: bool = False) -> bool:
        """Do something, unless somebody else keeps the file locked; then it is an error if this was
        the last try.
        """
        try:
            self._db.execute(sql)
        except sqlite3.OperationalError as error:
            if last or error.args[0] != "database is locked":
                raise
            return False
        return True

    def _prepare(self, config: Config | None) -> None:
        self._db.execute("BEGIN")  # somebody else may make it between two looks
        (found,), (tables,) = (
            self._row(sql)
            for sql in ("PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
        )
        self._db.execute("COMMIT")
        if not found and not tables:
            if config is None:
                raise IndexFileError(f"{self.path}: an empty file, not an index")
            Store.begin(self)
            if not self._row("SELECT count(*) FROM sqlite_master")[0]:
                self._create(config)
            Store.commit(self)
        elif found != APPLICATION:
            raise IndexFileError(f"{self.path}: a database, but not an index of this program")
        known = self.meta()
        if config is None:
            return
        for name, value in fingerprint(config).items():
            if known.get(name) != value:
                raise IndexFileError(
                    f"{self.path}: made with {name} {known.get(name)}, not {value}; "
                    "use the settings it was made with, or another index"
                )

    def _create(self, config: Config) -> None:
        for statement in (*TABLES.split(";"), HABIT):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA application_id = {APPLICATION}")
        self._db.executemany("INSERT INTO meta VALUES (?, ?)", fingerprint(config).items())

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        if self._settling is not None:
            self._settling.join()
        self._db.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise IndexFileError(f"{self.path}: {error}") from error

    def _row(self, sql: str, values: Sequence[Any] = ()) -> Any:
        return self._db.execute(sql, values).fetchone()

    def meta(self) -> dict[str, str]:
        """The fingerprint and what else is noted of the index as a whole."""
        return dict(self._db.execute("SELECT name, value FROM meta"))

    # -- writing -----------------------------------------------------------------------------

    def begin(self, waiting: Any = None) -> None:
        """Begin to write; wait for whoever is writing.

        Args:
            waiting: called once when there is somebody to wait for.
        """
        self._db.execute("PRAGMA busy_timeout = 0")
        told = False
        with self._telling():
            while not self._done("BEGIN IMMEDIATE"):
                if waiting is not None and not told:
                    waiting()
                    told = True
                time.sleep(WAIT)
        if self._row("SELECT count(*) FROM sqlite_master WHERE name = 'meta'")[0]:
            self._db.execute(HABIT)  # older indexes lack it
        (version,) = self._row("PRAGMA data_version")
        if version != self._version:  # somebody else has written, and may have pruned
            self._version = version
            self._held.forget()

    def prepare(self) -> None:
        """Do what can fail before what was seen is handed out; `commit` is due next."""
        self.flush()

    def commit(self, *, soon: bool = False) -> None:
        """Make all that was written since `begin` last, or none of it.

        Args:
            soon: whether it may reach the disk a moment later, if nobody shall wait for that.
        """
        self.flush()
        with self._telling():
            self._db.execute("COMMIT")
            if not self._prompt:
                return
            log = f"{self._file}-wal"
            if not soon or not os.path.exists(log) or os.path.getsize(log) > LOG:
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            elif self._settling is None or not self._settling.is_alive():
                self._settling = threading.Thread(target=self._settle, daemon=True)
                self._settling.start()

    def _settle(self) -> None:
        """Have what is in the log written to the disk, and from there to its place."""
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(self._file)) as database:
            database.execute("PRAGMA wal_checkpoint(PASSIVE)")  # told when it is done in time

    def mark(self) -> None:
        """Note how far a run has come, for `back`."""
        self._db.execute("SAVEPOINT mark")
        self._unwritten_then = list(self._unwritten)

    def unmark(self) -> None:
        """There is no way back to `mark` any more."""
        self._db.execute("RELEASE mark")

    def back(self) -> None:
        """Forget what was written since `mark`."""
        self._db.execute("ROLLBACK TO mark")
        self._db.execute("RELEASE mark")
        self._unwritten = self._unwritten_then
        self._held.forget(self.next_block())

    def rollback(self) -> None:
        """Forget what was written since `begin`."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._unwritten = []
        self._held.forget()
        self.forgotten += 1

    @contextmanager
    def writing(self, waiting: Any = None) -> Iterator[None]:
        """All that is written in this context, or none of it."""
        self.begin(waiting)
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def write(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Write rows by one of `WRITES`."""
        with self._telling():
            self._db.executemany(WRITES[name], rows)

    def add_run(self, at: float, records: int) -> int:
        """Note a run at a time (seconds since 1970); returns its number."""
        run = int(self._row("SELECT coalesce(max(run), 0) + 1 FROM run")[0])
        self.write("run", [(run, at, records)])
        return run

    def add_segment(self, segment: Segment) -> None:
        """Append blocks."""
        if segment.key.size:
            self._unwritten.append(segment)
            if segment.end - self._unwritten[0].first >= FULL:
                self.flush()

    def flush(self) -> None:
        """Write the blocks that were appended, many together."""
        if not self._unwritten:
            return
        parts = list(divided(merged(self._unwritten)))
        self._unwritten = []
        for part in parts:
            self._held.add(part)
        self.write("segment", [packed(part) for part in parts])
        self.merge_small()

    def replace_segment(self, segment: Segment) -> None:
        """Put a segment in the place of the one that begins with the same block."""
        self._db.execute("DELETE FROM segment WHERE first = ?", (segment.first,))
        self._db.execute(WRITES["segment"], packed(segment))
        self._held.forget()

    def forget_before(self, at: float, sources: Sequence[int]) -> int:
        """Forget counts and records of runs before a time, but for records that blocks seen again
        since then stand in; returns how many records went.

        Args:
            at: seconds since 1970.
            sources: numbers of the outlets whose counts and records may go.
        """
        old = "run IN (SELECT run FROM run WHERE at < ?)"
        chosen = f"{old} AND source IN ({', '.join(map(str, sources))})"
        self._db.execute(f"DELETE FROM spread WHERE {chosen}", (at,))
        self._db.execute(
            f"DELETE FROM residue WHERE block NOT IN (SELECT block FROM spread) AND {old} AND "
            "EXISTS (SELECT 1 FROM record WHERE block >= first AND "
            f"block < first + texts + titles + abstracts AND {chosen})",
            (at, at),
        )
        gone = self._db.execute(
            f"DELETE FROM record WHERE {chosen} AND NOT EXISTS (SELECT 1 FROM spread WHERE "
            "block >= first AND block < first + texts + titles + abstracts)",
            (at,),
        ).rowcount
        self._db.execute("DELETE FROM retold WHERE leader NOT IN (SELECT leader FROM record)")
        here = "FROM record WHERE record.source = habit.source"
        before = "SELECT records FROM source WHERE source.source = habit.source"
        shares = (f"{name} = {name} * (SELECT count(*) {here}) / ({before})" for name in _HABITS)
        self._db.execute(f"UPDATE habit SET {', '.join(shares)}")
        self._db.execute(
            "UPDATE source SET records = (SELECT count(*) FROM record WHERE "
            "record.source = source.source)"
        )
        return int(gone)

    def merge_small(self) -> None:
        """Make full segments of small ones at the end, so that there are never many."""
        tail: list[int] = []
        blocks = small = 0
        for first, size in self._db.execute(
            "SELECT first, blocks FROM segment ORDER BY first DESC LIMIT ?", (FULL,)
        ):
            if size >= FULL:
                break
            tail.append(first)
            blocks += size
            small += small == len(tail) - 1 and size < SMALL
        if blocks < FULL:
            if small < MANY:
                return
            tail = tail[:small]
        whole = merged([self.segment(first) for first in reversed(tail)])
        self._db.execute("DELETE FROM segment WHERE first >= ?", (tail[-1],))
        for part in divided(whole):
            self._db.execute(WRITES["segment"], packed(part))
            self._held.add(part)

    def vacuum(self) -> None:
        """Give the room of what was forgotten back to the disk."""
        with self._telling():
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # -- reading -----------------------------------------------------------------------------

    def next_block(self) -> int:
        """The number that the next block gets."""
        if self._unwritten:
            return self._unwritten[-1].end
        found = self._row("SELECT first + blocks FROM segment ORDER BY first DESC LIMIT 1")
        return int(found[0]) if found else 0

    def next_record(self) -> int:
        """The number that the next record gets."""
        return int(self._row("SELECT coalesce(max(record) + 1, 0) FROM record")[0])

    def last(self, table: str) -> int:
        """The highest number in "run" or "source"; 0 if there is none."""
        return int(self._row(f"SELECT coalesce(max({table}), 0) FROM {table}")[0])

    def segments(self) -> dict[int, int]:
        """The first block of each segment, ascending, and how many blocks it has."""
        return dict(self._db.execute("SELECT first, blocks FROM segment ORDER BY first"))

    def segment(self, first: int) -> Segment:
        """The segment that begins with a block."""
        with self._telling():
            row = self._row(f"SELECT {', '.join(COLUMNS)} FROM segment WHERE first = ?", (first,))
        return unpacked(first, row, self.bands)

    def since(self, block: int) -> Iterator[Segment]:
        """The segments that hold the blocks from one on, in order."""
        end = self.next_block()
        while block < end:
            segment = self._holding(block)
            yield segment
            block = segment.end

    def take(self, blocks: I64) -> Segment:
        """Some blocks, ascending, as if they were a segment."""
        parts: list[Segment] = []
        at = 0
        while at < blocks.size:
            segment = self._holding(int(blocks[at]))
            end = int(blocks.searchsorted(segment.end))
            parts.append(picked(segment, blocks[at:end] - segment.first))
            at = end
        return merged(parts or [EMPTY])

    def _holding(self, block: int) -> Segment:
        """The segment that holds a block."""
        if self._unwritten and block >= self._unwritten[0].first:
            at = bisect_right(self._unwritten, block, key=lambda segment: segment.first)
            return self._unwritten[at - 1]
        segment = self._held.get(block)
        if segment is None:
            first = self._row("SELECT max(first) FROM segment WHERE first <= ?", (block,))[0]
            segment = self.segment(first)
            self._held.add(segment)
        return segment

    def sources(self) -> dict[str, tuple[int, int]]:
        """Outlet -> its number, and its records."""
        found = self._db.execute("SELECT name, source, records FROM source")
        return {name: (number, records) for name, number, records in found}

    def sources_named(self, names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """The same of some outlets; of those that the index has."""
        found = self._among("SELECT name, source, records FROM source WHERE name", names)
        return {name: (number, records) for name, number, records in found}

    def names_of(self, sources: Sequence[int]) -> dict[int, str]:
        """Number -> name of some outlets."""
        return dict(self._among("SELECT source, name FROM source WHERE source", sources))

    def firsts(self, since: int) -> I64:
        """int64[2, m]; the number and the first block, `since` or behind it, of each record that
        has blocks.
        """
        rows = self._db.execute(
            "SELECT record, first FROM record WHERE texts + titles + abstracts > 0 AND first >= ? "
            "ORDER BY first",
            (since,),
        ).fetchall()
        columns: I64 = np.array(rows, dtype=np.int64).reshape(-1, 2).T
        return columns

    def records_with(self, contents: Sequence[int]) -> list[tuple[int, Earlier]]:
        """(hash of the content, record) of the records with these contents."""
        return [
            (row[0], Earlier(*row[1:]))
            for row in self._among(
                f"SELECT content, {_EARLIER} FROM record WHERE content", contents
            )
        ]

    def records(self, numbers: Sequence[int]) -> dict[int, Earlier]:
        """Number -> record."""
        found = self._among(f"SELECT {_EARLIER} FROM record WHERE record", numbers)
        return {row[0]: Earlier(*row) for row in found}

    def spread(self, blocks: Sequence[int]) -> list[tuple[Any, ...]]:
        """(block, source, stories, places, head, tail, echo) of blocks that stand in several."""
        return list(
            self._among(
                "SELECT block, source, stories, places, head, tail, echo FROM spread WHERE block",
                blocks,
            )
        )

    def residue(self, blocks: Sequence[int]) -> set[int]:
        """Those among some blocks that were found to be residue after they had stayed."""
        return {row[0] for row in self._among("SELECT block FROM residue WHERE block", blocks)}

    def all_records(self) -> Iterator[Earlier]:
        """Every record, in order."""
        for row in self._db.execute(f"SELECT {_EARLIER} FROM record ORDER BY record"):
            yield Earlier(*row)

    def runs(self) -> list[tuple[int, float, int]]:
        """(run, time in seconds since 1970, new records) of every run."""
        return self._db.execute("SELECT run, at, records FROM run ORDER BY run").fetchall()

    def all_spread(self) -> Iterator[tuple[Any, ...]]:
        """(block, source, run, stories, places, head, tail, echo) of all that stands in several."""
        yield from self._db.execute("SELECT * FROM spread ORDER BY block, source")

    def all_residue(self) -> list[tuple[int, int]]:
        """(block, run) of blocks that stayed once and were found to be residue in that run."""
        return self._db.execute("SELECT block, run FROM residue ORDER BY block").fetchall()

    def all_retold(self) -> list[tuple[int, int]]:
        """(leading record, records that retell its story)."""
        return self._db.execute("SELECT leader, records FROM retold ORDER BY leader").fetchall()

    def contents(self) -> list[int]:
        """The hash of each record's content, in order."""
        found = self._db.execute("SELECT content FROM record ORDER BY record")
        return [content for (content,) in found]

    def complaints(self) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        with self._telling():
            found = [row[0] for row in self._db.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    def habits(self, sources: Sequence[int]) -> dict[int, tuple[int, ...]]:
        """Outlet -> what it does as a habit: see `dedup.judge.habits`."""
        found = self._among("SELECT * FROM habit WHERE source", sources)
        return {source: tuple(counts) for source, *counts in found}

    def all_habits(self) -> list[tuple[int, ...]]:
        """(outlet, counts of its habits)."""
        (made,) = self._row("SELECT count(*) FROM sqlite_master WHERE name = 'habit'")
        return self._db.execute("SELECT * FROM habit").fetchall() if made else []

    def retold(self, leaders: Sequence[int]) -> dict[int, int]:
        """Leading record -> how many records retell its story."""
        found = self._among("SELECT leader, records FROM retold WHERE leader", leaders)
        return {row[0]: row[1] for row in found}

    def _among(self, sql: str, values: Sequence[int] | Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for at in range(0, len(values), TOGETHER):
            part = list(values[at : at + TOGETHER])
            # So that there are few statements, which SQLite then knows already.
            part += part[-1:] * ((1 << (len(part) - 1).bit_length()) - len(part))
            yield from self._db.execute(f"{sql} IN ({', '.join('?' * len(part))})", part)
