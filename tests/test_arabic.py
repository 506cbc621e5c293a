"""The matching key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from arabic_text import texts
from hypothesis import given
from twins import fold_blocks

from dedup.text.arabic import DELETED, FOLDED, fold, part_span, tokens
from dedup.text.blocks import token_hashes

CASES = Path(__file__).parent / "cases"


def cases(name):
    with (CASES / name).open(encoding="utf-8") as file:
        return [pytest.param(c["texts"], id=c["why"]) for c in map(json.loads, file)]


@pytest.mark.parametrize("spellings", cases("fold_equal.jsonl"))
def test_spellings_of_one_thing_have_one_key(spellings):
    assert len({fold(text) for text in spellings}) == 1


@pytest.mark.parametrize("different", cases("fold_apart.jsonl"))
def test_different_things_keep_different_keys(different):
    assert len({fold(text) for text in different}) == len(different)


@given(texts)
def test_folding_twice_changes_nothing(text):
    assert fold(fold(text)) == fold(text)


@given(texts)
def test_tokens_hold_nothing_that_is_deleted_or_folded(text):
    for token in tokens(text):
        assert token
        assert not {ord(c) for c in token} & (DELETED | FOLDED.keys())


def test_every_code_point_is_folded_as_the_definition_says():
    """The table of the kernels against `tokens`."""
    points = [chr(c) for c in range(0x20000) if not 0xD800 <= c < 0xE000]
    texts = [f"a{c}b{c}" for c in points if c not in "&\n\r\u2028\u2029"]
    found = token_hashes(texts)
    wrong = [t for t, got in zip(texts, found, strict=True) if got.tolist() != fold_blocks(t)[0]]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("新市场ABC 2023年", "新 市 场 abc 2023 年"),
        ("東京タワー", "東 京 タ ワ ー"),
        ("한국 신문", "한국 신문"),
        ("השוק החדש", "השוק החדש"),
        ("㍿", "株 式 会 社"),
    ],
)
def test_what_is_a_token(text, expected):
    assert fold(text) == expected


def test_fold_shows_tokens_with_one_space():
    assert fold("  قَالَ: «إنّ» ") == "قال ان"
    assert fold("!؟ …") == ""


@pytest.mark.parametrize(
    ("text", "size", "at_tail", "part"),
    [
        ("انتهى اللقاء. تابعونا على تويتر", 3, True, " تابعونا على تويتر"),
        ("انتهى اللقاء. تابعونا&nbsp;", 1, True, " تابعونا&nbsp;"),
        ("انتهى اللقاء. تابعونا " + "\u0301 " * 5000, 1, True, " تابعونا " + "\u0301 " * 5000),
        ("المزيد: انتهى اللقاء", 1, False, "المزيد: "),
        ("会议结束。关注我们", 4, True, "关注我们"),
    ],
)
def test_part_span(text, size, at_tail, part):
    start, end = part_span(text, 0, len(text), size, at_tail)
    assert text[start:end] == part
