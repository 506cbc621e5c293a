"""The whole of dedup's Cleaner, its index on disk: calls of one record are those of a user.

python dedup_step.py CORPUS BEFORE COUNT TOGETHER OUT INDEX
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parents[1]))

from drive import drive

import dedup


def main(corpus: str, before: str, count: str, together: str, out: str, index: str) -> None:
    with dedup.Cleaner(index=index) as clean:

        def step(lines: list[bytes]) -> list[list[str]]:
            if len(lines) == 1:
                cleaned = clean(orjson.loads(lines[0]))
                return [cleaned["text"].split("\n") if cleaned else []]
            result = clean.clean(map(orjson.loads, lines))
            gone = {row["dedup"]["position"] for row in result.dropped}
            rows = iter(result)
            return [
                [] if place in gone else next(rows)["text"].split("\n")
                for place in range(len(lines))
            ]

        drive(step, corpus, int(before), int(count), int(together), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
