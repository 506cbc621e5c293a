"""Cleaning the items of a crawl: an add-on for Scrapy, and the item pipeline that it sets up.

    ADDONS = {"dedup.adapters.scrapy.Addon": 500}
    DEDUP_INDEX = "news.db"  # what earlier crawls saw counts

Every setting of `dedup.Config` is a Scrapy setting, too: DEDUP_THRESHOLD, DEDUP_KEEP_KIND …; and

    DEDUP_INDEX    the file that remembers; without it a crawl knows only what it saw itself
    DEDUP_CONFIG   a TOML file of settings; those of Scrapy come before it
    DEDUP_REMOVED  a file for the removals, one JSON object a line; appended to
    DEDUP_DROPPED  a file for the items with nothing left; appended to

In the names of the last two, %(name)s is the spider and %(time)s when the crawl began; folders are
made. Beside them, in a file *.rejected.jsonl, items are told that could not be cleaned, and why.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from concurrent.futures import Future
from copy import copy
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dedup.adapters.fields import record_of
from dedup.adapters.worker import Worker
from dedup.config import Config
from dedup.errors import ConfigError, DedupError, InputError, RecordError
from dedup.formats.jsonl import rejected_row
from dedup.formats.outputs import sibling
from dedup.records import Rejected, names_of
from dedup.result import Result
from dedup.settings import config_of
from dedup.stream import Cleaner

try:
    from itemadapter import ItemAdapter
    from scrapy import signals
    from scrapy.exceptions import DropItem
    from scrapy.utils.asyncio import is_asyncio_available
    from scrapy.utils.serialize import ScrapyJSONEncoder
    from twisted.internet.defer import Deferred
except ImportError as error:
    raise ImportError(
        f"{__name__} needs Scrapy 2.15 or newer; try: pip install 'newsdedup[scrapy]'"
    ) from error

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.settings import BaseSettings

PRIORITY = 200  # before the pipelines that store, which begin at 300 where Scrapy makes a project
STRUCT = "dedup"
PREFIX = "DEDUP_"
OWN = ("INDEX", "CONFIG", "REMOVED", "DROPPED")

logger = logging.getLogger(__name__)


class Addon:
    """Puts the pipeline in its place, unless ITEM_PIPELINES names it already."""

    def update_settings(self, settings: BaseSettings) -> None:
        """Called by Scrapy."""
        settings.setdefault_in_component_priority_dict("ITEM_PIPELINES", Pipeline, PRIORITY)


class NothingLeft(DropItem):
    """An item that said nothing new.

    Attributes:
        reason: the kind of removal that took most of it; "empty" if there was nothing to take.
        struct: what a record that stays gets as its "dedup" field.
    """

    def __init__(self, reason: str, struct: dict[str, Any]) -> None:
        of = struct.get("duplicate_of")
        super().__init__(f"nothing left: {reason}{f', the story of {of}' if of else ''}")
        self.reason = reason
        self.struct = struct


class Pipeline:
    """Cleans the text of items, and drops those with nothing left.

    Items are dicts, `scrapy.Item`, dataclass or attrs objects; only their text changes, and what
    `dedup clean` adds to a record goes into a field `dedup`, if there is or can be one. An item
    without a text passes, or is an error with DEDUP_ON_ERROR = "fail". So does one that cannot be
    cleaned, such as one whose text holds half a surrogate pair; it is told in the log, and in
    the file of rejected items.

    Items are cleaned one by one in a thread of their own, so that the crawl goes on meanwhile, and
    those that are processed at the same time find each other.

    Args:
        crawler: whose settings, stats and signals are used.

    Raises:
        ConfigError: a setting cannot be.
        IndexFileError: the index cannot be used.
        InputError: a file cannot be written.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        given = {
            name.removeprefix(PREFIX): name
            for name in crawler.settings
            if isinstance(name, str) and name.startswith(PREFIX)
        }
        self._config = _config(crawler, [name for name in given if name not in OWN])
        self._items = self._cleaned = 0
        self._files: dict[str, IO[bytes]] = {}
        for name in ("REMOVED", "DROPPED"):
            if path := crawler.settings.get(PREFIX + name):
                self._files[name] = _appended(PREFIX + name, str(path), crawler)
        self._rejected = next(map(_rejected, self._files.values()), None)
        self._worker = Worker(Cleaner(crawler.settings.get("DEDUP_INDEX"), self._config))
        crawler.signals.connect(self._closed, signals.spider_closed)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Pipeline:
        """Called by Scrapy."""
        return cls(crawler)

    async def process_item(self, item: Any) -> Any:
        """The item cleaned.

        Raises:
            NothingLeft: nothing is left of it.
            DedupError: it has no text or cannot be cleaned, and DEDUP_ON_ERROR is "fail".
        """
        adapter = ItemAdapter(item)
        spider = self._crawler.spider
        outlet = spider.name if spider else ""
        self._items += 1
        names = names_of("text", self._config)
        if not any(isinstance(adapter.get(name), str) for name in names):
            if self._config.on_error == "fail":
                looked = f"no field is a text; looked for {', '.join(names)}; try DEDUP_TEXT_FIELD"
                raise RecordError(outlet, self._items, looked)
            self._count("passed", 1)
            return item
        number = self._items
        try:
            result = await _awaited(self._worker.clean(record_of(adapter, self._config, outlet)))
            for row in result.rejected:
                raise RecordError(outlet, number, row["reason"])
            self._write("REMOVED", result.lines("removed"))
        except (DedupError, OSError) as error:
            if self._config.on_error == "fail":
                raise
            return self._passed(item, outlet, number, error)
        self._tell(result)
        place, self._cleaned = self._cleaned, self._cleaned + 1
        (text,) = (name for meaning, name in result.fields if meaning == "text")
        for cleaned in result:
            return _with(item, {text: cleaned[text], STRUCT: cleaned[STRUCT]})
        (dropped,) = result.dropped
        struct = {**dropped[STRUCT], "position": place}
        line = _as_json(item, {text: dropped[text], STRUCT: struct})
        try:
            self._write("DROPPED", [line + b"\n"])
        except OSError as error:
            return self._passed(item, outlet, number, error)
        reason = _reason(result)
        self._count(f"dropped/{reason}", 1)
        raise NothingLeft(reason, struct)

    def _passed(self, item: Any, outlet: str, number: int, error: DedupError | OSError) -> Any:
        """The item as it came, since it could not be cleaned, which is told."""
        rule = error.rule if isinstance(error, RecordError) else str(error)
        logger.error("item %d passes as it came: %s", number, rule)
        self._count("rejected", 1)
        self._count("passed", 1)
        row = Rejected(outlet, number, rule, _as_json(item))
        try:
            if self._rejected and "REJECTED" not in self._files:
                self._files["REJECTED"] = self._rejected.open("ab")
            self._write("REJECTED", [rejected_row(row)])
        except OSError as wrong:
            logger.error("%s: %s", self._rejected, wrong.strerror)
        return item

    def _tell(self, result: Result) -> None:
        counts = result.counts
        self._count("records", counts.records)
        self._count("cleaned", counts.cleaned)
        self._count("dropped", counts.dropped + counts.without_text)
        for kind in counts.kinds:
            self._count(f"removed/{kind}", counts.kinds[kind])
            self._count(f"removed_chars/{kind}", counts.removed_chars[kind])
        self._count("removed", sum(counts.kinds.values()))
        self._count("removed_chars", sum(counts.removed_chars.values()))

    def _count(self, name: str, more: int) -> None:
        if more and self._crawler.stats is not None:
            self._crawler.stats.inc_value(f"dedup/{name}", more)

    def _write(self, name: str, lines: Any) -> None:
        if file := self._files.get(name):
            file.writelines(lines)
            file.flush()

    def _closed(self) -> None:
        for file in self._files.values():
            file.close()
        self._worker.close()


