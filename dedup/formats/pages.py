"""Web pages: by themselves, or in archives of crawls (WARC, and WET, which holds their text)."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson

from dedup.errors import InputError
from dedup.formats.lines import MARKED, refusal, too_large

_PAGES = ("text/html", "application/xhtml+xml")
ATTRIBUTES = 1000  # of a tag; a parser compares each with all others
_TAG = re.compile(rb"<([a-zA-Z][^\s/>]*)")
_ATTRIBUTE = re.compile(rb"""[\s/]*[^\s/>][^\s/>=]*(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]*))?""")
_WITHOUT_TAGS = {
    name: re.compile(rb"</" + name, re.IGNORECASE) for name in (b"script", b"style", b"textarea")
}


def html_lines(file: io.BufferedReader, name: str, most: int) -> Iterator[bytes]:
    """One line: the text of a page, its title, address and date.

    Raises:
        InputError: trafilatura is not installed.
    """
    extract = _extractor(name)
    data = file.read(most + 1)
    if len(data) > most:
        yield too_large("page", len(data), most) + b"\n"
    else:
        yield _line(extract(data, None), most, "")


def warc_lines(
    file: io.BufferedReader, name: str, most: int, say: Callable[[str], None]
) -> Iterator[bytes]:
    """A line for each page of a WARC file, or each text of a WET file, in order.

    Other records, such as requests and images, are passed over, counted and told.

    Args:
        file: not compressed.
        name: of the file, for errors.
        most: bytes of a page at most.
        say: told what was passed over.

    Raises:
        InputError: warcio or trafilatura is not installed.
    """
    try:
        from warcio.archiveiterator import ArchiveIterator  # noqa: PLC0415 - optional
        from warcio.exceptions import ArchiveLoadFailed  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f"{name}: reading .warc needs warcio; try: pip install 'newsdedup[pages]'"
        ) from error
    extract: Callable[[bytes, str | None], dict[str, Any]] | None = None
    passed: Counter[str] = Counter()
    records = ArchiveIterator(file)
    while True:
        try:
            record = next(records, None)
            if record is None:
                break
            kind, charset = _kind(record)
            if kind not in (*_PAGES, "conversion"):
                passed[kind] += 1
                continue
            data = record.content_stream().read(most + 1)
        # The latter two come of headers that warcio takes to be there.
        except (ArchiveLoadFailed, ValueError, EOFError, AttributeError, TypeError) as error:
            yield refusal(f"not WARC from here on: {error}; what came before was read") + b"\n"
            break
        data, *mark = MARKED.split(data)
        about = {
            "id": record.rec_headers.get_header("WARC-Record-ID", "").strip("<>"),
            "url": record.rec_headers.get_header("WARC-Target-URI", "").strip("<>"),
            "date": record.rec_headers.get_header("WARC-Date", ""),
        }
        if mark:
            yield mark[0] + b"\n"
            break
        if len(data) > most:
            yield too_large("page", len(data), most) + b"\n"
        elif kind == "conversion":
            yield _line({**about, "text": data.decode("utf-8", "replace")}, most, about["url"])
        else:
            extract = extract or _extractor(name)
            found = {key: value for key, value in extract(data, charset).items() if value}
            yield _line({**about, **found, "url": about["url"]}, most, about["url"])
    if passed:
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in passed.most_common())
        say(f"{name}: {passed.total():,} records are no pages and were passed over ({kinds})")


def _kind(record: Any) -> tuple[str, str | None]:
    """What a record is, and the character set that its header names."""
    if record.rec_type != "response":
        return record.rec_type, None
    if record.http_headers is None:
        return "response", None
    status = record.http_headers.get_statuscode()
    if status != "200":
        return f"status {status}", None
    from email.message import Message  # noqa: PLC0415 - it takes a while

    header = Message()
    header["content-type"] = record.http_headers.get_header("Content-Type") or "response"
    return header.get_content_type(), header.get_content_charset()


def _line(row: dict[str, Any], most: int, url: str) -> bytes:
    if not row.get("text"):
        return refusal(f"no text was found in this page {url}".rstrip()) + b"\n"
    line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    return line if len(line) <= most else too_large("page", len(line), most) + b"\n"


def _extractor(name: str) -> Callable[[bytes, str | None], dict[str, Any]]:
    """Extracts the text of a page and what is known of it.

    Trafilatura, since it keeps more of Arabic articles and less of what surrounds them than
    resiliparse: benchmarks/quality/extraction.py measures both.
    """
    try:
        import trafilatura  # noqa: PLC0415 - optional
    except ImportError as error:
        raise InputError(
            f"{name}: reading pages needs trafilatura; try: pip install 'newsdedup[pages]'"
        ) from error

    def extract(data: bytes, charset: str | None) -> dict[str, Any]:
        page: Any = _fewer_attributes(data)
        if charset:
            with suppress(LookupError, UnicodeDecodeError):  # the page says it, or it is found out
                page = page.decode(charset)
        found: Any = trafilatura.bare_extraction(page, include_comments=False, with_metadata=True)
        if found is None:
            return {}
        return {
            "url": found.url,
            "date": found.date,
            "title": found.title,
            "source": found.sitename,
            "text": found.text,
        }

    return extract


def _fewer_attributes(page: bytes) -> bytes:
    """A page without the attributes of a tag that come after its first `ATTRIBUTES`."""
    parts, done, at = [], 0, 0
    while tag := _TAG.search(page, at):
        at, count = tag.end(), 0
        first = at
        while found := _ATTRIBUTE.match(page, at):
            at, count = found.end(), count + 1
            if count == ATTRIBUTES:
                first = at
        if count > ATTRIBUTES:
            parts.append(page[done:first])
            done = at
        if end := _WITHOUT_TAGS.get(tag[1].lower()):
            behind = end.search(page, at)
            at = behind.start() if behind else len(page)
    return b"".join((*parts, page[done:])) if parts else page
