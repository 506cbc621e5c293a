"""Encodings: found out, told, and text read in the wrong one mended where that gains letters."""

from __future__ import annotations

import gzip
import json
import sys

import ftfy
import pytest
from ftfy import bad_codecs
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup.formats import encodings

assert bad_codecs  # gives "sloppy-windows-1252"
TEXTS = (
    "افتتحت بلدية المرسى سوقا جديدا للخضار قرب الميناء القديم، وحضر الافتتاح عشرات الباعة.",
    "وقال رئيس البلدية إن السوق يضم ستين محلا للخضار والفاكهة وموقفا واسعا للشاحنات.",
    "أحرز نسور الواحة كأس كرة القدم بعد مباراة انتهت بركلات الترجيح أمام جمهور كبير.",
    "مركب أزرق يعود إلى ميناء المرسى",
)
LAID_OUT = (  # a line as it is read, in presentation forms, in visual order
    "افتتحت البلدية سوقا جديدا (للخضار) عام 2023 قرب Al-Marsa بنسبة 12.5% لأهلها.",
    "ﺍﻓﺘﺘﺤﺖ ﺍﻟﺒﻠﺪﻳﺔ ﺳﻮﻗﺎ ﺟﺪﻳﺪﺍ (ﻟﻠﺨﻀﺎﺭ) ﻋﺎﻡ 2023 ﻗﺮﺏ Al-Marsa ﺑﻨﺴﺒﺔ 12.5% ﻷﻫﻠﻬﺎ.",
    ".ﺎﻬﻠﻫﻷ %12.5 ﺔﺒﺴﻨﺑ Al-Marsa ﺏﺮﻗ 2023 ﻡﺎﻋ )ﺭﺎﻀﺨﻠﻟ( ﺍﺪﻳﺪﺟ ﺎﻗﻮﺳ ﺔﻳﺪﻠﺒﻟﺍ ﺖﺤﺘﺘﻓﺍ",
)
HEBREW = "השוק החדש נפתח בעיר ביום שישי בבוקר, ורבים מן התושבים הגיעו לקנות ירקות."
FRENCH = "Le marché du village a ouvert ses portes à l'été, après des mois de travaux; c'était là."
RUSSIAN = "Новый рынок открылся в городе в пятницу утром, жители пришли за овощами."
CHINESE = "村里的新市场星期五早上开张了，许多居民来买蔬菜和水果。"


def lines(texts, **how):
    rows = [{"id": str(n), "text": text} for n, text in enumerate(texts)]
    return "".join(json.dumps(row, ensure_ascii=False, **how) + "\n" for row in rows)


def texts_of(result):
    return [row["text"] for row in result]


ENCODINGS = {
    "utf-8": None,
    "utf-8-sig": None,
    "utf-16": "UTF-16, by its byte order mark",
    "utf-16-le": "UTF-16, by its zero bytes",
    "utf-16-be": "UTF-16, by its zero bytes",
    "utf-32": "UTF-32, by its byte order mark",
    "cp1256": "cp1256, by its letters",
    "iso8859-6": "iso8859-6, by its letters",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_are_found_out_and_told(tmp_path, encoding, packed):
    data = lines(TEXTS).encode(encoding)
    path = tmp_path / ("in.jsonl.gz" if packed else "in.jsonl")
    path.write_bytes(gzip.compress(data) if packed else data)
    result = dedup.clean(path, tmp_path / "o.jsonl")
    assert texts_of(result) == list(TEXTS)
    said = ENCODINGS[encoding]
    assert [what.startswith(f"{path}: {said}") for what in result.counts.encodings] == (
        [True] if said else []
    )
    dedup.restore(tmp_path / "o.jsonl", tmp_path / "back.jsonl")
    back = [json.loads(line)["text"] for line in (tmp_path / "back.jsonl").open(encoding="utf-8")]
    assert back == list(TEXTS)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(HEBREW, "cp1255"), (FRENCH, "cp1252"), (RUSSIAN, "cp1251"), (CHINESE, "gb18030")],
)
def test_other_scripts_come_through(tmp_path, text, encoding):
    many = [f"{n} {text}" for n in range(5)]
    for name in ("utf-8", "utf-16", "utf-16-be", encoding):
        (tmp_path / "in.jsonl").write_bytes(lines(many).encode(name))
        result = dedup.clean(tmp_path / "in.jsonl", repair=True)
        assert texts_of(result)[0] == many[0], name


