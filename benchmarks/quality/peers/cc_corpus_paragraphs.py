"""Frequent paragraphs of a source by MinHash and LSH: IN.jsonl OUT.jsonl.

The design of `frequent_paragraphs.py` in DavidNemeskey/cc_corpus, by which the Hungarian
Webcorpus 2.0 was cleaned of boilerplate: for each domain (here: source) paragraphs are sketched
with datasketch over character 5-grams, 256 permutations; a paragraph that an LSH at 0.95 finds
nothing like becomes a new entry, otherwise those found are counted, at most once a document. An
entry is frequent that has `count >= 3 or count / documents >= 0.5`; what the LSH finds like a
frequent entry goes. These are the values of its README.

Differences: nothing is forgotten (the original lets entries decay, to stream through a crawl), and
every copy goes (the original leaves the first ones it meets). Equal paragraphs are sketched once,
and xxhash hashes the 5-grams, for the sake of time. Lines of under 5 characters have no sketch and
stay.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict

import xxhash
from datasketch import LeanMinHash, MinHash, MinHashLSH

NUM_PERM, WIDTH, THRESHOLD = 256, 5, 0.95
COUNT, SHARE = 3, 0.5


def main(source: str, target: str) -> None:
    with open(source, encoding="utf-8") as rows:
        records = [json.loads(row) for row in rows]
    by_source: defaultdict[str, list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        by_source[record["source"]].append(number)
    gone: dict[int, list[int]] = {}
    for numbers in by_source.values():
        found = frequent([records[number]["lines"] for number in numbers])
        gone |= dict(zip(numbers, found, strict=True))
    with open(target, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(gone[number]) + "\n" for number in range(len(records)))


def frequent(documents: list[list[str]]) -> list[list[int]]:
    """For each document of a source, the indices of its frequent lines."""
    blank = MinHash(NUM_PERM, hashfunc=xxhash.xxh32_intdigest)
    sketches: dict[str, LeanMinHash] = {}
    index, counts = MinHashLSH(THRESHOLD, NUM_PERM), dict[int, int]()
    for lines in documents:
        counted = set()
        for line in map(str.strip, lines):
            if len(line) < WIDTH:
                continue
            if line not in sketches:
                sketch = blank.copy()
                sketch.update_batch(
                    {line[i : i + WIDTH].encode() for i in range(len(line) - WIDTH + 1)}
                )
                sketches[line] = LeanMinHash(sketch)
            alike = index.query(sketches[line])
            for entry in set(alike) - counted:
                counts[entry] += 1
                counted.add(entry)
            if not alike:
                entry = len(counts)
                index.insert(entry, sketches[line])
                counts[entry] = 1
                counted.add(entry)
    often = {e for e, n in counts.items() if n >= COUNT or n / len(documents) >= SHARE}
    goes = {line: not often.isdisjoint(index.query(sketch)) for line, sketch in sketches.items()}
    return [[i for i, line in enumerate(lines) if goes.get(line.strip())] for lines in documents]


if __name__ == "__main__":
    main(*sys.argv[1:])
