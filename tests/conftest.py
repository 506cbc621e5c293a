"""Options of the suite."""

from __future__ import annotations

import dedup.index.kernels  # noqa: F401 - theirs are compiled with the others
from dedup.clean import warm_up


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write tests/golden/ anew")


def pytest_configure(config):
    """Compile the kernels before tests share them out among processes."""
    if not hasattr(config, "workerinput"):
        warm_up()
