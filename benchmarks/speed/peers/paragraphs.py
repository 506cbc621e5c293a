"""What all peers share: paragraphs, their words, their shingles, and what is written.

This is the plain Python that a user of a MinHash library writes around it, with the fastest
standard tools found for each step: `str.replace` for each letter and `findall` took half the time
of `str.translate` and 0.6 of that of a regex for each class of letters with `sub` and `split`.
"""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import orjson

THRESHOLD = 0.7
WIDTH = 3  # words in a shingle
NUM_PERM = 128

MARKS = (  # vowel signs, tatweel, marks of direction; as in the brackets of a regex
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0640\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff"
)
LETTERS = (("أ", "ا"), ("إ", "ا"), ("آ", "ا"), ("ى", "ي"), ("ة", "ه"), ("ؤ", "و"), ("ئ", "ي"))
_MARK = re.compile(f"[{MARKS}]")
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[list[str]]:
    """The normalised words of each paragraph (line) of a text."""
    text = _MARK.sub("", text)
    for letter, plain in LETTERS:
        text = text.replace(letter, plain)
    return [_WORD.findall(line) for line in text.lower().split("\n")]


def shingles(paragraph: list[str]) -> list[str]:
    """Runs of three words; a shorter paragraph is one shingle."""
    if len(paragraph) < WIDTH:
        return [" ".join(paragraph)]
    return [*map(" ".join, zip(paragraph, paragraph[1:], paragraph[2:], strict=False))]


def distinct(source: str) -> tuple[dict[int, str], set[int]]:
    """The paragraphs of a file for a library that wants them all at once.

    Returns:
        The normalised text of each paragraph that has words and is the first of its text, by its
        number in the file; and the numbers of the later ones of the same text.
    """
    first: dict[str, int] = {}
    removed, number = set[int](), 0
    with open(source, "rb") as lines:
        for line in lines:
            for paragraph in words(orjson.loads(line)["text"]):
                text = " ".join(paragraph)
                if text and first.setdefault(text, number) != number:
                    removed.add(number)
                number += 1
    return {number: text for text, number in first.items()}, removed


def write_without(source: str, target: str, removed: set[int]) -> None:
    """Write a file again without the paragraphs of these numbers."""
    number = 0
    with open(source, "rb") as lines, open(target, "wb") as out:
        for line in lines:
            record = orjson.loads(line)
            count = record["text"].count("\n") + 1
            keep = [place not in removed for place in range(number, number + count)]
            write(out, line, record, keep)
            number += count


def write(out: BinaryIO, line: bytes, record: dict[str, Any], keep: list[bool]) -> None:
    """Write a record without the paragraphs that are not kept; the line itself if all are."""
    if all(keep):
        out.write(line)
        return
    lines = record["text"].split("\n")
    record["text"] = "\n".join(text for text, kept in zip(lines, keep, strict=True) if kept)
    out.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
