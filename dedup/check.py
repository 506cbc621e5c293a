"""Whether there is anything to clean, without writing anything."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from dedup.clean import Progress, Source, clean
from dedup.config import Config
from dedup.errors import InputError, brief
from dedup.finished import refuse_mixture
from dedup.formats.inputs import listed
from dedup.formats.outputs import sibling
from dedup.formats.publish import recover
from dedup.records import Counts


@dataclass(slots=True)
class Checked:
    """What `clean` would do.

    Attributes:
        counts: what was read and would be removed.
        fields: (meaning, field name) -> in how many records the field served.
        findings: the first removals, white space aside, as rows of OUT.removed.jsonl.
    """

    counts: Counts
    fields: dict[tuple[str, str], int]
    findings: list[dict[str, Any]]

    @property
    def clean(self) -> bool:
        """Whether every line could be read, and nothing at all would be removed."""
        return not (self.found or self.counts.rejected)

    @property
    def found(self) -> bool:
        """Whether anything would be removed."""
        return any(self.counts.kinds.values())

    def as_json(self) -> dict[str, Any]:
        """The verdict and what it rests on, ready for JSON."""
        counts = self.counts
        return {
            "clean": self.clean,
            "records": counts.records,
            "records_touched": counts.cleaned + counts.dropped,
            "blocks": counts.blocks,
            "characters": counts.chars,
            "spans": counts.kinds,
            "removed_characters": counts.removed_chars,
            "stories": counts.stories,
            "retold": counts.retold,
            "rejected": counts.rejected,
            "findings": self.findings,
        }


def check(
    sources: Source | Iterable[Source],
    *,
    most: int = 20,
    config: Config | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Tell what `clean` would remove, and write nothing.

    Args:
        sources: paths of files or folders, globs, or records as dicts.
        most: findings to give at most.
        config: all settings.
        progress: called now and then.

    Raises:
        DedupError: an input or setting cannot be used, or there is not one record.
    """
    if most < 0:
        raise InputError(f"--show: {brief(most)} is no number of findings; try 20")
    named = listed(sources)
    for path in (Path(one) for one in named if isinstance(one, (str, os.PathLike))):
        if path.suffix.lower() != ".txt" and path.is_file() and sibling(path, "removed").is_file():
            recover(path)
            refuse_mixture(path, *(sibling(path, what) for what in ("removed", "dropped")))
    with tempfile.TemporaryDirectory() as folder:
        removed = Path(folder) / "check.removed.jsonl"
        result = clean(named, removed=removed, discard=True, config=config, progress=progress)
        counts = result.counts
        with removed.open("rb") as lines:
            rows = map(orjson.loads, lines)
            findings = list(
                islice((row for row in rows if row["kind"] != "blank"), min(most, sys.maxsize))
            )
    return Checked(counts, result.fields, findings)
