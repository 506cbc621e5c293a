"""What two texts share, word by word; spelling does not count."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

from dedup.text.arabic import fold

_WORD = re.compile(r"\s*\S+\s*?(?=\s|$)|\s+$")


class Run(NamedTuple):
    """Words that follow each other.

    Attributes:
        one: as the first text has them, "" where it does not.
        other: as the second text has them, "" where it does not; where both have them, their
            spelling may differ.
    """

    one: str
    other: str

    @property
    def shared(self) -> bool:
        """Whether both texts have these words."""
        return bool(self.one and self.other)


def word_diff(one: str, other: str) -> list[Run]:
    """The runs that, in order, make both texts.

    Words are the same when their keys are (`dedup.fold`), signs aside.
    """
    ones, others = _WORD.findall(one), _WORD.findall(other)
    matcher = SequenceMatcher(None, _keys(ones), _keys(others), autojunk=False)
    runs: list[Run] = []
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        left, right = "".join(ones[a:a_end]), "".join(others[b:b_end])
        runs += [Run(left, right)] if tag == "equal" else [Run(left, ""), Run("", right)]
    return [run for run in runs if run != ("", "")]


def _keys(words: list[str]) -> list[str]:
    return [fold(word) or word.strip() for word in words]
