"""Pages of invented outlets: the templates of a folder around real articles.

    python make.py OUTLETS ARTICLES.jsonl OUT [--only NAME ...]

OUTLETS is a folder of templates (README.md tells the format, check.py checks it), ARTICLES is what
articles.py writes. For each outlet OUT gets NAME.jsonl (the records) and NAME.gold.tsv (a row for
each line: id, line number, label, and for a line that holds residue beside prose the residue).
Besides the outlets by themselves it writes six mixed scrapes (a few pages of each of forty
outlets) and twelve outlets whose articles have their sentences in pieces (hard-wrapped at a width,
or broken at links). The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

Spec: TypeAlias = dict[str, Any]
"""A template, as read from its JSON file."""
Item: TypeAlias = "str | dict[str, Any]"
"""What stands in a part of a template: a line, or an object that says more about it."""
Article: TypeAlias = dict[str, Any]
"""A real article: its `title`, and its paragraphs `paras`."""
Gold: TypeAlias = tuple[int, str, str]
"""Number of a line in its text, its label, the residue in it (of a `mixed` line only)."""
Labelled: TypeAlias = tuple[dict[str, str], list[Gold]]
"""A record and the labels of all its lines that are not blank."""

SLOT = re.compile(r"\{(\w+|\d+(?:\.\d+)?\.\.\d+(?:\.\d+)?)\}")
ORDINALS = ("أولاً", "ثانياً", "ثالثاً", "رابعاً", "خامساً", "سادساً", "سابعاً", "ثامناً", "تاسعاً", "عاشراً")
EASTERN = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
SENTENCE_END = re.compile(r"(?<=[.؟!])\s+")
CLAUSE_END = re.compile(r"[.،؛]\s+")
SPARE = 60  # articles beyond an outlet's own, whose headlines stand as links to stories not in it
LONGEST = 200  # records of one outlet, at most


@dataclass(eq=False)
class Line:
    """A line of a page while the page is put together."""

    text: str
    label: str
    residue: str = ""
    tied: bool = False  # belongs to the line above it: nothing may come between


class Page:
    """Fills the slots of one page's lines, and remembers what was said on the page."""

    def __init__(
        self,
        spec: Spec,
        rnd: random.Random,
        title: str,
        others: Sequence[str],
        elsewhere: Sequence[str],
        facts: dict[str, str] | None = None,
    ) -> None:
        self.spec, self.rnd, self.title = spec, rnd, title
        self.headlines = {"other": others, "elsewhere": elsewhere}
        self.url = f"https://{spec['name']}.example/{rnd.randrange(10**6)}"
        self.fresh = spec.get("format", 1) >= 2
        self.said = dict(facts or {})  # slots with one value all over the page or block
        self.decks: dict[str, list[str]] = {}
        self.count, self.minute, self.year = 0, -1, -1

    def draw(self, name: str, values: Sequence[str]) -> str:
        """One of the values; from format 2 on none comes again before all have come."""
        if not self.fresh:
            return self.rnd.choice(values)
        deck = self.decks.get(name)
        if not deck:
            if name in self.spec.get("in_order", ()):
                deck = list(values[::-1])
            else:
                deck = self.rnd.sample(list(values), len(values))
            self.decks[name] = deck
        return deck.pop()

    def slot(self, name: str, whole: str) -> str:
        """What stands for a slot."""
        if name in self.said:
            return self.said[name]
        if name == "title":
            return self.title
        if name in self.headlines:
            return self.draw(name, self.headlines[name])
        if name == "date" and not self.fresh:
            return self.rnd.choice(self.spec["date"]) if self.rnd.random() < 0.3 else self.day()
        if name == "date":
            return self.day()
        if name == "url":
            return self.url
        number = self.number(name) if name in ("n", "N", "time") else None
        if number is None and name in self.spec["lists"]:
            return self.draw(name, self.spec["lists"][name])
        if number is None and name == "day":
            return self.day()
        if number is None and name == "ordinal":
            return ORDINALS[(self.count - 1) % len(ORDINALS)]
        number = number or self.number(name)
        if number is None:
            return whole
        return number.translate(EASTERN) if self.spec.get("digits") == "eastern" else number

    def number(self, name: str) -> str | None:
        """What stands for a slot of digits; None if the slot is no such one."""
        rnd = self.rnd
        if name == "n":
            return str(rnd.randrange(0, 60))
        if name == "N":
            return f"{rnd.randrange(1, 99)},{rnd.randrange(1000):03d}"
        if name == "time":
            return f"{rnd.randrange(24):02d}:{rnd.randrange(60):02d}"
        if name == "i":
            return str(self.count)
        if name in ("later", "sooner"):
            step = rnd.randint(1, 45) if self.minute >= 0 else 0
            start = rnd.randint(360, 780) if name == "later" else rnd.randint(900, 1380)
            before = self.minute if self.minute >= 0 else start
            self.minute = (before + (step if name == "later" else -step)) % 1440
            return f"{self.minute // 60:02d}:{self.minute % 60:02d}"
        if name == "year":
            self.year = rnd.randint(1948, 1994) if self.year < 0 else self.year + rnd.randint(1, 6)
            return str(min(self.year, 2024))
        if ".." in name:
            low, high = name.split("..")
            places = len(low.partition(".")[2])
            if places:
                return f"{rnd.uniform(float(low), float(high)):.{places}f}"
            return str(rnd.randint(int(low), int(high)))
        return None

    def fill(self, text: str) -> str:
        """The text with its slots filled, and the slots in those, too."""
        for _ in range(3):
            filled = SLOT.sub(lambda m: self.slot(m[1], m[0]), text)
            if filled == text:
                break
            text = filled
        return text

    def day(self) -> str:
        """One of the outlet's dates with its digits moved a little."""
        top = 13 if self.fresh else 29

        def moved(m: re.Match[str]) -> str:
            if len(m[0]) == 4:
                return m[0]
            digits = str(self.rnd.randrange(1, top)).zfill(len(m[0]))
            return digits.translate(EASTERN) if self.fresh and m[0][0] in "٠١٢٣٤٥٦٧٨٩" else digits

        return re.sub(r"\d+", moved, self.rnd.choice(self.spec["date"]))

    def lines(self, item: Item, default: str = "chrome") -> list[Line]:
        """The lines of an item, perhaps none; `default` labels those that have no label."""
        if isinstance(item, str):
            item = {"line": item}
        if self.rnd.random() >= item.get("p", 1):
            return []
        said, count = dict(self.said), self.count
        for name in item.get("keep", ()):
            self.said[name] = self.fill("{" + name + "}")
        lines = self.inner(item, default)
        self.said, self.count = said, count
        if "join" in item and lines:
            lines = [Line(item["join"].join(x.text for x in lines), item.get("label", default))]
        if "wrap" in item:
            lines = [Line(t, x.label) for x in lines for t in wrapped(x.text, item["wrap"])]
        return lines

    def inner(self, item: dict[str, Any], default: str) -> list[Line]:
        """The lines of an item that stands, before they are joined or wrapped."""
        lo, hi = item.get("repeat", [1, 1])
        if "block" in item:
            times = self.rnd.randint(lo, hi) if "repeat" in item else 1
            lines = []
            for k in range(times):
                if "repeat" in item:
                    self.count = k + 1
                lines += [x for i in item["block"] for x in self.lines(i, default)]
            return lines
        if "choice" in item:
            return self.lines(self.rnd.choice(item["choice"]), default)
        if "of" in item:
            least, most = item["take"]
            where = self.rnd.sample(
                range(len(item["of"])), min(self.rnd.randint(least, most), len(item["of"]))
            )
            lines = []
            for k, j in enumerate(where if item.get("shuffle") else sorted(where)):
                self.count = k + 1
                lines += self.lines(item["of"][j], default)
            return lines
        lines = []
        for k in range(self.rnd.randint(min(lo, hi), max(lo, hi))):
            if "repeat" in item:
                self.count = k + 1
            text = self.fill(item["line"])
            label = item.get("label", default)
            lines += [Line(t, label) for t in text.split("\n") if t.strip()]
        return lines


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most so many characters, cut at blanks."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


