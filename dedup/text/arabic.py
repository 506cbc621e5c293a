"""The matching key: one spelling for what newsrooms spell in many ways.

`fold` is the definition, one step after the other, in plain Python. The kernels do the same by
table, one code point at a time; what cannot be done one code point at a time (HTML entities,
combining marks that compose) they leave to `fold`. The rules and their sources (Lucene's Arabic
and Persian normalizers, CAMeL Tools, AraBERT's preprocessing, the Unicode tables) are told in
CONTRIBUTING.md.
"""

from __future__ import annotations

import html
import unicodedata
from bisect import bisect_left
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
import regex

from dedup.engines import kept
from dedup.records import I32, U8, U64
from dedup.text import kernels


def _span(*ranges: str) -> frozenset[int]:
    points: set[int] = set()
    for item in ranges:
        low, _, high = item.partition("-")
        points.update(range(int(low, 16), int(high or low, 16) + 1))
    return frozenset(points)


MARKS = _span(
    "0610-061A", "064B-065F", "0670", "06D6-06DC", "06DF-06E4", "06E7-06E8", "06EA-06ED",
    "0898-089F", "08CA-08E1", "08E3-08FF",
)  # fmt: skip
TATWEEL = _span("0640")
FORMAT = _span(
    "0600-0605", "061C", "06DD", "08E2", "00AD", "200B-200F", "202A-202E", "2060-2064",
    "2066-2069", "FEFF",
)  # fmt: skip
DELETED = MARKS | TATWEEL | FORMAT
PRESENTATION = _span("FB50-FDFF", "FE70-FEFF")

LETTERS = {
    **dict.fromkeys((0x622, 0x623, 0x625, 0x671), 0x627),
    **dict.fromkeys((0x649, 0x6CC, 0x626), 0x64A),
    **dict.fromkeys((0x629, 0x6BE, 0x6C1), 0x647),
    0x6A9: 0x643,
    0x624: 0x648,
}
DIGITS = {start + i: 0x30 + i for start in (0x660, 0x6F0) for i in range(10)}
FOLDED = {**LETTERS, **DIGITS}

# Chinese and Japanese put no space between words: each of their characters is a token.
_ALONE = r"[[\p{L}\p{N}]&&[\p{Han}\p{Hiragana}\p{Katakana}]]"
_OTHERS = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
_TOKEN = regex.compile(rf"(?V1){_ALONE}|[[\p{{L}}\p{{N}}]--{_OTHERS}]+")
_ONE = regex.compile(rf"(?V1){_ALONE}")
_NO_TOKEN = regex.compile(r"[^\p{L}\p{N}\0]")


def _is_mark_form(point: int) -> bool:
    """A presentation form that is a mark on a space or a tatweel: nothing but a mark."""
    if point not in PRESENTATION:
        return False
    plain = unicodedata.normalize("NFKC", chr(point))
    return plain != chr(point) and all(c == " " or ord(c) in DELETED for c in plain)


_MARK_FORMS = frozenset(p for p in PRESENTATION if _is_mark_form(p))
_DELETE = dict.fromkeys(DELETED | _MARK_FORMS)


# More marks on one letter than any spelling has. Normalizing brings the marks of a letter into
# order by insertion, whose time grows with their number squared; they come to it in order.
_MANY_MARKS = regex.compile(r"[\p{M}\uFF9E\uFF9F]{31,}")


def _in_order(run: regex.Match[str]) -> str:
    """The marks of a run, decomposed, each series of them ordered by its combining classes."""
    marks = "".join(unicodedata.normalize("NFKD", mark) for mark in run[0])
    series = groupby(marks, key=lambda mark: unicodedata.combining(mark) > 0)
    return "".join(
        "".join(sorted(some, key=unicodedata.combining) if combine else some)
        for combine, some in series
    )


def fold(text: str) -> str:
    """The key of a text: its folded tokens, one space between them.

    >>> fold("قَالَ الأميرُ: «إنّ ١٢ دولةً…»")
    'قال الامير ان 12 دوله'
    """
    return " ".join(tokens(text))


