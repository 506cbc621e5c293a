"""An index shared through a real Redis server: what one member saw, the others know."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest
import redis
from test_index import SENTENCES, seeds

import dedup
from dedup.index import shared


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    program = shutil.which("redis-server")
    assert program, "these tests need Debian's redis-server: apt-get install redis-server"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
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


@pytest.fixture
def index(server, request):
    return f"{server}?basename={abs(hash(request.node.name))}"


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
    dying._alive.set()  # no more signs of life
    with dedup.Cleaner(index=index) as clean:
        assert clean({"id": "a", "text": SENTENCES[0]}) is not None
    dying.add_run(0.0, 1)
    with pytest.raises(dedup.IndexFileError, match="the lock was lost"):
        dying.commit()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: url.split("?")[0], "say which index is meant"),
        (lambda url: url.replace("127.0.0.1:", "127.0.0.1:99"), "Port out of range 0-65535"),
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
