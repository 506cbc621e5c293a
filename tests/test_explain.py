"""Why a paragraph is gone, from the files of a run alone."""

from __future__ import annotations

import json
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup.cli import main
from dedup.judge.verdicts import RULES
from dedup.report.diff import word_diff
from dedup.report.explain import explain
from dedup.report.plain import SENTENCES, in_words
from dedup.text.arabic import fold

SEEDS = Path(__file__).resolve().parents[1] / "seeds"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    path = tmp_path_factory.mktemp("explain") / "out.jsonl"
    dedup.clean(SEEDS, path)
    return path


def test_every_rule_has_its_sentence_and_every_number_is_told():
    assert set(SENTENCES) == {rule.name for rule in RULES.values()} | {"white-space"}
    for rule in RULES.values():
        named = {name for clause in SENTENCES[rule.name]
                 for _, name, _, _ in Formatter().parse(clause) if name}  # fmt: skip
        assert named == set(rule.numbers), rule.name


def test_clauses_without_their_number_are_left_out():
    evidence = {"rule": "below-header", "stories": 2, "of": 9, "headline_of": None}
    assert in_words(evidence) == (
        "stands in a list below a line that announces links; "
        "distinct stories of its source that hold it: 2 (of 9 records)"
    )
    named = in_words(evidence | {"headline_of": "a-1"})
    assert ", and is the headline of record a-1; " in named
    assert in_words({"rule": "of a later version"}) == "rule 'of a later version'"


def test_each_paragraph_is_told_with_what_it_repeats(out):
    told = explain(out, "yanabee-07")
    assert told.startswith(
        "record   yanabee-07\n"
        "story    rewaq-02, told 3 times; a retelling of rewaq-02\n"
        "text     7 paragraphs, 0 kept (nothing left: in the dropped records)\n"
    )
    assert "\n1   gone   characters 0-31\n    | الزعفران - وكالة ينابيع للأنباء\n" in told
    assert "said in record rewaq-02, characters 0-166; 79% alike" in told
    assert "| [أعلنت إدارة مرفأ الزعفران] اليوم [إغلاق الرصيف" in told


def test_one_paragraph_alone(out):
    told = explain(out, "yanabee-07", block=5)
    assert told.count("\n    | ") == 1
    assert ": the headline of record yanabee-04" in told


def test_every_removal_of_every_record_is_told(out):
    result = {}
    for path in (out, out.with_name("out.dropped.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            result[row["id"]] = row["dedup"]
    for id_, struct in result.items():
        told = explain(out, id_)
        assert f"{struct['kept']} kept" in told
        assert told.count("\n    duplicate (") + told.count("\n    related (") <= struct["removed"]
        assert (
            told.count(" kept   characters ") + told.count(" partly characters ")
            == (struct["kept"])
        )


def test_words_find_their_paragraph_in_any_spelling(out):
    told = explain(out, why="حَمِّل تطبيق رواق")
    assert told.startswith("record   rewaq-01\n")
    assert told.endswith("and 2 more records; name one by its ID to see it\n")
    kept = explain(out, why="لبنى الطرزي، فإن المركبات العشر")
    assert "record   wadi-dump.txt#2\n" in kept
    assert " kept   characters " in kept


def test_a_record_without_an_id_is_known_by_its_line(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text":"سطر واحد"}\n', encoding="utf-8")
    dedup.clean(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert "text     1 paragraph, 1 kept" in explain(tmp_path / "out.jsonl", "in.jsonl:1")


def test_dropped_records_stand_beside_the_removals_where_the_rest_was_printed(
    tmp_path, capfdbinary
):
    removed = tmp_path / "removed.jsonl"
    assert (
        main(["clean", str(SEEDS / "outlets.jsonl"), "-q", "-o", "-", "--removed", str(removed)])
        == 0
    )
    (tmp_path / "printed.jsonl").write_bytes(capfdbinary.readouterr().out)
    told = explain(tmp_path / "printed.jsonl", "yanabee-07", removed=removed)
    assert "7 paragraphs, 0 kept (nothing left: in the dropped records)" in told


def test_what_an_earlier_run_said_is_named_and_not_looked_for_here(tmp_path):
    text = "أعلنت بلدية الزعفران افتتاح سوق جديد قرب الميناء القديم بعد سنوات من الانتظار والعمل"
    rows = ({"id": "a", "text": text}, {"id": "b", "text": f"خبر آخر.\n{text}"})
    for row in rows:
        dedup.clean(row, tmp_path / f"{row['id']}.jsonl", index=tmp_path / "news.db")
    told = explain(tmp_path / "b.jsonl", "b")
    end = len(text)
    assert told.endswith(
        f"said in record a of run 1 of the index, characters 0-{end}; 100% alike\n"
    )


def test_what_a_terminal_would_obey_is_shown(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"id":"a","text":"قبل \\u001b[31m\\u202e بعد"}\n')
    dedup.clean(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert "    | قبل \\x1b[31m\\u202e بعد\n" in explain(tmp_path / "out.jsonl", "a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["yanabee-7"], "out.jsonl: no record 'yanabee-7'; did you mean 'yanabee-07', "
                        "'yanabee-12', 'yanabee-11'"),
        (["؟؟"], "out.jsonl: no record '؟؟'; there are 'rewaq-01', 'rewaq-02', 'rewaq-03'"),
        (["yanabee-07", "--block", "8"], "--block: 8 is not between 1 and 7"),
        (["--block", "1", "--why", "سوق"], "--block: needs the ID of a record before it"),
        ([], 'name a record: explain OUT.jsonl ID, or words of it: --why "some words"'),
        (["yanabee-07", "--why", "ليس هنا"], "--why: record 'yanabee-07' has no paragraph with the "
                                             "words 'ليس هنا'; try fewer"),
        (["--why", "..."], "--why: '...' has no word in it"),
        (["--why", "كلام ليس هنا"], "out.jsonl: no paragraph has the words 'كلام ليس هنا', "
                                    "kept or gone; try fewer"),
        (["a", "--removed", "no.jsonl"], "no.jsonl: no such file; name it with --removed"),
    ],
)  # fmt: skip
def test_errors_say_what_to_try(out, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(out.parent)
    assert main(["explain", "out.jsonl", *arguments]) == 2
    assert capsys.readouterr().err == f"dedup: {message}\n"


def test_the_command_prints_to_standard_output(out, capsys):
    assert main(["explain", str(out), "yanabee-07", "--block", "1"]) == 0
    assert "byline (credit-template): a credit line" in capsys.readouterr().out


words = st.lists(st.sampled_from(["سوق", "مدرسة", "مدرسه", "القرية،", "12", "*"]), max_size=9)


@given(words.map(" ".join), words.map("\n ".join))
def test_a_diff_makes_both_texts(one, other):
    runs = word_diff(one, other)
    assert "".join(run.one for run in runs) == one
    assert "".join(run.other for run in runs) == other
    assert all(fold(run.one) == fold(run.other) for run in runs if run.shared)


def test_a_diff_minds_words_not_spelling():
    assert word_diff("زار المدرسةَ أمس", "زار المدرسه اليوم") == [
        ("زار المدرسةَ", "زار المدرسه"),
        (" أمس", ""),
        ("", " اليوم"),
    ]
