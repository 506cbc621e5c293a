"""An index shared through a real Redis server: what one member saw, the others know."""

from __future__ import annotations

import io
import json
import logging
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import zlib
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
import redis
import trials
from test_index import SENTENCES, seeds, written

import dedup
from dedup.index import address, entries, shared
from dedup.index.index import Index
from dedup.index.segments import COLUMNS
from dedup.stream import clean_stream

SOCKET = Path(tempfile.gettempdir()) / f"dedup-{os.getpid()}.sock"  # its path must be short


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    program = shutil.which("redis-server")
    assert program, "these tests need Debian's redis-server: apt-get install redis-server"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
         "--unixsocket", str(SOCKET)],
        cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    client = redis.Redis(port=port)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    client.close()
    process.terminate()
    process.wait()
    SOCKET.unlink(missing_ok=True)


@pytest.fixture
def index(server, request):
    return f"{server}?basename={abs(hash(request.node.name))}"


@pytest.fixture
def client(server):
    with redis.Redis.from_url(server) as client:
        yield client


def key(index, what):
    return f"dedup:{index.partition('=')[2]}:{what}"


def test_one_member_knows_what_another_saw(index):
    with dedup.Cleaner(index=index) as one, dedup.Cleaner(index=index) as other:
        assert one({"id": "a", "text": SENTENCES[0]})["text"] == SENTENCES[0]
        assert other({"id": "b", "text": SENTENCES[0]}) is None
        assert other({"id": "c", "text": SENTENCES[1]})["text"] == SENTENCES[1]
        assert one({"id": "d", "text": SENTENCES[1]}) is None
    with dedup.Cleaner(index=index) as late:
        assert late({"id": "e", "text": SENTENCES[1]}) is None


def test_members_at_work_at_once_say_each_thing_once(index):
    kept = []

    def work(member):
        with dedup.Cleaner(index=index) as clean:
            for n, text in enumerate(SENTENCES):
                if clean({"id": f"{member}-{n}", "text": text}) is not None:
                    kept.append(text)

    members = [threading.Thread(target=work, args=(member,)) for member in range(3)]
    for member in members:
        member.start()
    for member in members:
        member.join()
    assert sorted(kept) == sorted(SENTENCES)


def test_it_says_what_a_file_says(index, tmp_path):
    rows = seeds()
    for at in range(0, len(rows), 12):
        part = rows[at : at + 12]
        here, there = (dedup.clean(part, index=where) for where in (tmp_path / "news.db", index))
        assert list(here) == list(there)
        assert list(here.removals) == list(there.removals)


def test_a_member_that_dies_holds_nobody_up_for_long(index, monkeypatch):
    monkeypatch.setattr(shared, "HELD", 0.5)
    dying = shared.SharedStore(index, dedup.Config())
    dying.begin()
    dying._hold.done.set()  # no more signs of life
    with dedup.Cleaner(index=index) as clean:
        assert clean({"id": "a", "text": SENTENCES[0]}) is not None
    dying.add_run(0.0, 1)
    with pytest.raises(dedup.IndexFileError, match="the lock was lost"):
        dying.commit()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.split("?")[0], "say which index is meant"),
        (lambda url: url.replace("127.0.0.1:", "127.0.0.1:99"), "port out of range 1-65535"),
        (lambda url: "redis://127.0.0.1:1/0?basename=x", "Connection refused"),
    ],
)
def test_what_cannot_be_used_is_told(index, change, said):
    with pytest.raises(dedup.IndexFileError, match=said):
        dedup.Cleaner(index=change(index))


def test_other_settings_are_refused(index):
    dedup.clean(seeds()[:2], index=index)
    with pytest.raises(dedup.IndexFileError, match="made with seed 1, not 7"):
        dedup.clean(seeds()[:2], index=index, seed=7)


