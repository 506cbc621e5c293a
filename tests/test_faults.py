"""A call of the system fails, or the process dies at it: any call of any command that writes."""

from __future__ import annotations

import pytest
from promises import SCENARIOS, SOAK, Lane, folder, none

HOWS = ("fail", "full", "stop", "exit", "exited")  # all of them for `make soak`
STOPPED = "with fewer files than before"  # the one that is stopped, too, in every test run
DEAR = ("fresh names", "with a new index", "packed", "as a table")  # for `make soak`


@pytest.fixture(scope="module", params=SCENARIOS, ids=lambda scenario: scenario.name)
def lane(request):
    with folder() as place:
        yield Lane(request.param, place)


def test_nothing_goes_wrong_by_itself(lane):
    """The harness sees the calls, and has no complaint about a run that nothing happened to."""
    assert any(call.startswith(("rename", "COMMIT", "write")) for call in lane.calls)
    states = [("before all", lane.start), ("behind all", lane.done)]
    none(lane.apart(lane.dead, states), 2, "faults")


def test_the_process_dies_at_any_call(lane):
    states = lane.watched.states
    none(lane.apart(lane.dead, states), len(states), "faults")


def test_any_call_fails(lane):
    if lane.scenario.name in DEAR and not SOAK:
        return
    hows = HOWS if SOAK else ("fail", "stop") if lane.scenario.name == STOPPED else ("fail",)
    none(lane.apart(lane.failed, hows), len(hows) * len(lane.calls), "faults")
