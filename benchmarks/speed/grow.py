"""Large inputs from a given one, and inputs of a kind that breaks careless programs.

    python grow.py vary IN.jsonl OUT.jsonl --times 10 [--seed N]
    python grow.py copies IN.jsonl OUT.jsonl --times 10
    python grow.py equal-lines|one-word|bucket|crowd OUT.jsonl [--count N] [--seed N]

The same input, options and seed give the same bytes. Little is held in memory: of the input a
sample of its words and the hashes of its lines, of the output nothing.

`vary` writes the input and then varied copies of it, until there are `--times` as many records (may
be under one: the first records of the input). In a varied copy half of the words are replaced:
which ones and by which is a function of the copy and of the word, in every text alike, and the
replacement is drawn from the input's own words, frequent ones more often. So

- near-duplicates within a copy stay what they are, and lines that name another record's title
  still do: the share of duplicates is that of the input;
- a paragraph and its variant share about one 3-gram in eight, a similarity of 0.07: copies are no
  near-duplicates of each other;
- lines that stand ten times or more in the input stay as they are: an outlet's furniture does not
  change with its articles. Short lines of it that are rare vary like others.

Ids get the number of the copy, and so do addresses. When this was written, `dedup clean` took
39,927 spans from 110 MB of news, 39,705 from a varied copy alone, and 79,770 from the two together.

`copies` writes equal copies with new ids, and nothing else changed.

The others need no input; texts are made of the words in lexicon.py, a hundred lines a record:

- `equal-lines`: one short line, a million times (`--count`).
- `one-word`: one line of 30 words, a million times, with another word in one place each time.
- `bucket`: a line of 200 words, 100,000 times, the last word another each time: all are
  near-duplicates of all (similarity 0.99) and meet in every bucket but a few.
- `crowd`: 75 words the same and 25 words new, 20,000 times: no two are near-duplicates at 0.7
  (similarity 0.59), but a third of them or more meets in one bucket of every band of four.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import orjson
from lexicon import CLASSES
from peers.paragraphs import words

SEED = 1
REPLACED = 0.5  # of the words
FURNITURE = 10  # times that a line stands in the input
SAMPLE = 1 << 16  # words to draw from
CACHE = 1 << 18  # words
FIELDS = ("text", "title", "abstract")
ADDRESSES = ("url", "link")
LINES = 100  # in a record of a made input
COUNTS = {"equal-lines": 1_000_000, "one-word": 1_000_000, "bucket": 100_000, "crowd": 20_000}
_WORD = re.compile(r"([^\W_]+)")

Record = dict[str, Any]


class Variation:
    """Varies the records of one input; `furniture` and `sample` are what it knows of it."""

    def __init__(self, source: Path, seed: int) -> None:
        self._seed = seed
        self._furniture, self._sample = _survey(source, seed)
        self._copy = 0
        self._known: dict[str, str] = {}

    def __call__(self, record: Record, copy: int) -> Record:
        """A record as it stands in a copy."""
        if copy != self._copy:
            self._copy, self._known = copy, {}
        varied = {**record, "id": f"{record['id']}~{copy}"}
        for name in FIELDS:
            if isinstance(record.get(name), str):
                varied[name] = "\n".join(map(self._line, record[name].split("\n")))
        for name in ADDRESSES:
            if isinstance(record.get(name), str):
                varied[name] = f"{record[name]}?copy={copy}"
        return varied

    def _line(self, line: str) -> str:
        if hash_of(line) in self._furniture:
            return line
        pieces = _WORD.split(line)
        pieces[1::2] = [self._known.get(word) or self._vary(word) for word in pieces[1::2]]
        return "".join(pieces)

    def _vary(self, word: str) -> str:
        """What this copy has for a word; for its spellings the same."""
        fold = "".join(words(word)[0])
        number = hash_of(f"{self._seed} {self._copy} {fold}")
        kept = number % 1000 >= 1000 * REPLACED
        varied = word if kept else self._sample[(number >> 10) % len(self._sample)]
        if len(self._known) == CACHE:
            self._known.clear()
        self._known[word] = varied
        return varied


def hash_of(text: str) -> int:
    """64 bits that do not depend on the process."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def vary(source: Path, seed: int) -> Iterator[Record]:
    """The records of an input and of varied copies of it, without end."""
    yield from _records(source)
    variation = Variation(source, seed)
    for copy in count(1):
        for record in _records(source):
            yield variation(record, copy)


