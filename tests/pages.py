"""Parts of the documentation that tests make: between two marks stands what a test says."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def cell(text):
    return text.replace("|", "\\|").replace("\n", "\\n")


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def part_of(page, name, made, update):
    """What stands on a page under a name, and what should; `update` writes it anew."""
    path = ROOT / page
    begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    there, _, after = rest.partition(end)
    assert rest
    assert after
    if update:
        path.write_text(before + begin + made + end + after, encoding="utf-8")
        there = made
    return there
