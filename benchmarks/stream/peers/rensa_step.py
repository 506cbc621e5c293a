"""Paragraph near-duplicates with rensa's streaming deduplicator, in memory.

    python rensa_step.py CORPUS BEFORE COUNT TOGETHER OUT

With 32 bands, as in benchmarks/speed/peers/rensa_pipeline.py, and the paragraphs of a call at once.
"""

from __future__ import annotations

import sys
from itertools import count as numbers
from pathlib import Path

import orjson

sys.path[:0] = [
    str(Path(__file__).parents[1]),
    str(Path(__file__).parents[2] / "speed" / "peers"),
]

from drive import drive  # noqa: E402
from paragraphs import NUM_PERM, THRESHOLD, shingles, words  # noqa: E402
from rensa import RMinHashDeduplicator  # noqa: E402

BANDS = 32
SEED = 42


def main(corpus: str, before: str, count: str, together: str, out: str) -> None:
    kept = RMinHashDeduplicator(THRESHOLD, NUM_PERM, True, BANDS, SEED)
    number = numbers()

    def step(lines: list[bytes]) -> list[list[str]]:
        texts = [orjson.loads(line)["text"] for line in lines]
        found = [words(text) for text in texts]
        pairs = [
            (str(next(number)), shingles(paragraph))
            for paragraphs in found
            for paragraph in paragraphs
            if paragraph
        ]
        new = iter(kept.add_pairs(pairs))
        return [
            [
                line
                for paragraph, line in zip(paragraphs, text.split("\n"), strict=True)
                if not paragraph or next(new)
            ]
            for paragraphs, text in zip(found, texts, strict=True)
        ]

    drive(step, corpus, int(before), int(count), int(together), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
