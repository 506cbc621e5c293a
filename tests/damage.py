"""Damage done to an index, trial after trial; run in a process of its own, since one may crash.

python tests/damage.py FOLDER FIRST END    # writes a line of JSON for each trial
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sqlite3
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

import dedup
from dedup import cli
from dedup.index import rows as row_forms
from dedup.index.segments import COLUMNS

SEEDS = Path(__file__).parents[1] / "seeds" / "outlets.jsonl"
NAME = "news.db"
BASES = ("main", "log", "middle", "earlier")  # the last two are what the log began with
FLIPS, LOG_FLIPS, CUTS = 130, 40, 12


class Trial(NamedTuple):
    """One damage.

    Attributes:
        kind: what the table of results counts it as.
        name: what is done.
        base: the folder whose index it is done to.
        damage: does it to the file.
        found: whether `dedup index check` must tell, whatever a look at the tables says.
    """

    kind: str
    name: str
    base: str
    damage: Callable[[Path], None]
    found: bool


def prepare(folder: Path) -> None:
    """A small index with something in every table, one with a log, what is cleaned against them."""
    rows = [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]
    for base in BASES:
        (folder / base).mkdir(parents=True)
    index = folder / "main" / NAME
    # One moment for all runs, so that two indexes of the same records are the same.
    with mock.patch("dedup.index.index.time.time", return_value=1_700_000_000.0):
        _make(folder, index, rows)
    assert marks(folder / "main") == marks(folder / "earlier")
    assert len({marks(folder / base) for base in BASES}) == len(BASES) - 1


def marks(folder: Path) -> str:
    """`tables` of an index, in a copy."""
    copy = folder.with_name("marks")
    shutil.copytree(folder, copy)
    mark = tables(copy / NAME)
    shutil.rmtree(copy)
    return mark


def _make(folder: Path, index: Path, rows: list[dict[str, Any]]) -> None:
    call = "نشرة الرواق على بريدك كل صباح"
    for n, row in enumerate(rows[:6]):  # a line that stays once and is residue later
        more = {
            "id": f"r{n}",
            "source": "rewaq",
            "text": "\n".join((row["text"].split("\n")[0], call)),
        }
        dedup.clean([more], index=index)
    for part in (rows[:16], rows[16:30]):
        dedup.clean(part, index=index)
    with closing(sqlite3.connect(index)) as database:
        for name in row_forms.FORMS:
            assert database.execute(f"SELECT count(*) FROM {name}").fetchone()[0], name
        assert database.execute("SELECT count(*) FROM spread WHERE before NOT NULL").fetchone()[0]
    shutil.copy(index, folder / "earlier" / NAME)
    shutil.copy(index, folder / "middle" / NAME)
    dedup.clean(rows[30:34], index=folder / "middle" / NAME)
    shutil.copy(index, folder / "log" / NAME)
    with closing(sqlite3.connect(folder / "log" / NAME)) as holder:
        holder.execute("SELECT * FROM run").fetchall()
        for part in (rows[30:34], rows[34:36]):
            dedup.clean(part, index=folder / "log" / NAME)
        for name in (NAME, f"{NAME}-wal"):
            shutil.copy(folder / "log" / name, folder / f"copy-{name}")
    shutil.rmtree(folder / "log")
    (folder / "log").mkdir()
    for name in (NAME, f"{NAME}-wal"):
        shutil.move(folder / f"copy-{name}", folder / "log" / name)
    day = [*rows[36:44], {**rows[3], "id": "again"}, {**rows[20], "id": "more", "source": "x"}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in day)
    (folder / "day.jsonl").write_text(text, encoding="utf-8")
    dedup.clean(rows[44:], index=folder / "other.db")


# -- what is done to a file ------------------------------------------------------------------


def flipped(at: int, bits: int, suffix: str = "") -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with open(f"{path}{suffix}", "r+b") as file:
            file.seek(at)
            (byte,) = file.read(1)
            file.seek(at)
            file.write(bytes([byte ^ bits]))

    return damage


def cut(size: int, suffix: str = "") -> Callable[[Path], None]:
    return lambda path: os.truncate(f"{path}{suffix}", size)


def sql(*statements: str, schema: bool = False) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            if schema:
                database.execute("PRAGMA writable_schema = ON")
            for statement in statements:
                database.execute(statement)

    return damage


def summed_anew(database: sqlite3.Connection) -> None:
    """As somebody does who knows how: checksums and totals are right again."""
    for name, form in row_forms.FORMS.items():
        rows = database.execute(f"SELECT * FROM {name}").fetchall()
        database.execute(f"DELETE FROM {name}")
        marks = ", ".join("?" * (len(form._fields) + 1))
        rows = [(*row[:-1], row_forms.sum_of(row[:-1])) for row in rows]
        database.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        database.execute(
            "INSERT OR REPLACE INTO total VALUES (?, ?, ?)",
            (name, len(rows), sum(row[-1] for row in rows)),
        )


def edited(statement: str, values: tuple[Any, ...], anew: bool) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute(statement, values)
            if anew:
                summed_anew(database)
            database.commit()

    return damage


def column(name: str, change: Callable[[bytes], bytes], anew: bool) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            (first, data) = database.execute(f"SELECT first, {name} FROM segment").fetchone()
            database.execute(
                f"UPDATE segment SET {name} = ? WHERE first = ?", (change(data), first)
            )
            if anew:
                summed_anew(database)
            database.commit()

    return damage


def changes(dtype: Any) -> dict[str, Callable[[bytes], bytes]]:
    """What becomes of a deflated column."""

    def values(data: bytes) -> Any:
        return np.frombuffer(zlib.decompress(data), dtype=dtype)

    def again(found: Any) -> bytes:
        return zlib.compress(np.asarray(found).astype(dtype).tobytes(), 1)

    most = np.iinfo(dtype).max
    return {
        "one value less": lambda data: again(values(data)[:-1]),
        "one value more": lambda data: again(np.append(values(data), 1)),
        "nothing": lambda data: again(values(data)[:0]),
        "half a value less": lambda data: zlib.compress(zlib.decompress(data)[:-1]),
        "highest values": lambda data: again(np.full(values(data).size, most)),
        "highest last value": lambda data: again(np.append(values(data)[:-1], most)),
        "zeros": lambda data: again(0 * values(data)),
        "not deflated": zlib.decompress,
        "cut off": lambda data: data[: len(data) // 2],
        "more behind": lambda data: data + b"more",
        "a bomb": lambda _: zlib.compress(bytes(1 << 26)),
        "no bytes": lambda _: b"",
    }


WRONG = {
    "INTEGER": (-1, 1 << 60, "x"),
    "REAL": (-1.0, 1e300, "x", b"\xff"),
    "TEXT": (b"\xff\xfe",),
    "BLOB": ("x", b"\xc1", b"\x91\xcf" + b"\xff" * 8),
}


def trials(folder: Path) -> list[Trial]:
    """All that is done, always the same for the same indexes."""
    out: list[Trial] = []
    for base, suffix, flips, kind in (
        ("main", "", FLIPS, "a byte of the file is flipped"),
        ("log", "-wal", LOG_FLIPS, "a byte of the log is flipped"),
    ):
        size = (folder / base / f"{NAME}{suffix}").stat().st_size
        for n in range(flips):
            at = n * size // flips + n % 7
            bits = 255 if n % 3 == 0 else 1 << n % 8
            out.append(Trial(kind, f"byte {at} by {bits}", base, flipped(at, bits, suffix), False))
        for n in range(CUTS):
            at = 1 + n * size // CUTS  # an empty file is an index that is made
            name = f"{suffix or 'file'} cut at {at}"
            damage = cut(at, suffix)
            # A log that ends early is as one whose last commits were not.
            short = "the log is cut off" if suffix else "the file is cut off"
            out.append(Trial(short, name, base, damage, False))
    for name, dtype in COLUMNS.items():
        for n, (what, change) in enumerate(changes(dtype).items()):
            for anew in (True, False)[: 1 + (n % 4 == 0)]:  # a checksum tells one as another
                known = f"{name}: {what}{', summed anew' * anew}"
                # Nobody can tell other numbers of these from those that were there.
                found = what not in ("highest values", "highest last value", "zeros")
                kind = "a column of a segment is another"
                out.append(Trial(kind, known, "main", column(name, change, anew), found))
    probe = folder / f"probe{os.getpid()}.db"  # whoever looks at an index makes files beside it
    shutil.copy(folder / "main" / NAME, probe)
    with closing(sqlite3.connect(probe)) as database:
        for table in row_forms.FORMS:
            if table == "segment":
                continue
            info = database.execute(f"PRAGMA table_info({table})").fetchall()
            for _, name, kind, *_ in info[:-1]:
                for n, value in enumerate(WRONG[kind]):
                    if table == "record" and name == "content" and isinstance(value, int):
                        continue  # any number is one
                    for anew in (True, False)[: 1 + (n == 0)]:
                        # The last row; keys are numbers by SQLite itself.
                        key = info[0][1]
                        statement = (
                            f"UPDATE OR IGNORE {table} SET {name} = ? WHERE {key} = "
                            f"(SELECT {key} FROM {table} ORDER BY {key} DESC LIMIT 1)"
                        )
                        with contextlib.suppress(sqlite3.Error):
                            database.execute("SAVEPOINT probe")
                            database.execute(statement, (value,))
                            out.append(
                                Trial(
                                    "a row says what cannot be",
                                    f"{table}.{name} = {value!r}{', summed anew' * anew}", "main",
                                    edited(statement, (value,), anew), True,
                                )
                            )  # fmt: skip
                        database.execute("ROLLBACK TO probe")
        for name, form in row_forms.FORMS.items():
            key = form._fields[0]
            last = f"DELETE FROM {name} WHERE {key} = (SELECT max({key}) FROM {name})"
            out.append(Trial("rows are gone", f"the last of {name}", "main", sql(last), True))
    for statement in (
        "UPDATE segment SET blocks = 65536 WHERE first = 0",
        "UPDATE segment SET first = first + 1 WHERE first = 0",
        "UPDATE segment SET first = 1 << 52 WHERE first = (SELECT max(first) FROM segment)",
        "DELETE FROM segment WHERE first = 0",
        "UPDATE record SET texts = 2147483647",
        "UPDATE record SET first = 0",
        "UPDATE record SET first = 4503599627370496",
        "UPDATE record SET source = 999",
        "UPDATE record SET run = 999",
        "UPDATE spread SET block = 1000000 + block",
        "UPDATE spread SET places = 2147483647, stories = 2147483647",
        "UPDATE residue SET block = 1000000 + block",
        "UPDATE habit SET source = 900 + source",
        "UPDATE source SET records = 2147483647",
        "UPDATE meta SET value = 'x x y' WHERE name = 'bands'",
        "UPDATE meta SET value = '99999999999999999999 x 5' WHERE name = 'bands'",
        "UPDATE meta SET value = '1 x 1' WHERE name = 'bands'",
        "DELETE FROM record",
        "DELETE FROM source",
    ):
        damage = edited(statement, (), True)
        told = "places" not in statement  # they may be that many
        out.append(Trial("rows contradict each other", statement, "main", damage, told))
    change = "UPDATE sqlite_master SET sql = replace(sql, 'leader INTEGER', 'leader TEXT')"
    for planted in (
        ("CREATE TRIGGER obeyed AFTER INSERT ON record BEGIN DELETE FROM record; END",),
        ("CREATE TRIGGER obeyed BEFORE INSERT ON run BEGIN SELECT raise(ABORT, 'obeyed'); END",),
        ("CREATE VIEW obeyed AS SELECT * FROM record",),
        ("CREATE TABLE kept AS SELECT * FROM habit", "DROP TABLE habit",
         "CREATE VIEW habit AS SELECT * FROM kept"),
        ("CREATE TABLE stranger (x)",),
        ("CREATE INDEX stranger ON record (id)",),
        ("DROP TABLE habit",),
        ("DROP INDEX record_first",),
        ("ALTER TABLE record ADD COLUMN more TEXT DEFAULT 'x'",),
        ("ALTER TABLE record RENAME COLUMN leader TO led",),
        ("ANALYZE",),
        ("PRAGMA application_id = 7",),
        ("PRAGMA user_version = 0",),
        ("PRAGMA user_version = 99",),
        ("INSERT INTO total VALUES ('stranger', 1, 1)",),
        ("UPDATE total SET rows = 'x'",),
        ("DELETE FROM total",),
        (change,),
        ("DELETE FROM sqlite_master WHERE name = 'spread'",),
        ("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'spread'",),
    ):  # fmt: skip
        out.append(
            Trial("something is planted", "; ".join(planted), "main",
                  sql(*planted, schema="sqlite_master" in planted[0]), True)
        )  # fmt: skip
    return out


# -- what the program says -------------------------------------------------------------------


def said(*words: str) -> tuple[int, bytes, str]:
    """The exit code of a command, what it prints, and what it complains of."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(list(words))
    out.flush()
    return code, out.buffer.getvalue(), err.getvalue()


