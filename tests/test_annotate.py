"""Annotate instead of remove: in the record, as Dolma attributes, as Prodigy's spans."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dedup
from dedup.cli import main
from dedup.records import KINDS

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "seeds"
TEXT = {"id": "x", "text": "نص واحد"}


def lines(path):
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in data.splitlines()]


def cut(text, spans):
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The seeds cleaned, and the seeds annotated."""
    folder = tmp_path_factory.mktemp("annotate")
    dedup.clean(SEEDS, folder / "clean.jsonl")
    dedup.clean(SEEDS, folder / "marked.jsonl", mode="annotate", spans=folder / "spans.jsonl")
    return folder


def body(row):
    return row["text"] if "text" in row else row["maintext"]


def test_the_text_stays_and_its_spans_make_the_cleaned_one(both):
    cleaned = {r["id"]: body(r) for r in lines(both / "clean.jsonl")}
    cleaned |= {r["id"]: body(r) for r in lines(both / "clean.dropped.jsonl")}
    marked = lines(both / "marked.jsonl")
    assert len(marked) == len(cleaned) == 56
    assert not (both / "marked.dropped.jsonl").exists()
    for row in marked:
        spans = row["dedup"]["spans"]
        assert cut(body(row), [(s["start"], s["end"]) for s in spans]) == cleaned[row["id"]]
        assert row["dedup"]["removed"] == len(spans)
        assert all(list(s) == ["start", "end", "kind", "rule", "similarity", "match"]
                   for s in spans)  # fmt: skip
    assert (both / "marked.removed.jsonl").read_bytes() == (
        both / "clean.removed.jsonl"
    ).read_bytes()


def test_a_line_of_json_is_copied_as_it_was(both):
    source = (SEEDS / "outlets.jsonl").read_bytes().splitlines()
    marked = (both / "marked.jsonl").read_bytes().splitlines()
    for line in source:
        assert any(row.startswith(line[:-1] + b',"dedup":{"kept":') for row in marked)


def test_what_was_annotated_is_restored_and_explained_too(both, tmp_path, capsys):
    dedup.restore(both / "marked.jsonl", tmp_path / "a.jsonl")
    dedup.restore(both / "clean.jsonl", tmp_path / "b.jsonl")
    assert lines(tmp_path / "a.jsonl") == lines(tmp_path / "b.jsonl")
    told = dedup.explain(both / "marked.jsonl", "yanabee-07")
    plain = dedup.explain(both / "clean.jsonl", "yanabee-07")
    assert told.replace(" (annotated: nothing was taken out)", "") == plain.replace(
        " (nothing left: in the dropped records)", ""
    ).replace(" gone   ", " marked ")
    assert " marked characters " in told


def test_spans_for_prodigy(both):
    tasks = lines(both / "spans.jsonl")
    cleaned = {r["id"]: body(r) for r in lines(both / "clean.jsonl")}
    assert len(tasks) == 56
    for task in tasks:
        assert {span["label"] for span in task["spans"]} <= set(KINDS)
        left = cut(task["text"], [(s["start"], s["end"]) for s in task["spans"]])
        assert left == cleaned.get(task["meta"]["id"], "")
    assert tasks[0]["meta"] == {"id": "rewaq-01", "source": "رواق الخبر", "line": 1}


def documents(folder: Path) -> Path:
    """The seeds as Dolma has them: documents/<part>/<file>.jsonl.gz, rows of id, text, source."""
    rows = [json.loads(line) for line in (SEEDS / "outlets.jsonl").open(encoding="utf-8")]
    rows = [{"id": r["id"], "text": body(r), "source": str(n % 3),
             **({"attributes": {"own": [[0, 1, 1.0]]}} if n % 5 == 0 else {})}
            for n, r in enumerate(rows)]  # fmt: skip
    emoji = "😀 عن القرية 👨‍👩‍👧 وسوقها"  # beyond the Basic Multilingual Plane
    rows += [{"id": f"e{n}", "source": "e", "text": f"{emoji} {n}\n{rows[0]['text']}\n{emoji}"}
             for n in range(3)]  # fmt: skip
    whole = folder / "data" / "documents"
    for part, some in (("a/0000.jsonl.gz", rows[::2]), ("b/0000.jsonl.gz", rows[1::2])):
        path = whole / part
        path.parent.mkdir(parents=True)
        data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some)
        path.write_bytes(gzip.compress(data.encode()))
    return whole


def test_attributes_stand_beside_their_documents(tmp_path):
    whole = documents(tmp_path)
    out = tmp_path / "data" / "attributes" / "dedup"
    dedup.clean(whole, tmp_path / "clean.jsonl", attributes=out)
    cleaned = {r["id"]: r for r in lines(tmp_path / "clean.jsonl")}
    cleaned |= {r["id"]: r for r in lines(tmp_path / "clean.dropped.jsonl")}
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.*"))
    assert found == ["a/0000.jsonl.gz", "b/0000.jsonl.gz"]
    keys = [f"dedup__{kind}" for kind in KINDS] + ["dedup__kept", "dedup__story_size"]
    for name in found:
        rows, told = lines(whole / name), lines(out / name)
        assert [row["id"] for row in rows] == [row["id"] for row in told]
        for row, one in zip(rows, told, strict=True):
            assert list(one) == ["id", "attributes"]
            assert list(one["attributes"]) == keys
            spans = [span for kind in KINDS for span in one["attributes"][f"dedup__{kind}"]]
            mine = cleaned[row["id"]]
            assert cut(row["text"], [span[:2] for span in spans]) == mine["text"]
            length, struct = len(row["text"]), mine["dedup"]
            assert one["attributes"]["dedup__kept"] == [[0, length, struct["kept"]]]
            assert one["attributes"]["dedup__story_size"] == [[0, length, struct["story_size"]]]
    again = tmp_path / "again"
    dedup.clean(whole, attributes=again, workers=2)
    for name in found:
        assert (again / name).read_bytes() == (out / name).read_bytes()


