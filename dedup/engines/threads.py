"""Threads: kernels release the interpreter's lock, so that batches run side by side."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4  # items that wait or are done: one that takes long must not leave others without work
INTERVAL = 0.0005  # seconds between two switches, where Python's own is ten times as long


def in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """`map`, with up to `workers` items in work at a time, and some that wait for them or are done;
    results come in the order of the items.

    With one worker there are no threads at all. Few and large items serve best: whoever comes back
    from a kernel may wait for the interpreter's lock as long as a switch interval, which is made
    short for as long as this goes on.
    """
    if workers == 1:
        yield from map(function, items)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - it takes a while

    waiting: deque[Future[R]] = deque()
    with _quick_switches, ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                while waiting and (waiting[0].done() or len(waiting) > workers + AHEAD):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _QuickSwitches:
    """For as long as anybody is inside, the interpreter's lock is handed over soon."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before, INTERVAL))
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                sys.setswitchinterval(self._before)


_quick_switches = _QuickSwitches()
