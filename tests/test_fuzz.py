"""Any bytes in, whatever they are said to be: nothing is lost, and no error is a traceback."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from arabic_text import texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invariants import holds, stays_clean
from targets import TARGETS
from test_formats import csv_of, parquet_of, text_of
from test_packed import PACK, tar_of, zip_of
from test_restore import levels, records
from test_table import warc_of, wet_of

from dedup.formats.inputs import KINDS

CASES = Path(__file__).parent / "cases" / "fuzz.jsonl"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "20"))  # `make fuzz` tries more
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def filled(rows):
    """Records of one shape, as a table has them."""
    return [{"title": "", "source": "", **row, "n": "0"} for row in rows] or [{"text": "قال"}]


def texts_of(rows):
    return [row["text"] for row in rows]


# A file of each kind that holds some records.
MADE = {
    ".jsonl": lambda rows: b"".join(text_of(row) + b"\n" for row in rows),
    ".json": lambda rows: text_of(rows, indent=1),
    ".csv": lambda rows: csv_of(filled(rows)),
    ".tsv": lambda rows: csv_of(filled(rows), "\t"),
    ".parquet": lambda rows: parquet_of(filled(rows)),
    ".warc": lambda rows: warc_of(texts_of(rows)),
    ".wet": lambda rows: wet_of(texts_of(rows)),
    ".html": lambda rows: (
        b"<html><body><article><p>%s</p></article></body></html>"
        % "</p>\n<p>".join(texts_of(rows)).encode()
    ),
    ".txt": lambda rows: "\n".join(texts_of(rows)).encode(),
}
MADE[".htm"] = MADE[".html"]
MADE |= dict.fromkeys((".ndjson", ".jl", ".jsonlines"), MADE[".jsonl"])
SHORT = st.sampled_from(
    [b"", b"\n", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\ud800", b"\0", b"\r", b"\t",
     b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xd8", b"\xe2\x80\xa8", b"NaN", b"-", b"1e999",
     b"\x1f\x8b", b"PAR1", b"WARC/1.0\r\n", b"<", b"&#0;", b"\0dedup:", b"Content-Length: -1"]
)  # fmt: skip
changes = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), SHORT | st.binary(max_size=6)), max_size=5
)


bytes_like_text = st.tuples(texts, changes).map(lambda made: changed(made[0].encode(), made[1]))


def changed(data, changes):
    """Bytes of which some are taken out and others put in."""
    for place, size, more in changes:
        at = int(place * len(data))
        data = data[:at] + more + data[at + size :]
    return data


def cases():
    return [json.loads(line) for line in CASES.open(encoding="utf-8")]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["why"])
def test_what_once_broke_something(tmp_path, case):
    data = case["text"].encode() if "text" in case else base64.b64decode(case["base64"])
    if "target" in case:
        TARGETS[case["target"]](data)
        return
    (tmp_path / case["name"]).write_bytes(data)
    assert holds(tmp_path / case["name"], tmp_path, **case.get("settings", {})) == case["records"]


@settings(fuzz, max_examples=3 * EXAMPLES)
@given(st.sampled_from(sorted(TARGETS)), bytes_like_text)
def test_targets_of_the_fuzzer(name, data):
    TARGETS[name](data)


def test_every_kind_is_tried():
    assert set(MADE) == set(KINDS)


@pytest.mark.parametrize("kind", MADE)
@fuzz
@given(
    records, changes, st.sampled_from(sorted(PACK)), changes, st.sampled_from(["", ".zip", ".tar"])
)
def test_any_file_of_a_kind(tmp_path_factory, kind, rows, inside, packing, outside, archive):
    folder = tmp_path_factory.mktemp("fuzz")
    data = changed(PACK[packing](changed(MADE[kind](rows), inside)), outside)
    path = folder / f"in{archive or kind}"
    if archive:
        data = (zip_of if archive == ".zip" else tar_of)({f"x{kind}": data, f"y{kind}": data})
        data = changed(data, outside)
    path.write_bytes(data)
    holds(path, folder)


@fuzz
@given(st.sampled_from(sorted(MADE)), st.binary(max_size=400))
def test_any_bytes_as_any_kind(tmp_path_factory, kind, data):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / f"in{kind}").write_bytes(data)
    holds(folder / f"in{kind}", folder)


@settings(fuzz, max_examples=3 * EXAMPLES)
@given(
    records,
    st.fixed_dictionaries(
        {},
        optional={
            "level": levels,
            "keep": st.sampled_from(["first", "longest", "earliest"]),
            "threshold": st.sampled_from([0.3, 0.5, 0.9, 1.0]),
            "shingle": st.integers(1, 5),
            "keep_empty": st.booleans(),
            "seed": st.integers(0, 2**32 - 1),
            "workers": st.integers(1, 2),
            "repair": st.booleans(),
        },
    ),
)
def test_the_whole_pipeline(tmp_path_factory, rows, chosen):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "in.jsonl").write_bytes(MADE[".jsonl"](rows))
    assert holds(folder / "in.jsonl", folder, **chosen) == len(rows)
    stays_clean(folder, **chosen)
