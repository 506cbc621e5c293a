"""Articles and what their lines are: what the comparisons of this folder share.

A line is named by its record's id and its index in `text.split("\\n")`. A gold file has a row for
each line that someone looked at: id, index, label, tab-separated, with a header or without.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dedup
from dedup.records import ALIASES

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
ARTICLES, GOLD = SEEDS / "outlets.jsonl", SEEDS / "outlets.gold.tsv"
PAGE = ("related", "chrome")  # page residue
RESIDUE = (*PAGE, "byline")
UNCOUNTED = {"blank", "title"}  # kinds of removals that take no line of an article away

Line = tuple[str, int]


class Record(NamedTuple):
    """An article."""

    id: str
    source: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines of its text."""
        return self.text.split("\n")


def read_records(path: Path) -> list[Record]:
    """The articles of a file of JSON lines, plain or gzipped, fields by their usual names."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        rows = map(json.loads, file)
        return [Record(*(_field(row, name) for name in ("id", "source", "text"))) for row in rows]


def _field(row: Mapping[str, Any], name: str) -> str:
    return str(next(row[alias] for alias in ALIASES[name] if alias in row))


def read_gold(path: Path) -> dict[Line, str]:
    """The label of each line."""
    out = {}
    with path.open(encoding="utf-8", newline="\n") as file:
        for row in file:
            name, index, label, *_ = row.rstrip("\n").split("\t")
            if index.isdecimal():  # the header is not
                out[name, int(index)] = label
    return out


def squeeze(line: str) -> str:
    """A line without white space at its ends, and single spaces within."""
    return " ".join(line.split())


def covered(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Lines of which half the characters that are not white or more stand in the spans."""
    spans, at = list(spans), 0
    if not spans:
        return
    for index, line in enumerate(text.split("\n")):
        end = at + len(line)
        inside = {k for a, b in spans for k in range(max(a, at), min(b, end))}
        black = sum(not c.isspace() for c in line)
        if black and 2 * sum(not text[k].isspace() for k in inside) >= black:
            yield index
        at = end + 1


class Gone(NamedTuple):
    """What this program takes out.

    Attributes:
        residue: lines recorded as related, byline or boilerplate.
        all: those, and repetitions.
    """

    residue: set[Line]
    all: set[Line]


def removed_by_dedup(path: Path, records: Iterable[Record]) -> Gone:
    """The lines that this program removes."""
    spans = defaultdict(list)
    for row in dedup.clean(path).removals:
        if row["kind"] not in UNCOUNTED:
            spans[row["id"]].append((row["start"], row["end"], row["kind"]))
    gone = Gone(set(), set())
    for record in records:
        found = spans.get(record.id, [])
        residue = [(start, end) for start, end, kind in found if kind != "duplicate"]
        gone.residue.update((record.id, k) for k in covered(record.text, residue))
        gone.all.update((record.id, k) for k in covered(record.text, [x[:2] for x in found]))
    return gone


class Tally(NamedTuple):
    """What became of labelled lines; tallies of different lines can be added.

    Attributes:
        there: label -> its lines.
        gone: label -> those that were removed.
        nowhere: body lines removed that stand in no other place either.
    """

    there: Counter[str]
    gone: Counter[str]
    nowhere: int = 0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(self.there + other.there, self.gone + other.gone, self.nowhere + other.nowhere)

    def figures(self) -> dict[str, Any]:
        """What a record keeps: counts, and the shares that the tables show."""
        right = sum(self.gone[label] for label in PAGE)
        lost = self.gone["body"]
        return {
            "precision": _share(right, right + lost),
            "recall": _share(right, sum(self.there[label] for label in PAGE)),
            **{label: [self.gone[label], self.there[label]] for label in (*RESIDUE, "body")},
            "nowhere": self.nowhere,
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def tally(gold: Mapping[Line, str], removed: Collection[Line], nowhere: int = 0) -> Tally:
    """Hold what was removed against the labels; labels other than body and residue do not count."""
    known = {line: label for line, label in gold.items() if label in (*RESIDUE, "body")}
    return Tally(
        Counter(known.values()),
        Counter(label for line, label in known.items() if line in removed),
        nowhere,
    )


def left_nowhere(
    records: Iterable[Record], gold: Mapping[Line, str], removed: Collection[Line]
) -> int:
    """How many removed body lines are said in the same words by no line that stays.

    Words are the same that `dedup.fold` makes the same.
    """
    lost = [line for line, label in gold.items() if label == "body" and line in removed]
    names = {name for name, _ in lost}
    all_records = list(records)
    lines = {record.id: record.lines for record in all_records if record.id in names}
    words = [dedup.fold(lines[name][index]) for name, index in lost]
    missing = set(words)
    for record in all_records if missing else ():
        for index, line in enumerate(record.lines):
            if (record.id, index) not in removed:
                missing.discard(dedup.fold(line))
    return sum(key in missing for key in words)


def with_text(gold: Mapping[Line, str], records: Iterable[Record]) -> dict[Line, str]:
    """The labels of lines that are not blank.

    Raises:
        SystemExit: a labelled line is not in the records.
    """
    lines = {record.id: record.lines for record in records}
    if wrong := [line for line in gold if line[1] >= len(lines.get(line[0], ()))]:
        raise SystemExit(f"no line {wrong[0][1]} in a record {wrong[0][0]!r}")
    return {line: label for line, label in gold.items() if lines[line[0]][line[1]].strip()}


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    out = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            out.update(piece)
    return out.hexdigest()
