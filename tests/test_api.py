"""The public face, and the same bytes from Python as from the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

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


def test_a_record_that_is_no_json_is_told():
    with pytest.raises(dedup.InputError, match="records:1: not a JSON object"):
        dedup.clean([{"text": object()}])
    assert next(iter(dedup.clean([{"text": "نص", "n": 2**80}])))["n"] == float(2**80)


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
