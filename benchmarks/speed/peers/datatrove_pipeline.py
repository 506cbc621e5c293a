"""Paragraph near-duplicates with datatrove: its four MinHash stages on a folder.

    python datatrove_pipeline.py IN.jsonl OUT.jsonl

Each paragraph that has words is a document, normalised, with its number as id, in one file for
each core; the stages run as datatrove's own example has them, with a task a file. What the last
stage leaves out is removed. datatrove gives no 3-grams for a text of under three words and so
keeps all of them; here such texts are removed by their words, like those that were seen.

The words are split at spaces by a tokenizer of our own, which costs less than any that comes with
it, and the text is normalised already; for the same reason its own normalisation is off. 20 buckets
of 6 as for datasketch.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import orjson
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.text import TextNormConfig
from datatrove.utils.word_tokenizers import WordTokenizer
from paragraphs import WIDTH, distinct, write_without

BANDS, ROWS = 20, 6
CONFIG = MinhashConfig(
    n_grams=WIDTH,
    num_buckets=BANDS,
    hashes_per_bucket=ROWS,
    norm_config=TextNormConfig(
        lowercase=False,
        norm_whitespace=False,
        remove_punctuation=False,
        norm_unicode_diacritics=False,
        norm_numbers=False,
    ),
)
TASKS = len(os.sched_getaffinity(0))


class Spaces(WordTokenizer):
    """Words are what stands between spaces."""

    def word_tokenize(self, text: str) -> list[str]:
        return text.split(" ")

    def sent_tokenize(self, text: str) -> list[str]:
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


def main(source: str, target: str) -> None:
    texts, removed = distinct(source)
    with tempfile.TemporaryDirectory(dir=Path(target).parent) as name:
        folder = Path(name)
        _write_documents(texts, folder / "documents")
        reader = JsonlReader(str(folder / "documents"), compression=None)
        _run(folder, [reader, MinhashDedupSignature(f"{folder}/signatures", CONFIG, Spaces())])
        _run(
            folder,
            [MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/pairs", config=CONFIG)],
            BANDS,
        )
        _run(folder, [MinhashDedupCluster(f"{folder}/pairs", f"{folder}/removed", CONFIG)], 1)
        writer = JsonlWriter(f"{folder}/left", compression=None)
        _run(folder, [reader, MinhashDedupFilter(f"{folder}/removed"), writer])
        left = {
            int(orjson.loads(line)["id"])
            for path in (folder / "left").glob("*.jsonl")
            for line in path.read_bytes().splitlines()
        }
    write_without(source, target, removed | (texts.keys() - left))


def _run(folder: Path, steps: list[PipelineStep], tasks: int = TASKS) -> None:
    logs = tempfile.mkdtemp(dir=folder)  # one for each stage: it would take the next as done
    LocalPipelineExecutor(
        steps, tasks=tasks, workers=TASKS, logging_dir=logs, start_method="fork"
    ).run()


def _write_documents(texts: dict[int, str], folder: Path) -> None:
    folder.mkdir()
    rows = [orjson.dumps({"id": str(number), "text": text}) for number, text in texts.items()]
    share = -(-len(rows) // TASKS)
    for task in range(TASKS):
        part = rows[task * share : (task + 1) * share]
        (folder / f"{task}.jsonl").write_bytes(b"\n".join(part))


if __name__ == "__main__":
    main(*sys.argv[1:])