def copies(source: Path) -> Iterator[Record]:
    """The records of an input and of equal copies of it, without end."""
    for copy in count():
        for record in _records(source):
            yield {**record, "id": f"{record['id']}~{copy}"} if copy else record


def equal_lines(_: random.Random) -> Iterator[str]:
    """One short line."""
    line = " ".join(CLASSES["N"][:4])
    while True:
        yield line


def one_word(draw: random.Random) -> Iterator[str]:
    """One line of 30 words with another word in one place."""
    line = _draw_words(draw, 30)
    for number in count():
        place = draw.randrange(len(line))
        yield " ".join([*line[:place], _new_word(number), *line[place + 1 :]])


def bucket(draw: random.Random) -> Iterator[str]:
    """One line of 200 words with another last word."""
    line = " ".join(_draw_words(draw, 199))
    for number in count():
        yield f"{line} {_new_word(number)}"


def crowd(draw: random.Random) -> Iterator[str]:
    """75 words the same, 25 new."""
    line = " ".join(_draw_words(draw, 75))
    for number in count(step=25):
        yield " ".join([line, *map(_new_word, range(number, number + 25))])


MADE: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "equal-lines": equal_lines,
    "one-word": one_word,
    "bucket": bucket,
    "crowd": crowd,
}


def write_times(source: Path, target: Path, kind: str, times: float, seed: int = SEED) -> None:
    """Write `times` as many records as the input has, varied or equal."""
    grown = vary(source, seed) if kind == "vary" else copies(source)
    with source.open("rb") as lines:
        wanted = round(times * sum(1 for _ in lines))
    with target.open("wb") as out:
        for record in islice(grown, wanted):
            out.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def write_made(target: Path, kind: str, number: int, seed: int = SEED) -> None:
    """Write an input of so many lines."""
    lines = MADE[kind](random.Random(seed))
    with target.open("wb") as out:
        for start in range(0, number, LINES):
            text = "\n".join(next(lines) for _ in range(min(LINES, number - start)))
            record = {"id": f"{kind}-{start // LINES}", "source": "made", "text": text}
            out.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def _survey(source: Path, seed: int) -> tuple[frozenset[int], list[str]]:
    """Hashes of the lines that stand often in an input, and a sample of its words."""
    draw = random.Random(seed)
    lines: Counter[int] = Counter()
    sample: list[str] = []
    seen = 0
    for record in _records(source):
        for line in record["text"].split("\n"):
            lines[hash_of(line)] += 1
        found = _WORD.findall(record["text"])
        for word in draw.sample(found, min(len(found), 8)):  # Vitter's algorithm R, from some words
            seen += 1
            if len(sample) < SAMPLE:
                sample.append(word)
            elif (place := draw.randrange(seen)) < SAMPLE:
                sample[place] = word
    if not sample:
        raise SystemExit(f"{source}: no words in any text")
    return frozenset(key for key, times in lines.items() if times >= FURNITURE), sample


def _records(source: Path) -> Iterator[Record]:
    with source.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def _draw_words(draw: random.Random, number: int) -> list[str]:
    return draw.choices([word for group in CLASSES.values() for word in group], k=number)


def _new_word(number: int) -> str:
    """A word of Arabic letters for a number; no lexicon has it."""
    letters = "بتثجحخدذرزسشصضطظعغفقكلمنه"
    word = "ظ"
    while True:
        number, place = divmod(number, len(letters))
        word += letters[place]
        if not number:
            return word + "ظ"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind in ("vary", "copies"):
        grown = kinds.add_parser(kind)
        grown.add_argument("source", type=Path, metavar="IN")
        grown.add_argument("target", type=Path, metavar="OUT")
        grown.add_argument(
            "--times", type=float, default=10, metavar="N", help="of the input's records"
        )
        grown.add_argument("--seed", type=int, default=SEED)
    for kind, number in COUNTS.items():
        made = kinds.add_parser(kind)
        made.add_argument("target", type=Path, metavar="OUT")
        made.add_argument("--count", type=int, default=number, metavar="N", help="lines")
        made.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    if args.kind in MADE:
        write_made(args.target, args.kind, args.count, args.seed)
    else:
        write_times(args.source, args.target, args.kind, args.times, args.seed)


if __name__ == "__main__":
    main()
