"""The invented outlets that the judge is trained on: well-formed, labelled, the same every time."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

MADE = Path(__file__).resolve().parents[1] / "training" / "made"
sys.path.insert(0, str(MADE))

import check  # noqa: E402
import make  # noqa: E402

TEMPLATES = sorted((MADE / "outlets").glob("*.json"))
POOL = [
    {
        "title": f"عنوان الخبر رقم {k} في صفحة مخترعة",
        "paras": [
            f"الفقرة {k} الأولى من الخبر. وفيها جملتان.",
            "الثانية، وفيها فاصلة.",
            "الثالثة.",
        ],
    }
    for k in range(90)
]


def few(spec, n=6, how=""):
    return list(make.records(spec, random.Random(1), POOL, n, how))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.stem)
def test_template_makes_labelled_pages(path):
    spec = json.loads(path.read_text("utf8"))
    assert spec["name"] == path.stem
    assert check.Check(spec).all() > 0
    rows = few(spec)
    assert rows == few(spec)
    for record, labels in rows:
        lines = record["text"].split("\n")
        labelled = {number for number, _, _ in labels}
        assert {k for k, line in enumerate(lines) if line.strip()} <= labelled
        for number, label, residue in labels:
            assert label in check.LABELS | {"mixed"}
            assert (label == "mixed") == bool(residue)
            assert all(part in lines[number] for part in residue.split(" ||| "))


def spec_with(**keys):
    spec = {"name": "x", "format": 2, "records": 1, "date": ["1/2/2020"], "lists": {}, "blank": 0}
    return {**spec, **keys}


def text_of(spec):
    return few(spec, 1)[0][0]["text"].split("\n")


def test_insert_is_whole_and_in_its_place():
    block = {"block": ["قائمة:", {"line": "{i}- {a}", "repeat": [3, 3]}], "after": 1}
    parts = {"body_insert": [block], "between": [{"line": "x"}] * 9}
    lines = text_of(spec_with(lists={"a": ["ا", "ب", "ج"]}, parts=parts))
    at = lines.index("قائمة:")
    assert [t[:2] for t in lines[at + 1 : at + 4]] == ["1-", "2-", "3-"]
    assert len({t[3:] for t in lines[at + 1 : at + 4]}) == 3
    assert sum("فاصلة" in t for t in lines[at:]) == 1


def test_facts_hold_in_headline_and_text():
    spec = spec_with(
        lists={"a": ["ا", "ب", "ج"]},
        facts=["a"],
        headline=["في {a}"],
        titles=True,
        article={"paras": [0, 0]},
        parts={"body_insert": [{"line": "كان في {a}"}]},
    )
    for record, labels in few(spec):
        assert record["text"] == "كان " + record["title"]
        assert labels == [(0, "body", "")]


def test_clauses_lose_their_stops():
    lines = text_of(spec_with(article={"form": "clauses"}, parts={}))
    assert lines[2:] == ["الثانية", "وفيها فاصلة", "الثالثة"]


@pytest.mark.parametrize(
    "part", [{"head": ["{nothing}"]}, {"head": [{"line": "x", "label": "y"}]}, {"heads": []}]
)
def test_faults_are_found(part):
    with pytest.raises(check.Fault):
        check.Check(spec_with(about="", style="pages", parts=part)).all()