def test_the_command_takes_the_address(index, tmp_path):
    for id_ in ("a", "b"):
        (tmp_path / "in.jsonl").write_text(json.dumps({"id": id_, "text": SENTENCES[0]}))
        done = subprocess.run(
            [sys.executable, "-m", "dedup", "clean", "in.jsonl", "--index", index, "-o",
             f"{id_}.jsonl", "-q"],
            cwd=tmp_path, capture_output=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.jsonl").read_text()
    assert not (tmp_path / "b.jsonl").read_text()


# -- a member that pauses ----------------------------------------------------------------------


def taken_over(index, client, text):
    """What happens while a member pauses: its lock is gone, and another says the same."""
    client.delete(key(index, "lock"))
    with dedup.Cleaner(index=index) as other:
        return other({"id": "other", "text": text})


def paused(monkeypatch, method, then):
    """Have something happen once before a method of an index, which gives no signs of life."""
    monkeypatch.setattr(shared.SharedStore, "_renew", lambda *_: None)
    real = getattr(Index, method)

    def called(*args, **options):
        monkeypatch.setattr(Index, method, real)
        then()
        return real(*args, **options)

    monkeypatch.setattr(Index, method, called)


def test_a_member_that_paused_publishes_nothing(index, client, tmp_path, monkeypatch):
    source = written(tmp_path / "in.jsonl", [{"id": "a", "text": SENTENCES[0]}])
    out = tmp_path / "out.jsonl"
    dedup.clean([{"id": "z", "text": SENTENCES[2]}], out)
    earlier = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    said = []
    paused(monkeypatch, "prepare", lambda: said.append(taken_over(index, client, SENTENCES[0])))
    with pytest.raises(dedup.IndexFileError, match=r"lock was lost.*nothing was written, run it"):
        dedup.clean(source, out, index=index)
    assert said[0]["text"] == SENTENCES[0]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == earlier
    dedup.clean(source, out, index=index)  # as it was told
    assert out.read_text() == ""


def test_a_cleaner_that_paused_hands_out_nothing_and_goes_on(index, client, monkeypatch):
    with dedup.Cleaner(index=index) as clean:
        said = []
        paused(monkeypatch, "prepare", lambda: said.append(taken_over(index, client, SENTENCES[0])))
        with pytest.raises(dedup.IndexFileError, match="nothing was written, run it again"):
            clean({"id": "a", "text": SENTENCES[0]})
        assert said[0]["text"] == SENTENCES[0]
        assert clean({"id": "a", "text": SENTENCES[0]}) is None
        assert clean({"id": "b", "text": SENTENCES[1]})["text"] == SENTENCES[1]


def test_a_pause_after_the_last_look_is_told_as_it_is(index, client, tmp_path, monkeypatch):
    """What was published is taken back; a stream's records, which are not, may be said again."""
    source = written(tmp_path / "in.jsonl", [{"id": "a", "text": SENTENCES[0]}])
    paused(monkeypatch, "commit", lambda: taken_over(index, client, SENTENCES[1]))
    with pytest.raises(dedup.IndexFileError) as told:
        dedup.clean(source, tmp_path / "out.jsonl", index=index)
    assert "outputs may be written, but what was seen is not remembered" in str(told.value)
    assert "nothing was written" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    with dedup.Cleaner(index=index) as late:  # a repetition, and no loss
        assert late({"id": "b", "text": SENTENCES[0]})["text"] == SENTENCES[0]
        assert late({"id": "c", "text": SENTENCES[1]}) is None


@pytest.mark.parametrize("step", ["prepare", "commit"])
def test_too_long_a_pause_is_seen_without_asking(index, client, step):
    """Even where the server has forgotten to count the time."""
    with closing(shared.SharedStore(index, dedup.Config())) as store:
        store.begin()
        store.add_run(0.0, 1)
        if step == "commit":
            store.prepare()
        store._hold.done.set()
        store._hold.confirmed -= shared.HELD
        asked = []
        store._script = lambda script, *_: asked.append(script)
        with pytest.raises(dedup.IndexFileError, match="the lock was lost"):
            getattr(store, step)()
    assert asked == [shared._RELEASE]
    assert client.llen(key(index, "log")) == 0


def test_what_was_looked_at_is_ours_for_the_whole_time_of_the_lock(index, client, monkeypatch):
    monkeypatch.setattr(shared.SharedStore, "_renew", lambda *_: None)
    with closing(shared.SharedStore(index, dedup.Config())) as store:
        store.begin()
        store.add_run(0.0, 1)
        client.pexpire(key(index, "lock"), 10_000)
        store._hold.confirmed -= 20
        store.prepare()
        assert client.pttl(key(index, "lock")) > 20_000
        assert time.monotonic() - store._hold.confirmed < 20
        store.commit()
    assert client.llen(key(index, "log")) == 1
    assert not [name for name in client.keys(key(index, "*")) if b"lock" in name or b"pend" in name]


class Turns:
    """An event that nobody sets for some turns."""

    def __init__(self, turns):
        self.waits = []
        self._turns = turns

    def wait(self, seconds):
        self.waits.append(seconds)
        return len(self.waits) > self._turns


def test_a_sign_of_life_that_fails_is_given_again_and_soon(index):
    with closing(shared.SharedStore(index, dedup.Config())) as store:
        store.begin()
        hold = store._hold
        hold.done.set()
        before, hold.done = hold.confirmed, Turns(3)
        answers = [dedup.IndexFileError("no answer"), OSError("worse"), 1]

        def run(*_):
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        store._script = run
        store._renew(hold)
        held = shared.HELD
        assert hold.done.waits == [held / 3, held / 30, held / 30, held / 3]
        assert hold.confirmed > before
        hold.done, answers[:] = Turns(3), [0]
        store._renew(hold)
        assert hold.lost
        assert answers == []
        hold.done = threading.Event()
        del store._script
        with pytest.raises(dedup.IndexFileError, match="the lock was lost"):
            store.prepare()


def test_one_that_cannot_renew_says_so_where_it_matters(index, capfd, monkeypatch):
    """Not in a thread of its own, that dies with a traceback."""
    ends = []
    monkeypatch.setattr(threading, "excepthook", ends.append)
    with closing(shared.SharedStore(index, dedup.Config())) as store:
        store.begin()
        store.add_run(0.0, 1)
        store._hold.done.set()
        store._hold.done = Turns(1000)
        real, store._script = store._script, lambda *_: (_ for _ in ()).throw(OSError("gone"))
        thread = threading.Thread(target=store._renew, args=(store._hold,))
        monkeypatch.setattr(shared, "HELD", 0.0)
        thread.start()
        thread.join()
        store._hold.done, store._script = threading.Event(), real
        with pytest.raises(dedup.IndexFileError, match="nothing was written"):
            store.prepare()
    assert ends == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("lost", "known"), [(1, None), (99, "may be, or not")])
