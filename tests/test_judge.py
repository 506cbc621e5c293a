"""Judging, by cases written as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dedup

CASES = Path(__file__).parent / "cases" / "judge.jsonl"


def cases():
    with CASES.open(encoding="utf-8") as file:
        return [pytest.param(case, id=case["why"]) for case in map(json.loads, file)]


def kinds(result, record):
    """The kind that each line of a record was removed as."""
    out, at = [], 0
    removals = [r for r in result.removals if r["id"] == record["id"]]
    for line in record["text"].split("\n"):
        hit = [r["kind"] for r in removals if r["start"] <= at < r["end"] and r["kind"] != "blank"]
        out.append(hit[0] if hit else None)
        at += len(line) + 1
    return out


@pytest.mark.parametrize("case", cases())
def test_case(case):
    result = dedup.clean(case["records"])
    record = next(r for r in case["records"] if r["id"] == case["check"])
    assert kinds(result, record) == case["kinds"]


@pytest.mark.parametrize("case", cases())
def test_every_removal_gives_its_reason(case):
    for removal in dedup.clean(case["records"]).removals:
        assert removal["kind"] in ("duplicate", "related", "byline", "boilerplate", "blank")
        assert removal["evidence"]["rule"]
        assert (removal["match"] is None) == (removal["kind"] != "duplicate")
