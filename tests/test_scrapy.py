"""Crawls of pages that the test itself serves, by Scrapy's own command."""

from __future__ import annotations

import asyncio
import html
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pandas
import pytest
from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.statscollectors import MemoryStatsCollector

import dedup
from dedup.adapters.scrapy import NothingLeft, Pipeline

HERE = Path(__file__).parent
OUTLETS = [
    json.loads(line)
    for line in (HERE.parent / "seeds" / "outlets.jsonl").read_text(encoding="utf-8").splitlines()
]


def story(row, number=0):
    body = row.get("text") or row.get("maintext") or row.get("body") or row.get("content")
    source = row.get("source") or row.get("url", "").split("/")[2]
    title = row.get("title") or row.get("headline") or ""
    return {"url": row["id"], "source": source, "title": title, "maintext": body, "number": number}


STORIES = [story(row, number) for number, row in enumerate(OUTLETS)]


def page(stories, links=(), photo=""):
    parts = ["<!doctype html><meta charset=utf-8>"]
    parts += [
        f'<article id="{s["url"]}" data-source="{s["source"]}" data-number="{s["number"]}">'
        f"<h1>{html.escape(s['title'])}</h1><div>{html.escape(s['maintext'])}</div></article>"
        for s in stories
    ]
    parts += [f'<a href="{link}">x</a>' for link in links]
    return "".join(parts + [f'<img src="{photo}">'] * bool(photo)).encode()


def site_of(stories):
    """A page of links, and a page a story."""
    pages = {f"/{s['url']}": page([s]) for s in stories}
    return {"/": page([], pages, "قبة.jpg"), **pages}


@contextmanager
def served(pages, delay=0.0):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(delay)
            body = pages.get(self.path)
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            with suppress(BrokenPipeError):  # of a crawl that was killed
                self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class Crawl:
    """A crawl that is under way; its files stand in a folder of its own."""

    def __init__(self, folder, site, settings):
        folder.mkdir()
        self.folder = folder
        settings = {
            "ADDONS": json.dumps({"dedup.adapters.scrapy.Addon": 500}),
            "DEDUP_REMOVED": folder / "feed.removed.jsonl",
            "DEDUP_DROPPED": folder / "feed.dropped.jsonl",
            "FEED_EXPORT_ENCODING": "utf-8",
            "TELNETCONSOLE_ENABLED": "0",
            **settings,
        }
        command = [sys.executable, "-m", "scrapy", "runspider", HERE / "news_spider.py"]
        command += ["-a", f"site={site}", "-a", f"stats_file={folder / 'stats.json'}"]
        command += ["-o", folder / "feed.jsonl"]
        command += [f"-s{name}={value}" for name, value in settings.items()]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=folder,
        )  # fmt: skip

    def end(self, code=0):
        self.log = self.process.communicate(timeout=300)[1]
        assert self.process.returncode == code, self.log
        assert "ScrapyDeprecationWarning" not in self.log
        if code == 0:
            self.stats = json.loads((self.folder / "stats.json").read_text())
        return self

    def rows(self, name="feed"):
        path = self.folder / f"{name}.jsonl"
        lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
        return [json.loads(line) for line in lines if line]


def crawl(folder, pages, code=0, **settings):
    with served(pages) as site:
        return Crawl(folder, site, settings).end(code)


def lines(text):
    return [line for line in text.split("\n") if line.strip()]


def bodies(source):
    """The long lines of an outlet's stories."""
    return [
        {**s, "maintext": "\n".join(line for line in lines(s["maintext"]) if len(line) > 80)}
        for s in STORIES
        if s["source"] == source
    ]


