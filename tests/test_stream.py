"""Streaming: each record out before long, in order, and what was seen survives accidents."""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from unittest import mock

import pytest
from test_index import SENTENCES, contents, removed, seeds

import dedup
from dedup.index.care import check, prune
from dedup.index.store import Store


def stream(folder, *flags):
    return subprocess.Popen(
        [sys.executable, "-m", "dedup", "clean", "-", "--stream", "-o", "-", *flags],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def line(row):
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def read_line(process, seconds=120):
    assert select.select([process.stdout], [], [], seconds)[0], "nothing came"
    return json.loads(process.stdout.readline())


def test_each_record_comes_out_before_the_next_goes_in(tmp_path):
    process = stream(tmp_path, "--index", "news.db")
    for n, text in enumerate(SENTENCES[:4]):
        process.stdin.write(line({"id": str(n), "text": text}))
        process.stdin.flush()
        row = read_line(process)
        assert (row["id"], row["text"]) == (str(n), text)
    process.stdin.close()
    assert process.wait(60) == 0
    assert len(contents(tmp_path / "news.db")["record"]) == 4


def test_a_stream_says_what_a_cleaner_says(tmp_path):
    rows = seeds()
    process = stream(tmp_path, "--removed", "removed.jsonl", "-q")
    out, _ = process.communicate(b"".join(map(line, rows)) + b"{broken\n", timeout=120)
    with dedup.Cleaner() as clean:
        result = clean.clean(rows)
    assert [json.loads(x) for x in out.splitlines()] == list(result)
    found = [json.loads(x) for x in (tmp_path / "removed.jsonl").open()]
    assert removed(found).keys() == removed(result.removals).keys()
    (rejected,) = (tmp_path / "removed.rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected)["line"] == len(rows) + 1
    dropped = (tmp_path / "removed.dropped.jsonl").read_text().splitlines()
    assert len(dropped) == result.counts.dropped


def test_lines_are_counted_from_the_stream_s_beginning(tmp_path):
    process = stream(tmp_path)
    for n, text in enumerate(SENTENCES[:3], 1):
        process.stdin.write(line({"text": text}))
        process.stdin.flush()
        assert read_line(process)["dedup"]["story"] == f"stdin:{n}"
    process.communicate()


@pytest.mark.parametrize(
    "data",
    [b'[{"text": "x"}]', b'[\n{"text": "x"},\n{"text": "y"}\n]\n', b'{"data": [{"text": "x"}]}',
     b'\xef\xbb\xbf{\n "text": "x"\n}\n', b'{"text": {"0": "x"}, "id": {"0": 1}}\n'],
)  # fmt: skip
def test_json_that_is_no_json_lines_is_told_at_once(tmp_path, data):
    with stream(tmp_path, "--removed", "r.jsonl") as process:
        out, told = process.communicate(data, timeout=60)
    assert (process.returncode, out) == (2, b"")
    assert told.decode() == (
        "dedup: stdin: JSON, but not JSON lines, which --stream takes as they come; clean it "
        "without --stream, or take it apart, such as: jq -c '.[]'\n"
    )


def test_a_reader_that_leaves_is_no_error(tmp_path):
    process = stream(tmp_path, "--index", "news.db")
    process.stdin.write(line({"id": "a", "text": SENTENCES[0]}))
    process.stdin.flush()
    read_line(process)
    process.stdout.close()
    process.stdin.write(line({"id": "b", "text": SENTENCES[1]}))
    process.stdin.close()
    assert process.wait(60) == 0
    assert b"Traceback" not in process.stderr.read()
    assert contents(tmp_path / "news.db")["record"][0][2] == "a"


def test_while_nothing_comes_others_may_write(tmp_path):
    process = stream(tmp_path, "--index", "news.db")
    process.stdin.write(line({"id": "a", "text": SENTENCES[0]}))
    process.stdin.flush()
    read_line(process)
    known = dedup.clean([{"id": "b", "text": SENTENCES[0]}], index=tmp_path / "news.db")
    assert list(known) == []
    process.communicate(line({"id": "c", "text": SENTENCES[1]}))
    assert len(contents(tmp_path / "news.db")["record"]) == 3


def test_a_request_to_end_keeps_what_was_handed_out(tmp_path):
    process = stream(tmp_path, "--index", "news.db")
    for n, text in enumerate(SENTENCES):
        process.stdin.write(line({"id": str(n), "text": text}))
        process.stdin.flush()
        read_line(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert len(contents(tmp_path / "news.db")["record"]) == len(SENTENCES)


def test_killed_it_goes_on_where_it_was(tmp_path):
    process = stream(tmp_path, "--index", "news.db")
    for n, text in enumerate(SENTENCES):
        process.stdin.write(line({"id": str(n), "text": text}))
        process.stdin.flush()
        read_line(process)
        time.sleep(0.3)
    process.kill()
    process.wait(60)
    known = len(contents(tmp_path / "news.db")["record"])
    assert 0 < known <= len(SENTENCES)  # of the last second nothing may be known
    process = stream(tmp_path, "--index", "news.db")
    out, _ = process.communicate(
        b"".join(line({"id": f"again {n}", "text": t}) for n, t in enumerate(SENTENCES)), 120
    )
    assert len(out.splitlines()) == len(SENTENCES) - known


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["in.jsonl", "--stream", "-o", "-"],
         "--stream cleans standard input to standard output: dedup clean - -o -"),
        (["-", "--stream", "-o", "out.jsonl"],
         "--stream cleans standard input to standard output: dedup clean - -o -"),
        (["-", "--stream", "-o", "-", "--stats", "s.json"],
         "--stream writes nothing but records and --removed; all else needs a run"),
        (["-", "--stream", "-o", "-", "--removed", "no/such/folder.jsonl"],
         "no/such/folder.jsonl: its folder does not exist; make it first"),
    ],
)  # fmt: skip
def test_what_a_stream_cannot_do_is_told(tmp_path, flags, said):
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "clean", *flags],
        cwd=tmp_path, input=b"", capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-1] == f"dedup: {said}"


