"""Articles for make.py, from collections whose texts are clean.

    python articles.py OUT.jsonl CLEANED.jsonl ...

CLEANED are files as `dedup clean` writes them. A line of OUT is an article: its `title`, and its
paragraphs `paras`. A text of one line is cut into paragraphs of one to three sentences. Paragraphs
that look like page furniture and articles that are too short or too long are left out; of each
collection at most 2,500 articles are taken, so that none outweighs the others.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Sequence
from typing import Any

MOST = 2500  # articles of one collection
SEED = 11
RESIDUE = re.compile(r"https?:|www\.|اقرأ|إقرأ|ذات صلة|المصدر|تابع")
OUTLET_IN_TITLE = re.compile(r"\s[ـ|–-]{1,2}\s")  # 'Headline - Outlet'


def article(row: dict[str, Any], rnd: random.Random) -> dict[str, Any] | None:
    """A record as an article; None if it is not fit for one."""
    title = OUTLET_IN_TITLE.split(row.get("title") or "")[0]
    paras = [re.sub("[ \u00a0\t]+", " ", p).strip() for p in row["text"].split("\n") if p.strip()]
    if paras and paras[0].split() == title.split():
        paras = paras[1:]
    if len(paras) == 1:
        k = rnd.choice([1, 2, 3])
        sentences = re.split(r"(?<=[.؟!])\s+", paras[0])
        paras = [" ".join(sentences[i : i + k]) for i in range(0, len(sentences), k)]
    paras = [p for p in paras if p and not RESIDUE.search(p)]
    words = sum(len(p.split()) for p in paras)
    if 4 <= len(title.split()) <= 18 and 3 <= len(paras) <= 25 and words >= 80:
        return {"title": " ".join(title.split()), "paras": paras}
    return None


def main(argv: Sequence[str]) -> None:
    """Reads all collections and writes their articles in a random, fixed order."""
    rnd = random.Random(SEED)
    articles: list[dict[str, Any]] = []
    for path in argv[1:]:
        with open(path, encoding="utf8") as lines:
            rows = [json.loads(line) for line in lines]
        rnd.shuffle(rows)
        taken = 0
        for row in rows:
            made = article(row, rnd)
            if made:
                articles.append(made)
                taken += 1
            if taken == MOST:
                break
        print(path.rsplit("/", 1)[-1], taken)
    rnd.shuffle(articles)
    with open(argv[0], "w", encoding="utf8") as out:
        for made in articles:
            out.write(json.dumps(made, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
