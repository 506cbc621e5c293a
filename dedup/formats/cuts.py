"""What goes of each record's text, as spans of characters and as columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np

from dedup import __version__
from dedup.formats import kernels
from dedup.formats.row import Row, Rows
from dedup.judge.evidence import Evidence
from dedup.judge.verdicts import KEPT, RULES, Reasons, Verdicts
from dedup.records import I64, KINDS, U8, Bool, Buffer
from dedup.text.arabic import part_span
from dedup.text.corpus import Corpus

RowsOf: TypeAlias = Callable[[Bool], Iterator[Rows]]
"""Gives the rows of this run's records, told which are looked into."""

STAYS, BLANK = 0, 1 + KINDS.index("blank")
_KIND = np.array([STAYS, *(1 + KINDS.index(rule.kind) for rule in RULES.values())], dtype=np.uint8)
# A line that shows nothing yet holds something: what an embedded widget leaves behind.
_INVISIBLE = re.compile(
    r"(?<=[\n\r\u2028\u2029])[ \t]*"
    r"[\xa0\xad\u061c\u1680\u2000-\u200f\u202a-\u202f\u205f-\u2069\u3000\ufeff]"
)


class Judged(NamedTuple):
    """What is known of all records when they are written.

    Attributes:
        corpus: all records.
        stories: int64[records]; the leading record of each record's story.
        names: id of the story that each record leads.
        sizes: int64[records]; how many records tell it.
        evidence: of all blocks.
        verdicts: on all blocks.
        run_id: what all files of this run have in common, None for records of a stream.
        suspicious: of `judge.kept`, None if nobody asks.
    """

    corpus: Corpus
    stories: I64
    names: Sequence[str]
    sizes: I64
    evidence: Evidence
    verdicts: Verdicts
    run_id: str | None = None
    suspicious: U8 | None = None


def named(judged: Judged) -> Judged:
    """The same with the id of this run: a digest of what came in and of what goes.

    The same input gives the same id on any machine, and files of two runs are told apart by it.
    """
    corpus, verdicts = judged.corpus, judged.verdicts
    seen, n = len(corpus.runs), corpus.seen  # what earlier runs saw is not this one's
    parts = [(p.block - n, p.first, p.tokens, p.rule) for p in verdicts.parts]
    told: list[Buffer] = [
        f"{__version__} {parts}".encode(),
        corpus.digest[seen:].tobytes(),
        verdicts.rule[n:].tobytes(),
        judged.sizes[judged.stories[seen:]].tobytes(),
        "\0".join(corpus.ids[seen:]).encode("utf-8", "surrogatepass"),
    ]
    digest = hashlib.blake2b(digest_size=8)
    for data in told:
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return judged._replace(run_id=digest.hexdigest())


class Cuts(NamedTuple):
    """The spans that go of some rows, in order.

    One begins at a removed block's first character and takes the white space behind it; white space
    left at either end of a text, and invisible lines between blocks that stay, are spans of white
    space.

    Attributes:
        first: int64[rows + 1]; where each row's spans begin.
        start: int64[k]; the first character in the row's original text.
        end: int64[k]; the character after the last.
        kind: uint8[k]; 1 more than the index into `KINDS`.
        whole: bool[k]; whether it holds a whole block.
        block: int64[k]; the block that it holds or is a part of, -1 for white space.
        part: int64[k]; index into the verdicts' parts, -1 for what is none.
    """

    first: I64
    start: I64
    end: I64
    kind: U8
    whole: Bool
    block: I64
    part: I64

    @classmethod
    def none(cls, rows: int) -> Cuts:
        """Nothing goes."""
        number, kind = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8)
        first, whole = np.zeros(rows + 1, dtype=np.int64), np.zeros(0, dtype=np.bool_)
        return cls(first, number, number, kind, whole, number, number)

    @property
    def row(self) -> I64:
        """int64[k]; the row that each is of."""
        return np.repeat(np.arange(self.first.size - 1), np.diff(self.first))

    def some(self, which: slice) -> Cuts:
        """Some of them, one after the other, of the same rows."""
        first = np.clip(self.first, which.start, which.stop) - which.start
        _, start, end, kind, whole, block, part = self
        return Cuts(
            first, start[which], end[which], kind[which], whole[which], block[which], part[which]
        )

    def kinds(self) -> list[str]:
        """The kind of each."""
        return [KINDS[kind - 1] for kind in self.kind.tolist()]

    def whole_blocks(self) -> I64:
        """int64[rows]; how many blocks go whole."""
        return np.bincount(self.row[self.whole], minlength=self.first.size - 1)

    def reasons(self, judged: Judged) -> Reasons:
        """Why each goes."""
        return judged.verdicts.reasons(judged.corpus, judged.evidence, self.block, self.part)


class _Extra(NamedTuple):
    """A span that goes of a block that stays, or behind it."""

    block: int
    start: int
    end: int
    kind: int
    part: int = -1


def batches(judged: Judged, rows: RowsOf, read: bool = False) -> Iterator[tuple[int, Rows, Bool]]:
    """The records of this run, some at a time: the number of the first of them, their rows, and
    of which something goes, or may.

    Args:
        judged: all that is known.
        rows: gives their rows.
        read: whether all texts are looked into, not only those of which something goes.
    """
    base = len(judged.corpus.runs)
    touched = _touched(judged)
    wanted = np.ones_like(touched) if read or judged.suspicious is not None else touched
    for batch in rows(wanted[base:]):
        yield base, batch, touched[base : base + batch.size]
        base += batch.size


