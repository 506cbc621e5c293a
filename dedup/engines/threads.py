"""Threads: kernels release the interpreter's lock, so that batches run side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """`map`, with up to `workers` items in work at a time; results come in the order of the items.

    The caller's thread is one of the workers: with one worker there are no threads at all.
    """
    if workers == 1:
        yield from map(function, items)
        return
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers - 1) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            while waiting[0].done() or len(waiting) > workers:
                yield waiting.popleft().result()
                if not waiting:
                    break
        while waiting:
            yield waiting.popleft().result()
