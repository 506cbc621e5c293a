"""Blocks of many texts at once, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.records import I32, I64, U8, U16, U32, U64, Strings
from dedup.text import kernels, utf8, wrapping
from dedup.text.arabic import fold, fold_table, sign_table
from dedup.text.digest import digests

USUAL = 5  # bytes a token, hardly ever fewer: memory that nobody writes to has its price, too


class Blocks(NamedTuple):
    """The blocks of some records, in order.

    Attributes:
        record: int32[n]; index of the record that a block stands in.
        start: int32[n]; its first character in the record's text.
        end: int32[n]; the character after its last.
        key: uint64[n]; hash of its folded form, 0 when it has no letter and no number.
        pointer: int64[n + 1]; where its tokens begin.
        tokens: uint32; hashes of folded tokens.
        shape: uint16[n]; bits of `dedup.text.kernels`.
        lead: uint8[n]; tokens before the first separating mark, 0 for none.
        tail: uint8[n]; tokens behind the last stop inside, 0 for none.
        content: uint8[n]; meaningful stems of a heading-like block.
        echo: uint8[n]; how many of them stand in the prose right after it.
        cut: int64; the first token of each sentence but a block's first; empty if sentences are
            not wanted.
        cut_start: int32; the first character of these sentences in their records' texts.
    """

    record: I32
    start: I32
    end: I32
    key: U64
    pointer: I64
    tokens: U32
    shape: U16
    lead: U8
    tail: U8
    content: U8
    echo: U8
    cut: I64
    cut_start: I32

    def length(self) -> I64:
        """int64[n]; tokens of each block."""
        return np.diff(self.pointer)

    def wordings(self, block: int) -> list[tuple[int, ...]]:
        """A line's wording: whole, and what stands before and after its separating mark."""
        at, end = int(self.pointer[block]), int(self.pointer[block + 1])
        tokens = tuple(self.tokens[at:end].tolist())
        lead = int(self.lead[block])
        if not 0 < lead < len(tokens):
            return [(0, *tokens)]
        return [(0, *tokens), (1, *tokens[:lead]), (2, *tokens[lead:])]

    def headings(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """bool[n]; blocks that look like a headline or a subheading."""
        length = self.length()
        prose = (self.shape & (kernels.STOP | kernels.SENTENCES)) != 0
        return np.asarray((length > 0) & (length <= 24) & ~prose)


class Scan(NamedTuple):
    """What some texts hold.

    Attributes:
        blocks: their blocks; `record` counts the texts from 0.
        residue: uint8[n]; 1 where a line between a block and the next one of its text holds
            something that shows nothing, such as an embedded widget leaves behind.
        chars: int32; characters of each text.
        digest: uint64; of each text, as it came.
    """

    blocks: Blocks
    residue: U8
    chars: I32
    digest: U64


def scan(
    texts: Strings,
    common: U32,
    lines: bool = True,
    sentences: bool = False,
    seed: int = Config.seed,
) -> Scan:
    """Cut texts into blocks and fold them.

    Args:
        texts: any texts.
        common: uint32, sorted; stems of function words, which carry no topic.
        lines: whether each line is a block, or each paragraph where those are wrapped; a text with
            something visible is one block otherwise.
        sentences: whether it is noted where sentences begin.
        seed: of the tokens' hashes.
    """
    buf, starts = _utf8(texts)
    digest = digests(buf, starts)
    if not buf.size:
        return _nothing(digest)
    if lines:
        _unwrap(buf, starts)
    room = int(kernels.count_newlines(buf)) + starts.size - 1
    record, start, end = (np.empty(room, dtype=np.int32) for _ in range(3))
    byte_start, byte_end = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    residue, chars = np.empty(room, dtype=np.uint8), np.empty(starts.size - 1, dtype=np.int32)
    n = kernels.cut_blocks(
        buf, starts, sign_table(), lines, record, byte_start, byte_end, start, end, residue, chars
    )
    record, start, end, residue = record[:n], start[:n], end[:n], residue[:n]
    byte_start, byte_end = byte_start[:n], byte_end[:n]
    found = _fold(buf, byte_start, byte_end, stemmed=False, sentences=sentences, seed=seed)
    cut_start = np.empty(found.cut.size, dtype=np.int32)
    of = np.searchsorted(found.pointer, found.cut, side="right") - 1
    kernels.characters(buf, byte_start, start, found.cut_byte, of, cut_start)
    near = np.empty(n, dtype=np.bool_)
    kernels.near_headings(record, found.pointer, found.shape, near)
    stemmed = _fold(buf, byte_start[near], byte_end[near], stemmed=True)
    content, echo = np.empty(n, dtype=np.uint8), np.empty(n, dtype=np.uint8)
    kernels.echoes(
        record, found.pointer, found.shape, np.cumsum(near) - 1, stemmed.pointer, stemmed.stems,
        common, content, echo,
    )  # fmt: skip
    blocks = Blocks(
        record, start, end, found.key, found.pointer, found.tokens, found.shape, found.lead,
        found.tail, content, echo, found.cut, cut_start,
    )  # fmt: skip
    return Scan(blocks, residue, chars, digest)


def digests_of(texts: Iterable[str]) -> U64:
    """uint64[n]; the digest of each text."""
    return digests(*_utf8(Strings.of(texts)))


def unwrapped(text: str) -> str:
    """A text with a space for every break that wrapping made: of the same length."""
    buf, starts = _utf8(Strings.of([text]))
    _unwrap(buf, starts)
    return bytes(buf).decode()


def _unwrap(buf: U8, starts: I64) -> None:
    wrapping.unwrap(buf, starts, np.empty(wrapping.WIDEST + 2, dtype=np.int64))


def _nothing(digest: U64) -> Scan:
    """What n empty texts hold, whose digests are uint64[n]."""
    small, place = np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.int32)
    blocks = Blocks(
        record=place, start=place, end=place, key=np.zeros(0, dtype=np.uint64),
        pointer=np.zeros(1, dtype=np.int64), tokens=np.zeros(0, dtype=np.uint32),
        shape=np.zeros(0, dtype=np.uint16), lead=small, tail=small, content=small, echo=small,
        cut=np.zeros(0, dtype=np.int64), cut_start=place,
    )  # fmt: skip
    return Scan(blocks, small, np.zeros(digest.size, dtype=np.int32), digest)


