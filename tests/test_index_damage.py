"""A damaged index: no command crashes, none gives a wrong answer, and `check` finds it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import damage
import numpy as np
import pytest
import trials
from test_index import SENTENCES, seeds

import dedup
from dedup.index import log
from dedup.index import rows as row_forms
from dedup.index.index import Index
from dedup.index.segments import ACTIVE, COLUMNS, packed, unpacked
from dedup.index.store import ROOM, Store

TOGETHER = 140  # trials of a process
FOUND = "no command crashes or gives another answer; check finds all that changes what is read"


def tried(folder: Path, first: int, end: int) -> list[dict[str, object]]:
    """The results of some trials; a process that dies is the result of the one it was at."""
    out: list[dict[str, object]] = []
    while first < end:
        done = subprocess.run(
            [sys.executable, damage.__file__, str(folder), str(first), str(end)],
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines, done.stderr
        out += [line for line in lines if "trial" in line]
        if done.returncode == 0:
            break
        (at,) = [line["begins"] for line in lines if "begins" in line][-1:]
        trial = damage.trials(folder)[at]
        told = done.stderr.splitlines()[-1:]
        wrong = f"{trial.name}: the process ended with {done.returncode}: {told}"
        out.append({"trial": at, "kind": trial.kind, "wrong": wrong, "told": False})
        first = at + 1
    return out


def test_damage_is_found_and_told_in_one_line(tmp_path, capsys):
    folder = tmp_path / "damage"
    damage.prepare(folder)
    count = len(damage.trials(folder))
    parts = range(0, count, TOGETHER)
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda at: tried(folder, at, min(at + TOGETHER, count)), parts)
        results = [result for part in found for result in part]
    kinds: dict[str, list[dict[str, object]]] = defaultdict(list)
    for result in results:
        kinds[str(result["kind"])].append(result)
    with capsys.disabled():
        print(f"\n{'damage to an index':42} {'trials':>6} {'told by check':>13} {'wrong':>5}")
        for kind, some in kinds.items():
            told, bad = (sum(bool(result.get(key)) for result in some) for key in ("told", "wrong"))
            print(f"{kind:42} {len(some):6} {told:13} {bad:5}")
        print(f"{'all':42} {count:6}   ({len(damage.COMMANDS)} commands each: {FOUND})")
    trials.tried("index", count, sum(bool(result["wrong"]) for result in results))
    assert [result["wrong"] for result in results if result["wrong"]] == []
    assert len(results) == count >= 300
    assert all(any(result["told"] for result in some) for kind, some in kinds.items()
               if kind != "the log is cut off")  # fmt: skip


# -- one by one ------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    dedup.clean(seeds()[:9], index=tmp_path / "news.db")
    return tmp_path / "news.db"


def refused(path, *, seed=1):
    with pytest.raises(dedup.IndexFileError) as wrong:
        dedup.clean(seeds()[9:12], index=path, seed=seed)
    (line,) = str(wrong.value).splitlines()
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def test_an_index_of_an_older_version_is_refused(path):
    with closing(sqlite3.connect(path)) as database:
        for name in row_forms.FORMS:
            database.execute(f"DROP TABLE {name}")
        database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        database.execute("INSERT INTO meta VALUES ('schema', '1')")
        database.execute("PRAGMA user_version = 0")
        database.commit()
    assert refused(path) == (
        "made with schema 1, not 2; use the version of this program that made it, or another index"
    )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END",
         "holds a trigger 't', which this program does not make; use another index"),
        ("CREATE VIEW v AS SELECT 1",
         "holds a view 'v', which this program does not make; use another index"),
        ("CREATE INDEX i ON record (id)",
         "holds a index 'i', which this program does not make; use another index"),
        ("DROP TABLE habit", "lacks its table 'habit'; use another index"),
        ("ALTER TABLE run ADD COLUMN x",
         "its table 'run' is not as this program makes it; use another index"),
    ],
)  # fmt: skip
def test_what_is_planted_is_named(path, statement, said):
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        before = list(database.iterdump())
    assert refused(path) == said
    with closing(sqlite3.connect(path)) as database:
        assert list(database.iterdump()) == before


def test_another_program_s_database_is_left_as_it_is(tmp_path):
    path = tmp_path / "own.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (x)")
        database.commit()
    before = path.read_bytes()
    assert refused(path) == "a database, but not an index of this program"
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["own.db"]


def test_columns_tell_all_their_names():
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in row_forms.TABLES:
            database.execute(statement)
        for name, form in row_forms.FORMS.items():
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({name})")]
            assert columns == [*form._fields, "sum"]


def test_a_bomb_takes_no_more_room_than_its_row_may(path, monkeypatch):
    with closing(Store(path, None)) as store:
        segment = store.segment(0)
        row = row_forms.Columns(*packed(segment))
        taken = []
        inflate = zlib.decompressobj

        class Watched:
            def __init__(self):
                self._inner = inflate()

            def decompress(self, data, most):
                found = self._inner.decompress(data, most)
                taken.append(len(found))
                return found

            def __getattr__(self, name):
                return getattr(self._inner, name)

        monkeypatch.setattr(zlib, "decompressobj", Watched)
        for name in COLUMNS:
            bomb = row._replace(**{name: zlib.compress(bytes(1 << 28), 9)})
            with pytest.raises(row_forms.Damaged):
                unpacked(bomb, store.bands)
        full = np.full(segment.key.size, 0xFFFFFFFF, dtype=np.uint32).tobytes()
        bomb = row._replace(length=zlib.compress(full), tokens=zlib.compress(bytes(1 << 20)))
        with pytest.raises(row_forms.Damaged, match="more than"):
            unpacked(bomb, store.bands)
    sizes = {name: getattr(segment, name).nbytes for name in COLUMNS if name != "length"}
    assert max(taken) <= max(*sizes.values(), 4 * segment.key.size) + 1


def test_columns_that_contradict_each_other_reach_no_loop(path):
    with closing(Store(path, None)) as store:
        segment, bands = store.segment(0), store.bands
    n = segment.key.size
    active = segment.flags & ACTIVE != 0
    assert 0 < active.sum() < n
    other = {
        "key": [np.where(active, 0, segment.key), np.where(active, segment.key, 5)],
        "start": [segment.start - 10_000_000, segment.start + 2_147_483_000],
        "size": [segment.size - 10_000, segment.size + 2_147_483_600],
        "flags": [segment.flags | 64, segment.flags ^ ACTIVE, 0 * segment.flags],
        "bands": [segment.bands + 1, segment.bands[::-1], segment.bands[:-1]],
        "tokens": [segment.tokens[:-1], np.append(segment.tokens, 7), segment.tokens[:0]],
        "pointer": [segment.pointer[::-1], np.minimum(segment.pointer, 3), 0 * segment.pointer],
    }
    for name, columns in other.items():
        for column in columns:
            values = np.asarray(column).astype(getattr(segment, name).dtype)
            row = row_forms.Columns(*packed(segment._replace(**{name: values})))
            with pytest.raises(row_forms.Damaged):
                unpacked(row, bands)
    assert unpacked(row_forms.Columns(*packed(segment)), bands).tokens.size == segment.tokens.size


# -- the log ---------------------------------------------------------------------------------


def naive_checksum(words, before):
    one, two = before
    for at in range(0, len(words), 2):
        one = (one + words[at] + two) % 2**32
        two = (two + words[at + 1] + one) % 2**32
    return [one, two]


def test_checksums_of_a_log():
    rng = np.random.default_rng(3)
    for pairs in (1, 2, 5, 514):
        words = rng.integers(0, 2**32, size=(3, 2 * pairs), dtype=np.uint32)
        before = rng.integers(0, 2**32, size=(3, 2), dtype=np.uint32)
        assert log._checksums(words, before).tolist() == [
            naive_checksum(*row) for row in zip(words.tolist(), before.tolist(), strict=True)
        ]


@pytest.mark.parametrize("page", [512, 4096, 65536])
def test_a_log_that_only_ends_is_not_damaged(tmp_path, page):
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"PRAGMA page_size = {page}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (x)")
        wal = f"{path}-wal"
        for n in range(40):
            database.execute("INSERT INTO t VALUES (randomblob(700))")
            if n == 20:  # so that frames of an earlier log lie behind
                database.execute("PRAGMA wal_checkpoint(RESTART)")
            assert log.damage(wal) is None
        whole = Path(wal).read_bytes()
        frames = [whole[at : at + 24] for at in range(32, len(whole), page + 24)]
        used = 32 + (page + 24) * sum(frame[8:16] == whole[16:24] for frame in frames)
        assert 32 < used < len(whole)
        for size in range(0, len(whole), 997):
            Path(tmp_path / "cut").write_bytes(whole[:size])
            assert log.damage(str(tmp_path / "cut")) is None, size
        Path(tmp_path / "cut").write_bytes(whole + bytes(99_999))
        assert log.damage(str(tmp_path / "cut")) is None
        for at in range(0, used, 1 + used // 300):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << at % 8
            Path(tmp_path / "cut").write_bytes(flipped)
            assert log.damage(str(tmp_path / "cut")) is not None, at
    assert log.damage(str(tmp_path / "none")) is None


# -- places ----------------------------------------------------------------------------------


def command(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "dedup", *words], cwd=folder, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def written(folder):
    (folder / "in.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in seeds()[9:12])
    )


def test_places_that_cannot_be_an_index_are_one_line(tmp_path):
    written(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "short").write_bytes(b"x")
    clean = ("clean", "in.jsonl", "-q", "-o", "out.jsonl", "--index")
    for name, said in (
        ("", "the name is empty"),
        ("folder", "a folder, not an index"),
        ("loop", "Too many levels of symbolic links"),
        ("none/news.db", "its folder does not exist; make it first"),
        ("in.jsonl/news.db", "its folder does not exist; make it first"),
        ("in.jsonl", "file is not a database"),
        ("short", "file is not a database"),
    ):
        for words in ((*clean, name), ("index", "check", name), ("index", "merge", name, name)):
            done = command(tmp_path, *words)
            assert done.returncode == 2, words
            (line,) = done.stderr.splitlines()
            assert line.startswith("dedup: ")
            assert said in line or "no such index" in line, line
        assert not (tmp_path / "out.jsonl").exists()
    for age in ("9" * 400 + "d", "1" * 5000 + "h", "-1d", "d", "", "٣d"):
        done = command(tmp_path, "index", "prune", "short", f"--older-than={age}")
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "is no age; try 90d, 12h or 8w" in line
        assert len(line) < 200


def as_somebody(words, folder):
    """The exit code and the complaint of a command that somebody gives who may not do all."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            if os.geteuid() == 0:
                os.setgroups([])
                os.setegid(65534)
                os.seteuid(65534)
            code, _, err = damage.said(*words)
            os.write(writes, json.dumps([code, err]).encode())
        except BaseException as error:
            os.write(writes, json.dumps([-1, repr(error)]).encode())
        finally:
            os._exit(0)
    os.close(writes)
    os.waitpid(child, 0)
    with open(reads, "rb") as pipe:
        return json.loads(pipe.read())