def test_an_answer_that_got_lost_is_asked_for_again(index, client, monkeypatch, lost, known):
    """What the server has done already is not taken for the work of somebody else."""
    monkeypatch.setattr(shared, "WAIT", 0.0)
    with closing(shared.SharedStore(index, dedup.Config())) as store:
        real, answers = store._server.eval, {}

        def answer(script, *arguments):
            found = real(script, *arguments)
            answers[script] = answers.get(script, 0) + 1
            if script == shared._COMMIT and answers[script] <= lost:
                raise redis.ConnectionError("the answer got lost")
            return found

        store._server.eval = answer
        store.begin()
        assert real(shared._TAKE, 1, store._lock, store._hold.token, 1000) == 1
        store.add_run(0.0, 1)
        store.prepare()
        if known:
            with pytest.raises(dedup.IndexFileError, match=known):
                store.commit()
        else:
            store.commit()
        assert client.llen(key(index, "log")) == 1
        store.begin()
        assert [run for run, *_ in store.runs()] == [1]
        store.rollback()


def test_a_stream_is_remembered_once_it_is_written(index, client, tmp_path):
    lengths = []

    class Out(io.BytesIO):
        def write(self, data):
            lengths.append(client.llen(key(index, "log")))
            return super().write(data)

    def stream(text, out):
        source = written(tmp_path / "in.jsonl", [{"id": "a", "text": text}])
        with source.open("rb") as file, dedup.Cleaner(index=index) as cleaner:
            clean_stream(file, cleaner, out)

    stream(SENTENCES[0], Out())
    assert lengths == [0]
    assert client.llen(key(index, "log")) == 1


