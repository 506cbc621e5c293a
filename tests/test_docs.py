"""The documentation says what is so."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path

import pytest

import dedup
from dedup.judge.overrides import read
from dedup.records import KINDS
from dedup.sketch.lsh import optimal_bands

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def flags():
    spec = importlib.util.spec_from_file_location("flags", DOCS / "flags.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_flags_is_up_to_date():
    told = (DOCS / "flags.md").read_text(encoding="utf-8")
    assert told == flags().page(), "run .venv/bin/python docs/flags.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", text):
        name = "".join(target)
        assert name.startswith("http") or (page.parent / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_flags_it_names_exist(page):
    known = set(re.findall(r"--[a-z][a-z-]+", flags().page()))
    others = re.compile(r"^(prodigy|pip|<!--) .*$", re.MULTILINE)
    text = others.sub("", page.read_text(encoding="utf-8"))
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known


def test_the_figures_are_those_of_the_program():
    text = (DOCS / "algorithm.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| `([\w.]+)` \|$", text, re.MULTILINE)
    assert len(rows) == 13
    for name, value, where in rows:
        of_config = where.endswith(".Config")
        owner = dedup.Config() if of_config else importlib.import_module(where)
        assert getattr(owner, name) == float(value), name
    config = dedup.Config()
    bands, size = optimal_bands(config.threshold, config.num_perm, config.false_negative_weight)
    assert f"64 values, in {bands} bands of {size}" in text
    assert 1 - (1 - 0.7**size) ** bands == pytest.approx(0.9997, abs=5e-5)


def test_the_decisions_of_the_guide_can_be_read(tmp_path):
    text = (DOCS / "guide.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "overrides.jsonl"
    path.write_text(example, encoding="utf-8")
    assert [decision.keep for decision in read(path)] == [True, True, False]


def test_the_mixer_of_the_recipes_takes_every_kind():
    text = (DOCS / "recipes.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (stream,) = json.loads(example)["streams"]
    spans = {one["span"] for one in stream["span_replacement"]}
    assert spans == {f"$.attributes.dedup__{kind}" for kind in KINDS}
