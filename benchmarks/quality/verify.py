"""Is every removed duplicate really said elsewhere? Recomputed slowly, with none of the kernels.

    python verify.py IN.jsonl OUT.jsonl [--shingle 3]

For every removal of kind "duplicate": the texts that the row and its match point at are taken from
the input, folded by `dedup.fold`, cut into word shingles as Python sets, and their Jaccard
similarity must be the row's. Ids must be unique. Exit 1
when a row is wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dedup


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("cleaned", type=Path)
    parser.add_argument("--shingle", type=int, default=3)
    args = parser.parse_args()
    texts = {row["id"]: row["text"] for row in rows(args.source)}
    removed = args.cleaned.with_name(f"{args.cleaned.stem}.removed.jsonl")
    checked: Counter[str] = Counter()
    wrong = 0
    for row in rows(removed):
        if row["kind"] != "duplicate":
            continue
        checked[row["evidence"]["rule"]] += 1
        match = row["match"]
        here = texts[row["id"]][row["start"] : row["end"]]
        there = texts[match["id"]][match["start"] : match["end"]]
        similarity = jaccard(here, there, args.shingle)
        if here != row["text"] or not math.isclose(similarity, row["similarity"], abs_tol=1e-12):
            wrong += 1
            print(f"{row['id']} [{row['start']}:{row['end']}]: {row['similarity']}, {similarity}")
    told = ", ".join(f"{rule} {times:,}" for rule, times in sorted(checked.items()))
    print(f"{sum(checked.values()):,} removals recomputed ({told}), {wrong} wrong")
    return int(wrong > 0)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)


def jaccard(one: str, other: str, width: int) -> float:
    """Similarity of two texts; 1 for equal keys, however short."""
    keys = [dedup.fold(text).split() for text in (one, other)]
    if keys[0] == keys[1]:
        return 1.0
    a, b = ({tuple(key[i : i + width]) for i in range(len(key) - width + 1)} for key in keys)
    return len(a & b) / len(a | b) if a or b else 0.0


if __name__ == "__main__":
    sys.exit(main())
