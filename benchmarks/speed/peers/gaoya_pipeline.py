"""Paragraph near-duplicates with gaoya: its MinHashStringIndex on all cores, keep the first.

    python gaoya_pipeline.py IN.jsonl OUT.jsonl

Paragraphs whose normalised text was seen are gone without a sketch. The others go into the index
by `par_bulk_insert_docs` and are asked for by `par_bulk_query`, a batch at a time; gaoya cuts the
word 3-grams itself and holds candidates against the threshold by their signatures. A paragraph
stays unless one before it that stays is near it.

With 21 bands of 6 it settles 91 % of the pairs, with 32 of 4 94 %, for a tenth more time.
`id_container="vec"` because nothing is ever taken out of the index.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from gaoya.minhash import MinHashStringIndex
from paragraphs import THRESHOLD, WIDTH, distinct, write_without

BANDS, ROWS = 32, 4
BATCH = 20_000


def main(source: str, target: str) -> None:
    texts, removed = distinct(source)
    wide = {number: text for number, text in texts.items() if text.count(" ") >= WIDTH - 1}
    gone = set[int]()
    for number, near in _near(wide):
        if any(other < number and other not in gone for other in near):
            gone.add(number)
    write_without(source, target, removed | gone)


def _near(texts: dict[int, str]) -> Iterator[tuple[int, list[int]]]:
    """Each paragraph's number and the numbers of those near it."""
    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=THRESHOLD,
        num_bands=BANDS,
        band_size=ROWS,
        analyzer="word",
        ngram_range=(WIDTH, WIDTH),
        id_container="vec",
    )
    numbers, lines = [*texts], [*texts.values()]
    parts = [slice(at, at + BATCH) for at in range(0, len(lines), BATCH)]
    for part in parts:
        index.par_bulk_insert_docs(numbers[part], lines[part])
    for part in parts:
        yield from zip(numbers[part], index.par_bulk_query(lines[part]), strict=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