def stems(texts: Sequence[str]) -> list[U32]:
    """uint32; hashes of the rough stems of each text's tokens, 0 for tokens too short."""
    buf, starts = _utf8(Strings.of(texts))
    found = _fold(buf, starts[:-1], starts[1:], stemmed=True)
    return _parts(found.stems, found.pointer)


def stems_of(text: str, blocks: Blocks) -> list[U32]:
    """The stems of each block of a text."""
    places = zip(blocks.start.tolist(), blocks.end.tolist(), strict=True)
    return stems([text[start:end] for start, end in places])


def token_hashes(texts: Sequence[str], seed: int = Config.seed) -> list[U32]:
    """uint32; hashes of the folded tokens of each text."""
    buf, starts = _utf8(Strings.of(texts))
    found = _fold(buf, starts[:-1], starts[1:], stemmed=False, seed=seed)
    return _parts(found.tokens, found.pointer)


def tokens_of(tokens: U32, pointer: I64, which: I64) -> tuple[I64, U32]:
    """Where the tokens of some blocks begin when they stand one after the other, and they."""
    begins = pointer_of(pointer[which + 1] - pointer[which])
    out = np.empty(int(begins[-1]), dtype=np.uint32)
    kernels.gather(tokens, pointer, which, out)
    return begins, out


def pointer_of(length: I64 | I32 | U32) -> I64:
    """int64[n + 1]; where each of n runs begins, given their lengths, and the end of the last."""
    out = np.zeros(length.size + 1, dtype=np.int64)
    np.cumsum(length, out=out[1:])
    return out


def _parts(values: U32, pointer: I64) -> list[U32]:
    return [values[a:b] for a, b in pairwise(pointer.tolist())]


