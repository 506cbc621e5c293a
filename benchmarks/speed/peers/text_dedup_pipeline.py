"""Paragraph near-duplicates with text-dedup: `python -m text_dedup.minhash` on the paragraphs.

    python text_dedup_pipeline.py IN.jsonl OUT.jsonl

text-dedup is a command that takes a data set of texts and writes what is left of it: each
paragraph that has words is a row, normalised, with its number. What the data set it writes does
not hold is removed. `--min_length 1`, because shorter rows vanish from its output, and its own
splitting finds the words again. It verifies nothing: what shares a bucket is one cluster.

20 bands of 6 as for datasketch: at J = 0.7, by the formula, 9 pairs of 10 share one; of the bands
that weights of 0.5 give (14 of 9), 4 of 10. `--hash_func xxh3` and `--hash_bits 32` are its
fastest; processes for all cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson
from datasets import Dataset, load_from_disk
from paragraphs import THRESHOLD, WIDTH, words, write_without

BANDS, ROWS = 20, 6
OPTIONS = {
    "path": "json",
    "split": "train",
    "column": "text",
    "ngram": WIDTH,
    "min_length": 1,
    "threshold": THRESHOLD,
    "num_perm": BANDS * ROWS,
    "b": BANDS,
    "r": ROWS,
    "hash_func": "xxh3",
    "hash_bits": 32,
    "num_proc": len(os.sched_getaffinity(0)),
}


def main(source: str, target: str) -> None:
    with tempfile.TemporaryDirectory(dir=Path(target).parent) as folder:
        rows, output = Path(folder, "rows.jsonl"), Path(folder, "left")
        numbers = _write_rows(source, rows)
        options = {**OPTIONS, "data_files": rows, "output": output, "cache_dir": folder}
        subprocess.run(
            [
                *(sys.executable, "-m", "text_dedup.minhash"),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            check=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": folder},
        )
        left = load_from_disk(str(output))
        assert isinstance(left, Dataset)
        write_without(source, target, numbers.difference(left["number"]))


def _write_rows(source: str, target: Path) -> set[int]:
    """Write the paragraphs that have words as a data set; their numbers."""
    numbers, number = set[int](), 0
    with open(source, "rb") as lines, target.open("wb") as out:
        for line in lines:
            for paragraph in words(orjson.loads(line)["text"]):
                if paragraph:
                    row = {"number": number, "text": " ".join(paragraph)}
                    out.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                    numbers.add(number)
                number += 1
    return numbers


if __name__ == "__main__":
    main(*sys.argv[1:])
