"""Residue glued to prose: only that part goes, and only where a source has it as a habit."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dedup
from dedup.text.arabic import part_span, tokens

SEEDS = Path(__file__).parents[1] / "seeds"
TAGS = [
    "الميناء",
    "الأسواق",
    "البلدية",
    "الزراعة",
    "المدارس",
    "الطرق",
    "المياه",
    "الرياضة",
    "السياحة",
    "الكهرباء",
]


VERBS = ["افتتح", "أعلن", "كشف", "ناقش", "رفض", "بحث", "أطلق", "نفى", "أنهى", "وقع"]
NOUNS = (
    "مجلس وزارة فريق نادي شركة لجنة مدير رئيس مشروع طريق جسر مصنع موسم سوق مدرسة بلدة "
    "وادي نهر حي متحف مسرح قطار ميناء حقل بئر سد مزرعة معرض كتاب لوحة قصيدة رواية "
    "شاعر معلم طبيب عامل بائع"
)
LINKS = ["في", "من", "على", "إلى", "عن", "مع", "بعد", "قبل"]


def made_up(count):
    """Articles of random words, enough of them to know what paragraphs begin with."""
    rng, nouns = random.Random(5), NOUNS.split()

    def line():
        words = [rng.choice(VERBS)]
        for _ in range(9):
            words += [rng.choice(nouns), rng.choice(LINKS), rng.choice(nouns)]
        return " ".join(words) + "."

    return [[line() for _ in range(3)] for _ in range(count)]


def articles():
    """Prose of the seeds, three lines of each article that has so many."""
    with (SEEDS / "outlets.jsonl").open(encoding="utf-8") as file:
        rows = list(map(json.loads, file))
    bodies = []
    for row in rows:
        lines = [x for x in (row.get("text") or row["maintext"]).split("\n") if x.endswith(".")]
        lines = [line for line in lines if len(line) > 90]
        if len(lines) >= 3:
            bodies.append(lines[:3])
    return bodies


def tags(number):
    return [TAGS[(number * k + k) % len(TAGS)] for k in range(1, 4)]


GLUES = {
    "a line that asks to follow": (lambda n: "", lambda n: " تابعوا صفحة المرسى على فيسبوك"),
    "without a space": (lambda n: "", lambda n: "تابعوا صفحة المرسى على فيسبوك"),
    "a list of tags": (lambda n: "", lambda n: " " + " ".join(tags(n))),
    "tags with marks": (lambda n: "", lambda n: " " + "، ".join(tags(n))),
    "tags without a space": (lambda n: "", lambda n: "#" + " #".join(tags(n))),
}


@pytest.mark.parametrize("name", GLUES)
def test_the_glued_part_goes_and_nothing_else(name):
    before, behind = GLUES[name]
    records = []
    for n, (first, *middle, last) in enumerate(articles()):
        text = "\n".join([before(n) + first, *middle, last + behind(n)])
        records.append({"id": str(n), "source": "المرسى", "text": text})
    result = dedup.clean(records)
    gone = {}
    for row in result.removals:
        if row["evidence"]["rule"].startswith("glued"):
            gone.setdefault(row["id"], []).append(row["text"].strip())
            assert row["kind"] == "boilerplate"
            assert row["evidence"]["stories"] >= 5
    whole = [str(n) for n in range(len(records))]
    wanted = {n: [x for x in (before(int(n)).strip(), behind(int(n)).strip()) if x] for n in whole}
    duplicated = {row["id"] for row in result.removals if row["kind"] == "duplicate"}
    for n in set(whole) - duplicated:
        assert gone.get(n) == wanted[n], n
    assert len(duplicated) < len(whole) / 2


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("buttons", ["السابق التالي", "تكبير الصورة ×", "السابق التالي إغلاق"])
def test_buttons_before_the_prose_go(buttons, every):
    records = []
    for n, (first, *rest) in enumerate(made_up(200)):
        before = f"{buttons} " if n % every == 0 else ""
        text = "\n".join([before + first, *rest])
        records.append({"id": str(n), "source": "المرسى", "text": text})
    gone = {row["id"]: row["text"].strip() for row in dedup.clean(records).removals}
    assert gone == {str(n): buttons for n in range(0, 200, every)}


def test_bulletins_that_begin_alike_stay():
    """What the same words begin every day is not told from prose by that alone."""
    records = [
        {"id": str(n), "source": "المرسى", "text": f"سجلت وزارة الصحة {n * 7} إصابة. {line} {rest}"}
        for n, (line, rest, _) in enumerate(made_up(60))
    ]
    rules = {row["evidence"]["rule"] for row in dedup.clean(records).removals}
    assert "glued" not in rules


@pytest.mark.parametrize(
    "closing",
    [
        "وتشهد المنطقة منذ أعوام موجات جفاف متتالية.",  # background that closes many stories
        "بحسب ما ذكرت الوكالة",
        "في بيان نشرته البلدية",
    ],
)
def test_prose_stays(closing):
    """A clause of prose that ends some stories, here and there without its full stop."""
    records = []
    for n, lines in enumerate(articles()):
        text = "\n".join([*lines[:2], lines[2][:-1] + "، " + closing if n % 4 == 0 else lines[2]])
        inner = [closing.rstrip(".") + "، " + lines[1], lines[2]]
        records.append({"id": str(n), "source": "المرسى", "text": text})
        if n % 5 == 0:
            records.append({"id": f"{n}b", "source": "المرسى", "text": "\n".join(inner)})
    rules = {row["evidence"]["rule"] for row in dedup.clean(records).removals}
    assert not any(rule.startswith("glued") for rule in rules)


def test_datelines_stay():
    records = [
        {"id": str(n), "source": "المرسى", "text": "\n".join(["المرسى (وكالات) - " + first, *rest])}
        for n, (first, *rest) in enumerate(articles())
    ]
    rules = {row["evidence"]["rule"] for row in dedup.clean(records).removals}
    assert "glued" not in rules


words = st.lists(
    st.text("ابتثجحخ", min_size=1, max_size=5)
    | st.sampled_from(["قَالَ", "كـتاب", "ﷺ", "12", "AFP", "ا‍ل"]),
    min_size=2,
    max_size=12,
)


@settings(deadline=None)
@given(words, st.sampled_from([" ", "، ", " - ", ". ", "\u200f "]), st.data())
def test_part_span(parts, between, data):
    text = between.join(parts)
    total = len(tokens(text))
    size = data.draw(st.integers(1, max(1, total - 1)))
    for at_tail in (False, True):
        start, end = part_span(text, 0, len(text), size, at_tail)
        assert 0 <= start < end <= len(text)
        assert (end == len(text)) if at_tail else (start == 0)
        part, rest = tokens(text[start:end]), tokens(text[:start] + text[end:])
        assert len(part) >= min(size, total)
        assert (rest + part if at_tail else part + rest) == tokens(text)
