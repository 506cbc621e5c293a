"""The documentation says what is so."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
from pathlib import Path

import pytest
from pages import part_of, table

import dedup
from dedup.cli import main
from dedup.judge.overrides import read
from dedup.judge.verdicts import RULES
from dedup.records import KINDS
from dedup.report.plain import SENTENCES
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
    assert len(rows) == 20
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


def test_every_rule_is_told(request):
    told = [(rule.name, rule.kind, rule.numbers) for rule in RULES.values()]
    rows = [
        (f"`{name}`", kind, SENTENCES[name][0], ", ".join(f"`{number}`" for number in numbers))
        for name, kind, numbers in (*told, ("white-space", "blank", ()))
    ]
    made = table(("rule", "kind", "what it says", "numbers"), rows)
    part = "rules: written by tests/test_docs.py --update-golden"
    assert part_of("docs/rows.md", part, made, request.config.getoption("--update-golden")) == made


def fields_of(heading: str) -> list[str]:
    """The fields that the page of rows tells below a heading, in order."""
    text = (DOCS / "rows.md").read_text(encoding="utf-8")
    (part,) = re.findall(rf"^{re.escape(heading)}$(.*?)(?=^## |^A row|\Z)", text, re.M | re.S)
    return re.findall(r"^\| `(\w+)` \| .*\|$", part, re.MULTILINE)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    rows = folder / "in.jsonl"
    rows.write_bytes((ROOT / "seeds" / "outlets.jsonl").read_bytes() + b"broken\n")
    out, kept, stats = (folder / name for name in ("out.jsonl", "kept.jsonl", "stats.json"))
    dedup.clean(rows, out, explain_kept=kept, stats=stats)
    dedup.clean(rows, folder / "marked.jsonl", mode="annotate")
    return folder


def first(path: Path) -> dict:
    with path.open(encoding="utf-8") as lines:
        return json.loads(next(lines))


def test_the_fields_of_what_is_written(written):
    struct = fields_of("## `dedup`, the struct in each record")
    removal = fields_of("## `OUT.removed.jsonl`")
    assert list(first(written / "out.jsonl")["dedup"]) == struct
    marked = first(written / "marked.jsonl")["dedup"]
    assert list(marked) == [*struct, "spans"]
    assert list(marked["spans"][0]) == ["start", "end", "kind", "rule", "similarity", "match"]
    dropped = first(written / "out.dropped.jsonl")["dedup"]
    assert list(dropped) == [*struct, "file", "line", "position"]
    assert list(first(written / "out.removed.jsonl")) == removal
    assert list(first(written / "out.rejected.jsonl")) == fields_of("## `OUT.rejected.jsonl`")
    assert list(first(written / "kept.jsonl")) == fields_of("## `--explain-kept`")
    stats = json.loads((written / "stats.json").read_text(encoding="utf-8"))
    assert list(stats) == fields_of("## `--stats`")


def test_the_fields_of_verdicts_for_scripts(written, capsys):
    path = str(written / "in.jsonl")
    assert main(["check", path, "-q", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert list(found) == fields_of("## `dedup check --json`")
    assert list(found["findings"][0]) == fields_of("## `OUT.removed.jsonl`")
    assert main(["compare", path, path, "-q", "--json"]) == 0
    first_time = capsys.readouterr().out
    found = json.loads(first_time)
    assert list(found) == fields_of("## `dedup compare --json`")
    assert list(found["overlap"][0]) == fields_of("A row of `overlap`:")
    (match, *_) = found["overlap"][0]["matches"]
    assert list(match) == ["start", "end", "similarity", "match"]
    assert list(match["match"]) == ["id", "start", "end"]
    assert main(["compare", path, path, "-q", "--json", "--workers", "2"]) == 0
    assert capsys.readouterr().out == first_time
