"""A reviewer's decisions come before all rules, and are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dedup
from dedup.cli import main
from dedup.judge.overrides import key_of

SEEDS = Path(__file__).resolve().parents[1] / "seeds"
APP = "حمّل تطبيق رواق الخبر على هاتفك لتصلك أخبار مدينتك أولا بأول"
RIGHTS = "جميع الحقوق محفوظة لصحيفة رواق الخبر 2023"
OWN = "أعلنت هيئة النقل في مدينة النورس تشغيل خط حافلات جديد"


def cleaned(folder, *decisions, sources=SEEDS, **settings):
    path = folder / "overrides.jsonl"
    path.write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in decisions))
    result = dedup.clean(sources, overrides=str(path), **settings)
    rows = {row["id"]: row.get("text", row.get("maintext")) for row in [*result, *result.dropped]}
    return result, rows, list(result.removals)


def test_a_key_does_not_mind_spelling():
    text = "قَالَ الأميرُ: «إنّ ١٢ دولةً…» &amp; ﷺ"
    assert key_of("قال الامير ان 12 دولة & ﷺ") == key_of(text) > 0
    assert key_of("قال الامير ان 12 مدينة & ﷺ") != key_of(text)
    assert key_of("…") == 0


@pytest.mark.parametrize("name", ["text", "key"])
def test_a_line_is_kept_wherever_it_stands(tmp_path, name):
    value = APP.replace("حمّل", "حمل") if name == "text" else f"{key_of(APP):016x}"
    result, rows, removals = cleaned(tmp_path, {"do": "keep", name: value, "note": "لماذا"})
    assert not [r for r in removals if r["text"].strip() == APP]
    assert len([text for text in rows.values() if APP in text]) == 12
    assert [r for r in removals if r["text"].strip() == RIGHTS]
    assert result.counts.overrides == {"kept": 12, "removed": 0}


@pytest.mark.parametrize("name", ["text", "key"])
def test_decisions_meet_under_any_seed(tmp_path, name):
    value = APP if name == "text" else f"{key_of(APP, 7):016x}"
    result, _, _ = cleaned(tmp_path, {"do": "keep", name: value}, seed=7)
    assert result.counts.overrides == {"kept": 12, "removed": 0}
    assert not result.counts.unmet


def test_a_key_is_of_one_seed_and_the_report_names_that_of_its_run(tmp_path):
    dedup.clean(SEEDS, report=tmp_path / "r.html", seed=7)
    assert f"{key_of(APP, 7):016x}" in (tmp_path / "r.html").read_text("utf-8")
    decision = {"do": "keep", "key": f"{key_of(APP):016x}"}
    result, _, _ = cleaned(tmp_path, decision, seed=7)
    assert result.counts.unmet == [1]


def test_a_line_is_removed_wherever_it_stands_and_is_evidence_of_nothing_else(tmp_path):
    line = ("قال رئيس البلدية إن السوق الجديد قرب الميناء القديم يضم ستين محلا للخضار والفاكهة "
            "وموقفا واسعا للشاحنات أيضا.")  # fmt: skip
    near = line.replace("أيضا", "جميعا")
    rows = [
        {"id": "a", "source": "a", "text": f"نص أول له وحده\n{line}"},
        {"id": "b", "source": "b", "text": f"نص ثان له وحده\n{near}"},
        {"id": "c", "source": "c", "text": f"نص ثالث له وحده\n{near}"},
    ]
    _, before, _ = cleaned(tmp_path, sources=rows)
    assert [near in text for text in before.values()] == [False, False, False]
    result, after, removals = cleaned(tmp_path, {"do": "remove", "text": line}, sources=rows)
    assert list(after.values()) == [
        "نص أول له وحده", f"نص ثان له وحده\n{near}", "نص ثالث له وحده",
    ]  # fmt: skip
    (gone,) = (r for r in removals if r["id"] == "a" and r["kind"] != "blank")
    assert (gone["kind"], gone["evidence"]) == ("boilerplate", {"rule": "override"})
    assert result.counts.overrides == {"kept": 0, "removed": 1}
    _, same, _ = cleaned(
        tmp_path, {"do": "remove", "text": line}, sources=rows, keep_kind=["boilerplate"]
    )
    assert same == after


def test_records_and_single_paragraphs_by_id(tmp_path):
    plain = dedup.clean(SEEDS)
    first = next(r for r in plain.removals if r["id"] == "yanabee-07" and r["kind"] == "duplicate")
    decisions = [
        {"do": "keep", "id": "yanabee-07", "start": first["start"] + 5},
        {"do": "keep", "id": "sahel-02"},
        {"do": "remove", "id": "tilal-12"},
        {"do": "remove", "id": "yanabee-07", "start": first["start"]},  # keeping comes first
        {"do": "remove", "id": "nobody"},
    ]
    result, rows, removals = cleaned(tmp_path, *decisions)
    assert rows["yanabee-07"] == first["text"].strip()
    assert not [r for r in removals if r["id"] == "sahel-02" and r["kind"] != "blank"]
    assert rows["tilal-12"] == ""
    assert result.counts.unmet == [5]


def test_a_part_of_a_paragraph_is_kept(tmp_path):
    rows = [{"id": str(n), "source": "س", "text": f"فتح متحف رقم {n} أبوابه للزوار في المدينة وعرض "
             f"قطعا نادرة من العملة القديمة تعود إلى سنة {n}. تابعوا صفحتنا على الشبكة"}
            for n in range(100, 140)]  # fmt: skip
    _, _, removals = cleaned(tmp_path, sources=rows)
    (part,) = {r["text"].strip() for r in removals}
    result, kept, removals = cleaned(tmp_path, {"do": "keep", "text": part}, sources=rows)
    assert not removals
    assert list(kept.values()) == [row["text"] for row in rows]
    assert result.counts.overrides == {"kept": 40, "removed": 0}


def test_restore_is_exact_all_the_same(tmp_path):
    decisions = tmp_path / "o.jsonl"
    decisions.write_text(json.dumps({"do": "remove", "text": OWN}) + "\n" +
                         json.dumps({"do": "keep", "text": RIGHTS}) + "\n\n")  # fmt: skip
    source = SEEDS / "outlets.jsonl"
    dedup.clean(source, tmp_path / "out.jsonl", overrides=str(decisions))
    dedup.restore(tmp_path / "out.jsonl", tmp_path / "back.jsonl")
    texts = [[json.loads(line) for line in path.read_text("utf-8").splitlines()]
             for path in (source, tmp_path / "back.jsonl")]  # fmt: skip
    assert texts[0] == texts[1]


def test_the_summary_tells_what_decisions_did(tmp_path, capsys):
    path = tmp_path / "o.jsonl"
    path.write_text(json.dumps({"do": "keep", "text": APP}) + "\n" +
                    json.dumps({"do": "remove", "text": "ليس هنا"}) + "\n")  # fmt: skip
    assert main(["clean", str(SEEDS), "--dry-run", "--overrides", str(path)]) == 0
    err = capsys.readouterr().err
    assert "decided  by --overrides: 12 paragraphs kept, 0 removed\n" in err
    assert "         not met: line 2 of the file is about what is not there\n" in err


BAD = [
    ("x", "not JSON"),
    ("[]", "not an object"),
    ('{"do": "drop", "text": "x"}', "'do' is 'drop', neither 'keep' nor 'remove'"),
    ('{"do": "keep"}', "names nothing, not one of text, key, id"),
    ('{"do": "keep", "id": "a", "key": "0f"}', "names key and id, not one of text, key, id"),
    ('{"do": "keep", "key": "xyz"}', "'key' is 'xyz', not up to 16 hexadecimal digits"),
    ('{"do": "keep", "key": "-5"}', "'key' is '-5', not up to 16 hexadecimal digits"),
    ('{"do": "keep", "key": "0x1"}', "'key' is '0x1', not up to 16 hexadecimal digits"),
    (f'{{"do": "keep", "key": "{"f" * 17}"}}',
     f"'key' is '{'f' * 17}', not up to 16 hexadecimal digits"),
    ('{"do": "keep", "id": ["' + 99 * "ا" + '"]}', f"'id' is ['{58 * 'ا'}…, no id"),
    ('{"do": "remove", "id": "a", "start": null}', "'start' is None, not a number of characters"),
    ('{"do": "keep", "id": "a", "start": true}', "'start' is True, not a number of characters"),
    ('{"do": "keep", "key": 7}', "'key' is 7, not a string"),
    ('{"do": "keep", "text": "..."}', "'text' is '...', without a word"),
    ('{"do": "keep", "id": ""}', "'id' is '', no id"),
    ('{"do": "keep", "id": "a", "start": -1}', "'start' is -1, not a number of characters"),
    ('{"do": "keep", "text": "نص", "start": 1}', "'start' needs an 'id'"),
    ('{"do": "keep", "text": "نص", "where": 1}', "'where' is not known here"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "rule"), BAD)
def test_what_is_no_decision_is_told(tmp_path, capsys, line, rule):
    path = tmp_path / "o.jsonl"
    path.write_text("\n" + line + "\n", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    assert main(["clean", str(SEEDS), "-q", "-o", str(out), "--overrides", str(path)]) == 2
    example = '{"do": "keep", "text": "..."}'
    assert capsys.readouterr().err == f"dedup: {path}:2: {rule}; try {example}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_may_come_from_another_system(tmp_path):
    path = tmp_path / "o.jsonl"
    row = json.dumps({"do": "keep", "text": APP}, ensure_ascii=False)
    path.write_bytes(f"\ufeff{row}\r\n\r\n{row}\r\n".encode())
    result = dedup.clean(SEEDS / "outlets.jsonl", overrides=str(path))
    assert result.counts.overrides == {"kept": 12, "removed": 0}


def test_a_file_of_decisions_must_be_there_and_is_not_written_over(tmp_path, capsys):
    path = tmp_path / "o.jsonl"
    arguments = ["clean", str(SEEDS), "-q", "-o", str(path), "--overrides", str(path)]
    assert main(arguments) == 2
    path.write_text("")
    assert main(["clean", str(SEEDS), "--dry-run", "-q", "--overrides", str(tmp_path)]) == 2
    assert main(arguments) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"dedup: {path}: is both input and output; write to another file",
        f"dedup: {tmp_path}: Is a directory",
        f"dedup: {path}: is both input and output; write to another file",
    ]
