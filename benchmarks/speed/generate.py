"""Articles that look like Arabic news, with known near-duplicate paragraphs.

    python generate.py OUT.jsonl [--size MB] [--seed N]      writes OUT.pairs.tsv too

Nothing is copied from anywhere: sentences are patterns of word classes filled from the lists of
lexicon.py, frequent words more often (the weight of the n-th is 1 / (n + 8)). The same size and
seed give the same bytes.

- Most paragraphs are new: one to four sentences.
- 5 % are copies of a new paragraph of one of the last 2,000 articles, and 5 % of the articles are
  an earlier one retold by another outlet, paragraph by paragraph. A copy is word for word or has
  words replaced, left out and added; 30 % of the copies are in another spelling (without hamza,
  with vowel signs, with tatweel).
- Over half of the articles end in their outlet's footer, and links to other stories stand between
  paragraphs.

OUT.pairs.tsv lists every copy with its origin: exact Jaccard of their normalised word 3-grams, id
and line of both; pairs under 0.5 are left out. Copies of one origin are not paired with each other.
"""

from __future__ import annotations

import argparse
import random
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import orjson
from lexicon import CLASSES, FOOTERS, RELATED, SENTENCES, SOURCES, TITLES
from peers.paragraphs import shingles, words

SIZE_MB = 20
SEED = 1
COPIED = 0.05  # of the paragraphs of a new article
RETOLD = 0.05  # of the articles
FOOTED = 0.6  # of the articles
LINKED = 0.05  # links after a paragraph
RESPELLED = 0.3  # of the copies
EDITS = (0.0, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08)  # share of words changed; one is drawn for a copy
LEAST_PAIR = 0.5
PAST = 2000
DRAWN = 4096
HAMZA = str.maketrans("أإآ", "ااا")
RESPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda text: text.translate(HAMZA),
    lambda text: text.replace("ر", "ر\u064e"),  # fatha
    lambda text: text.replace("م", "م\u0640"),  # tatweel
)


class Article(NamedTuple):
    """A new article, for later ones to copy from; `new` holds its new paragraphs by line."""

    key: str
    source: str
    title: str
    new: dict[int, str]


class Generator:
    """Makes one corpus; `pairs` grows with it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = {name: self._draw(name) for name in CLASSES}
        self._past: deque[Article] = deque(maxlen=PAST)
        self.pairs: list[str] = []

    def record(self, number: int) -> dict[str, str]:
        """The next article."""
        outlet = self._random.randrange(len(SOURCES))
        source, key = SOURCES[outlet], f"{outlet}-{number:07d}"
        told = self._random.choice(self._past) if self._past and self._chance(RETOLD) else None
        if told and told.source != source:
            title = told.title
            lines = [self._copy(told, at, key, line) for line, at in enumerate(told.new)]
        else:
            title = self._fill(TITLES)
            lines = self._article(key, source, title)
        if self._chance(FOOTED):
            lines.append(FOOTERS[outlet % len(FOOTERS)].format(source))
        return {
            "id": key,
            "url": f"https://outlet{outlet}.example/{number}",
            "source": source,
            "date": f"2024-{number // 2240 % 12 + 1:02d}-{number // 80 % 28 + 1:02d}",
            "title": title,
            "text": "\n".join(lines),
        }

    def _article(self, key: str, source: str, title: str) -> list[str]:
        lines = [self._paragraph()]
        new = {0: lines[0]}
        for _ in range(self._random.randint(2, 12)):
            if self._past and self._chance(LINKED):
                link = self._random.choice(RELATED)
                lines.append(link.format(self._random.choice(self._past).title))
            if self._past and self._chance(COPIED):
                origin = self._random.choice(self._past)
                at = self._random.choice(list(origin.new))
                lines.append(self._copy(origin, at, key, len(lines)))
            else:
                new[len(lines)] = self._paragraph()
                lines.append(new[len(lines)])
        self._past.append(Article(key, source, title, new))
        return lines

    def _paragraph(self) -> str:
        count = self._random.choices((1, 2, 3, 4), (1, 3, 4, 2))[0]
        return ". ".join(self._fill(SENTENCES) for _ in range(count)) + "."

    def _copy(self, origin: Article, at: int, key: str, line: int) -> str:
        """A copy of a line of `origin`, noted as a pair, to stand in line `line` of `key`."""
        text = origin.new[at]
        rate = self._random.choice(EDITS)
        copy = " ".join(self._edited(word) if self._chance(rate) else word for word in text.split())
        if self._chance(RESPELLED):
            copy = self._random.choice(RESPELLINGS)(copy)
        one, other = (set(shingles(words(each)[0])) for each in (text, copy))
        jaccard = len(one & other) / len(one | other)
        if jaccard >= LEAST_PAIR:
            self.pairs.append(f"{jaccard:.4f}\t{origin.key}\t{at}\t{key}\t{line}\n")
        return copy

    def _edited(self, word: str) -> str:
        another = next(self._words["N"])
        return self._random.choice((another, "", f"{word} {another}"))

    def _fill(self, patterns: tuple[str, ...]) -> str:
        return " ".join(
            str(self._random.randrange(2, 3000)) if name == "#" else next(self._words[name])
            for name in self._random.choice(patterns)
        )

    def _draw(self, name: str) -> Iterator[str]:
        weights = list(accumulate(1 / (rank + 8) for rank in range(len(CLASSES[name]))))
        while True:
            yield from self._random.choices(CLASSES[name], cum_weights=weights, k=DRAWN)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share


def generate(target: Path, size_mb: float, seed: int) -> Path:
    """Write a corpus of at least that size and its pairs, unless they are there.

    Returns:
        The path of the pairs.
    """
    pairs = target.with_suffix(".pairs.tsv")
    if target.exists() and pairs.exists():
        return pairs
    target.parent.mkdir(parents=True, exist_ok=True)
    generator, written, number = Generator(seed), 0, 0
    unfinished = target.with_suffix(".part")
    with unfinished.open("wb") as out:
        while written < size_mb * 1e6:
            number += 1
            written += out.write(orjson.dumps(generator.record(number)) + b"\n")
    pairs.write_text("".join(generator.pairs), encoding="utf-8")
    unfinished.replace(target)
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=float, default=SIZE_MB, metavar="MB")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    generate(args.out, args.size, args.seed)


if __name__ == "__main__":
    main()
