"""Builds raw text dumps with known answers from articles in JSON lines.

    python make_dump.py ARTICLES.jsonl OUT_FOLDER [--dumps 12] [--size 9] [--seed 1]

Each dump is made in a manner of its own: credit lines of one of several templates or none, blank
lines between paragraphs or not, boxes of links under one of several headers, links dropped
between paragraphs with or without an invisible line behind, a story told twice (word for word,
with words changed, or with a second headline), a footer or none. Beside each `dump-N.txt` stands
`dump-N.gold.tsv`: line, article, label, repeats_line.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HEADERS = (
    "ذات صلة", "اقرأ أيضًا:", "إقرأ المزيد", "قد يهمك أيضاً", "مواضيع ذات صلة", "شاهد أيضا",
)  # fmt: skip
CREDITS = (
    ("{agency}_ {site}", "{agency} _ {site}"),
    ("{place} - {agency}",),
    ("كتب: {name}",),
    ("{site} | {agency}",),
    ("{agency}",),
    (),
    (),
)
AGENCIES = ("وكالات", "متابعات", "رويترز", "خاص", "الأناضول")
PLACES = ("بيروت", "القاهرة", "عمّان", "تونس", "الرباط", "الدوحة")
NAMES = ("سامر الخطيب", "هدى منصور", "يوسف العلي", "ريم حداد")
SITES = ("صدى البلد", "أخبار الضفة", "المرصد اليومي")
FOOTERS = ("Exit mobile version", "جميع الحقوق محفوظة", "شارك هذا الموضوع:", "")
SYNONYMS = {
    "قال": "ذكر",
    "وقال": "وذكر",
    "أعلن": "كشف",
    "أكد": "شدد",
    "في": "داخل",
    "على": "فوق",
    "كبيرة": "ضخمة",
    "اليوم": "أمس",
    "إلى": "نحو",
    "أن": "بأن",
    "خلال": "أثناء",
}


MOST_SUBHEADINGS = 4
TEASERS = (2, 3, 4)  # at the end of an article that has some
CLOSED = 0.05  # of its articles, if an outlet adds teasers
SHORT = 60  # characters of a subheading at most; a paragraph has more
CLOSING = (".", '"', "”", "»")
WIDTHS = (60, 72, 90)  # characters of a line where paragraphs are broken into lines

Row = tuple[str, int, str, str | None]
"""A line, the number of its article, its label ("" for blank lines), the line it repeats."""


class Variety(NamedTuple):
    """What articles may look like besides.

    Attributes:
        subheadings: whether they may have subheadings.
        wrapped: share of dumps whose paragraphs are broken into lines.
        teasers: share of articles that others' first sentences close.
    """

    subheadings: bool = False
    wrapped: float = 0.0
    teasers: float = 0.0


PLAIN = Variety()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("articles", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dumps", type=int, default=12)
    parser.add_argument("--size", type=int, default=9, help="articles in a dump")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", default="", help="take articles of this source only")
    parser.add_argument("--subheadings", action="store_true", help="also articles with subheadings")
    parser.add_argument("--wrapped", type=float, default=0.0, metavar="SHARE", help="of the dumps")
    parser.add_argument(
        "--teasers", type=float, default=0.0, metavar="SHARE", help="of the articles"
    )
    args = parser.parse_args()
    variety = Variety(args.subheadings, args.wrapped, args.teasers)
    with args.articles.open(encoding="utf-8") as file:
        pool = [a for a in map(json.loads, file) if usable(a, args.source, variety)]
    args.out.mkdir(parents=True, exist_ok=True)
    for n, rows in enumerate(dumps(pool, args.dumps, args.size, args.seed, variety)):
        (args.out / f"dump-{n}.txt").write_text(text_of(rows), encoding="utf-8")
        lines = ["line\tarticle\tlabel\trepeats_line"]
        lines += [f"{line}\t{rows[line - 1][1]}\t{label}\t{repeats or ''}"
                  for line, label, repeats in answers(rows)]  # fmt: skip
        (args.out / f"dump-{n}.gold.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def dumps(
    pool: list[dict], count: int, size: int, seed: int, variety: Variety = PLAIN
) -> Iterator[list[Row]]:
    """The rows of some dumps, each of `size` articles that stand near each other in the pool."""
    rng = random.Random(seed)
    pool = own(pool)
    for _ in range(count):
        chosen: list[dict] = []
        tries = 0
        while len(chosen) < size:
            tries += 1
            if tries > 100:
                raise SystemExit(f"no {size} of {len(pool)} usable articles have nothing in common")
            start = rng.randrange(max(1, len(pool) - 4 * size))
            near = pool[start : start + 4 * size]  # neighbours in time: alike in topic
            chosen = apart(rng, near, size)
        yield build(rng, chosen, near, variety)


def text_of(rows: list[Row]) -> str:
    """A dump as text."""
    return "\n".join(line for line, *_ in rows) + "\n"


def answers(rows: list[Row]) -> list[tuple[int, str, int | None]]:
    """(line, label, line it repeats) of all lines that are not blank."""
    first: dict[str, int] = {}
    for number, (line, *_) in enumerate(rows, 1):
        first.setdefault(line, number)
    return [(number, label, first[repeats] if repeats else None)
            for number, (_, _, label, repeats) in enumerate(rows, 1) if label]  # fmt: skip


def usable(article: dict, source: str, variety: Variety = PLAIN) -> bool:
    """Whether an article's lines are told apart by their form, so that the answers are known."""
    lines = paragraphs(article)
    prose = [is_prose(line) for line in lines]
    return (
        (not source or article.get("source") == source)
        and 4 <= len(lines) <= (18 if variety.subheadings else 14)
        and all(prose[i] or (variety.subheadings and is_subheading(x)) for i, x in enumerate(lines))
        and prose.count(False) <= MOST_SUBHEADINGS
        and prose[0]
        and prose[-1]
        and 25 < len(article["title"]) < 110
    )


