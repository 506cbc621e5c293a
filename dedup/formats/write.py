"""The last stage: every record once more, without what goes, and a row for all that went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from dedup.config import Config
from dedup.formats import cleaned
from dedup.judge.evidence import Evidence
from dedup.judge.verdicts import KEPT, NAMES, Verdicts
from dedup.records import I64, Counts, Record, Removal
from dedup.text.corpus import Corpus


class Writer:
    """Turns verdicts into lines of JSON.

    Args:
        corpus: all records.
        stories: int64[records]; the leading record of each record's story.
        evidence: of all blocks.
        verdicts: on all blocks.
        config: `keep_empty`.
        counts: counted into.
    """

    def __init__(
        self,
        corpus: Corpus,
        stories: I64,
        evidence: Evidence,
        verdicts: Verdicts,
        config: Config,
        counts: Counts,
    ) -> None:
        self._corpus = corpus
        self._stories = stories
        self._story_size = np.bincount(stories, minlength=corpus.records)
        self._evidence = evidence
        self._verdicts = verdicts
        self._config = config
        self._counts = counts
        gone = (verdicts.rule != KEPT) | (corpus.residue != 0)
        self._touched = np.zeros(corpus.records, dtype=np.bool_)
        self._touched[corpus.record_of()[gone]] = True
        counts.blocks = corpus.n
        counts.stories = int((self._story_size > 1).sum())
        counts.retold = corpus.records - int((self._story_size > 0).sum())
        for name, number in zip(corpus.sources, range(len(corpus.sources)), strict=True):
            mine = corpus.source[corpus.record_of()] == number
            lost = mine & (verdicts.rule != KEPT)
            counts.sources[name] = [int(mine.sum()), int(lost.sum())]

    def write(self, records: Iterable[Record], put: Callable[[str, bytes], None]) -> None:
        """Write every record and its removals.

        Args:
            records: the same records in the same order as the corpus was built from.
            put: takes "clean", "removed" or "dropped", and a line.
        """
        for number, record in enumerate(records):
            removals = self._removals(number, record) if self._touched[number] else []
            self._count(record, removals)
            blocks = int(self._corpus.first[number + 1] - self._corpus.first[number])
            kept = blocks - sum(removal.block >= 0 for removal in removals)
            struct = self._struct(number, kept, len(removals))
            if kept == 0 and not self._config.keep_empty:
                self._counts.dropped += 1
                struct |= {"file": record.file, "line": record.line, "position": number}
                put("dropped", cleaned.record_row(record, removals, struct))
            else:
                self._counts.cleaned += bool(removals)
                put("clean", cleaned.record_row(record, removals, struct))
            for row in self._rows(record, removals):
                put("removed", row)

    def _struct(self, number: int, kept: int, removed: int) -> dict[str, Any]:
        leader = int(self._stories[number])
        story = self._corpus.ids[leader]
        return {
            "kept": kept,
            "removed": removed,
            "story": story,
            "story_size": int(self._story_size[leader]),
            "duplicate_of": story if leader != number else None,
        }

    def _removals(self, number: int, record: Record) -> list[Removal]:
        blocks = self._corpus.blocks
        first, end = int(self._corpus.first[number]), int(self._corpus.first[number + 1])
        places = list(
            zip(blocks.start[first:end].tolist(), blocks.end[first:end].tolist(), strict=True)
        )
        kinds = [NAMES[rule][1] if rule else "" for rule in self._verdicts.rule[first:end].tolist()]
        return cleaned.spans(record.text, places, kinds, first)

    def _rows(self, record: Record, removals: list[Removal]) -> Iterator[bytes]:
        if not removals:
            return
        lines = cleaned.removal_lines(record, removals)
        for removal, line in zip(removals, lines, strict=True):
            block, similarity, match = removal.block, None, None
            evidence: dict[str, Any] = {"rule": "white-space"}
            if block >= 0:
                evidence = self._verdicts.evidence(block, self._corpus, self._evidence)
                other = int(self._verdicts.match[block])
                if other >= 0:
                    similarity = float(self._verdicts.similarity[block])
                    match = self._place(other)
            yield cleaned.removal_row(record, removal, line, similarity, match, evidence)

    def _place(self, block: int) -> tuple[str, int, int]:
        blocks = self._corpus.blocks
        record = int(blocks.record[block])
        return self._corpus.ids[record], int(blocks.start[block]), int(blocks.end[block])

    def _count(self, record: Record, removals: list[Removal]) -> None:
        counts = self._counts
        counts.records += 1
        counts.chars += len(record.text)
        for removal in removals:
            counts.kinds[removal.kind] += 1
            counts.removed_chars[removal.kind] += removal.end - removal.start
        if record.lines:
            seen = counts.dumps.setdefault(record.file, [0, 0, 0])
            seen[0] += 1
            seen[1] += "title" in record.head
            seen[2] += "byline" in record.head