def test_a_file_that_may_not_be_read_or_written_is_one_line(path):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        written(folder)
        for part, mode in (("unreadable", 0o000), ("readonly", 0o444), ("good", 0o644)):
            (folder / part).mkdir()
            shutil.copy(path, folder / part / "news.db")
            (folder / part / "news.db").chmod(mode)
        (folder / "readonly").chmod(0o555)
        (folder / "unreadable").chmod(0o555)
        for part in ("good", "unreadable", "readonly"):  # all that is imported is, then
            where = f"{part}/news.db"
            for words in (
                ("clean", "in.jsonl", "-q", "--dry-run", "--index", where),
                ("index", "prune", where, "--older-than", "1d"),
                ("index", "info", where),
            ):
                if part == "good":
                    here = Path.cwd()
                    os.chdir(folder)
                    assert damage.said(*words)[0] == 0
                    os.chdir(here)
                    continue
                code, err = as_somebody(words, folder)
                assert code == 2, err
                *others, line = err.splitlines()
                # Somebody else may not read this user's machine code.
                assert all("machine code" in told or "compiling" in told for told in others), err
                assert line.startswith(f"dedup: {where}: "), err
        (folder / "readonly").chmod(0o755)
        (folder / "unreadable").chmod(0o755)


@pytest.mark.parametrize("after", ["begin", "prepare"])
@pytest.mark.parametrize("replaced", [False, True])
def test_an_index_that_is_deleted_meanwhile_is_told(path, after, replaced):
    config = dedup.Config()
    with closing(Index(path, config)) as index:
        index.begin()
        if after == "prepare":
            index.prepare()
        path.rename(path.with_name("away.db"))
        if replaced:
            shutil.copy(path.with_name("away.db"), path)
        with pytest.raises(dedup.IndexFileError, match="deleted or replaced while it was in use"):
            index.commit()


