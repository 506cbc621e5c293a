"""Memory: large arrays lie in temporary files once they pass what may stay in memory."""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

HELD = 96 << 20  # bytes of arrays held in memory when no limit is set
MOST = 300 << 20  # bytes in memory from which pages are handed back
WORTH = 96 << 20  # bytes of mapped files, the program's own among them, that are worth it
INTERVAL = 0.01  # seconds between two looks
FAST = 2 * WORTH  # bytes of mapped files within an interval that call for shorter ones
PAUSE = 0.5  # seconds until the C library is asked again
STATM = Path("/proc/self/statm")
ARENA_MAX = -8  # of glibc's malloc.h
SMALL = 4 << 20  # bytes of an array that are not worth a file
PART = 0.1  # part of a limit that held arrays may take; the rest is for work on them

Array = TypeVar("Array", bound=np.ndarray[Any, Any])


class Memory:
    """Gives out arrays; past a budget these are mapped files, whose pages can be handed back.

    Used as a context, it watches how much memory the process takes, and hands pages back whenever
    that is more than it should be, whatever is being done at that moment.

    Args:
        limit: bytes that the process shall stay under, None if that is not said.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._budget = HELD if limit is None else int(PART * limit)
        self._most = MOST if limit is None else 2 * self._budget
        # What is there now, by the ids of the objects that own it: whatever is freed goes out.
        self._held: dict[int, tuple[int, weakref.ref[Any]]] = {}
        self._maps: dict[int, tuple[weakref.ref[mmap.mmap], Any]] = {}
        self._done = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Memory:
        if STATM.exists():
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._done.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None

    def _watch(self) -> None:
        trimmed, wait = 0.0, INTERVAL
        while not self._done.wait(wait):
            _, resident, mapped = (
                int(pages) * mmap.PAGESIZE for pages in STATM.read_text().split()[:3]
            )
            wait = INTERVAL if mapped < FAST else INTERVAL / 4
            # Handed back, pages must be fetched again.
            if mapped > WORTH and self._maps and resident > self._most:
                self.relax()
                if time.monotonic() > trimmed + PAUSE:
                    _trim()
                    trimmed = time.monotonic()

    @property
    def held(self) -> int:
        """Bytes of the arrays that lie in memory now."""
        return sum(size for size, _ in list(self._held.values()))

    @property
    def mapped(self) -> int:
        """Bytes of the arrays that lie in files now."""
        found = (owner() for owner, _ in list(self._maps.values()))
        return sum(len(owner) for owner in found if owner is not None)

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """An array to write to."""
        items = shape if isinstance(shape, int) else math.prod(shape)
        size = items * np.dtype(dtype).itemsize
        if self._has_room(size):
            array = np.empty(shape, dtype=dtype)
            self._hold(array)
            return array
        return self._spilled(shape, dtype)

    def resized(self, array: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
        """The one-dimensional array with room for n values, its first ones kept."""
        if not array.size:
            return self.empty(n, array.dtype)
        owner = _owner(array)
        if id(owner) in self._maps:
            _, file = self._maps.pop(id(owner))
            return self._mapped(file, n, array.dtype)
        size = n * array.itemsize
        before, whole = self._held.pop(id(owner), None), owner is array
        if whole and self._has_room(size):
            del before  # what is referred to cannot grow
            array.resize(n, refcheck=False)
            self._hold(array)
            return array
        out = self.empty(n, array.dtype)
        out[: array.size] = array[:n]
        if before is not None:
            self._held[id(owner)] = before
        return out

    def keep(self, array: Array) -> Array:
        """The same values where there is room for them."""
        owner = _owner(array)
        if id(owner) in self._maps or id(owner) in self._held:
            return array
        if not isinstance(owner, np.ndarray):  # of something that is not counted here
            owner = array
        if self._has_room(owner.nbytes):
            self._hold(owner)
            return array
        out = self._spilled(array.shape, array.dtype)
        out[:] = array
        return out  # type: ignore[return-value]

    def relax(self) -> None:
        """Hand the pages of mapped files back to the system; they come again when looked at."""
        for owner, _ in list(self._maps.values()):
            if (mapped := owner()) is not None:
                mapped.madvise(mmap.MADV_DONTNEED)

    def _has_room(self, size: int) -> bool:
        return size < SMALL or self.held + size <= self._budget

    def _hold(self, owner: np.ndarray[Any, Any]) -> None:
        """Count an array for as long as it, or any part of it, is in use."""
        number, held = id(owner), self._held
        freed = weakref.ref(owner, lambda _: held.pop(number, None))
        held[number] = owner.nbytes, freed

    def _spilled(self, shape: Any, dtype: Any) -> np.ndarray[Any, Any]:
        return self._mapped(tempfile.TemporaryFile(), shape, dtype)

    def _mapped(self, file: Any, shape: Any, dtype: Any) -> np.ndarray[Any, Any]:
        mode: Any = "r+" if os.fstat(file.fileno()).st_size else "w+"
        if hasattr(os, "posix_fallocate"):  # a disk that is full later would end the process
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        mapped: Any = np.memmap(file, dtype=dtype, mode=mode, shape=shape)
        number, maps = id(mapped._mmap), self._maps
        freed = weakref.ref(mapped._mmap, lambda _: maps.pop(number, None))
        maps[number] = freed, file  # the file goes with it
        out: np.ndarray[Any, Any] = mapped.view(np.ndarray)  # kernels take plain arrays
        return out


def _owner(array: np.ndarray[Any, Any]) -> Any:
    """What holds the values of an array: an array, or what a file is mapped to."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner


def _trim() -> None:
    """Have the C library hand back what it keeps for later, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def share() -> None:
    """Have threads to come take memory from one place, where the C library can, for as long as the
    process lives: each would keep for itself what it gave back.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(ARENA_MAX, 1)
