"""Judging, by cases written as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dedup

CASES = Path(__file__).parent / "cases" / "judge.jsonl"


def cases():
    with CASES.open(encoding="utf-8") as file:
        return [pytest.param(case, id=case["why"]) for case in map(json.loads, file)]


def kinds(result, record):
    """The kind that each line of a record was removed as."""
    out, at = [], 0
    removals = [r for r in result.removals if r["id"] == record["id"]]
    for line in record["text"].split("\n"):
        hit = [r["kind"] for r in removals if r["start"] <= at < r["end"] and r["kind"] != "blank"]
        out.append(hit[0] if hit else None)
        at += len(line) + 1
    return out


@pytest.mark.parametrize("case", cases())
def test_case(case):
    result = dedup.clean(case["records"])
    record = next(r for r in case["records"] if r["id"] == case["check"])
    assert kinds(result, record) == case["kinds"]


@pytest.mark.parametrize("case", cases())
def test_every_removal_gives_its_reason(case):
    for removal in dedup.clean(case["records"]).removals:
        assert removal["kind"] in ("duplicate", "related", "byline", "boilerplate", "blank")
        assert removal["evidence"]["rule"]
        assert (removal["match"] is None) == (removal["kind"] != "duplicate")


def article(number, lines):
    return {"id": str(number), "source": "s", "title": f"عنوان رقم {number}", "text": lines}


def many(extra):
    """A hundred and twenty articles with a subheading each, and some more."""
    out = []
    for n in range(120):
        own = f"الملعب{n} المرفأ{n} الجسر{n}"
        out.append(
            article(
                n,
                f"تستعد البلدة رقم {n} لافتتاح {own} بعد أعمال استمرت سنوات طويلة في الحي.\n"
                f"أعمال {own} تنتهي\n"
                f"وقال العمدة إن {own} ستفتح أبوابها للجميع بعد أن تنتهي الأعمال كلها هذا الصيف.",
            )
        )
    return out + extra


HEADLINE = "الشرطة تفتح طريق الساحل القديم"
LEAD = "فتحت الشرطة طريق الساحل القديم أمام السيارات بعد إغلاق دام أسبوعين بسبب السيول الجارفة."


def test_a_subheading_may_be_a_headline_by_chance():
    other = {"id": "x", "source": "s", "title": HEADLINE, "text": LEAD}
    text = (
        "تعود الحياة إلى البلدات الساحلية بعد السيول التي أغرقت الحقول والمتاجر هذا الشتاء.\n"
        f"{HEADLINE}\n"
        "وكان طريق الساحل مغلقا منذ أسبوعين، وقالت الشرطة إن السيارات الصغيرة تعبره من اليوم."
    )
    record = {"id": "y", "source": "s", "title": "حياة الساحل", "text": text}
    assert kinds(dedup.clean(many([other, record])), record) == [None, None, None]
    few = many([other, record])[-12:]  # too few headings to tell chance from custom
    assert kinds(dedup.clean(few), record) == [None, "related", None]


def test_one_lead_at_the_end_is_no_teaser_where_hardly_a_record_ends_so():
    other = {"id": "x", "source": "s", "title": HEADLINE, "text": f"{LEAD}\nوانتهت الأعمال ليلا."}
    text = (
        "تعود الحياة إلى متاحف العاصمة بعد ترميم دام سنتين كاملتين وشمل القاعات الشرقية كلها.\n"
        f"وقال المدير إن الزوار سيجدون لوحات لم تعرض من قبل في هذا المتحف الصغير.\n{LEAD}"
    )
    record = {"id": "y", "source": "s", "title": "متاحف العاصمة", "text": text}
    assert "related" not in kinds(dedup.clean(many([other, record])), record)
    assert kinds(dedup.clean(many([other, record])[-6:]), record)[2] == "related"


MENU = ("مركز الأخبار", "صفحات الرأي", "دليل الطقس")


@pytest.mark.parametrize(("pages", "goes"), [(40, True), (16, True), (4, False)])
def test_a_menu_goes_wherever_it_stands(pages, goes):
    """A line of debris that no other page has stands before it, so that it is at no edge."""
    rows = []
    for n in range(40):
        debris = f"صفحة{n} أرشيف{n} شبكة{n} طابع{n}\n" if n % 2 else ""
        menu = "".join(f"{line}\n" for line in MENU) if n < pages else ""
        own = f"البلدة{n} الملعب{n} المرفأ{n}"
        text = f"{debris}{menu}تستعد {own} لافتتاح السوق بعد أعمال طويلة دامت أعواما عدة في الحي."
        rows.append({"id": str(n), "source": "s", "text": text})
    found = kinds(dedup.clean(rows), rows[1])
    assert found[:4] == [None, *["boilerplate" if goes else None] * len(MENU)]
