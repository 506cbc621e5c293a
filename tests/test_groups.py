"""Groups are stars of verified pairs."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.config import Config
from dedup.engines.memory import Memory
from dedup.match.groups import equal_keys, group, without
from dedup.match.verify import shingle_sets
from dedup.records import Strings
from dedup.text.blocks import scan

NO_WORDS = np.zeros(0, dtype=np.uint32)
LEXICON = [f"كلمة{i}" for i in range(400)]


def paragraphs(seed: int, count: int = 60, families: int = 12) -> list[str]:
    """Families of paragraphs that differ in a few words."""
    rng = random.Random(seed)
    bases = [[rng.choice(LEXICON) for _ in range(rng.randrange(12, 40))] for _ in range(families)]
    out = []
    for _ in range(count):
        words = list(rng.choice(bases))
        for _ in range(rng.randrange(4)):
            words[rng.randrange(len(words))] = rng.choice(LEXICON)
        out.append(" ".join(words))
    return out


def in_order(n):
    return np.arange(n, dtype=np.int32)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.7, 0.9]))
def test_every_member_was_measured_against_its_representative(seed, threshold):
    texts = paragraphs(seed)
    blocks = scan(Strings.of(texts), NO_WORDS).blocks
    n = blocks.key.size
    order = np.array(random.Random(seed).sample(range(n), n), dtype=np.int32)
    rank = np.argsort(order)
    groups = group(blocks, order, Config(threshold=threshold), Memory())
    sets = shingle_sets(blocks.tokens, blocks.pointer, np.arange(n), 3)
    for i in range(n):
        head = int(groups.representative[i])
        assert groups.representative[head] == head, "a representative represents itself"
        assert rank[head] <= rank[i], "the foremost block stays"
        assert groups.similarity[i] == (1.0 if head == i else sets.jaccard(i, head))
        assert groups.similarity[i] >= threshold
    heads = np.flatnonzero(groups.representative == np.arange(n))
    missed = sum(sets.jaccard(a, b) >= threshold for a in heads for b in heads if a < b)
    assert missed <= 1, "LSH may miss a pair at the very threshold, hardly more"


def test_a_chain_is_no_group():
    """A~B and B~C must not make A a copy of C."""
    words = LEXICON[:24]
    a, b, c = words[:20], words[2:22], words[4:24]
    texts = [" ".join(x) for x in (a, b, c)]
    blocks = scan(Strings.of(texts), NO_WORDS).blocks
    groups = group(blocks, in_order(3), Config(threshold=0.75), Memory())
    sets = shingle_sets(blocks.tokens, blocks.pointer, np.arange(3), 3)
    assert sets.jaccard(0, 1) >= 0.75 > sets.jaccard(0, 2)
    assert groups.representative.tolist() == [0, 0, 2]


def test_equal_keys_group_without_shingles_and_empty_blocks_do_not():
    blocks = scan(Strings.of(["نعم", "نَعَم!", "...", "...", "لا"]), NO_WORDS).blocks
    assert equal_keys(blocks, in_order(5)).tolist() == [0, 0, 2, 3, 4]
    assert group(blocks, in_order(5), Config(), Memory()).representative.tolist() == [0, 0, 2, 3, 4]


def test_a_common_block_is_compared_once():
    blocks = scan(Strings.of(["واحد اثنان ثلاثة أربعة خمسة"] * 5000), NO_WORDS).blocks
    groups = group(blocks, in_order(5000), Config(max_candidates=1), Memory())
    assert groups.capped == 0
    assert not groups.representative.any()


def test_the_cap_is_counted():
    rng = random.Random(3)
    base = LEXICON[:30]
    texts = []
    for i in range(40):  # alike enough to meet, not enough to match
        words = list(base)
        for at in rng.sample(range(30), 4):
            words[at] = f"فريد{i}{at}"
        texts.append(" ".join(words))
    blocks = scan(Strings.of(texts), NO_WORDS).blocks
    assert group(blocks, in_order(40), Config(max_candidates=1), Memory()).capped > 0
    assert group(blocks, in_order(40), Config(), Memory()).capped == 0


@pytest.mark.parametrize("seed", range(5))
def test_members_that_lose_their_representative_find_another(seed):
    blocks = scan(Strings.of(paragraphs(seed)), NO_WORDS).blocks
    n = blocks.key.size
    config = Config()
    groups = group(blocks, in_order(n), config, Memory())
    out = np.zeros(n, dtype=np.bool_)
    out[np.unique(groups.representative)[::2]] = True
    left = without(blocks, groups, out, in_order(n), config, Memory())
    sets = shingle_sets(blocks.tokens, blocks.pointer, np.arange(n), 3)
    for i in range(n):
        head = int(left.representative[i])
        assert not out[head] or head == i
        assert head == i or sets.jaccard(i, head) == left.similarity[i] >= config.threshold
