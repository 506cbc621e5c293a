"""What fundus makes of a page, and the record of it; run where fundus is installed."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from fundus.parser import BaseParser, ParserProxy, attribute
from fundus.parser.utility import (
    extract_article_body_with_selector,
    generic_author_parsing,
    generic_date_parsing,
)
from fundus.scraping.article import Article
from fundus.scraping.html import HTML, WebSourceInfo
from lxml.etree import XPath

from dedup.adapters.extractors import of_fundus


class SahelParser(ParserProxy):
    """A parser as fundus has one for each publisher."""

    class V1(BaseParser):
        @attribute
        def body(self):
            paragraphs = XPath("//article/p[position() > 1]")
            summary = XPath("//article/p[1]")
            return extract_article_body_with_selector(
                self.precomputed.doc, paragraph_selector=paragraphs, summary_selector=summary
            )

        @attribute
        def title(self):
            return self.precomputed.meta.get("og:title")

        @attribute
        def authors(self):
            return generic_author_parsing(self.precomputed.ld.bf_search("author"))

        @attribute
        def publishing_date(self):
            return generic_date_parsing(self.precomputed.ld.bf_search("datePublished"))


class BrokenParser(SahelParser):
    class V1(SahelParser.V1):
        @attribute
        def body(self):
            raise ValueError("another layout")

        @attribute
        def publishing_date(self):
            raise ValueError("another date")


def article(parser):
    url, now = "https://www.sahel.example/news/market-opens", datetime.now(timezone.utc)
    page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    html = HTML(url, url, page, now, WebSourceInfo("صحيفة الساحل", "sitemap", url))
    return Article(html=html, **parser()(now).parse(page, error_handling="catch"))


json.dump([of_fundus(article(parser)) for parser in (SahelParser, BrokenParser)], sys.stdout)
