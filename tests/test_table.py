"""Every format x compression x encoding is read; the table in docs/formats.md says so."""

from __future__ import annotations

import json

import pytest
from pages import part_of, table
from test_formats import ROWS, csv_of, page, parquet_of, text_of, warc_record
from test_formats import http as http_of
from test_packed import PACK, tar_of, zip_of

from dedup.config import Config
from dedup.formats import open_inputs
from dedup.formats.inputs import KINDS

PAGE = "docs/formats.md"
PART = "formats: written by tests/test_table.py --update-golden"
TEXTS = [row["text"] for row in ROWS]
WRAPPED = {**PACK, ".zip": lambda data: data, ".tar": lambda data: data}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1256", "iso8859-6")


def wet_of(texts):
    return b"".join(
        warc_record("conversion", f"https://s{n}.example/", text.encode(), "text/plain")
        for n, text in enumerate(texts)
    )


def warc_of(texts):
    return b"".join(
        warc_record("response", f"https://s{n}.example/", http_of(page(text, n)))
        for n, text in enumerate(texts)
    )


# What a file of each kind holds, what `line` counts, and what reads it.
MADE = {
    ".jsonl": (b"".join(text_of(row) + b"\n" for row in ROWS), "lines", "msgspec"),
    ".json": (text_of(ROWS, indent=1), "objects", "msgspec"),
    ".csv": (csv_of(ROWS), "lines; where the row begins", "csv"),
    ".tsv": (csv_of(ROWS, "\t"), "lines; where the row begins", "csv"),
    ".parquet": (parquet_of(ROWS), "rows", "pyarrow"),
    ".warc": (warc_of(TEXTS), "pages", "warcio, trafilatura"),
    ".wet": (wet_of(TEXTS), "texts", "warcio"),
    ".html": (page(TEXTS[0], 0), "pages", "trafilatura"),
    ".txt": ("\n".join(TEXTS).encode(), "lines; of the headline", "dedup itself"),
}
SAME = {".ndjson": ".jsonl", ".jl": ".jsonl", ".jsonlines": ".jsonl", ".htm": ".html"}
LIBRARY = {".gz": "zlib", ".zst": "zstandard", ".bz2": "bz2", ".xz": "lzma", ".zip": "zipfile",
           ".tar": "tarfile"}  # fmt: skip


def texts_in(path):
    inputs = open_inputs([path], Config())
    assert [found for found in inputs.batches() if hasattr(found, "rule")] == []
    return [row.text for rows in inputs.rows() for row in rows.each()]


def wrapped(folder, kind, wrapping, data):
    name, packed = f"in{kind}", WRAPPED[wrapping](data)
    if wrapping in (".zip", ".tar"):
        packed = (zip_of if wrapping == ".zip" else tar_of)({name: data})
        name = "in"
    path = folder / f"{name}{wrapping}"
    path.write_bytes(packed)
    return path


@pytest.mark.parametrize("wrapping", WRAPPED)
@pytest.mark.parametrize("kind", MADE)
def test_every_combination_is_read(tmp_path, kind, wrapping):
    data = MADE[kind][0]
    for encoding in ENCODINGS if KINDS[kind].text else ("utf-8",):
        recoded = data if encoding == "utf-8" else data.decode().encode(encoding)
        found = texts_in(wrapped(tmp_path, kind, wrapping, recoded))
        assert found, encoding
        expected = TEXTS if len(found) == len(TEXTS) else TEXTS[:1]
        if kind == ".txt":
            assert "".join(found) == data.decode(), encoding
        elif "trafilatura" in MADE[kind][2]:
            lines = [line for text in expected for line in text.split("\n") if line]
            assert all(line in "\n".join(found) for line in lines)
        else:
            assert found == TEXTS, encoding


def test_every_kind_has_its_row(request):
    assert set(MADE) | set(SAME) == set(KINDS)
    rows = []
    for kind, (_, line, library) in MADE.items():
        names = [kind, *(name for name, other in SAME.items() if other == kind)]
        encodings = "UTF-8, UTF-16, windows-1256, ISO-8859-6 and others by chardet"
        rows.append((
            ", ".join(f"`{name}`" for name in names),
            ", ".join(f"`{name}` ({by})" for name, by in LIBRARY.items()),
            encodings if KINDS[kind].text else "its own",
            line,
            library,
        ))  # fmt: skip
    made = table(("format", "plain and in", "encoding", "`line` counts", "read by"), rows)
    assert part_of(PAGE, PART, made, request.config.getoption("--update-golden")) == made


def test_rows_are_json_lines(tmp_path):
    for kind, (data, *_) in MADE.items():
        (tmp_path / f"in{kind}").write_bytes(data)
        inputs = open_inputs([tmp_path / f"in{kind}"], Config())
        assert list(inputs.batches())
        for row in (row for rows in inputs.rows() for row in rows.each()):
            assert row.raw.count(b"\n") == 0
            assert row.text in json.loads(row.raw).values()