SECOND = {
    HEBREW: "קבוצת הכדורגל זכתה בגביע אחרי משחק שהוכרע בבעיטות עונשין מול קהל גדול.",
    FRENCH: "L'équipe de football a remporté la coupe après une séance de tirs au but.",
    RUSSIAN: "Футбольная команда выиграла кубок в серии пенальти перед полным стадионом.",
    CHINESE: "足球队在点球大战后赢得了奖杯，现场有大批观众为他们欢呼。",
}


@pytest.mark.parametrize("text", SECOND)
def test_other_scripts_are_said_once(text):
    rows = [
        {"id": "a", "source": "a", "text": text},
        {"id": "b", "source": "b", "text": f"{SECOND[text]}\n\n{text}"},
        {"id": "c", "source": "c", "text": SECOND[text]},
    ]
    result = dedup.clean(rows)
    assert [(row["id"], row["text"]) for row in result] == [("a", text), ("b", SECOND[text])]
    assert {row["kind"] for row in result.removals} == {"duplicate", "blank"}


def test_a_raw_dump_in_windows_1256(tmp_path):
    (tmp_path / "in.txt").write_bytes("\n".join(TEXTS).encode("cp1256"))
    result = dedup.clean(tmp_path / "in.txt")
    assert "\n".join(texts_of(result)) == "\n".join(TEXTS)


def test_an_encoding_by_name(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(lines(TEXTS).encode("mac-arabic", "ignore"))
    result = dedup.clean(tmp_path / "in.jsonl", encoding="mac-arabic")
    assert texts_of(result) == list(TEXTS)
    with pytest.raises(dedup.ConfigError, match="--encoding: 'viel' is no encoding; try windows"):
        dedup.Config(encoding="viel")


def test_a_few_bad_bytes_are_a_bad_line_and_no_encoding(tmp_path):
    bad = lines(["قصير"]).encode("cp1256")
    (tmp_path / "in.jsonl").write_bytes(lines(TEXTS * 5).encode() + bad)
    result = dedup.clean(tmp_path / "in.jsonl")
    assert (result.counts.rejected, result.counts.encodings) == (1, [])


def test_bytes_that_mean_nothing_are_a_bad_line(tmp_path):
    data = lines(TEXTS).encode("iso8859-6").splitlines()
    data.insert(2, b'{"text":"\xff\xfe"}')
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(data))
    result = dedup.clean(tmp_path / "in.jsonl")
    assert texts_of(result) == list(TEXTS)
    assert [row["line"] for row in result.rejected] == [3]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1256"])
def test_a_cut_off_file_in_another_encoding(tmp_path, encoding):
    many = [f"{text} {n * 7919}" for n in range(9000) for text in TEXTS[:1]]
    packed = gzip.compress(lines(many).encode(encoding))
    (tmp_path / "in.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    result = dedup.clean(tmp_path / "in.jsonl.gz")
    assert result.counts.records > 3000
    assert [row["reason"] for row in result.rejected][-1].startswith("the compressed file is cut")


def test_without_chardet_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "chardet", None)
    latin = b'{"text":"a record in ASCII"}\n'
    (tmp_path / "in.jsonl").write_bytes(latin + lines(TEXTS).encode("cp1256"))
    result = dedup.clean(tmp_path / "in.jsonl")
    assert result.counts.encodings == [
        f"{tmp_path / 'in.jsonl'}: not UTF-8; name it with --encoding, or have it found out: "
        "pip install 'newsdedup[encodings]'"
    ]
    assert result.counts.rejected == len(TEXTS)


def test_without_ftfy_nothing_is_mended_and_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ftfy", None)
    (tmp_path / "in.jsonl").write_bytes(lines(TEXTS).encode())
    with pytest.raises(dedup.InputError) as error:
        dedup.clean(tmp_path / "in.jsonl", repair=True)
    assert str(error.value) == (
        "--repair needs ftfy and python-bidi; try: pip install 'newsdedup[encodings]'"
    )


DAMAGE = {
    "UTF-8 read as windows-1252": lambda text: text.encode().decode("sloppy-windows-1252"),
    "UTF-8 read as windows-1252, twice": lambda text: (
        text.encode().decode("sloppy-windows-1252").encode().decode("sloppy-windows-1252")
    ),
    "windows-1256 read as windows-1252": lambda text: text.encode("cp1256").decode(
        "sloppy-windows-1252"
    ),
    "UTF-8 read as windows-1256": lambda text: text.encode().decode("cp1256"),
}