def _touched(judged: Judged) -> Bool:
    """bool[records]; those of which something goes, or may."""
    corpus, verdicts = judged.corpus, judged.verdicts
    touched = np.zeros(corpus.records, dtype=np.bool_)
    of = corpus.record_of()
    touched[of[(verdicts.rule != KEPT) | (corpus.residue != 0)]] = True
    touched[of[[part.block for part in verdicts.parts]]] = True
    return touched


def cuts_of(judged: Judged, base: int, batch: Rows, touched: Bool) -> Cuts:
    """What goes of the rows of a batch, of `batches`."""
    if not touched.any():
        return Cuts.none(batch.size)
    corpus, verdicts = judged.corpus, judged.verdicts
    bounds = corpus.first[base : base + batch.size + 1]
    begin, stop = int(bounds[0]), int(bounds[-1])
    first, blocks = bounds - begin, corpus.blocks
    kind = _KIND[verdicts.rule[begin:stop]]
    numbers = verdicts.numbers_of_parts(begin, stop)
    length = corpus.chars[base : base + batch.size].astype(np.int64)
    row = lru_cache(maxsize=1)(batch.row)  # a text is decoded once
    extra, whole = _parts(corpus, verdicts, numbers, base, row)
    rest = np.full(stop - begin, -1, dtype=np.int64)  # the part that is the rest of a block
    for block, number in whole.items():
        kind[block - begin] = _KIND[verdicts.parts[number].rule]
        rest[block - begin] = number
    extra += _invisible(corpus, base, kind, touched, length, row)
    extra.sort(key=lambda one: one[:2])
    columns = list(zip(*extra, strict=True)) or [()] * len(_Extra._fields)
    extra_block, extra_start, extra_end, part = (
        np.array(columns[at], dtype=np.int64) for at in (0, 1, 2, 4)
    )
    room = kind.size + len(extra) + 2 * batch.size
    cut_start, cut_end, cut_block, cut_extra = (np.empty(room, dtype=np.int64) for _ in range(4))
    cut_kind, cut_first = np.empty(room, dtype=np.uint8), np.empty(first.size, dtype=np.int64)
    n = kernels.cuts(
        first, length, blocks.start[begin:stop], blocks.end[begin:stop], kind, extra_block - begin,
        extra_start, extra_end, np.array(columns[3], dtype=np.uint8), BLANK, cut_first, cut_start,
        cut_end, cut_kind, cut_block, cut_extra,
    )  # fmt: skip
    found, at = cut_block[:n], cut_extra[:n]
    goes = (found >= 0) & (at < 0)
    cut_part = np.append(part, -1)[at]
    cut_part[goes] = rest[found[goes]]
    found[found >= 0] += begin
    return Cuts(cut_first, cut_start[:n], cut_end[:n], cut_kind[:n], goes, found, cut_part)


def _parts(
    corpus: Corpus, verdicts: Verdicts, numbers: Iterable[int], base: int,
    row: Callable[[int], Row],
) -> tuple[list[_Extra], dict[int, int]]:  # fmt: skip
    """The spans of parts that go, and of each block that its parts leave nothing of, the last one.

    That one's span is not among them: it is the rest of the block.
    """
    blocks = corpus.blocks
    extra: list[_Extra] = []
    whole: dict[int, int] = {}
    for block, some in groupby(numbers, lambda number: verdicts.parts[number].block):
        if verdicts.rule[block] != KEPT:
            continue
        mine = list(some)
        covered = 0  # tokens, from the first on
        for part in (verdicts.parts[number] for number in mine):
            if part.first <= covered:
                covered = max(covered, part.first + part.tokens)
        if covered >= blocks.pointer[block + 1] - blocks.pointer[block]:
            whole[block] = mine.pop()
        text = row(int(blocks.record[block]) - base).text if mine else ""
        start, end = int(blocks.start[block]), int(blocks.end[block])
        for number in mine:
            part = verdicts.parts[number]
            at, stop = part.span or part_span(text, start, end, part.tokens, part.first > 0)
            while block not in whole and stop == end and text[at - 1].isspace():
                at -= 1
            extra.append(_Extra(block, at, stop, int(_KIND[part.rule]), number))
    return extra, whole


def _invisible(
    corpus: Corpus, base: int, kind: U8, touched: Bool, length: I64, row: Callable[[int], Row]
) -> Iterator[_Extra]:
    """Invisible lines behind blocks that stay, as far as the next block or the text's end."""
    bounds = corpus.first[base : base + touched.size + 1]
    begin, stop = int(bounds[0]), int(bounds[-1])
    blocks = corpus.blocks
    of = blocks.record[begin:stop] - base
    last = np.zeros(stop - begin, dtype=np.bool_)
    last[(bounds[1:] - 1 - begin)[bounds[1:] > bounds[:-1]]] = True
    end = np.append(blocks.start[begin:stop], 0)[1:].astype(np.int64)
    end[last] = length[of[last]]
    cut = np.zeros(touched.size, dtype=np.bool_)
    cut[of[kind != STAYS]] = True
    behind = last & ~cut[of] & (end - blocks.end[begin:stop] >= 2)
    found = (kind == STAYS) & touched[of] & ((corpus.residue[begin:stop] != 0) | behind)
    for block in np.flatnonzero(found).tolist():
        text = row(int(of[block])).text
        if line := _INVISIBLE.search(text, int(blocks.end[begin + block]), int(end[block])):
            yield _Extra(begin + block, line.start(), int(end[block]), BLANK)
