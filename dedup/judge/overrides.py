"""A reviewer's decisions: what stays and what goes, whatever the rules say."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson

from dedup.config import Config
from dedup.errors import InputError, brief
from dedup.judge.verdicts import KEPT, OVERRIDE, Part, Verdicts
from dedup.records import U32, Bool, Counts
from dedup.text.blocks import token_hashes
from dedup.text.corpus import Corpus
from dedup.text.kernels import keys

EXAMPLE = '{"do": "keep", "text": "..."}'
KEY = re.compile(r"[0-9a-fA-F]{1,16}")
LONGEST = 1 << 26  # bytes of a line
NOWHERE = 1 << 40  # a place behind every text


class Decision(NamedTuple):
    """One line of a file of overrides.

    Attributes:
        line: its number, from 1.
        keep: whether what it names stays; it goes otherwise.
        keys: of the paragraphs it names, wherever they stand; empty if it names a record.
        id: the record it names, "" for none.
        start: a character of the paragraph of that record, None for the whole record.
    """

    line: int
    keep: bool
    keys: tuple[int, ...]
    id: str = ""
    start: int | None = None


def read(path: str | os.PathLike[str], seed: int = Config.seed) -> list[Decision]:
    """The decisions of a file of JSON lines.

    Each has "do": "keep" or "remove", and names what it is about: "text", a paragraph in any
    spelling; "key", the same as the report names it; or "id", a record, with "start" for the one
    paragraph of it that holds this character. A "note" is for people.

    Args:
        path: the file.
        seed: of the tokens' hashes. A key is one of these, and meets in runs of the seed of the
            run that named it.

    Raises:
        InputError: the file cannot be read, or a line is no decision; names the line.
    """
    name = os.fspath(path)
    found = []
    for number, line in enumerate(_lines(name), 1):
        if line.strip():
            try:
                found.append(_decision(number, orjson.loads(line), seed))
            except (orjson.JSONDecodeError, _NoDecision) as wrong:
                why = wrong if isinstance(wrong, _NoDecision) else "not JSON"
                raise InputError(f"{name}:{number}: {why}; try {EXAMPLE}") from None
    return found


def _lines(name: str) -> Iterator[bytes]:
    try:
        with Path(name).open("rb") as file:
            if file.peek(3).startswith(codecs.BOM_UTF8):
                file.read(3)
            while line := file.readline(LONGEST + 1):
                if len(line) > LONGEST:
                    raise InputError(f"{name}: a line of more than {LONGEST:,} bytes; "
                                     f"every line is a decision, such as {EXAMPLE}")  # fmt: skip
                yield line
    except OSError as error:
        raise InputError(f"{name}: {error.strerror or error}") from error


class _NoDecision(Exception):
    """A line that decides nothing; its argument is the rule it breaks."""


def _decision(line: int, row: Any, seed: int) -> Decision:
    if not isinstance(row, dict):
        raise _NoDecision("not an object")
    if row.get("do") not in ("keep", "remove"):
        raise _NoDecision(f"'do' is {brief(row.get('do'))}, neither 'keep' nor 'remove'")
    if unknown := sorted(row.keys() - {"do", "text", "key", "id", "start", "note"}):
        raise _NoDecision(f"{brief(unknown[0])} is not known here")
    named = [name for name in ("text", "key", "id") if name in row]
    if len(named) != 1:
        raise _NoDecision(f"names {' and '.join(named) or 'nothing'}, not one of text, key, id")
    keep, value, start = row["do"] == "keep", row[named[0]], row.get("start")
    if "start" in row and named != ["id"]:
        raise _NoDecision("'start' needs an 'id'")
    if named == ["id"]:
        if not isinstance(value, (str, int)) or isinstance(value, bool) or value == "":
            raise _NoDecision(f"'id' is {brief(value)}, no id")
        if "start" in row and (type(start) is not int or start < 0):
            raise _NoDecision(f"'start' is {brief(start)}, not a number of characters")
        return Decision(line, keep, (), str(value), start)
    if not isinstance(value, str):
        raise _NoDecision(f"{named[0]!r} is {brief(value)}, not a string")
    if named == ["text"]:
        found = tuple(key for part in value.splitlines() if (key := key_of(part, seed)))
        if not found:
            raise _NoDecision(f"'text' is {brief(value)}, without a word")
        return Decision(line, keep, found)
    if not KEY.fullmatch(value):
        raise _NoDecision(f"'key' is {brief(value)}, not up to 16 hexadecimal digits")
    return Decision(line, keep, (int(value, 16),))


def key_of(text: str, seed: int = Config.seed) -> int:
    """The key of a paragraph, 0 if it has no word; another one for another seed."""
    return _key(token_hashes([text], seed)[0])


class Overrides:
    """Decisions, and what they have met.

    Attributes:
        decisions: all of them.
        kept: paragraphs, and parts of some, that stay because of one.
        removed: paragraphs that go because of one.
    """

    def __init__(self, decisions: list[Decision]) -> None:
        self.decisions = decisions
        self.kept = 0
        self.removed = 0
        self._met: set[int] = set()
        self._spared: Bool = np.zeros(0, dtype=np.bool_)

    def tell(self, counts: Counts) -> None:
        """Count what they did."""
        if self.decisions:
            counts.overrides = {"kept": self.kept, "removed": self.removed}
            counts.unmet = [d.line for d in self.decisions if d.line not in self._met]

    def judge(self, corpus: Corpus, verdicts: Verdicts) -> None:
        """Decide about blocks before repetitions are looked for: who goes represents nobody.

        Where a line says keep and another remove, what both name stays.
        """
        if not self.decisions:
            return
        keep, remove = (self._named(corpus, kept) for kept in (True, False))
        going = remove & ~keep & (verdicts.rule == KEPT)
        verdicts.rule[going] = OVERRIDE
        self.removed = int(going.sum())
        self._spared = keep & (verdicts.rule != KEPT)
        verdicts.rule[keep] = KEPT

    def spare(self, corpus: Corpus, verdicts: Verdicts) -> None:
        """Take back what repetitions, and parts of blocks, a decision keeps."""
        if not self.decisions:
            return
        keep = self._named(corpus, True)
        taken = keep & (verdicts.rule != KEPT)
        verdicts.rule[taken], verdicts.match[taken], verdicts.similarity[taken] = KEPT, -1, np.nan
        wanted = {key: d.line for d in self.decisions if d.keep for key in d.keys}
        parts: list[Part] = []
        for part, key in zip(verdicts.parts, part_keys(corpus, verdicts.parts), strict=True):
            if key in wanted:
                self._met.add(wanted[key])
            if key not in wanted and not keep[part.block]:
                parts.append(part)
        self.kept = int((taken | self._spared).sum()) + len(verdicts.parts) - len(parts)
        verdicts.parts = parts

    def _named(self, corpus: Corpus, keep: bool) -> Bool:
        """bool[n]; the blocks of this run that decisions of one kind name."""
        n = corpus.n
        out = np.zeros(n, dtype=np.bool_)
        chosen = [d for d in self.decisions if d.keep == keep]
        self._mark_keys(corpus, [d for d in chosen if d.keys], out)
        by_id: dict[str, list[Decision]] = {}
        for decision in chosen:
            if decision.id:
                by_id.setdefault(decision.id, []).append(decision)
        records: dict[str, list[int]] = {}
        for number, id_ in enumerate(corpus.ids) if by_id else ():
            if id_ in by_id:
                records.setdefault(id_, []).append(number)
        for id_, numbers in records.items():
            self._mark_places(corpus, by_id[id_], numbers, out)
        out[: corpus.seen] = False  # what earlier runs wrote is written
        return out

    def _mark_keys(self, corpus: Corpus, decisions: list[Decision], out: Bool) -> None:
        """Mark the blocks of some keys."""
        if not decisions:
            return
        n, blocks = corpus.n, corpus.blocks
        key = np.zeros(n, dtype=np.uint64)
        keys(blocks.tokens, blocks.pointer[: n + 1], key)
        named = np.array([k for d in decisions for k in d.keys], dtype=np.uint64)
        line = np.repeat([d.line for d in decisions], [len(d.keys) for d in decisions])
        out |= np.isin(key, named, kind="sort")
        self._met.update(line[np.isin(named, key, kind="sort")].tolist())

    def _mark_places(
        self, corpus: Corpus, decisions: list[Decision], numbers: list[int], out: Bool
    ) -> None:
        """Mark the blocks that decisions about one id name in the records that have it."""
        blocks = corpus.blocks
        whole = [d.line for d in decisions if d.start is None]
        placed = sorted((d.start, d.line) for d in decisions if d.start is not None)
        # Python's own numbers: a place may be any.
        starts = np.array([min(start, NOWHERE) for start, _ in placed], dtype=np.int64)
        met = np.zeros(starts.size + 1, dtype=np.int64)
        for number in numbers:
            at = slice(int(corpus.first[number]), int(corpus.first[number + 1]))
            begin, end = np.searchsorted(starts, (blocks.start[at], blocks.end[at]))
            out[at] |= bool(whole) | (begin < end)
            np.add.at(met, begin, 1)
            np.add.at(met, end, -1)
        if any(corpus.first[number] < corpus.first[number + 1] for number in numbers):
            self._met.update(whole)
        found = np.cumsum(met[:-1]) > 0
        self._met.update(line for (_, line), here in zip(placed, found, strict=True) if here)


def part_keys(corpus: Corpus, parts: list[Part]) -> list[int]:
    """The keys of parts of blocks, as if each were a block of its own."""
    at = [int(corpus.blocks.pointer[part.block]) + part.first for part in parts]
    return [
        _key(corpus.blocks.tokens[begin : begin + part.tokens])
        for begin, part in zip(at, parts, strict=True)
    ]


def block_key(corpus: Corpus, block: int) -> int:
    """The key of a block."""
    begin, end = corpus.blocks.pointer[block : block + 2].tolist()
    return _key(corpus.blocks.tokens[begin:end])


def _key(tokens: U32) -> int:
    # Not the key that groups go by: of a part of a block only these hashes are known.
    out = np.zeros(1, dtype=np.uint64)
    keys(tokens, np.array([0, tokens.size]), out)
    return int(out[0])
