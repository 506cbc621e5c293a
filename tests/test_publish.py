"""Files of a run take their names together, and only what the program wrote is replaced."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import dedup
from dedup.cli import main
from dedup.formats import publish

SHARED = "افتتحت بلدية المرسى سوقا جديدا للخضار قرب الميناء القديم، وحضر الافتتاح عشرات الباعة."
OTHER = "وقال رئيس البلدية إن السوق يضم ستين محلا للخضار والفاكهة وموقفا واسعا للشاحنات."


def jsonl(path, *texts):
    rows = [{"id": str(n), "text": text} for n, text in enumerate(texts)]
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return path


@pytest.fixture
def two(tmp_path):
    """A finished run, and the input of another one."""
    jsonl(tmp_path / "old.jsonl", f"{SHARED}\n{OTHER}", SHARED, OTHER + "\nسطر")
    jsonl(tmp_path / "new.jsonl", SHARED, SHARED + "\n" + OTHER, OTHER, "سطر آخر", SHARED)
    dedup.clean(tmp_path / "old.jsonl", tmp_path / "out.jsonl")
    return tmp_path


def state(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith("out.")}


def hidden(folder):
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("step", range(4))
def test_a_rename_that_fails_leaves_all_as_it_was(two, monkeypatch, step):
    before, rename = state(two), os.replace
    calls = []

    def fails(*args):
        calls.append(args)
        if len(calls) == step + 1:
            raise OSError(28, "No space left on device")
        return rename(*args)

    monkeypatch.setattr(os, "replace", fails)
    if step < 3:
        with pytest.raises(dedup.InputError, match="No space left on device"):
            dedup.clean(two / "new.jsonl", two / "out.jsonl")
        assert state(two) == before
    else:
        dedup.clean(two / "new.jsonl", two / "out.jsonl")
        assert state(two) != before
    assert hidden(two) == []


DIES = """
import os, sys
import dedup
call, step, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
made, calls = getattr(os, call), []
def dies(*args, **how):
    calls.append(args)
    if len(calls) == step:
        os._exit(9)
    return made(*args, **how)
