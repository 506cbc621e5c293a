"""`dedup compare`: what of one set stands in another."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

import dedup
from dedup.cli import main
from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.match.across import find
from dedup.match.verify import shingle_sets
from dedup.records import Strings
from dedup.text.blocks import scan
from dedup.text.lexicon import load

SEEDS = Path(__file__).resolve().parents[1] / "seeds"
WORDS = [f"كلمة{i}" for i in range(500)]


def prose(seed: int, size: int = 30) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=size)) + "."


def near(text: str, *places: int) -> str:
    words = text.split()
    for place in places:
        words[place] = "غيرها"
    return " ".join(words)


def test_every_pair_is_found_and_measured():
    rng = random.Random(7)
    bases = [prose(seed) for seed in range(12)]
    texts = [near(rng.choice(bases), *rng.sample(range(30), rng.randrange(4))) for _ in range(160)]
    blocks = scan(Strings.of(texts), load().common).blocks
    known = np.arange(160) < 90
    config = Config()
    found = find(blocks, known, ~known, config, Memory())
    sets = shingle_sets(blocks.tokens, blocks.pointer, np.arange(160), 3)
    for i in range(90, 160):
        best = max(sets.jaccard(i, k) for k in range(90))
        expected = best if best >= config.threshold else 0.0
        assert found.similarity[i] == expected
        match = int(found.match[i])
        assert sets.jaccard(i, match) == expected if expected else match == -1
    assert (found.match[:90] == -1).all()


def test_what_is_alike_only_to_a_member_of_a_group_is_found():
    text = prose(1, 40)
    b1, b2, a = text, near(text, 3, 9), near(text, 3, 9, 18, 30)
    found = dedup.compare([{"id": "a", "text": a}], [{"id": "b1", "text": b1},
                                                     {"id": "b2", "text": b2}])  # fmt: skip
    assert [m["match"]["id"] for row in found.rows for m in row["matches"]] == ["b2"]


def sets():
    train = [
        {
            "id": f"t{n}",
            "source": "صحيفة",
            "text": f"{prose(n)}\n{prose(100 + n)}\nتابعونا على تويتر",
        }
        for n in range(6)
    ]
    test = [
        {"id": "copy", "source": "موقع", "text": train[0]["text"]},
        {"id": "half", "source": "موقع", "text": near(prose(101), 5) + "\n" + prose(900)},
        {"id": "own", "source": "موقع", "text": f"{prose(901)}\nتابعونا على تويتر\nقال نعم"},
        {"id": "elsewhere", "source": "مدونة", "text": prose(3)},
    ]
    return test, train


def test_records_and_matrix():
    test, train = sets()
    found = dedup.compare(test, train)
    assert (found.records, found.level) == ((4, 6), "block")
    assert (found.units, found.found, found.whole, found.touched) == (6, 4, 2, 3)
    assert found.matrix == {("موقع", "صحيفة"): 3, ("مدونة", "صحيفة"): 1}
    assert [(row["id"], row["looked_for"], row["found"]) for row in found.rows] == [
        ("copy", 2, 2),
        ("half", 2, 1),
        ("elsewhere", 1, 1),
    ]
    half = found.rows[1]["matches"]
    assert half == [
        {
            "start": 0,
            "end": len(near(prose(101), 5)),
            "similarity": pytest.approx(25 / 31),
            "match": {
                "id": "t1",
                "start": len(prose(1)) + 1,
                "end": len(prose(1) + prose(101)) + 1,
            },
        }
    ]
    assert dedup.compare(train, train).whole == 6
    assert dedup.compare(test[2], train).rows == []


def test_articles_of_one_block_are_compared_by_sentences():
    one = " ".join(prose(n, 20) for n in range(10))
    found = dedup.compare({"id": "a", "text": "\n".join(prose(n, 20) for n in range(4, 8))},
                          {"id": "b", "text": one}, config=Config(level="sentence"))  # fmt: skip
    assert (found.level, found.units, found.found, found.whole) == ("sentence", 4, 4, 1)


def test_the_command(tmp_path, capsys):
    for name, rows in zip(("a", "b"), sets(), strict=True):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "a.jsonl").open("a").write("broken\n")
    paths = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl")]
    assert main(["compare", *paths, "-q"]) == 0
    assert capsys.readouterr().out == (
        "compared 4 records of A with 6 of B\n"
        "found    4 of the 6 paragraphs of A stand in B, 66.7 %\n"
        "records  2 of A wholly in B, 1 partly\n"
        "rejected 1 line, no records\n"
        "\n"
        "paragraphs of A (rows) that stand in B (columns)\n"
        "  (1) صحيفة\n"
        "        (1)      all\n"
        "          3        3  موقع\n"
        "          1        1  مدونة\n"
        "\n"
        "records of A with the most in B\n"
        "     2 of 2    copy  in t0\n"
        "     1 of 1    elsewhere  in t3\n"
        "     1 of 2    half  in t1\n"
    )
    assert main(["compare", *paths, "-q", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["matrix"] == {"موقع": {"صحيفة": 3}, "مدونة": {"صحيفة": 1}}
    assert len(found["overlap"]) == 3
    assert main(["compare", paths[0], "nope.jsonl", "-q"]) == 2
    assert main(["compare", *paths, "-q", "--on-error", "fail"]) == 2
    assert main(["compare", "-", "-", "-q"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "dedup: nope.jsonl: no such file or folder; check the name",
        f"dedup: {paths[0]}:5: not JSON: unexpected character, expected a JSON value at column 1",
        "dedup: -: standard input is read once; name a file for A or for B",
    ]


def test_sets_that_share_nothing(capsys, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"text":"' + prose(1) + '"}\n', encoding="utf-8")
    (tmp_path / "empty.jsonl").write_text("")
    path, empty = str(tmp_path / "x.jsonl"), str(tmp_path / "empty.jsonl")
    assert main(["compare", path, empty, "-q"]) == 0
    assert main(["compare", empty, path, "-q"]) == 0
    out = capsys.readouterr().out
    assert "found    0 of the 1 paragraphs of A stand in B, 0.0 %" in out
    assert "found    0 of the 0 paragraphs of A stand in B, 0.0 %" in out