class _Encoder(ScrapyJSONEncoder):
    """Of what JSON has no word for, what Python shows of it."""

    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:
            return repr(o)


_JSON = _Encoder(ensure_ascii=False)


def _as_json(item: Any, values: Mapping[str, Any] | None = None) -> bytes:
    """An item with other values, whatever is in it."""
    adapter = ItemAdapter(item)
    try:
        shown = _JSON.encode({**adapter.asdict(), **(values or {})})
    except (TypeError, ValueError, RecursionError):  # goes round in a circle, or is named oddly
        fields = {str(name): repr(value) for name, value in adapter.items()}
        shown = _JSON.encode({**fields, **(values or {})})
    return shown.encode("utf-8", "backslashreplace")


def _rejected(file: IO[bytes]) -> Path:
    """The file of items that could not be cleaned, beside another of the crawl."""
    path = Path(file.name)
    name = re.sub(r"\.(removed|dropped)(?=\.|$)", "", path.name)
    return sibling(path.with_name(name), "rejected")


def _with(item: Any, values: Mapping[str, Any]) -> Any:
    """The item with other values; those that it has no field for are left out.

    It is the same item, but for one that is frozen.
    """
    adapter = ItemAdapter(item)
    open_ended = isinstance(item, dict)
    for name, value in values.items():
        if not open_ended and name not in adapter.field_names():
            continue
        try:
            adapter[name] = value
        except AttributeError:  # of a frozen class
            item = copy(item)
            object.__setattr__(item, name, value)
            adapter = ItemAdapter(item)
    return item


