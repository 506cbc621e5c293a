"""What people set for sites of their own, by flags and in a file."""

from __future__ import annotations

import json

import pytest

import dedup
from dedup.settings import config_of

BODY = (
    "افتتح مجلس البلدية صباح الأحد سوق الخضار الجديد بعد ثلاث سنوات من أعمال البناء.",
    "أعلن نادي القوارب الشراعية مواعيد سباق الربيع الذي يجمع عشرين فريقا من الساحل.",
    "شكا مزارعو الوادي من تأخر وصول مياه الري إلى بساتينهم في الأسبوعين الماضيين.",
    "فازت طالبة من المدرسة الثانوية بالجائزة الأولى في مسابقة الخط العربي السنوية.",
    "تستعد المكتبة العامة لاستقبال معرض للمخطوطات القديمة يستمر حتى نهاية الشهر.",
    "أصلح عمال الكهرباء العطل الذي أصاب الحي الشرقي بعد عاصفة ليلة الثلاثاء.",
)
CALL = "نشرة الرواق على بريدك كل صباح"


def records(tail=CALL, source="rewaq.example"):
    return [
        {"id": f"r{n}", "source": source, "text": f"{line}\n{tail}" if tail else line}
        for n, line in enumerate(BODY)
    ]


def gone(result):
    return [(row["kind"], row["text"].strip()) for row in result.removals if row["kind"] != "blank"]


def test_a_kind_can_be_left():
    assert gone(dedup.clean(records())) == [("boilerplate", CALL)] * len(BODY)
    left = dedup.clean(records(), keep_kind=["boilerplate"])
    assert gone(left) == []
    assert [row["text"] for row in left] == [row["text"] for row in records()]


def test_a_marker_is_known_like_those_of_the_lexicon():
    single = [{"id": "a", "text": f"{BODY[0]}\nمنصّة الرواق على هاتفك"}]
    assert gone(dedup.clean(single)) == []
    marked = dedup.clean(single, marker=("footer=منصة الرواق على هاتفك",))
    assert gone(marked) == [("boilerplate", "منصّة الرواق على هاتفك")]


def test_markers_serve_raw_dumps_too(tmp_path):
    path = tmp_path / "dump.txt"
    path.write_text(f"سوق الخضار الجديد يفتح أبوابه للزوار\n{BODY[0]}\nمنصّة الرواق على هاتفك\n")
    assert ("boilerplate", "منصّة الرواق على هاتفك") in gone(
        dedup.clean(path, marker=("footer=منصة الرواق على هاتفك",))
    )


def test_names_of_one_outlet_count_together():
    one, two, three = ("rewaq.example", "m.rewaq.example", "amp.rewaq.example")
    mixed = [
        record | {"source": source}
        for record, source in zip(records("نشرة الرواق كل صباح"), (one, two, three), strict=False)
    ]
    assert gone(dedup.clean(mixed)) == []
    together = dedup.clean(mixed, same_source=(f"{one}={two}", f"{one}={three}"))
    assert gone(together) == [("boilerplate", "نشرة الرواق كل صباح")] * 3


def test_too_much_stops_the_run_and_nothing_is_written(tmp_path):
    out = tmp_path / "clean.jsonl"
    with pytest.raises(dedup.GuardError) as stopped:
        dedup.clean(records(), out, max_removed=0.1)
    assert str(stopped.value) == (
        "rewaq.example: page residue would take 28 % of its characters, more than --max-removed "
        "0.1; nothing was written. Look at what would go with a higher share, or leave a kind with "
        "--keep-kind"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("copies", "told"), [(1, []), (2, ["s"])])
def test_an_implausible_share_is_told(copies, told):
    calls = f"{CALL}\n{CALL} ومساء\n{CALL} وظهرا"
    rows = [
        {"id": f"{n}-{k}", "source": "s", "text": f"{line.replace(' ', word)}\n{calls}"}
        for n, line in enumerate(BODY)
        for k, word in enumerate((" ", " جدا ")[:copies])
    ]
    assert list(dedup.clean(rows).counts.doubtful) == told  # in ten records or more


def test_suspicious_lines_that_stay_are_told_with_their_numbers(tmp_path):
    rows = records(tail="")
    for row in rows[:2]:
        row["text"] += "\nنشرة الرواق كل صباح"
    rows[2]["text"] = "\n".join(["بريد القراء والمتابعين الكرام"] * 2)
    path = tmp_path / "kept.jsonl"
    dedup.clean(rows, tmp_path / "clean.jsonl", explain_kept=path)
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["id"], row["text"], row["why"]) for row in told[:2]] == [
        (id_, "نشرة الرواق كل صباح", ["recurs in its source"]) for id_ in ("r0", "r1")
    ]
    assert told[0]["evidence"]["stories"] == 2
    for row in told:
        text = next(r["text"] for r in rows if r["id"] == row["id"])
        assert text[row["start"] : row["end"]] == row["text"]
        assert row["kind"] is None
        assert row["why"]


FILE = """
threshold = 0.8
keep-kind = ["byline"]
marker = ["footer=منصة الرواق على هاتفك"]

[markers]
header = ["من أرشيفنا"]

[sources]
"rewaq.example" = ["m.rewaq.example", "amp.rewaq.example"]
"""


def test_a_file_says_what_flags_say(tmp_path):
    path = tmp_path / "dedup.toml"
    path.write_text(FILE, encoding="utf-8")
    assert config_of(path) == dedup.Config(
        threshold=0.8,
        keep_kind=("byline",),
        marker=("footer=منصة الرواق على هاتفك", "header=من أرشيفنا"),
        same_source=("rewaq.example=m.rewaq.example", "rewaq.example=amp.rewaq.example"),
    )
    assert config_of(path, threshold=0.6).threshold == 0.6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threshold = 2", "--threshold: 2 is not between 0.3 and 1.0; try 0.7"),
        ("treshold = 0.8", "'treshold' is no setting; did you mean 'threshold'?"),
        ('keep-kind = ["bylines"]', "--keep-kind: 'bylines' is not one of duplicate, related, "
         "byline, boilerplate, title"),
        ('keep-kind = "byline"', "--keep-kind: 'byline' is not a list of strings"),
        ('[markers]\nheader = "x"', "[markers]: a line is NAME = [WORDS, ...]; such as "
         'header = ["تابعونا على"]'),
        ('same-source = ["a"]', "--same-source: 'a' is not NAME=OTHER; try bbc.com=bbc.co.uk"),
        ("text-field = 'a\"b'", "--text-field: 'a\"b' has a quote, a backslash or a control "
         "character in it; rename the field in the input"),
        ("threshold =", "not TOML: Invalid value (at end of document)"),
    ],
)  # fmt: skip
def test_what_a_file_says_wrong_is_told(tmp_path, text, said):
    path = tmp_path / "dedup.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(dedup.ConfigError) as wrong:
        config_of(path)
    assert str(wrong.value) == f"{path}: {said}"


def test_a_marker_of_no_role_is_told():
    with pytest.raises(dedup.ConfigError) as wrong:
        dedup.clean(records(), marker=("foot=x",))
    assert str(wrong.value).startswith("--marker: 'foot=x' is not ROLE=WORDS; roles are header,")
