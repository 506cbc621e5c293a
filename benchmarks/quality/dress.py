"""Dresses articles in page furniture, with known answers: outlets that nobody has seen.

Each manner is an outlet's: what stands before its articles, between their paragraphs and behind
them. Numbers, names and links vary as they do on pages; headers are such as no lexicon holds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

Line = tuple[str, str]
"""A line and its label: body, byline, chrome or related."""

TAGS = ("بلدية", "ميناء", "رياضة", "ثقافة", "زراعة", "صحة", "تعليم", "بيئة")
NAMES = ("سلمى عمران", "رامي الزين", "نادر الحسن", "هيفاء مراد")


class Article(NamedTuple):
    """One article, and the headlines that its page may link to."""

    paragraphs: list[str]
    titles: list[str]


def portal(rng: random.Random, article: Article) -> Iterator[Line]:
    """Breadcrumb, date, share buttons; tags, counts, newsletter and cookies behind."""
    yield "الرئيسية » أخبار » محليات", "chrome"
    day, hour, minute = rng.randint(1, 28), rng.randint(8, 20), rng.randint(10, 59)
    yield f"نُشر في: {day} مارس 2024 - {hour}:{minute}", "byline"
    for button in ("فيسبوك", "تويتر", "واتساب"):
        yield button, "chrome"
    for paragraph in article.paragraphs:
        yield paragraph, "body"
    yield f"الكلمات المفتاحية: {'، '.join(rng.sample(TAGS, 3))}", "chrome"
    yield f"عدد التعليقات: {rng.randint(0, 40)}", "chrome"
    yield "اشترك في نشرتنا البريدية لتصلك أهم الأخبار كل صباح.", "chrome"
    yield "يستخدم هذا الموقع ملفات تعريف الارتباط لتحسين تجربة التصفح، فهل توافق على ذلك؟", "chrome"
    yield "موافق", "chrome"


def magazine(rng: random.Random, article: Article) -> Iterator[Line]:
    """An author; links under one header in the middle, and under another at the end."""
    yield f"بقلم: {rng.choice(NAMES)}", "byline"
    middle = len(article.paragraphs) // 2 if rng.random() < 0.6 else 0
    links = rng.sample(article.titles, 3)
    for number, paragraph in enumerate(article.paragraphs):
        if middle and number == middle:
            yield "إقرأ كمان:", "related"
            yield links[0], "related"
        yield paragraph, "body"
    yield f"مشاهدات: {rng.randint(100, 9000)}", "chrome"
    yield "شارك الموضوع عبر:", "chrome"
    yield "تقارير متصلة", "related"
    for link in links[1:]:
        yield link, "related"


def reader(rng: random.Random, article: Article) -> Iterator[Line]:
    """Reading time and age before; a header, links, the desk and a button behind."""
    yield f"قراءة {rng.randint(2, 9)} دقائق", "chrome"
    yield f"منذ {rng.randint(2, 20)} ساعة", "chrome"
    yield "حجم الخط ع ع+", "chrome"
    for paragraph in article.paragraphs:
        yield paragraph, "body"
    yield "على الطاولة ذاتها", "related"
    for link in rng.sample(article.titles, 2):
        yield link, "related"
    yield "أعدته للنشر غرفة التحرير", "chrome"
    yield "التالي >", "chrome"


MANNERS: tuple[Callable[[random.Random, Article], Iterator[Line]], ...] = (
    portal,
    magazine,
    reader,
)


def dressed(articles: list[dict], seed: int) -> Iterator[tuple[dict, list[str]]]:
    """Records of one outlet for each manner, with the labels of their lines.

    Args:
        articles: "title" and "text" of each; every outlet has all of them.
        seed: of what varies.
    """
    rng = random.Random(seed)
    titles = [article["title"] for article in articles]
    for manner in MANNERS:
        for number, article in enumerate(articles):
            others = [title for title in titles if title != article["title"]]
            lines = list(manner(rng, Article(article["text"].split("\n"), others)))
            record = {
                "id": f"{manner.__name__}-{number}",
                "source": manner.__name__,
                "title": article["title"],
                "text": "\n".join(line for line, _ in lines),
            }
            yield record, [label for _, label in lines]
