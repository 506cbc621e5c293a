"""Paragraph near-duplicates with FastSketchLSH: sketches in batches, its LSH, keep the first.

    python fastsketchlsh_pipeline.py IN.jsonl OUT.jsonl

Paragraphs whose normalised text was seen are gone without a sketch. `batch` sketches lists of
shingles on all cores; `insert_and_query_duplicates` tells which rows share a band with another, and
only those are asked for their candidates, which are held against the threshold by their sketches.
A paragraph stays unless one before it that stays is near it.

`batch` takes the strings as they are; `batch_csr(prehashed=True)` would want them hashed in Python.
"""

from __future__ import annotations

import sys
from itertools import islice

import numpy as np
from FastSketchLSH import LSH, FastSimilaritySketch
from paragraphs import NUM_PERM, THRESHOLD, WIDTH, distinct, shingles, write_without

BANDS = 32
BATCH = 20_000


def main(source: str, target: str) -> None:
    texts, removed = distinct(source)
    wide = {number: text for number, text in texts.items() if text.count(" ") >= WIDTH - 1}
    numbers = [*wide]
    write_without(source, target, removed | {numbers[row] for row in _gone(_sketches(wide))})


def _sketches(texts: dict[int, str]) -> np.ndarray:
    sketch, lines = FastSimilaritySketch(NUM_PERM), iter(texts.values())
    matrix = np.empty((len(texts), NUM_PERM), np.uint64)
    for at in range(0, len(texts), BATCH):
        part = [shingles(text.split(" ")) for text in islice(lines, BATCH)]
        matrix[at : at + len(part)] = sketch.batch(part)
    return matrix


def _gone(matrix: np.ndarray) -> set[int]:
    """The rows that are near an earlier one that stays."""
    index = LSH(NUM_PERM, BANDS)
    flagged = np.flatnonzero(index.insert_and_query_duplicates(matrix))
    gone = set[int]()
    for at in range(0, len(flagged), BATCH):
        rows = flagged[at : at + BATCH]
        found, ends = index.query(matrix[rows], "csr")
        for row, start, end in zip(rows.tolist(), ends[:-1], ends[1:], strict=True):
            before = [int(other) for other in found[start:end] if other < row and other not in gone]
            if before and (matrix[before] == matrix[row]).mean(axis=1).max() >= THRESHOLD:
                gone.add(row)
    return gone


if __name__ == "__main__":
    main(*sys.argv[1:])
