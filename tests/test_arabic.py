"""The matching key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from arabic_text import texts
from hypothesis import given

from dedup.text.arabic import DELETED, FOLDED, fold, tokens

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


def test_fold_shows_tokens_with_one_space():
    assert fold("  قَالَ: «إنّ» ") == "قال ان"
    assert fold("!؟ …") == ""
