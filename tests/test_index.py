"""The index: what earlier runs saw counts, once, and no accident breaks it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from unittest.mock import ANY

import pytest

import dedup
from dedup.index import segments
from dedup.index import store as store_module
from dedup.index.care import check, prune
from dedup.index.index import Index
from dedup.index.store import Store

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS / "stream"), str(BENCHMARKS / "speed")]

from days import compare  # noqa: E402
from generate import generate  # noqa: E402

SEEDS = Path(__file__).parents[1] / "seeds" / "outlets.jsonl"
SENTENCES = (
    "افتتح مجلس البلدية صباح الأحد سوق الخضار الجديد بعد ثلاث سنوات من أعمال البناء.",
    "وقال رئيس المجلس إن السوق يضم مئتي متجر وموقفا للسيارات يتسع لألف سيارة.",
    "وأضاف أن الإيجارات ستبقى كما كانت في السوق القديم حتى نهاية العام المقبل.",
    "شكا مزارعو الوادي من تأخر وصول مياه الري إلى بساتينهم في الأسبوعين الماضيين.",
    "أعلن نادي القوارب الشراعية مواعيد سباق الربيع الذي يجمع عشرين فريقا من الساحل.",
    "فازت طالبة من المدرسة الثانوية بالجائزة الأولى في مسابقة الخط العربي السنوية.",
    "تستعد المكتبة العامة لاستقبال معرض للمخطوطات القديمة يستمر حتى نهاية الشهر.",
    "أصلح عمال الكهرباء العطل الذي أصاب الحي الشرقي بعد عاصفة ليلة الثلاثاء.",
)
CALL = "نشرة الرواق على بريدك كل صباح"


def seeds():
    with SEEDS.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def written(path, rows):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return path


def removed(rows):
    return {(r["id"], r["start"]): r for r in rows if r["kind"] != "blank"}


def contents(path):
    """All that an index holds but the times of its runs."""
    database = sqlite3.connect(path)
    tables = ("meta", "source", "record", "segment", "spread", "residue", "retold")
    return {
        table: database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
        for table in tables
    } | {"runs": database.execute("SELECT run, records FROM run").fetchall()}


def test_what_an_earlier_run_saw_is_known(tmp_path):
    index = tmp_path / "news.db"
    first = [{"id": "a", "source": "x", "text": "\n".join(SENTENCES[:3])}]
    second = [{"id": "b", "source": "y", "text": "\n".join((*SENTENCES[:3], SENTENCES[4]))}]
    dedup.clean(first, index=index)
    result = dedup.clean(second, index=index)
    (row,) = result
    assert row["text"] == SENTENCES[4]
    assert row["dedup"] == {
        "kept": 1, "removed": 3, "story": "a", "story_size": 2, "duplicate_of": "a",
        "run_id": ANY, "digest": ANY,
    }  # fmt: skip
    match = next(result.removals)["match"]
    assert match == {"id": "a", "start": 0, "end": len(SENTENCES[0]), "run": 1}
    assert result.counts.records == 1
    third = dedup.clean([{**second[0], "id": "c"}], index=index)
    assert [row["dedup"]["story_size"] for row in [*third, *third.dropped]] == [3]


def test_residue_is_told_by_what_was_seen_before(tmp_path):
    index = tmp_path / "news.db"
    rows = [
        {"id": f"r{n}", "source": "rewaq", "text": f"{line}\n{CALL}"}
        for n, line in enumerate(SENTENCES)
    ]
    assert not removed(dedup.clean(rows[:1], index=index).removals)
    known = [len(removed(dedup.clean([row], index=index).removals)) for row in rows[1:]]
    assert known[-1] == 1
    assert sum(known) >= 5
    # What once stayed is noted.
    (late,) = sqlite3.connect(index).execute("SELECT count(*) FROM residue").fetchone()
    assert late == 1


@pytest.mark.parametrize("days", [2, 10])
def test_days_add_up_to_one_run(days):
    rows = seeds()
    random.Random(5).shuffle(rows)
    found = compare(rows, days)
    print(found.table())
    # Residue that few records of the first days hold is not told yet.
    assert found.kept >= (0.9 if days == 2 else 0.7)
    assert {row["kind"] for row in found.more.values()} <= {"duplicate", "related"}
    assert len(found.more) <= 0.02 * len(found.whole)


def test_ten_days_of_many_records_remove_what_one_run_removes(tmp_path):
    generate(tmp_path / "in.jsonl", 1.0, seed=3)
    with (tmp_path / "in.jsonl").open(encoding="utf-8") as file:
        found = compare([json.loads(line) for line in file], 10)
    print(found.table())
    assert len(found.whole) > 300
    assert found.kept >= 0.99
    # Of repetitions the one that came first stays; an outlet's habits may show in its first days.
    assert {row["kind"] for row in found.more.values()} <= {"duplicate", "related"}
    assert len(found.more) <= 0.01 * len(found.whole)


def test_the_same_file_twice_gives_the_same_bytes(tmp_path):
    rows, index = seeds(), tmp_path / "news.db"
    dedup.clean(rows[:20], index=index)
    source = written(tmp_path / "in.jsonl", rows)
    for out in ("one", "two"):
        dedup.clean(source, tmp_path / f"{out}.jsonl", index=index)
        if out == "one":
            before = contents(index)
    for kind in ("", ".removed", ".dropped"):
        one, two = (tmp_path / f"{out}{kind}.jsonl" for out in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    after = contents(index)
    assert after == before


def test_what_is_written_with_an_index_is_restored(tmp_path):
    rows, index = seeds(), tmp_path / "news.db"
    dedup.clean(rows[:24], index=index)
    source = written(tmp_path / "in.jsonl", rows[24:])
    dedup.clean(source, tmp_path / "out.jsonl", index=index)
    dedup.restore(tmp_path / "out.jsonl", tmp_path / "back.jsonl")
    back = [json.loads(line) for line in (tmp_path / "back.jsonl").open(encoding="utf-8")]
    assert back == rows[24:]


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_whatever_the_workers(tmp_path, workers):
    rows, index = seeds(), tmp_path / "news.db"
    dedup.clean(rows[:24], index=index)
    shutil.copy(index, tmp_path / "copy.db")
    source = written(tmp_path / "in.jsonl", rows[24:])
    expected = dedup.clean(source, tmp_path / "a.jsonl", index=index)
    found = dedup.clean(source, tmp_path / "b.jsonl", index=tmp_path / "copy.db", workers=workers)
    for name in ("clean", "removed"):
        assert list(found.lines(name)) == list(expected.lines(name))
    assert contents(index) == contents(tmp_path / "copy.db")


@pytest.mark.parametrize("keep", ["longest", "earliest"])
def test_what_was_written_stays(tmp_path, keep):
    index = tmp_path / "news.db"
    dedup.clean([{"id": "a", "date": "2024-02-02", "text": SENTENCES[0]}], index=index, keep=keep)
    more = [{"id": "b", "date": "2024-01-01", "text": "\n".join(SENTENCES[:2])}]
    assert [row["text"] for row in dedup.clean(more, index=index, keep=keep)] == [SENTENCES[1]]


def test_a_dry_run_is_not_remembered(tmp_path):
    index = tmp_path / "news.db"
    dedup.clean(seeds()[:9], index=index)
    before = contents(index)
    dedup.clean(seeds(), index=index, discard=True)
    assert contents(index) == before


def test_a_run_that_fails_is_not_remembered(tmp_path):
    index = tmp_path / "news.db"
    dedup.clean(seeds()[:9], index=index)
    before = contents(index)
    with pytest.raises(dedup.GuardError):
        dedup.clean(seeds(), tmp_path / "out.jsonl", index=index, max_removed=0.0)
    assert contents(index) == before
    assert [path.name for path in tmp_path.glob("out*")] == []


def test_other_settings_are_refused(tmp_path):
    index = tmp_path / "news.db"
    dedup.clean(seeds()[:2], index=index)
    with pytest.raises(dedup.IndexFileError) as wrong:
        dedup.clean(seeds()[:2], index=index, seed=7)
    assert str(wrong.value) == (
        f"{index}: made with seed 1, not 7; use the settings it was made with, or another index"
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"no database at all", "file is not a database"), (None, "a database, but not an index")],
)
def test_what_is_no_index_is_refused(tmp_path, data, said):
    index = tmp_path / "news.db"
    if data is None:
        other = sqlite3.connect(index)
        other.execute("CREATE TABLE t (x)")
        other.commit()
        other.close()
    else:
        index.write_bytes(data)
    with pytest.raises(dedup.IndexFileError, match=said):
        dedup.clean(seeds()[:2], index=index)


def run_days(folder, days):
    """Clean the files of the days that are not done, one after the other, as a job would."""
    for day in range(days):
        if not (folder / f"done{day}").exists():
            out = folder / f"out{day}.jsonl"
            dedup.clean(folder / f"day{day}.jsonl", out, index=folder / "news.db")
            (folder / f"done{day}").touch()


def days_of(folder, days):
    folder.mkdir()
    rows = seeds()
    for day in range(days):
        written(folder / f"day{day}.jsonl", rows[day::days])
    return folder


def test_killed_at_any_moment_the_next_run_completes_it(tmp_path):
    days = 3
    whole = days_of(tmp_path / "whole", days)
    begun = time.monotonic()
    run_days(whole, days)
    takes = time.monotonic() - begun
    complete = contents(whole / "news.db")
    rng = random.Random(11)
    killed = attempt = 0
    while killed < 50 and attempt < 500:
        attempt += 1
        folder = days_of(tmp_path / f"killed{attempt}", days)
        child = os.fork()
        if child == 0:
            try:
                run_days(folder, days)
            finally:
                os._exit(0)
        time.sleep(rng.uniform(0, takes))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        takes *= 1.0 if os.WIFSIGNALED(status) else 0.8  # it was done before: be quicker
        assert not list(folder.glob("out*.jsonl")) or (folder / "news.db").exists()
        run_days(folder, days)
        for path in sorted(whole.glob("out*.jsonl")):
            told = (folder / path.name).read_text().replace(str(folder), str(whole))
            assert told == path.read_text(), attempt
        assert contents(folder / "news.db") == complete, attempt
        shutil.rmtree(folder)
    assert killed >= 50


def test_a_second_run_waits_and_readers_do_not(tmp_path):
    index = tmp_path / "news.db"
    dedup.clean(seeds()[:4], index=index)
    first = Index(index, dedup.Config())
    first.begin()
    waits = []
    second = threading.Thread(
        target=lambda: dedup.clean(
            seeds()[4:6], index=index, progress=lambda stage, *_: waits.append(stage)
        )
    )
    second.start()
    while "waiting for the index" not in waits:
        time.sleep(0.01)
    assert len(Store(index, None).sources()) == 1  # a reader is served meanwhile
    assert second.is_alive()
    first.rollback()
    first.close()
    second.join()
    assert len(contents(index)["record"]) == 6


def test_two_processes_on_one_index_lose_nothing(tmp_path):
    rows = seeds()
    for part in (0, 1):
        written(tmp_path / f"{part}.jsonl", rows[part::2])
    jobs = [
        subprocess.Popen(
            [sys.executable, "-m", "dedup", "clean", f"{part}.jsonl", "--index", "news.db",
             "-o", f"out{part}.jsonl", "-q"],
            cwd=tmp_path,
        )
        for part in (0, 1)
    ]  # fmt: skip
    assert [job.wait(timeout=300) for job in jobs] == [0, 0]
    assert len(contents(tmp_path / "news.db")["record"]) == len(rows)


def test_many_may_make_an_index_at_once(tmp_path):
    """SQLite does not wait for others when it begins to write ahead."""
    config = dedup.Config()

    def opened(path):
        start.wait()
        Store(path, config).close()
        return True

    for n in range(20):
        start = threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(opened, [tmp_path / f"{n}.db"] * 4))


def test_small_segments_are_made_one(tmp_path):
    index = tmp_path / "news.db"
    for row in seeds():
        dedup.clean([row], index=index)
    assert len(contents(index)["segment"]) < 20
    again = dedup.clean([{**row, "id": f"again {row['id']}"} for row in seeds()], index=index)
    assert again.counts.retold >= 0.9 * len(seeds())


def test_a_cleaner_knows_what_it_saw(tmp_path):
    with dedup.Cleaner(index=tmp_path / "news.db") as clean:
        assert clean({"id": "a", "text": SENTENCES[0]})["text"] == SENTENCES[0]
        assert clean({"id": "b", "text": SENTENCES[0]}) is None
        both = {"id": "c", "text": "\n".join(SENTENCES[:2])}
        assert clean(both)["text"] == SENTENCES[1]
        assert clean.counts.records == 3
        assert clean.counts.kinds["duplicate"] == 2
    with dedup.Cleaner(index=tmp_path / "news.db") as clean:
        assert clean({"id": "d", "text": SENTENCES[1]}) is None


def test_a_cleaner_refuses_what_is_no_record_and_goes_on():
    with dedup.Cleaner() as clean:
        clean({"id": "a", "text": SENTENCES[0]})
        with pytest.raises(dedup.RecordError):
            clean({"id": "b"})
        assert clean({"id": "c", "text": SENTENCES[1]})["text"] == SENTENCES[1]


def test_threads_share_a_cleaner():
    kept = []
    with dedup.Cleaner() as clean:

        def work(thread):
            for n, line in enumerate(SENTENCES):
                if clean({"id": f"{thread}-{n}", "text": line}) is not None:
                    kept.append(line)

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(kept) == sorted(SENTENCES)  # each said once, by whomever


def test_a_cleaner_can_be_awaited():
    async def main():
        async with dedup.Cleaner() as clean:
            rows = [{"id": str(n), "text": SENTENCES[n % 4]} for n in range(8)]
            return await asyncio.gather(*map(clean.cleaned, rows))

    assert sum(row is not None for row in asyncio.run(main())) == 4


def test_a_run_that_fails_leaves_no_trace_among_others(tmp_path, monkeypatch):
    for module in (segments, store_module):
        monkeypatch.setattr(module, "FULL", 8)  # so that blocks are written in the midst of a run
    rows = seeds()
    found = []
    for name, fails in (("one.db", False), ("two.db", True)):
        out = []
        with dedup.Cleaner(index=tmp_path / name) as clean:
            for at in range(0, len(rows), 5):
                if fails:
                    with monkeypatch.context() as patch:
                        patch.setattr(sys.modules["dedup.clean"], "doubtful", refuse)
                        with pytest.raises(dedup.GuardError):
                            clean.clean([{**row, "id": f"no {at}"} for row in rows[-at - 9 :]])
                result = clean.clean(rows[at : at + 5])
                out += result
                out += [{**row, "line": None} for row in result.removals]  # the others count
        found.append((out, contents(tmp_path / name)))
        with closing(Store(tmp_path / name, None)) as store:
            assert check(store) == []
    assert found[0] == found[1]


def refuse(*_):
    raise dedup.GuardError("no")


def test_an_index_pruned_while_it_is_used_is_seen_as_it_is(tmp_path):
    path = tmp_path / "news.db"
    with dedup.Cleaner(index=path) as clean:
        assert clean({"id": "a", "text": SENTENCES[0]}) is not None
        clean.commit()
        assert clean({"id": "b", "text": SENTENCES[0]}) is None
        clean.commit()
        with closing(Store(path, None)) as store:
            assert prune(store, 0, now=time.time() + 1) == 2
        assert clean({"id": "c", "text": SENTENCES[0]}) is not None
        assert clean({"id": "d", "text": SENTENCES[0]}) is None


@pytest.mark.parametrize("log", [0, 1 << 25])
def test_what_a_cleaner_commits_is_there_for_others_at_once(tmp_path, monkeypatch, log):
    monkeypatch.setattr("dedup.stream.COMMIT", 0.0)
    monkeypatch.setattr(store_module, "LOG", log)
    path = tmp_path / "news.db"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with dedup.Cleaner(index="news.db") as clean:
        monkeypatch.chdir("elsewhere")
        for n, text in enumerate(SENTENCES):
            clean({"id": str(n), "text": text})
            assert len(contents(path)["record"]) == n  # all that was handed out before
    assert len(contents(path)["record"]) == len(SENTENCES)
    assert list(Path().iterdir()) == []


def test_a_habit_of_an_outlet_is_remembered(tmp_path):
    """Links that match nothing are told where an earlier run saw the outlet drop such ones."""

    def article(number, line):
        own = f"الملعب{number} المرفأ{number} الجسر{number}"
        return {
            "id": str(number), "source": "s", "title": f"افتتاح {own} بعد طول انتظار",
            "text": f"تستعد البلدة رقم {number} لافتتاح {own} بعد أعمال استمرت سنوات.\n"
            f"{line}\n"
            f"وقال العمدة إن {own} ستفتح أبوابها للجميع بعد أن تنتهي الأعمال كلها هذا الصيف.",
        }  # fmt: skip

    def link(number):
        return f"افتتاح الملعب{number} المرفأ{number} الجسر{number} بعد طول انتظار"

    first = [article(n, link((n + 1) % 8)) for n in range(8)]
    lone = article(50, "باحثون يكتشفون أعماق المحيط المتجمد ويصورون حيتانا نادرة")
    assert list(dedup.clean([lone]).removals) == []
    db = tmp_path / "news.db"
    dedup.clean(first, index=db)
    (row,) = dedup.clean([lone], index=db).removals
    assert row["evidence"]["rule"] == "lone-link"
