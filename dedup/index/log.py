"""Damage in the log that SQLite writes ahead of an index's file.

Whoever opens an index takes its log as far as its checksums are right, and silently forgets what
lies behind: a log that was cut off is told from one that ends. The format is SQLite's:
https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from dedup.records import U32, Bool

HEADER, FRAME = 32, 24  # bytes before all frames, and before the page of each
MAGIC = 0x377F0682  # the last bit: whether checksums are over words of the other byte order
MANY = 1024  # frames looked at together


def damage(path: str) -> str | None:
    """What is wrong with a log that nobody writes to; None if nothing is, or there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        size = os.path.getsize(path)
    except FileNotFoundError:
        return None
    with open(path, "rb") as file:
        head = np.frombuffer(file.read(HEADER), dtype=">u4")
        if head.size < HEADER // 4 or not head.any():
            return None
        page = int(head[2]) or 1
        order = ">u4" if head[0] & 1 else "<u4"
        seen = _checksums(head[None, :6].view(order), np.zeros((1, 2), dtype=np.uint32))
        sizes = page & (page - 1) == 0 and 512 <= page <= 65536
        if int(head[0]) & ~1 != MAGIC or not sizes or (seen[0] != head[6:]).any():
            return "the log is damaged at its beginning: what it held is not in the index"
        salts, before = head[4:6], head[6:].astype(np.uint32)
        frames = (size - HEADER) // (FRAME + page)
        ended: int | None = None
        for at in range(0, frames, MANY):
            count = min(MANY, frames - at)
            raw = file.read(count * (FRAME + page))
            data = np.frombuffer(raw, dtype=">u4").reshape(count, -1)
            words = np.frombuffer(raw, dtype=order).reshape(count, -1)
            told = data[:, 4:6].astype(np.uint32)
            content = np.concatenate((words[:, :2], words[:, FRAME // 4 :]), axis=1)
            chain = np.concatenate((before[None], told[:-1]))
            sums = _checksums(content, chain)
            right: Bool = (sums == told).all(axis=1)
            mine: Any = (data[:, 2:4] == salts).sum(axis=1)
            # Behind the end lie frames of earlier logs, none of whose salts are this one's.
            wrong = np.flatnonzero(((mine == 2) & ~right) | (mine == 1))
            if ended is None and (mine == 0).any():
                ended = at + int(np.flatnonzero(mine == 0)[0])
            behind = np.flatnonzero(mine == 2)
            if wrong.size or (ended is not None and (behind + at > ended).any()):
                first = min([at + int(wrong[0])] if wrong.size else [], default=ended)
                if ended is not None and first is not None:
                    first = min(first, ended)
                return (
                    f"the log is damaged at frame {first} of {frames}: what was written from there "
                    "on is not in the index; run again what was cleaned last"
                )
            before = told[-1]
    return None


def _checksums(words: Any, before: U32) -> U32:
    """uint32[m, 2]; SQLite's checksums of m runs of words, each going on from another checksum.

    The two sums are s0 += x0 + s1, s1 += x1 + s0: linear, so that each pair of words counts as
    often as Fibonacci's numbers say.

    Args:
        words: uint32[m, 2n], of either byte order.
        before: uint32[m, 2].
    """
    pairs = words.shape[1] // 2
    fibonacci = np.ones(2 * pairs + 2, dtype=np.uint32)
    fibonacci[0] = 0
    for k in range(2, fibonacci.size):
        fibonacci[k] = np.uint32((int(fibonacci[k - 1]) + int(fibonacci[k - 2])) & 0xFFFFFFFF)
    values = words.astype(np.uint32)
    left = np.arange(pairs - 1, -1, -1)  # pairs behind each
    one, two, three = (fibonacci[2 * left + k] for k in (0, 1, 2))
    first, second = values[:, 0::2], values[:, 1::2]
    start = before.astype(np.uint32)
    a, b, c = (fibonacci[2 * pairs + k] for k in (-1, 0, 1))
    s0 = (first * two).sum(axis=1, dtype=np.uint32) + (second * one).sum(axis=1, dtype=np.uint32)
    s1 = (first * three).sum(axis=1, dtype=np.uint32) + (second * two).sum(axis=1, dtype=np.uint32)
    return np.stack(
        (s0 + start[:, 0] * a + start[:, 1] * b, s1 + start[:, 0] * b + start[:, 1] * c), axis=1
    )