def test_the_second_crawl_knows_what_the_first_saw(tmp_path):
    first, second = STORIES[:30], STORIES[30:]
    index = tmp_path / "news.db"
    one = crawl(tmp_path / "one", site_of(first), DEDUP_INDEX=index)
    two = crawl(tmp_path / "two", site_of(second), DEDUP_INDEX=index)
    assert one.stats["dedup/records"] == 30
    assert two.stats["dedup/records"] == 18
    ids = {s["url"] for s in first}
    old = [r for r in two.rows("feed.removed") if r["match"] and r["match"]["id"] in ids]
    assert all("run" in r["match"] for r in old)
    alone = Counter(r["kind"] for r in dedup.clean(second).removals)
    assert two.stats["dedup/removed/duplicate"] >= alone["duplicate"] + 15
    # As much goes as in one run over all of it, but for the order that pages come in.
    batch = Counter(r["kind"] for r in dedup.clean(STORIES).removals)
    gone = one.stats["dedup/removed/duplicate"] + two.stats["dedup/removed/duplicate"]
    assert abs(gone - batch["duplicate"]) <= 3

    # A page that is crawled again is not its own duplicate; but more is known to be residue.
    again = crawl(tmp_path / "again", site_of(first), DEDUP_INDEX=index)
    assert again.stats["dedup/removed/duplicate"] == one.stats["dedup/removed/duplicate"]
    assert again.stats.get("dedup/dropped") == one.stats.get("dedup/dropped")


def test_stats_files_and_items_of_every_kind(tmp_path):
    done = crawl(tmp_path / "crawl", site_of(STORIES))
    stats, removed, dropped = done.stats, done.rows("feed.removed"), done.rows("feed.dropped")
    feed = [row for row in done.rows() if "photo" not in row]
    assert len(done.rows()) == len(feed) + 1  # what is no story passes
    assert stats["dedup/passed"] == 1
    assert stats["dedup/records"] == len(STORIES) == len(feed) + len(dropped)
    kinds = Counter(r["kind"] for r in removed)
    assert {k: stats[f"dedup/removed/{k}"] for k in kinds} == kinds
    assert stats["dedup/removed"] == len(removed)
    assert stats["dedup/removed_chars"] == sum(len(r["text"]) for r in removed)
    assert stats["dedup/dropped"] == stats["item_dropped_reasons_count/NothingLeft"] == len(dropped)
    assert sum(n for k, n in stats.items() if k.startswith("dedup/dropped/")) == len(dropped) > 0
    assert "log_count/ERROR" not in stats
    # Each line that was on the pages is left, or among what was removed.
    original = {s["url"]: s["maintext"] for s in STORIES}
    spans = {}
    for row in removed:
        spans.setdefault(row["id"], []).append(row)
    for row in feed + dropped:
        text, at = row["maintext"], 0
        for span in spans.get(row["url"], []):
            text = text[: span["start"]] + span["text"] + text[span["start"] :]
            assert span["start"] >= at
            at = span["end"]
        assert text == original[row["url"]]
    # A class without the field has no place for the struct; its text is cleaned all the same.
    bare = [row for row in feed if "dedup" not in row]
    structs = [row["dedup"] for row in feed if "dedup" in row]
    assert any(row["url"] in spans for row in bare)
    assert all(list(s)[:5] == ["kept", "removed", "story", "story_size", "duplicate_of"]
               for s in structs)  # fmt: skip


def test_a_crawl_can_be_restored(tmp_path):
    stories = [{**s, "number": 0} for s in STORIES]  # dicts all of them
    done = crawl(tmp_path / "crawl", {**site_of(stories), "/": page([], site_of(stories))})
    back = done.folder / "back.jsonl"
    assert dedup.restore(done.folder / "feed.jsonl", back) == len(STORIES)
    found = {row["url"]: row["maintext"] for row in done.rows("back")}
    assert found == {s["url"]: s["maintext"] for s in STORIES}


