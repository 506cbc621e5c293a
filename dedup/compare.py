"""What records of one set say that stands in another: contamination, or two crawls of one site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dedup.clean import COPY_SHARE, Source
from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.errors import NothingRead, RecordError
from dedup.formats import Inputs, open_inputs
from dedup.formats.inputs import listed
from dedup.judge.evidence import gather, stand
from dedup.judge.judge import REPEAT_TOKENS, judge_residue
from dedup.match.across import find
from dedup.match.groups import group
from dedup.match.order import keeping_order, rank_of
from dedup.match.sentences import needed, sentences
from dedup.match.stories import find_stories
from dedup.records import Batch
from dedup.text import lexicon
from dedup.text.corpus import Corpus, build


@dataclass(slots=True)
class Overlap:
    """What of A stands in B.

    Attributes:
        records: records of A and of B.
        units: paragraphs of A that were looked for (sentences, where those are compared).
        found: those that stand in B.
        whole: records of A of which all that was looked for stands in B.
        touched: records of A of which anything does.
        matrix: (outlet of A, outlet of B) -> paragraphs of A that stand there.
        rows: what stands in B, record by record of A: id, source, how many paragraphs were looked
            for and found, and where each stands.
        rejected: lines that are no records.
        capped: paragraphs for which `max_candidates` cut the comparison short.
        level: "block" or "sentence".
    """

    records: tuple[int, int]
    units: int = 0
    found: int = 0
    whole: int = 0
    touched: int = 0
    matrix: dict[tuple[str, str], int] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejected: int = 0
    capped: int = 0
    level: str = "block"

    def as_json(self) -> dict[str, Any]:
        """All of it, ready for JSON; the matrix by outlets of A, then of B."""
        matrix: dict[str, dict[str, int]] = {}
        for (source, there), n in self.matrix.items():
            matrix.setdefault(source, {})[there] = n
        return {
            "records": {"a": self.records[0], "b": self.records[1]},
            "level": self.level,
            "looked_for": self.units,
            "found": self.found,
            "records_whole": self.whole,
            "records_touched": self.touched,
            "rejected": self.rejected,
            "capped": self.capped,
            "matrix": matrix,
            "overlap": self.rows,
        }


def compare(
    one: Source | Iterable[Source],
    other: Source | Iterable[Source],
    *,
    config: Config | None = None,
) -> Overlap:
    """Find what records of A say that stands in B, verified; page residue does not count.

    Args:
        one: A: paths of files or folders, globs, or records as dicts.
        other: B, the same.
        config: threshold, shingle, level, field names.

    Raises:
        DedupError: an input cannot be used, or not one line of A or of B be read.
    """
    config = config or Config()
    rejected: list[str] = []
    with Memory(config.memory_limit()) as memory:
        bounds: list[int] = [0]

        def batches() -> Iterator[Batch]:
            for source in (other, one):  # what may be found comes first
                yield from _records(_inputs(source, config), config, bounds, rejected)

        words = lexicon.load(config.marker, config.seed)
        corpus = build(batches(), words, memory, config.workers, False, config.level != "block")
        found = _overlap(corpus, bounds[1], config, memory)
    found.rejected = len(rejected)
    return found


def _inputs(source: Source | Iterable[Source], config: Config) -> Inputs:
    return open_inputs(listed(source), config)


def _records(
    inputs: Inputs, config: Config, bounds: list[int], rejected: list[str]
) -> Iterator[Batch]:
    """The batches of a set; behind the last one, where the set ends."""
    read, before = bounds[-1], len(rejected)
    for found in inputs.batches():
        if isinstance(found, Batch):
            read += len(found.ids)
            yield found
        elif config.on_error == "fail":
            raise RecordError(found.file, found.line, found.rule)
        else:
            rejected.append(f"{found.file}:{found.line}: {found.rule}")
    if read == bounds[-1] and len(rejected) > before:
        raise NothingRead(rejected[before], len(rejected) - before)
    bounds.append(read)


def _overlap(corpus: Corpus, border: int, config: Config, memory: Memory) -> Overlap:
    """What of the records from `border` on stands in those before."""
    rank = rank_of(corpus, "first")
    groups = group(corpus.blocks, keeping_order(corpus, rank), config, memory)
    nothing = np.zeros(corpus.n, dtype=np.bool_)
    stories = find_stories(corpus, groups, rank, nothing, COPY_SHARE)
    evidence = gather(corpus, groups, stand(corpus, groups, memory), stories, memory)
    residue = judge_residue(corpus, evidence, stories, memory).residue()
    out = Overlap((corpus.records - border, border))
    if needed(corpus, config.level):
        said = sentences(corpus, rank, config, memory)
        corpus, residue, out.level = said.corpus, residue[said.block], "sentence"
    n, record = corpus.n, corpus.record_of()
    usable = ~residue & (corpus.blocks.length()[:n] >= REPEAT_TOKENS)
    total = corpus.blocks.key.size
    known, asked = (np.zeros(total, dtype=np.bool_) for _ in range(2))
    known[:n], asked[:n] = usable & (record < border), usable & (record >= border)
    match, similarity, out.capped = find(corpus.blocks, known, asked, config, memory)
    wanted = np.bincount(record[asked[:n]], minlength=corpus.records)
    hit = np.flatnonzero(match >= 0)
    got = np.bincount(record[hit], minlength=corpus.records)
    out.units, out.found = int(asked.sum()), hit.size
    out.touched = int((got > 0).sum())
    out.whole = int(((got == wanted) & (got > 0)).sum())
    source, there = corpus.source[record[hit]], corpus.source[record[match[hit]]]
    for a, b in zip(source.tolist(), there.tolist(), strict=True):
        pair = corpus.sources[a], corpus.sources[b]
        out.matrix[pair] = out.matrix.get(pair, 0) + 1
    places, matches = corpus.places(hit), corpus.places(match[hit])
    row: dict[str, Any] = {}
    for k, (block, alike) in enumerate(zip(hit.tolist(), similarity[hit].tolist(), strict=True)):
        number = int(record[block])
        if not out.rows or row["record"] != number:
            row = {
                "record": number,
                "id": corpus.ids[number],
                "source": corpus.sources[corpus.source[number]],
                "looked_for": int(wanted[number]),
                "found": int(got[number]),
                "matches": [],
            }
            out.rows.append(row)
        here, other = places[k], matches[k]
        row["matches"].append(
            {
                "start": here.start,
                "end": here.end,
                "similarity": alike,
                "match": {"id": other.id, "start": other.start, "end": other.end},
            }
        )
    for row in out.rows:
        del row["record"]
    return out
