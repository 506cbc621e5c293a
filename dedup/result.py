"""What a run gives back to Python."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from dedup.formats.written import lines_of
from dedup.match.groups import Groups
from dedup.records import Counts
from dedup.text.corpus import Corpus, Place


class Result:
    """A finished run. Iterate over it for the cleaned records, in input order.

    Attributes:
        counts: what was read, removed and written.
        fields: (meaning, field name) -> in how many records the field served.
        paths: what was written: "clean", "removed", "dropped", "rejected", "stats".
    """

    def __init__(
        self,
        counts: Counts,
        fields: dict[tuple[str, str], int],
        corpus: Corpus,
        groups: Groups,
        lines: dict[str, list[bytes]],
        paths: dict[str, Path],
    ) -> None:
        self.counts = counts
        self.fields = fields
        self._corpus = corpus
        self._groups = groups
        self._lines = lines
        self.paths = paths

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._rows("clean")

    def __len__(self) -> int:
        return self.counts.records - self.counts.dropped

    @property
    def removals(self) -> Iterator[dict[str, Any]]:
        """Every removal, in input order."""
        return self._rows("removed")

    @property
    def dropped(self) -> Iterator[dict[str, Any]]:
        """Records with nothing left."""
        return self._rows("dropped")

    @property
    def rejected(self) -> Iterator[dict[str, Any]]:
        """Lines that are no records."""
        return self._rows("rejected")

    @property
    def groups(self) -> Iterator[list[Place]]:
        """Blocks that match each other, the representative first."""
        members: dict[int, list[int]] = {}
        n = self._corpus.n
        for block, head in enumerate(self._groups.representative[:n].tolist()):
            if head != block and head < n:
                members.setdefault(head, [head]).append(block)
        for head in sorted(members):
            yield self._corpus.places(np.array(members[head]))

    def lines(self, name: str = "clean") -> Iterator[bytes]:
        """The JSON lines of "clean", "removed", "dropped" or "rejected", as they were written."""
        if name in self._lines:
            yield from self._lines[name]
        elif name in self.paths and self.paths[name].exists():
            yield from lines_of(self.paths[name])

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        for line in self.lines(name):
            yield orjson.loads(line)

    def _repr_html_(self) -> str:
        counts = self.counts
        rows = [
            ("records", counts.records),
            ("blocks", counts.blocks),
            *((f"removed: {kind}", n) for kind, n in counts.kinds.items() if n),
            ("records with nothing left", counts.dropped),
            ("lines rejected", counts.rejected),
            ("stories told more than once", counts.stories),
        ]
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:right'>{n:,}</td></tr>"
            for name, n in rows
        )
        return f"<table>{cells}</table>"

    def __repr__(self) -> str:
        gone = sum(self.counts.kinds.values())
        return f"<dedup.Result: {self.counts.records:,} records, {gone:,} removals>"
