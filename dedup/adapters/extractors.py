"""Records of what extractors make of a page: trafilatura, news-please, newspaper4k, fundus.

    record = of_trafilatura(trafilatura.bare_extraction(html, url=url, with_metadata=True))

A record has the same fields whoever made it: "id" (the address), "url", "source" (the host of the
address, so that an outlet goes by one name), "title", "abstract", "authors", "date", "language",
"text". What an extractor did not find is empty. None of the extractors need be installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit


def of_trafilatura(document: Any) -> dict[str, Any]:
    """The record of a page.

    Args:
        document: what `bare_extraction` gives, or `extract(..., output_format="json")` as a string
            or parsed; with metadata, without which there is no address and no headline.
    """
    found = _getter(document)
    # In its JSON, "source" is the address and "source-hostname" the name of the site.
    url = found("url") or found("source")
    return _record(
        url=url,
        source=found("hostname"),
        title=found("title"),
        abstract=found("description") or found("excerpt"),
        authors=_list(found("author"), ";"),
        date_=found("date"),
        language=found("language"),
        text=found("text"),
    )


def of_newsplease(article: Any) -> dict[str, Any]:
    """The record of an article.

    Args:
        article: a `NewsArticle`, or what it writes as JSON, as a string or parsed.
    """
    found = _getter(article)
    published = found("date_publish")
    return _record(
        url=found("url"),
        source=found("source_domain"),
        title=found("title"),
        abstract=found("description"),
        authors=_list(found("authors")),
        date_=None if published == "None" else published,  # as its JSON says for no date
        language=found("language"),
        text=found("maintext"),
    )


def of_newspaper(article: Any) -> dict[str, Any]:
    """The record of an article.

    Args:
        article: an `Article` that was parsed, or its `to_json()`, as a string or parsed.
    """
    found = _getter(article)
    return _record(
        url=found("canonical_link") or found("url"),
        source=found("meta_site_name"),
        title=found("title"),
        abstract=found("meta_description"),
        authors=_list(found("authors")),
        date_=found("publish_date"),
        language=found("meta_lang"),
        text=found("text"),
    )


def of_fundus(article: Any) -> dict[str, Any]:
    """The record of an article.

    Args:
        article: an `Article` as a crawler gives it. Where its parser failed at an attribute, fundus
            puts the error in its place; that counts as not found.
    """
    body = article.body
    return _record(
        url=article.html.responded_url,
        source=article.publisher,
        title=article.title,
        abstract="\n".join(getattr(body, "summary", ())),
        authors=_list(article.authors),
        date_=article.publishing_date,
        language=article.lang,
        text=article.plaintext,
    )


def _getter(found: Any) -> Callable[[str], Any]:
    """Gives the fields of an object, a dict, or JSON; None for what there is not."""
    if isinstance(found, (str, bytes)):
        found = json.loads(found)
    if isinstance(found, Mapping):
        return found.get
    return lambda name: getattr(found, name, None)


def _record(
    url: Any,
    source: Any,
    title: Any,
    abstract: Any,
    authors: Any,
    date_: Any,
    language: Any,
    text: Any,
) -> dict[str, Any]:
    url = _string(url)
    host = (urlsplit(url).hostname or "") if "://" in url else ""
    return {
        "id": url,
        "url": url,
        "source": host.removeprefix("www.") or _string(source),
        "title": _string(title),
        "abstract": _string(abstract),
        "authors": [name for name in map(_string, authors) if name],
        "date": date_.isoformat() if isinstance(date_, date) else _string(date_),
        "language": _string(language),
        "text": text if isinstance(text, str) else "",
    }


def _string(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _list(value: Any, mark: str = "") -> Sequence[Any]:
    if isinstance(value, str) and mark:
        return value.split(mark)
    return value if isinstance(value, (list, tuple)) else ()
