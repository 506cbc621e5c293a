"""Pipelines of datatrove, run as it runs them."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from datatrove.data import Document
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

import dedup
from dedup.adapters.datatrove import Clean

OUTLETS = Path(__file__).parents[1] / "seeds" / "outlets.jsonl"


@pytest.fixture
def rows():
    found = map(json.loads, OUTLETS.read_text(encoding="utf-8").splitlines())
    return [
        {"id": r["id"], "text": r.get("text") or r.get("maintext"), "url": r.get("url"),
         "source": r.get("source"), "title": r.get("title") or r.get("headline"), "n": n}
        for n, r in enumerate(found)
    ]  # fmt: skip


def write(folder, *files):
    folder.mkdir()
    for number, rows in enumerate(files):
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{number}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def read(folder):
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        found += map(json.loads, data.split(b"\n")[:-1])
    return found


def run(folder, source, index=None, tasks=1, **settings):
    block = Clean(
        index, removed=str(folder / "removed"),
        exclusion_writer=JsonlWriter(str(folder / "dropped")), **settings,
    )  # fmt: skip
    executor = LocalPipelineExecutor(
        [JsonlReader(str(source)), block, JsonlWriter(str(folder / "clean"))],
        tasks=tasks, workers=tasks, logging_dir=str(folder / "log"),
    )  # fmt: skip
    executor.run()
    return json.loads((folder / "log" / "stats.json").read_text())[1]["stats"]


def test_the_same_as_without_datatrove(tmp_path, rows):
    stats = run(tmp_path / "out", write(tmp_path / "in", rows))
    expected = dedup.clean(rows)
    clean, dropped = read(tmp_path / "out" / "clean"), read(tmp_path / "out" / "dropped")
    assert [row["text"] for row in clean] == [row["text"] for row in expected]
    assert [row["metadata"]["dedup"] for row in clean] == [
        {**row["dedup"], "run_id": None} for row in expected
    ]
    assert [row["metadata"]["n"] for row in clean] == [row["n"] for row in expected]
    assert [row["id"] for row in dropped] == [row["id"] for row in expected.dropped]
    texts = {row["id"]: row["text"] for row in rows}
    assert all(row["text"] == texts[row["id"]] for row in dropped)
    removed = read(tmp_path / "out" / "removed")
    assert removed == [{**row, "run_id": None} for row in expected.removals]
    kinds = Counter(row["kind"] for row in removed)
    assert {kind: stats[f"removed_{kind}"]["total"] for kind in kinds} == kinds
    assert stats["total"] == len(rows)
    assert stats["forwarded"] == len(clean)
    assert stats["dropped"] == len(dropped) > 0


def test_what_an_earlier_pipeline_saw_counts(tmp_path, rows):
    index = tmp_path / "news.db"
    run(tmp_path / "one", write(tmp_path / "first", rows[:30]), index)
    run(tmp_path / "two", write(tmp_path / "second", rows[30:]), index)
    found = read(tmp_path / "two" / "removed")
    old = {row["match"]["id"] for row in found if row["match"]} & {r["id"] for r in rows[:30]}
    assert old
    run(tmp_path / "again", tmp_path / "second", index)
    assert [r["id"] for r in read(tmp_path / "again" / "clean")] == [
        r["id"] for r in read(tmp_path / "two" / "clean")
    ]


def test_tasks_that_run_at_the_same_time_share_an_index(tmp_path, rows):
    copies = [{**row, "id": f"{row['id']}-again"} for row in rows]
    source = write(tmp_path / "in", rows, copies)
    run(tmp_path / "out", source, tmp_path / "news.db", tasks=2)
    lines = Counter(
        line for row in read(tmp_path / "out" / "clean") for line in row["text"].split("\n")
        if len(line) > 80
    )  # fmt: skip
    assert set(lines.values()) == {1}


def test_what_cannot_be_cleaned_passes_as_it_came(tmp_path, rows):
    block = Clean(removed=str(tmp_path / "removed"))
    documents = [Document(id=row["id"], text=row["text"]) for row in rows[:6]]
    documents[1].text = "half \ud800 a pair"
    documents[4].text = None
    expected = [dedup.clean([{"id": d.id, "text": d.text}]) for d in documents[:1]]
    found = list(block.run(iter(documents)))
    assert [d.id for d in found] == [d.id for d in documents]
    assert found[1].text == "half \ud800 a pair"
    assert [n for n, d in enumerate(found) if "dedup" not in d.metadata] == [1, 4]
    assert found[0].metadata["dedup"]["digest"] == next(iter(expected[0]))["dedup"]["digest"]


def test_settings(tmp_path, rows):
    run(tmp_path / "out", write(tmp_path / "in", rows), keep_kind=["duplicate"], keep_empty=True)
    assert "duplicate" not in {row["kind"] for row in read(tmp_path / "out" / "removed")}
    with pytest.raises(dedup.ConfigError, match="'treshold' is no setting; did you mean"):
        Clean(treshold=0.8)
    with pytest.raises(dedup.ConfigError, match="give settings by name or a config, not both"):
        Clean(config=dedup.Config(), threshold=0.8)


def test_without_datatrove_one_line_says_what_to_do():
    code = "import sys; sys.modules['datatrove'] = None; import dedup.adapters.datatrove"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.stderr.endswith(
        "ImportError: dedup.adapters.datatrove needs datatrove; "
        "try: pip install 'newsdedup[datatrove]'\n"
    )


def test_what_datatrove_writes_down_shows_no_password(tmp_path):
    url = "redis://member:s3cret@127.0.0.1:1/0?basename=news"
    block = pickle.loads(pickle.dumps(Clean(url)))
    assert os.fspath(block.index) == url
    LocalPipelineExecutor([block], logging_dir=str(tmp_path)).save_executor_as_json()
    written = (tmp_path / "executor.json").read_text()
    assert "redis://127.0.0.1:1/0?basename=news" in written
    assert "s3cret" not in written
