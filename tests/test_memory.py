"""Spilling changes where arrays lie, and nothing else."""

from __future__ import annotations

import random

import numpy as np
import pytest

import dedup
from dedup.engines import memory
from dedup.engines.memory import Memory
from dedup.records import Names

WORDS = [
    "سوق",
    "ميناء",
    "وزير",
    "مدرسة",
    "قرية",
    "نهر",
    "جسر",
    "طريق",
    "موسم",
    "زيتون",
    "مصنع",
    "مركب",
    "سفينة",
    "باخرة",
    "حديقة",
    "متحف",
]


@pytest.fixture
def spilling(monkeypatch):
    """Every array lies in a file, and its pages go back every moment."""
    monkeypatch.setattr(memory, "HELD", 0)
    monkeypatch.setattr(memory, "SMALL", 0)
    monkeypatch.setattr(memory, "MOST", 0)
    monkeypatch.setattr(memory, "WORTH", 0)
    monkeypatch.setattr(memory, "INTERVAL", 0.0005)
    monkeypatch.setattr(memory, "PAUSE", 0.01)


def articles(count):
    rng = random.Random(3)
    paragraphs = [" ".join(rng.choices(WORDS, k=rng.randrange(6, 40))) + "." for _ in range(count)]
    for number in range(count):
        body = rng.choices(paragraphs, k=6)
        body[2:2] = [" ".join(rng.choices(WORDS, k=5)), "اقرأ أيضا"]
        yield {"id": number, "source": f"منبر {number % 3}", "text": "\n\n".join(body)}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("level", ["block", "sentence"])
def test_same_bytes_with_and_without_spilling(spilling, monkeypatch, workers, level):
    rows = list(articles(120))
    spilled = dedup.clean(rows, workers=workers, level=level)
    monkeypatch.undo()
    held = dedup.clean(rows, level=level)
    for name in ("clean", "removed", "dropped"):
        assert list(spilled.lines(name)) == list(held.lines(name))
    assert sum(held.counts.kinds.values()) > 100


def test_arrays_past_the_budget_lie_in_files(monkeypatch):
    monkeypatch.setattr(memory, "SMALL", 100)
    room = Memory(8000)  # 15 % may be held
    held, spilled = room.empty(200, np.int32), room.empty(200, np.int32)
    assert held.base is None
    assert spilled.base is not None
    spilled[:] = np.arange(200)
    room.relax()
    assert spilled.tolist() == list(range(200))
    assert room.keep(np.arange(100)).tolist() == list(range(100))


@pytest.mark.parametrize("budget", [0, 10**9])
def test_columns_grow_and_keep_their_values(monkeypatch, budget):
    monkeypatch.setattr(memory, "HELD", budget)
    monkeypatch.setattr(memory, "SMALL", 0)
    room = Memory()
    column = room.empty(0, np.uint16)
    expected = []
    for size in (1, 10, 1000, 100_000):
        column = room.resized(column, size)
        new = np.arange(len(expected), size).astype(np.uint16)
        column[len(expected) :] = new
        expected += new.tolist()
        room.relax()
        assert column.tolist() == expected


@pytest.mark.parametrize("size", ["800M", "1G", "1.5 GB", "2gib"])
def test_sizes(size):
    assert dedup.Config(memory=size).memory_limit() >= 800 << 20


@pytest.mark.parametrize("size", ["1", "10M", "viel", "-1G", "1T"])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(
        dedup.ConfigError, match=f"--memory: '{size}' is not a size of 512M or more"
    ):
        dedup.Config(memory=size)


def test_names_are_what_they_were():
    names = Names()
    names.add(["أ", "", "b-1"])
    names.add([])
    names.add(["😀", "خبر عاجل"])
    told = ["أ", "", "b-1", "😀", "خبر عاجل"]
    assert list(names) == names[:] == told
    more = Names()
    more.add(["vor"])
    more.add(names)
    more.add(Names.written(b'"a","b",', np.array([4, 8])))
    assert list(more) == ["vor", *told, "a", "b"]
    assert [names[-1], names[1:3], len(names)] == ["خبر عاجل", ["", "b-1"], 5]
    with pytest.raises(IndexError):
        names[5]
