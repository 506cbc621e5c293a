"""Feeds records to a step that remembers, and measures how long each call takes.

A step takes some JSON lines and gives of each its paragraphs that stay. Only the calls behind the
first `before` records are timed; what is said of time is printed as JSON, what stayed is written.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path

FILL = 256  # records at a time while the index is filled

Step = Callable[[list[bytes]], list[list[str]]]


def drive(step: Step, corpus: str, before: int, count: int, together: int, out: str) -> None:
    """Fill, then time `count` records in calls of `together`."""
    with open(corpus, "rb") as file:
        begun, filling = time.perf_counter(), [time.process_time()]
        for at in range(0, before, FILL):
            step(list(islice(file, min(FILL, before - at))))
            filling.append(time.process_time())
        filled = time.perf_counter() - begun
        calls = [list(islice(file, together)) for _ in range(count // together)]
    warming = max(1, 64 // together)
    for lines in calls[:warming]:
        step(lines)
    calls = calls[warming:]
    seconds, cpu, left = [], [], []
    for lines in calls:
        begun, worked = time.perf_counter(), time.process_time()
        left += step(lines)
        cpu.append(time.process_time() - worked)
        seconds.append(time.perf_counter() - begun)
    Path(out).write_text(json.dumps(left, ensure_ascii=False), encoding="utf-8")
    json.dump(
        {
            "fill_s": filled,
            "fill_cpu_s": [b - a for a, b in pairwise(filling)],
            "seconds": seconds,
            "cpu_s": cpu,
            "records": sum(map(len, calls)),
            "first": before + warming * together,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        },
        sys.stdout,
    )
