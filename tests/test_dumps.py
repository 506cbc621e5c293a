"""Cutting raw dumps into articles."""

from __future__ import annotations

import pytest

from dedup.text import lexicon
from dedup.text.dumps import cut_articles

STORIES = {
    "سوق جديد للخضار قرب ميناء المرسى القديم": [
        "افتتحت بلدية المرسى سوقا جديدا للخضار قرب الميناء القديم، وحضر الافتتاح عشرات الباعة.",
        "وقال رئيس البلدية إن السوق يضم ستين محلا للخضار والفاكهة وموقفا واسعا للشاحنات.",
        "ويأمل باعة الميناء أن يجذب السوق سكان الأحياء البعيدة في أيام العطل.",
    ],
    "نسور الواحة يحرزون الكأس بركلات الترجيح": [
        "أحرز نسور الواحة كأس كرة القدم بعد مباراة انتهت بركلات الترجيح أمام جمهور كبير.",
        "وسجل المهاجم سامي بدر هدف التعادل في الدقيقة الأخيرة من زمن المباراة الأصلي.",
        "واحتفل اللاعبون مع أنصارهم في ساحة المدينة حتى ساعة متأخرة من الليل.",
    ],
    "المكتبة العامة توزع ألف كتاب على مدارس الريف": [
        "بدأت المكتبة العامة توزيع ألف كتاب على مدارس الريف في حملة تستمر طوال الشتاء.",
        "وتقول أمينة المكتبة إن كل مدرسة تختار عناوين الكتب التي يحتاج إليها تلاميذها.",
        "ويوصل متطوعون الصناديق بسياراتهم إلى القرى التي لا تصل إليها الحافلات.",
    ],
    "مهندسون يرممون الجسر الحجري في وادي النحل": [
        "أنهى مهندسون ترميم الجسر الحجري في وادي النحل الذي بني قبل أكثر من مئتي عام.",
        "وأعيدت حجارة الجسر إلى أماكنها واحدا واحدا بعد أن رقمها العمال ونظفوها.",
        "وسيفتح الجسر أمام المشاة وحدهم، أما السيارات فستسلك الطريق الجديد.",
    ],
}


def cut(text):
    blocks, articles = cut_articles(text, lexicon.load())

    def words(block):
        return text[blocks.start[block] : blocks.end[block]] if block >= 0 else None

    return [(words(a.title), words(a.byline)) for a in articles]


def dump(credits, gap="\n\n", extra=()):
    lines = []
    for (title, body), credit in zip(STORIES.items(), credits, strict=True):
        lines += [title, *([credit] if credit else []), *body, *extra]
    return gap.join(lines) + "\n"


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n\u00a0\n", "\r\n"])
@pytest.mark.parametrize(
    "credits",
    [
        ["وكالات_ نبأ نت", "متابعات _ نبأ نت", "وكالات _ نبأ نت", "وكالات_ صوت الجبل"],
        ["المرسى - وكالة الأفق", "الواحة - وكالة الأفق", "العاصمة - وكالة الأفق", "الوادي - خاص"],
        ["كتب: سالم حمد", "كتب: هدى ناصر", "كتبت: ريم بدر", "كتب: علي عمر"],
        ["فريق التحرير"] * 4,
        [None, "خدمة الأخبار", "خدمة الأخبار", "خدمة الأخبار"],
        [None] * 4,
    ],
)
def test_headlines_and_credit_lines(credits, gap):
    assert cut(dump(credits, gap)) == list(zip(STORIES, credits, strict=True))


def test_related_links_are_no_headlines():
    extra = ["ذات صلة", "حافلات ليلية بين الجامعة ومحطة القطار", "سلحفاة ضخمة في خليج الرمل"]
    assert [title for title, _ in cut(dump([None] * 4, extra=extra))] == list(STORIES)


def test_subheadings_are_no_headlines():
    lines = []
    for title, body in STORIES.items():
        lines += [title, "خدمة الأخبار", body[0], "تفاصيل أخرى عن " + body[1].split()[1], *body[1:]]
    assert [title for title, _ in cut("\n".join(lines))] == list(STORIES)


def test_one_article_is_one_article():
    title, body = next(iter(STORIES.items()))
    assert cut("\n\n".join([title, *body])) == [(title, None)]


def test_text_without_a_headline_is_one_article():
    body = next(iter(STORIES.values()))
    assert cut("\n".join(body)) == [(None, None)]


@pytest.mark.parametrize("text", ["", "\n \u00a0\n", "\u200f"])
def test_nothing_is_nothing(text):
    assert cut(text) == []


def test_articles_cover_all_blocks():
    blocks, articles = cut_articles(dump([None] * 4), lexicon.load())
    assert [a.first for a in articles[1:]] == [a.end for a in articles[:-1]]
    assert (articles[0].first, articles[-1].end) == (0, blocks.key.size)
