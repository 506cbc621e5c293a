"""Clean dumps of scraped Arabic news: each thing said once, and nothing else lost.

>>> import dedup
>>> result = dedup.clean("dump.jsonl", "clean.jsonl")  # doctest: +SKIP
>>> result.counts.kinds  # doctest: +SKIP
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dedup.config import Config
from dedup.errors import (
    ConfigError,
    DedupError,
    GuardError,
    IndexFileError,
    InputError,
    RecordError,
)

if TYPE_CHECKING:
    from dedup.check import check as check
    from dedup.clean import clean as clean
    from dedup.compare import compare as compare
    from dedup.report.explain import explain as explain
    from dedup.restore import restore as restore
    from dedup.result import Result as Result
    from dedup.stream import Cleaner as Cleaner
    from dedup.text.arabic import fold as fold

__version__ = "0.1.0"
__all__ = [
    "Cleaner",
    "Config",
    "ConfigError",
    "DedupError",
    "GuardError",
    "IndexFileError",
    "InputError",
    "RecordError",
    "Result",
    "check",
    "clean",
    "compare",
    "explain",
    "fold",
    "restore",
]

# What needs NumPy and Numba is imported when it is first asked for: `dedup --help` must not wait.
_LATER = {
    "Cleaner": "dedup.stream",
    "Result": "dedup.result",
    "check": "dedup.check",
    "clean": "dedup.clean",
    "compare": "dedup.compare",
    "explain": "dedup.report.explain",
    "fold": "dedup.text.arabic",
    "restore": "dedup.restore",
}


class _Face(ModuleType):
    """The package as a module whose `clean`, `restore` and the like are always the functions.

    Importing `dedup.clean` would otherwise put the module of that name in the function's place.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name in _LATER and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Face


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'dedup' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_LATER[name]), name)
