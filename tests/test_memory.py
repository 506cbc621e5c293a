"""Spilling changes where arrays lie, and nothing else."""

from __future__ import annotations

import os
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


@pytest.fixture
def small(monkeypatch):
    """A memory that holds 800 bytes."""
    monkeypatch.setattr(memory, "SMALL", 1)
    return Memory(8000)


def test_what_is_freed_counts_back(small):
    for _ in range(10):
        held = small.empty(800, np.uint8)
        assert (held.base, small.held, small.mapped) == (None, 800, 0)
        del held
    part = small.empty(800, np.uint8)[5:9]  # a part of it holds all
    assert (small.held, small.empty(1, np.uint8).base is None) == (800, False)
    del part
    assert (small.held, small.mapped) == (0, 0)


def test_files_go_with_their_arrays(small):
    def files():
        return len(os.listdir("/proc/self/fd"))

    before = files()
    spilled = small.empty(2000, np.uint8)
    part = spilled[10:]
    del spilled
    small.relax()
    assert (files() > before, small.mapped) == (True, 2000)
    part = small.resized(part, 3000)
    assert (files() > before, small.mapped) == (True, 3000)
    del part
    assert (files(), small.mapped) == (before, 0)


def test_what_is_kept_counts_once(small):
    array = small.empty(500, np.uint8)
    assert small.keep(array) is array
    assert small.held == 500
    other = small.keep(np.zeros(200, np.uint8))
    assert (small.held, small.keep(other[3:]).size) == (700, 197)
    spilled = small.keep(np.arange(101, dtype=np.uint8))
    assert (small.held, small.mapped, small.keep(spilled) is spilled) == (700, 101, True)
    assert spilled.tolist() == list(range(101))


def test_what_grows_counts_as_it_is(small):
    array = small.resized(small.empty(100, np.uint8), 700)
    assert (small.held, array.base) == (700, None)
    array[:] = 7
    array = small.resized(array, 900)
    assert (small.held, small.mapped, array[:700].tolist()) == (0, 900, [7] * 700)


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


def test_names_may_lie_elsewhere(small):
    names = Names()
    names.add([f"خبر {n}" for n in range(200)])
    names.keep(small.keep)
    assert small.mapped > 0
    assert list(names) == [f"خبر {n}" for n in range(200)]
    assert (names[7], names[5:7], len(names)) == ("خبر 7", ["خبر 5", "خبر 6"], 200)
