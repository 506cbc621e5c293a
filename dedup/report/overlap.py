"""What `dedup compare` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dedup.errors import one_line
from dedup.report.summary import many

RECORDS = 10
COLUMNS = 6


def overlap(found: Mapping[str, Any]) -> str:
    """How much of A stands in B, by outlets, and the records that are most alike.

    Args:
        found: `Overlap.as_json()`.
    """
    one = "sentence" if found["level"] == "sentence" else "paragraph"
    unit = f"{one}s"
    looked, hit = found["looked_for"], found["found"]
    lines = [
        f"compared {many(found['records']['a'], 'record')} of A with "
        f"{found['records']['b']:,} of B",
        f"found    {hit:,} of the {looked:,} {unit} of A stand in B, "
        f"{100 * hit / max(1, looked):.1f} %",
        f"records  {found['records_whole']:,} of A wholly in B, "
        f"{found['records_touched'] - found['records_whole']:,} partly",
    ]
    if found["rejected"]:
        lines.append(f"rejected {many(found['rejected'], 'line')}, no records")
    if found["capped"]:
        lines.append(f"capped   {many(found['capped'], one)} by --max-candidates")
    if found["matrix"]:
        lines += ["", *_matrix(found["matrix"], unit), "", *_records(found["overlap"])]
    return "\n".join(lines) + "\n"


def _matrix(matrix: Mapping[str, Mapping[str, int]], unit: str) -> list[str]:
    totals: dict[str, int] = {}
    for row in matrix.values():
        for name, n in row.items():
            totals[name] = totals.get(name, 0) + n
    columns = sorted(totals, key=lambda name: (-totals[name], name))
    shown = columns[:COLUMNS]
    heads = [f"({k})" for k in range(1, len(shown) + 1)]
    lines = [f"{unit} of A (rows) that stand in B (columns)"]
    lines += [f"  {head} {one_line(name)}" for head, name in zip(heads, shown, strict=True)]
    if len(columns) > COLUMNS:
        lines.append(f"  and {len(columns) - COLUMNS:,} outlets more (--json has them)")
    lines.append("  " + "".join(f"{head:>9}" for head in [*heads, "all"]))
    for source in sorted(matrix, key=lambda name: (-sum(matrix[name].values()), name)):
        cells = [matrix[source].get(name, 0) for name in shown]
        numbers = "".join(f"{n or '.':>9}" for n in [*cells, sum(matrix[source].values())])
        lines.append(f"  {numbers}  {one_line(source)}")
    return lines


def _records(rows: list[dict[str, Any]]) -> list[str]:
    """The records with the largest part in B."""
    ranked = sorted(rows, key=lambda row: (-row["found"] / row["looked_for"], -row["found"]))
    lines = ["records of A with the most in B"]
    for row in ranked[:RECORDS]:
        places = [match["match"]["id"] for match in row["matches"]]
        where = max(dict.fromkeys(places), key=places.count)
        found = f"{row['found']:>4} of {row['looked_for']:<4}"
        lines.append(f"  {found} {one_line(row['id'])}  in {one_line(where)}")
    if len(rows) > RECORDS:
        lines.append(f"  and {len(rows) - RECORDS:,} more (--json has them)")
    return lines
