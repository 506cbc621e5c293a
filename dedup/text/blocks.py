"""Blocks of many texts at once, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dedup.records import I32, I64, U8, U16, U32, U64
from dedup.text import kernels
from dedup.text.arabic import FoldTable, fold, fold_table, sign_table


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
        content: uint8[n]; meaningful stems of a heading-like block.
        echo: uint8[n]; how many of them stand in the prose right after it.
    """

    record: I32
    start: I32
    end: I32
    key: U64
    pointer: I64
    tokens: U32
    shape: U16
    lead: U8
    content: U8
    echo: U8

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
    """Blocks and the stems of their tokens (uint32, parallel to `blocks.tokens`)."""

    blocks: Blocks
    stems: U32


def scan(texts: Sequence[str], common: U32) -> Scan:
    """Cut texts into blocks and fold them.

    Args:
        texts: any strings without lone surrogates.
        common: uint32, sorted; stems of function words, which carry no topic.

    Returns:
        The blocks; `record` counts the texts from 0.
    """
    encoded = [text.encode() for text in texts]
    starts = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=starts[1:])
    buf = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    room = int(kernels.count_newlines(buf)) + len(encoded)
    record, start, end = (np.empty(room, dtype=np.int32) for _ in range(3))
    byte_start, byte_end = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    n = kernels.cut_blocks(buf, starts, sign_table(), record, byte_start, byte_end, start, end)
    record, start, end = record[:n].copy(), start[:n].copy(), end[:n].copy()
    byte_start, byte_end = byte_start[:n], byte_end[:n]

    table = fold_table()
    folding = _fold(buf, byte_start, byte_end, table, folded=False)
    late = np.flatnonzero(folding.shape & kernels.DEFERRED)
    if late.size:
        spans = [bytes(buf[byte_start[b] : byte_end[b]]).decode() for b in late]
        folding = _replace(folding, late, _fold_texts([fold(span) for span in spans], table))

    content, echo = np.empty(n, dtype=np.uint8), np.empty(n, dtype=np.uint8)
    kernels.echoes(record, folding.pointer, folding.stems, folding.shape, common, content, echo)
    blocks = Blocks(
        record, start, end, folding.key, folding.pointer, folding.tokens, folding.shape,
        folding.lead, content, echo,
    )  # fmt: skip
    return Scan(blocks, folding.stems)


class _Folding(NamedTuple):
    tokens: U32
    stems: U32
    pointer: I64
    key: U64
    shape: U16
    lead: U8


def _fold(buf: U8, start: I64, end: I64, table: FoldTable, folded: bool) -> _Folding:
    n = start.size
    # A token takes two bytes at least, its separator included; an expansion takes three bytes
    # for four tokens at most.
    room = int((end - start).sum()) * 4 // 3 + n + 1
    tokens, stems = np.empty(room, dtype=np.uint32), np.empty(room, dtype=np.uint32)
    pointer, key = np.empty(n + 1, dtype=np.int64), np.empty(n, dtype=np.uint64)
    shape, lead = np.empty(n, dtype=np.uint16), np.empty(n, dtype=np.uint8)
    total = kernels.fold_blocks(
        buf,
        start,
        end,
        table.action,
        table.extra,
        sign_table(),
        folded,
        np.empty(64, dtype=np.int32),
        tokens,
        stems,
        pointer,
        key,
        shape,
        lead,
    )
    return _Folding(tokens[:total].copy(), stems[:total].copy(), pointer, key, shape, lead)


def _fold_texts(texts: list[str], table: FoldTable) -> _Folding:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1]))
    return _fold(np.frombuffer(b"".join(encoded), dtype=np.uint8), starts, ends, table, folded=True)


def _replace(folding: _Folding, which: I64, other: _Folding) -> _Folding:
    """The folding with the tokens and keys of some blocks taken from another one."""
    length = np.diff(folding.pointer)
    length[which] = np.diff(other.pointer)
    pointer = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(length)))
    tokens, stems = np.empty(pointer[-1], dtype=np.uint32), np.empty(pointer[-1], dtype=np.uint32)
    keep = np.ones(length.size, dtype=np.bool_)
    keep[which] = False
    old = np.repeat(keep, np.diff(folding.pointer))
    new = np.repeat(keep, length)
    tokens[new], stems[new] = folding.tokens[old], folding.stems[old]
    tokens[~new], stems[~new] = other.tokens, other.stems
    key = folding.key.copy()
    key[which] = other.key
    return folding._replace(tokens=tokens, stems=stems, pointer=pointer, key=key)


def token_hashes(texts: Sequence[str]) -> list[tuple[U32, U32]]:
    """Token hashes and stems of short texts (words of a lexicon), each folded on its own."""
    folding = _fold_texts([fold(text) for text in texts], fold_table())
    bounds = zip(folding.pointer[:-1], folding.pointer[1:], strict=True)
    return [(folding.tokens[a:b], folding.stems[a:b]) for a, b in bounds]