def at_links(paragraph: str, rnd: random.Random) -> list[str]:
    """A paragraph as scrapers break it that begin a new line before and after each link."""
    words, lines, a = paragraph.split(), [], 0
    while len(words) - a > 6 and rnd.random() < 0.6:
        i = rnd.randint(a + 1, len(words) - 3)
        j = i + rnd.randint(1, min(4, len(words) - i))
        lines += [" ".join(x) for x in (words[a:i], words[i:j]) if x]
        a = j
    rest = " ".join(words[a:])
    if rest.endswith(".") and rnd.random() < 0.15 and len(rest) > 1:
        return [*lines, rest[:-1], "."]
    return [*lines, rest] if rest else lines


def broken(
    paras: Sequence[str], rnd: random.Random, how: str, widths: Sequence[int]
) -> list[list[str]]:
    """The lines of each of an article's own paragraphs in another form.

    `wrap`: at one of the widths. `links`: at links. `clauses`: a line for each clause, without
    its stop or comma. `line`: all paragraphs in one line.
    """
    if how == "wrap":
        width = rnd.choice(widths)
        return [wrapped(p, width) for p in paras]
    if how == "links":
        return [at_links(p, rnd) for p in paras]
    if how == "clauses":
        return [[t for t in CLAUSE_END.split(p.rstrip(" .،")) if t] for p in paras]
    return [[" ".join(paras)]] if paras else []


