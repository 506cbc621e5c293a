"""MinHash signatures that equal datasketch's, and the hashes of their bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dedup.engines.memory import Memory
from dedup.engines.threads import in_order
from dedup.records import I32, I64, U32
from dedup.sketch import kernels

BATCH = 8192


@lru_cache(maxsize=4)
def permutations(num_perm: int, seed: int) -> tuple[U32, U32]:
    """The affine32 parameters of `datasketch.MinHash(num_perm, seed)`, version 2.

    Returns:
        a, b: uint32[num_perm] each; a is odd.
    """
    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = generator.randint(0, 1 << 32, num_perm, dtype=np.uint32)
    return a, b


def signatures(
    tokens: U32, pointer: I64, which: I64 | I32, shingle: int, num_perm: int, seed: int
) -> U32:
    """Signatures of some blocks.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks that have a shingle. (A set without elements has no signature:
            empty MinHashes would all match each other.)
        shingle: tokens in a shingle.
        num_perm: permutations.
        seed: of the permutations.

    Returns:
        uint32[m, num_perm]; row i equals `datasketch.MinHash(num_perm, seed, scheme="affine32")`
        updated with the low 32 bits of the shingle hashes of block `which[i]`.

    Raises:
        ValueError: a block of `which` is shorter than one shingle.
    """
    if which.size and int((pointer[which + 1] - pointer[which]).min()) < shingle:
        raise ValueError("a block without shingles has no signature")
    a, b = permutations(num_perm, seed)
    out = np.empty((which.size, num_perm), dtype=np.uint32)
    kernels.signatures(tokens, pointer, which.astype(np.int32, copy=False), shingle, a, b, out)
    return out


def sketch(
    tokens: U32,
    pointer: I64,
    which: I64 | I32,
    shingle: int,
    seed: int,
    bands: int,
    rows: int,
    memory: Memory,
    workers: int = 1,
) -> U32:
    """Band hashes of some blocks; the signatures themselves live for one batch only.

    Returns:
        uint32[bands, m].
    """
    out = memory.empty((bands, which.size), np.uint32)

    def hashed(at: int) -> None:
        part = slice(at, at + BATCH)
        signature = signatures(tokens, pointer, which[part], shingle, bands * rows, seed)
        kernels.band_hashes(signature, rows, at, out)

    for _ in in_order(hashed, range(0, which.size, BATCH), workers):
        memory.relax()
    return out
