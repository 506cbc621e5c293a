"""Scores what `dedup.clean` did against answers made by hand or by construction."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

RESIDUE = {"related", "byline", "boilerplate"}
# What a gold label may be removed as.
FITTING = {
    "title": {"title"},
    "byline": {"byline"},
    "related": {"related"},
    "related_link": {"related"},
    "related_header": {"related"},
    "chrome": {"boilerplate"},
    "footer": {"boilerplate"},
}


def gold_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a gold file, by the names of its header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def kinds_by_line(removals: Iterable[Mapping[str, Any]]) -> dict[int, set[str]]:
    """For a raw dump: line -> the kinds that took it."""
    gone: dict[int, set[str]] = defaultdict(set)
    for row in removals:
        for k in range(row["text"].strip("\n").count("\n") + 1):
            gone[row["line"] + k].add(row["kind"])
    return gone


def kinds_by_index(
    texts: Mapping[str, str], removals: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, int], set[str]]:
    """For records: (id, index of the line in the text) -> the kinds that took it."""
    spans = defaultdict(list)
    for row in removals:
        spans[row["id"]].append(row)
    gone: dict[tuple[str, int], set[str]] = defaultdict(set)
    for name, text in texts.items():
        at = 0
        for index, line in enumerate(text.split("\n")):
            for row in spans[name]:
                covered = min(row["end"], at + len(line)) - max(row["start"], at)
                if line.strip() and 2 * covered >= len(line):
                    gone[name, index].add(row["kind"])
            at += len(line) + 1
    return gone


def score(
    gold: Iterable[tuple[Any, str, Any]], gone: Mapping[Any, set[str]]
) -> tuple[dict[str, float], list[str]]:
    """Shares of right lines, by label, and the wrong lines.

    Args:
        gold: (place, label, place that it repeats or None).
        gone: place -> the kinds that took it.
    """
    rows = list(gold)
    repeated = {repeats for _, _, repeats in rows if repeats is not None}
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    wrong = []
    for place, label, repeats in rows:
        kinds = gone.get(place, set()) - {"blank"}
        if label in FITTING:
            name, good = label, bool(kinds & FITTING[label])
        elif repeats is not None:
            name = "repeat"
            good = ("duplicate" in kinds) != ("duplicate" in gone.get(repeats, set()))
        else:  # the article's own: paragraphs, and subheadings, which are counted apart
            name = label if label == "subheading" else "body"
            good = not kinds - {"duplicate"} and ("duplicate" not in kinds or place in repeated)
        seen[name] += 1
        right[name] += good
        if not good:
            wrong.append(f"{place} {name}: {sorted(kinds) or 'kept'}")
    shares = {name: right[name] / seen[name] for name in sorted(seen)}
    shares["all"] = sum(right.values()) / max(1, sum(seen.values()))
    return shares, wrong