@pytest.mark.parametrize("kind", ["shared", "file"])
def test_what_could_not_be_written_is_not_remembered(index, tmp_path, kind):
    where = index if kind == "shared" else str(tmp_path / "news.db")

    class Closed(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError

    source = written(tmp_path / "in.jsonl", [{"id": "a", "text": SENTENCES[0]}])
    with (
        pytest.raises(BrokenPipeError),
        source.open("rb") as file,
        dedup.Cleaner(index=where) as cleaner,
    ):
        clean_stream(file, cleaner, Closed())
    with dedup.Cleaner(index=where) as late:
        assert late({"id": "b", "text": SENTENCES[0]}) is not None


def test_much_is_told_in_pieces_and_all_at_once(index, client, monkeypatch):
    monkeypatch.setattr(entries, "PIECE", 512)
    monkeypatch.setattr(shared, "BYTES", 10_000)
    rows = seeds()
    told = list(dedup.clean(rows, index=index))
    assert client.llen(key(index, "log")) > 10
    with dedup.Cleaner(index=index) as late:
        again = [{**row, "dedup": {**row["dedup"], "run_id": None}} for row in late.clean(rows)]
        assert again == [{**row, "dedup": {**row["dedup"], "run_id": None}} for row in told]


def test_a_server_that_was_emptied_is_told(index, client):
    with dedup.Cleaner(index=index) as clean:
        clean({"id": "a", "text": SENTENCES[0]})
        client.delete(key(index, "log"))
        with pytest.raises(dedup.IndexFileError, match="holds less than was read from it before"):
            clean({"id": "b", "text": SENTENCES[1]})
    assert not client.exists(key(index, "lock"))


# -- what a server may hold -------------------------------------------------------------------


def packed(changes):
    return zlib.compress(msgspec.msgpack.encode(changes))


@pytest.fixture
def told(index, client):
    """What a member of a fleet told: rows by table."""
    with dedup.Cleaner(index=index) as clean:
        clean.clean(seeds()[:20])
    (entry,) = client.lrange(key(index, "log"), 0, -1)
    return [(name, list(rows)) for name, rows in entries.unpacked(entry)]


# Values that have no place in any column, or not in all.
ODD = (
    -1, 1 << 31, 1 << 40, (1 << 63) - 1, (1 << 64) - 1, 0, 7, 1.5, -0.5, 1e300, float("nan"),
    float("inf"), None, True, "", "x" * 70_000, "\x00", b"", b"\xff" * 9, [], {}, [[[]]],
)  # fmt: skip


def with_odd_values(told):
    """Each column of each table, with each odd value."""
    for at, (name, rows) in enumerate(told):
        for column in range(len(rows[-1])):
            for value in ODD:
                row = list(rows[-1])
                row[column] = value
                yield [*told[:at], (name, [*rows[:-1], row]), *told[at + 1 :]]


def with_odd_columns(told):
    """Columns of a segment that inflate, to what they should not."""
    at = next(at for at, (name, _) in enumerate(told) if name == "segment")
    (row,) = told[at][1]
    names = list(COLUMNS)
    for column, name in enumerate(names, 2):
        whole = zlib.decompress(row[column])
        size = COLUMNS[name]().itemsize
        for bad in (
            whole[:-1], whole[:-size], whole + whole[:size], b"", whole * 2, whole + bytes(1 << 22),
            b"\xff" * len(whole), b"\x80" * len(whole), bytes(len(whole)), whole[::-1],
        ):  # fmt: skip
            changed = [*row[:column], zlib.compress(bad), *row[column + 1 :]]
            yield [*told[:at], ("segment", [changed]), *told[at + 1 :]]


def with_odd_order(told):
    """Rows and tables that lack, stand twice or elsewhere."""
    for at, (name, rows) in enumerate(told):
        yield [*told[:at], *told[at + 1 :]]
        yield [*told[: at + 1], *told[at:]]
        yield [*told[:at], (name, rows[:-1]), *told[at + 1 :]]
        yield [*told[:at], (name, [*rows, rows[-1]]), *told[at + 1 :]]
        yield [*told[:at], (name, rows[::-1]), *told[at + 1 :]]
        yield [*told[:at], (name, [row[:-1] for row in rows]), *told[at + 1 :]]
        yield [*told[:at], (name, [(*row, 0) for row in rows]), *told[at + 1 :]]
        for other in (*entries._ROWS, "meta", "sqlite_master", "", "run; DROP TABLE run"):
            if other != name:
                yield [*told[:at], (other, rows), *told[at + 1 :]]
    yield from (None, 1, "x", {}, [1], [[]], [["run"]], [["run", 1]], [["run", [1]]], [[1, []]])


def with_odd_bytes(told):
    whole = packed(told)
    chance = random.Random(5)
    for _ in range(60):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        yield bytes(flipped)
    inner = msgspec.msgpack.encode(told)
    for _ in range(60):
        flipped = bytearray(inner)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        yield zlib.compress(bytes(flipped))
    for end in (0, 1, 2, 9, len(whole) // 2, len(whole) - 1):
        yield whole[:end]
    yield whole + b"x"
    yield whole + whole
    for bad in (b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 100_000):
        yield zlib.compress(bad)


def complaint(work):
    try:
        work()
    except dedup.IndexFileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("kind", "least"),
    [(with_odd_values, 800), (with_odd_columns, 100), (with_odd_order, 90), (with_odd_bytes, 130)],
)
def test_damaged_entries_are_refused_in_one_line_or_do_no_harm(index, client, told, kind, least):
    """They are looked at before anything is written; what passes must be fit to be worked with."""
    tried = refused = 0
    look = {"id": "new", "text": seeds()[0]["text"], "source": seeds()[0]["source"]}
    for entry in kind(told):
        tried += 1
        log = key(index, "log")
        client.delete(log)
        client.rpush(log, entry if isinstance(entry, bytes) else packed(entry))
        with dedup.Cleaner(index=index) as clean:
            said = complaint(lambda: clean(look))
        assert "\n" not in said
        assert len(said) < 600
        refused += bool(said)
        assert not client.exists(key(index, "lock"))
    trials.tried("fleet", tried)
    assert tried >= least
    assert refused > tried // 2


def test_what_inflates_to_much_is_refused_before_it_does(index, client, told, monkeypatch):
    monkeypatch.setattr(entries, "LARGEST", 1 << 20)
    asked = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self):
            self._real = real()
            self.eof, self.unused_data = True, b""

        def decompress(self, data, most):
            found = self._real.decompress(data, most)
            asked.append(len(found))
            self.eof, self.unused_data = self._real.eof, self._real.unused_data
            return found

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    at = next(at for at, (name, _) in enumerate(told) if name == "segment")
    (row,) = told[at][1]
    bomb = zlib.compress(bytes(1 << 26))
    twice = [*row[:4], bomb, *row[5:]]
    many = zlib.compress(b"\xff" * len(zlib.decompress(row[3])))  # tokens without end
    for entry in (bomb, packed([("segment", [twice])]), packed([("segment", [[*row[:3], many,
                  *row[4:]]])])):  # fmt: skip
        client.delete(key(index, "log"))
        client.rpush(key(index, "log"), entry)
        with (
            dedup.Cleaner(index=index) as clean,
            pytest.raises(dedup.IndexFileError, match=r"entry 0 on the server is damaged"),
        ):
            clean({"id": "a", "text": SENTENCES[0]})
    assert max(asked) <= (1 << 20) + 1
    client.delete(key(index, "log"))
    client.rpush(key(index, "log"), os.urandom(1 << 21))  # nor is it fetched
    with dedup.Cleaner(index=index) as clean, pytest.raises(dedup.IndexFileError, match="damaged"):
        clean({"id": "a", "text": SENTENCES[0]})