def _utf8(texts: Strings) -> tuple[U8, I64]:
    """Texts as UTF-8, one after the other, and where each begins."""
    buf = np.frombuffer(texts.data, dtype=np.uint8)
    size = texts.end - texts.start
    if not texts.quoted:
        return buf.copy(), pointer_of(size)  # writable as the other: kernels take one kind only
    out, starts = np.empty(int(size.sum()), np.uint8), np.empty(size.size + 1, dtype=np.int64)
    return out[: utf8.unescape(buf, texts.start, texts.end, out, starts)], starts


class _Folding(NamedTuple):
    tokens: U32
    stems: U32
    pointer: I64
    key: U64
    shape: U16
    lead: U8
    tail: U8
    cut: I64
    cut_byte: I64


@lru_cache(maxsize=4)
def _salt(seed: int) -> U64:
    """uint64[2]; what tokens are hashed with.

    Whoever does not know the seed cannot make up words that hash like others.
    """
    drawn = np.random.RandomState(seed).randint(0, 1 << 64, 2, dtype=np.uint64)
    return drawn | np.array([0, 1], dtype=np.uint64)


def _fold(
    buf: U8,
    start: I64,
    end: I64,
    stemmed: bool,
    sentences: bool = False,
    seed: int = Config.seed,
) -> _Folding:
    """Fold blocks; what the kernel leaves to `fold` is folded by it, as one sentence."""
    found = _run(buf, start, end, stemmed, sentences, folded=False, salt=_salt(seed))
    late = np.flatnonzero(found.shape & kernels.DEFERRED)
    if not late.size:
        return found
    texts = (fold(bytes(buf[start[b] : end[b]]).decode()) for b in late)
    joined, starts = _utf8(Strings.of(texts))
    again = _run(joined, starts[:-1], starts[1:], stemmed, False, folded=True, salt=_salt(seed))
    return _replace(found, late, again)


def _run(
    buf: U8, start: I64, end: I64, stemmed: bool, sentences: bool, folded: bool, salt: U64
) -> _Folding:
    n, length = start.size, end - start
    size, longest = int(length.sum()), int(length.max(initial=0))
    pointer, key = np.empty(n + 1, dtype=np.int64), np.empty(n, dtype=np.uint64)
    shape = np.empty(n, dtype=np.uint16)
    lead, tail = np.empty(n, dtype=np.uint8), np.empty(n, dtype=np.uint8)
    table = fold_table()
    for room in (size // USUAL + longest * 4 // 3 + 2, size * 4 // 3 + 2 * n):
        tokens, stems = (np.empty(r, dtype=np.uint32) for r in (room, room if stemmed else 0))
        cut, cut_byte = (np.empty(room // 2 if sentences else 0, np.int64) for _ in range(2))
        total, cuts = kernels.fold_blocks(
            buf, start, end, table.action, table.extra, table.plain, sign_table(), folded, salt,
            np.empty(kernels.WORD, dtype=np.int32), tokens, stems, pointer, key, shape, lead, tail,
            cut, cut_byte,
        )  # fmt: skip
        if total >= 0:
            break
    return _Folding(
        tokens[:total], stems[:total], pointer, key, shape, lead, tail, cut[:cuts], cut_byte[:cuts]
    )


def _replace(folding: _Folding, which: I64, other: _Folding) -> _Folding:
    """The folding with the tokens and keys of some blocks taken from another one."""
    length = np.diff(folding.pointer)
    length[which] = np.diff(other.pointer)
    pointer = pointer_of(length)
    keep = np.ones(length.size, dtype=np.bool_)
    keep[which] = False
    old, new = np.repeat(keep, np.diff(folding.pointer)), np.repeat(keep, length)

    def merged(mine: U32, theirs: U32) -> U32:
        if not mine.size and not theirs.size:
            return mine
        out = np.empty(pointer[-1], dtype=np.uint32)
        out[new], out[~new] = mine[old], theirs
        return out

    key = folding.key.copy()
    key[which] = other.key
    of = np.searchsorted(folding.pointer, folding.cut, side="right") - 1
    whole = keep[of]
    return folding._replace(
        cut=(folding.cut - folding.pointer[of] + pointer[of])[whole],
        cut_byte=folding.cut_byte[whole],
        tokens=merged(folding.tokens, other.tokens),
        stems=merged(folding.stems, other.stems),
        pointer=pointer,
        key=key,
    )
