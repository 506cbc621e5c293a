"""Where compiled kernels are kept, so that later runs start at once."""

from __future__ import annotations

import atexit
import shutil
import tempfile

import numba


def _probe() -> None:
    """Any function of a file of this package."""


def _keep() -> bool:
    """Whether there is a folder to keep kernels in; otherwise one that ends with the process is
    made. A lasting one in a place where everybody writes would not be safe: what is loaded runs.
    """
    try:
        numba.njit(cache=True)(_probe)
    except RuntimeError:  # Numba finds no folder that it may write to
        folder = tempfile.mkdtemp(prefix="dedup-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        numba.config.CACHE_DIR = folder  # type: ignore[attr-defined]
        return False
    return True


KEPT = _keep()
