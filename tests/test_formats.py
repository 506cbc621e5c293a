"""Every format gives the records it holds, and restore gives them back."""

from __future__ import annotations

import gzip
import io
import json
import math
import sys
import zipfile
from decimal import Decimal

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dedup
from dedup.formats import cells, columns, lines, outputs, tables, values
from dedup.report.summary import warnings

STORIES = [
    "افتتحت بلدية المرسى سوقا جديدا للخضار قرب الميناء القديم، وحضر الافتتاح عشرات الباعة.",
    "وقال رئيس البلدية إن السوق يضم ستين محلا للخضار والفاكهة وموقفا واسعا للشاحنات.",
    "أحرز نسور الواحة كأس كرة القدم بعد مباراة انتهت بركلات الترجيح أمام جمهور كبير.",
    "تستعد قرى الوادي لموسم قطف الزيتون، ويتوقع المزارعون محصولا أوفر من العام الماضي.",
]
ROWS = [
    {"id": "a", "title": "سوق جديد", "text": f"{STORIES[0]}\n{STORIES[1]}"},
    {"id": "b", "title": 'كأس, "الواحة"', "text": f"{STORIES[2]}\n\n{STORIES[1]}"},
    {"id": "c", "title": "", "text": STORIES[3]},
]


def csv_of(rows, delimiter=",", end="\r\n"):
    def cell(value):  # csv's writer knows no NUL before Python 3.11
        text = str(value)
        quoted = any(c in text for c in (delimiter, '"', "\r", "\n"))
        return '"{}"'.format(text.replace('"', '""')) if quoted else text

    lines = [list(rows[0]), *([row.get(name, "") for name in rows[0]] for row in rows)]
    return "".join(delimiter.join(map(cell, line)) + end for line in lines).encode()


def parquet_of(rows, **how):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=2, **how)
    return out.getvalue()


def text_of(value, **how):
    return json.dumps(value, ensure_ascii=False, **how).encode()


FILES = {
    "in.jsonl": b"".join(text_of(row) + b"\n" for row in ROWS),
    "array.json": text_of(ROWS),
    "pretty.json": text_of(ROWS, indent=2),
    "objects.json": b"\n".join(text_of(row, indent=4) for row in ROWS),
    "lines.json": b"\n".join(map(text_of, ROWS)),
    "in.csv": csv_of(ROWS),
    "semicolons.csv": csv_of(ROWS, ";", "\n"),
    "in.tsv": csv_of(ROWS, "\t"),
    "in.parquet": parquet_of(ROWS),
}