def own(spec: Spec, rnd: random.Random, art: Article, how: str) -> list[Line]:
    """The article's own lines: all its paragraphs, or what the template takes of them.

    From format 2 on the lines of one paragraph are tied.
    """
    paras, said = art["paras"], spec.get("article", {})
    if "paras" in said:
        paras = paras[: rnd.randint(*said["paras"])]
    if not how and "form" in said and rnd.random() < said.get("p", 1):
        how = said["form"]
    widths = said.get("width", [62, 70, 78, 90])
    pieces = broken(paras, rnd, how, widths) if how else [[p] for p in paras]
    whole = spec.get("format", 1) >= 2
    return [Line(t, "body", tied=whole and k > 0) for lines in pieces for k, t in enumerate(lines)]


def put(body: list[Line], at: int, lines: list[Line], whole: bool) -> None:
    """Puts lines into the body before its line `at`, or further down if that is tied."""
    while at < len(body) and body[at].tied:
        at += 1
    for line in lines[1:]:
        line.tied = line.tied or whole
    body[at:at] = lines


def insert(body: list[Line], page: Page, items: Sequence[Item], prose: list[Line]) -> None:
    """Puts the article's own lists, tables, verses ... among its paragraphs (their first lines)."""
    rnd = page.rnd
    for item in items:
        if rnd.random() >= (0.7 if isinstance(item, str) else 1):
            continue
        lines = page.lines(item, "body")
        if not lines:
            continue
        if not prose:
            at = len(body)
        elif isinstance(item, dict) and "after" in item:
            k = item["after"] if item["after"] >= 0 else len(prose) + 1 + item["after"]
            k = max(0, min(k, len(prose)))
            at = body.index(prose[k]) if k < len(prose) else len(body)
        else:
            at = rnd.randint(1, len(body))
        put(body, at, lines, page.fresh)


def part_off(body: list[Line], page: Page, items: Sequence[Item]) -> None:
    """Puts furniture between the paragraphs, never above the first or below the last."""
    for item in items:
        for _ in range(page.rnd.choice([1, 1, 2])):
            lines = page.lines(item)
            if lines and len(body) > 1:
                at = page.rnd.randint(1, len(body) - 1)
                if isinstance(item, dict) and item.get("inside"):
                    body[at:at] = lines
                else:
                    put(body, at, lines, False)


