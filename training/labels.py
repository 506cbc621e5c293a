"""Labels of lines, given by people who read them, in the two forms they are kept in.

    id <tab> line <tab> label [<tab> residue]

Lines are counted from 0 in `text.split("\\n")`. Residue is told for `mixed` lines only. Beside the
data (`NAME.gold.tsv`) it is the text itself, several parts parted by `|||`; in this repository
(`training/labels/NAME.tsv`), where no text of the collections may lie, it is character ranges
within the line, `start-end` with the end left out, several parted by `,`. Both are read as ranges:

>>> texts = {"a-1": ["Rain is due. Share this", "", "Read also: More rain"]}
>>> shared = ["a-1\\t0\\tmixed\\tShare  this", "a-1\\t2\\trelated\\t"]
>>> parse(shared, texts, ranges=False)
{'a-1': {0: ('mixed', [(13, 23)]), 2: ('related', [])}}
>>> parse(["a-1\\t0\\tmixed\\t13-23", "a-1\\t2\\trelated"], texts, ranges=True)
{'a-1': {0: ('mixed', [(13, 23)]), 2: ('related', [])}}
>>> texts["a-1"][0][13:23]
'Share this'

    python training/labels.py DATA [NAME ...]

checks the labels of all collections in DATA (or of those named) and counts them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TextIO

Span = tuple[int, int]
Labels = dict[str, dict[int, tuple[str, list[Span]]]]
"""Of each labelled record, by id: of each labelled line, its label and what of it is residue."""

LABELS = ("body", "title", "byline", "related", "chrome", "caption", "mixed", "unsure")
OWN = Path(__file__).with_name("labels")

_RANGES = re.compile(r"\d+-\d+(?:,\d+-\d+)*")


def _open(path: Path) -> TextIO:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8")


def texts_of(path: Path) -> dict[str, list[str]]:
    """The lines of each record of a collection (`.jsonl`, also as `.gz` or `.xz`), by id."""
    with _open(path) as lines:
        records = (json.loads(line) for line in lines if line.strip())
        return {str(record["id"]): (record.get("text") or "").split("\n") for record in records}


def _found(line: str, residue: str) -> list[Span]:
    """Where each part of the residue stands; white space of any length counts as one space."""
    spans = []
    for part in residue.split("|||"):
        places = [m.span() for m in re.finditer(r"\s+".join(map(re.escape, part.split())), line)]
        if not part.strip() or len(places) != 1:
            raise ValueError(f"{part.strip()!r} stands {len(places)} times in the line")
        spans += places
    return spans


def _given(line: str, residue: str) -> list[Span]:
    if not _RANGES.fullmatch(residue):
        raise ValueError(f"{residue!r} is no list of ranges such as 0-12,40-52")
    pairs = (part.split("-") for part in residue.split(","))
    spans = [(int(start), int(end)) for start, end in pairs]
    if any(start >= end or end > len(line) for start, end in spans):
        raise ValueError(f"{residue}: a range is empty or goes beyond the line's {len(line)}")
    return spans


def parse(rows: Iterable[str], texts: Mapping[str, Sequence[str]], *, ranges: bool) -> Labels:
    """Labels of the rows of one file. What is amiss raises a ValueError that tells the row."""
    labels: Labels = {}
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            record, index, label, *rest = row.rstrip("\r\n").split("\t")
            residue = rest[0] if rest else ""
            line = texts[record][int(index)]
            if label not in LABELS:
                raise ValueError(f"{label!r} is no label")
            if (label == "mixed") != bool(residue):
                raise ValueError("residue is told of mixed lines, and of these only")
            lines = labels.setdefault(record, {})
            if int(index) in lines:
                raise ValueError("the line is labelled twice")
            spans = (_given if ranges else _found)(line, residue) if residue else []
            spans.sort()
            if any(after[0] < before[1] for before, after in pairwise(spans)):
                raise ValueError("parts of the residue overlap")
            lines[int(index)] = label, spans
        except (ValueError, LookupError) as problem:
            raise ValueError(f"row {number} ({row.strip()[:60]}): {problem}") from problem
    return labels


def collection(name: str, data: Path, own: Path = OWN) -> Labels:
    """All labels of a collection: those that lie beside its data and those of this repository."""
    source = next((p for end in ("xz", "gz") if (p := data / f"{name}.jsonl.{end}").exists()), None)
    texts = texts_of(source or data / f"{name}.jsonl")
    labels: Labels = {}
    for path, ranges in ((data / f"{name}.gold.tsv", False), (own / f"{name}.tsv", True)):
        if not path.exists():
            continue
        try:
            with path.open(encoding="utf-8") as rows:
                found = parse(rows, texts, ranges=ranges)
        except ValueError as problem:
            raise ValueError(f"{path}: {problem}") from problem
        if twice := labels.keys() & found.keys():
            raise ValueError(f"{path}: labelled in both files: {', '.join(sorted(twice)[:5])}")
        labels |= found
    return labels


def main() -> None:
    """The command line."""
    arguments = argparse.ArgumentParser(description="Check and count the labels of collections.")
    arguments.add_argument("data", type=Path)
    arguments.add_argument("names", nargs="*")
    given = arguments.parse_args()
    names = given.names or sorted({p.name.split(".jsonl")[0] for p in given.data.glob("*.jsonl*")})
    for name in names:
        labels = collection(name, given.data)
        counts = Counter(label for lines in labels.values() for label, _ in lines.values())
        told = ", ".join(f"{counts[label]} {label}" for label in LABELS if counts[label])
        print(f"{name}: {len(labels)} records, {counts.total()} lines: {told or 'none'}")


if __name__ == "__main__":
    main()
