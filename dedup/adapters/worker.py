"""A thread that cleans, for programs whose own thread must not wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any

from dedup.errors import DedupError
from dedup.result import Result
from dedup.stream import Cleaner

IDLE = 0.2  # seconds without a record after which what was seen is committed

logger = logging.getLogger(__name__)


class Worker:
    """Cleans records one by one, in the order they were handed in.

    What was seen is committed as soon as there is nothing to do, so that others who write to the
    index get their turn.

    Args:
        cleaner: used by nobody else, and closed with the worker.
    """

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._jobs: SimpleQueue[tuple[Mapping[str, Any], Future[Result]] | None] = SimpleQueue()
        # Not to be waited for: a program that is ended by force must end.
        self._thread = threading.Thread(target=self._work, name="dedup", daemon=True)
        self._thread.start()

    def clean(self, record: Mapping[str, Any]) -> Future[Result]:
        """A record's result, later."""
        future: Future[Result] = Future()
        self._jobs.put((record, future))
        return future

    def close(self) -> None:
        """Clean what was handed in, commit, and close the index.

        Raises:
            IndexFileError: what was seen could not be committed.
        """
        self._jobs.put(None)
        self._thread.join()
        self._cleaner.close()

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE)
            except Empty:
                self._commit()
                job = self._jobs.get()
            if job is None:
                return
            record, future = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(self._cleaner.clean([record]))
                except BaseException as error:
                    future.set_exception(error)

    def _commit(self) -> None:
        try:
            self._cleaner.commit()
        except DedupError as error:  # told again, and raised, when the worker is closed
            logger.error("%s", error)
