"""Passages that touch: side by side, repeated, at edges of paragraphs, with any space between."""

from __future__ import annotations

import json
import os
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from invariants import inside
from passages import SENTENCES
from trials import tried

import dedup
from dedup.check import check

EXAMPLES = 1000 if os.environ.get("SOAK") else 40
PAIRS = [" ".join(SENTENCES[n : n + 2]) for n in range(0, 16, 2)]  # passages: two sentences
SPACES = (" ", "  ", "\u00a0", " \u00a0 ", "\t", "\u200f ", " \u200b", "\u2003", "\r", "\x85 ")
BREAKS = (
    "\n",
    "\n\n",
    "\r\n",
    "\n \n",
    "\n\u00a0\n",
    "\u2028",
    " \n",
    "\n\t",
    "\n\ufeff\n",
    "\v\n",
)
ENDS = ("", " ", "\n", "\u00a0", "\r\n", "\n\n", " \u200f", "\ufeff", "\t\n ")
BREAK = re.compile("[\n\r\v\f\x85\u2028\u2029]+")
INVISIBLE = re.compile(r"^[\s\u200b-\u200f\ufeff]+|[\s\u200b-\u200f\ufeff]+$")
MIDDLE = (" ", *SPACES, "", *BREAKS)

spaces = st.sampled_from(SPACES)
pieces = st.sampled_from(PAIRS) | st.sampled_from(SENTENCES)
gaps = st.just(" ") | spaces | st.sampled_from(MIDDLE)


@st.composite
def bodies(draw):
    """A text of passages of the pool, some of them twice, with anything that is white between."""
    parts = draw(st.lists(pieces, min_size=1, max_size=5))
    if len(parts) > 1 and draw(st.booleans()):
        parts.append(parts[0])
    text = parts[0]
    for part in parts[1:]:
        text += draw(gaps) + part
    return draw(st.sampled_from(ENDS)) + text + draw(st.sampled_from(ENDS))


@st.composite
def dumps(draw):
    """Records that share passages: some are made of the parts of others, side by side."""
    rows = draw(st.lists(bodies(), min_size=2, max_size=5))
    p, q, x, z = draw(st.permutations(PAIRS))[:4]
    gap = draw(gaps)
    some = [
        f"{p} {z} {q}", f"{x} {p}{gap}{q}", f"{p}{gap}{q}", f"{p}{gap}{p}", f"{q}{gap}{p} {x}",
        f"{p} {q}\n{p}{gap}{q}", f"{q}{gap}{q}{gap}{q}", f"{z}{gap}{p}\n{q} {x}",
    ]  # fmt: skip
    return draw(st.permutations(rows + draw(st.lists(st.sampled_from(some), max_size=4))))


chosen = st.fixed_dictionaries(
    {"level": st.sampled_from(["sentence", "sentence", "auto", "block"])},
    optional={
        "keep": st.sampled_from(["first", "longest", "earliest", "all", "mark"]),
        "keep_empty": st.booleans(),
        "threshold": st.sampled_from([0.4, 0.7, 1.0]),
        "mode": st.sampled_from(["remove", "annotate"]),
    },
)
P, Q, X, Z = PAIRS[:4]


def rows_of(path):
    lines = path.open(encoding="utf-8", newline="\n") if path.exists() else ()
    return [json.loads(line) for line in lines]


def is_blank(text):
    """Whether there is nothing to see in a text."""
    return not any(c.isprintable() and not c.isspace() for c in text)


def shown(text):
    """A text without what does not show at its ends."""
    return INVISIBLE.sub("", text)


def should_have_gone(finding, texts, cleaned, gone):
    """Whether something that `check` finds after `clean` was there to find before: two paragraphs,
    or passages of two sentences. What is left of a paragraph may well equal another.
    """
    match = finding["match"]
    mine, other = (texts[int(row["id"][1:])] for row in (finding, match))
    here, there = shown(finding["text"]), cleaned[match["id"]][match["start"] : match["end"]]
    twice = 1 + (finding["id"] == match["id"])  # in one record it must have stood twice
    pairs = ((here, mine), (shown(there), other))
    # What is left of a paragraph does not count for one that went.
    went, gone_there = (
        [part for text in gone[row["id"]] for part in BREAK.split(text)] for row in (finding, match)
    )
    more = [sum(shown(part) == here for part in parts) for parts in (went, gone_there)]
    counts = [[shown(y) for y in BREAK.split(text)].count(x) for x, text in pairs]
    if all(count >= twice + extra for count, extra in zip(counts, more, strict=True)):
        return True
    sentences = sum(here.count(sentence) for sentence in SENTENCES)
    more = [sum(part.count(here) for part in parts) for parts in (went, gone_there)]
    enough = mine.count(here) >= twice + more[0] and other.count(here) >= twice + more[1]
    return sentences > 1 and enough