def own(pool: list[dict]) -> list[dict]:
    """The articles of outlets that close hardly any with words about other articles themselves.

    What else such outlets' articles end in nobody knows: an answer 'body' may be wrong there.
    """
    leads: dict[str, int] = {}
    for k, article in enumerate(pool):
        leads |= dict.fromkeys((first_sentence(article), str(article.get("abstract")).strip()), k)
    closed: Counter[str | None] = Counter()
    for k, article in enumerate(pool):
        others = (leads.get(line, k) != k for line in paragraphs(article)[1:])
        closed[article.get("source")] += any(others)
    all_of = Counter(article.get("source") for article in pool)
    return [a for a in pool if closed[a.get("source")] <= CLOSED * all_of[a.get("source")]]


def is_prose(line: str) -> bool:
    """A paragraph, by its form."""
    return len(line) > SHORT and line.endswith(CLOSING)


def is_subheading(line: str) -> bool:
    """A subheading, by its form."""
    return len(line) <= SHORT and not line.endswith(CLOSING) and len(line.split()) >= 3


def apart(rng: random.Random, articles: list[dict], size: int) -> list[dict]:
    """Some articles that have nothing in common, so that the answers are known."""
    chosen, seen = [], set()
    for article in rng.sample(articles, len(articles)):
        words = article["text"].split()
        runs = {tuple(words[i : i + 5]) for i in range(len(words) - 4)}
        if len(runs & seen) < 2 and len(chosen) < size:
            chosen.append(article)
            seen |= runs
    return chosen


def paragraphs(article: dict) -> list[str]:
    return [line.strip() for line in article["text"].split("\n") if line.strip()]