setattr(os, call, dies)
dedup.clean(folder + "/new.jsonl", folder + "/out.jsonl")
"""


@pytest.mark.parametrize("call", ["replace", "fsync", "link"])
@pytest.mark.parametrize("step", range(1, 9))
def test_a_run_that_dies_has_happened_whole_or_not_at_all(two, call, step):
    done = subprocess.run(
        [sys.executable, "-c", DIES, call, str(step), str(two)], check=False, timeout=300
    )
    died = done.returncode == 9
    old, new = (two / name for name in ("old.jsonl", "new.jsonl"))
    dedup.restore(two / "out.jsonl", two / "back.jsonl")
    back = (two / "back.jsonl").read_bytes()
    assert back in (old.read_bytes(), new.read_bytes())
    assert died or back == new.read_bytes()
    if call == "replace":
        assert back == new.read_bytes()  # from the first name on
    dedup.clean(new, two / "out.jsonl")
    again = state(two)
    shutil.rmtree(two / "fresh", ignore_errors=True)
    (two / "fresh").mkdir()
    shutil.copy(new, two / "fresh" / "new.jsonl")
    dedup.clean(two / "fresh" / "new.jsonl", two / "fresh" / "out.jsonl")
    undisturbed = state(two / "fresh")
    assert again.keys() == undisturbed.keys()
    for name, data in undisturbed.items():
        assert again[name] == data.replace(str(two / "fresh").encode(), str(two).encode())
    assert hidden(two) == []


def test_a_commit_that_fails_brings_the_files_back(two, monkeypatch):
    before = state(two)
    monkeypatch.setattr(
        "dedup.index.index.Index.commit",
        lambda self, **how: (_ for _ in ()).throw(dedup.IndexFileError("news.db: disk is full")),
    )
    with pytest.raises(dedup.IndexFileError):
        dedup.clean(two / "new.jsonl", two / "out.jsonl", index=two / "news.db")
    assert state(two) == before
    assert hidden(two) == []


def test_a_journal_is_obeyed_only_in_what_runs_write(two):
    """Whoever may write to the folder cannot have other files moved or deleted."""
    (two / "mine.txt").write_text("mine")
    (two / "part.txt").write_text("not mine")
    told = {
        "moves": [[str(two / "part.txt"), str(two / "mine.txt")]],
        "gone": [str(two / "mine.txt")],
    }
    publish.journal_of(two / "out.jsonl").write_text(json.dumps(told))
    dedup.restore(two / "out.jsonl", two / "back.jsonl")
    assert (two / "mine.txt").read_text() == "mine"
    publish.journal_of(two / "out.jsonl").write_bytes(b'{"moves":[["')
    dedup.restore(two / "out.jsonl", two / "back.jsonl")
    assert hidden(two) == []


def test_a_mixture_is_refused_by_name(two, capsys):
    old = {path.name: path.read_bytes() for path in two.glob("out.*")}
    dedup.clean(two / "new.jsonl", two / "out.jsonl")
    for name, data in old.items():
        whole = (two / name).read_bytes()
        (two / name).write_bytes(data)
        for command in (
            ["restore", str(two / "out.jsonl"), "-o", str(two / "back.jsonl")],
            ["explain", str(two / "out.jsonl"), "1"],
            ["check", "-q", str(two / "out.jsonl")],
        ):
            assert main(command) == 2, (name, command)
            assert "not of one run" in capsys.readouterr().err
        (two / name).write_bytes(whole)
    assert not (two / "back.jsonl").exists()


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("-o", "mine.jsonl"), ("--removed", "mine.jsonl"), ("--stats", "mine.json"),
        ("--report", "mine.html"), ("--explain-kept", "mine.jsonl"), ("--spans", "mine.jsonl"),
        ("-o", "mine.parquet"), ("-o", "mine.txt"), ("-o", "mine.jsonl.gz"),
    ],
)  # fmt: skip
def test_what_the_program_did_not_write_is_not_replaced(two, flag, name, capsys):
    content = b'{"text": "mine"}\n'
    mine = two / name
    mine.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    before = mine.read_bytes()
    command = ["clean", "-q", str(two / "new.jsonl"), flag, str(mine)]
    command += [] if flag == "-o" else ["-o", str(two / "out.jsonl")]
    assert main(command) == 2
    assert capsys.readouterr().err == (
        f"dedup: {mine}: exists, and dedup did not write it; name another file, or replace it "
        "with --force\n"
    )
    assert mine.read_bytes() == before
    assert main([*command, "--force"]) == 0
    assert mine.read_bytes() != before
    assert main(command) == 0, "what it wrote it replaces"


@pytest.mark.parametrize("side", ["removed", "dropped", "rejected"])
def test_a_file_under_the_name_of_a_side_file_stays(two, side):
    mine = two / f"my.{side}.jsonl"
    mine.write_text('{"text": "mine"}\n')
    with pytest.raises(dedup.InputError, match=rf"my\.{side}\.jsonl: exists, and dedup did not"):
        dedup.clean(two / "new.jsonl", two / "my.jsonl")
    assert mine.read_text() == '{"text": "mine"}\n'
    assert not (two / "my.jsonl").exists()


def test_nothing_is_written_over_what_a_run_goes_by(two, capsys):
    (two / "dedup.toml").write_text("threshold = 0.8\n")
    (two / "decided.jsonl").write_text("")
    (two / "link.toml").symlink_to(two / "dedup.toml")
    common = ["clean", "-q", "--force", str(two / "new.jsonl")]
    settings = ["--config", str(two / "dedup.toml"), "--overrides", str(two / "decided.jsonl"),
                "--index", str(two / "news.db")]  # fmt: skip
    for name in ("dedup.toml", "link.toml", "decided.jsonl", "news.db", "news.db-wal", "new.jsonl"):
        for flag in ("-o", "--stats", "--report"):
            out = [] if flag == "-o" else ["-o", str(two / "other.jsonl")]
            assert main([*common, *settings, *out, flag, str(two / name)]) == 2
            assert "is both input and output" in capsys.readouterr().err
    assert (two / "dedup.toml").read_text() == "threshold = 0.8\n"
    assert not (two / "other.jsonl").exists()


def test_parts_of_dead_runs_are_swept_and_those_of_live_ones_are_not(two):
    dead = two / ".out.jsonl.0123456789abcdef.part"
    dead.write_bytes(b"half")
    other = two / ".else.jsonl.0123456789abcdef.part"
    other.write_bytes(b"of another output")
    alike = two / ".out.jsonl.mine.part"
    alike.write_bytes(b"of somebody else")
    with publish.make_part(two / "out.jsonl") as live:
        live.write(b"in work")
        dedup.clean(two / "new.jsonl", two / "out.jsonl")
        assert Path(live.name).exists()
        assert not dead.exists()
        assert other.exists()
        assert alike.exists()
    dedup.clean(two / "new.jsonl", two / "out.jsonl")
    assert sorted(hidden(two)) == sorted([other.name, alike.name])


def test_a_file_keeps_its_mode_and_owner(two):
    out = two / "out.jsonl"
    out.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(out, 65534, 65534)
    dedup.clean(two / "new.jsonl", out)
    found = out.stat()
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert os.geteuid() != 0 or (found.st_uid, found.st_gid) == (65534, 65534)
    umask = os.umask(0)
    os.umask(umask)
    dedup.clean(two / "new.jsonl", two / "fresh.jsonl")
    assert stat.S_IMODE((two / "fresh.jsonl").stat().st_mode) == 0o666 & ~umask


def test_a_linked_output_stays_a_link(two):
    (two / "far").mkdir()
    (two / "link.jsonl").symlink_to(two / "far" / "real.jsonl")
    dedup.clean(two / "new.jsonl", two / "link.jsonl")
    assert (two / "link.jsonl").is_symlink()
    assert (two / "far" / "real.jsonl").exists()
    assert hidden(two / "far") == hidden(two) == []


def test_restore_replaces_records_only(two, capsys):
    notes = two / "notes.jsonl"
    notes.write_text("# mine\n")
    command = ["restore", "-q", str(two / "out.jsonl"), "-o", str(notes)]
    assert main(command) == 2
    assert "exists, and dedup did not write it" in capsys.readouterr().err
    assert notes.read_text() == "# mine\n"
    assert main([*command, "--force"]) == 0
    assert notes.read_bytes() == (two / "old.jsonl").read_bytes()
    assert main(command) == 0
