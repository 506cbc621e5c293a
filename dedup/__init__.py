"""Clean dumps of scraped Arabic news: each thing said once, and nothing else lost.

>>> import dedup
>>> result = dedup.clean("dump.jsonl", "clean.jsonl")  # doctest: +SKIP
>>> result.counts.kinds  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dedup.config import Config
from dedup.errors import ConfigError, DedupError, InputError, RecordError

if TYPE_CHECKING:
    from dedup.clean import clean as clean
    from dedup.restore import restore as restore
    from dedup.result import Result as Result
    from dedup.text.arabic import fold as fold

__version__ = "0.1.0"
__all__ = [
    "Config",
    "ConfigError",
    "DedupError",
    "InputError",
    "RecordError",
    "Result",
    "clean",
    "fold",
    "restore",
]

# What needs NumPy and Numba is imported when it is first asked for: `dedup --help` must not wait.
_LATER = {
    "Result": "dedup.result",
    "clean": "dedup.clean",
    "fold": "dedup.text.arabic",
    "restore": "dedup.restore",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'dedup' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value
