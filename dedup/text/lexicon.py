"""The lexicon: general markers of page furniture, read from lexicon.txt and folded."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np

from dedup.errors import ConfigError
from dedup.records import I64, U32
from dedup.text.blocks import Blocks, stems, token_hashes

ROLES = ("header", "leadin", "footer", "opening", "embed", "credit", "prose", "common")
LONGEST = 6


class Lexicon(NamedTuple):
    """Folded phrases by role.

    Attributes:
        phrases: role -> set of phrases, each a tuple of token hashes.
        common: uint32, sorted; stems of function words.
    """

    phrases: dict[str, frozenset[tuple[int, ...]]]
    common: U32

    def begins(self, blocks: Blocks, role: str) -> I64:
        """int64[n]; tokens of the longest phrase of a role that each block begins with, or 0."""
        known = self.phrases[role]
        out = np.zeros(blocks.key.size, dtype=np.int64)
        filled = np.flatnonzero(blocks.length())
        first = blocks.tokens[blocks.pointer[filled]]
        possible = np.array([phrase[0] for phrase in known], dtype=np.uint32)
        for b in filled[np.isin(first, possible)].tolist():
            at, end = int(blocks.pointer[b]), int(blocks.pointer[b + 1])
            start = tuple(blocks.tokens[at : min(end, at + LONGEST)].tolist())
            out[b] = next((n for n in range(len(start), 0, -1) if start[:n] in known), 0)
        return out


@lru_cache(maxsize=1)
def load() -> Lexicon:
    """The lexicon that comes with the package."""
    text = resources.files("dedup.text").joinpath("lexicon.txt").read_text(encoding="utf-8")
    return parse(text.splitlines(), "lexicon.txt")


def parse(lines: Iterable[str], name: str) -> Lexicon:
    """Read `role | words  # why` lines.

    Raises:
        ConfigError: a line that is neither an entry nor a comment, with its number.
    """
    words: dict[str, list[str]] = {role: [] for role in ROLES}
    lines_of: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        role, bar, phrase = (part.strip() for part in entry.partition("|"))
        if not bar or role not in words or not phrase:
            raise ConfigError(
                f"{name}:{number}: {entry!r} is not 'role | words'; roles are {', '.join(ROLES)}"
            )
        words[role].append(phrase)
        lines_of[phrase] = number
    phrases = {}
    for role in ROLES:
        hashed = [tuple(tokens.tolist()) for tokens in token_hashes(words[role])]
        for phrase, tokens in zip(words[role], hashed, strict=True):
            if not 0 < len(tokens) <= LONGEST:
                where = f"{name}:{lines_of[phrase]}"
                raise ConfigError(
                    f"{where}: {phrase!r} has {len(tokens)} words; 1 to {LONGEST} fit"
                )
        phrases[role] = frozenset(hashed)
    common = np.unique(np.concatenate(stems(words["common"])))
    return Lexicon(phrases, common[common != 0])