@pytest.mark.parametrize(
    ("damage", "escaped"),
    [(damage, False) for damage in DAMAGE] + [(d, True) for d in DAMAGE if not d.endswith("1256")],
)
def test_text_read_in_the_wrong_encoding(tmp_path, damage, escaped):
    wrong = [DAMAGE[damage](text) for text in TEXTS * 3]
    rows = [{"id": n, "tags": [text], "text": text} for n, text in enumerate(wrong)]
    good = {"id": "good", "text": f"{TEXTS[3]} {FRENCH}"}
    data = [json.dumps(row, ensure_ascii=escaped) for row in (*rows, good)]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(data), encoding="utf-8")
    result = dedup.clean(path, keep="mark")
    assert texts_of(result) == [*wrong, good["text"]], "told, not touched"
    assert result.counts.encodings == [f"{path}: {damage} in 12 lines; mend them with --repair"]
    result = dedup.clean(path, tmp_path / "o.jsonl", keep="mark", repair=True)
    assert texts_of(result) == [*TEXTS * 3, good["text"]]
    assert next(iter(result))["tags"] == [TEXTS[0]]
    assert result.counts.encodings == [f"{path}: {damage} in 12 lines; mended"]


def test_iso_8859_1_and_a_dump(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("\n".join(TEXTS).encode().decode("latin-1"), encoding="utf-8", newline="")
    result = dedup.clean(path, repair=True)
    assert "\n".join(texts_of(result)) == "\n".join(TEXTS)


@pytest.mark.parametrize(
    "text",
    [*TEXTS, *LAID_OUT[:2], HEBREW, FRENCH, RUSSIAN, CHINESE,
     "Él está aquí: ¿qué más? Ñandú, piñón, año.",
     "Große Übung für ältere Bürger: öffentliche Straße", "ÀÉÎÕÜ", "§ 5 ط", "ظظظ", "", "é" * 9],
)  # fmt: skip
def test_text_that_is_right_stays(text):
    assert encodings.damage_of(text) == ""
    assert encodings.mend(text, ftfy.fix_encoding) == text


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("kind", [".jsonl", ".txt"])
def test_presentation_forms_in_visual_order(tmp_path, escaped, kind):
    plain, forms, visual = LAID_OUT
    for text, told in ((forms, []), (visual, ["Arabic stored in visual order in 1 lines; "])):
        path = tmp_path / f"in{kind}"
        row = {"id": 1, "n": 12345678901234567890123, "f": 1.50, "text": text}
        data = text if kind == ".txt" else json.dumps(row, ensure_ascii=escaped)
        path.write_text(data + "\n", encoding="utf-8")
        result = dedup.clean(path)
        assert texts_of(result) == [text + "\n" * (kind == ".txt")], "told, not touched"
        assert result.counts.encodings == [f"{path}: {w}mend them with --repair" for w in told]
        result = dedup.clean(path, tmp_path / "o.jsonl", repair=True)
        assert texts_of(result) == [forms + "\n" * (kind == ".txt")]
        if kind == ".jsonl":
            assert '"n":12345678901234567890123,' in (tmp_path / "o.jsonl").read_text().replace(
                " ", ""
            )
    both = [{"id": "a", "text": plain}, {"id": "b", "text": visual}]
    path.with_suffix(".jsonl").write_text("\n".join(map(json.dumps, both)))
    assert [row["id"] for row in dedup.clean(path.with_suffix(".jsonl"), repair=True)] == ["a"]


def test_mending_leaves_numbers_and_names_as_they_were_written():
    line = (
        b'{"\xc3\x98\xc2\xa7" : 1, "n": 12345678901234567890123, "f": 1.50e+01,  "x": "\\u0061",'
        b' "text": "%s"}'
    ) % DAMAGE["UTF-8 read as windows-1252"](TEXTS[0]).encode()
    (mended,) = encodings.Mender(True).mended(iter([line]))
    assert mended == line.replace(
        DAMAGE["UTF-8 read as windows-1252"](TEXTS[0]).encode(), TEXTS[0].encode()
    )


@given(st.text())
def test_mending_never_loses_arabic_letters(text):
    mended = encodings.mend(text, ftfy.fix_encoding)
    assert mended == text or encodings._arabic(mended) > encodings._arabic(text)