def test_a_run_whose_index_is_deleted_fails(tmp_path, path, monkeypatch):
    remember = Index.remember

    def gone(self, *arguments):
        remember(self, *arguments)
        path.unlink()

    monkeypatch.setattr(Index, "remember", gone)
    assert "deleted or replaced" in refused(path)


# -- room ------------------------------------------------------------------------------------

FULL_DISK = """
import resource, sys
from pathlib import Path
import dedup
from dedup.index.index import Index
from dedup.index.segments import EMPTY
path, limit, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
index = Index(path, dedup.Config())
index.begin()
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    run = index._store.add_run(1.0, 0)
    index._store.write("source", [(f"outlet {n} " + 200 * "x", 0) for n in range(rows)])
    index.prepare()
except dedup.IndexFileError as error:
    assert str(error).startswith(path) and "\\n" not in str(error), error
    print("refused")
else:
    index.commit()
    print("written")
index.close()
"""


@pytest.mark.parametrize("rows", [10, 3000, 40_000])
def test_a_full_disk_is_noticed_before_the_commit(tmp_path, path, rows):
    """What has been prepared is committed, however little room there is."""
    most = ROOM + 2_000 * rows + (1 << 20)
    said = []
    for step in range(9):
        limit = most * step // 8
        copy = tmp_path / f"{step}.db"
        shutil.copy(path, copy)
        done = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(copy), str(limit), str(rows)],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said.append(done.stdout.strip())
        with closing(Store(copy, None)) as store:
            names = len(store.sources())
        assert (names > rows) == (said[-1] == "written")
    assert said == sorted(said)
    assert set(said) == {"refused", "written"}


def test_what_was_prepared_can_be_rolled_back(path):
    with closing(Index(path, dedup.Config())) as index:
        index.begin()
        index._store.add_run(1.0, 0)
        index.prepare()
        index.rollback()
    with closing(Store(path, None)) as store:
        assert len(store.runs()) == 1
        assert store.complaints(alone=True) == []
    again = dedup.clean([{"id": "x", "text": SENTENCES[0]}], index=path)
    assert [row["id"] for row in again] == ["x"]
