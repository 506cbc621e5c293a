"""What is lost when a dump comes in daily files: one run over all beside a run a day on an index.

    python benchmarks/stream/days.py IN.jsonl [--days 10] [--show 20]

Records are taken in order of their dates. Exit code 1: under 99 % of the removals were kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

import dedup
from dedup.match.order import moment

LEAST = 0.99

Place = tuple[str, int]
Removals = dict[Place, dict[str, Any]]


class Difference(NamedTuple):
    """Removals by (id, start): of one run over all, and those that only one of the two has."""

    whole: Removals
    lost: Removals
    more: Removals

    @property
    def kept(self) -> float:
        """The share of the removals of one run that daily runs make, too."""
        return 1 - len(self.lost) / max(1, len(self.whole))

    def table(self) -> str:
        """By kind: removals, those that daily runs do not make, and those that only they make."""
        counts = [
            Counter(row["kind"] for row in rows.values())
            for rows in (self.whole, self.lost, self.more)
        ]
        lines = ["| kind | one run | not daily | only daily |", "| --- | --: | --: | --: |"]
        lines += [
            f"| {kind} | " + " | ".join(f"{count[kind]:,}" for count in counts) + " |"
            for kind in sorted(counts[0] | counts[2])
        ]
        sums = " | ".join(f"{len(rows):,}" for rows in self)
        return "\n".join([*lines, f"| all | {sums} |", "", f"kept: {self.kept:.2%}"])


def compare(records: list[dict[str, Any]], days: int) -> Difference:
    """Clean records at once, and in so many parts one after the other."""
    whole = dict(_removals(dedup.clean(records)))
    daily: Removals = {}
    with tempfile.TemporaryDirectory() as folder:
        for day in range(days):
            start, stop = (n * len(records) // days for n in (day, day + 1))
            daily |= _removals(dedup.clean(records[start:stop], index=Path(folder) / "news.db"))
    return Difference(
        whole,
        {place: row for place, row in whole.items() if place not in daily},
        {place: row for place, row in daily.items() if place not in whole},
    )


def _removals(result: dedup.Result) -> Iterator[tuple[Place, dict[str, Any]]]:
    for row in result.removals:
        if row["kind"] != "blank":
            yield (row["id"], row["start"]), row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, metavar="IN.jsonl")
    parser.add_argument("--days", type=int, default=10, metavar="N")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="of what only days remove")
    args = parser.parse_args()
    records = [orjson.loads(line) for line in args.source.open("rb")]
    records.sort(key=lambda record: moment(str(record.get("date", ""))) or 0.0)
    found = compare(records, args.days)
    print(found.table())
    for (id_, start), row in list(found.more.items())[: args.show]:
        print(f"{id_}:{start}: {row['kind']} ({row['evidence']['rule']}): {row['text'][:100]!r}")
    return int(found.kept < LEAST)


if __name__ == "__main__":
    sys.exit(main())
