"""The record of a run: what ran where, all its numbers, and the table made from it."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from contestants import FLOOR, HERE, Contestant, versions

OWN = ("newsdedup", "numba", "numpy", "orjson", "msgspec", "regex")
HEAD = (
    *("contestant", "wall s", "CPU s", "MB/s", "peak MB", "wall x floor", "CPU x floor"),
    *("pairs settled", "lost", "residue", "restored", "what it does"),
)
TIMES = len(HEAD[1:7])


def circumstances(contestants: Iterable[Contestant]) -> dict[str, Any]:
    """When, of which commit, with which packages, on which machine."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="minutes"),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted": [line[3:] for line in _git("status", "--porcelain", "dedup").splitlines()],
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in OWN},
        "peer_packages": versions(contestants),
        "machine": {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
            "memory_gib": round(
                os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
            ),
            "system": f"{platform.system()} {platform.machine()}",
            "load_before": round(os.getloadavg()[0], 2),
        },
    }


def medians(runs: list[dict[str, float]], size: int) -> dict[str, float]:
    """Medians of a contestant's runs, and its speed in MB (10**6 bytes) a second."""
    middle = {
        name: round(statistics.median(run[name] for run in runs), 3)
        for name in ("wall", "cpu", "peak_mb")
    }
    return {**middle, "mb_s": round(size / 1e6 / middle["wall"], 2)}


def add_ratios(contestants: list[dict[str, Any]]) -> None:
    """Set each contestant's medians against the floor's, both for a byte of their input."""
    floor = next(row for row in contestants if row["name"] == FLOOR)
    for row in contestants:
        less = floor["input"]["bytes"] / row["input"]["bytes"]
        for name in ("wall", "cpu"):
            ratio = row["median"][name] / floor["median"][name] * less
            row["median"][f"{name}_to_floor"] = round(ratio, 2)


def table(record: dict[str, Any], markdown: bool = False) -> str:
    """The table of a record; a time with a wrong answer is not in it."""
    rows = [list(HEAD), *(_row(row) for row in record["contestants"])]
    if _parts(record):
        sizes = (f"{row['input']['bytes'] / 1e6:.0f}" for row in record["contestants"])
        for row, size in zip(rows, ("on MB", *sizes), strict=True):
            row.insert(1, size)
    if markdown:
        rows.insert(1, ["---", *["--:"] * (len(rows[0]) - 2), "---"])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in {0, len(row) - 1} else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in rows
    )


def caption(record: dict[str, Any]) -> str:
    """What the table is about, in a sentence or two."""
    machine, data = record["machine"], record["input"]
    changed = " with uncommitted changes" if record["uncommitted"] else ""
    parts = "; who is run on less gets the first of it" if _parts(record) else ""
    return (
        f"{data['name']}: {data['bytes'] / 1e6:.1f} MB, {data['records']:,} records, "
        f"{data['blocks']:,} paragraphs, {data['pairs']:,} known pairs{parts}; "
        f"medians of {record['repeat']}. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB; Python {record['python']}; {record['date'][:10]}, "
        f"commit {record['commit'][:7]}{changed}."
    )


def _parts(record: dict[str, Any]) -> bool:
    """Whether not all ran on the whole input."""
    whole = record["input"]["bytes"]
    return any(row.get("input", {}).get("bytes", whole) != whole for row in record["contestants"])


def _row(row: dict[str, Any]) -> list[str]:
    middle, answer = row["median"], row["answer"]
    if answer["wrong"]:
        times = ["wrong"] * TIMES
    else:
        times = [
            *(f"{middle['wall']:.2f}", f"{middle['cpu']:.2f}", f"{middle['mb_s']:.1f}"),
            *(f"{middle['peak_mb']:.0f}", f"{middle['wall_to_floor']:.2f}"),
            f"{middle['cpu_to_floor']:.2f}",
        ]
    shares = [
        "-" if answer[name] is None else f"{answer[name]:.2%}"
        for name in ("settled", "lost", "residue")
    ]
    restored = {None: "-", True: "yes", False: "no"}[answer["restored"]]
    does = f"{row['does']}; wrong: {answer['wrong']}" if answer["wrong"] else row["does"]
    return [row["name"], *times, *shares, restored, does]


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(HERE.parents[1]), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.rstrip()


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