def tokens(text: str) -> list[str]:
    """The folded tokens of a text: runs of letters and numbers, and Han and Kana one by one."""
    if "&" in text:
        text = html.unescape(text)
    text = _MANY_MARKS.sub(_in_order, text.translate(_DELETE))
    text = unicodedata.normalize("NFKC", text)
    text = "".join(map(str.lower, text.translate(_DELETE)))
    found: list[str] = _TOKEN.findall(text.translate(FOLDED))
    return found


# A run of letters with their marks, or an HTML entity, which may be none.
_RUN = regex.compile(
    rf"(?V1)&#?\w{{1,32}};|{_ALONE}[\p{{M}}\p{{Cf}}]*|[[\p{{L}}\p{{N}}\p{{M}}\p{{Cf}}]--{_OTHERS}]+"
)
_OPENING, _ENDING = frozenset("«“‘\"'([{"), frozenset(".!?؟…۔。！？»”’\"')]}")


def part_span(text: str, start: int, end: int, size: int, at_tail: bool) -> tuple[int, int]:
    """Where the first or last tokens of a block stand.

    Args:
        text: the block's text.
        start: the block's first character.
        end: the character after its last.
        size: tokens.
        at_tail: whether the last ones are meant.

    Returns:
        [start, end) of them with the signs that belong to them: what stands between them and the
        rest goes with them, but for stops and closing quotes before, and opening ones behind them.
    """
    runs = [found.span() for found in _RUN.finditer(text, start, end)]
    number = len(runs)
    if at_tail:
        k = (
            number
            - 1
            - bisect_left(
                range(number),
                True,
                key=lambda back: _counts(text[runs[number - 1 - back][0] : end], size),
            )
        )
        at, bound = runs[k][0], runs[k - 1][1] if k else start
        while at > bound and text[at - 1] not in _ENDING:
            at -= 1
        return at, end
    k = bisect_left(range(number), True, key=lambda k: _counts(text[start : runs[k][1]], size))
    at, bound = runs[k][1], runs[k + 1][0] if k + 1 < number else end
    while at < bound and text[at] not in _OPENING:
        at += 1
    return start, at


def _counts(text: str, size: int) -> bool:
    return len(tokens(text)) >= size


FOLD_VERSION = 3  # to be raised when a key of any text changes: an index keeps keys

# Actions of the fold table besides a folded code point (which is always >= 32).
SEPARATE, DELETE, DEFER = 0, 1, 2
TABLE_SIZE = 0x20000


class FoldTable(NamedTuple):
    """What the kernels fold by.

    Attributes:
        action: int32[TABLE_SIZE]; a folded code point, SEPARATE, DELETE, DEFER (`fold` must do
            it), or -i: the code points at `extra[i:]` up to a -1, SEPARATE among them.
        extra: int32; the expansions, each closed by -1.
        plain: uint64[256]; the folded code points of U+0600 to U+06FF that are one letter of
            15 bits, 0x8000 for others.
    """

    action: I32
    extra: I32
    plain: U64


@lru_cache(maxsize=1)
def fold_table() -> FoldTable:
    """The fold of every code point below TABLE_SIZE, taken from `tokens` itself."""
    made_from = (unicodedata.unidata_version, regex.__version__, kept.source(__name__))
    name = kept.file_name(f"{__name__}.fold_table", made_from)
    found = kept.load(name)
    if found is None:
        numbers = np.concatenate(_fold_table())
        kept.keep(name, numbers.tobytes())
    else:
        numbers = np.frombuffer(found, dtype=np.int32)
    action, extra = numbers[:TABLE_SIZE], numbers[TABLE_SIZE:]
    arabic = action[0x600:0x700]
    return FoldTable(
        action,
        extra,
        np.where((arabic >= 32) & (arabic < 0x8000), arabic, 0x8000).astype(np.uint64),
    )


