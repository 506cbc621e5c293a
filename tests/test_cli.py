"""The command, as a user meets it: run as a subprocess."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import ANY

import pytest
import xxhash
import zstandard

from dedup import InputError, __version__, clean
from dedup.cli import main

KNOWN = (
    ".jsonl, .ndjson, .json, .csv, .tsv, .parquet, .warc, .wet, .html, .txt, .htm, "
    ".jl, .jsonlines (plain, .gz, .zst, .bz2, .xz, in .zip or .tar)"
)
UNKEPT = (
    "WARNING  no record of removals is kept, and nothing can be restored; name a file with "
    "--removed PATH\n"
)
FORMS = ".jsonl, .jsonl.gz, .jsonl.zst, .parquet or .txt"
PARAGRAPHS = (
    "افتتحت بلدية المرسى سوقا جديدا للخضار قرب الميناء القديم، وحضر الافتتاح عشرات الباعة.",
    "وقال رئيس البلدية إن السوق يضم ستين محلا للخضار والفاكهة وموقفا واسعا للشاحنات.",
    "أحرز نسور الواحة كأس كرة القدم بعد مباراة انتهت بركلات الترجيح أمام جمهور كبير.",
)


def run(*arguments, stdin=b"", cwd=None, **env):
    return subprocess.run(
        [sys.executable, "-m", "dedup", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={**os.environ, **env},
        check=False,
        timeout=300,
    )


def jsonl(*rows):
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def rows(path):
    return [json.loads(line) for line in Path(path).open(encoding="utf-8", newline="\n")]


@pytest.fixture
def two(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(
        jsonl(
            {"id": "a", "text": "\n".join(PARAGRAPHS[:2])},
            {"id": "b", "text": "\n".join(PARAGRAPHS[1:])},
            {"id": "c", "text": PARAGRAPHS[0]},
        )
    )
    return tmp_path


def test_clean_writes_what_the_contract_says(two):
    done = run("clean", "in.jsonl", "-o", "out.jsonl", "--stats", "stats.json", cwd=two)
    assert (done.returncode, done.stdout) == (0, b"")
    assert [row["id"] for row in rows(two / "out.jsonl")] == ["a", "b"]
    a, b = rows(two / "out.jsonl")
    assert a == {
        "id": "a",
        "text": "\n".join(PARAGRAPHS[:2]),
        "dedup": {
            "kept": 2,
            "removed": 0,
            "story": "a",
            "story_size": 2,
            "duplicate_of": None,
            "run_id": ANY,
            "digest": xxhash.xxh64("\n".join(PARAGRAPHS[:2]).encode()).hexdigest(),
        },
    }
    assert b["text"] == PARAGRAPHS[2]
    assert rows(two / "out.removed.jsonl")[0] == {
        "id": "b",
        "source": "in.jsonl",
        "line": 2,
        "start": 0,
        "end": len(PARAGRAPHS[1]) + 1,
        "text": PARAGRAPHS[1] + "\n",
        "kind": "duplicate",
        "similarity": 1.0,
        "match": {
            "id": "a",
            "start": len(PARAGRAPHS[0]) + 1,
            "end": len(PARAGRAPHS[0]) + 1 + len(PARAGRAPHS[1]),
        },
        "evidence": {"rule": "equal", "stories": 2, "of": 3},
        "run_id": b["dedup"]["run_id"],
    }
    (dropped,) = rows(two / "out.dropped.jsonl")
    assert (dropped["id"], dropped["text"]) == ("c", "")
    assert dropped["dedup"]["duplicate_of"] == "a"
    assert (dropped["dedup"]["file"], dropped["dedup"]["line"]) == ("in.jsonl", 3)
    assert json.loads((two / "stats.json").read_text())["kinds"]["duplicate"] == 2
    assert sorted(p.name for p in two.iterdir()) == [
        "in.jsonl", "out.dropped.jsonl", "out.jsonl", "out.removed.jsonl", "stats.json",
    ]  # fmt: skip


def test_an_untouched_line_changes_in_nothing_but_the_added_struct(tmp_path):
    line = b'{ "text" : "\\u0646\\u0635 \\/ x" ,"n": 123456789012345678901234567890 , "f":1.0e5}'
    (tmp_path / "in.jsonl").write_bytes(line + b"\r\n")
    assert run("clean", "in.jsonl", "-o", "out.jsonl", cwd=tmp_path).returncode == 0
    out = (tmp_path / "out.jsonl").read_bytes()
    assert out.startswith(line[:-1] + b',"dedup":{"kept":1,')
    assert run("restore", "out.jsonl", "-o", "back.jsonl", cwd=tmp_path).returncode == 0
    (back,) = (tmp_path / "back.jsonl").read_bytes().splitlines()
    assert b"123456789012345678901234567890" in back
    assert b"1.0e5" in back


@pytest.mark.parametrize("keep", ["first", "longest", "earliest"])
def test_keep(tmp_path, keep):
    (tmp_path / "in.jsonl").write_bytes(
        jsonl(
            {"id": "first", "date": "2024-05-03", "text": PARAGRAPHS[0]},
            {"id": "longest", "date": "2024-05-02", "text": "\n".join(PARAGRAPHS)},
            {"id": "earliest", "date": "Wed, 01 May 2024 09:00:00 +0300", "text": PARAGRAPHS[0]},
        )
    )
    assert run("clean", "in.jsonl", "-o", "out.jsonl", "--keep", keep, cwd=tmp_path).returncode == 0
    kept = {r["id"]: r["text"] for r in rows(tmp_path / "out.jsonl")}
    assert [i for i, text in kept.items() if PARAGRAPHS[0] in text] == [keep]


def test_keep_empty_keeps_the_record_in_place(two):
    run("clean", "in.jsonl", "-o", "out.jsonl", "--keep-empty", cwd=two)
    assert [(r["id"], r["text"]) for r in rows(two / "out.jsonl")][2] == ("c", "")
    assert not (two / "out.dropped.jsonl").exists()


def test_dry_run_writes_nothing(two):
    files = [x for name in ("removed", "stats", "explain-kept") for x in (f"--{name}", name)]
    done = run("clean", "in.jsonl", "--dry-run", *files, cwd=two)
    assert done.returncode == 0
    assert b"nothing was written" in done.stderr
    assert [p.name for p in two.iterdir()] == ["in.jsonl"]


def test_the_summary_is_always_printed_and_quiet_silences_it(two):
    done = run("clean", "in.jsonl", "-o", "out.jsonl", cwd=two)
    text = done.stderr.decode()
    assert "read     3 records, 5 blocks, 1 source" in text
    assert "fields   id <- id; text <- text" in text
    assert "duplicate            2" in text
    assert "\r" not in text, "no progress bar off a terminal"
    assert run("clean", "in.jsonl", "-o", "out.jsonl", "-q", cwd=two).stderr == b""
    assert b"group    2 x a" in run("clean", "in.jsonl", "-o", "o.jsonl", "-v", cwd=two).stderr


def test_standard_input_and_output(two):
    data = (two / "in.jsonl").read_bytes()
    done = run("clean", "-", "-o", "-", "--removed", "gone.jsonl", stdin=data, cwd=two)
    assert done.returncode == 0
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a", "b"]
    assert [r["id"] for r in rows(two / "gone.jsonl")] == ["b", "c"]
    assert rows(two / "gone.dropped.jsonl")[0]["id"] == "c"
    done = run("clean", "-", "-o", "-", stdin=data, cwd=two)
    assert UNKEPT in done.stderr.decode()


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.ndjson.zst", "in.jsonl"])
def test_compressed_inputs(two, name):
    data = (two / "in.jsonl").read_bytes()
    packed = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}
    other = two / "other"
    other.mkdir()
    (other / name).write_bytes(packed.get(name.rsplit(".", 1)[1], bytes)(data))
    assert run("clean", other / name, "-o", "out.jsonl", cwd=two).returncode == 0
    assert [r["id"] for r in rows(two / "out.jsonl")] == ["a", "b"]


def test_folders_and_globs(two):
    folder = two / "scraped" / "deep"
    folder.mkdir(parents=True)
    (folder / "b.jsonl").write_bytes(jsonl({"id": "x", "text": PARAGRAPHS[0]}))
    (two / "scraped" / "a.jsonl").write_bytes(jsonl({"id": "y", "text": PARAGRAPHS[2]}))
    (two / "scraped" / "notes.md").write_text("no input")
    run("clean", "scraped", "scraped/a.jsonl", "-o", "out.jsonl", cwd=two)
    assert [r["id"] for r in rows(two / "out.jsonl")] == ["y", "x"]
    run("clean", "scraped/**/*.jsonl", "-o", "out.jsonl", cwd=two)
    assert sorted(r["id"] for r in rows(two / "out.jsonl")) == ["x", "y"]


def test_side_files_of_earlier_runs_are_no_inputs(two):
    run("clean", "in.jsonl", "-o", "out.jsonl", cwd=two)
    (two / "next").mkdir()
    (two / "out.jsonl").unlink()
    run("clean", ".", "-o", "next/out.jsonl", cwd=two)
    assert [r["id"] for r in rows(two / "next" / "out.jsonl")] == ["a", "b"]


def test_a_link_is_written_through(two):
    (two / "link.jsonl").symlink_to("real.jsonl")
    assert run("clean", "in.jsonl", "-o", "link.jsonl", cwd=two).returncode == 0
    assert (two / "link.jsonl").is_symlink()
    assert len(rows(two / "real.jsonl")) == 2


def test_field_names_by_alias_and_by_flag(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(
        jsonl({"headline": "عنوان", "maintext": PARAGRAPHS[0], "link": "https://www.a.example/1"})
    )
    done = run("clean", "in.jsonl", "-o", "out.jsonl", cwd=tmp_path)
    assert "fields   text <- maintext; title <- headline; url <- link" in done.stderr.decode()
    (row,) = rows(tmp_path / "out.jsonl")
    assert list(row) == ["headline", "maintext", "link", "dedup"]
    assert row["dedup"]["story"] == "in.jsonl:1"
    (tmp_path / "in.jsonl").write_bytes(jsonl({"inhalt": PARAGRAPHS[0], "text": "x"}))
    run("clean", "in.jsonl", "-o", "out.jsonl", "--text-field", "inhalt", cwd=tmp_path)
    assert rows(tmp_path / "out.jsonl")[0]["dedup"]["kept"] == 1


BAD_LINES = [
    (b'{"text":"x"', "not JSON: unexpected end of data at column 12"),
    (b'{"text":"\\ud800"}', "not JSON: half a surrogate pair at column 10; no text can hold it"),
    (b'{"n":NaN}', "not JSON: NaN at column 6; JSON has no such number, write null"),
    (b'{"n":-Infinity}', "not JSON: -Infinity at column 6; JSON has no such number, write null"),
    (b"[1]", "a JSON array, not an object; every line must be one {...}"),
    (b'{"inhalt":"abc"}', "field 'text' is missing; try --text-field inhalt"),
    (
        b'{"n":1}',
        "field 'text' is missing; looked for text, raw_text, maintext, article_text, body, "
        "content, plaintext",
    ),
    (b'{"text":null}', "field 'text' is a JSON null, not a string"),
    (b'{"date":1e999,"inhalt":"abc"}', "field 'text' is missing; try --text-field inhalt"),
    (b'{"text":5}', "field 'text' is a JSON number, not a string"),
    (
        b'{"text":"\xe7\xe1"}',
        "not UTF-8: byte 0xe7 at column 10; convert the file, e.g. iconv -f windows-1256 -t utf-8",
    ),
]


@pytest.mark.parametrize(("line", "rule"), BAD_LINES)
def test_a_line_that_is_no_record_is_set_aside(tmp_path, line, rule):
    good = jsonl({"id": "a", "text": PARAGRAPHS[0]})
    (tmp_path / "in.jsonl").write_bytes(good + line + b"\n\n" + good.replace(b'"a"', b'"b"'))
    done = run("clean", "in.jsonl", "-o", "out.jsonl", cwd=tmp_path)
    assert done.returncode == 0
    assert f"in.jsonl:2: {rule}" in done.stderr.decode()
    (rejected,) = rows(tmp_path / "out.rejected.jsonl")
    assert (rejected["file"], rejected["line"], rejected["reason"]) == ("in.jsonl", 2, rule)
    assert "text" in rejected or "base64" in rejected
    done = run("clean", "in.jsonl", "-o", "new.jsonl", "--on-error", "fail", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode() == f"dedup: in.jsonl:2: {rule}\n"
    assert not list(tmp_path.glob("*new*"))


def test_left_overs_of_an_earlier_run_go(two):
    data = (two / "in.jsonl").read_bytes()
    (two / "in.jsonl").write_bytes(data + b"broken\n")
    run("clean", "in.jsonl", "-o", "out.jsonl", cwd=two)
    assert (two / "out.rejected.jsonl").exists()
    (two / "in.jsonl").write_bytes(data)
    run("clean", "in.jsonl", "-o", "out.jsonl", cwd=two)
    assert not (two / "out.rejected.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.jsonl", "-o", "o.jsonl"], "nope.jsonl: no such file or folder; check the name"),
        (
            ["empty", "-o", "o.jsonl"],
            f"empty: no input in this folder; dedup reads {KNOWN}",
        ),
        (
            ["*.nope", "-o", "o.jsonl"],
            f"*.nope: no input matches; dedup reads {KNOWN}",
        ),
        (
            ["x.doc", "-o", "o.jsonl"],
            f"x.doc: unknown kind of file '.doc'; dedup reads {KNOWN}",
        ),
        (
            ["in.jsonl", "-o", "in.jsonl"],
            "in.jsonl: is both input and output; write to another file",
        ),
        (
            ["in.removed.jsonl", "-o", "in.jsonl"],
            "in.removed.jsonl: is both input and output; write to another file",
        ),
        (["in.jsonl", "-o", "no/o.jsonl"], "no/o.jsonl: its folder does not exist; make it first"),
        (["in.jsonl", "-o", "empty"], "empty: is a folder; name a file in it"),
        (["in.jsonl", "-o", "pipe"], "pipe: is no regular file; use -o - or --dry-run instead"),
        (
            ["in.jsonl", "-o", "o.jsonl", "--stats", "o.jsonl"],
            "o.jsonl: is named for two outputs; give each a file of its own",
        ),
        (
            ["in.jsonl", "-o", "o.jsonl", "--removed", "-"],
            "only -o may be standard output; name a file",
        ),
        (
            ["in.jsonl", "-o", "o.jsonl.xz"],
            "o.jsonl.xz: output is .jsonl, .jsonl.gz, .jsonl.zst, .parquet or .txt; "
            "name it o.jsonl.gz",
        ),
        *(
            (["in.jsonl", "-o", name], f"{name}: output is {FORMS}; name it {better}")
            for name, better in (
                ("o.csv", "o.jsonl"),
                ("o.xlsx", "o.jsonl"),
                ("o.json", "o.jsonl"),
                ("o.TSV.gz", "o.jsonl.gz"),
                ("o.parquet.gz", "o.jsonl.gz"),
                ("o.v2", "o.v2.jsonl"),
            )
        ),
        *(
            (
                ["in.jsonl", "-o", "o.jsonl", flag, name],
                f"{name}: output is {told}; name it {better}",
            )
            for flag, name, told, better in (
                ("--removed", "r.csv", ".jsonl, .jsonl.gz or .jsonl.zst", "r.jsonl"),
                ("--spans", "r.json", ".jsonl, .jsonl.gz or .jsonl.zst", "r.jsonl"),
                ("--stats", "s.csv", ".json", "s.json"),
                ("--report", "r.jsonl.gz", ".html", "r.html"),
            )
        ),
        *(
            (["in.jsonl", "-o", "o.jsonl", flag, name], f"{name}: is a folder; name a file in it")
            for flag in ("-o", "--removed", "--stats", "--report", "--explain-kept", "--spans")
            for name in (".", "empty/", "new/", "empty/..", "/")
        ),
        *(
            (
                ["in.jsonl", "-o", "o.jsonl", flag, name],
                f"{name}: Too many levels of symbolic links",
            )
            for flag in (
                "-o",
                "--removed",
                "--stats",
                "--report",
                "--explain-kept",
                "--spans",
                "--index",
                "--config",
                "--overrides",
            )
            for name in ("loop", "there")
        ),
        (["in.jsonl", "-o", "loop/o.jsonl"], "loop/o.jsonl: Too many levels of symbolic links"),
        (
            ["in.jsonl", "-o", "x.doc/o.jsonl"],
            "x.doc/o.jsonl: {two}/x.doc is no folder; name another",
        ),
        (
            ["in.jsonl", "-o", "o.jsonl", "--attributes", "x.doc"],
            "x.doc/in.jsonl: {two}/x.doc is no folder; name another",
        ),
        (["loop", "-o", "o.jsonl"], "loop: Too many levels of symbolic links"),
        (["links", "-o", "o.jsonl"], "links/a.jsonl: Too many levels of symbolic links"),
        (
            ["gone", "-o", "o.jsonl"],
            "gone/a.jsonl: is a link to what is not there; take it away, or name the files one by "
            "one",
        ),
        (
            ["in.jsonl", "-o", "o.jsonl", "--index", "no/news.db"],
            "no/news.db: its folder does not exist; make it first",
        ),
        *(
            (
                ["in.jsonl", "-o", "o.jsonl", flag, ""],
                f"{flag}: is empty; give it a value (is a variable not set?), or leave it out",
            )
            for flag in (
                "--out",
                "--removed",
                "--stats",
                "--report",
                "--explain-kept",
                "--spans",
                "--attributes",
                "--config",
                "--overrides",
            )
        ),
        (
            ["in.jsonl", "-o", "o.jsonl", "--index", ""],
            "--index: the name is empty; name a file, such as news.db",
        ),
        (
            ["in.jsonl", "", "-o", "o.jsonl"],
            "an argument is empty; name a file (is a variable not set?)",
        ),
        (["in.jsonl"], "say where to write: -o OUT.jsonl (or look first with --dry-run)"),
        (
            ["in.jsonl", "-o", "o.jsonl", "--threshold", "7"],
            "--threshold: 7.0 is not between 0.3 and 1.0; try 0.7",
        ),
        (
            ["in.jsonl", "-o", "o.jsonl", "--shingle", "0"],
            "--shingle: 0 is not between 1 and 9; try 3",
        ),
    ],
)
def test_errors_are_one_line_and_leave_nothing(two, arguments, message):
    (two / "empty").mkdir()
    os.mkfifo(two / "pipe")
    (two / "x.doc").write_text("a,b")
    for name, target in (("loop", "loop"), ("there", "back"), ("back", "there"),
                         ("links/a.jsonl", "a.jsonl"), ("gone/a.jsonl", "nowhere")):  # fmt: skip
        (two / name).parent.mkdir(exist_ok=True)
        (two / name).symlink_to(target)
    (two / "in.removed.jsonl").write_bytes(b"")
    before = sorted(two.rglob("*"))
    done = run("clean", *arguments, cwd=two)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == f"dedup: {message}\n".replace("{two}", str(two))
    assert sorted(two.rglob("*")) == before


@pytest.mark.parametrize("command", ["explain", "restore"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".", "is a folder; name a file in it"),
        ("loop", "Too many levels of symbolic links"),
        ("loop/o.jsonl", "Too many levels of symbolic links"),
        ("no.jsonl", "no such file"),
        ("/dev/null", "is no regular file, which can be read twice; copy it into one"),
    ],
)
def test_what_is_no_file_of_a_run_is_told(two, command, name, said):
    (two / "loop").symlink_to("loop")
    assert run("clean", "in.jsonl", "-o", "out.jsonl", cwd=two).returncode == 0
    more = ["a"] if command == "explain" else []
    for arguments in ([name, *more], ["out.jsonl", *more, "--removed", name]):
        done = run(command, *arguments, cwd=two)
        hint = "; name it with --removed" if name == "no.jsonl" and arguments[0] != name else ""
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == f"dedup: {name}: {said}{hint}\n"


def test_a_program_that_names_nothing_is_told(two, monkeypatch):
    monkeypatch.chdir(two)
    for wrong in ({"out": ""}, {"out": "o\0.jsonl"}, {"out": "o.jsonl", "removed": ""},
                  {"out": "o.jsonl", "attributes": ""}, {"sources": ""},
                  {"sources": "a\0.jsonl"}):  # fmt: skip
        with pytest.raises(InputError, match="name"):
            clean(**{"sources": "in.jsonl", **wrong})
    assert [p.name for p in two.iterdir()] == ["in.jsonl"]


def test_an_index_may_be_a_link(two):
    (two / "far").mkdir()
    (two / "news.db").symlink_to("far/real.db")
    for _ in range(2):
        done = run("clean", "in.jsonl", "-o", "out.jsonl", "--index", "news.db", cwd=two)
        assert (done.returncode, (two / "far" / "real.db").exists()) == (0, True)
    assert run("index", "check", "news.db", cwd=two).returncode == 0
    assert (two / "news.db").is_symlink()


@pytest.mark.parametrize("quiet", [(), ("-q",)])
@pytest.mark.parametrize(
    ("data", "more", "told"),
    [
        (b"", (), "in.jsonl: no records in it; nothing was written"),
        (b" \n\n", (), "in.jsonl: no records in it; nothing was written"),
        (jsonl({"text": "x"}), ("--text-field", "body"),
         "in.jsonl:1: field 'body' is missing; try --text-field text"),
        (b'"x"\n{\n', (),
         "in.jsonl:1: a JSON string, not an object; every line must be one {...}; "
         "not one of 2 lines could be read"),
    ],
)  # fmt: skip
def test_without_a_single_record_earlier_files_stay(two, quiet, data, more, told):
    assert run("clean", "in.jsonl", "-o", "out.jsonl", "--index", "i.db", cwd=two).returncode == 0
    before = {path: path.read_bytes() for path in two.glob("out.*")}
    assert len(before) == 3
    (two / "in.jsonl").write_bytes(data)
    for out in ("out.jsonl", "-"):
        done = run("clean", "in.jsonl", "-o", out, *quiet, "--index", "i.db", *more, cwd=two)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == f"dedup: {told}\n"
    assert {path: path.read_bytes() for path in two.glob("out.*")} == before
    assert not list(two.glob(".*"))


def test_an_input_without_a_record_beside_others_is_a_warning_that_passes_quiet(two):
    (two / "empty.jsonl").write_bytes(b"")
    (two / "bad.jsonl").write_bytes(b"x\n")
    names = ("in.jsonl", "empty.jsonl", "bad.jsonl")
    done = run("clean", *names, "-o", "out.jsonl", "-q", cwd=two)
    assert done.returncode == 0
    assert done.stderr.decode().splitlines() == [
        "WARNING  empty.jsonl: no records in it",
        "WARNING  bad.jsonl: nothing in it could be read, 1 line set aside; is it what its name "
        "says?",
    ]
    done = run("check", "empty.jsonl", "in.jsonl", "-q", cwd=two)
    assert (done.returncode, done.stderr) == (1, b"WARNING  empty.jsonl: no records in it\n")


def test_a_file_that_may_not_be_read(two, monkeypatch, capsys):
    monkeypatch.chdir(two)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    assert main(["clean", "in.jsonl", "-o", "out.jsonl"]) == 2
    assert capsys.readouterr().err == "dedup: in.jsonl: not allowed to read this file\n"


def test_a_file_that_cannot_be_read(two):
    (two / "dead.jsonl").symlink_to("/proc/self/mem")
    done = run("clean", "dead.jsonl", "-o", "out.jsonl", cwd=two)
    assert (done.returncode, done.stderr) == (2, b"dedup: dead.jsonl: Input/output error\n")
    assert not (two / "out.jsonl").exists()


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.jsonl.zst", "in.txt.gz"])
def test_a_file_that_is_cut_off_gives_what_is_whole(tmp_path, name):
    text = "".join(
        f"سطر رقم {i} من نص طويل {i * 7919 % 10007} لا يتكرر أبدا.\n" for i in range(4000)
    )
    lines = jsonl(*({"text": line.strip()} for line in text.splitlines()))
    data = lines if "jsonl" in name else text.encode()
    pack = gzip.compress if name.endswith("gz") else zstandard.ZstdCompressor().compress
    packed = pack(data)
    (tmp_path / name).write_bytes(packed[: len(packed) // 2])
    done = run("clean", name, "-o", "out.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    kept = rows(tmp_path / "out.jsonl")
    assert kept
    assert all(row["text"] in text or "jsonl" not in name for row in kept)
    assert (
        "cut off here; what came before was read"
        in rows(tmp_path / "out.rejected.jsonl")[-1]["reason"]
    )


def test_a_full_disk_is_one_line_and_leaves_nothing(two):
    done = run("clean", "in.jsonl", "-o", "-", "-q", cwd=two)
    assert done.returncode == 0
    with Path("/dev/full").open("wb") as full:
        failed = subprocess.run(
            [sys.executable, "-m", "dedup", "clean", "in.jsonl", "-o", "-", "-q"],
            stdout=full, stderr=subprocess.PIPE, cwd=two, check=False, timeout=300,
        )  # fmt: skip
    assert failed.returncode == 2
    assert failed.stderr == b"dedup: standard output: No space left on device\n"


@pytest.mark.parametrize("how", [("in.jsonl",), ("-", "--stream")])
def test_a_run_whose_removals_are_not_kept_says_so_once(two, how):
    data = (two / "in.jsonl").read_bytes()
    told = run("clean", *how, "-o", "-", "-q", stdin=data, cwd=two)
    assert (told.returncode, told.stderr.decode()) == (0, UNKEPT)
    told = run("clean", *how, "-o", "-", "-q", "--removed", "r.jsonl", stdin=data, cwd=two)
    assert (told.returncode, told.stderr) == (0, b"")
    assert run("clean", "in.jsonl", "-o", "-", "-q", "--dry-run", cwd=two).stderr == b""


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet", "txt"])
def test_a_run_may_leave_no_record_and_others_go_on_from_there(two, ending):
    """What another day has seen goes, all of it."""
    assert (
        run("clean", "in.jsonl", "-o", "first.jsonl", "--index", "news.db", cwd=two).returncode == 0
    )
    again = (two / "in.jsonl").read_bytes().replace(b'"id": "', b'"id": "new ')
    (two / "again.jsonl").write_bytes(again)
    out = f"out.{ending}"
    assert run("clean", "again.jsonl", "-o", out, "--index", "news.db", cwd=two).returncode == 0
    for number in range(2):
        done = run("check", out, cwd=two)
        assert (done.returncode, done.stdout) == (0, b"nothing to clean\n")
        assert b"WARNING" not in done.stderr
        after = f"after{number}.{ending}"
        assert run("clean", out, "-q", "-o", after, cwd=two).stderr == b""
        out = after
    if ending != "txt":
        assert run("restore", f"out.{ending}", "-o", "back.jsonl", cwd=two).returncode == 0
        assert (two / "back.jsonl").read_bytes() == again


def test_a_file_that_somebody_emptied_is_told(two):
    assert run("clean", "in.jsonl", "-o", "out.jsonl", cwd=two).returncode == 0
    (two / "out.dropped.jsonl").unlink()
    (two / "out.jsonl").write_bytes(b"")
    done = run("check", "-q", "out.jsonl", cwd=two)
    assert done.returncode == 2
    assert done.stderr == b"dedup: out.jsonl: no records in it; nothing was written\n"


CLOSED = "standard output: is closed; "
NEEDED = f"{CLOSED}name a file with -o"
SAID = f"{CLOSED}send it to a file, or to another program"


@pytest.mark.parametrize(
    ("command", "code", "without_input", "without_output"),
    [
        (["clean", "in.jsonl", "-o", "new.jsonl"], 0, "", ""),
        (["clean", "in.jsonl", "-o", "-"], 0, "", NEEDED),
        (["clean", "-", "-o", "new.jsonl"], 0, "standard input: is closed; name a file", ""),
        (["clean", "-", "-o", "-", "--stream"], 0,
         "standard input: is closed; pipe JSON lines into it", NEEDED),
        (["check", "in.jsonl"], 1, "", ""),
        (["explain", "out.jsonl", "a"], 0, "", SAID),
        (["restore", "out.jsonl"], 0, "", NEEDED),
        (["compare", "in.jsonl", "in.jsonl"], 0, "", SAID),
        (["index", "info", "news.db"], 0, "", SAID),
        (["clean", "none.jsonl", "-o", "new.jsonl"], 2, "", ""),
    ],
)  # fmt: skip
def test_standard_streams_may_be_closed(two, command, code, without_input, without_output):
    assert (
        run("clean", "in.jsonl", "-o", "out.jsonl", "--index", "news.db", cwd=two).returncode == 0
    )

    def done(closed):
        files = {path: path.read_bytes() for path in two.glob("new.*")}
        shell = " ".join(
            [sys.executable, "-m", "dedup", *command, "<in.jsonl >said 2>told", closed]
        )
        code = subprocess.run(["sh", "-c", shell], cwd=two, check=False, timeout=60).returncode
        assert files in ({}, {path: path.read_bytes() for path in two.glob("new.*")})
        return code, (two / "said").read_bytes(), (two / "told").read_text()

    as_ever, all_said, _ = done("")
    assert as_ever == code
    assert done("2>&-")[:2] == (code, all_said)
    for closed, wrong in (("<&-", without_input), (">&-", without_output)):
        found, said, told = done(closed)
        assert found == (2 if wrong else code)
        assert said == (b"" if wrong or closed == ">&-" else all_said)
        assert "Traceback" not in told
        assert not wrong or told == f"dedup: {wrong}\n"
    every = done("<&- >&- 2>&-")
    assert every == (2 if without_input or without_output else code, b"", "")


@pytest.mark.parametrize(
    "command",
    [["check", "in.jsonl", "-q"], ["explain", "out.jsonl", "a"], ["restore", "out.jsonl", "-q"],
     ["compare", "in.jsonl", "in.jsonl"], ["index", "info", "news.db"],
     ["index", "check", "news.db"], ["index", "export", "news.db"]],
)  # fmt: skip
def test_a_full_disk_behind_standard_output_is_one_line(two, command):
    assert (
        run("clean", "in.jsonl", "-o", "out.jsonl", "--index", "news.db", cwd=two).returncode == 0
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "dedup", *command], cwd=two, check=False,
                              stdout=full, stderr=subprocess.PIPE, timeout=60)  # fmt: skip
    assert done.stderr.decode() == "dedup: standard output: No space left on device\n"
    assert done.returncode == 2
    alone = run(*command, cwd=two, PYTHONIOENCODING="ascii")
    assert alone.stderr == b""


def test_nothing_fails_because_nobody_reads_what_is_told(two):
    for arguments, code in ((["in.jsonl", "-o", "new.jsonl"], 0), (["none", "-o", "x.jsonl"], 2)):
        told, write = os.pipe()
        os.close(told)
        done = subprocess.run([sys.executable, "-m", "dedup", "clean", *arguments], cwd=two,
                              check=False, stderr=write, timeout=60)  # fmt: skip
        os.close(write)
        assert done.returncode == code
    assert rows(two / "new.jsonl")


def test_a_reader_that_leaves_early_is_no_error(two):
    many = jsonl(*({"id": n, "text": f"نص رقم {n} لا يشبه غيره {n * 7919}"} for n in range(20000)))
    (two / "many.jsonl").write_bytes(many)
    done = subprocess.run(
        f"{sys.executable} -m dedup clean many.jsonl -o - -q | head -c 10",
        shell=True, capture_output=True, cwd=two, check=False, timeout=300,
    )  # fmt: skip
    assert (len(done.stdout), done.stderr) == (10, b"")


def test_a_killed_run_leaves_no_half_file(two):
    pipe = two / "slow.jsonl"
    os.mkfifo(pipe)
    held = os.open(pipe, os.O_RDWR)  # never ends, so the run cannot either
    os.write(held, b"broken\n" * 10)
    process = subprocess.Popen(
        [sys.executable, "-m", "dedup", "clean", "slow.jsonl", "-o", "out.jsonl"],
        cwd=two,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and not list(two.glob(".out.rejected.jsonl.*")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    os.close(held)
    assert process.returncode == 130
    assert error.endswith(b"dedup: interrupted; nothing was written\n")
    assert sorted(p.name for p in two.iterdir()) == ["in.jsonl", "slow.jsonl"]


def test_the_first_start_says_what_it_waits_for(two):
    cache = {"NUMBA_CACHE_DIR": str(two / "cache")}
    said = b"dedup: compiling for this machine, once; later runs start at once\n"
    assert run("clean", "in.jsonl", "--dry-run", cwd=two, **cache).stderr.startswith(said)
    assert said not in run("clean", "in.jsonl", "--dry-run", cwd=two, **cache).stderr


def test_help_and_version():
    assert run("--version").stdout.decode() == f"dedup {__version__}\n"
    assert b"dedup clean dump.jsonl -o clean.jsonl" in run("--help").stdout
    assert run("clean", "--help").returncode == 0
    assert run().returncode == 2


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from dedup.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print({'numpy', 'numba', 'datasketch', 'orjson', 'tqdm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.endswith(b"set()\n")


def test_flags_come_before_the_file_of_settings(two):
    (two / "dedup.toml").write_text("threshold = 0.9\nkeep = 'mark'\n")
    given = ("clean", "in.jsonl", "--dry-run", "--config", "dedup.toml")
    assert run(*given, cwd=two).returncode == 0
    wrong = run(*given, "--threshold", "7", cwd=two)
    assert wrong.returncode == 2
    said = b"dedup: --threshold: 7.0 is not between 0.3 and 1.0; try 0.7\n"
    assert wrong.stderr == said
    missing = run(*given[:-1], "none.toml", cwd=two)
    assert missing.stderr == b"dedup: none.toml: No such file or directory\n"


def test_stories_is_another_name_of_keep(two):
    for flags in (("--keep", "longest"), ("--stories", "keep-longest"), ("--stories", "mark")):
        assert run("clean", "in.jsonl", "--dry-run", *flags, cwd=two).returncode == 0


def test_no_terminal_obeys_what_was_scraped(tmp_path, monkeypatch, capsys):
    """Ids, outlets, headlines and texts of hostile records, wherever a command prints them."""
    monkeypatch.chdir(tmp_path)
    evil = "\x1b[31mأ\n\u202e\x07\x9b8m"
    prose = " ".join(f"كلمة{k}" for k in range(20))
    rows = [
        {"id": f"{evil}{n // 2}", "source": f"{evil}{n % 2}", "title": f"{evil} عنوان عن سوق {n}",
         "text": f"{evil}{prose}\n{evil} عنوان عن سوق {5 - n}"} for n in range(6)
    ]  # fmt: skip
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("a.toml").write_text(f"marker = ['x={evil}']".replace("\n", "\\n"), encoding="utf-8")
    commands = [
        ["clean", "in.jsonl", "-o", "out.jsonl", "--index", "news.db", "-v"],
        ["check", "in.jsonl"],
        ["compare", "in.jsonl", "in.jsonl"],
        ["compare", "in.jsonl", "in.jsonl", "--same-source", f"b={evil}0"],
        *(["explain", "out.jsonl", f"{evil}{n}"] for n in range(4)),
        ["explain", "out.jsonl", "--why", "كلمة7"],
        ["explain", "out.jsonl", "--why", f"{evil}ليس هنا"],
        ["index", "info", "news.db"],
        ["clean", "in.jsonl", "--dry-run", "--max-removed", "0"],
        ["clean", f"no{evil}.jsonl", "--dry-run"],
        ["clean", "in.jsonl", "--dry-run", "--text-field", evil],
        ["clean", "in.jsonl", "--dry-run", "--config", "a.toml"],
    ]
    shown = ""
    for arguments in commands:
        main(arguments)
        shown += "".join(capsys.readouterr())
    assert not [c for c in shown if c != "\n" and not c.isprintable()]
    assert shown.count("\\x1b[31mأ\\n\\u202e\\x07\\x9b8m") > 20
