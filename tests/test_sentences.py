"""Passages of sentences inside blocks that differ: found, verified, and nothing else goes."""

from __future__ import annotations

import pytest

import dedup

OPENING = "افتتح مجلس البلدية صباح الأحد سوق الخضار الجديد بعد ثلاث سنوات من أعمال البناء."
SHOPS = "وقال رئيس المجلس إن السوق يضم مئتي متجر وموقفا للسيارات يتسع لألف سيارة."
RENTS = "وأضاف أن الإيجارات ستبقى كما كانت في السوق القديم حتى نهاية العام المقبل."
LIBRARY = "وتستعد المكتبة العامة لاستقبال معرض للمخطوطات القديمة يستمر حتى نهاية الشهر."
WATER = "شكا مزارعو الوادي من تأخر وصول مياه الري إلى بساتينهم في الأسبوعين الماضيين."
RACE = "أعلن نادي القوارب الشراعية مواعيد سباق الربيع الذي يجمع عشرين فريقا من الساحل."
PRIZE = "فازت طالبة من المدرسة الثانوية بالجائزة الأولى في مسابقة الخط العربي السنوية."


def run(*texts, **settings):
    rows = [{"id": f"r{n}", "text": text} for n, text in enumerate(texts)]
    return dedup.clean(rows, level="sentence", **settings)


def gone(result):
    return [(r["id"], r["text"].strip(), r["evidence"]["rule"]) for r in result.removals]


def texts(result):
    return [row["text"] for row in result]


def test_a_passage_within_a_block_goes_alone():
    shared = f"{SHOPS} {RENTS}"
    result = run(f"{OPENING} {shared} {LIBRARY}", f"{WATER} {shared} {RACE}")
    (row,) = result.removals
    assert row["text"].strip() == shared
    assert row["kind"] == "duplicate"
    assert row["similarity"] == 1.0
    assert row["evidence"] == {"rule": "sentences", "sentences": 2}
    there = f"{OPENING} {shared} {LIBRARY}"
    assert there[row["match"]["start"] : row["match"]["end"]].strip() == shared
    assert texts(result)[1] == f"{WATER} {RACE}"


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [("", RACE, RACE), (WATER, "", WATER), (WATER, RACE, f"{WATER} {RACE}")],
)
def test_what_is_left_has_no_loose_ends(before, after, left):
    other = " ".join(filter(None, (before, SHOPS, RENTS, after)))
    assert texts(run(f"{OPENING} {SHOPS} {RENTS}", other))[1] == left


def test_a_block_of_nothing_else_goes_whole():
    result = run(f"{OPENING} {SHOPS} {RENTS} {LIBRARY}", f"{WATER}\n{SHOPS} {RENTS}\n{RACE}")
    assert texts(result)[1] == f"{WATER}\n{RACE}"
    (row,) = result.removals
    assert row["text"] == f"{SHOPS} {RENTS}\n"
    assert result.counts.records == 2
    whole = list(result)[1]["dedup"]
    assert (whole["kept"], whole["removed"]) == (2, 1)


def test_other_paragraphs_tell_the_same_story():
    one = f"{OPENING} {SHOPS}\n{RENTS}\n{LIBRARY}"
    other = f"{OPENING}\n{SHOPS} {RENTS} {LIBRARY}"
    result = run(one, other)
    assert next(iter(result))["dedup"]["story_size"] == 2
    rows = [*result, *result.dropped]
    assert rows[1]["dedup"]["duplicate_of"] == "r0"


def test_words_changed_here_and_there_do_not_hide_a_passage():
    changed = f"{SHOPS} {RENTS}".replace("مئتي", "٢٠٠").replace("العام المقبل", "السنة")
    result = run(f"{OPENING} {SHOPS} {RENTS}", f"{WATER} {changed} {RACE}", threshold=0.5)
    (row,) = result.removals
    assert row["text"].strip() == changed
    assert 0.5 <= row["similarity"] < 1


@pytest.mark.parametrize(
    "other",
    [
        f"{WATER} {SHOPS} {RACE}",  # one sentence may be quoted anywhere
        f"{WATER} {RENTS} {SHOPS} {RACE}",  # in another order it is another text
        f"{WATER} قال المتحدث: «{SHOPS} {RENTS}» {RACE}",  # a quotation is not torn apart
        f"{WATER} صدق. صدق. {RACE}",
    ],
)
def test_this_stays(other):
    assert gone(run(f"{OPENING} {SHOPS} {RENTS} صدق. صدق. {LIBRARY}", other)) == []


def test_what_a_passage_repeats_stays():
    a, b, c = (f"{x} {SHOPS} {RENTS} {y}" for x, y in ((OPENING, PRIZE), (WATER, ""), (RACE, "")))
    result = run(a, b, c)
    assert [(r["id"], r["match"]["id"]) for r in result.removals] == [("r1", "r0"), ("r2", "r0")]
    assert SHOPS in texts(result)[0]


def test_a_record_may_repeat_itself():
    (text,) = texts(run(f"{OPENING} {SHOPS} {LIBRARY} {OPENING} {SHOPS} {RACE}"))
    assert text == f"{OPENING} {SHOPS} {LIBRARY} {RACE}"


@pytest.mark.parametrize("keep", ["all", "mark"])
def test_versions_that_all_stay_are_left_whole(keep):
    assert gone(run(f"{OPENING} {SHOPS} {RENTS}", f"{WATER} {SHOPS} {RENTS}", keep=keep)) == []


def test_the_longest_record_keeps_the_passage():
    result = run(f"{WATER} {SHOPS} {RENTS}", f"{OPENING} {SHOPS} {RENTS} {PRIZE}", keep="longest")
    assert texts(result)[0] == WATER


@pytest.mark.parametrize(
    ("joint", "compared"), [(" ", True), ("\n", False)], ids=["one block", "paragraphs"]
)
def test_sentences_are_compared_where_blocks_are_longer_than_paragraphs(joint, compared):
    all_of_it = (OPENING, SHOPS, RENTS, LIBRARY, WATER, RACE, PRIZE) * 2
    rows = [{"id": str(n), "text": joint.join((f"{n}{n} جديد", *all_of_it))} for n in range(3)]
    assert dedup.clean(rows).counts.sentences is compared