@pytest.mark.parametrize("what", ["lock", "log", "meta"])
def test_keys_of_another_kind_are_told(index, client, what):
    client.delete(key(index, what))
    client.sadd(key(index, what), "x")
    with pytest.raises(dedup.IndexFileError, match="WRONGTYPE"):
        dedup.clean([{"id": "a", "text": SENTENCES[0]}], index=index)


def test_settings_on_the_server_that_are_no_text_are_told(index, client):
    client.hset(key(index, "meta"), "seed", b"\xff\xfe")
    with pytest.raises(dedup.IndexFileError, match="made with seed"):
        dedup.Cleaner(index=index)


# -- who one is ---------------------------------------------------------------------------------

PASSWORDS = ("s3cret-word", "p@ss:w/rd?x#y&z=%41", "كلمة السر", "a b+c", "'\"`$x\\")


@pytest.fixture(params=PASSWORDS)
def password(request, client):
    client.acl_setuser(
        "member", enabled=True, passwords=[f"+{request.param}"], commands=["+@all"], keys=["*"],
        reset=True,
    )  # fmt: skip
    return request.param


def addresses(index, password):
    """A password where it may stand."""
    place, _, name = index.removeprefix("redis://").partition("?")
    host = place.partition("/")[0]
    word = quote(password, safe="")
    yield f"redis://member:{word}@{place}?{name}"
    yield f"redis://{place}?{name}&username=member&password={word}"
    yield f"redis://{host}?db=0&password={word}&{name}&username=member"
    yield f"unix://member:{word}@{SOCKET}?{name}"
    yield f"unix://{SOCKET}?db=0&{name}&username=member&password={word}"


