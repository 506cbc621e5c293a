"""What a run gives back to Python."""

from __future__ import annotations

import html
import importlib
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from dedup.errors import InputError
from dedup.formats.written import lines_of
from dedup.match.groups import Groups
from dedup.records import Counts
from dedup.text.corpus import Corpus, Place

if TYPE_CHECKING:
    import pandas
    import pyarrow

Removals: TypeAlias = Callable[[], Iterator[dict[str, Any]]]
"""Gives the rows of what was removed."""

WIDTH = 200  # characters shown of a text


class Group(list[Place]):
    """Where blocks stand that match each other, the representative first.

    In a notebook it shows what became of each, and the text of those that go.
    """

    def __init__(self, places: Iterable[Place], removals: Removals) -> None:
        super().__init__(places)
        self._removals = removals

    def _repr_html_(self) -> str:
        gone: dict[tuple[str, int], dict[str, Any]] = {}
        stays = ""  # of a run that held no rows nothing is known
        mine = {place[:2] for place in self}
        for row in self._removals():
            stays = "stays"
            if (place := (row["id"], row["start"])) in mine:
                gone[place] = row
        cells = "".join(self._row(place, gone.get(place[:2]), stays) for place in self)
        head = "".join(f"<th>{name}</th>" for name in ("record", "characters", "", "text"))
        return f"<table><tr>{head}</tr>{cells}</table>"

    def _row(self, place: Place, removal: dict[str, Any] | None, stays: str) -> str:
        fate, text = stays, ""
        if place.run is not None:
            fate = f"of run {place.run}"
        elif removal is not None and removal["end"] >= place.end:
            fate, text = f"goes: {removal['kind']}", removal["text"].strip()
        shown = text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
        return (
            f"<tr><td><bdi>{html.escape(place.id)}</bdi></td>"
            f"<td>{place.start:,}–{place.end:,}</td><td>{html.escape(fate)}</td>"
            f"<td dir='auto' style='text-align:start'>{html.escape(shown)}</td></tr>"
        )


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
        return self.counts.records - self.counts.dropped - self.counts.without_text

    @property
    def removals(self) -> Iterator[dict[str, Any]]:
        """Every removal, in input order."""
        return self._rows("removed")

    @property
    def dropped(self) -> Iterator[dict[str, Any]]:
        """Records with nothing left, and those that came without a text."""
        return self._rows("dropped")

    @property
    def rejected(self) -> Iterator[dict[str, Any]]:
        """Lines that are no records."""
        return self._rows("rejected")

    @property
    def groups(self) -> Iterator[Group]:
        """Blocks that match each other, the representative first."""
        members: dict[int, list[int]] = {}
        n = self._corpus.n
        for block, head in enumerate(self._groups.representative[:n].tolist()):
            if head != block and head < n:
                members.setdefault(head, [head]).append(block)
        for head in sorted(members):
            yield Group(self._corpus.places(np.array(members[head])), lambda: self.removals)

    def lines(self, name: str = "clean") -> Iterator[bytes]:
        """The JSON lines of "clean", "removed", "dropped" or "rejected", as they were written."""
        if name in self._lines:
            for lines in self._lines[name]:
                yield from io.BytesIO(lines)
        elif name in self.paths and self.paths[name].exists():
            yield from lines_of(self.paths[name])

    def to_pandas(self, name: str = "clean") -> pandas.DataFrame:
        """The rows of "clean", "removed", "dropped" or "rejected" as a data frame.

        Raises:
            InputError: pandas is not installed.
        """
        module = _optional("pandas", "pandas")
        return module.DataFrame(list(self._rows(name)))

    def to_arrow(self, name: str = "clean") -> pyarrow.Table:
        """The rows of "clean", "removed", "dropped" or "rejected" as an Arrow table.

        Evidence, whose fields differ from rule to rule, has all of them, empty where not told.

        Raises:
            InputError: pyarrow is not installed, or a field has values of several types.
        """
        module = _optional("pyarrow", "arrow")
        rows = list(self._rows(name))
        columns = {}
        for key in dict.fromkeys(key for row in rows for key in row):
            try:
                columns[key] = module.array([row.get(key) for row in rows])
            except module.ArrowException as error:
                raise InputError(
                    f"field {key!r} has values of several types; try to_pandas()"
                ) from error
        return module.table(columns)

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        for line in self.lines(name):
            yield msgspec.json.decode(line)

    def _repr_html_(self) -> str:
        counts = self.counts
        rows = [
            ("records", counts.records),
            ("blocks", counts.blocks),
            *((f"removed: {kind}", n) for kind, n in counts.kinds.items() if n),
            ("records with nothing left", counts.dropped),
            ("records that came without a text", counts.without_text),
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


def _optional(name: str, extra: str) -> Any:
    """A library that need not be installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"{name} is not installed; try: pip install 'newsdedup[{extra}]'"
        ) from error
