"""How often each promise was tried: docs/promises.md is made of it (make promises)."""

from __future__ import annotations

import json
import os

TRIALS = os.environ.get("TRIALS", "")  # a file that trials are told in, a line each


def tried(promise: str, trials: int, wrong: int = 0) -> None:
    """Tell that a promise was tried so many times, and that so many times it was not kept."""
    if TRIALS:
        row = {"promise": promise, "trials": trials, "wrong": wrong}
        with open(TRIALS, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
