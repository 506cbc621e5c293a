"""Processes: for work on Python objects, which threads cannot share out."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from typing import IO, Any, NoReturn, TypeVar

T = TypeVar("T")

POSSIBLE = sys.platform == "linux"  # elsewhere a fork is slow, unsafe or missing


def in_parts(work: Callable[[int], T], parts: int) -> list[T]:
    """Do each part in a process of its own, the first in this one; what comes back, in order.

    The processes are forks: they see everything that this one has, and share its open files.

    Raises:
        Exception: what the first part to fail has raised.
    """
    children = [_fork(work, part) for part in range(1, parts)]
    try:
        results = [work(0)]
        for _, pipe in children:
            found = pickle.loads(pipe.read() or pickle.dumps(ChildProcessError("a worker died")))
            if isinstance(found, BaseException):
                raise found
            results.append(found)
    except BaseException:
        for pid, _ in children:
            os.kill(pid, signal.SIGKILL)
        raise
    finally:
        for pid, pipe in children:
            pipe.close()
            os.waitpid(pid, 0)
    return results


def _fork(work: Callable[[int], T], part: int) -> tuple[int, IO[bytes]]:
    theirs, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        _serve(work, part, ours)
    os.close(ours)
    return pid, os.fdopen(theirs, "rb")


def _serve(work: Callable[[int], T], part: int, pipe: int) -> NoReturn:
    """The life of a child: what it must not do is to return, or to clean up what is not its own."""
    result: Any
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        result = work(part)
    except BaseException as error:
        result = error
    try:
        with os.fdopen(pipe, "wb") as file:
            file.write(pickle.dumps(result))
    finally:
        os._exit(0)
