"""A spider for the pages that test_scrapy.py serves; run by Scrapy's own command."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import attrs
import scrapy


class Story(scrapy.Item):
    url = scrapy.Field()
    source = scrapy.Field()
    title = scrapy.Field()
    maintext = scrapy.Field()
    dedup = scrapy.Field()


class BareStory(scrapy.Item):
    url = scrapy.Field()
    source = scrapy.Field()
    title = scrapy.Field()
    maintext = scrapy.Field()


@dataclass
class Page:
    url: str
    source: str
    title: str
    maintext: str
    dedup: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrozenPage:
    url: str
    source: str
    title: str
    maintext: str


@attrs.define
class Clip:
    url: str
    source: str
    title: str
    maintext: str
    dedup: dict | None = None


@attrs.frozen
class FrozenClip:
    url: str
    source: str
    title: str
    maintext: str


KINDS = (dict, Story, BareStory, Page, FrozenPage, Clip, FrozenClip)


class NewsSpider(scrapy.Spider):
    name = "news"

    async def start(self):
        yield scrapy.Request(self.site)

    def parse(self, response):
        for number, page in enumerate(response.css("article")):
            yield self.item(number, page)
        yield from response.follow_all(css="a", callback=self.parse)
        for photo in response.css("img::attr(src)").getall():
            yield {"photo": photo}

    def item(self, number, page):
        kind = KINDS[(number + int(page.attrib["data-number"])) % len(KINDS)]
        return kind(
            url=page.attrib["id"],
            source=page.attrib["data-source"],
            title=page.css("h1::text").get(),
            maintext=page.css("div::text").get(default=""),
        )

    def closed(self, reason):
        stats = {"reason": reason, **self.crawler.stats.get_stats()}
        Path(self.stats_file).write_text(json.dumps(stats, default=str))