MIX = """
import importlib.machinery as machinery, importlib.util as util, sys
from pathlib import Path
(path,) = Path(sys.argv[1], "dolma").glob("dolma.*.so")
loader = machinery.ExtensionFileLoader("dolma", str(path))
module = util.module_from_spec(util.spec_from_loader("dolma", loader))
loader.exec_module(module)
module.mixer_entrypoint(Path(sys.argv[2]).read_text())
"""


@pytest.fixture(scope="session")
def dolma():
    """The real dolma in a folder of its own, and the Python that runs it: the newest it is built
    for. Of all that it wants, its mixer needs nothing.
    """
    python = sys.executable
    if sys.version_info >= (3, 13):
        pyenv = Path.home() / ".pyenv" / "versions"
        older = [
            str(path)
            for minor in (12, 11, 10)
            for path in (*pyenv.glob(f"3.{minor}.*/bin/python"), shutil.which(f"python3.{minor}"))
            if path
        ]
        if not older:
            pytest.skip("dolma is built for Python 3.12 at most, and there is none")
        python = older[0]
    home = ROOT / "tests" / ".envs" / f"dolma-{Path(python).resolve().name}"
    if not list(home.glob("dolma/dolma.*.so")):
        pip = [python, "-m", "pip", "install", "-q", "--no-deps", "--target", home]
        subprocess.run([*pip, "dolma==1.2.1"], check=True)
    return python, home


def test_dolma_mix_makes_the_same_cleaned_text(tmp_path, dolma):
    python, home = dolma
    whole = documents(tmp_path)
    data = tmp_path / "data"
    dedup.clean(whole, tmp_path / "clean.jsonl", attributes=data / "attributes" / "dedup")
    config = {
        "streams": [
            {
                "name": "cleaned",
                "documents": [f"{whole}/*/*.jsonl.gz"],
                "attributes": ["dedup"],
                "output": {"path": str(data / "mixed"), "max_size_in_bytes": 10**9},
                "span_replacement": [
                    {"span": f"$.attributes.dedup__{kind}", "min_score": 0.0, "replacement": ""}
                    for kind in KINDS
                ],
                "filter": {"include": [], "exclude": ["$.attributes[?(@.dedup__kept[0][2] < 1)]"]},
            }
        ],
        "processes": 1,
        "work_dir": {"input": str(tmp_path / "in"), "output": str(tmp_path / "work")},
    }
    (tmp_path / "mix.json").write_text(json.dumps(config))
    done = subprocess.run(
        [python, "-c", MIX, home, tmp_path / "mix.json"],
        capture_output=True, check=False, timeout=300, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    mixed = [row for path in sorted((data / "mixed").iterdir()) for row in lines(path)]
    texts = {row["id"]: row["text"] for row in mixed}
    expected = {row["id"]: row["text"] for row in lines(tmp_path / "clean.jsonl")}
    dropped = {row["id"] for row in lines(tmp_path / "clean.dropped.jsonl")}
    assert dropped
    assert {id_: text for id_, text in texts.items() if id_ not in dropped} == expected
    assert not any(texts[id_] for id_ in dropped & texts.keys())


def test_lines_that_are_no_records_keep_their_place(tmp_path):
    (tmp_path / "in.jsonl").write_text(f'{json.dumps(TEXT)}\nbroken\n{{"id":7,"text":"سطر"}}\n'
                                       f'{{"text":"آخر"}}\n')  # fmt: skip
    dedup.clean(tmp_path / "in.jsonl", attributes=tmp_path / "out")
    told = lines(tmp_path / "out" / "in.jsonl")
    assert [row["id"] for row in told] == ["x", None, 7, None]
    assert told[1]["attributes"] == {}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["a/x.jsonl", "b/x.jsonl"], "out/x.jsonl: is named for two inputs; clean them one by one"),
        (["x.txt"], "x.txt: attributes stand beside JSON lines in files; leave it out"),
        (["-"], "stdin: attributes stand beside JSON lines in files; leave it out"),
    ],
)
def test_attributes_need_a_place(tmp_path, monkeypatch, inputs, message):
    monkeypatch.chdir(tmp_path)
    for name in ("a/x.jsonl", "b/x.jsonl", "x.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(json.dumps(TEXT) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "clean", *inputs, "-q", "--attributes", "out"],
        input=b"{}\n", capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr.decode()) == (2, f"dedup: {message}\n")
    assert not Path("out").exists()


def test_attributes_are_not_written_over_documents(tmp_path, capsys):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(TEXT) + "\n")
    assert main(["clean", str(path), "-q", "--attributes", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"dedup: {path}: is both input and output; write to another file\n"
    )
    shutil.rmtree(tmp_path)