def test_a_member_that_has_a_password_is_let_in_and_does_not_show_it(index, password):
    for number, url in enumerate(addresses(index, password)):
        with dedup.Cleaner(index=url) as clean:
            assert (clean({"id": f"{number}", "text": SENTENCES[0]}) is None) == (number > 0)
            assert password not in repr((clean, clean._index._store, vars(clean._index._store)))
            assert_hidden(clean._index._store.path, password)
        assert_hidden(f"{address.Hidden(url)} {address.Hidden(url)!r}", password)
        assert os.fspath(address.Hidden(url)) == url


def assert_hidden(text, password):
    for form in (password, quote(password), quote(password, safe=""), repr(password)[1:-1]):
        assert form not in text, text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url.replace("member", "nobody"),
        lambda url: url.partition("?")[0],
        lambda url: url.replace("127.0.0.1:", "127.0.0.1:9"),
        lambda url: url.replace("basename", "basenam"),
        lambda url: url.replace("/0?", "/abc?").replace("db=0", "db=abc"),
        lambda url: url.replace("/0?", "/99999?").replace("db=0", "db=99999"),
        lambda url: f"{url}&timeout=x",
        lambda url: f"{url}&password=again",
        lambda url: url.replace("redis://", "redi://").replace("unix://", "unx://"),
        lambda url: url.replace("://", ":/"),
        lambda url: url.replace("127.0.0.1", "[::1").replace(".sock", ".sick"),
        lambda url: url.replace("%", "%25%"),
        lambda url: url.replace("%40", "@").replace("%2F", "/").replace("%3F", "?"),
        lambda url: url.replace("%23", "#").replace("%3A", ":"),
        lambda url: f" {url}",
    ],
)
def test_what_goes_wrong_tells_no_password(index, password, spoil, monkeypatch):
    monkeypatch.setattr(shared, "TRIES", 1)
    refused = 0
    for url in addresses(index, password):
        spoilt = spoil(url)
        if spoilt == url:
            continue
        try:
            dedup.clean([{"id": "a", "text": SENTENCES[0]}], index=spoilt)
        except dedup.IndexFileError as error:
            told, seen = str(error), "".join(traceback.format_exception(error))
        else:
            continue
        refused += 1
        for text in (told, seen):
            assert_hidden(text, password)
        assert "\n" not in told
        if "w/rd" in password:  # nor a part of one that was not written as it must be
            assert "ss:w" not in told
            assert "rd?x" not in told
    assert refused or spoil("%40%41%2F%3F%3A%23") != "%40%41%2F%3F%3A%23"


