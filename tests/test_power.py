"""The power goes: of names and contents that were not synced, the disk has what it likes."""

from __future__ import annotations

import power
import pytest
from promises import SCENARIOS, SOAK, Lane, folder, none

NAMES = ("with an index, over an earlier run", "a stream", "restored")
CHOSEN = [scenario for scenario in SCENARIOS if SOAK or scenario.name in NAMES]


@pytest.mark.parametrize("scenario", CHOSEN, ids=lambda scenario: scenario.name)
def test_the_power_goes_at_any_call(scenario):
    with folder() as place:
        lane = Lane(scenario, place)
        states = power.states(lane.start, lane.watched.events, scenario.stdout)
        assert states, "the calls were seen"
        none(lane.apart(lane.dead, states), len(states), "power")