COMMANDS: dict[str, tuple[str, ...]] = {
    "clean": ("clean", "day.jsonl", "--index", NAME, "-o", "out.jsonl", "-q"),
    "check": ("index", "check", NAME),
    "info": ("index", "info", NAME),
    "export": ("index", "export", NAME),
    "review": ("index", "review", NAME),
    "prune": ("index", "prune", NAME, "--older-than", "9000d"),
    "merge": ("index", "merge", NAME, "other.db"),
    "merged": ("index", "merge", "other.db", NAME),
}


def answers(base: Path, folder: Path, damage: Callable[[Path], None] | None) -> dict[str, Any]:
    """What each command says of an index, each of one that no command has touched."""
    found: dict[str, Any] = {}
    work = folder / f"work{os.getpid()}"
    for name, words in COMMANDS.items():
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base, work)
        for more in ("day.jsonl", "other.db"):
            shutil.copy(folder / more, work)
        if damage is not None:
            damage(work / NAME)
        if name == "check":
            found["tables"] = tables(work / NAME)
        os.chdir(work)
        try:
            code, out, err = said(*words)
        finally:
            os.chdir(folder)
        if name == "info":  # how large the file is may change
            out = b"\n".join(out.split(b"\n")[1:])
        written = [path.read_bytes() for path in sorted(work.glob("out*"))]
        if name == "clean" and code == 0:
            assert len(written) > 1, "nothing was written"
        elif name == "clean":
            assert not written, "a file was written all the same"
        found[name] = (code, (out + b"".join(written)).hex(), err)
    shutil.rmtree(work)
    return found


