"""What people set for sites of their own, by flags and in a file."""

from __future__ import annotations

import json

import pytest

import dedup
from dedup.cli import main
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
        ("threshold = nan", "--threshold: nan is not between 0.3 and 1.0; try 0.7"),
        ("threshold = -1e999", "--threshold: -inf is not between 0.3 and 1.0; try 0.7"),
        (f"seed = {'9' * 400}",
         f"--seed: {'9' * 60}… is not between 0 and 4294967295; try 1"),
        (f"seed = 0x{'f' * 5000}",
         "--seed: such a int is not between 0 and 4294967295; try 1"),
        (f"memory = '{'9' * 400}G'",
         f"--memory: '{'9' * 59}… is not a size of 512M or more; try 800M or 2G"),
        ("threshold = 2024-01-01",
         "--threshold: datetime.date(2024, 1, 1) is not a float; the default is 0.7"),
        ("workers = true", "--workers: True is not a int; the default is 1"),
        *((f"encoding = '{name}'", f"--encoding: '{name}' is no encoding; try windows-1256")
          for name in ("base64", "rot13", "idna", "punycode", "undefined", "x" * 50)),
        ('encoding = "\\u0000"', "--encoding: '\\x00' is no encoding; try windows-1256"),
        ("[markers]\nheader = [1]", "[markers]: a line is NAME = [WORDS, ...]; such as "
         'header = ["تابعونا على"]'),
        ('marker = "x"\n[markers]\nheader = ["y"]', "--marker: 'x' is not a list of strings"),
        ("a = " + "[" * 50_000, "lists or tables too deep in each other"),
        ("a = " + "{a=" * 3000 + "1" + "}" * 3000, "lists or tables too deep in each other"),
        ("#" * ((1 << 20) + 1), "more than 1,048,576 bytes; a file of settings is short"),
        ("threshold = 0.8\0",
         "not TOML: Expected newline or end of document after a statement (at line 1, column 16)"),
    ],
)  # fmt: skip
def test_what_a_file_says_wrong_is_told(tmp_path, text, said):
    path = tmp_path / "dedup.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(dedup.ConfigError) as wrong:
        config_of(path)
    assert str(wrong.value) == f"{path}: {said}"


@pytest.mark.parametrize("data", [bytes(range(256)), "threshold = 0.8".encode("utf-16")])
def test_a_file_that_is_no_text_is_told(tmp_path, data):
    (tmp_path / "dedup.toml").write_bytes(data)
    with pytest.raises(dedup.ConfigError, match=r"dedup\.toml: not UTF-8; save it as UTF-8$"):
        config_of(tmp_path / "dedup.toml")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "dedup.toml").write_bytes(b"\xef\xbb\xbfthreshold = 1\r\n")
    assert str(config_of(tmp_path / "dedup.toml").threshold) == "1.0"


def test_a_number_of_thousands_of_digits_in_a_file(tmp_path):
    (tmp_path / "dedup.toml").write_text(f"threshold = {'9' * 5000}")
    with pytest.raises(dedup.ConfigError, match=r"too many digits|is not between 0.3 and 1.0"):
        config_of(tmp_path / "dedup.toml")


@pytest.mark.parametrize(
    "arguments",
    [
        *(("clean", "in.jsonl", "-o", "o.jsonl", flag, value)
          for flag in ("--threshold", "--seed", "--shingle", "--workers", "--memory")
          for value in ("nan", "1e999", "9" * 400, "9" * 6000, "", "x")),
        *(("explain", "o.jsonl", "a", "--block", value) for value in ("nan", "9" * 6000)),
        *(("check", "in.jsonl", "--show", value) for value in ("nan", "1e999", "-" + "9" * 400)),
        *(("index", "prune", "no.db", "--older-than", value)
          for value in ("nan", "9" * 400 + "d", "1e999d", "")),
        ("clean", "in.jsonl", "-o", "o.jsonl", "--config", "/dev/zero"),
        ("clean", "in.jsonl", "-o", "o.jsonl", "--overrides", "/dev/zero"),
    ],
)  # fmt: skip
def test_no_number_is_more_than_a_line(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text('{"text": "x"}\n')
    if arguments[-1] == "" and "--memory" in arguments:
        arguments = (*arguments[:-1], " ")
    try:
        code = main(list(arguments))
    except SystemExit as end:
        code = end.code
    told = capsys.readouterr()
    assert (code, told.out, told.err.count("\n")) == (2, "", 1)
    assert told.err.startswith("dedup: ")
    assert len(told.err) < 300
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_marker_of_no_role_is_told():
    with pytest.raises(dedup.ConfigError) as wrong:
        dedup.clean(records(), marker=("foot=x",))
    assert str(wrong.value).startswith("--marker: 'foot=x' is not ROLE=WORDS; roles are header,")