def _fold_table() -> tuple[I32, I32]:
    """The action and the expansions."""
    action = np.zeros(TABLE_SIZE, dtype=np.int32)
    action[0xAC00:0xD7A4] = np.arange(0xAC00, 0xD7A4)  # Hangul: as it is
    han = np.array([ord(c) for c in _ONE.findall("".join(map(chr, range(0x3400, 0xA000))))])
    action[han] = -1 - 4 * np.arange(han.size)
    parts = np.full((han.size, 4), SEPARATE)
    parts[:, 1], parts[:, 3] = han, -1
    action[0x12000:0x1D000] = DEFER  # cuneiform and the like: not worth the start-up time
    for point in range(0x80):
        action[point] = ord(chr(point).lower()) if chr(point).isalnum() else SEPARATE
    ranges = (
        (0x80, 0x3400), (0xA000, 0xAC00), (0xD7A4, 0xD800), (0xF900, 0x12000),
        (0x1D000, TABLE_SIZE),
    )  # fmt: skip
    points = [point for low, high in ranges for point in range(low, high)]
    # All code points at once, a NUL between them, which nothing composes with.
    plain = unicodedata.normalize("NFKC", "\0".join(map(chr, points)))
    folded = "".join(map(str.lower, plain.translate(_DELETE))).translate(FOLDED)
    parted = _NO_TOKEN.sub(" ", folded)
    late = plain.translate(dict.fromkeys(_composing(), "\1"))
    alone = set(_ONE.findall(parted))
    extra: list[int] = [-1, *parts.ravel().tolist()]
    columns = (part.split("\0") for part in (parted, late))
    for point, letters, marked in zip(points, *columns, strict=True):
        if "\1" in marked:
            action[point] = DEFER
        elif len(letters) == 1 and letters not in alone:
            action[point] = SEPARATE if letters == " " else ord(letters)
        elif letters.strip():
            action[point] = -len(extra)
            for letter in letters:
                if letter in alone:
                    extra += (SEPARATE, ord(letter), SEPARATE)
                else:
                    extra.append(SEPARATE if letter == " " else ord(letter))
            extra.append(-1)
    action[sorted(DELETED | _MARK_FORMS)] = DELETE
    return action, np.array(extra, dtype=np.int32)


@lru_cache(maxsize=1)
def _composing() -> frozenset[int]:
    """Code points that NFKC may merge with what stands before them."""
    found = set(range(0x1100, 0x1200))  # conjoining jamo
    for point in (*range(0xC0, 0x3400), *range(0xF900, 0x12000), *range(0x1D000, 0x1D200)):
        parts = unicodedata.decomposition(chr(point))
        if parts and not parts.startswith("<"):
            found.update(int(p, 16) for p in parts.split()[1:])
    return frozenset(found)


@lru_cache(maxsize=1)
def sign_table() -> U8:
    """What the signs of the Basic Multilingual Plane are, in bits of `dedup.text.kernels`.

    Returns:
        uint8[0x10000].
    """
    table = np.zeros(0x10000, dtype=np.uint8)
    for bit, points in _SIGNS.items():
        table[sorted(points)] |= bit
    return table


_SPACES = _span("00-20", "7F-A0", "1680", "2000-200A", "2028-2029", "202F", "205F", "3000")
_INVISIBLES = _SPACES | _span(
    "AD", "61C", "200B-200F", "202A-202E", "2060-2069", "FEFF"
)  # zero-width and direction marks, too
_SIGNS = {
    kernels.SPACE: _SPACES,
    kernels.INVISIBLE: _INVISIBLES,
    kernels.NEWLINE: _span("0A", "0D", "2028-2029"),
    # Quotes and brackets that may stand after a stop, and what may hide there unseen.
    kernels.CLOSING: _INVISIBLES | set(map(ord, "\"')]}«»‘’‚‛“”„‟›")),
    kernels.DASHES: set(map(ord, "_|–—/")),
    kernels.BULLETS: set(map(ord, "*-•·●▪_|>#")),
    kernels.ENDS: set(map(ord, ".!?؟")),
}
