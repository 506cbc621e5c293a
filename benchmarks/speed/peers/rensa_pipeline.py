"""Paragraph near-duplicates with rensa: its batch interface, then its deduplicator.

    python rensa_pipeline.py IN.jsonl OUT.jsonl

The file is read twice. First all paragraphs go into one digest matrix, lazily, so that no list of
tokens outlives its paragraph; `query_duplicate_flags_matrix_one_shot` tells which of them share a
band with another. The flags hold the first copy too, so they alone would lose text: in the second
reading `RMinHashDeduplicator` decides among the flagged, in order, and keeps the first. Feeding it
all paragraphs in one reading gives the same output, takes a third longer and 3.4 times the memory.

With its default of 16 bands at 0.7 rensa settles 89 % of the pairs of similarity 0.7 and more of
a real corpus; with 32 it is 95 %.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import orjson
from paragraphs import NUM_PERM, THRESHOLD, shingles, words, write
from rensa import RMinHash, RMinHashDeduplicator, RMinHashLSH

BANDS = 32
SEED = 42


def main(source: str, target: str) -> None:
    matrix = RMinHash.digest_matrix_from_token_sets(_tokens(source), NUM_PERM, SEED)
    index = RMinHashLSH(THRESHOLD, NUM_PERM, BANDS)
    meets = iter(index.query_duplicate_flags_matrix_one_shot(matrix))
    del matrix
    kept = RMinHashDeduplicator(THRESHOLD, NUM_PERM, True, BANDS, SEED)
    number = 0
    with open(source, "rb") as lines, open(target, "wb") as out:
        for line in lines:
            record = orjson.loads(line)
            keep = []
            for paragraph in record["text"].split("\n"):
                number += 1
                found = words(paragraph)[0] if next(meets) else []
                keep += kept.add_pairs([(str(number), shingles(found))]) if found else [True]
            write(out, line, record, keep)


def _tokens(source: str) -> Iterator[list[str]]:
    with open(source, "rb") as lines:
        for line in lines:
            yield from map(shingles, words(orjson.loads(line)["text"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