def build(
    rng: random.Random, articles: list[dict], near: list[dict], variety: Variety = PLAIN
) -> list[Row]:
    """The rows of a dump of some articles; links and teasers come from those near them, too."""
    gap = rng.choice((True, True, False))
    credits, site = rng.choice(CREDITS), rng.choice(SITES)
    headers = rng.sample(HEADERS, 2)
    box_share, link_share = rng.choice((0.0, 0.4, 0.8)), rng.choice((0.0, 0.08, 0.15))
    titles = {a["title"] for a in articles}
    others = [a["title"] for a in near if a["title"] not in titles]
    links = rng.sample(others, min(len(others), 8)) + [a["title"] for a in articles]
    told_twice = rng.randrange(1, len(articles))
    width = rng.choice(WIDTHS) if variety.wrapped and rng.random() < variety.wrapped else 0
    leads = {first_sentence(a): a["title"] for a in near}
    rows: list[Row] = []

    def put(
        line: str, article: int, label: str, repeats: str | None = None, ends: bool = True
    ) -> None:
        rows.append((line, article, label, repeats))
        if gap and ends:
            rows.append(("", article, "", None))

    for number, article in enumerate(articles):
        body = pieces(article, width)
        repeats: list[str | None] = [None] * len(body)
        title = article["title"]
        if number == told_twice:
            changed = rng.choice((0.0, 0.04))
            body, repeats = [], []
            for paragraph in paragraphs(articles[0]):  # changed first, then broken into lines
                again = broken(reword(rng, paragraph, changed), width)
                body += again
                repeats += [broken(paragraph, width)[0].line] * len(again)
            title = "عاجل.. " + articles[0]["title"] if rng.random() < 0.5 else articles[0]["title"]
        put(title, number, "title")
        if credits and (number or rng.random() < 0.7):
            line = rng.choice(credits).format(
                agency=rng.choice(AGENCIES), site=site, place=rng.choice(PLACES),
                name=rng.choice(NAMES),
            )  # fmt: skip
            put(line, number, "byline")
        for i, (piece, repeated) in enumerate(zip(body, repeats, strict=True)):
            put(piece.line, number, piece.label, repeated, piece.ends)
            if piece.ends and i < len(body) - 1 and rng.random() < link_share:
                put(rng.choice([t for t in links if t != article["title"]]), number, "related_link")
                if rng.random() < 0.4:
                    rows.append(("\xa0", number, "", None))
        if variety.teasers and rng.random() < variety.teasers:
            own = {article["title"], articles[0]["title"] if number == told_twice else ""}
            foreign = [lead for lead, of in leads.items() if of not in own]
            for lead in rng.sample(foreign, min(len(foreign), rng.choice(TEASERS))):
                put(lead, number, "related_link")
        if rng.random() < box_share:
            put(rng.choice(headers), number, "related_header")
            for link in rng.sample(
                [t for t in links if t != article["title"]], rng.choice((1, 2, 3))
            ):
                put(link, number, "related_link")
    if footer := rng.choice(FOOTERS):
        put(footer, len(articles) - 1, "footer")
    return rows


class Piece(NamedTuple):
    """A line of a body, its label, and whether its paragraph ends with it."""

    line: str
    label: str
    ends: bool


def pieces(article: dict, width: int) -> list[Piece]:
    """The lines of a body."""
    return [piece for paragraph in paragraphs(article) for piece in broken(paragraph, width)]


def broken(paragraph: str, width: int) -> list[Piece]:
    """The lines of a paragraph, of so many characters; with a width of 0, the only one."""
    label = "subheading" if is_subheading(paragraph) else "body"
    lines = textwrap.wrap(paragraph, width, break_long_words=False) if width else [paragraph]
    return [Piece(line, label, k == len(lines) - 1) for k, line in enumerate(lines)]


def first_sentence(article: dict) -> str:
    return re.split(r"(?<=[.؟!]) ", paragraphs(article)[0])[0]


def reword(rng: random.Random, line: str, share: float) -> str:
    words = line.split(" ")
    return " ".join(SYNONYMS.get(w, w) if rng.random() < 10 * share else w for w in words)


if __name__ == "__main__":
    main()
