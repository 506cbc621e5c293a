"""The speed guard: `dedup clean` may not cost more of the copy floor's time than it did.

    python guard.py            compare with guard.json, exit 1 when it costs more
    python guard.py --set      take today's ratio, and half on top, as the limit

Floor and program run in turn in one process, on one generated file, kernels compiled; of each the
least CPU time counts. A ratio of two times of one run says the same on a fast machine, a slow one
and a busy one; seconds do not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from peers import copy_floor

import dedup

HERE = Path(__file__).resolve().parent
LIMIT = HERE / "guard.json"
SIZE_MB = 20
ROUNDS = 7
SLACK = 1.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", dest="up", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ratio = measure(Path(folder))
    if args.up:
        LIMIT.write_text(json.dumps({"ratio": round(SLACK * ratio, 1)}) + "\n")
    limit = json.loads(LIMIT.read_text())["ratio"]
    print(f"dedup clean costs {ratio:.1f} times the copy floor's CPU time; the limit is {limit}")
    return int(ratio > limit)


def measure(folder: Path) -> float:
    """CPU time of `dedup clean` in times of the floor's."""
    source, copy, target = (folder / name for name in ("in.jsonl", "copy.jsonl", "out.jsonl"))
    subprocess.run(
        [sys.executable, str(HERE / "generate.py"), str(source), "--size", str(SIZE_MB)], check=True
    )
    floor = cleaned = float("inf")
    for _ in range(ROUNDS):
        floor = min(floor, cost(lambda: copy_floor.main(str(source), str(copy))))
        cleaned = min(cleaned, cost(lambda: dedup.clean(source, target)))
    return cleaned / floor


def cost(run: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main())
