"""A few random slices of the samples, and of real collections where there are any: see soak.py."""

from __future__ import annotations

import math

import pytest
from soak import SEEDS, collections, soak, trial_of

TRIALS, MOST = 8, 60  # of each part; records of a slice


@pytest.mark.parametrize("part", range(3))
def test_slices_come_back(part, capsys):
    seeds = range(part * TRIALS, (part + 1) * TRIALS)
    table = soak(seeds, collections(small=True), math.inf, MOST)
    assert table.trials == TRIALS
    assert not table.wrong, capsys.readouterr().out


def test_a_seed_says_everything():
    first, again = (trial_of(7, SEEDS, MOST) for _ in range(2))
    assert first == again
    assert first != trial_of(8, SEEDS, MOST)
