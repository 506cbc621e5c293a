"""The lexicon: general markers of page furniture, read from lexicon.txt and folded."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.errors import ConfigError
from dedup.records import I64, U8, U32
from dedup.text import kernels
from dedup.text.blocks import Blocks, stems, token_hashes

ROLES = ("header", "leadin", "footer", "opening", "embed", "credit", "prose", "radical", "common")
WORDS = ("day", "back", "inner")  # single words; no markers
LONGEST = 6


class Phrases(NamedTuple):
    """Folded phrases.

    Attributes:
        words: uint32[p, LONGEST]; token hashes, sorted by the first one.
        size: int64[p]; tokens of each.
        role: int64[p]; index into `ROLES`.
    """

    words: U32
    size: I64
    role: I64

    def of(self, role: str) -> Phrases:
        """Those of a role."""
        which = self.role == ROLES.index(role)
        return Phrases(*(column[which] for column in self))


class Lexicon(NamedTuple):
    """What the program knows of words.

    Attributes:
        phrases: of all roles.
        common: uint32, sorted; stems of function words.
        words: role of `WORDS` -> uint32, sorted; token hashes.
        seed: of the tokens' hashes.
    """

    phrases: Phrases
    common: U32
    words: dict[str, U32]
    seed: int = Config.seed

    def common_tokens(self) -> U32:
        """uint32; function words as token hashes."""
        words, size, _ = self.phrases.of("common")
        single: U32 = words[size == 1, 0]
        return single

    def begins(self, blocks: Blocks) -> dict[str, U8]:
        """Role -> uint8[n]; tokens of its longest phrase that each block begins with, or 0."""
        out = np.empty((len(ROLES), blocks.key.size), dtype=np.uint8)
        kernels.longest_phrases(blocks.tokens, blocks.pointer, *self.phrases, out)
        return dict(zip(ROLES, out, strict=True))


@lru_cache(maxsize=2)
def load(markers: tuple[str, ...] = (), seed: int = Config.seed) -> Lexicon:
    """The lexicon that comes with the package, and some markers more.

    Args:
        markers: "ROLE=WORDS" each.
        seed: of the tokens' hashes.

    Raises:
        ConfigError: a marker is none.
    """
    text = resources.files("dedup.text").joinpath("lexicon.txt").read_text(encoding="utf-8")
    return parse(text.splitlines(), "lexicon.txt", markers, seed)


def words(role: str, seed: int = Config.seed) -> U32:
    """uint32, sorted; token hashes of the words of a role of `WORDS`."""
    return load((), seed).words[role]


@lru_cache(maxsize=1)
def numbers(seed: int = Config.seed) -> U32:
    """uint32, sorted; token hashes of all numbers of up to four digits."""
    written = [f"{number:0{digits}}" for digits in (1, 2, 3, 4) for number in range(10**digits)]
    return np.unique(token_hashes([" ".join(written)], seed)[0])


def parse(
    lines: Iterable[str], name: str, markers: tuple[str, ...] = (), seed: int = Config.seed
) -> Lexicon:
    """Read `role | words  # why` lines.

    Raises:
        ConfigError: a line that is neither an entry nor a comment, with its number.
    """
    found: dict[str, list[str]] = {role: [] for role in (*ROLES, *WORDS)}
    places: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        role, bar, phrase = (part.strip() for part in entry.partition("|"))
        if not bar or role not in found or not phrase:
            raise ConfigError(
                f"{name}:{number}: {entry!r} is not 'role | words'; roles are {', '.join(found)}"
            )
        found[role].append(phrase)
        places[phrase] = f"{name}:{number}"
    for marker in markers:
        role, is_, phrase = (part.strip() for part in marker.partition("="))
        if not is_ or role not in ROLES or not phrase:
            raise ConfigError(
                f"--marker: {marker!r} is not ROLE=WORDS; roles are {', '.join(ROLES)}"
            )
        found[role].append(phrase)
        places.setdefault(phrase, "--marker")
    phrases = _phrases({role: found[role] for role in ROLES}, places, seed)
    common = np.unique(np.concatenate(stems(found["common"])))
    single = {role: np.unique(np.concatenate(token_hashes(found[role], seed))) for role in WORDS}
    return Lexicon(phrases, common[common != 0], single, seed)


def _phrases(words: dict[str, list[str]], places: dict[str, str], seed: int) -> Phrases:
    written = [phrase for role in ROLES for phrase in words[role]]
    hashed = token_hashes(written, seed)
    size = np.array([tokens.size for tokens in hashed], dtype=np.int64)
    for at in np.flatnonzero((size < 1) | (size > LONGEST)).tolist():
        phrase = written[at]
        raise ConfigError(f"{places[phrase]}: {phrase!r} has {size[at]} words; 1 to {LONGEST} fit")
    out = np.zeros((size.size, LONGEST), dtype=np.uint32)
    out[np.arange(LONGEST) < size[:, None]] = np.concatenate(hashed)
    role = np.repeat(np.arange(len(ROLES)), [len(words[role]) for role in ROLES])
    order = np.argsort(out[:, 0], kind="stable")
    return Phrases(out[order], size[order], role[order])