def test_items_of_one_page_find_each_other_with_whichever_reactor(tmp_path):
    """They are processed at the same time; the one of two copies that comes later goes."""
    unlike = bodies(STORIES[0]["source"])
    copies = [{**s, "url": f"{s['url']}-again", "source": "نسخ"} for s in unlike]
    done = crawl(
        tmp_path / "crawl", {"/": page(unlike + copies)},
        TWISTED_REACTOR="twisted.internet.epollreactor.EPollReactor",
    )  # fmt: skip
    assert done.stats["dedup/records"] == 2 * len(unlike)
    assert done.stats["dedup/dropped/duplicate"] == len(unlike)
    kept = Counter(line for row in done.rows() for line in lines(row["maintext"]))
    assert kept == Counter(line for s in unlike for line in lines(s["maintext"]))
    assert f"Dropped: nothing left: duplicate, the story of {unlike[0]['url']}" in done.log


def test_what_a_stopped_crawl_saw_is_known(tmp_path):
    index = tmp_path / "news.db"
    seen = []
    for how in (signal.SIGINT, signal.SIGKILL):
        mine = bodies(STORIES[0 if how == signal.SIGINT else 12]["source"])
        with served(site_of(mine), delay=0.4) as site:
            stopped = Crawl(
                tmp_path / how.name, site, {"DEDUP_INDEX": index, "CONCURRENT_REQUESTS": 1}
            )
            until = time.monotonic() + 120
            while len(stopped.rows()) < 4 and time.monotonic() < until:
                time.sleep(0.05)
            before = {row["url"] for row in stopped.rows() if "url" in row}
            time.sleep(1)  # what was seen a second ago is known whatever happens
            stopped.process.send_signal(how)
            stopped.end(0 if how == signal.SIGINT else -signal.SIGKILL)
        if how == signal.SIGINT:
            assert stopped.stats["reason"] == "shutdown"
            assert stopped.stats["dedup/records"] < len(mine)
            before = {row["url"] for row in stopped.rows() if "url" in row}
        assert 3 <= len(before) < len(mine)
        seen += [{**s, "url": f"{s['url']}-again", "source": "نسخ"}
                 for s in mine if s["url"] in before]  # fmt: skip
    two = crawl(tmp_path / "two", site_of(seen), DEDUP_INDEX=index)
    assert two.stats["dedup/dropped"] == len(seen)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DEDUP_THRESHOLD": "7"},
         "ConfigError: DEDUP_THRESHOLD: 7.0 is not between 0.3 and 1.0; try 0.7"),
        ({"DEDUP_THRESHOLD": "high"},
         "ConfigError: DEDUP_THRESHOLD: 'high' is not a float; the default is 0.7"),
        ({"DEDUP_TRESHOLD": "0.8"},
         "ConfigError: DEDUP_TRESHOLD is no setting; did you mean DEDUP_THRESHOLD?"),
        ({"DEDUP_KEEP_EMPTY": "perhaps"},
         "ConfigError: DEDUP_KEEP_EMPTY: 'perhaps' is not a bool; the default is False"),
        ({"DEDUP_REMOVED": "removed-%(nome)s.jsonl"},
         "ConfigError: DEDUP_REMOVED: 'removed-%(nome)s.jsonl' is no file name; %(name)s and "
         "%(time)s have a meaning in it, write any other % twice"),
        ({"DEDUP_DROPPED": f"{__file__}/dropped.jsonl"},
         f"InputError: DEDUP_DROPPED: {__file__}/dropped.jsonl: File exists"),
        ({"DEDUP_CONFIG": "none.toml"}, "ConfigError: none.toml: No such file or directory"),
        ({"DEDUP_INDEX": __file__}, f"IndexFileError: {__file__}: file is not a database"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(settings, message):
    crawler = Crawler(Spider, settings)
    with pytest.raises(dedup.DedupError) as caught:
        Pipeline.from_crawler(crawler)
    assert f"{type(caught.value).__name__}: {caught.value}" == message


def test_what_cannot_be_ends_the_crawl_before_it_begins(tmp_path):
    done = crawl(tmp_path / "crawl", site_of(STORIES[:1]), code=1, DEDUP_THRESHOLD="7")
    assert "ConfigError: DEDUP_THRESHOLD: 7.0 is not between 0.3 and 1.0; try 0.7\n" in done.log
    assert not done.rows()


def test_settings_of_all_types(tmp_path):
    config = tmp_path / "dedup.toml"
    config.write_text('threshold = 1.0\nkeep-kind = ["byline"]\n')
    done = crawl(
        tmp_path / "crawl", site_of(STORIES), DEDUP_CONFIG=config, DEDUP_KEEP_EMPTY="1",
        DEDUP_KEEP_KIND="related,boilerplate", DEDUP_THRESHOLD="0.9", DEDUP_NUM_PERM="128",
        DEDUP_TEXT_FIELD="maintext", DEDUP_REMOVED="%(name)s-%(time)s.removed.jsonl",
    )  # fmt: skip
    assert "dedup/dropped" not in done.stats
    assert "" in {row.get("maintext") for row in done.rows()}
    kinds = {name.removeprefix("dedup/removed/") for name in done.stats if "removed/" in name}
    assert "duplicate" in kinds
    assert not kinds & {"related", "boilerplate"}
    (path,) = done.folder.glob("news-20*T*.removed.jsonl")
    similar = [r["similarity"] for r in done.rows(path.stem) if r["similarity"] is not None]
    assert min(similar) < 1.0


def test_a_place_given_by_the_project_stays_and_no_text_can_be_an_error(tmp_path):
    place = json.dumps({"dedup.adapters.scrapy.Pipeline": 750})
    done = crawl(
        tmp_path / "crawl", site_of(STORIES[:2]), ITEM_PIPELINES=place, DEDUP_ON_ERROR="fail"
    )
    assert done.stats["dedup/records"] == 2  # cleaned once
    assert done.stats["log_count/ERROR"] == 1
    assert re.search(
        r"RecordError: news:[1-3]: no field is a text; looked for text, raw_text, maintext, "
        r"article_text, body, content, plaintext; try DEDUP_TEXT_FIELD\n",
        done.log,
    )


def settings_of_the_recipe():
    recipe = (HERE.parent / "docs" / "recipes.md").read_text(encoding="utf-8")
    code = recipe.partition("# settings.py\n")[2].partition("```")[0]
    found = {}
    exec(code, found)
    return {name: value for name, value in found.items() if name.isupper()}


def test_the_recipe_runs_as_it_is_written(tmp_path):
    settings = settings_of_the_recipe()
    assert set(settings) == {"ADDONS", "DEDUP_INDEX", "DEDUP_REMOVED", "DEDUP_DROPPED"}
    settings["ADDONS"] = json.dumps(settings["ADDONS"])
    done = crawl(tmp_path / "crawl", site_of(STORIES), **settings)
    assert (done.folder / "news.db").exists()
    for kind in ("removed", "dropped"):
        (path,) = (done.folder / kind).glob("news-*.jsonl")
        assert len(done.rows(f"{kind}/{path.stem}")) == done.stats[f"dedup/{kind}"]


@dataclass
class Odd:
    url: str
    text: str
    dedup: dict | None = None


@pytest.fixture(autouse=True)
def _asyncio(monkeypatch):
    """Pipelines that stand in no crawl have no reactor."""
    monkeypatch.setattr("dedup.adapters.scrapy.is_asyncio_available", lambda: True)


def piped(tmp_path, items, **settings):
    """What becomes of items that go through the pipeline one by one."""
    names = {"DEDUP_REMOVED": "f/day.removed.jsonl", "DEDUP_DROPPED": "f/day.dropped.jsonl"}
    names = {name: str(tmp_path / path) for name, path in names.items()}
    crawler = Crawler(Spider, names | settings)
    crawler.stats = MemoryStatsCollector(crawler)
    pipeline = Pipeline.from_crawler(crawler)

    async def each():
        for item in items:
            try:
                yield await pipeline.process_item(item)
            except (NothingLeft, dedup.DedupError) as error:
                yield error

    async def every():
        return [found async for found in each()]

    try:
        found = asyncio.run(every())
    finally:
        pipeline._closed()
    files = {path.name.split(".")[1]: [json.loads(line) for line in path.open(encoding="utf-8")]
             for path in (tmp_path / "f").iterdir()}  # fmt: skip
    return found, files, crawler.stats.get_stats()


def test_what_cannot_be_cleaned_passes_and_is_told(tmp_path, caplog):
    circle = {"url": "5", "text": "\ud800 x", "n": {1, 2}}
    circle["again"] = circle
    items = [
        {"url": "1", "text": "سطر أول"},
        {"url": "2", "text": "half \ud800 a pair", "at": object},
        Odd("3", "half \udfff a pair"),
        {"url": "4", "text": "سطر ثان"},
        circle,
    ]
    found, files, stats = piped(tmp_path, items)
    assert all(a is b for a, b in zip(found, items, strict=True))
    assert "dedup" in found[0]
    assert "dedup" in found[3]
    assert "dedup" not in found[1]
    assert [row["line"] for row in files["rejected"]] == [2, 3, 5]
    for row, text in zip(files["rejected"], ("ud800", "udfff", "ud800"), strict=True):
        assert row["reason"] == (
            f"field 'text' is a string with half a surrogate pair at character "
            f"{0 if row['line'] == 5 else 5}; no text can hold it"
        )
        assert text in row["text"]
        assert json.loads(row["text"])["url"].strip("'") == str(row["line"])
    assert (stats["dedup/rejected"], stats["dedup/passed"], stats["dedup/records"]) == (3, 3, 2)
    assert "item 2 passes as it came: field 'text' is a string with half" in caplog.text
    found, files, _ = piped(tmp_path / "fail", items[:2], DEDUP_ON_ERROR="fail")
    assert isinstance(found[1], dedup.RecordError)


def test_odd_values_besides_the_text_change_nothing(tmp_path):
    said = "قال رئيس البلدية إن السوق يضم ستين محلا للخضار والفاكهة وموقفا واسعا للشاحنات."
    odd = {
        "id": np.int64(7), "title": "\ud800", "date": pandas.Timestamp("2024-05-01"),
        "summary": pandas.NaT, "source": "أ", "x": object(), "author": "\udfff", "body": "\ud800",
    }  # fmt: skip
    items = [{**odd, "text": said}, {**odd, "id": Decimal("8"), "text": said}]
    (first, second), files, stats = piped(tmp_path, items)
    assert first is items[0]
    assert first["dedup"]["story"] == "7"
    assert isinstance(second, NothingLeft)
    assert {row["id"] for row in files["removed"]} == {"8"}
    (dropped,) = files["dropped"]
    assert (dropped["text"], dropped["author"]) == ("", "\udfff")
    assert dropped["date"].startswith("2024-05-01")
    assert "rejected" not in files
    assert stats["dedup/dropped"] == 1


def test_when_what_went_cannot_be_written_the_item_passes_as_it_came(tmp_path, monkeypatch):
    def full(self, name, lines):
        if name != "REJECTED" and list(lines):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Pipeline, "_write", full)
    text = "سطر أول في الخبر\nExit mobile version"
    items = [{"url": "1", "text": text}, {"url": "2", "text": "Exit mobile version"}]
    found, _, stats = piped(tmp_path, items)
    assert found == [{"url": "1", "text": text}, {"url": "2", "text": "Exit mobile version"}]
    assert stats["dedup/rejected"] == 2


def test_without_scrapy_one_line_says_what_to_do():
    code = "import sys; sys.modules['scrapy'] = None; import dedup.adapters.scrapy"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.stderr.endswith(
        "ImportError: dedup.adapters.scrapy needs Scrapy 2.15 or newer; "
        "try: pip install 'newsdedup[scrapy]'\n"
    )
