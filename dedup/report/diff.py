"""What two texts share, word by word; spelling does not count."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal, NamedTuple, TypeAlias

from dedup.text.arabic import fold

How: TypeAlias = Literal["same", "gone", "new"]
_WORD = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+$")


class Run(NamedTuple):
    """Words that follow each other: in both texts, in the first only, or in the second only."""

    how: How
    text: str


def word_diff(one: str, other: str) -> list[Run]:
    """The second text as a change of the first: runs that, in order, make both.

    The runs that are not new make up the first text; what both share is told in the first one's
    spelling. Words are the same when their keys are (`dedup.fold`), signs aside.
    """
    ones, others = _WORD.findall(one), _WORD.findall(other)
    matcher = SequenceMatcher(None, _keys(ones), _keys(others), autojunk=False)
    runs: list[Run] = []
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        if tag == "equal":
            runs.append(Run("same", "".join(ones[a:a_end])))
            continue
        if a_end > a:
            runs.append(Run("gone", "".join(ones[a:a_end])))
        if b_end > b:
            runs.append(Run("new", "".join(others[b:b_end])))
    return runs


def shared(one: str, other: str) -> list[Run]:
    """The first text in runs of words that the second has in the same order, and of others."""
    return [run for run in word_diff(one, other) if run.how != "new"]


def _keys(words: list[str]) -> list[str]:
    return [fold(word) or word.strip() for word in words]
