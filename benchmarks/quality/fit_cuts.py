"""Fits the weights by which a raw dump is cut where no credit line stands.

    python fit_cuts.py CLEANED.jsonl [--seed 5]

Articles of one source are joined, some at a time, as a dump joins them: headline, then body. A
logistic regression tells the headlines from the headings inside the bodies by the features of
`dedup.text.dumps`. CLEANED.jsonl is an output of `dedup clean` with a `title` in each record, so
that links between paragraphs are out. Prints weights for `dedup.text.dumps.WEIGHTS`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from dedup.records import Strings
from dedup.text import lexicon
from dedup.text.blocks import scan
from dedup.text.dumps import HEADLINE_TOKENS, LEAD_TOKENS, WINDOW, Bags

SIZE = 9  # articles joined at a time
NEAR = 30  # chosen among so many neighbours, which are alike in topic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cleaned", type=Path)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    sources = defaultdict(list)
    with args.cleaned.open(encoding="utf-8") as file:
        for article in map(json.loads, file):
            sources[article.get("source"), article.get("category")].append(article)
    rows, answers = [], []
    for articles in sources.values():
        for _ in range(30):
            at = rng.randrange(max(1, len(articles) - NEAR))
            near = articles[at : at + NEAR]
            for features, answer in examples(rng.sample(near, min(SIZE, len(near)))):
                rows.append(features)
                answers.append(answer)
    x, y = np.array(rows), np.array(answers)
    weights = fit(x, y)
    print("WEIGHTS =", tuple(round(float(w), 2) for w in weights))
    score = x @ weights
    for least in (0.0, 0.5, 1.0, 2.5):
        found = score >= least
        print(
            f"score >= {least}: headlines found {found[y].mean():.3f}, "
            f"headings taken for one {found[~y].mean():.3f}"
        )


def examples(articles: list[dict]) -> list[tuple[tuple[float, ...], bool]]:
    """Features of every heading before prose, and whether it is a headline."""
    lines, headline = [], []
    for article in articles:
        body = [line.strip() for line in article["text"].split("\n") if line.strip()]
        lines += [" ".join(article["title"].split()), *body]
        headline += [True, *[False] * len(body)]
    words = lexicon.load()
    text = "\n".join(lines)
    blocks = scan(Strings.of([text]), words.common).blocks
    length = blocks.length()
    heading = blocks.headings() & (words.begins(blocks, "prose") == 0)
    prose = np.flatnonzero(~heading & (length >= LEAD_TOKENS))
    if blocks.key.size != len(lines) or prose.size < WINDOW:
        return []
    bags = Bags(text, blocks, prose)
    out = []
    for b in np.flatnonzero(
        heading[:-1] & ~heading[1:] & (length[:-1] >= HEADLINE_TOKENS)
    ).tolist():
        before, after = prose[prose < b][-WINDOW:], prose[prose > b][:WINDOW]
        if before.size and after.size:
            out.append((bags.features(b, before, after), headline[b]))
    return out


def fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression with a light ridge, features scaled while fitting."""
    scale = x.std(axis=0)
    scale[0] = 1.0
    sign = 2.0 * y - 1.0

    def loss(w: np.ndarray) -> float:
        return float(np.logaddexp(0, -sign * (x / scale @ w)).mean() + 1e-4 * (w @ w))

    return minimize(loss, np.zeros(x.shape[1])).x / scale


if __name__ == "__main__":
    main()
