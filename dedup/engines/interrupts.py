"""Requests to end (SIGINT, SIGTERM) that come in the midst of what must not be left half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dedup.errors import InterruptedLate


@contextmanager
def undisturbed() -> Iterator[None]:
    """Requests to end wait until this context ends.

    Raises:
        InterruptedLate: one came; the context ended as it should.
    """
    if not hasattr(signal, "pthread_sigmask"):  # pragma: no cover
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    done = False
    try:
        yield
        done = True
    finally:
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except KeyboardInterrupt:
            if done:
                raise InterruptedLate from None
            raise


class Interrupts:
    """Requests to end that wait for what is in work; a second one does not.

    What was handed out would be forgotten otherwise, where the request comes right behind it.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._waiting = False
        self._asked: tuple[int, Any] | None = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():  # others get none
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: Any) -> None:
        if self._waiting and self._asked is None:
            self._asked = number, frame
        elif callable(self._before[number]):
            self._before[number](number, frame)
        else:
            raise KeyboardInterrupt

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Have requests wait until this context ends."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
        if self._asked is not None:
            self._take(*self._asked)
