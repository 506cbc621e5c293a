"""Raw text dumps: one text that holds many articles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
import orjson

from dedup.config import Config
from dedup.formats.jsonl import CUT_OFF, TORN, Fields, not_utf8
from dedup.records import Record, Rejected
from dedup.text import lexicon
from dedup.text.blocks import scan
from dedup.text.dumps import cut_articles


def read(
    lines: Iterator[bytes], name: str, config: Config, fields: Fields
) -> Iterator[Record | Rejected]:
    """The articles of a dump. Lines that are not UTF-8 are set aside."""
    kept: list[str] = []
    numbers: list[int] = []
    rejected: list[Rejected] = []
    for number, line in enumerate(lines, 1):
        try:
            if line == CUT_OFF:
                rejected.append(Rejected(name, number, TORN, line))
                continue
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as wrong:
            rejected.append(Rejected(name, number, not_utf8(wrong), line))
            continue
        kept.append(text)
        numbers.append(number)
    yield from rejected
    yield from _articles("".join(kept), kept, numbers, name)


def _articles(text: str, lines: list[str], numbers: list[int], name: str) -> Iterator[Record]:
    words = lexicon.load()
    found = scan([text], words.common)
    blocks = found.blocks
    articles = cut_articles(found, words)
    # An article reaches from its headline to the next one; the first from the very beginning.
    starts = [0, *(int(blocks.start[article.first]) for article in articles[1:]), len(text)]
    line_ends = np.cumsum([len(line) for line in lines])
    base = PurePath(name).name
    for n, article in enumerate(articles):
        begin, end = starts[n], starts[n + 1]
        title, byline = (
            text[blocks.start[b] : blocks.end[b]] if b >= 0 else ""
            for b in (article.title, article.byline)
        )
        first, last, head = np.searchsorted(
            line_ends, (begin, end - 1, blocks.start[article.first]), side="right"
        ).tolist()
        fields = {"id": f"{base}#{n + 1}", "title": title, "byline": byline, "text": ""}
        yield Record(
            id=fields["id"],
            file=name,
            line=numbers[head],
            source=base,
            text=text[begin:end],
            title=title,
            head=("title",) * (article.title >= 0) + ("byline",) * (article.byline >= 0),
            raw=orjson.dumps({**fields, "source": base, "line": numbers[head]}),
            lines=tuple(numbers[first : last + 1]),
        )
