"""A run that is done once more, since it was stopped after its index had it, writes the same."""

from __future__ import annotations

import json
import random
import shutil
import sys
from contextlib import closing
from pathlib import Path

import pytest
import trials
from test_index import SENTENCES, contents, seeds, written

import dedup
from dedup.index.care import check, merge, prune
from dedup.index.store import Store

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS / "speed")]

from generate import generate  # noqa: E402

FILES = ("", ".removed", ".dropped", ".kept")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "in.jsonl"
    generate(path, 1.0, seed=7)
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def cleaned(source, folder, index, **settings):
    """What a run writes, by name."""
    folder.mkdir(exist_ok=True)
    out = folder / "out.jsonl"
    dedup.clean(source, out, index=index, explain_kept=folder / "out.kept.jsonl", **settings)
    paths = (out.with_suffix(f"{name}.jsonl") for name in FILES)
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def days_of(rows, rng, days):
    """Random slices: some of the records came before, in the same words, under another id, or as
    another outlet's; or twice in one day. Some days bring nothing new.
    """
    out = []
    for number in range(days):
        size = rng.choice([1, 2, 5, 20, 60])
        at = rng.randrange(max(1, len(rows) - size))
        day = [dict(row) for row in rows[at : at + size]]
        before = [row for part in out for row in part]
        some = [dict(row) for row in rng.sample(before, min(len(before), rng.choice([2, 9])))]
        for row in some[::2]:
            row.update({"id": f"{row['id']} {number}"}, **rng.choice([{}, {"source": "another"}]))
        day += some
        if rng.random() < 0.3:
            day.append(dict(day[0]))
        if out and rng.random() < 0.15:
            day = rng.choice([out[-1], before])
        rng.shuffle(day)
        out.append(day)
    return out


@pytest.mark.parametrize("seed", range(12))
def test_a_run_done_once_more_writes_the_same_bytes(tmp_path, many, seed):
    rng = random.Random(seed)
    rows = rng.choice([seeds(), many])
    settings = rng.choice([{}, {}, {"level": "sentence"}, {"keep": "longest"}, {"workers": 2}])
    index = tmp_path / "news.db"
    told = 0
    for day, records in enumerate(days_of(rows, rng, 6)):
        source = written(tmp_path / f"day{day}.jsonl", records)
        first = cleaned(source, tmp_path / "first", index, **settings)
        held = contents(index)
        told += first["out.removed.jsonl"].count(b'"run":')
        for again in range(2):
            found = cleaned(source, tmp_path / "again", index, **settings)
            assert {name for name in found if found[name] != first[name]} == set(), (day, again)
            assert contents(index) == held
        with closing(Store(index, None)) as store:
            assert check(store) == []
    trials.tried("again", 12)
    assert told  # some of it was judged by what earlier days saw


def test_a_story_is_as_large_as_it_was(tmp_path):
    index = tmp_path / "news.db"
    text = "\n".join(SENTENCES[:3])
    for id_ in "ab":
        dedup.clean([{"id": id_, "source": id_, "text": text}], index=index)
    last = [{"id": "c", "source": "c", "text": f"{text}\n{SENTENCES[4]}"}]
    runs = [dedup.clean(last, index=index) for _ in range(3)]
    assert [[row["dedup"]["story_size"] for row in run] for run in runs] == [[3]] * 3
    evidence = [[row["evidence"] for row in run.removals] for run in runs]
    assert evidence[0] == evidence[1] == evidence[2]


def test_a_dry_run_and_then_the_run(tmp_path):
    index = tmp_path / "news.db"
    dedup.clean(seeds()[:20], index=index)
    rows = seeds()[10:40]
    dry, first, again = (
        dedup.clean(rows, index=index, **({"discard": True} if dry else {}))
        for dry in (True, False, False)
    )
    assert dry.counts.kinds == first.counts.kinds == again.counts.kinds
    assert list(first.removals) == list(again.removals)


def test_a_cleaner_that_gets_the_last_records_again_says_the_same(tmp_path):
    rows = seeds()
    with dedup.Cleaner(index=tmp_path / "news.db") as clean:
        for at in range(0, len(rows), 7):
            part = rows[at : at + 7]
            first, again = (clean.clean(part) for _ in range(2))
            assert list(first) == list(again)
            a, b = ([{**row, "line": None} for row in run.removals] for run in (first, again))
            assert a == b


def test_what_came_in_between_counts(tmp_path):
    """Nothing is added twice; what later runs saw is known then, and may be told."""
    index = tmp_path / "news.db"
    days = [seeds()[day::3] for day in range(3)]
    first = [list(dedup.clean(day, index=index)) for day in days]
    held = contents(index)
    again = [list(dedup.clean(day, index=index)) for day in days]
    assert again[2] == first[2]
    assert [[row["id"] for row in day] for day in again[:2]] == [
        [row["id"] for row in day] for day in first[:2]
    ]
    assert contents(index) == held


@pytest.mark.parametrize("change", ["prune", "merge"])
def test_an_index_that_was_looked_after_tells_no_earlier_state(tmp_path, change):
    rows = seeds()
    for name, part in (("a.db", rows[:20]), ("b.db", rows[20:])):
        dedup.clean(part, index=tmp_path / name)
    with (
        closing(Store(tmp_path / "a.db", None)) as store,
        closing(Store(tmp_path / "b.db", None)) as other,
    ):
        if change == "prune":
            prune(store, 10**6)
        else:
            merge(store, other)
        assert store.last_run() is None
    for part in (rows[:20], rows[20:], rows[:20]):
        dedup.clean(part, index=tmp_path / "a.db")
        with closing(Store(tmp_path / "a.db", None)) as store:
            assert check(store) == []


def test_an_index_before_and_after(tmp_path, many):
    """The same from a copy of the index of before, of after, and of after in another folder."""
    rows, index = many[:60], tmp_path / "news.db"
    dedup.clean(many[30:90], index=index)
    shutil.copy(index, tmp_path / "before.db")
    source = written(tmp_path / "in.jsonl", rows)
    first = cleaned(source, tmp_path / "first", index)
    (tmp_path / "else").mkdir()
    shutil.copy(index, tmp_path / "else" / "after.db")
    for where in (tmp_path / "before.db", tmp_path / "else" / "after.db"):
        assert cleaned(source, tmp_path / "again", where) == first
    assert contents(tmp_path / "before.db") == contents(index)
