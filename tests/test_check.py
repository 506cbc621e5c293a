"""`dedup check`: a verdict for scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dedup
from dedup.cli import main

FOLDER = Path(__file__).resolve().parents[1] / "seeds"
SEEDS = [str(FOLDER / name) for name in ("outlets.jsonl", "wadi-dump.txt")]


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory):
    path = tmp_path_factory.mktemp("check") / "out.jsonl"
    dedup.clean(SEEDS, path)
    return path


def test_what_is_dirty_is_told_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check", *SEEDS, "--show", "2"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "rewaq-01: 717-778: boilerplate (footer-words): "
        "حمّل تطبيق رواق الخبر على هاتفك لتصلك أخبار مدينتك أولا بأول",
        "rewaq-01: 778-819: boilerplate (footer-words): جميع الحقوق محفوظة لصحيفة رواق الخبر 2023",
        "and 203 more",
        "205 spans to clean in 54 records",
    ]
    assert "read     56 records" in err
    assert list(tmp_path.iterdir()) == []


def test_what_was_cleaned_is_clean(cleaned, capsys):
    assert main(["check", str(cleaned), "-q"]) == 0
    assert capsys.readouterr() == ("nothing to clean\n", "")


def test_the_exit_code_can_be_asked_not_to_tell(capsys):
    assert main(["check", *SEEDS, "-q", "--exit-zero"]) == 0
    assert "205 spans to clean" in capsys.readouterr().out


def test_json(cleaned, capsys):
    assert main(["check", *SEEDS, "-q", "--json", "--show", "1"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["clean"], found["records"], found["records_touched"]) == (False, 56, 54)
    assert sum(found["spans"].values()) == 205
    assert [row["evidence"]["rule"] for row in found["findings"]] == ["footer-words"]
    assert dedup.check(cleaned).as_json() | {"records": 0, "blocks": 0, "characters": 0} == {
        "clean": True,
        "records": 0,
        "records_touched": 0,
        "blocks": 0,
        "characters": 0,
        "spans": dict.fromkeys(found["spans"], 0),
        "removed_characters": dict.fromkeys(found["spans"], 0),
        "stories": 0,
        "retold": 0,
        "rejected": 0,
        "findings": [],
    }


def test_what_cannot_be_read_is_no_reason_for_trust(tmp_path, capsys):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text":"سطر"}\nbroken\n', encoding="utf-8")
    told = (
        "1 line could not be read; try --on-error fail\n"
        "nothing to clean in the 1 record that could be read\n"
    )
    first = f"{path}:2: not JSON: unexpected character, expected a JSON value at column 1"
    assert main(["check", str(path), "-q"]) == 2
    assert capsys.readouterr() == (told, f"dedup: {first}; 1 line could not be read\n")
    assert main(["check", str(path), "-q", "--exit-zero"]) == 0
    assert capsys.readouterr() == (told, "")
    assert main(["check", str(path), "-q", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["clean"], found["rejected"], found["findings"]) == (False, 1, [])
    assert not dedup.check(path).clean
    with path.open("a", encoding="utf-8") as file:
        file.write('{"text":"سطر\\nExit mobile version\\nExit mobile version"}\n')
    assert main(["check", str(path), "-q"]) == 1, "what was found comes first"
    assert "1 line could not be read; try --on-error fail" in capsys.readouterr().out


def test_of_what_nothing_can_be_read_nothing_is_said(tmp_path, capsys):
    """A check that passes is a promise; there is none about what nobody could look at."""
    garbage, page, empty, good = (
        tmp_path / n for n in ("in.jsonl", "in.html", "no.jsonl", "a.jsonl")
    )
    garbage.write_bytes(b"x\n[1]\n")
    page.write_bytes(b"<html></html>")
    empty.write_bytes(b"")
    good.write_text('{"text":"سطر"}\n', encoding="utf-8")
    broken = f"{garbage}:1: not JSON: unexpected character, expected a JSON value at column 1"
    for arguments, told in [
        ([garbage], f"{broken}; not one of 2 lines could be read"),
        ([garbage, page, empty], f"{broken}; not one of 3 lines could be read"),
        ([page, "--json"], f"{page}:1: no text was found in this page"),
        ([garbage, "--exit-zero"], f"{broken}; not one of 2 lines could be read"),
    ]:
        assert main(["check", "-q", *map(str, arguments)]) == 2
        assert capsys.readouterr() == ("", f"dedup: {told}\n")
    assert main(["check", "-q", str(empty)]) == 2
    assert capsys.readouterr() == ("", f"dedup: {empty}: no records in it; nothing was written\n")
    assert main(["check", "-q", str(garbage), str(good)]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "2 lines could not be read; try --on-error fail",
        "nothing to clean in the 1 record that could be read",
    ]
    assert err.splitlines() == [
        f"WARNING  {garbage}: nothing in it could be read, 2 lines set aside; is it what its name "
        "says?",
        f"dedup: {broken}; 2 lines could not be read",
    ]
    for pair in ([garbage, good], [good, garbage]):
        assert main(["compare", "-q", *map(str, pair)]) == 2
        told = f"dedup: {broken}; not one of 2 lines could be read\n"
        assert capsys.readouterr() == ("", told)


def test_settings_are_those_of_clean(tmp_path, capsys):
    (tmp_path / "in.jsonl").write_text('{"body2":"سطر"}\n', encoding="utf-8")
    path = str(tmp_path / "in.jsonl")
    assert main(["check", path, "-q", "--text-field", "body2"]) == 0
    assert main(["check", path, "-q", "--threshold", "7"]) == 2
    assert main(["check", path, "-q", "--on-error", "fail"]) == 2
    assert main(["check", path, "-q", "--show", "-1"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err == [
        "dedup: --threshold: 7.0 is not between 0.3 and 1.0; try 0.7",
        f"dedup: {path}:1: field 'text' is missing; try --text-field body2",
        "dedup: --show: -1 is no number of findings; try 20",
    ]
