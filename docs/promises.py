"""Writes docs/promises.md of what `make promises` tried: python docs/promises.py TRIALS.jsonl"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "promises.md"
HEAD = """\
# What is promised, and how it was tried

Written by `make promises` from what the tests tell of themselves; `make test` runs the same tests
with fewer trials. "Wrong" counts trials after which something was not as promised: a text that is
not the original one with exit code 0, a traceback, a crash, a file that is neither the old one nor
the new one, a record that an index knows and no output has.

| promise | how it is tried | trials | wrong |
|---|---|--:|--:|
"""
# promise -> what is promised, and how that is tried
PROMISES = {
    "slices": (
        "Removed spans put back give the input, byte for byte, at any level and setting, with and "
        "without an index; once and after two runs.",
        "random slices of collections of scraped news and of the samples: clean, restore, compare "
        "(`tests/soak.py`)",
    ),
    "adjacent": (
        "Spans of a record never overlap, and each text equals its slice.",
        "made-up records whose passages stand side by side, recur, end and begin a block "
        "(`tests/test_adjacent.py`)",
    ),
    "tampered": (
        "Rows that were changed are named, a line each; the others are restored; never a wrong "
        "text with exit code 0.",
        "removals, structs and decisions edited, mistyped, cut, swapped, reordered "
        "(`tests/test_tamper.py`)",
    ),
    "faults": (
        "All files of a run, or none; the run done once more gives the undisturbed run's bytes; "
        "nothing is in an index that is in no output.",
        "every call of the system (open, write, fsync, rename, link, unlink, COMMIT ...) fails, or "
        "the process dies before or behind it (`tests/test_faults.py`)",
    ),
    "power": (
        "The same where the power goes.",
        "the calls are replayed; names and contents that were not synced are lost in all "
        "combinations (`tests/test_power.py`)",
    ),
    "index": (
        "A damaged index is one line, never a crash or a wrong answer; `dedup index check` finds "
        "damage to what is read.",
        "bytes flipped, files cut, columns and rows changed, triggers and views planted; eight "
        "commands each (`tests/test_index_damage.py`)",
    ),
    "again": (
        "A run done once more against its own index gives the same bytes.",
        "days of random records (`tests/test_index_again.py`)",
    ),
    "fleet": (
        "Whatever lies on the server of a fleet is one line, never obeyed, never unbounded.",
        "entries damaged byte by byte and in their structure (`tests/test_shared.py`)",
    ),
}


def page(rows: Iterable[dict[str, Any]]) -> str:
    """The page.

    Args:
        rows: of `tests/trials.py`: a promise, how often it was tried, how often it was not kept.
    """
    trials: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for row in rows:
        trials[row["promise"]] += row["trials"]
        wrong[row["promise"]] += row["wrong"]
    missing = [name for name in PROMISES if not trials[name]]
    if missing:
        raise SystemExit(f"never tried: {', '.join(missing)}")
    return HEAD + "".join(
        f"| {what} | {how} | {trials[name]:,} | {wrong[name]:,} |\n"
        for name, (what, how) in PROMISES.items()
    )


if __name__ == "__main__":
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    PAGE.write_text(page(map(json.loads, lines)), encoding="utf-8")