def kept_promises(folder, texts, **settings):
    """Clean records of these texts, and look at all that is promised."""
    source, out, back = (folder / n for n in ("in.jsonl", "out.jsonl", "back.jsonl"))
    lines = [
        json.dumps({"id": f"r{n}", "text": text}, ensure_ascii=False, separators=(",", ":"))
        for n, text in enumerate(texts)
    ]
    source.write_bytes("".join(f"{line}\n" for line in lines).encode())
    dedup.clean(source, out, **settings)
    assert dedup.restore(out, back) == len(texts)
    assert back.read_bytes() == source.read_bytes()

    removals = {}
    for row in rows_of(folder / "out.removed.jsonl"):
        removals.setdefault(row["id"], []).append(row)
    gone = {f"r{n}": [] for n in range(len(texts))}
    gone |= {id_: [row["text"] for row in some] for id_, some in removals.items()}
    annotated = settings.get("mode") == "annotate"
    records = rows_of(out) + rows_of(folder / "out.dropped.jsonl")
    assert len(records) == len(texts)
    for record in records:
        text, mine = texts[int(record["id"][1:])], removals.pop(record["id"], [])
        inside(text, mine)
        assert record["dedup"]["removed"] == len(mine)
        assert all(row["kind"] == "blank" for row in mine if is_blank(row["text"]))
        assert not any(row["kind"] == "blank" for row in mine if not is_blank(row["text"]))
        if annotated:
            assert record["text"] == text
        elif record["dedup"]["kept"]:
            assert not is_blank(record["text"]), "blank text is not kept"
        else:
            assert is_blank(record["text"])
    assert not removals, "all removals are of a record"
    tried("adjacent", 1)
    # What is left may be compared at another level than all was, where the level is found out.
    asked = settings["level"] != "auto" and settings.get("keep") not in ("all", "mark")
    if asked and not annotated:
        cleaned = {row["id"]: row["text"] for row in rows_of(out)}
        found = check([out], config=dedup.Config(**settings)).findings
        left = [row for row in found if row["kind"] == "duplicate"]
        assert not [row for row in left if should_have_gone(row, texts, cleaned, gone)]


@pytest.mark.parametrize("level", ["sentence", "auto", "block"])
@pytest.mark.parametrize("gap", MIDDLE)
def test_passages_side_by_side(tmp_path, gap, level):
    kept_promises(tmp_path, [f"{P} {Z} {Q}", f"{X} {P}{gap}{Q}"], level=level)


@pytest.mark.parametrize(
    "texts",
    [
        [f"{P} {Q}", f"{P} {Q}"],
        [f"{P} {Q}", f"{Q} {P}"],
        [f"{P} {Q} {X}", f"{Q}\n{P}"],
        [P, Q, f"{P} {Q}"],
        [P, f"{P} {P}", f"{P}\n{P}"],
        [f"{P} {X}", f"{Z} {P}", f"{X} {Z}"],
        [f"{P} {Z} {Q}", f"\u00a0{P} {Q}\u00a0"],
        [f"{P} {Z} {Q}", f"{P}\u00a0{Q}", f"{Q}  {P}\n"],
        [f"{P} {Z} {Q}", f"{X} {P} {Q}", f"{X} {Q} {P}", f"{Z} {P} {Q} {X}"],
    ],
    ids=range(9),
)
@pytest.mark.parametrize("keep_empty", [False, True])
def test_texts_of_the_same_passages(tmp_path, texts, keep_empty):
    kept_promises(tmp_path, texts, level="sentence", keep_empty=keep_empty)


@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES < 1000,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(dumps(), chosen)
@example([f"{P} {Z} {Q}", f"{X} {P} {Q}"], {"level": "sentence"})
@example([P, f"{SENTENCES[4]} {P}", SENTENCES[4]], {"level": "sentence"})
def test_any_passages(tmp_path_factory, texts, chosen):
    kept_promises(tmp_path_factory.mktemp("adjacent"), texts, **chosen)