def tables(path: Path) -> str:
    """A mark of all that SQLite reads in an index; "" where it cannot."""
    copy = path.with_name("looked.db")
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    mark = 0
    try:
        with closing(sqlite3.connect(copy)) as database:
            for name in ("sqlite_master", "total", *row_forms.FORMS):
                for row in database.execute(f"SELECT * FROM {name}"):
                    mark = zlib.crc32(repr(row).encode(), mark)
            for (size,) in database.execute("PRAGMA user_version"):
                mark = zlib.crc32(repr(size).encode(), mark)
    except (sqlite3.Error, ValueError, OverflowError):
        return ""
    return str(mark)


def made_anew(trial: Trial) -> bool:
    """Whether somebody made it who knows how: other numbers cannot be told from right ones then,
    and it is only looked for what is safe.
    """
    return "summed anew" in trial.name or trial.kind == "rows contradict each other"


def wrong(trial: Trial, got: dict[str, Any], right: list[dict[str, Any]]) -> str | None:
    """What of the answers is none that may be given; None if all are."""
    for name in COMMANDS:
        code, out, err = got[name]
        if code == 2:
            if not (err.startswith("dedup: ") and err.count("\n") == 1 and err.endswith("\n")):
                return f"{name} says not one line: {err!r}"
        elif code == 0:
            if not made_anew(trial) and (code, out, err) not in [answer[name] for answer in right]:
                return f"{name} gives another answer, and no error"
        elif name != "check" or err:
            return f"{name} gives {code} and {err!r}"
    changed = not made_anew(trial) and got["tables"] not in [answer["tables"] for answer in right]
    if got["check"][0] == 0 and (changed or trial.found):
        return "check finds nothing"
    return None


def lines(folder: Path, first: int, end: int) -> Iterator[dict[str, Any]]:
    every = trials(folder)
    right = {base: answers(folder / base, folder, None) for base in BASES}
    for answer in right.values():
        assert all(answer[name][0] == 0 for name in COMMANDS), answer
    yield {"ready": len(every)}
    for number in range(first, min(end, len(every))):
        trial = every[number]
        may = [right[trial.base]]
        if trial.base == "log":  # the commits before the damage are an index, too
            may += [right["earlier"], right["middle"]]
        yield {"begins": number}
        try:
            got = answers(folder / trial.base, folder, trial.damage)
        except BaseException as error:
            yield {"trial": number, "kind": trial.kind, "wrong": f"{trial.name}: {error!r}"}
            continue
        bad = wrong(trial, got, may)
        codes = Counter(got[name][0] for name in COMMANDS)
        yield {
            "trial": number, "kind": trial.kind, "wrong": bad and f"{trial.name}: {bad}",
            "told": got["check"][0] != 0, "refused": codes[2],
        }  # fmt: skip


if __name__ == "__main__":
    # Numbers that NumPy warns of are no index to be believed, but no crash either.
    for line in lines(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])):
        print(json.dumps(line), flush=True)
