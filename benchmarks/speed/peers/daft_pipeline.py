"""Paragraph near-duplicates with Daft: normalise, minhash, bands, connected components, write.

    python daft_pipeline.py IN.jsonl OUT.jsonl

All but the last two steps runs in Daft, on all cores. Each band is hashed with its place before
it is grouped by: grouping by lists of hashes took four times as long, grouping by hash and place a
third longer, and asking for whole buckets (`list_agg`) twice as long as for their first paragraph
and size and a join. Daft has no connected components; scipy's take no time, where the large-star
and small-star rounds of Daft's own tutorial are a dozen joins. Nothing is verified, as in that
tutorial: a component is one text.

20 bands of 6 as for datasketch. Lines that lose nothing are copied, others written with orjson:
for `write_json` the paragraphs would have to be grouped and the records sorted again.
"""

from __future__ import annotations

import sys

import daft
import numpy as np
import orjson
from daft import col, functions, lit
from paragraphs import LETTERS, MARKS, WIDTH, write
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

BANDS, ROWS = 20, 6


def main(source: str, target: str) -> None:
    paragraphs = _paragraphs(source)
    record_of = np.array(paragraphs.select("record").to_pydict()["record"])
    number, first = _edges(paragraphs)
    removed = _removed(number, first, len(record_of))
    records = record_of[removed]
    lines = removed - np.searchsorted(record_of, records)
    gone: dict[int, set[int]] = {}
    for record, line in zip(records.tolist(), lines.tolist(), strict=True):
        gone.setdefault(record, set()).add(line)
    _write(source, target, gone)


def _paragraphs(source: str) -> daft.DataFrame:
    """Number, record and normalised text of each paragraph."""
    letters, plain = map("".join, zip(*LETTERS, strict=True))
    text = functions.translate(functions.lower(col("text")), letters, plain)
    text = functions.regexp_replace(text, f"[{MARKS}]+", "")
    text = functions.regexp_replace(text, r"[^\pL\pN\n]+", " ")
    return (
        daft.read_json(source)
        .with_column("record", functions.monotonically_increasing_id())
        .select("record", functions.split(text, "\n").alias("text"))
        .explode("text")
        .with_column("number", functions.monotonically_increasing_id())
        .with_column("text", functions.strip(col("text")))
        .collect()
    )


def _edges(paragraphs: daft.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Paragraphs that share a band, each with the first one of its bucket."""
    sketches = functions.minhash(
        col("text"), num_hashes=BANDS * ROWS, ngram_size=WIDTH, hash_function="xxhash"
    )
    bands = (
        paragraphs.where(col("text") != "")
        .select("number", functions.chunk(sketches, ROWS).alias("hashes"))
        .with_column("band", lit([*range(BANDS)]))
        .explode("hashes", "band")
        .select("number", functions.hash(col("hashes"), col("band")).alias("bucket"))
        .collect()
    )
    buckets = (
        bands.groupby("bucket")
        .agg(
            functions.min(col("number")).alias("first"),
            functions.count(col("number")).alias("size"),
        )
        .where(col("size") > 1)
    )
    edges = (
        bands.join(buckets, on="bucket")
        .where(col("first") != col("number"))
        .select("number", "first")
        .distinct()
        .to_pydict()
    )
    return np.array(edges["number"], np.int64), np.array(edges["first"], np.int64)


def _removed(number: np.ndarray, first: np.ndarray, count: int) -> np.ndarray:
    """All paragraphs but the first of each component, in order."""
    graph = coo_array((np.ones(len(number), bool), (number, first)), (count, count))
    _, component = connected_components(graph, directed=False)
    _, firsts = np.unique(component, return_index=True)
    return np.setdiff1d(np.arange(count), firsts)


def _write(source: str, target: str, gone: dict[int, set[int]]) -> None:
    with open(source, "rb") as lines, open(target, "wb") as out:
        for number, line in enumerate(lines):
            if number in gone:
                record = orjson.loads(line)
                count = record["text"].count("\n") + 1
                write(out, line, record, [place not in gone[number] for place in range(count)])
            else:
                out.write(line)


if __name__ == "__main__":
    main(*sys.argv[1:])
