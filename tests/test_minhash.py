"""Signatures and bands against datasketch itself."""

from __future__ import annotations

import numpy as np
import pytest
from datasketch import MinHash
from datasketch.lsh import _optimal_param
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.engines.memory import Memory
from dedup.sketch import kernels, lsh, minhash


@pytest.mark.filterwarnings("ignore:overflow encountered")
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=80),
    st.sampled_from([16, 64, 128]),
    st.integers(0, 2**32 - 1),
)
def test_signature_equals_datasketch(items, num_perm, seed):
    tokens = np.array(items, dtype=np.uint32)
    got = minhash.signatures(tokens, np.array([0, len(items)]), np.array([0]), 3, num_perm, seed)
    oracle = MinHash(num_perm, seed, hashfunc=lambda h: h, scheme="affine32")
    for at in range(len(items) - 2):
        oracle.update(int(kernels.shingle_hash(tokens, at, 3)) & 0xFFFFFFFF)
    assert got.dtype == oracle.hashvalues.dtype
    assert (got[0] == oracle.hashvalues).all()


def test_permutations_equal_datasketch():
    for num_perm, seed in ((16, 1), (128, 1), (256, 42)):
        oracle = MinHash(num_perm, seed, scheme="affine32").permutations
        assert (np.array(minhash.permutations(num_perm, seed)) == oracle).all()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.85, 1.0])
@pytest.mark.parametrize("num_perm", [16, 50, 128])
@pytest.mark.parametrize("weight", [0.5, 0.9, 0.98])
def test_bands_are_chosen_as_datasketch_chooses(threshold, num_perm, weight):
    expected = _optimal_param(threshold, num_perm, 1 - weight, weight)
    assert lsh.optimal_bands(threshold, num_perm, weight) == expected


def test_a_block_without_shingles_has_no_signature():
    with pytest.raises(ValueError, match="without shingles"):
        minhash.signatures(np.zeros(2, np.uint32), np.array([0, 2]), np.array([0]), 3, 16, 1)


def test_buckets_hold_who_meets_another():
    buckets = lsh.buckets(np.array([[1, 2, 1, 3, 4], [9, 8, 7, 8, 6]], dtype=np.uint32), Memory())
    assert buckets.members.tolist() == [0, 1, 2, 3]
    assert buckets.pointer.tolist() == [0, 1, 2, 3, 4]
    assert buckets.bucket.tolist() == [0, 1, 0, 1]
    assert buckets.size == 2
