"""Fits the weights by which the end of a record is told from its own last paragraphs.

    python fit_ends.py ARTICLES.jsonl [--seed 5] [--sets 240]

Articles that stand near each other in the file get the first sentences of others behind half of
them, as `make_dump.py` puts them there. A logistic regression tells these from the last paragraphs
of the other half by the features of `dedup.judge.endings`. Prints weights for `WEIGHTS` there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import make_dump
import numpy as np
from scipy.optimize import minimize

import dedup
from dedup.judge import endings, judge, teasers
from dedup.judge.verdicts import KEPT

SIZE = 9  # articles in a set
RIDGE = 1e-4
LAST = 4  # paragraphs at the end of an article that teasers could be mistaken for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("articles", type=Path)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--sets", type=int, default=240)
    args = parser.parse_args()
    variety = make_dump.Variety(teasers=0.5)
    with args.articles.open(encoding="utf-8") as file:
        pool = [a for a in map(json.loads, file) if make_dump.usable(a, "", variety)]
    found = []
    for rows in make_dump.dumps(pool, args.sets, SIZE, args.seed, variety):
        found += examples(rows)
    x, y = (np.array(column) for column in zip(*found, strict=True))
    weights = fit(x, y)
    print("WEIGHTS =", tuple(round(float(w), 1) for w in weights))
    likely = x @ weights > 0
    print(f"{y.sum()} teasers, {likely[y].mean():.3f} of them found alone; "
          f"{(~y).sum()} own paragraphs, {likely[~y].mean():.3f} taken for one")  # fmt: skip


def examples(rows: list[make_dump.Row]) -> Iterator[tuple[np.ndarray, bool]]:
    """Features of every teaser, and of the articles' own last paragraphs that open as leads do."""
    records: dict[int, list[tuple[str, bool]]] = {}
    titles = {}
    for line, article, label, _ in rows:
        if label == "title":
            titles[article] = line
        elif label == "body" or (label == "related_link" and make_dump.is_prose(line)):
            records.setdefault(article, []).append((line, label != "body"))
    seen = []

    def look(
        corpus: teasers.Corpus, evidence: teasers.Evidence, verdicts: teasers.Verdicts, prior: Any
    ) -> None:
        kept = verdicts.rule == KEPT
        opens = teasers.opens_a_story(corpus, evidence)
        ends = endings.Ends.of(corpus, evidence, kept, opens, teasers.behind(corpus, kept))
        seen[:] = [(corpus, evidence, ends)]

    before, judge.judge_teasers = judge.judge_teasers, look
    try:
        dedup.clean([
            {"id": str(n), "title": titles[n], "text": "\n".join(line for line, _ in lines)}
            for n, lines in records.items()
        ])  # fmt: skip
    finally:
        judge.judge_teasers = before
    corpus, evidence, ends = seen[0]
    for r, lines in enumerate(records.values()):
        first, stop = corpus.first[r : r + 2].tolist()
        foreign = [told for _, told in lines]
        if stop - first != len(lines):
            continue
        stays = first + np.flatnonzero(ends.kept[first:stop])
        own = first + (foreign.index(True) if any(foreign) else len(lines))
        found = _features(corpus, evidence, ends, stays, int(ends.most[r]))
        for place in np.flatnonzero(found.begins[0] & (found.block[0] == own)).tolist():
            yield from ((row, True) for row in found.rows(0, place))
        stays = stays[stays < own]
        for k in range(max(2, stays.size - LAST), stays.size):
            if ends.opens[stays[k]]:
                yield _features(corpus, evidence, ends, stays[: k + 1], 1).rows(0, 0)[0], False


def _features(
    corpus: teasers.Corpus, evidence: teasers.Evidence, ends: endings.Ends, stays: np.ndarray,
    most: int,
) -> endings.Features:  # fmt: skip
    """Of one record."""
    pointer = np.array([0, stays.size])
    return endings.features(corpus, evidence, ends, stays, pointer, np.array([most]))


def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression; a ridge on weights as they are leans on no rare feature."""
    sign = 2.0 * y - 1.0

    def loss(w: np.ndarray) -> float:
        return float(np.logaddexp(0, -sign * (x @ w)).mean() + RIDGE * (w @ w))

    return minimize(loss, np.zeros(x.shape[1])).x


if __name__ == "__main__":
    main()
