"""Texts made to cost time, or to be taken for others: time stays near linear, and text stays."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from test_limits import peak

import dedup
from dedup.index.kernels import WORDS
from dedup.index.table import Hashes, Table
from dedup.match import verify
from dedup.sketch import lsh, minhash
from dedup.text import arabic
from dedup.text.blocks import token_hashes

LETTERS = np.array([ord(c) for c in "بتثجحخدذرزسشصضطظعغفقكلمنه"], dtype=np.uint64)
SECRET = 4_031_998


def words(count, seed=1, length=6):
    """Made-up words."""
    at = np.random.default_rng(seed).integers(0, LETTERS.size, (count, length))
    return ["".join(map(chr, row)) for row in LETTERS[at].tolist()]


def sentence(some):
    return " ".join(some) + "."


def in_lines(some, size):
    return [" ".join(some[at : at + size]) for at in range(0, len(some), size)]


def articles(count):
    """A dump: headline, prose that takes it up, and so on."""
    for n in range(count):
        some = words(24, n)
        yield sentence(some[:7])[:-1]
        yield sentence(some[2:])


# What comes as one text (a string), as a raw dump (lines), or as records (dicts).
CASES = {
    "marks that show nothing in one word": lambda n: "قال" + "\u200b" * (40 * n) + " الوزير",
    "marks that show nothing between letters": lambda n: "\u200f\u2060".join("ق" * (20 * n)),
    "one block": lambda n: " ".join(words(4 * n)),
    "two blocks one word apart": lambda n: [
        {"text": sentence(some)} for some in (words(6 * n), words(6 * n)[1:])
    ],
    "one word, again and again": lambda n: "قال " * (8 * n),
    "one letter, again and again": lambda n: "ق" * (40 * n),
    "marks on one letter": lambda n: "e" + "\u0301\u0327" * n,
    "marks on one letter, halfwidth and Tibetan ones": lambda n: "カ" + "\u0f73\uff9e\u0301" * n,
    "entities": lambda n: "&amp;" * (2 * n),
    "entities of a long name": lambda n: "قال&" + "amp" * (10 * n),
    "equal lines": lambda n: "افتتحت البلدية سوقا جديدا للخضار.\n" * n,
    "other lines": lambda n: "\n".join(in_lines(words(3 * n), 3)),
    "equal sentences": lambda n: "قال الوزير إن السوق فتح أبوابه اليوم. " * n,
    "other sentences": lambda n: ". ".join(words(2 * n)),
    "stops": lambda n: "." * (40 * n),
    "line ends": lambda n: "\n\u2028\r" * (20 * n) + "قال",
    "short records": lambda n: [{"text": word} for word in words(n)],
    "equal records": lambda n: [{"text": "افتتحت البلدية سوقا جديدا للخضار."}] * n,
    "records one word apart": lambda n: [
        {"text": sentence(some[at : at + 40])} for some in [words(n + 40)] for at in range(n)
    ],
    "lines of one dump, all equal": lambda n: ["افتتحت البلدية سوقا جديدا للخضار"] * n,
    "a dump of short articles": lambda n: list(articles(n // 8)),
    "a dump of headlines": lambda n: in_lines(words(7 * n), 7),
}


def cost(path, **settings):
    """The least CPU time of three runs."""
    least = float("inf")
    for _ in range(3):
        begun = time.process_time()
        dedup.clean(path, discard=True, **settings)
        least = min(least, time.process_time() - begun)
    return least


def written(path, data):
    if isinstance(data, str):
        data = [{"text": data}]
    if isinstance(data[0], str):
        path = path.with_suffix(".txt")
        path.write_text("\n".join(data), encoding="utf-8")
    else:
        path.write_text("\n".join(json.dumps(row) for row in data), encoding="utf-8")
    return path


@pytest.mark.parametrize("case", CASES)
def test_time_grows_with_the_text(tmp_path, case):
    """Four times the text takes four times the time, not sixteen times."""
    small, large = (written(tmp_path / f"{n}.jsonl", CASES[case](n)) for n in (2000, 8000))
    assert cost(large) < 8 * cost(small)


def product(values, factor):
    return np.array(values, dtype=np.uint64) * np.uint64(factor)


GOLDEN = 0x9E3779B97F4A7C15  # what values of the tables were once multiplied by
BACK = pow(GOLDEN, -1, 1 << 64)


SALTS = [lsh.SALT, *(np.random.default_rng(1).integers(1 << 63, size=20, dtype=np.uint64) | 1)]


@pytest.mark.parametrize("salt", SALTS)
def test_values_made_to_meet_in_one_place_of_a_table_do_not(salt, monkeypatch):
    """The product of each with a known factor has the same upper bits."""
    monkeypatch.setattr(lsh, "SALT", salt)
    n = 1 << 14
    made, usual = product(range(1, n + 1), BACK), product(range(1, n + 1), GOLDEN)
    assert lsh.first_equal(made).tolist() == list(range(n))

    def seconds(values):
        least = float("inf")
        for _ in range(3):
            begun = time.process_time()
            lsh.first_equal(values)
            least = min(least, time.process_time() - begun)
        return least

    assert seconds(made) < 20 * seconds(usual), "5,000 times where all meet"


@pytest.mark.parametrize("salt", SALTS)
def test_the_table_of_an_index_is_salted_too(salt, monkeypatch):
    monkeypatch.setattr("dedup.index.table.SALT", salt)
    found = [v for v in range(1, 1 << 22) if (v * GOLDEN >> 32) & 1023 == 0]
    table = Table(1, 0.7)
    values = np.array(found, dtype=np.uint32).reshape(-1, 1)
    mask = np.zeros((values.size, WORDS), dtype=np.uint64)
    hashes = Hashes(values, mask, np.ones(values.size, dtype=np.int32))
    table.add(np.arange(values.size, dtype=np.int64), hashes)
    places = table._head.size
    random = places * (1 - (1 - 1 / places) ** values.size)
    assert np.count_nonzero(table._head >= 0) > 0.9 * random, "they lie all over the table"


def test_every_process_draws_its_own_salt():
    code = "from dedup.sketch.lsh import SALT; print(int(SALT))"
    drawn = {subprocess.check_output([sys.executable, "-c", code]) for _ in range(2)}
    assert len({int(lsh.SALT), *map(int, drawn)}) == 3


def test_what_a_table_holds_does_not_hang_on_its_salt(monkeypatch):
    values = np.array([5, 3, 5, 9, 3, 0, 0, 2**63], dtype=np.uint64)
    for salt in (1, 3, GOLDEN, 2**64 - 1):
        monkeypatch.setattr(lsh, "SALT", np.uint64(salt))
        assert lsh.first_equal(values).tolist() == [0, 1, 0, 3, 1, 5, 5, 7]


def alike_to_the_default_seed():
    """Two texts of made-up words whose hashes are equal, word for word, under the default seed."""
    some = words(400_000, 5, 7)
    (hashes,) = token_hashes([" ".join(some)])
    order = np.argsort(hashes, kind="stable")
    met = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    pairs = [(some[a], some[b]) for a, b in zip(order[met], order[met + 1], strict=True)]
    pairs = [(a, b) for a, b in pairs if a != b]
    return [sentence(side) for side in zip(*pairs, strict=True)]


def test_texts_built_to_be_taken_for_others_need_the_seed():
    """Made for the default seed, they deceive it; whoever does not know the seed cannot."""
    one, other = alike_to_the_default_seed()
    assert len(one.split()) > 10
    assert not set(one.split()) & set(other.split())
    rows = [{"id": "a", "source": "a", "text": one}, {"id": "b", "source": "b", "text": other}]
    assert [row["id"] for row in dedup.clean(rows)] == ["a"], "docs/limits.md says so"
    assert [row["id"] for row in dedup.clean(rows, seed=SECRET)] == ["a", "b"]
    hashes = [set(token_hashes([text], SECRET)[0].tolist()) for text in (one, other)]
    assert not hashes[0] & hashes[1]


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("\uac30" * 8, "\uac30\uac30\uac30\u2c30\uac30\u2c30\uac30\u2c30"),
        ("ⴰⴱⴳⴷⴹⴻⴼⵀ", "ⴰⴱⴳ\uad37ⴹ\uad3bⴼ\uad40"),
        ("وسيستخدم", "وسي\u1633ت\u162eد\u1645"),
        ("правител", "пра\u1432и\u1442е\u143b"),
    ],
)
def test_no_two_words_hash_alike_whatever_the_seed(word, other):
    """Later letters differ by just what the change of an earlier one does to the hash, if it is one
    that can be known.
    """
    for seed in range(300):
        one, two = token_hashes([word, other], seed)
        assert one.size == two.size == 1
        assert one[0] != two[0], seed


def magnets(seed):
    """Words whose shingles have the least value of each permutation under a seed, of many."""
    some = words(60_000, 9)
    (tokens,) = token_hashes([" ".join(some)], seed)
    pointer = np.arange(0, tokens.size + 1, 3)
    which = np.arange(pointer.size - 1)
    config = dedup.Config()
    bands, rows = lsh.optimal_bands(config.threshold, config.num_perm, config.false_negative_weight)
    signature = minhash.signatures(tokens, pointer, which, 3, bands * rows, seed)
    return [
        word for at in np.unique(signature.argmin(axis=0)) for word in some[3 * at : 3 * at + 3]
    ]


def test_blocks_built_to_be_candidates_of_each_other_cost_what_the_cap_allows(tmp_path):
    """All begin with the same words, which alone make their signatures."""
    lure = magnets(dedup.Config.seed)

    def rows(count):
        return [
            {"id": str(n), "source": str(n), "text": sentence(lure + words(600, n + 99))}
            for n in range(count)
        ]

    small, large = (written(tmp_path / f"{n}.jsonl", rows(n)) for n in (250, 1000))
    caught = dedup.clean(large, max_candidates=200)
    assert caught.counts.capped > 700
    assert not list(caught.removals)
    assert cost(large, max_candidates=200) < 8 * cost(small, max_candidates=200)
    free = dedup.clean(large, max_candidates=200, seed=SECRET)
    assert 5 * free.counts.capped < caught.counts.capped
    assert not list(free.removals)


def test_equal_keys_of_other_tokens_are_no_duplicates(monkeypatch):
    """Keys only propose."""
    texts = [sentence(words(9, n)) for n in range(3)]
    texts += [*texts[:2], "قال نعم.", "قال لا."]
    rows = [{"id": str(n), "source": str(n), "text": text} for n, text in enumerate(texts)]
    first_equal = lsh.first_equal
    monkeypatch.setattr(verify, "first_equal", lambda keys: np.zeros_like(first_equal(keys)))
    told = dedup.clean(rows)
    assert [row["id"] for row in told] == ["0", "1", "2", "5", "6"]


def test_marks_are_ordered_as_unicode_orders_them(monkeypatch):
    """By any number of marks the key is that of the definition."""
    marks = [chr(c) for c in range(0x110000) if arabic.unicodedata.category(chr(c)) == "Mn"]
    marks += ["\u0344", "\u0f73", "\uff9e", "\u0301", "\u0327", "\u0323"] * 200
    random = np.random.default_rng(2)
    texts = [
        "".join(random.choice(["e", "ا", "カ", "ن"]) + "".join(random.choice(marks, size)))
        for size in random.integers(0, 90, 300)
    ]
    ordered = [arabic.tokens(text) for text in texts]
    monkeypatch.setattr(arabic, "_MANY_MARKS", arabic.regex.compile(r"(?!)"))
    assert ordered == [arabic.tokens(text) for text in texts]


def test_memory_is_bounded_by_the_largest_record(tmp_path):
    """A block of 2 * 10^7 characters takes less than thirty times its bytes."""
    (tmp_path / "in.jsonl").write_bytes(b'{"text":"x"}\n')
    _, usual = peak("clean", "in.jsonl", "-o", "o.jsonl", cwd=tmp_path)
    text = " ".join(words(2000)) + " "
    line = b'{"text":"' + text.encode() * (2 * 10**7 // len(text)) + b'"}\n'
    (tmp_path / "in.jsonl").write_bytes(line)
    _, most = peak("clean", "in.jsonl", "-o", "o.jsonl", cwd=tmp_path)
    assert most - usual < 30 * len(line) / 2**20