def glue(body: list[Line], page: Page, parts: dict[str, list[str]], often: float) -> None:
    """Puts residue into lines of prose: before the first, behind the last, between sentences."""
    rnd = page.rnd

    def text(name: str) -> str:
        there = parts.get(name)
        return page.fill(rnd.choice(there)) if there and rnd.random() < often else ""

    prose = [x for x in body if x.label == "body"]
    before, after, middle = text("glue_before"), text("glue_after"), text("glue_between")
    if middle and prose:
        longer = [x for x in prose if len(SENTENCE_END.split(x.text)) > 1]
        if longer:
            line = rnd.choice(longer)
            k = rnd.choice([m.end() for m in SENTENCE_END.finditer(line.text)])
            line.text = line.text[:k] + middle + line.text[k:]
            line.residue, line.label = middle.strip(), "mixed"
        else:
            join(body, rnd, middle)
            prose = [x for x in prose if x in body]
    if not prose:
        return
    first, last = prose[0], prose[-1]
    if before and (first is not last or not after):
        mix(first, before, "")
    if after:
        mix(last, before if first is last else "", after)


def join(body: list[Line], rnd: random.Random, middle: str) -> None:
    """Makes one line of two of the article's own that follow each other, residue between them."""
    pairs = [
        (x, y)
        for x, y in pairwise(body)
        if x.label == y.label == "body" and len(y.text.split()) > 6
    ]
    if pairs:
        line, below = rnd.choice(pairs)
        line.text = f"{line.text} {middle}{below.text}"
        line.residue, line.label = middle.strip(), "mixed"
        body.remove(below)


def mix(line: Line, before: str, after: str) -> None:
    """Glues residue to both ends of a line and notes it in the order in which it stands."""
    residue = [x for x in (before.strip(), line.residue, after.strip()) if x]
    line.text, line.label, line.residue = before + line.text + after, "mixed", " ||| ".join(residue)


def variant(spec: Spec, rnd: random.Random) -> Spec:
    """The template, or one of its variants (an error page, a section page ...) by its share `p`."""
    for other in spec.get("variants", ()):
        if rnd.random() < other["p"]:
            return {**spec, **other, "parts": {**spec["parts"], **other.get("parts", {})}}
    return spec


def page_text(
    spec: Spec,
    rnd: random.Random,
    art: Article,
    others: Sequence[str],
    elsewhere: Sequence[str],
    how: str = "",
) -> tuple[str, list[Gold]]:
    """The text of a page and the labels of its lines."""
    page = Page(spec, rnd, art["title"], others, elsewhere, art.get("facts"))
    parts = spec["parts"]
    blank = spec.get("blank", rnd.choice([0, 0, 0.5, 1]))

    def part(name: str) -> list[Line]:
        return [x for item in parts.get(name, []) for x in page.lines(item)]

    head, after_title, foot = part("head"), part("after_title"), part("foot")
    prose = own(spec, rnd, art, how)
    body = list(prose)
    insert(body, page, parts.get("body_insert", []), [x for x in prose if not x.tied])
    part_off(body, page, parts.get("between", []))
    glue(body, page, parts, spec.get("glue_p", 0.8))
    text: list[str] = []
    labels: list[Gold] = []
    for line in head + after_title + body + part("after_body") + foot:
        labels.append((len(text), line.label, line.residue))
        text.append(re.sub(r"[\r\n]+", " ", line.text))
        if rnd.random() < blank * 0.5:
            text.append(rnd.choice(["", " ", "\u00a0"]))
    return "\n".join(text), labels


def with_facts(spec: Spec, rnd: random.Random, art: Article) -> Article:
    """The article with the values that hold all over its page, and the headline made with them."""
    if "facts" not in spec and "headline" not in spec:
        return art
    page = Page(spec, rnd, art["title"], [art["title"]], [art["title"]])
    for name in spec.get("facts", ()):
        page.said[name] = page.fill("{" + name + "}")
    title = page.fill(rnd.choice(spec["headline"])) if "headline" in spec else art["title"]
    return {**art, "title": title, "facts": page.said}


