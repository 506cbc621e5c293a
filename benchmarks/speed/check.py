"""Is the answer right? What a contestant wrote, held against its input.

A line (paragraph) *stands* in what is left of its record when a line with the same normalised
words does, or, where a contestant cut a part of a line off, when half of it or more does. A pair of
near-duplicates is settled when not both of its lines stand.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from peers.paragraphs import THRESHOLD, shingles, words

LEAST_SETTLED = 0.9
MOST_LOST = 0.05
NEAR = 0.5  # Jaccard at which a kept paragraph says what a removed one said
SAMPLE = 5000
Line = tuple[str, int]  # a record and the place of a line in its text
DECIDED = {"related", "byline", "boilerplate", "title"}  # removals that are not for a likeness


class WrongError(Exception):
    """The output is not an answer."""


@dataclass
class Answer:
    """What a contestant's output is worth.

    Attributes:
        settled: share of the pairs of similarity 0.7 and more of which not both lines stand;
            None without pairs.
        lost: share of the distinct paragraphs of the input that stand nowhere in the output and
            have no paragraph there of similarity 0.5 or more. Exact up to 5,000 removed ones,
            above that an estimate from 5,000 of them; each is held against the whole output.
        residue: the like share that the contestant records as page residue: removed because of
            what they are, not because they are said elsewhere.
        restored: whether `dedup restore` gave back all texts; None for the others.
        wrong: why the answer is wrong, or "".
    """

    settled: float | None = None
    lost: float | None = None
    residue: float | None = None
    restored: bool | None = None
    wrong: str = ""

    def judge(self) -> None:
        """Say what is wrong with these numbers, if anything."""
        if self.settled is not None and self.settled < LEAST_SETTLED:
            self.wrong = f"settles {self.settled:.1%} of the pairs"
        elif self.lost is not None and self.lost > MOST_LOST:
            self.wrong = f"loses {self.lost:.1%} of the paragraphs"
        elif self.restored is False:
            self.wrong = "the input's texts are not restored"


class Pairs:
    """Known near-duplicates, each two lines of records.

    Attributes:
        lines: their normalised words, by record and place.
    """

    def __init__(self, pairs: list[tuple[Line, Line]], lines: dict[str, dict[int, str]]) -> None:
        self._pairs = pairs
        self.lines = lines

    @classmethod
    def read(cls, path: Path, source: Path) -> Pairs:
        """Those in a file of `jaccard, id, line, id, line`, tab-separated."""
        pairs: list[tuple[Line, Line]] = []
        wanted: defaultdict[str, set[int]] = defaultdict(set)
        with path.open(encoding="utf-8") as rows:
            for row in rows:
                jaccard, one, at, other, place = row.rstrip("\n").split("\t")
                if float(jaccard) >= THRESHOLD:
                    pairs.append(((one, int(at)), (other, int(place))))
                    wanted[one].add(int(at))
                    wanted[other].add(int(place))
        lines: dict[str, dict[int, str]] = {}
        for key, text in texts(source):
            if key in wanted:
                folds = fold(text)
                lines[key] = {at: folds[at] for at in wanted[key]}
        if missing := wanted.keys() - lines.keys():
            raise SystemExit(f"{path}: no record {min(missing)!r} in {source}")
        return cls(pairs, lines)

    def within(self, keys: set[str]) -> Pairs:
        """Those whose records are both among these."""
        pairs = [(one, other) for one, other in self._pairs if {one[0], other[0]} <= keys]
        return Pairs(pairs, {key: self.lines[key] for key in keys & self.lines.keys()})

    def __len__(self) -> int:
        return len(self._pairs)

    def settled(self, standing: set[Line]) -> float:
        """The share of the pairs of which not both lines are standing."""
        both = sum(one in standing and other in standing for one, other in self._pairs)
        return 1 - both / len(self._pairs)


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """Id and text of each record."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                yield record["id"], record["text"]
            except (ValueError, KeyError, TypeError) as error:
                raise WrongError(f"{path.name}:{number}: no JSON with id and text") from error


def fold(text: str) -> list[str]:
    """The normalised lines of a text."""
    return [" ".join(line) for line in words(text)]