def index(folder, *words):
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "index", *words],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_commands_that_look_after_an_index(tmp_path):
    rows = seeds()
    dedup.clean(rows[:24], index=tmp_path / "a.db")
    dedup.clean(rows[24:], index=tmp_path / "b.db")
    code, out, _ = index(tmp_path, "info", "a.db")
    assert code == 0
    assert "holds    24 records" in out
    code, out, _ = index(tmp_path, "export", "b.db")
    assert [json.loads(x)["id"] for x in out.splitlines()] == [row["id"] for row in rows[24:]]
    assert index(tmp_path, "merge", "a.db", "b.db") == (0, "", "added 24 records\n")
    assert index(tmp_path, "check", "a.db") == (0, "a.db: no damage found\n", "")
    known = dedup.clean(
        [{**row, "id": f"again {row['id']}"} for row in rows], index=tmp_path / "a.db"
    )
    assert known.counts.retold >= 0.9 * len(rows)


def test_what_is_old_is_forgotten_and_what_is_seen_again_stays(tmp_path):
    path = tmp_path / "news.db"
    call = "نشرة الرواق على بريدك كل صباح"
    rows = [
        {"id": str(n), "source": "s", "text": f"{text}\n{call}"} for n, text in enumerate(SENTENCES)
    ]
    dedup.clean(rows[:6], index=path)
    later = time.time() + 1000
    store = Store(path, None)
    with store.writing():
        store.add_run(later, 0)
    store.close()
    dedup.clean(rows[6:], index=path)
    store = Store(path, None)
    size = os.path.getsize(path)
    assert prune(store, 10, now=later) > 0
    assert check(store) == []
    assert os.path.getsize(path) <= size
    store.close()
    # What was forgotten is new again; nothing is broken.
    again = dedup.clean([{"id": "x", "source": "t", "text": SENTENCES[1]}], index=path)
    assert [row["text"] for row in again] == [SENTENCES[1]]


def aged(path, rows, now):
    """Clean records, so many seconds after 1970."""
    with mock.patch("dedup.index.index.time.time", return_value=now):
        dedup.clean(rows, index=path)


def test_a_story_outlives_the_record_that_led_it(tmp_path):
    path = tmp_path / "news.db"
    long = "\n".join(SENTENCES[:3])
    aged(path, [{"id": "a", "source": "s", "text": long}], 100.0)
    aged(path, [{"id": "b", "source": "t", "text": f"{long}\n{SENTENCES[3]}"}], 200.0)
    aged(path, [{"id": "c", "source": "u", "text": SENTENCES[3]}], 300.0)
    with closing(Store(path, None)) as store:
        assert prune(store, 50, now=300.0) == 1
    (row,) = dedup.clean([{"id": "d", "text": f"{SENTENCES[3]}\n{SENTENCES[4]}"}], index=path)
    assert row["text"] == SENTENCES[4]


def test_one_outlet_alone_is_forgotten(tmp_path):
    path = tmp_path / "news.db"
    for n, text in enumerate(SENTENCES):
        source = "st"[n % 2]
        call = f"نشرة {source} على بريدك كل صباح"
        aged(path, [{"id": str(n), "source": source, "text": f"{text}\n{call}"}], 100.0)
    with closing(Store(path, None)) as store:
        assert prune(store, 50, ["s"], now=200.0) == len(SENTENCES) / 2
        assert check(store) == []
        assert store.sources()["t"][1] == len(SENTENCES) / 2
    texts = [f"جملة جديدة عن موسم الزيتون في {place}." for place in ("الوادي", "الساحل")]
    rows = [
        {"id": source, "source": source, "text": f"{text}\nنشرة {source} على بريدك كل صباح"}
        for source, text in zip("st", texts, strict=True)
    ]
    found = removed(dedup.clean(rows, index=path).removals)
    assert {place[0] for place in found} == {"t"}
    code, _, said = index(tmp_path, "prune", "news.db", "--older-than", "1d", "--source", "x")
    assert (code, said) == (
        2,
        "dedup: --source: news.db knows no outlet 'x'; 'dedup index info' lists those it knows\n",
    )


def test_damage_is_told(tmp_path):
    dedup.clean(seeds()[:9], index=tmp_path / "a.db")
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("DELETE FROM segment")
    code, out, _ = index(tmp_path, "check", "a.db")
    assert code == 1
    assert "the table 'segment' has other rows than were noted: 0, not 1" in out
    assert index(tmp_path, "info", "none.db")[2] == (
        "dedup: none.db: no such index; 'dedup clean --index' makes one\n"
    )
    assert index(tmp_path, "prune", "a.db", "--older-than", "soon")[2] == (
        "dedup: --older-than: 'soon' is no age; try 90d, 12h or 8w\n"
    )