def _reason(result: Result) -> str:
    chars = {kind: n for kind, n in result.counts.removed_chars.items() if kind != "blank"}
    most = max(chars, key=lambda kind: chars[kind])
    return most if chars[most] else "empty"


async def _awaited(future: Future[Result]) -> Result:
    """What a thread comes to, whichever loop waits for it."""
    if is_asyncio_available():
        return await asyncio.wrap_future(future)
    from twisted.internet import reactor  # noqa: PLC0415 - importing it chooses one

    deferred: Deferred[Future[Result]] = Deferred()
    future.add_done_callback(lambda done: reactor.callFromThread(deferred.callback, done))
    return (await deferred).result()


def _config(crawler: Crawler, given: list[str]) -> Config:
    """The config that the settings DEDUP_* make."""
    types = {setting.name: setting.default for setting in fields(Config)}
    path = crawler.settings.get("DEDUP_CONFIG")
    values = {
        name.lower(): _value(crawler, PREFIX + name, types.get(name.lower(), "")) for name in given
    }
    try:
        config = Config.of(values)
    except ConfigError as error:  # which names settings as the command and Python do
        message = re.sub(r"^--([a-z-]+)(?=:)|'(\w+)'(?= is no setting|\?$)", _renamed, str(error))
        raise ConfigError(message) from error
    return config_of(path, **values) if path else config


def _renamed(found: re.Match[str]) -> str:
    return PREFIX + (found[1] or found[2]).replace("-", "_").upper()


def _value(crawler: Crawler, name: str, default: Any) -> Any:
    """A setting of the type that it should have, as far as it can be: -s gives strings."""
    value, settings = crawler.settings.get(name), crawler.settings
    if not isinstance(value, str) or isinstance(default, str):
        return value
    try:
        if isinstance(default, bool):
            return settings.getbool(name)
        return settings.getlist(name) if default == () else type(default)(value)
    except ValueError:
        return value


def _appended(setting: str, path: str, crawler: Crawler) -> IO[bytes]:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%S")
    name = getattr(crawler.spider or crawler.spidercls, "name", "")
    try:
        path = path % {"name": name, "time": now}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return open(path, "ab")
    except (KeyError, TypeError, ValueError):
        raise ConfigError(
            f"{setting}: {path!r} is no file name; %(name)s and %(time)s have a meaning in it, "
            "write any other % twice"
        ) from None
    except OSError as error:
        raise InputError(f"{setting}: {path}: {error.strerror}") from error
