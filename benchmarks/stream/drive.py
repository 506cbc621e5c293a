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
from itertools import islice
from pathlib import Path

FILL = 256  # records at a time while the index is filled

Step = Callable[[list[bytes]], list[list[str]]]


def drive(step: Step, corpus: str, before: int, count: int, together: int, out: str) -> None:
    """Fill, then time `count` records in calls of `together`."""
    with open(corpus, "rb") as file:
        begun = time.perf_counter()
        for at in range(0, before, FILL):
            step(list(islice(file, min(FILL, before - at))))
        filled = time.perf_counter() - begun
        calls = [list(islice(file, together)) for _ in range(count // together)]
    warming = max(1, 64 // together)
    for lines in calls[:warming]:
        step(lines)
    calls = calls[warming:]
    seconds, left = [], []
    cpu = time.process_time()
    for lines in calls:
        begun = time.perf_counter()
        left += step(lines)
        seconds.append(time.perf_counter() - begun)
    cpu = time.process_time() - cpu
    Path(out).write_text(json.dumps(left, ensure_ascii=False), encoding="utf-8")
    json.dump(
        {
            "fill_s": filled,
            "seconds": seconds,
            "cpu_s": cpu,
            "records": sum(map(len, calls)),
            "first": before + warming * together,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        },
        sys.stdout,
    )
