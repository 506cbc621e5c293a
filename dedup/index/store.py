"""The file of an index: SQLite, whose transactions make a run happen whole or not at all.

Columns of numbers lie in segments, as NumPy holds them, deflated. Blocks are numbered from 0 in the
order they were seen, each record's one after the other: those of its text, then its headline, then
its abstract.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

import numpy as np

from dedup.config import Config
from dedup.engines.interrupts import undisturbed
from dedup.errors import IndexFileError, one_line
from dedup.index import log
from dedup.index import rows as row_forms
from dedup.index.rows import Damaged, Earlier, Habit, Outlet, Retold, Run, Spread
from dedup.index.segments import (
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

SCHEMA = 2
APPLICATION = 0x64656475  # 'dedu': what SQLite's header says the file is for
WAIT = 0.2  # seconds between two tries to write
PATIENCE = 30.0  # seconds that opening waits for whoever else opens
SMALL, MANY = 64, 16  # segments of fewer blocks are made one when there are so many
LOG = 1 << 25  # bytes of a log that is not waited for
TOGETHER = 512  # values asked for at once
PAGES = 2000  # KiB of pages that SQLite holds in memory
ROOM = (PAGES + 500) << 10  # bytes that they take in its log, and some
ALWAYS = 1 << 62  # behind every run
PAGE = 512  # bytes of a database, at least
LEAST = 16  # bytes that a block takes in a file of many, at least
FAULTS = (sqlite3.Error, sqlite3.Warning, OSError, ValueError, OverflowError, zlib.error)


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


class _Telling:
    """Makes whatever goes wrong with a file an `IndexFileError`; entered for every look at it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, Damaged):
            raise self._store.damaged(str(error)) from error
        if isinstance(error, FAULTS):
            said = getattr(error, "strerror", None) or str(error)
            raise IndexFileError(f"{self._store.path}: {one_line(said)}") from error


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
        self._told = _Telling(self)
        self._held = Held()
        self._unwritten: list[Segment] = []  # blocks that wait for others, to be deflated together
        self._unwritten_then: list[Segment] = []
        self._totals: dict[str, list[int]] = {}  # of tables: rows, and the sum of their checksums
        self._totals_then: dict[str, list[int]] = {}
        self._few: dict[tuple[str, str], dict[Any, Any]] = {}  # by table and column: value -> row
        self._run = 0  # that is written now
        self._version = 0
        self._named = bool(self.path)
        self._prompt = prompt and self._named
        self._file = os.path.realpath(self.path)  # where the log lies, too, of one that is linked
        self._settling: threading.Thread | None = None
        self._inode: tuple[int, int] | None = None
        with self._telling():
            if self._named and os.path.isdir(path):
                raise IndexFileError(f"{self.path}: a folder, not an index")
            if self._named and not os.path.isdir(os.path.dirname(self._file)):
                raise IndexFileError(f"{self.path}: its folder does not exist; make it first")
            with suppress(FileNotFoundError):  # a link may lead to what is not there yet
                os.stat(self._file)
            if must_exist and not os.path.exists(path):
                raise IndexFileError(f"{self.path}: no such index; 'dedup clean --index' makes one")
            self._db = sqlite3.connect(
                self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            with self._telling():
                self._open(config)
        except BaseException:
            self._db.close()
            raise

    def _open(self, config: Config | None) -> None:
        for setting in (
            "trusted_schema = OFF",  # nothing that the file says is done
            "cell_size_check = ON",
            f"cache_size = -{PAGES}",
            f"synchronous = {'NORMAL' if self._prompt else 'FULL'}",
        ):
            self._db.execute(f"PRAGMA {setting}")
        made = self._is_made(config)
        self._inode = self._inode_now()
        self._keep_log()
        if self._prompt:
            self._db.execute("PRAGMA wal_autocheckpoint = 0")
        if not made and config is not None:
            Store.begin(self)
            if not self._is_made(config):  # somebody else may make it between two looks
                self._create(config)
            Store.commit(self)
        known = self.meta()
        bands = re.fullmatch(r"([0-9]{1,4}) x ([0-9]{1,4})", known.get("bands", ""))
        if bands is None:
            raise Damaged(f"bands are {known.get('bands')!r:.40}")
        self.bands = int(bands[1])
        for name, value in fingerprint(config).items() if config is not None else ():
            if known.get(name) != value:
                raise IndexFileError(
                    f"{self.path}: made with {name} {known.get(name)}, not {value}; "
                    "use the settings it was made with, or another index"
                )

    def _is_made(self, config: Config | None) -> bool:
        """Whether the file is an index, made by this version of the program; nothing is written."""
        inside = self._db.in_transaction
        if not inside:
            self._db.execute("BEGIN")
        try:
            found, schema = (
                self._row(f"PRAGMA {name}")[0] for name in ("application_id", "user_version")
            )
            objects = self._db.execute(
                "SELECT type, name, sql, rootpage FROM sqlite_master"
            ).fetchall()
        finally:
            if not inside:
                self._db.execute("ROLLBACK")
        if not found and not objects:
            if self._named and 0 < os.path.getsize(self._file) < PAGE:
                raise IndexFileError(f"{self.path}: file is not a database")
            if config is None:
                raise IndexFileError(f"{self.path}: an empty file, not an index")
            return False
        if found != APPLICATION:
            raise IndexFileError(f"{self.path}: a database, but not an index of this program")
        if schema != SCHEMA:
            raise IndexFileError(
                f"{self.path}: made with schema {schema or 1}, not {SCHEMA}; use the version of "
                "this program that made it, or another index"
            )
        wrong = row_forms.strange(objects)
        if wrong:
            raise IndexFileError(f"{self.path}: {wrong}; use another index")
        return True

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

    def _create(self, config: Config) -> None:
        for statement in row_forms.TABLES:
            self._db.execute(statement)
        self._db.execute(f"PRAGMA application_id = {APPLICATION}")
        self._db.execute(f"PRAGMA user_version = {SCHEMA}")
        self._write("meta", list(fingerprint(config).items()))

    def close(self) -> None:
        """Close the file; what was not committed is gone."""
        if self._settling is not None:
            self._settling.join()
        with self._telling():
            self._db.close()

    def _telling(self) -> _Telling:
        """Whatever goes wrong with the file in this context is told in one line."""
        return self._told

    def damaged(self, what: str) -> IndexFileError:
        """The error that says what of the file cannot be."""
        return IndexFileError(
            f"{self.path}: damaged: {one_line(what)}; put a copy from before in its place, "
            "or begin another index"
        )

    def _row(self, sql: str, values: Sequence[Any] = ()) -> Any:
        with self._telling():
            return self._db.execute(sql, values).fetchone()

    def _numbers(self, sql: str, *values: Any) -> list[tuple[int, ...]]:
        """Numbers that are believed without a checksum: nothing bad comes of other ones."""
        with self._telling():
            return row_forms.numbers(self._db.execute(sql, values).fetchall())

    def _read(self, name: str, rest: str = "", values: Sequence[Any] = ()) -> list[Any]:
        """Rows of a table, each believed because of its checksum."""
        with self._telling():
            found = self._db.execute(f"SELECT * FROM {name} {rest}", values).fetchall()
            return row_forms.read(name, found)

    def _each(self, name: str, rest: str = "") -> Iterator[Any]:
        """All rows of a table, which are as many as were noted."""
        with self._telling(), self._snapshot():
            rows = sums = 0
            cursor = self._db.execute(f"SELECT * FROM {name} {rest}")
            while some := cursor.fetchmany(TOGETHER if name != "segment" else MANY):
                yield from row_forms.read(name, some)
                rows += len(some)
                sums += sum(row[-1] for row in some)
            noted = self._total(name)
            if noted != [rows, sums]:
                raise Damaged(
                    f"the table {name!r} has other rows than were noted: {rows:,}, not {noted[0]:,}"
                )

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """What others write meanwhile is not seen."""
        alone = not self._db.in_transaction
        if alone:
            self._do("BEGIN")
        try:
            yield
        finally:
            if alone and self._db.in_transaction:
                self._do("ROLLBACK")

    def _total(self, name: str) -> list[int]:
        """How many rows a table has, and the sum of their checksums, as was noted."""
        if name in self._totals:
            return self._totals[name]
        found = self._numbers("SELECT rows, sum FROM total WHERE name = ?", name)
        return list(found[0]) if found else [0, 0]

    def _among(
        self, name: str, column: str, values: Sequence[int] | Sequence[str], rest: str = ""
    ) -> Iterator[Any]:
        """Rows of a table in which a column has one of some values."""
        for at in range(0, len(values), TOGETHER):
            part = list(values[at : at + TOGETHER])
            # So that there are few statements, which SQLite then knows already.
            part += part[-1:] * ((1 << (len(part) - 1).bit_length()) - len(part))
            yield from self._read(
                name, f"WHERE {column} IN ({', '.join('?' * len(part))}){rest}", part
            )

    def _of_few(
        self, name: str, column: str, values: Sequence[int] | Sequence[str]
    ) -> Iterator[Any]:
        """The same of a table of few rows, which are held while nobody else writes."""
        held = self._few.setdefault((name, column), {})
        missing: Any = [value for value in values if value not in held]
        held.update({getattr(row, column): row for row in self._among(name, column, missing)})
        return (held[value] for value in values if value in held)

    def meta(self) -> dict[str, str]:
        """The fingerprint of the index."""
        return dict(self._each("meta"))

    def _inode_now(self) -> tuple[int, int] | None:
        if not self._named:
            return None
        try:
            found = os.stat(self._file)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _check_place(self) -> None:
        """What is written is found again only while the file is where it was."""
        if self._inode_now() != self._inode:
            raise IndexFileError(
                f"{self.path}: deleted or replaced while it was in use; nothing was remembered, "
                "run it again"
            )

    # -- writing -----------------------------------------------------------------------------

    def begin(self, waiting: Any = None) -> None:
        """Begin to write; wait for whoever is writing.

        Args:
            waiting: called once when there is somebody to wait for.
        """
        told = False
        with self._telling():
            self._db.execute("PRAGMA busy_timeout = 0")
            while not self._done("BEGIN IMMEDIATE"):
                if waiting is not None and not told:
                    waiting()
                    told = True
                time.sleep(WAIT)
        self._totals = {}
        (version,) = self._row("PRAGMA data_version")
        if version != self._version:  # somebody else has written, and may have pruned
            self._version = version
            self._held.forget()
            self._few = {}

    def prepare(self) -> None:
        """Do all of a commit that may fail for want of room, but for the commit itself: all rows
        are written, and the log has the room that the commit takes.

        Raises:
            IndexFileError: the disk is full, or the file was deleted or replaced.
        """
        self._finish()
        self._check_place()
        if not self._named:
            return
        # Of the pages that changed only those that SQLite holds in memory are not in the log yet.
        with self._telling(), open(f"{self._file}-wal", "r+b", buffering=0) as file:
            file.seek(0, os.SEEK_END)
            missing = ROOM
            while missing:
                missing -= file.write(bytes(missing)) or 0

    def _finish(self) -> None:
        self.flush()
        totals = [(name, *total) for name, total in self._totals.items()]
        with self._telling():
            self._db.executemany("INSERT OR REPLACE INTO total VALUES (?, ?, ?)", totals)
        self._totals = {}

    def commit(self, *, soon: bool = False) -> None:
        """Make all that was written since `begin` last, or none of it.

        Args:
            soon: whether it may reach the disk a moment later, if nobody shall wait for that.

        Raises:
            IndexFileError: it cannot be written, or the file was deleted or replaced.
        """
        self._finish()
        self._check_place()
        with self._telling():
            self._db.execute("COMMIT")
            if not self._prompt:
                return
            path = f"{self._file}-wal"
            if not soon or not os.path.exists(path) or os.path.getsize(path) > LOG:
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
        self._do("SAVEPOINT mark")
        self._unwritten_then = list(self._unwritten)
        self._totals_then = {name: list(total) for name, total in self._totals.items()}

    def unmark(self) -> None:
        """There is no way back to `mark` any more."""
        self._do("RELEASE mark")

    def back(self) -> None:
        """Forget what was written since `mark`."""
        self._do("ROLLBACK TO mark")
        self._do("RELEASE mark")
        self._unwritten, self._totals = self._unwritten_then, self._totals_then
        self._few = {}
        self._held.forget(self.next_block())

    def rollback(self) -> None:
        """Forget what was written since `begin`."""
        if self._db.in_transaction:
            self._do("ROLLBACK")
        self._unwritten, self._totals, self._few = [], {}, {}
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
        with undisturbed():
            self.commit()

    def _do(self, sql: str, values: Sequence[Any] = ()) -> None:
        with self._telling():
            self._db.execute(sql, values)

    def write(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Write rows: those of `row_forms.FORMS`, or what `row_forms.GIVEN` says of them.

        Counts of outlets, habits and retold stories are added to those that are there, sums of
        blocks replace them; all note what was there before this run. Residue is noted once.

        Raises:
            IndexFileError: a row cannot be, or cannot be written.
        """
        with self._telling():
            new: list[Any] = row_forms.given(name, list(rows))
            if not new:
                return
            if name == "run":
                self._run = new[-1][0]
                new = [Run._make((*row, 1)) for row in new]
            elif name == "source":
                new = self._outlets(new)
            elif name == "spread":
                new = self._sums(new)
            elif name == "retold":
                new = self._added(name, Retold, new)
            elif name == "habit":
                new = self._added(name, Habit, new)
            elif name == "residue":
                blocks = [row.block for row in new]
                there = {row.block for row in self._among(name, "block", blocks)}
                new = [row for row in {row.block: row for row in new}.values()
                       if row.block not in there]  # fmt: skip
            self._write(name, new)

    def _write(self, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
        summed = [(*row, row_forms.sum_of(row)) for row in rows]
        self._count(name, len(summed), sum(row[-1] for row in summed))
        self._db.executemany(row_forms.INSERT[name], summed)
        for (table, column), held in self._few.items():
            if table == name:
                held.update({getattr(row, column): row for row in rows})

    def _count(self, name: str, rows: int, sums: int) -> None:
        """Note that a table has so many rows more, and the sum of their checksums."""
        total = self._totals[name] = self._total(name)
        total[0] += rows
        total[1] += sums

    def _instead(self, name: str, old: Any) -> None:
        """Note that a row is replaced."""
        self._count(name, -1, -row_forms.sum_of(old))

    def _before(self, old: Any, values: tuple[Any, ...]) -> bytes | None:
        """What a row's counts were before this run, as it is noted."""
        if old.run == self._run:
            before: bytes | None = old.before
            return before
        return row_forms.packed_values(values)

    def _outlets(self, new: list[Any]) -> list[Outlet]:
        """Outlets with more records; new ones are numbered."""
        names = [name for name, _ in new]
        there = {row.name: row for row in self._of_few("source", "name", names)}
        last = 0
        if any(name not in there for name, _ in new):
            ((last,),) = self._numbers("SELECT coalesce(max(source), 0) FROM source")
        rows = dict(there)
        for name, records in new:
            old = rows.get(name)
            if old is None:
                last += 1
                rows[name] = Outlet(name, last, records, self._run, None)
            else:
                before = self._before(old, (old.records,))
                rows[name] = old._replace(
                    records=old.records + records, run=self._run, before=before
                )
        for old in there.values():
            self._instead("source", old)
        return list(rows.values())

    def _added(self, name: str, form: Any, new: list[Any]) -> list[Any]:
        """Rows of a table with more in their counts."""
        keys = [key for key, *_ in new]
        look = self._of_few if name == "habit" else self._among
        there = {row[0]: row for row in look(name, form._fields[0], keys)}
        rows = dict(there)
        for key, *counts in new:
            old = rows.get(key)
            if old is None:
                rows[key] = form(key, *counts, self._run, None)
            else:
                sums = (a + b for a, b in zip(old.values, counts, strict=True))
                rows[key] = form(key, *sums, self._run, self._before(old, old.values))
        for old in there.values():
            self._instead(name, old)
        return list(rows.values())

    def _sums(self, new: list[Any]) -> list[Spread]:
        """Rows of sums in the place of those that are there."""
        blocks = sorted({block for block, *_ in new})
        there = {(row.block, row.source): row for row in self._among("spread", "block", blocks)}
        rows = {}
        for block, source, run, *sums in new:
            old = there.get((block, source))
            before = None if old is None else self._before(old, old.values)
            rows[block, source] = Spread._make((block, source, run, *sums, before))
        for key in rows.keys() & there.keys():
            self._instead("spread", there[key])
        return list(rows.values())

    def add_run(self, at: float, records: int) -> int:
        """Note a run at a time (seconds since 1970); returns its number."""
        run = self.last_run_number() + 1
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
        (old,) = self._read("segment", "WHERE first = ?", (segment.first,))
        self._instead("segment", old)
        with self._telling():
            self._db.execute("DELETE FROM segment WHERE first = ?", (segment.first,))
            self._write("segment", [row_forms.Columns(*packed(segment))])
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
        with self._telling():
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
            counts = "SELECT source, count(*) FROM record GROUP BY source"
            left: dict[int, int] = dict(self._db.execute(counts).fetchall())
        outlets: list[Outlet] = self._read("source")
        before = {row.source: row.records for row in outlets}
        habits: list[Habit] = self._read("habit")
        with self._telling():
            self._few = {}
            self._db.execute("DELETE FROM source")
            self._db.execute("DELETE FROM habit")
            self._write(
                "source", [row._replace(records=left.get(row.source, 0)) for row in outlets]
            )
            shares = []
            for row in habits:
                share, whole = left.get(row.source, 0), before.get(row.source, 0)
                counts_left = (n * share // whole if whole else 0 for n in row.values)
                shares.append(Habit._make((row.source, *counts_left, row.run, row.before)))
            self._write("habit", shares)
        self.settle()
        return int(gone)

    def settle(self) -> None:
        """What was known before the last run cannot be told any more. Totals are made anew."""
        with self._telling():
            for run in self._read("run", "ORDER BY run DESC LIMIT 1"):
                settled = run._replace(whole=0)
                self._db.execute(
                    "UPDATE run SET whole = 0, sum = ? WHERE run = ?",
                    (row_forms.sum_of(settled), run.run),
                )
            for name in row_forms.FORMS:
                rows, sums = self._row(f"SELECT count(*), coalesce(sum(sum), 0) FROM {name}")
                self._totals[name] = [rows, sums]

    def merge_small(self) -> None:
        """Make full segments of small ones at the end, so that there are never many."""
        tail: list[int] = []
        blocks = small = 0
        with self._telling():
            for row in self._db.execute(
                "SELECT first, blocks FROM segment ORDER BY first DESC LIMIT ?", (FULL,)
            ):
                ((first, size),) = row_forms.numbers([row])
                if size >= FULL:
                    break
                tail.append(first)
                blocks += size
                small += small == len(tail) - 1 and size < SMALL
            if blocks < FULL:
                if small < MANY:
                    return
                tail = tail[:small]
            sums = self._numbers("SELECT sum FROM segment WHERE first >= ?", tail[-1])
            whole = merged([self.segment(first) for first in reversed(tail)])
            self._db.execute("DELETE FROM segment WHERE first >= ?", (tail[-1],))
            self._count("segment", -len(tail), -sum(checksum for (checksum,) in sums))
            for part in divided(whole):
                self._write("segment", [row_forms.Columns(*packed(part))])
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
        found = self._numbers("SELECT first, blocks FROM segment ORDER BY first DESC LIMIT 1")
        return sum(found[0]) if found else 0

    def next_record(self) -> int:
        """The number that the next record gets."""
        return self._numbers("SELECT coalesce(max(record) + 1, 0) FROM record")[0][0]

    def likely(self, blocks: int) -> int:
        """So many blocks, or fewer where a file of this size cannot hold them."""
        with self._telling():
            size = os.path.getsize(self._file) if self._named else ALWAYS
        return min(blocks, size // LEAST)

    def last(self, table: str) -> int:
        """The highest number in "run" or "source"; 0 if there is none."""
        return int(self._row(f"SELECT coalesce(max({table}), 0) FROM {table}")[0])

    def segments(self) -> dict[int, int]:
        """The first block of each segment, ascending, and how many blocks it has."""
        return {row.first: row.blocks for row in self._each("segment", "ORDER BY first")}

    def segment(self, first: int) -> Segment:
        """The segment that begins with a block."""
        found = self._read("segment", "WHERE first = ?", (first,))
        with self._telling():
            if not found:
                raise Damaged(f"the segment of block {first} is missing")
            return unpacked(found[0], self.bands)

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
            (first,) = self._row("SELECT max(first) FROM segment WHERE first <= ?", (block,))
            with self._telling():
                if first is None:
                    raise Damaged(f"no segment holds block {block}")
                segment = self.segment(first)
                if not segment.first <= block < segment.end:
                    raise Damaged(f"no segment holds block {block}")
            self._held.add(segment)
        return segment

    def sources(self) -> dict[str, tuple[int, int]]:
        """Outlet -> its number, and its records."""
        return {row.name: (row.source, row.records) for row in self._each("source")}

    def sources_named(self, names: Sequence[str], run: int = ALWAYS) -> dict[str, tuple[int, int]]:
        """The same of some outlets, as before a run; of those that the index has."""
        return {
            row.name: (row.source, (self._as_of(row, (row.records,), run) or (0,))[0])
            for row in self._of_few("source", "name", names)
        }

    def names_of(self, sources: Sequence[int]) -> dict[int, str]:
        """Number -> name of some outlets.

        Raises:
            IndexFileError: the index has no such outlet.
        """
        names = {row.source: row.name for row in self._of_few("source", "source", sources)}
        for source in sources:
            if source not in names:
                raise self.damaged(f"outlet {source} is missing")
        return names

    def _as_of(self, row: Any, values: tuple[Any, ...], run: int) -> tuple[Any, ...] | None:
        with self._telling():
            return row_forms.as_of(row, values, run)

    def firsts(self, since: int) -> I64:
        """int64[2, m]; the number and the first block, `since` or behind it, of each record that
        has blocks.
        """
        with self._telling():
            rows = self._numbers(
                "SELECT record, first FROM record WHERE texts + titles + abstracts > 0 AND "
                "first >= ? ORDER BY first",
                since,
            )
            columns: I64 = np.array(rows, dtype=np.int64).reshape(-1, 2).T
            if (np.diff(columns) <= 0).any():
                raise Damaged("records do not follow each other")
        return columns

    def last_record(self) -> Earlier | None:
        """The record that has the last blocks."""
        found = self._read("record", "ORDER BY first DESC, record DESC LIMIT 1")
        return found[0] if found else None

    def last_run(self) -> tuple[Run, list[Earlier]] | None:
        """The last run and all its records in order; None where what was known before it cannot be
        told.
        """
        for run in self._read("run", "ORDER BY run DESC LIMIT 1"):
            if run.whole and run.records:
                rows = self._read("record", "ORDER BY record DESC LIMIT ?", (run.records,))
                if len(rows) == run.records and all(row.run == run.run for row in rows):
                    return run, rows[::-1]
        return None

    def last_run_number(self) -> int:
        """The number of the last run; 0 if there was none."""
        return self._numbers("SELECT coalesce(max(run), 0) FROM run")[0][0]

    def records_with(self, contents: Sequence[int]) -> list[Earlier]:
        """The records with some contents, by their hashes."""
        return list(self._among("record", "content", contents))

    def records(self, numbers: Sequence[int]) -> dict[int, Earlier]:
        """Number -> record."""
        return {row.record: row for row in self._among("record", "record", numbers)}

    def spread(self, blocks: Sequence[int], run: int = ALWAYS) -> list[tuple[Any, ...]]:
        """(block, source, stories, places, head, tail, echo) of blocks that stand in several
        places, as before a run.
        """
        told = (
            (row, self._as_of(row, row.values, run))
            for row in self._among("spread", "block", blocks)
        )
        return [(row.block, row.source, *sums) for row, sums in told if sums is not None]

    def residue(self, blocks: Sequence[int], run: int = ALWAYS) -> set[int]:
        """Those among some blocks that were found to be residue after they had stayed, before a
        run.
        """
        return {row.block for row in self._among("residue", "block", blocks) if row.run < run}

    def all_records(self) -> Iterator[Earlier]:
        """Every record, in order."""
        return self._each("record", "ORDER BY record")

    def runs(self) -> list[Run]:
        """Every run."""
        return list(self._each("run", "ORDER BY run"))

    def all_spread(self) -> Iterator[Spread]:
        """The sums of all blocks that stand in several places."""
        return self._each("spread", "ORDER BY block, source")

    def all_residue(self) -> Iterator[row_forms.Residue]:
        """Blocks that stayed once and were found to be residue."""
        return self._each("residue", "ORDER BY block")

    def all_retold(self) -> Iterator[Retold]:
        """How many records retell each story."""
        return self._each("retold", "ORDER BY leader")

    def all_habits(self) -> list[Habit]:
        """The habits of all outlets."""
        return list(self._each("habit"))

    def habits(self, sources: Sequence[int], run: int = ALWAYS) -> dict[int, tuple[int, ...]]:
        """Outlet -> what it does as a habit, as before a run: see `dedup.judge.habits`."""
        told = {
            row.source: self._as_of(row, row.values, run)
            for row in self._of_few("habit", "source", sources)
        }
        return {source: counts for source, counts in told.items() if counts is not None}

    def retold(self, leaders: Sequence[int], run: int = ALWAYS) -> dict[int, int]:
        """Leading record -> how many records retell its story, as before a run."""
        told = (
            (row.leader, self._as_of(row, row.values, run))
            for row in self._among("retold", "leader", leaders)
        )
        return {leader: counts[0] for leader, counts in told if counts is not None}

    @contextmanager
    def still(self) -> Iterator[bool]:
        """Look at the file as it is now, whatever others write meanwhile; yields whether nobody
        can.
        """
        with self._telling():
            self._db.execute("PRAGMA busy_timeout = 0")
            alone = self._done("BEGIN IMMEDIATE")
            if not alone:
                self._db.execute("BEGIN")
        try:
            yield alone
        finally:
            self._do("ROLLBACK")

    def complaints(self, alone: bool) -> list[str]:
        """What is wrong with the file as a database, and with its rows: each is read, and they are
        counted.

        Args:
            alone: whether nobody else writes, so that the log holds still.
        """
        with self._telling():
            lost = log.damage(f"{self._file}-wal") if alone and self._named else None
            found = [str(row[0]) for row in self._db.execute("PRAGMA integrity_check")]
            found = [one_line(line) for what in found for line in what.splitlines()]
            wrong = [] if found == ["ok"] else found
            wrong += [lost] if lost else []
            said = self._db.execute("SELECT name, rows, sum FROM total").fetchall()
            totals = {name: total for name, *total in said}
        for name in row_forms.FORMS:
            rows = sums = 0
            there = totals.pop(name, [0, 0])
            try:
                cursor = self._db.execute(f"SELECT * FROM {name}")
                while some := cursor.fetchmany(TOGETHER if name != "segment" else MANY):
                    row_forms.read(name, some)
                    rows += len(some)
                    sums += sum(row[-1] for row in some)
            except FAULTS as error:
                wrong.append(f"the table {name!r}: {one_line(str(error))}")
                continue
            if there != [rows, sums]:
                wrong.append(
                    f"the table {name!r} has other rows than were noted: {rows:,}, not {there[0]}"
                )
        wrong += [f"a total of {name!r}, which is no table" for name in totals]
        return wrong
