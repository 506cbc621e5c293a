"""Raw text dumps: one text that holds many articles."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import orjson

from dedup.config import Config
from dedup.formats.faults import not_utf8
from dedup.formats.fields import Fields
from dedup.formats.lines import refused
from dedup.formats.row import Object, Rows
from dedup.records import Batch, Bool, Rejected, Strings
from dedup.text import lexicon
from dedup.text.blocks import digests_of, unwrapped
from dedup.text.dumps import cut_articles


class _Article(NamedTuple):
    text: str
    unwrapped: str
    title: str
    byline: str
    head: tuple[str, ...]
    line: int
    lines: tuple[int, ...]


# A carriage return ends a line, too, if no \n follows.
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")


class TextDump:
    """One raw dump: first its articles as a batch, then their rows.

    Args:
        name: as the user named it.
        config: its markers; a dump has no fields.
    """

    def __init__(self, name: str, config: Config) -> None:
        self._name = name
        self._words = lexicon.load(config.marker, config.seed)
        self._base = PurePath(name).name
        self.records = 0

    def batches(self, chunks: Iterator[bytes], fields: Fields) -> Iterator[Batch | Rejected]:
        """The articles of a dump. Lines that are not UTF-8 are set aside."""
        lines, numbers, rejected = self._lines(chunks)
        yield from rejected
        articles = list(self._articles(lines, numbers))
        if not articles:
            return
        self.records = len(articles)
        nothing = [""] * len(articles)
        yield Batch(
            texts=Strings.of(article.unwrapped for article in articles),
            titles=Strings.of(article.title for article in articles),
            abstracts=Strings.of(nothing),
            ids=[f"{self._base}#{n}" for n in range(1, len(articles) + 1)],
            sources=[self._base] * len(articles),
            dates=nothing,
            heads=[article.head for article in articles],
            dump=self._name,
            digests=digests_of(article.text for article in articles),
        )

    def rows(self, chunks: Iterator[bytes], _read: Bool | None = None) -> Iterator[Rows]:
        """The articles as JSON objects; all are looked into."""
        lines, numbers, _ = self._lines(chunks)
        articles = list(self._articles(lines, numbers))
        objects = [
            {
                "id": f"{self._base}#{n}",
                "title": article.title,
                "byline": article.byline,
                "text": article.text,
                "source": self._base,
                "line": article.line,
            }
            for n, article in enumerate(articles, 1)
        ]
        if articles:
            yield Rows.of(
                self._name,
                [
                    Object.of({k: orjson.dumps(v) for k, v in one.items()}, "text")
                    for one in objects
                ],
                np.array([article.line for article in articles], dtype=np.int64),
                [article.lines for article in articles],
            )

    def _lines(self, chunks: Iterator[bytes]) -> tuple[list[str], list[int], list[Rejected]]:
        """The lines, their numbers, and those that are set aside."""
        kept: list[str] = []
        numbers: list[int] = []
        rejected: list[Rejected] = []
        data = b"".join(chunks)
        lines = _LINE.findall(data) if b"\r" in data else io.BytesIO(data)
        for number, line in enumerate(lines, 1):
            if told := refused(line):
                rejected.append(Rejected(self._name, number, *told))
                continue
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as wrong:
                rejected.append(Rejected(self._name, number, not_utf8(wrong), line))
                continue
            kept.append(text)
            numbers.append(number)
        return kept, numbers, rejected

    def _articles(self, lines: list[str], numbers: list[int]) -> Iterator[_Article]:
        text = "".join(lines)
        blocks, articles = cut_articles(text, self._words)
        # One article may be too short to show the width that its dump is wrapped at.
        whole = unwrapped(text)
        # An article reaches from its headline to the next one; the first from the very beginning.
        starts = [0, *(int(blocks.start[article.first]) for article in articles[1:]), len(text)]
        line_ends = np.cumsum([len(line) for line in lines])
        for n, article in enumerate(articles):
            begin, end = starts[n], starts[n + 1]
            title, byline = (
                text[blocks.start[b] : blocks.end[b]] if b >= 0 else ""
                for b in (article.title, article.byline)
            )
            first, last, head = np.searchsorted(
                line_ends, (begin, end - 1, blocks.start[article.first]), side="right"
            ).tolist()
            yield _Article(
                text=text[begin:end],
                unwrapped=whole[begin:end],
                title=title,
                byline=byline,
                head=("title",) * (article.title >= 0) + ("byline",) * (article.byline >= 0),
                line=numbers[head],
                lines=tuple(numbers[first : last + 1]),
            )