def test_a_server_that_repeats_what_it_was_told_is_not_repeated(index, client, password, caplog):
    """As one does that knows no AUTH."""
    caplog.set_level(logging.DEBUG)
    for said in (f"unknown command 'AUTH', with args beginning with: '{password}'", password):
        with closing(shared.SharedStore(next(addresses(index, password)), dedup.Config())) as store:
            store._server.eval = lambda *_, said=said: (_ for _ in ()).throw(
                redis.ResponseError(said)
            )
            with pytest.raises(dedup.IndexFileError) as told:
                store.begin()
        assert_hidden("".join(traceback.format_exception(told.value)).split("redis.exc")[-1],
                      password)  # fmt: skip
        assert_hidden(str(told.value), password)
    assert_hidden(caplog.text, password)


def test_commands_that_fail_tell_no_password(index, tmp_path, password):
    written(tmp_path / "in.jsonl", [{"id": "a", "text": SENTENCES[0]}])
    url, option, *_ = addresses(index, password)
    wrong = url.replace("member", "nobody")
    commands = [
        ["clean", "in.jsonl", "--index", wrong, "-o", "out.jsonl"],
        ["clean", "in.jsonl", "--index", option.replace("member", "nobody"), "-o", "out.jsonl"],
        ["clean", url, "-o", "out.jsonl"],
        ["clean", "in.jsonl", url, "-o", "out.jsonl"],
        ["clean", "in.jsonl", "-o", url],
        ["clean", "in.jsonl", "-o", "out.jsonl", "--indx", option],
        ["index", "info", url],
        ["index", "merge", "x.db", option],
        ["index", "check", url.replace("redis", "redi")],
    ]
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "dedup", *command],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 2, (command, done.stderr)
        assert_hidden(done.stdout + done.stderr, password)
        assert "Traceback" not in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "clean", "in.jsonl", "--index", url, "-o", "out.jsonl",
         "--stats", "stats.json", "--report", "report.html", "-v"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    files = "".join(path.read_text() for path in tmp_path.iterdir())
    assert_hidden(done.stdout + done.stderr + files, password)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis:///2?basename=x", {"db": 2}),
        ("redis://h?basename=x", {"host": "h"}),
        ("redis://h:7/?basename=x", {"host": "h", "port": 7}),
        ("redis://h/3/?basename=x", {"host": "h", "db": 3}),
        ("redis://[::1]:7/0?basename=x", {"host": "::1", "port": 7, "db": 0}),
        ("rediss://h/0?basename=x", {"host": "h", "db": 0, "ssl": True}),
        ("unix:///a%20b.sock?db=1&basename=x", {"unix_socket_path": "/a b.sock", "db": 1}),
        ("redis://u:p%40@h?basename=x", {"host": "h", "username": "u", "password": "p@"}),
        ("redis://:p@h?basename=x", {"host": "h", "password": "p"}),
        ("redis://h?basename=x&password=p%26&username=u",
         {"host": "h", "username": "u", "password": "p&"}),
    ],
)  # fmt: skip
def test_addresses_mean_what_is_documented(url, options):
    found = address.parsed(url)
    assert (found.basename, found.options) == ("x", options)
    assert address.parsed(found.shown).basename == "x"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://h/abc?basename=x", "a database is a number from 0"),
        ("redis://h/0?db=1&basename=x", "named twice"),
        ("redis://h/-1?basename=x", "a database is a number"),
        ("redis://h/0?basename=x&socket_timeout=3", "of its options 'socket_timeout' is unknown"),
        ("redis://h/0?basename=x&basename=y", "'basename' is given twice"),
        ("redis://h/0?basename=", "say which index is meant"),
        ("redis://[::1/0?basename=x", "an address of IPv6 stands in"),
        ("redis://[xyz]/0?basename=x", "no address of IPv6"),
        ("redis://h:port/0?basename=x", "the port is no number"),
        ("redis://h:70000/0?basename=x", "port out of range"),
        ("redis:h?basename=x", "is no address of an index"),
        ("unix://tmp/x.sock?basename=x", "a socket is named by its whole path"),
        ("unix://?basename=x", "a socket is named by its whole path"),
        ("valkey://h/0?basename=x", "is no address of an index"),
    ],
)
def test_other_addresses_are_refused(url, said):
    with pytest.raises(dedup.IndexFileError, match=said):
        Index(url, dedup.Config())
