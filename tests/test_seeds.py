"""The sample dumps: pinned outputs, and the answers made by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import dedup

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "seeds"
GOLDEN = Path(__file__).parent / "golden"
sys.path.insert(0, str(ROOT / "benchmarks" / "quality"))

import gate  # noqa: E402


@pytest.mark.parametrize("name", ["wadi-dump.txt", "outlets.jsonl"])
def test_output_is_the_golden_one(name, tmp_path, monkeypatch, request):
    monkeypatch.chdir(SEEDS)
    stem = name.rsplit(".", 1)[0]
    dedup.clean(name, tmp_path / f"{stem}.jsonl")
    for path in sorted(tmp_path.iterdir()):
        golden = GOLDEN / path.name
        if request.config.getoption("--update-golden"):
            golden.write_bytes(path.read_bytes())
        # Similarities are written in full, and the rest is text: the bytes must be the same.
        hint = "differs; if it is better: pytest --update-golden"
        assert path.read_bytes() == golden.read_bytes(), f"{path.name} {hint}"
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {p.name for p in GOLDEN.iterdir() if p.name.startswith(f"{stem}.")}


@pytest.mark.parametrize("part", [gate.by_hand, gate.outlets])
def test_every_line_is_judged_as_by_hand(part):
    shares, wrong = part()
    assert wrong == []
    assert set(shares.values()) == {1.0}


def test_every_seed_is_restored(tmp_path):
    for name in ("wadi-dump.txt", "outlets.jsonl"):
        dedup.clean(SEEDS / name, tmp_path / "out.jsonl")
        dedup.restore(tmp_path / "out.jsonl", tmp_path / "back.jsonl")
        with (tmp_path / "back.jsonl").open(encoding="utf-8", newline="\n") as file:
            back = [json.loads(line) for line in file]
        if name.endswith(".txt"):
            text = "".join(row["text"] for row in back)
            assert text == (SEEDS / name).read_text(encoding="utf-8")
        else:
            with (SEEDS / name).open(encoding="utf-8", newline="\n") as file:
                assert back == [json.loads(line) for line in file]
