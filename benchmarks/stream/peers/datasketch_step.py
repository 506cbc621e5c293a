"""Paragraph near-duplicates with datasketch's MinHashLSH, in a dict or in Redis.

    python datasketch_step.py CORPUS BEFORE COUNT TOGETHER OUT [PORT]

The same as benchmarks/speed/peers/datasketch_pipeline.py. With a PORT the bands lie in that Redis;
sketches and texts that verify candidates stay in the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
from datasketch import MinHashLSH

sys.path[:0] = [
    str(Path(__file__).parents[1]),
    str(Path(__file__).parents[2] / "speed" / "peers"),
]

from datasketch_pipeline import Kept  # noqa: E402
from drive import drive  # noqa: E402
from paragraphs import NUM_PERM, THRESHOLD, words  # noqa: E402


class KeptInRedis(Kept):
    """The same with the bands in Redis."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._index = MinHashLSH(
            THRESHOLD,
            NUM_PERM,
            weights=(0.1, 0.9),
            storage_config={
                "type": "redis",
                "basename": b"bench",
                "redis": {"host": "127.0.0.1", "port": port},
            },
        )


def main(corpus: str, before: str, count: str, together: str, out: str, port: str = "") -> None:
    kept = KeptInRedis(int(port)) if port else Kept()

    def step(lines: list[bytes]) -> list[list[str]]:
        left = []
        for line in lines:
            text = orjson.loads(line)["text"]
            pairs = zip(words(text), text.split("\n"), strict=True)
            left.append([paragraph for found, paragraph in pairs if not found or kept.add(found)])
        return left

    drive(step, corpus, int(before), int(count), int(together), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
