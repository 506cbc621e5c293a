"""The summary on standard error, and the same in numbers for --stats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from dedup.errors import one_line
from dedup.records import ALIASES, SHOWN, Counts

BAR = 24
WIDTH = 80  # characters shown of a finding
SOURCES = 12


def summary(
    counts: Counts, fields: dict[tuple[str, str], int], paths: dict[str, Path], seconds: float
) -> str:
    """What was understood, what went and where it is: some twenty lines."""
    lines = [
        f"read     {many(counts.records, 'record')}, {many(counts.blocks, 'block')}, "
        f"{many(len(counts.sources), 'source')}  ({seconds:.1f} s)"
    ]
    for name, (articles, titles, bylines) in counts.dumps.items():
        lines.append(
            f"dump     {one_line(name)}: cut into {many(articles, 'article')} by "
            f"{many(titles, 'headline')} and {many(bylines, 'credit line')}"
        )
    if chosen := _mapping(fields, counts.records):
        lines.append(f"fields   {chosen}")
    lines += [f"encoding {one_line(what)}" for what in counts.encodings[:SOURCES]]
    if len(counts.encodings) > SOURCES:
        lines.append(f"encoding {len(counts.encodings) - SOURCES:,} more to say (--stats)")
    for name, (rows, *_) in list(counts.shapes.items())[:SOURCES]:
        lines.append(f"shape    {one_line(name)}, with {many(rows, 'record')}")
    if counts.sentences:
        lines.append("level    sentences are compared besides blocks (--level)")
    lines.append("")
    most = max([1, *counts.kinds.values()])
    lines.append(f"removed  {'kind':<12} {'spans':>9} {'characters':>12}")
    for kind, spans in counts.kinds.items():
        if spans:
            bar = "█" * max(1, round(BAR * spans / most))
            lines.append(
                f"         {kind:<12} {spans:>9,} {counts.removed_chars[kind]:>12,}  {bar}"
            )
    gone = sum(counts.removed_chars.values())
    share = 100 * gone / max(1, counts.chars)
    lines.append(
        f"         {'all':<12} {sum(counts.kinds.values()):>9,} {gone:>12,}  {share:.1f} %"
    )
    if len(counts.sources) > 1:
        lines += ["", *_sources(counts)]
    untouched = counts.records - counts.cleaned - counts.dropped - counts.without_text
    without = f", {counts.without_text:,} that came without a text" * bool(counts.without_text)
    lines += [
        "",
        f"records  {untouched:,} untouched, {counts.cleaned:,} cleaned, {counts.dropped:,} with "
        f"nothing left{without}",
        f"stories  {counts.stories:,} told more than once, {many(counts.retold, 'retelling')}",
    ]
    if done := counts.overrides:
        lines.append(
            f"decided  by --overrides: {many(done['kept'], 'paragraph')} kept, "
            f"{done['removed']:,} removed"
        )
        if unmet := counts.unmet:
            shown = ", ".join(map(str, unmet[:SHOWN])) + (", …" if len(unmet) > SHOWN else "")
            lines.append(f"         not met: line {shown} of the file is about what is not there")
    for name, share in counts.doubtful.items():
        lines.append(
            f"doubtful {one_line(name)}: {100 * share:.0f} % of its characters went as page "
            "residue; look at its removals, leave a kind with --keep-kind or stop with "
            "--max-removed"
        )
    if counts.rejected:
        lines.append(f"rejected {many(counts.rejected, 'line')}, set aside")
        lines += [f"         {one_line(why)}" for why in counts.why_rejected]
    lines += warnings(counts)
    if counts.same_ids[0]:
        again, example = counts.same_ids
        lines.append(
            f"ids      {many(again, 'record')} with the id of an earlier one, such as "
            f"{example!r}; removals name them by place too (line)"
        )
    if counts.capped:
        lines.append(f"capped   {many(counts.capped, 'block')} by --max-candidates")
    lines += [f"wrote    {one_line(str(path))}" for path in paths.values() if path.exists()]
    return "\n".join(lines)


def warnings(counts: Counts) -> list[str]:
    """A line for each of the first inputs that held no record, or of which something is lost."""
    lines = []
    lossy = {name: left for name, (_, *left) in counts.shapes.items() if left}
    for name, left in list(lossy.items())[:SHOWN]:
        more = ", …" if len(left) > SHOWN else ""
        lines.append(f"WARNING  {one_line(name)}; left out: "
                     f"{one_line(', '.join(left[:SHOWN]))}{more}")  # fmt: skip
    for name, rejected in list(counts.empty.items())[:SHOWN]:
        what = "no records in it"
        if rejected:
            what = (
                f"nothing in it could be read, {many(rejected, 'line')} set aside; is it what its "
                "name says?"
            )
        lines.append(f"WARNING  {one_line(name)}: {what}")
    if len(counts.empty) > SHOWN:
        lines.append(f"WARNING  {len(counts.empty) - SHOWN:,} more inputs without a record")
    return lines


def findings(counts: Counts, shown: list[dict[str, Any]]) -> str:
    """What `check` found: a line for each of the first removals, and the verdict."""
    lines = []
    for row in shown:
        text = " ".join(row["text"].split())
        cut = text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
        rule = row["evidence"]["rule"]
        place = f"{one_line(row['id'])}: {row['start']}-{row['end']}"
        lines.append(f"{place}: {row['kind']} ({rule}): {one_line(cut)}")
    total = sum(counts.kinds.values())
    if total > len(shown):
        lines.append(f"and {total - len(shown):,} more")
    found = f"{many(total, 'span')} to clean in {many(counts.cleaned + counts.dropped, 'record')}"
    nothing = "nothing to clean"
    if counts.rejected:
        lines.append(f"{many(counts.rejected, 'line')} could not be read; try --on-error fail")
        nothing += f" in the {many(counts.records, 'record')} that could be read"
    return "\n".join([*lines, found if total else nothing])


def _mapping(fields: dict[tuple[str, str], int], records: int) -> str:
    parts = []
    for meaning in ALIASES:
        names = sorted(((n, name) for (m, name), n in fields.items() if m == meaning), reverse=True)
        if names:
            seen = ", ".join(name if n == records else f"{name} ({n:,})" for n, name in names)
            parts.append(f"{meaning} <- {seen}")
    return "; ".join(parts)


def _sources(counts: Counts) -> list[str]:
    ranked = sorted(counts.sources.items(), key=lambda item: (-item[1][0], item[0]))
    lines = [f"sources  {'blocks':>9} {'removed':>9}"]
    for name, (blocks, removed) in ranked[:SOURCES]:
        share = 100 * removed / max(1, blocks)
        lines.append(f"         {blocks:>9,} {removed:>9,} {share:5.1f} %  {one_line(name)}")
    if len(ranked) > SOURCES:
        lines.append(f"         and {len(ranked) - SOURCES:,} more")
    return lines


def stats(
    counts: Counts, fields: Mapping[tuple[str, str], int], run_id: str | None = None
) -> bytes:
    """All counts as JSON; the same input gives the same bytes."""
    row: dict[str, Any] = asdict(counts)
    row["fields"] = {f"{meaning} <- {name}": n for (meaning, name), n in sorted(fields.items())}
    row["run_id"] = run_id
    return orjson.dumps(row, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def many(count: int, word: str) -> str:
    """'1 line', '2 lines'."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