def restored(folder):
    dedup.restore(folder / "out.jsonl", folder / "back.jsonl")
    with (folder / "back.jsonl").open(encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("workers", [1, 2])
def test_formats_hold_the_same_records(tmp_path, name, workers):
    (tmp_path / name).write_bytes(FILES[name])
    result = dedup.clean(tmp_path / name, tmp_path / "out.jsonl", workers=workers)
    assert [row["text"] for row in result] == [ROWS[0]["text"], STORIES[2], STORIES[3]]
    assert restored(tmp_path) == ROWS


@pytest.mark.parametrize("name", [n for n in FILES if n.startswith(("array", "in."))])
def test_formats_in_archives_and_compressed(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(f"x/{name}", FILES[name])
        archive.writestr(f"x/2{name}.gz", gzip.compress(FILES[name]))
    dedup.clean(tmp_path / "a.zip", tmp_path / "out.jsonl")
    assert restored(tmp_path) == ROWS * 2


@pytest.mark.parametrize("name", ["array.json", "pretty.json", "objects.json", "in.parquet"])
def test_formats_on_standard_input(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(FILES[name])
    with (tmp_path / name).open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        dedup.clean("-", tmp_path / "out.jsonl")
    assert restored(tmp_path) == ROWS


def test_a_folder_of_one_file_an_article(tmp_path):
    (tmp_path / "d").mkdir()
    for n, row in enumerate(ROWS):
        (tmp_path / "d" / f"{n:09}.json").write_bytes(text_of(row, indent=1))
    dedup.clean(tmp_path / "d", tmp_path / "out.jsonl")
    assert restored(tmp_path) == ROWS


def test_files_of_one_article_give_what_one_file_gives(tmp_path):
    (tmp_path / "d").mkdir()
    rows = [{"source": "x", **row, "id": f"{n}{row['id']}"} for n in range(150) for row in ROWS]
    for n, row in enumerate(rows):
        (tmp_path / "d" / f"{n:09}.json").write_bytes(text_of(row))
        if n % 50 == 0:
            (tmp_path / "d" / f"{n:09}x.txt").write_text("سطر وحيد", encoding="utf-8")
            (tmp_path / "d" / f"{n:09}y.jsonl").write_text("broken\n")
    apart = dedup.clean(tmp_path / "d", tmp_path / "out.jsonl")
    back = restored(tmp_path)
    assert apart.counts.rejected == 9
    assert [row["id"] for row in back if "#" not in row["id"]] == [row["id"] for row in rows]
    assert [row for row in back if "#" not in row["id"]] == rows
    assert len(back) == len(rows) + 9


def test_json_stays_as_it_was_written(tmp_path):
    data = b'[ {"n" : 123456789012345678901234567890, "f":1.0e5,\n "text":"\\u0646\\/ x"} ]'
    (tmp_path / "in.json").write_bytes(data)
    dedup.clean(tmp_path / "in.json", tmp_path / "out.jsonl")
    out = (tmp_path / "out.jsonl").read_bytes()
    assert out.startswith(
        b'{"n":123456789012345678901234567890,"f":1.0e5,"text":"\\u0646\\/ x","ded'
    )


BAD_JSON = [
    (b'[{"text":"a b"}, 5, {"text":"c d"}]', ["a b", "c d"], "no JSON object; every record must"),
    (b'[{"text":"a b"}, {"text":"c', ["a b"], "not JSON: the file ends within an object; what"),
    (b'[\n{"text":"a b"},\n{"text":"c d},\n{"text":"e f"}\n]', ["a b", "e f"],
     "not JSON: in 14 bytes no object ends"),
    (b'[{"text":"a b"},\n{"text":NaN},\n{"text":"e f"}]', ["a b", "e f"],
     "not JSON: NaN at column 9; JSON has no such number, write null"),
    (b'[{"text":"a b"},\n{"x":1]},\n{"text":"e f"}]', ["a b", "e f"], "not JSON: "),
    (b'{"text":"a b"} trailing', ["a b"], "no JSON object; every record must be one {...}"),
    (b'{"text":"a b"}{"text":["c"]}', ["a b"], "field 'text' is a JSON array, not a string"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "texts", "rule"), BAD_JSON)
def test_bad_json(tmp_path, data, texts, rule):
    (tmp_path / "in.json").write_bytes(data)
    result = dedup.clean(tmp_path / "in.json")
    assert [row["text"] for row in result] == texts
    assert next(result.rejected)["reason"].startswith(rule)


MARK = b"\xef\xbb\xbf"
JOINED = [text_of(row) for row in ROWS]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cr.jsonl", b"\r".join(JOINED) + b"\r"),
        ("blank.jsonl", b"\r\r ".join(JOINED)),
        ("mixed.jsonl", JOINED[0] + b"\r" + JOINED[1] + b"\r\n" + JOINED[2] + b"\n"),
        ("inner.jsonl", b'{"x": 1,\r"text": "a"}\n' + b"\r".join(JOINED)),
        ("marked.jsonl", MARK + JOINED[0] + b"\n" + MARK + JOINED[1] + b"\n" + MARK + JOINED[2]),
        ("pretty.jsonl", text_of(ROWS[0], indent=1).replace(b"\n", b"\r")),
        ("cr.csv", csv_of(ROWS, end="\r")),
        ("mixed.csv", csv_of(ROWS[:2], end="\r") + csv_of(ROWS[2:], end="\n").split(b"\n", 1)[1]),
        ("marked.csv", MARK + csv_of(ROWS[:2]) + MARK + csv_of(ROWS[2:])),
        ("other.csv", csv_of(ROWS[:2])
         + MARK + csv_of([{name: ROWS[2][name] for name in ("text", "title", "id")}])),
        ("quoted.csv", MARK + b'"id","title","text"\n"c","","' + STORIES[3].encode() + b'"\n'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 7, 1 << 21])
def test_lines_end_in_any_way_and_files_may_be_joined(tmp_path, monkeypatch, name, data, size):
    monkeypatch.setattr(lines, "CHUNK", size)
    (tmp_path / name).write_bytes(data)
    result = dedup.clean(tmp_path / name, tmp_path / "out.jsonl")
    assert result.counts.rejected == 0
    ids = {row.get("id"): row["text"] for row in restored(tmp_path)}
    for row in ROWS:
        assert ids.get(row["id"], row["text"]) == row["text"]
    whole = 3 if name not in ("pretty.jsonl", "quoted.csv") else 1
    assert len(ids) == result.counts.records == {"inner.jsonl": 4}.get(name, whole)


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_a_dump_whose_lines_end_otherwise(tmp_path, end):
    dump = "\n".join(
        f"عنوان الخبر رقم {n}\n\n{story}\n\nكتب: سامر الحاج\n" for n, story in enumerate(STORIES)
    )
    found = []
    for name, data in (("a.txt", dump.encode()), ("b.txt", dump.replace("\n", end).encode())):
        (tmp_path / name).write_bytes(MARK + data + MARK + data)
        result = dedup.clean(tmp_path / name)
        found.append(([row["text"].replace(end, "\n") for row in result],
                      *result.counts.dumps.values()))  # fmt: skip
    assert found[0] == found[1]
    (tmp_path / "bad.txt").write_bytes(dump.replace("\n", end).encode() + b"\xff" + end.encode())
    assert dedup.clean(tmp_path / "bad.txt").counts.rejected == 1


def test_columns_that_are_named_again_are_told(tmp_path):
    (tmp_path / "in.csv").write_bytes(csv_of(ROWS[:2]) + csv_of(ROWS[2:]))
    counts = dedup.clean(tmp_path / "in.csv", tmp_path / "out.jsonl").counts
    assert (counts.records, counts.rejected) == (3, 1)
    assert "the names of the columns once more" in counts.why_rejected[0]
    assert restored(tmp_path) == ROWS


@pytest.mark.parametrize(
    ("between", "hint"),
    [(b"\r", "try tr '\\r' '\\n'"), (MARK, "files were joined without a line's end between them")],
)
def test_lines_that_are_none_far_behind_are_told(tmp_path, between, hint):
    rows = b"".join(text_of({"text": f"{STORIES[0]} {n}"}) + b"\n" for n in range(3000))
    (tmp_path / "in.jsonl").write_bytes(rows + between.join(JOINED))
    counts = dedup.clean(tmp_path / "in.jsonl", tmp_path / "out.jsonl").counts
    assert (counts.records, counts.rejected) == (3000, 1)
    assert hint in counts.why_rejected[0]


def test_an_object_beyond_the_limit_is_never_held(tmp_path):
    long = b'{"text":"' + b"x" * 5000 + b'"}'
    (tmp_path / "in.json").write_bytes(b'[\n{"text":"a b"},\n' + long + b',\n{"text":"c d"}]')
    result = dedup.clean(tmp_path / "in.json", max_record="2K")
    assert [row["text"] for row in result] == ["a b", "c d"]
    (rejected,) = result.rejected
    assert rejected["reason"].endswith("more than 2,048; try a larger --max-record")


def by_column(rows, of=lambda cells: {str(n): cell for n, cell in enumerate(cells)}):
    return {name: of([row[name] for row in rows]) for name in rows[0]}


SHAPES = {  # what is written, what it is said to be, and what of it is left out
    "array": (lambda rows: rows, None, []),
    "wrapper": (lambda rows: {"status": "ok", "articles": rows, "total": 2},
                "the list 'articles' of an object", ["status", "total"]),
    "deep": (lambda rows: {"data": {"page": 1, "items": rows}, "took": 3},
             "the list 'data.items' of an object", ["page", "took"]),
    "any name": (lambda rows: {"أخبار": rows}, "the list 'أخبار' of an object", []),
    "columns": (by_column, "a table, column by column", []),
    "labels": (lambda rows: by_column(rows, lambda cells: dict(zip("ab", cells, strict=True))),
               "a table, column by column", ["labels of rows"]),
    "lists": (lambda rows: by_column(rows, list), "a table, column by column", []),
    "split": (lambda rows: {"columns": list(rows[0]), "index": [0, 1],
                            "data": [list(row.values()) for row in rows]},
              "a table, row by row", []),
    "table": (lambda rows: {"schema": {"fields": [{"name": "id", "type": "string"}]},
                            "data": rows},
              "the list 'data' of an object", ["schema"]),
    "index": (lambda rows: {"x": rows[0], "y": rows[1]}, "the objects in an object",
              ["labels of rows"]),
}  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["in.json", "in.jsonl", "-"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_object_that_holds_many_records(tmp_path, monkeypatch, shape, name, indent):
    rows = [{"id": "أ", "n": 1.50, "text": STORIES[0]}, {"id": "b", "n": None, "text": "بين"}]
    make, told, left = SHAPES[shape]
    data = json.dumps(make(rows), ensure_ascii=False, indent=indent).encode() + b"\n"
    (tmp_path / "in.json").write_bytes(data)
    (tmp_path / "in.jsonl").write_bytes(data)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    source = name if name == "-" else tmp_path / name
    result = dedup.clean(source, tmp_path / "out.jsonl")
    assert (result.counts.records, result.counts.rejected) == (2, 0)
    shown = "stdin" if name == "-" else str(source)
    assert result.counts.shapes == ({f"{shown}: {told}": [2, *left]} if told else {})
    assert warnings(result.counts) == (
        [f"WARNING  {shown}: {told}; left out: {', '.join(left)}"] if left else []
    )
    assert dedup.restore(tmp_path / "out.jsonl", tmp_path / "back.jsonl") == 2
    assert [json.loads(line) for line in (tmp_path / "back.jsonl").open(encoding="utf-8")] == rows


@pytest.mark.parametrize("pages", [1, 3])
def test_pages_of_an_interface_one_a_line(tmp_path, pages):
    with (tmp_path / "in.jsonl").open("w") as file:
        for n in range(pages):
            file.write(json.dumps({"page": n, "results": [{"text": f"{STORIES[0]} {n}"}]}) + "\n")
        file.write('{"page": 9, "results": []}\n')
    counts = dedup.clean(tmp_path / "in.jsonl", tmp_path / "out.jsonl").counts
    assert (counts.records, counts.rejected) == (pages, 0)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ({"articles": [{"text": "x"}], "related": [{"text": "y"}]},
         "an object with several lists of records (articles, related); take one out, such as: jq "
         ".articles"),
        ({"articles": [{"story": "x"}, {"story": "y"}]},
         "an object whose list 'articles' holds 2 objects without a text; try --text-field story"),
        ({"text": {"0": "x"}, "title": {"1": "y"}}, "field 'text' is a JSON object, not a string"),
        ({"columns": ["text", "id"], "data": [["x"]]}, "field 'text' is missing; looked for"),
    ],
)  # fmt: skip
def test_what_may_hold_records_and_does_not_tell_is_told(tmp_path, value, rule):
    (tmp_path / "in.json").write_text(json.dumps(value))
    with pytest.raises(dedup.InputError) as wrong:
        dedup.clean(tmp_path / "in.json", tmp_path / "out.jsonl")
    assert str(wrong.value).startswith(f"{tmp_path / 'in.json'}:1: {rule}")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_record_may_hold_lists_of_objects(tmp_path):
    """What has a text is a record, whatever else it has; so is what an extractor calls so."""
    rows = [
        {"items": [{"text": "x"}], "text": STORIES[0]},
        {"articles": [{"text": "x"}, {"text": "y"}], "body": STORIES[1]},
    ]
    for name in ("in.json", "in.jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)) + "\n")
        result = dedup.clean(tmp_path / name, tmp_path / "out.jsonl", force=True)
        assert (result.counts.records, result.counts.shapes) == (2, {})


@settings(max_examples=200, deadline=None)
@given(size=st.integers(1, 60), large=st.integers(20, 400), count=st.integers(1, 6),
       indent=st.sampled_from([None, 1]), deep=st.booleans())  # fmt: skip
def test_a_large_list_is_taken_record_by_record(size, large, count, indent, deep):
    found = [{"id": n, "text": 'a "b" [{' * n, "x": [{"y": []}]} for n in range(count)]
    inner = {"items": found, "more": [{"text": "no"}]}
    whole = {"status": "ok", "data": inner} if deep else {"status": "ok", **inner}
    data = json.dumps(whole, indent=indent).encode() + b'\n{"text": "behind"}'
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(values, "LARGE", large)
        held = values._Values(1 << 20, ["text"], lambda *what: told.append(what))
        made = []
        for at in range(0, len(data), size):
            made += held.feed(data[at : at + size])
        made += held.end()
    rows = [json.loads(line) for line in made if not lines.refused(line)]
    assert rows[-1] == {"text": "behind"}
    if len(rows) == 1:  # all of it was there at once, with two lists
        assert "several lists of records" in lines.refused(made[0])[0]
    else:
        assert rows[:-1] == found
        assert told == [("the list 'items' of an object", ("status", "what stands behind it"),
                         count)]  # fmt: skip


def test_a_large_list_that_is_cut_off_is_told(monkeypatch):
    monkeypatch.setattr(values, "LARGE", 50)
    data = io.BufferedReader(io.BytesIO(b'{"items": [{"text": "x"}, {"text": "%b"},' % (b"y" * 99)))
    *rows, end = values.json_lines(data, 1 << 20, ["text"])
    assert [json.loads(row)["text"][0] for row in rows] == ["x", "y"]
    assert lines.refused(end)[0] == "the file ends within its list; what came before was read"


def test_a_cut_off_array(tmp_path):
    rows = [{"text": f"نص رقم {n} {n * 7919 % 10007}"} for n in range(20_000)]
    packed = gzip.compress(text_of(rows, indent=1))
    (tmp_path / "in.json.gz").write_bytes(packed[: len(packed) // 2])
    result = dedup.clean(tmp_path / "in.json.gz")
    assert result.counts.records > 5000
    reasons = [row["reason"] for row in result.rejected]
    assert reasons[0].startswith("not JSON: ")
    assert reasons[-1].startswith("the compressed file is cut off here")


values_ = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ), max_leaves=6,
)  # fmt: skip
objects = st.lists(st.dictionaries(st.text(), values_, max_size=4), max_size=5)


@given(objects, st.sampled_from((None, 0, 1, 2)), st.booleans(), st.integers(1, 40), st.booleans())
@settings(deadline=None)
def test_objects_are_found_wherever_the_bytes_are_parted(rows, indent, ascii_, size, array):
    if array:
        data = json.dumps(rows, indent=indent, ensure_ascii=ascii_).encode()
    else:
        data = b"\n".join(
            json.dumps(row, indent=indent, ensure_ascii=ascii_).encode() for row in rows
        )
    reader = values._Values(1 << 20)
    found = [line for at in range(0, len(data), size) for line in reader.feed(data[at : at + size])]
    found += reader.end()
    assert [json.loads(line) for line in found] == rows


@given(st.binary(max_size=300), st.integers(1, 50))
@settings(deadline=None)
def test_no_bytes_break_the_reader_of_json(data, size):
    reader = values._Values(100)
    found = [line for at in range(0, len(data), size) for line in reader.feed(data[at : at + size])]
    for line in (*found, *reader.end()):
        assert line.count(b"\n") == 1
        assert lines.refused(line) or isinstance(json.loads(line), dict)


def csv_lines(data, most=1 << 20, **how):
    return list(tables.csv_lines(io.BufferedReader(io.BytesIO(data)), most, **how))


words = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@given(st.lists(st.tuples(words, words), max_size=6), st.sampled_from(("\n", "\r\n")))
@settings(deadline=None)
def test_rows_of_csv_come_on_their_line(rows, end):
    named = [{"id": a, "text": b} for a, b in rows]
    data = csv_of(named or [{"id": "", "text": ""}], end=end)
    found = b"".join(csv_lines(data)).split(b"\n")
    assert [json.loads(line) for line in found if line] == (named or [{"id": "", "text": ""}])
    at = data.split(b"\n")
    for line, row in zip([n for n, line in enumerate(found) if line], named, strict=False):
        assert at[line] == csv_of([row], end=end).split(b"\n")[1]


@given(st.binary(max_size=200), st.integers(5, 100))
@settings(deadline=None)
def test_no_bytes_break_the_reader_of_csv(data, most):
    for line in b"".join(csv_lines(data, most)).split(b"\n"):
        assert not line or lines.refused(line) or isinstance(json.loads(line), dict)


def test_bad_rows_of_csv(tmp_path):
    data = 'id,text\na,"x ""y"" z"\nb,one,two\nc,"p q" r\nd\ne,"u\nv"\nf,"open\ng,w\n'
    (tmp_path / "in.csv").write_text(data)
    result = dedup.clean(tmp_path / "in.csv")
    assert [(row["id"], row["text"]) for row in result] == [
        ("a", 'x "y" z'),
        ("e", "u\nv"),
        ("g", "w"),
    ]
    assert [(row["line"], row["reason"].partition(";")[0]) for row in result.rejected] == [
        (3, "3 cells, but 2 columns"),
        (4, "not CSV: ',' expected after '\"'"),
        (5, "1 cells, but 2 columns"),
        (8, "not CSV: unexpected end of data"),
    ]
    assert next(result.rejected)["text"] == "b,one,two\n"


def test_a_parquet_of_all_types(tmp_path):
    import datetime  # noqa: PLC0415
    from decimal import Decimal  # noqa: PLC0415

    row = {"id": 2**64 - 1, "text": "نص", "at": datetime.datetime(2024, 5, 1, 9), "b": b"\xff",
           "d": Decimal("1.10"), "l": [1, None], "s": {"x": 1.5}, "n": None}  # fmt: skip
    schema = pa.Table.from_pylist([{**row, "id": 1}]).schema.set(0, pa.field("id", pa.uint64()))
    pq.write_table(pa.Table.from_pylist([row], schema), tmp_path / "in.parquet")
    (out,) = dedup.clean(tmp_path / "in.parquet")
    assert {**out, "dedup": 0} == {
        "id": 2**64 - 1, "text": "نص", "at": "2024-05-01T09:00:00", "b": "data:;base64,/w==",
        "d": "1.10", "l": [1, None], "s": {"x": 1.5}, "n": None, "dedup": 0,
    }  # fmt: skip


HALF = np.float16(0.5)
UTC_NS = pa.timestamp("ns", "UTC")
PAIR = pa.struct([("at", UTC_NS), ("in", pa.struct([("d", pa.decimal128(5, 2))]))])
# Three cells of each type, and how JSON tells the first.
CELLS = {
    "timestamp[s]": (pa.array([1714554000, None, -1], pa.timestamp("s")), "2024-05-01T09:00:00"),
    "timestamp[ms]": (pa.array([1001, None, -1], pa.timestamp("ms")), "1970-01-01T00:00:01.001000"),
    "timestamp[ns]": (pa.array([1, None, -1], pa.timestamp("ns")), "1970-01-01T00:00:00.000000001"),
    "years beyond all": (pa.array([10**12, None, -(10**12)], pa.timestamp("s")),
                         "33658-09-27T01:46:40"),
    "a zone": (pa.array([0, None, 1714554000], pa.timestamp("us", "Asia/Riyadh")),
               "1970-01-01T03:00:00+03:00"),
    "a zone by its offset": (pa.array([0, None, 1], pa.timestamp("ns", "-05:30")),
                             "1969-12-31T18:30:00-05:30"),
    "an hour that comes twice": (pa.array([1729992600, None, 1729989000],
                                          pa.timestamp("s", "Europe/Paris")),
                                 "2024-10-27T02:30:00+01:00"),
    "a zone that nobody knows": (pa.array([0, None, 1], pa.timestamp("ns", "Mars/Olympus")),
                                 "1970-01-01T00:00:00+00:00"),
    "date32": (pa.array([19844, None, -(10**6)], pa.int32()).cast(pa.date32()), "2024-05-01"),
    "date64": (pa.array([86_400_000, None, 0], pa.date64()), "1970-01-02"),
    "time32": (pa.array([1, None, 86_399_999], pa.time32("ms")), "00:00:00.001000"),
    "time64": (pa.array([1, None, 0], pa.time64("ns")), "00:00:00.000000001"),
    "duration": (pa.array([-1_500_000_000, None, 2**62], pa.duration("ns")), "-PT1.500000S"),
    "decimal128": (pa.array([Decimal("1.10"), None, Decimal(10) ** 33], pa.decimal128(38, 3)),
                   "1.100"),
    "decimal256": (pa.array([Decimal(10) ** 70, None, Decimal("-0.001")], pa.decimal256(76, 3)),
                   "1" + "0" * 70 + ".000"),
    "binary": (pa.array([b"\xff", None, "نص".encode()]), "data:;base64,/w=="),
    "binary that looks so": (pa.array([b"data:;base64,/w==", None, b""], pa.large_binary()),
                             "data:;base64,ZGF0YTo7YmFzZTY0LC93PT0="),
    "fixed binary": (pa.array([b"ab", None, b"\x80\x00"], pa.binary(2)), "ab"),
    "uint64": (pa.array([2**64 - 1, None, 0], pa.uint64()), 2**64 - 1),
    "int8": (pa.array([-128, None, 127], pa.int8()), -128),
    "float": (pa.array([0.5, None, 1e-40], pa.float32()), 0.5),
    "half": (pa.array([HALF, None, np.float16("inf")]), 0.5),
    "no number": (pa.array([math.nan, None, -math.inf]), "NaN"),
    "dictionary": (pa.array(["a", None, "b"]).dictionary_encode(), "a"),
    "dictionary of numbers": (pa.array([5, None, 5]).dictionary_encode(), 5),
    "large_string": (pa.array(["سطر", None, ""], pa.large_string()), "سطر"),
    "null": (pa.nulls(3), None),
    "bool": (pa.array([True, None, False]), True),
    "list": (pa.array([[1, None], None, []], pa.list_(pa.timestamp("ns"))),
             ["1970-01-01T00:00:00.000000001", None]),
    "large list": (pa.array([[b"\xff"], None, []], pa.large_list(pa.binary())),
                   ["data:;base64,/w=="]),
    "list of lists": (pa.array([[[1], None, []], None, []], pa.list_(pa.list_(pa.date32()))),
                      [["1970-01-02"], None, []]),
    "struct": (pa.array([{"at": 0, "in": {"d": Decimal("1.5")}}, None, {"at": None, "in": None}],
                        PAIR),
               {"at": "1970-01-01T00:00:00+00:00", "in": {"d": "1.50"}}),
    "map": (pa.array([[("x", 1), ("x", None)], None, []], pa.map_(pa.string(), pa.date32())),
            [["x", "1970-01-02"], ["x", None]]),
}  # fmt: skip


def shown(column):
    """What a column holds: NaN is equal to nothing, itself included."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return str(column.dictionary_decode() if pa.types.is_dictionary(column.type) else column)


def plain(schema):
    return {field.name: (str(field.type), field.nullable) for field in schema}


def test_every_type_of_parquet_is_told_and_comes_out_as_it_went_in(tmp_path):
    """As columns of one file, so that all rows are read, with the rows of the middle dropped."""
    texts = [STORIES[0], STORIES[1], STORIES[0], STORIES[2]]
    columns = {
        name: pa.concat_arrays([cells, cells.slice(0, 1)])
        if "dict" not in name
        else pa.chunked_array([cells, cells.slice(0, 1)])
        for name, (cells, _) in CELLS.items()
    }
    table = pa.table({"id": pa.array(range(4), pa.int16()), "text": texts, **columns})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=3)
    table = pq.read_table(tmp_path / "in.parquet")
    result = dedup.clean(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert (result.counts.rejected, result.counts.dropped) == (0, 1)
    assert result.counts.encodings == []
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.column_names == [*table.column_names, "dedup"]
    assert plain(out.schema.remove(len(table.column_names))) == plain(table.schema)
    left = table.take([0, 1, 3])
    for name in table.column_names:
        assert shown(out[name]) == shown(left[name]), name
    rows = list(dedup.clean(tmp_path / "in.parquet"))
    assert len(rows) == 3
    assert {name: rows[0][name] for name in CELLS} == {
        name: cell for name, (_, cell) in CELLS.items()
    }
    assert dedup.restore(tmp_path / "out.parquet", tmp_path / "back.parquet") == 4
    back = pq.read_table(tmp_path / "back.parquet")
    assert plain(back.schema) == plain(table.schema)
    assert [shown(back[name]) for name in back.column_names] == [
        shown(table[name]) for name in table.column_names
    ]


@pytest.mark.parametrize("name", CELLS)
def test_cells_of_a_slice(name):
    cells_, first = CELLS[name]
    whole = pa.concat_arrays([cells_] * 3) if "dict" not in name else cells_
    told = cells.told(pa, whole)
    assert told[0] == first
    for start in range(len(whole)):
        assert cells.told(pa, whole.slice(start, 2)) == told[start : start + 2]
        again = cells.back(pa, told[start:], whole.type)
        assert (again.type, shown(again)) == (whole.type, shown(whole.slice(start)))


def test_a_text_in_a_column_of_bytes_or_of_categories(tmp_path):
    texts = ["\n".join(STORIES[:2]), STORIES[1], STORIES[2]]
    for kind in (pa.binary(), pa.dictionary(pa.int32(), pa.string()), pa.large_string()):
        column = (
            pa.array(texts).cast(pa.binary()) if kind == pa.binary() else pa.array(texts).cast(kind)
        )
        pq.write_table(pa.table({"text": column}), tmp_path / "in.parquet")
        result = dedup.clean(tmp_path / "in.parquet", tmp_path / "out.parquet")
        assert (result.counts.dropped, result.counts.encodings) == (1, [])
        out = pq.read_table(tmp_path / "out.parquet")
        assert out.schema.field("text").type == kind
        dedup.restore(tmp_path / "out.parquet", tmp_path / "back.parquet")
        assert pq.read_table(tmp_path / "back.parquet").equals(
            pq.read_table(tmp_path / "in.parquet")
        )


def test_types_of_several_inputs(tmp_path):
    day, second = pa.array([1], pa.date32()), pa.array([1], pa.timestamp("ns"))
    pq.write_table(pa.table({"text": [STORIES[0]], "at": day}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": [STORIES[1]], "at": day, "n": pa.array([1], pa.int8())}),
                   tmp_path / "b.parquet")  # fmt: skip
    pq.write_table(pa.table({"text": [STORIES[2]], "at": second}), tmp_path / "c.parquet")
    (tmp_path / "d.jsonl").write_bytes(text_of({"text": STORIES[3], "at": 5}) + b"\n")

    def types_of(*names):
        result = dedup.clean([tmp_path / name for name in names], tmp_path / "out.parquet")
        schema = pq.read_schema(tmp_path / "out.parquet")
        found = {field.name: str(field.type) for field in schema if field.name != "dedup"}
        return found, result.counts.encodings

    assert types_of("a.parquet", "b.parquet") == (
        {"text": "string", "at": "date32[day]", "n": "int8"}, []
    )  # fmt: skip
    assert types_of("a.parquet", "c.parquet") == (
        {"text": "string", "at": "string"},
        ["columns of the same name have different types in the inputs; a type that holds all "
         "values was found for each column"],
    )  # fmt: skip
    assert types_of("a.parquet", "d.jsonl") == ({"text": "string", "at": "string"}, [])


def test_a_frame_of_pandas_comes_back_as_it_was(tmp_path):
    frame = pandas.DataFrame({
        "text": STORIES[:3],
        "at": pandas.array([1, None, 2], dtype="datetime64[ns]"),
        "outlet": pandas.Categorical(["أ", "ب", "أ"]),
        "n": pandas.array([1, None, 3], dtype="Int64"),
        "zone": pandas.to_datetime(["2024-05-01"] * 3).tz_localize("Asia/Riyadh"),
    }, index=["x", "y", "z"])  # fmt: skip
    frame.to_parquet(tmp_path / "in.parquet")
    dedup.clean(tmp_path / "in.parquet", tmp_path / "out.parquet")
    out = pandas.read_parquet(tmp_path / "out.parquet")
    pandas.testing.assert_frame_equal(
        out.drop(columns="dedup"), pandas.read_parquet(tmp_path / "in.parquet")
    )


def test_a_type_that_cannot_stay_is_told_in_one_line(tmp_path):
    """Where text is mended, it need no longer be what it was."""
    lines = io.BytesIO(b'{"text":"a","n":1,"m":null}\n{"text":"b","n":300,"m":2}\n')
    schema = pa.schema([("text", pa.string()), ("n", pa.int8()), pa.field("m", pa.int8(), False)])
    said = []
    columns.to_parquet(lines, tmp_path / "o.parquet", "o.parquet", schema, said.append)
    assert [str(kind) for kind in pq.read_schema(tmp_path / "o.parquet").types] == [
        "string", "int64", "int64",
    ]  # fmt: skip
    assert said == [
        "o.parquet: column 'n' is no longer int8: Value 300 too large to fit in C integer type",
        "o.parquet: column 'm' is no longer int8: a row has none",
    ]


def test_what_is_no_parquet_is_told(tmp_path):
    (tmp_path / "in.parquet").write_bytes(FILES["in.parquet"][:-20])
    with pytest.raises(dedup.InputError, match=r"in\.parquet: not a whole Parquet file: "):
        dedup.clean(tmp_path / "in.parquet")


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("pyarrow", "a.parquet", "reading .parquet needs pyarrow; try: pip install 'newsdedup[arr"),
        (
            "warcio.archiveiterator",
            "a.warc",
            "reading .warc needs warcio; try: pip install",
        ),
        ("trafilatura", "a.html", "reading pages needs trafilatura; try: pip install 'newsdedup[p"),
    ],
)
def test_a_missing_library_is_one_line(tmp_path, monkeypatch, module, name, message):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(dedup.InputError) as error:
        dedup.clean(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: {message}")


FUNDUS = {
    "title": "سوق جديد",
    "body": {
        "summary": ["ملخص الخبر"],
        "sections": [
            {"headline": [], "paragraphs": [STORIES[0], STORIES[1]]},
            {"headline": ["عنوان فرعي"], "paragraphs": [STORIES[2]]},
        ],
    },
    "publishing_date": "2024-05-01 09:00:00",
    "url": "https://www.marsa.example/1",
}
NEWS_PLEASE = {"maintext": STORIES[0], "title": "سوق", "text": None, "url": "https://a.example/1",
               "source_domain": "a.example", "date_publish": "2024-05-01"}  # fmt: skip
TRAFILATURA = {"title": "سوق", "hostname": "b.example", "id": None, "raw_text": STORIES[0],
               "text": STORIES[0], "source": "https://b.example/1", "comments": ""}  # fmt: skip


@pytest.mark.parametrize("fundus", [FUNDUS, {**FUNDUS, "body": {
    "summary": {"texts": ["ملخص الخبر"]},
    "sections": [{"headline": {"texts": []}, "paragraphs": {"texts": STORIES[:2]}},
                 {"headline": {"texts": ["عنوان فرعي"]}, "paragraphs": {"texts": [STORIES[2]]}}],
}}])  # fmt: skip
def test_sections_of_paragraphs_are_a_text(tmp_path, fundus):
    (tmp_path / "in.json").write_bytes(text_of([fundus, TRAFILATURA, NEWS_PLEASE], indent=1))
    result = dedup.clean(tmp_path / "in.json", tmp_path / "out.jsonl")
    text = "\n\n".join([STORIES[0], STORIES[1], "عنوان فرعي", STORIES[2]])
    assert next(iter(result))["text"] == text
    assert set(result.counts.sources) == {"marsa.example", "b.example", "a.example"}
    first, *others = restored(tmp_path)
    assert first == fundus
    assert others == [TRAFILATURA, NEWS_PLEASE]


def page(story, n):
    return f"""<html lang="ar"><head><title>خبر رقم {n}</title></head><body>
<nav><a href="/">الرئيسية</a> <a href="/s">رياضة</a></nav>
<article><h1>خبر رقم {n}</h1><p>{story}</p><p>{story[::-1]}</p><p>{STORIES[(n + 1) % 4]}</p>
</article><footer>جميع الحقوق محفوظة</footer></body></html>""".encode()


def warc_record(kind, url, body, content="application/http; msgtype=response"):
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{abs(hash(url)):032x}>\r\n"
        f"WARC-Date: 2024-05-01T09:00:00Z\r\nWARC-Target-URI: {url}\r\n"
        f"Content-Type: {content}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body + b"\r\n\r\n"


def http(body, status="200 OK", content="text/html; charset=utf-8"):
    return f"HTTP/1.1 {status}\r\nContent-Type: {content}\r\n\r\n".encode() + body


def warc():
    yield warc_record("warcinfo", "", b"software: x\r\n", "application/warc-fields")
    for n, story in enumerate(STORIES[:3]):
        url = f"https://marsa.example/{n}"
        yield warc_record("request", url, b"GET / HTTP/1.1\r\n\r\n", "application/http")
        encoding = ("utf-8", "cp1256", "utf-8")[n]
        body = page(story, n).decode().encode(encoding)
        yield warc_record("response", url, http(body, content=f"text/html; charset={encoding}"))
    yield warc_record("response", "https://marsa.example/x", http(page("x", 9), "404 Not Found"))
    yield warc_record("response", "https://marsa.example/p", http(b"\x89PNG", content="image/png"))
    yield warc_record("response", "https://marsa.example/e", http(b"<html></html>"))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("packed", [False, True])
def test_pages_of_a_crawl(tmp_path, workers, packed):
    name = "in.warc.gz" if packed else "in.warc"
    data = [gzip.compress(one) if packed else one for one in warc()]
    (tmp_path / name).write_bytes(b"".join(data))
    result = dedup.clean(tmp_path / name, tmp_path / "out.jsonl", workers=workers)
    rows = restored(tmp_path)
    assert [row["url"] for row in rows] == [f"https://marsa.example/{n}" for n in range(3)]
    for row, story in zip(rows, STORIES, strict=False):
        assert story in row["text"]
        assert "الرئيسية" not in row["text"]
        assert row["title"].startswith("خبر رقم")
    assert result.counts.sources.keys() == {"marsa.example"}
    assert [row["reason"] for row in result.rejected] == [
        "no text was found in this page https://marsa.example/e"
    ]
    assert result.counts.encodings == [
        f"{tmp_path / name}: 6 records are no pages and were passed over "
        "(request 3, warcinfo 1, status 404 1, image/png 1)"
    ]


def test_text_of_a_crawl(tmp_path):
    data = warc_record("warcinfo", "", b"x: y\r\n", "application/warc-fields")
    for n, row in enumerate(ROWS):
        data += warc_record(
            "conversion", f"https://s{n}.example/", row["text"].encode(), "text/plain"
        )
    (tmp_path / "in.warc.wet.gz").write_bytes(gzip.compress(data))
    result = dedup.clean(tmp_path / "in.warc.wet.gz", tmp_path / "out.jsonl")
    assert [row["text"] for row in restored(tmp_path)] == [row["text"] for row in ROWS]
    assert set(result.counts.sources) == {"s0.example", "s1.example", "s2.example"}


def test_pages_by_themselves(tmp_path):
    for n, story in enumerate(STORIES):
        (tmp_path / f"{n}.html").write_bytes(page(story, n))
    dedup.clean(tmp_path, tmp_path / "out.jsonl")
    assert all(story in row["text"] for row, story in zip(restored(tmp_path), STORIES, strict=True))


OUTPUTS = ("out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet")


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("back", ["back.jsonl", "back.parquet", "back.jsonl.gz"])
def test_outputs_hold_the_same_records(tmp_path, name, back):
    (tmp_path / "in.jsonl").write_bytes(FILES["in.jsonl"])
    result = dedup.clean(tmp_path / "in.jsonl", tmp_path / name)
    assert [row["text"] for row in result] == [ROWS[0]["text"], STORIES[2], STORIES[3]]
    removed = "out.removed.jsonl" + name.partition("jsonl")[2]
    assert {p.name for p in tmp_path.iterdir()} == {"in.jsonl", name, removed}
    assert dedup.restore(tmp_path / name, tmp_path / back) == 3
    result.paths["back"] = tmp_path / back
    assert [json.loads(line) for line in result.lines("back")] == ROWS


def test_outputs_do_not_tell_when_they_were_written(tmp_path):
    for name in ("1.jsonl.gz", "2.jsonl.gz"):
        dedup.clean(ROWS, tmp_path / name)
    assert (tmp_path / "1.jsonl.gz").read_bytes() == (tmp_path / "2.jsonl.gz").read_bytes()


def test_text_alone(tmp_path):
    dedup.clean(ROWS, tmp_path / "out.txt")
    expected = "\n\n".join([ROWS[0]["text"], STORIES[2], STORIES[3]]) + "\n"
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == expected
    with pytest.raises(dedup.InputError, match="holds texts alone; restore needs"):
        dedup.restore(tmp_path / "out.txt", tmp_path / "back.jsonl")


def test_columns_of_mixed_types(tmp_path):
    rows = [{"id": "a", "x": 1, "y": {"n": None}, "text": STORIES[0]},
            {"id": 2, "x": [1, "b"], "y": {"n": 2}, "z": {"k": None}, "text": STORIES[1]},
            {"id": 2**70, "x": None, "y": {"n": 1}, "z": {"k": 1}, "text": STORIES[2]}]  # fmt: skip
    result = dedup.clean(rows, tmp_path / "out.parquet")
    every = {"id": None, "x": None, "y": None, "z": None}
    found = [{**row, "dedup": 0} for row in result]
    assert [row["id"] for row in found][:2] == ["a", 2]
    assert [row["x"] for row in found] == [1, [1, "b"], None]
    assert [row["z"] for row in found] == [None, {"k": None}, {"k": 1}]
    dedup.restore(tmp_path / "out.parquet", tmp_path / "back.jsonl")
    back = [json.loads(line) for line in (tmp_path / "back.jsonl").open(encoding="utf-8")]
    assert back[:2] == [{**every, **row} for row in rows[:2]]


@pytest.mark.parametrize(("module", "name"), [("pyarrow", "parquet"), ("zstandard", "zst")])
def test_a_library_that_is_missing_to_write(tmp_path, monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(dedup.InputError, match=f"writing .{name} needs {module}; try"):
        dedup.clean(ROWS, tmp_path / f"o.{name}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ask", [outputs._sync_file_range(), None])
def test_files_are_whole_though_the_system_was_asked_to_write_them_before(
    ask, tmp_path, monkeypatch
):
    monkeypatch.setattr(outputs, "AHEAD", 1000)
    monkeypatch.setattr(outputs, "_sync_file_range", lambda: ask)
    pieces = [b"%d\n" % n * 300 for n in range(40)]
    with outputs.Outputs(str(tmp_path / "out.jsonl")) as out:
        for piece in pieces:
            out.write("clean", piece)
    assert (tmp_path / "out.jsonl").read_bytes() == b"".join(pieces)
