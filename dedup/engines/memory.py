"""Memory: large arrays lie in temporary files once they pass what may stay in memory."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import Any

import numpy as np

SPILL = 32 << 20  # bytes from which a column goes to disk when no limit is set
SMALL = 1 << 20  # bytes under which it never pays


class Memory:
    """Gives out arrays, some of them mapped files whose pages the system may take back.

    Args:
        limit: bytes that the process shall stay under; None to spill single large columns only.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._maps: dict[int, np.memmap[Any, Any]] = {}
        self._files: dict[int, Any] = {}

    def empty(self, shape: int | tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
        """An array to write to."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size < (SPILL if self._limit is None else SMALL):
            return np.empty(shape, dtype=dtype)
        return self._mapped(tempfile.TemporaryFile(), shape, dtype)

    def resized(self, array: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
        """The one-dimensional array with room for n values, its first ones kept."""
        file = self._files.pop(id(array), None)
        if file is not None:
            self._maps.pop(id(array))
            return self._mapped(file, n, array.dtype)
        out = self.empty(n, array.dtype)
        if isinstance(out, np.memmap):
            out[: array.size] = array[:n]
            return out
        array.resize(n, refcheck=False)
        return array

    def relax(self) -> None:
        """Hand the pages of mapped files back to the system; they come again when looked at."""
        for mapped in self._maps.values():
            mapped._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]

    def _mapped(self, file: Any, shape: Any, dtype: Any) -> np.ndarray[Any, Any]:
        mode: Any = "r+" if os.fstat(file.fileno()).st_size else "w+"
        out: np.memmap[Any, Any] = np.memmap(file, dtype=dtype, mode=mode, shape=shape)
        self._maps[id(out)], self._files[id(out)] = out, file
        return out
