"""Stories: records that tell the same get one story, however they were changed on the way."""

from __future__ import annotations

import pytest

import dedup

STORY = (
    "افتتح مجلس البلدية اليوم سوق الخضار الجديد بعد ثلاث سنوات من أعمال البناء في الحي الشرقي.",
    "وقال رئيس المجلس إن السوق يضم مئتي متجر وموقفا للسيارات يتسع لألف سيارة في اليوم الواحد.",
    "وأضاف أن الإيجارات ستبقى كما كانت في السوق القديم حتى نهاية العام المقبل على الأقل.",
    "وشكا بعض الباعة من بعد السوق عن وسط المدينة ومن قلة الحافلات التي تصل إليه صباحا.",
)
MORE = "ومن المقرر أن ينقل المجلس سوق السمك إلى المبنى نفسه في الربيع المقبل وفق بيان لاحق."
OTHERS = (
    "أعلن نادي القوارب الشراعية مواعيد سباق الربيع الذي يجمع عشرين فريقا من مدن الساحل.",
    "وتنطلق المرحلة الأولى من الميناء القديم وتنتهي عند رأس الجبل بعد أربع ساعات من الإبحار.",
)


def stories(*texts, **settings):
    rows = [{"id": f"r{n}", "source": f"s{n}", "text": text} for n, text in enumerate(texts)]
    result = dedup.clean(rows, **settings)
    told = {row["id"]: row["dedup"] for row in [*result, *result.dropped]}
    return [told[row["id"]]["story"] for row in rows]


def lines(*parts):
    return "\n".join(parts)


@pytest.mark.parametrize(
    "other",
    [
        lines(*STORY),
        lines("عاجل: سوق جديد للخضار", *STORY),
        lines(*STORY, MORE),
        lines(STORY[0], MORE, *STORY[1:]),
        lines(*STORY[:2]),  # a short version inside a long one
        lines(*STORY).replace("اليوم", "أمس", 1),
        lines(*STORY).replace("أن", "ان").replace("إلى", "الى").replace("البلدية", "البلديه"),
        lines(*STORY).replace(" ", "  ").replace("مئتي", "مِئَتي"),
        lines(*STORY[:3], *OTHERS[:1]),
    ],
)
def test_one_story(other):
    assert stories(lines(*STORY), other) == ["r0", "r0"]
    assert stories(other, lines(*STORY)) == ["r0", "r0"]


@pytest.mark.parametrize(
    "other",
    [
        lines(*OTHERS),
        lines(*OTHERS, STORY[3]),  # one paragraph of background makes no story
        lines(*reversed(STORY[:2]), *OTHERS, MORE),
    ],
)
def test_another_story(other):
    assert stories(lines(*STORY), other) == ["r0", "r1"]


def test_a_story_leads_to_no_chain():
    first, second = lines(*STORY[:2], *OTHERS), lines(*STORY)
    third = lines(*STORY[2:], MORE)
    assert stories(second, third, first)[1:] != ["r1", "r1"]


VERSIONS = (lines(*STORY), lines(STORY[0].replace("اليوم", "أمس"), *STORY[1:], MORE))


@pytest.mark.parametrize("keep", ["first", "longest"])
def test_a_story_is_said_once_and_what_was_added_stays(keep):
    rows = [{"id": "early", "text": VERSIONS[0]}, {"id": "late", "text": VERSIONS[1]}]
    result = dedup.clean(rows, keep=keep)
    said = {row["id"]: row for row in [*result, *result.dropped]}
    assert said["late"]["dedup"]["story_size"] == 2
    assert said["late"]["text"] == (VERSIONS[1] if keep == "longest" else MORE)
    assert said["early"]["text"] == ("" if keep == "longest" else VERSIONS[0])
    assert said["early"]["dedup"]["duplicate_of"] == ("late" if keep == "longest" else None)


@pytest.mark.parametrize("keep", ["all", "mark"])
def test_versions_can_all_stay_and_are_marked(keep):
    rows = [{"id": "early", "text": VERSIONS[0]}, {"id": "late", "text": VERSIONS[1]}]
    result = list(dedup.clean(rows, keep=keep))
    assert [row["text"] for row in result] == list(VERSIONS)
    assert [row["dedup"]["duplicate_of"] for row in result] == [None, "early"]


def test_all_still_removes_what_stands_in_other_stories():
    rows = [{"id": str(n), "text": text} for n, text in enumerate(VERSIONS)]
    rows.append({"id": "other", "text": lines(*OTHERS, MORE)})
    removed = [(r["id"], r["text"].strip()) for r in dedup.clean(rows, keep="all").removals]
    assert [r for r in removed if r[1]] == [("other", MORE)]
    assert not list(dedup.clean(rows, keep="mark").removals)
