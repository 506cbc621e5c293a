"""What takes long to make is made once on a machine, and kept in files.

A file's name tells what it was made from. Nobody else may write where it lies: what is loaded runs.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

_DIGEST = 32  # bytes


def file_name(name: str, made_from: Iterable[str]) -> str:
    """The name of the file for what is made from something."""
    return f"{name}-{digest(made_from)[:20]}"


def digest(parts: Iterable[str]) -> str:
    """One for all parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_kept(name: str) -> bool:
    """Whether there is a file."""
    return any((folder / name).is_file() for folder in _folders())


def load(name: str) -> bytes | None:
    """What a file holds; None if there is none, or not a whole one."""
    for folder in _folders():
        with suppress(OSError):
            kept = (folder / name).read_bytes()
            if hashlib.sha256(kept[_DIGEST:]).digest() == kept[:_DIGEST]:
                return kept[_DIGEST:]
    return None


def keep(name: str, data: bytes) -> None:
    """Keep something, where that is possible."""
    for folder in _folders():
        with suppress(OSError):
            _write(folder / name, hashlib.sha256(data).digest() + data)
            return


def can_keep() -> bool:
    """Whether there is a folder to keep anything in."""
    for folder in _folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return True
    return False


@cache
def source(module: str) -> str:
    """How a module that was imported is written."""
    spec = sys.modules[module].__spec__
    assert spec is not None
    found: str | None = spec.loader.get_source(module)  # type: ignore[union-attr]
    return found or ""


@cache
def _folders() -> tuple[Path, ...]:
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return (Path(chosen),)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return Path(__file__).parents[1] / "__pycache__", home / "dedup"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
