"""The public face, and the same bytes from Python as from the command."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import os
import subprocess
import sys
from collections import OrderedDict, deque, namedtuple
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas
import pytest

import dedup
from dedup.config import Config
from dedup.engines.processes import in_parts
from dedup.engines.threads import in_order
from dedup.formats import lines

ROWS = [
    {
        "id": n,
        "source": "الساحل" if n % 2 else "النهر",
        "title": f"عنوان الخبر رقم {n} عن السوق",
        "text": "\n".join(
            (
                f"افتتحت بلدية المرسى السوق رقم {n} قرب الميناء القديم وحضر {n * 7} بائعا.",
                "وقال رئيس البلدية إن السوق يضم ستين محلا للخضار والفاكهة وموقفا واسعا للشاحنات.",
                f"اقرأ أيضًا: عنوان الخبر رقم {(n + 3) % 20} عن السوق",
                f"ويأمل باعة الحي {n} أن يجذب السوق سكان الأحياء البعيدة في أيام العطل والمواسم.",
            )
        ),
    }
    for n in range(20)
]


def test_public_names():
    assert sorted(dedup.__all__) == [
        "Cleaner", "Config", "ConfigError", "DedupError", "GuardError", "IndexFileError",
        "InputError", "RecordError", "Result", "check", "clean", "compare", "explain", "fold",
        "restore",
    ]  # fmt: skip
    for name in dedup.__all__:
        assert getattr(dedup, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dedup.nothing  # noqa: B018


def test_importing_the_module_leaves_the_function_in_place():
    code = "import dedup.clean, dedup; print(len(dedup.clean([{'text': 'x'}])))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"1\n"
    assert set(dedup.__all__) <= set(dir(dedup))


def test_result():
    result = dedup.clean(ROWS)
    kept = list(result)
    assert len(kept) == len(result) == 20
    assert list(kept[0]) == ["id", "source", "title", "text", "dedup"]
    assert result.counts.records == 20
    kinds = [r["kind"] for r in result.removals]
    assert kinds.count("duplicate") == 19
    assert kinds.count("related") == 20
    groups = list(result.groups)
    assert max(len(group) for group in groups) == 20
    assert groups[0][0].id == "0"
    assert "<table>" in result._repr_html_()
    assert "20 records" in repr(result)
    assert not list(result.rejected)
    assert not list(result.dropped)


def test_one_record_one_path_or_many(tmp_path):
    assert len(dedup.clean(ROWS[0])) == 1
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n")
    assert len(dedup.clean(path)) == len(dedup.clean([path])) == len(dedup.clean(str(path))) == 1
    with pytest.raises(dedup.InputError, match="cannot be mixed"):
        dedup.clean([path, ROWS[0]])


def test_settings_by_name_or_as_config():
    assert len(list(dedup.clean(ROWS, threshold=1.0).removals)) == 39
    assert len(list(dedup.clean(ROWS, config=Config(threshold=1.0)).removals)) == 39
    with pytest.raises(dedup.ConfigError, match="--keep: 'last' is not one of first, longest"):
        dedup.clean(ROWS, keep="last")
    with pytest.raises(dedup.ConfigError, match="is not a int"):
        Config(shingle=2.5)
    with pytest.raises(TypeError, match="treshold"):
        dedup.clean(ROWS, treshold=0.8)
    with pytest.raises(dedup.ConfigError, match="give settings"):
        dedup.clean(ROWS, config=Config(), threshold=0.8)


class Story(Mapping):
    """A mapping that is no dict."""

    def __init__(self, **fields):
        self.fields = fields

    def __getitem__(self, name):
        return self.fields[name]

    def __iter__(self):
        return iter(self.fields)

    def __len__(self):
        return len(self.fields)


class Moody(Story):
    def __getitem__(self, name):
        raise RuntimeError("not today")


class Colour(str, enum.Enum):
    RED = "أحمر"


@dataclasses.dataclass
class Author:
    name: str
    born: datetime.date


CIRCLE = {"name": "x"}
CIRCLE["again"] = [CIRCLE]
DEEP = []
for _ in range(300):
    DEEP = [DEEP]
UTC3 = datetime.timezone(datetime.timedelta(hours=3))
PLAIN = [
    (np.int64(7), "7"),
    (np.uint64(2**64 - 1), "18446744073709551615"),
    (np.float32(1.5), "1.5"),
    (np.float16(0.5), "0.5"),
    (np.longdouble(2.5), "2.5"),
    (np.bool_(True), "true"),
    (np.str_("س"), '"س"'),
    (np.array([[1, 2], [3, 4]]), "[[1,2],[3,4]]"),
    (np.array(["a", None], dtype=object), '["a",null]'),
    (np.datetime64("2024-05-01T09:00"), '"2024-05-01T09:00:00"'),
    (np.datetime64("NaT"), "null"),
    (Decimal("1.10"), "1.10"),
    (Decimal("12345678901234567890.123456789012345678901"),
     "12345678901234567890.123456789012345678901"),
    (Decimal("NaN"), "null"),
    (2**80, str(2**80)),
    (float("nan"), "null"),
    (pandas.NA, "null"),
    (pandas.NaT, "null"),
    (pandas.Timestamp("2024-05-01 09:00:00.000000001"), '"2024-05-01T09:00:00.000000001"'),
    (pandas.Timestamp("2024-05-01", tz="Asia/Riyadh"), '"2024-05-01T00:00:00+03:00"'),
    (datetime.datetime(2024, 5, 1, 9, tzinfo=UTC3), '"2024-05-01T09:00:00+03:00"'),
    (datetime.date(2024, 5, 1), '"2024-05-01"'),
    (datetime.time(9, 30), '"09:30:00"'),
    (datetime.timedelta(hours=1), '"1:00:00"'),
    (Path("/a/b"), '"/a/b"'),
    (Colour.RED, '"أحمر"'),
    (Author("ليلى", datetime.date(1980, 1, 2)), '{"name":"ليلى","born":"1980-01-02"}'),
    (OrderedDict(a=Decimal("2.0")), '{"a":2.0}'),
    (Story(a=(1, Story(b=2))), '{"a":[1,{"b":2}]}'),
    (deque([1]), "[1]"),
    (namedtuple("Pair", "a b")(1, Decimal("2")), "[1,2]"),
    ({1: "a", None: "b", False: "c", 2.5: "d", np.int64(9): "e", datetime.date(2024, 5, 1): "f"},
     '{"1":"a","null":"b","false":"c","2.5":"d","9":"e","2024-05-01":"f"}'),
]  # fmt: skip
UNSAID = [
    ({"a": {"b": ["x", "\ud800"]}},
     "field 'a.b[1]' is a string with half a surrogate pair at character 0; no text can hold it"),
    ({"\udfff": 1}, "is a string with half a surrogate pair at character 0; no text can hold it"),
    ({"n": float("inf")}, "field 'n' is inf; JSON has no such number, write null"),
    ({"n": [None, {"m": -np.float64("inf")}]}, "field 'n[1].m' is -inf; JSON has no such number"),
    ({"n": np.array([1, np.inf])}, "field 'n[1]' is inf; JSON has no such number, write null"),
    ({"n": Decimal("-Infinity")}, "field 'n' is -Infinity; JSON has no such number, write null"),
    ({"n": 10**5000}, "field 'n' is a number that cannot be written: Exceeds the limit"),
    ({"tags": {"a"}}, "field 'tags' is a set, which has no order; make it a list"),
    ({"raw": b"x"}, "field 'raw' is of type bytes; decode it to a string"),
    ({"x": object()}, "field 'x' is of type object, which JSON has no word for; make it a string"),
    ({"x": iter([])}, "field 'x' is of type list_iterator, which JSON has no word for"),
    ({"x": CIRCLE}, "field 'x.again[0]' is a part of itself"),
    ({"x": DEEP}, "is more than 250 deep"),
    ({("a", "b"): 1}, "field \"('a', 'b')\" is named by a tuple; name fields by strings"),
    ({1: "a", "1": "b"}, "field '1' is there twice; name fields by strings"),
    (Moody(text="x"), "RuntimeError: not today"),
    ([1, 2], "a list, not a dict; every record must be one"),
    (None, "a NoneType, not a dict; every record must be one"),
    (Author("a", None), "a Author, not a dict; every record must be one"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "written"), PLAIN, ids=range(len(PLAIN)))
def test_what_is_plainly_meant_is_told_in_json(value, written):
    for record in ({"id": "a", "x": value, "text": "نص"}, Story(id="a", x=value, text="نص")):
        (line,) = dedup.clean([record]).lines()
        _, _, rest = line.decode().partition('"x":')
        assert rest.startswith(f'{written},"text":"نص","dedup":'), line.decode()
        with dedup.Cleaner() as cleaner:
            assert cleaner(record)["text"] == "نص"


@pytest.mark.parametrize("value", [np.int64(7), Decimal("7"), 7])
def test_any_number_serves_as_id(value):
    result = dedup.clean([{"id": value, "text": "سطر\nExit mobile version"}])
    assert {removal["id"] for removal in result.removals} == {"7"}


@pytest.mark.parametrize(("record", "rule"), UNSAID, ids=[rule for _, rule in UNSAID])
def test_one_bad_record_is_set_aside_like_a_bad_line(tmp_path, record, rule):
    if isinstance(record, dict):
        record = {"text": "نص", **record}
    rows = [{"id": "a", "text": "سطر أول"}, record, {"id": "b", "text": "سطر ثان"}]
    for given in (rows, tuple(rows), iter(rows), (row for row in rows)):
        result = dedup.clean(given)
        assert [row["id"] for row in result] == ["a", "b"]
        (rejected,) = result.rejected
        assert (rejected["file"], rejected["line"]) == ("records", 2)
        assert rule in rejected["reason"]
        assert isinstance(rejected.get("text", ""), str)
    dedup.clean(rows, tmp_path / "out.jsonl")
    assert (tmp_path / "out.rejected.jsonl").exists()
    with pytest.raises(dedup.RecordError, match=r"^records:2: ") as error:
        dedup.clean(rows, on_error="fail")
    assert rule in str(error.value)
    with dedup.Cleaner() as cleaner:
        assert cleaner(rows[0])["id"] == "a"
        with pytest.raises(dedup.RecordError, match=r"^records:2: "):
            cleaner(record)
        assert cleaner(rows[2])["id"] == "b"
        result = cleaner.clean(iter([record, rows[0], record]))
        assert [row["line"] for row in result.rejected] == [4, 6]
        assert cleaner.counts.rejected == 2
    with dedup.Cleaner(on_error="fail") as cleaner, pytest.raises(dedup.RecordError):
        cleaner.clean([record])
    with pytest.raises(dedup.InputError, match=r"records|neither a path nor a record"):
        dedup.clean([record])


def test_records_are_not_read_in_another_encoding():
    rows = [{"id": "a", "text": "قال"}, {"id": "b", "text": "\ud800"}]
    assert [row["text"] for row in dedup.clean(rows, encoding="cp1256")] == ["قال"]


def test_an_empty_list_is_an_empty_result_unless_a_file_is_to_be_written(tmp_path):
    assert list(dedup.clean([])) == list(dedup.clean(iter(()))) == []
    (tmp_path / "out.jsonl").write_bytes(b"")
    with pytest.raises(dedup.InputError, match="nothing to read: no input is named"):
        dedup.clean([], tmp_path / "out.jsonl")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (5, "a int is neither a path nor a record; give paths, or dicts"),
        (None, "a NoneType is neither a path nor a record; give paths, or dicts"),
        ([5, 6], "a int is neither a path nor a record; give paths, or dicts"),
        (pandas.DataFrame({"text": ["x"]}),
         "a DataFrame is no list of records; give its .to_dict('records')"),
    ],
)  # fmt: skip
def test_what_is_no_input_is_one_line(sources, message):
    for call in (dedup.clean, dedup.check, lambda one: dedup.compare(one, [])):
        with pytest.raises(dedup.InputError) as error:
            call(sources)
        assert str(error.value) == message


@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_same_bytes_as_the_command_whatever_the_hash_seed(tmp_path, seed):
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in ROWS)
    )
    subprocess.run(
        [sys.executable, "-m", "dedup", "clean", "in.jsonl", "-o", "out.jsonl", "-q"],
        cwd=tmp_path, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, timeout=300,
    )  # fmt: skip
    result = dedup.clean(ROWS)
    assert b"".join(result.lines()) == (tmp_path / "out.jsonl").read_bytes()
    assert b"".join(result.lines("removed")) == (tmp_path / "out.removed.jsonl").read_bytes()


@pytest.mark.parametrize("size", [1, 300, 10**9])
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("level", ["block", "sentence"])
def test_same_bytes_whatever_the_batch_and_the_workers(monkeypatch, size, workers, level):
    expected = dedup.clean(ROWS, level=level)
    monkeypatch.setattr(lines, "CHUNK", size)
    found = dedup.clean(ROWS, workers=workers, level=level)
    for name in ("clean", "removed", "dropped"):
        assert list(found.lines(name)) == list(expected.lines(name))


@pytest.mark.parametrize("end", ["\n", "", "\n\n"])
@pytest.mark.parametrize("workers", [2, 3, 7])
def test_same_files_whatever_the_workers(tmp_path, workers, end):
    (tmp_path / "a.txt").write_text("عنوان واحد\n\nوكالات - الساحل\n\nنص قصير هنا.\n")
    lines = [json.dumps(row, ensure_ascii=False) for row in ROWS]
    (tmp_path / "b.jsonl").write_text("\n".join(lines) + end)
    (tmp_path / "c.jsonl").write_text("")
    (tmp_path / "d.jsonl").write_text("{}\n\n" + "\n{]\n".join(lines[:3]) + end)
    inputs = [tmp_path / name for name in ("a.txt", "b.jsonl", "c.jsonl", "d.jsonl")]
    one = dedup.clean(inputs, tmp_path / "one.jsonl")
    more = dedup.clean(inputs, tmp_path / "more.jsonl", workers=workers)
    assert one.counts == more.counts
    for name in ("clean", "removed", "dropped", "rejected"):
        assert list(one.lines(name)) == list(more.lines(name))
    dedup.restore(tmp_path / "more.jsonl", tmp_path / "back.jsonl")


def test_work_in_parts_comes_back_in_order_and_so_do_errors():
    assert in_parts(lambda part: part * part, 4) == [0, 1, 4, 9]

    def fails(part):
        if part == 2:
            raise dedup.InputError("a.jsonl: gone")
        return part

    with pytest.raises(dedup.InputError, match="gone"):
        in_parts(fails, 3)
    with pytest.raises(ChildProcessError):
        in_parts(lambda part: os._exit(1) if part else part, 2)


def test_switches_are_as_they_were_when_nobody_needs_them_quick():
    before = sys.getswitchinterval()
    one, other = (in_order(lambda x: x, range(9), 2) for _ in range(2))
    assert (next(one), next(other)) == (0, 0)
    assert sys.getswitchinterval() < before
    assert (list(one), list(other)) == ([*range(1, 9)], [*range(1, 9)])  # not in turn
    assert sys.getswitchinterval() == before


@pytest.mark.parametrize("text", ["", " \n\u200f", "..."])
def test_records_without_words(text):
    rows = [{"id": n, "title": f"عنوان الخبر رقم {n}", "text": text} for n in range(4)]
    result = dedup.clean(rows)
    counts = result.counts
    assert len(result) + counts.dropped + counts.without_text == 4
    assert counts.without_text == (0 if text.strip("\u200f \n") else 4)
    assert len(list(result.dropped)) == 4 - len(result)
    kept = dedup.clean(rows, keep_empty=True)
    assert (len(kept), kept.counts.dropped, kept.counts.without_text) == (4, 0, 0)


def test_fold_is_the_key():
    assert dedup.fold("قَالَ الأميرُ: «إنّ ١٢ دولةً…»") == "قال الامير ان 12 دوله"


def test_tables():
    import pandas  # noqa: PLC0415
    import pyarrow  # noqa: PLC0415

    result = dedup.clean(ROWS)
    frame, table = result.to_pandas("removed"), result.to_arrow("removed")
    assert isinstance(frame, pandas.DataFrame)
    assert isinstance(table, pyarrow.Table)
    rows = list(result.removals)
    assert frame.to_dict("records")[0]["text"] == rows[0]["text"]
    assert table.column("kind").to_pylist() == [row["kind"] for row in rows]
    assert list(frame.columns) == table.column_names == list(rows[0])
    assert len(result.to_pandas()) == len(result.to_arrow()) == len(result)


def test_tables_of_records_that_differ():
    rows = [{"id": "a", "text": "سطر أول"}, {"id": "b", "text": "سطر ثان", "author": "ليلى"}]
    assert dedup.clean(rows).to_arrow().column("author").to_pylist() == [None, "ليلى"]
    mixed = dedup.clean([*rows, {"id": 3, "text": "سطر ثالث"}])
    assert mixed.to_pandas()["id"].tolist() == ["a", "b", 3]
    with pytest.raises(dedup.InputError, match="field 'id' has values of several types; try to_p"):
        mixed.to_arrow()


def test_tables_name_what_is_missing(monkeypatch):
    result = dedup.clean(ROWS)
    for name, extra in (("pandas", "pandas"), ("pyarrow", "arrow")):
        monkeypatch.setitem(sys.modules, name, None)
        told = rf"{name} is not installed; try: pip install 'newsdedup\[{extra}\]'"
        with pytest.raises(dedup.InputError, match=told):
            result.to_pandas() if name == "pandas" else result.to_arrow()


def test_a_group_shows_itself():
    rows = [{**row, "id": f"<b>{row['id']}"} for row in ROWS]
    group = max(dedup.clean(rows).groups, key=len)
    shown = group._repr_html_()
    assert "&lt;b&gt;0</bdi></td>" in shown
    assert shown.count("stays") == 1
    assert shown.count("<td>goes: duplicate</td>") == 19
    assert shown.count("وقال رئيس البلدية إن السوق يضم ستين محلا") == 19
    assert "<b>" not in shown
    kept = max(dedup.clean(rows, keep="mark").groups, key=len)._repr_html_()
    assert (kept.count("stays"), kept.count("goes")) == (20, 0)


def test_a_group_tells_what_an_earlier_run_saw(tmp_path):
    for n in (1, 2):
        result = dedup.clean({**ROWS[0], "id": f"r{n}"}, index=tmp_path / "news.db")
    shown = next(iter(result.groups))._repr_html_()
    assert "<td>of run 1</td>" in shown
    assert "<td>goes: duplicate</td>" in shown


@pytest.mark.parametrize("workers", [1, 2])
def test_a_result_holds_its_rows_whatever_else_is_written(tmp_path, workers):
    plain = dedup.clean(ROWS)
    also = dedup.clean(
        ROWS, removed=tmp_path / "removed.jsonl", report=tmp_path / "r.html",
        spans=tmp_path / "spans.jsonl", workers=workers,
    )  # fmt: skip
    assert list(also) == list(plain)
    assert list(also.removals) == list(plain.removals) != []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "r.html", "removed.jsonl", "spans.jsonl",
    ]  # fmt: skip
    nothing = dedup.clean(ROWS, report=tmp_path / "r.html", discard=True)
    assert (list(nothing), nothing.counts.kinds) == ([], plain.counts.kinds)