def check(source: Path, output: Path, pairs: Pairs | None, removals: bool) -> Answer:
    """The worth of an output; `restored` is left open.

    Raises:
        WrongError: the output is no part of the input.
    """
    distinct, kept = set[int](), set[int]()
    standing = set[Line]()
    gone: dict[str, None] = {}
    for key, text, left in side_by_side(source, output, removals):
        before = fold(text)
        after = before if left == text else fold(left)
        rest = _Rest(before, after)
        distinct.update(map(hash, filter(None, before)))
        kept.update(map(hash, after))
        gone.update(dict.fromkeys(line for line in before if line and line not in rest))
        if pairs and key in pairs.lines:
            standing.update((key, at) for at, line in pairs.lines[key].items() if line in rest)
    missing = sorted(line for line in gone if hash(line) not in kept)
    decided = _decided(output) if removals else set()
    share = len(missing) / max(1, len(distinct))
    if len(missing) > SAMPLE:
        missing = random.Random(0).sample(missing, SAMPLE)
    best = nearest(missing, output)
    far = [line for line, jaccard in zip(missing, best, strict=True) if jaccard < NEAR]
    residue = sum(hash(line) in decided for line in far)
    scale = share / max(1, len(missing))
    return Answer(
        settled=pairs.settled(standing) if pairs else None,
        lost=(len(far) - residue) * scale,
        residue=residue * scale,
    )


def side_by_side(source: Path, output: Path, may_drop: bool) -> Iterator[tuple[str, str, str]]:
    """Id and text of each record, and what is left of its text.

    Raises:
        WrongError: a record is missing, is not the input's, or has text that is not.
    """
    left = texts(output)
    following = next(left, None)
    for key, text in texts(source):
        if following is not None and following[0] == key:
            if not _is_cut(text, following[1]):
                raise WrongError(f"record {key!r} has text that is not the input's")
            yield key, text, following[1]
            following = next(left, None)
        elif may_drop:
            yield key, text, ""
        else:
            raise WrongError(f"record {key!r} is missing")
    if following is not None:
        raise WrongError(f"record {following[0]!r} is not the input's, or not in its order")


def same_texts(source: Path, output: Path) -> bool:
    """Whether two files hold the same texts under the same ids in the same order."""
    one, other = texts(source), texts(output)
    return all(row == next(other, None) for row in one) and next(other, None) is None


def nearest(missing: list[str], output: Path) -> list[float]:
    """For each missing line the highest Jaccard with a line of the output."""
    where: defaultdict[str, list[int]] = defaultdict(list)
    sizes: list[int] = []
    best = [0.0] * len(missing)
    for number, line in enumerate(missing):
        own = set(shingles(line.split()))
        sizes.append(len(own))
        for shingle in own:
            where[shingle].append(number)
    for line in chain.from_iterable(words(text) for _, text in texts(output)):
        own = set(shingles(line))
        shared = Counter(chain.from_iterable(where[s] for s in own if s in where))
        for number, common in shared.items():
            jaccard = common / (len(own) + sizes[number] - common)
            best[number] = max(best[number], jaccard)
    return best


def _is_cut(text: str, left: str) -> bool:
    """Whether the lines that are left stand in the text in their order."""
    at = 0
    for line in map(str.strip, left.split("\n")):
        at = text.find(line, at)
        if at < 0:
            return False
        at += len(line)
    return True


def _decided(output: Path) -> set[int]:
    """Hashes of the lines that a contestant removed because of what they are."""
    with output.with_name(f"{output.stem}.removed.jsonl").open("rb") as lines:
        rows: Iterable[dict[str, str]] = map(json.loads, lines)
        removed = [row["text"] for row in rows if row["kind"] in DECIDED]
    return {hash(line) for text in removed for line in fold(text)}


class _Rest:
    """What is left of a record's lines."""

    def __init__(self, before: list[str], after: list[str]) -> None:
        self._whole = set(after)
        self._parts = self._whole.difference(before, ("",))

    def __contains__(self, line: str) -> bool:
        return line in self._whole or any(
            part in line and 2 * len(part) >= len(line) for part in self._parts
        )