def records(
    spec: Spec, rnd: random.Random, pool: Sequence[Article], n: int, how: str = "", tag: str = ""
) -> Iterator[Labelled]:
    """`n` pages of one outlet; `how` breaks their prose, `tag` goes before their ids."""
    which = rnd.sample(range(max(len(pool), n + SPARE)), n + SPARE)
    arts = [with_facts(spec, rnd, pool[k % len(pool)]) for k in which]
    mine, extra = arts[:n], arts[n:]
    elsewhere = [x["title"] for x in extra]
    titles = spec.get("titles", zlib.crc32((tag + spec["name"]).encode()) % 4 > 0)
    for k, art in enumerate(mine):
        others = [x["title"] for x in mine if x is not art] or elsewhere
        kind = variant(spec, rnd)
        text, labels = page_text(kind, rnd, art, others, elsewhere, how)
        record = {"id": f"{tag}{spec['name']}-{k}", "source": spec["name"]}
        if titles:
            record["title"] = kind.get("title", art["title"])
        yield {**record, "text": text}, labels


def save(out: Path, name: str, rows: Iterable[Labelled]) -> None:
    """Writes records and their labels."""
    with (
        open(out / f"{name}.jsonl", "w", encoding="utf8") as texts,
        open(out / f"{name}.gold.tsv", "w", encoding="utf8") as gold,
    ):
        for record, labels in rows:
            texts.write(json.dumps(record, ensure_ascii=False) + "\n")
            for line, label, residue in labels:
                gold.write(f"{record['id']}\t{line}\t{label}\t{residue}\n")


def outlet(spec: Spec, pool: Sequence[Article]) -> Iterator[Labelled]:
    """All pages of one outlet."""
    rnd = random.Random(zlib.crc32(spec["name"].encode()))
    return records(spec, rnd, pool, max(1, min(int(spec["records"]), LONGEST)))


def mixed(specs: Sequence[Spec], pool: Sequence[Article], m: int) -> list[Labelled]:
    """The `m`-th mixed scrape: one to five pages of each of many outlets, in any order."""
    rnd = random.Random(m)
    rows = [
        row
        for spec in rnd.sample(specs, min(40, len(specs)))
        for row in records(spec, rnd, pool, rnd.choice([1, 1, 1, 2, 3, 5]), tag=f"mixed{m}-")
    ]
    rnd.shuffle(rows)
    return rows


def in_pieces(
    specs: Sequence[Spec], pool: Sequence[Article], how: str, m: int
) -> Iterator[Labelled]:
    """The `m`-th outlet whose articles' sentences are in pieces."""
    spec = specs[(7 * m + (how == "wrap") * 3) % len(specs)]
    rnd = random.Random(f"{how}{m}")
    return records(spec, rnd, pool, [1, 6, 25, 60, 4, 12][m], how, f"{how}{m}-")


def main(argv: Sequence[str] | None = None) -> None:
    """Reads the arguments and writes all files."""
    parser = argparse.ArgumentParser(description="Pages of invented outlets around real articles.")
    parser.add_argument("outlets", type=Path, help="folder of templates")
    parser.add_argument("articles", type=Path, help="articles, as articles.py writes them")
    parser.add_argument("out", type=Path, help="folder for the pages and their labels")
    parser.add_argument("--only", nargs="*", help="these outlets by themselves, nothing else")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.articles, encoding="utf8") as rows:
        pool = [json.loads(row) for row in rows]
    specs = [json.loads(f.read_text("utf8")) for f in sorted(args.outlets.glob("*.json"))]
    for spec in specs:
        if args.only is None or spec["name"] in args.only:
            save(args.out, spec["name"], outlet(spec, pool))
    if args.only is None:
        for m in range(6):
            save(args.out, f"mixed-{m}", mixed(specs, pool, m))
            for how in ("wrap", "links"):
                save(args.out, f"{how}-{m}", in_pieces(specs, pool, how, m))
    print(len(specs if args.only is None else args.only), "outlets")


if __name__ == "__main__":
    main()
