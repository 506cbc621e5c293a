"""Records of what the extractors themselves, no doubles of them, make of a page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from datetime import datetime
from pathlib import Path

import newspaper
import pytest
import trafilatura
from newsplease import NewsPlease

import dedup
from dedup.adapters.extractors import of_fundus, of_newspaper, of_newsplease, of_trafilatura

HERE = Path(__file__).parent
FOLDER = HERE / "extractors"
PAGE = (FOLDER / "page.html").read_text(encoding="utf-8")
URL = "https://www.sahel.example/news/market-opens"
BODY = [
    line.removeprefix("<p>").removesuffix("</p>")
    for line in PAGE.split("\n")
    if line.startswith("<p>")
]
FIELDS = ["id", "url", "source", "title", "abstract", "authors", "date", "language", "text"]


def from_trafilatura():
    return trafilatura.bare_extraction(PAGE, url=URL, with_metadata=True)


def trafilatura_json():
    return trafilatura.extract(PAGE, url=URL, with_metadata=True, output_format="json")


def from_newsplease():
    return NewsPlease.from_html(PAGE, url=URL)


def newsplease_json():
    return json.dumps(from_newsplease().get_serializable_dict())


def from_newspaper():
    article = newspaper.Article(URL, language="ar")
    article.download(input_html=PAGE)
    article.parse()
    return article


def newspaper_json():
    return from_newspaper().to_json()


@pytest.mark.parametrize(
    ("record_of", "extracted"),
    [
        (of_trafilatura, from_trafilatura),
        (of_trafilatura, trafilatura_json),
        (of_newsplease, from_newsplease),
        (of_newsplease, newsplease_json),
        (of_newspaper, from_newspaper),
        (of_newspaper, newspaper_json),
    ],
)
def test_all_give_the_same_record(record_of, extracted):
    found = extracted()
    record = record_of(found)
    assert list(record) == FIELDS
    assert [line for line in record["text"].split("\n") if line in BODY] == BODY
    assert record["id"] == record["url"] == URL
    assert record["source"] == "sahel.example"
    assert record["title"] == "سوق المرسى يفتح أبوابه"
    assert record["abstract"] == "افتتحت بلدية المرسى سوقها الجديد قرب الميناء القديم."
    assert record["authors"] == ["ليلى الحداد"]
    assert datetime.fromisoformat(record["date"]).date().isoformat() == "2026-03-14"
    if isinstance(found, str):
        assert record_of(json.loads(found)) == record


@pytest.fixture(scope="session")
def python_with_fundus():
    """A Python that has it: in an environment of its own, made when it is first needed."""
    requirements = FOLDER / "requirements-fundus.txt"
    folder = HERE / ".envs" / "fundus"
    python = folder / "bin" / "python"
    ready = folder / requirements.name
    if not ready.exists() or ready.read_text() != requirements.read_text():
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True, timeout=600
        )
        ready.write_text(requirements.read_text())
    return python


def test_fundus(python_with_fundus):
    done = subprocess.run(
        [python_with_fundus, FOLDER / "with_fundus.py"], capture_output=True, check=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parent)}, timeout=300,
    )  # fmt: skip
    record, broken = json.loads(done.stdout)
    assert list(record) == FIELDS
    assert record == {
        "id": URL, "url": URL, "source": "sahel.example", "title": "سوق المرسى يفتح أبوابه",
        "abstract": BODY[0], "authors": ["ليلى الحداد"], "date": "2026-03-14T08:30:00+00:00",
        "language": "ar", "text": "\n\n".join(BODY),
    }  # fmt: skip
    # What its parser failed at is not there.
    assert broken == {**record, "abstract": "", "date": "", "text": ""}


@pytest.mark.parametrize("record_of", [of_trafilatura, of_newsplease, of_newspaper])
def test_what_was_not_found_is_empty(record_of):
    empty = {**dict.fromkeys(FIELDS, ""), "authors": []}
    assert record_of({}) == empty
    assert record_of({"date_publish": "None", "title": None, "authors": None}) == empty


def test_the_name_of_the_site_serves_where_there_is_no_address():
    assert of_newspaper({"meta_site_name": " صحيفة الساحل "})["source"] == "صحيفة الساحل"


def test_a_record_can_be_cleaned_and_is_known_when_it_comes_again(tmp_path):
    record = of_newspaper(from_newspaper())
    copy = {**record, "id": "x", "url": "https://nahr.example/1", "source": "nahr.example"}
    with dedup.Cleaner(tmp_path / "news.db") as clean:
        first = clean(record)
        assert clean(copy) is None
        assert clean(record)["text"] == first["text"] == record["text"]


def test_none_of_them_need_be_installed():
    names = ("trafilatura", "newspaper", "newsplease", "fundus", "scrapy", "datatrove")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({names}))\n"
        "from dedup.adapters.extractors import of_trafilatura\n"
        "print(of_trafilatura({'text': 'x'})['text'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"x\n"
    assert of_fundus.__doc__
