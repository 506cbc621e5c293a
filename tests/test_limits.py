"""Bad and hostile input: one clear line, an exit code, and nothing lost."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import select
import subprocess
import sys
import time
import tracemalloc
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard
from pages import part_of, table
from test_formats import parquet_of
from test_packed import zip_of

import dedup
from dedup.cli import main
from dedup.errors import NothingRead
from dedup.formats.inputs import as_lines
from dedup.formats.lines import WholeLines, refused
from dedup.formats.values import json_lines

PAGE = "docs/formats.md"
PART = "bad input: written by tests/test_limits.py --update-golden"
GOOD = '{"id":"a","text":"مركب أزرق يعود إلى ميناء المرسى"}\n'.encode()
LAST = '{"id":"z","text":"حقل قمح يحصد في أول الصيف"}\n'.encode()


class Bad(NamedTuple):
    """One kind of bad input: its files, what is shown, and the ids that come out."""

    what: str
    files: dict[str, bytes]
    shown: str
    kept: str
    ids: tuple[str, ...] = ("a", "z")
    code: int = 0
    arguments: tuple[str, ...] = ()


def around(line, name="in.jsonl"):
    return {name: GOOD + line + b"\n" + LAST}


SET_ASIDE = "the other lines; this one is set aside with its bytes"
WHOLE = "everything"
NOTHING = "nothing is written"
TABLE = "id,text\r\na,مركب أزرق\r\n".encode()
BAD = [
    Bad("a line that ends early", around(b'{"text":"x"'),
        "in.jsonl:2: not JSON: unexpected end of data at column 12", SET_ASIDE),
    Bad("NaN, Infinity", around(b'{"id":"n","score":NaN,"text":"x"}'),
        "in.jsonl:2: not JSON: NaN at column 19; JSON has no such number, write null", SET_ASIDE),
    Bad("half a surrogate pair", around(rb'{"text":"\ud83d x"}'),
        "in.jsonl:2: not JSON: half a surrogate pair at column 10; no text can hold it", SET_ASIDE),
    Bad("bytes that are no UTF-8", around(b'{"text":"ab\xff"}'),
        "in.jsonl:2: not UTF-8: byte 0xff at column 12; "
        "convert the file, e.g. iconv -f windows-1256 -t utf-8", SET_ASIDE),
    Bad("a NUL byte", around(b'{"text":"a\0b"}'),
        "in.jsonl:2: not JSON: unexpected control character in string at column 11", SET_ASIDE),
    Bad("an escaped NUL", around(rb'{"id":"n","text":"a\u0000b"}'), "read     3 records", WHOLE,
        ("a", "n", "z")),
    Bad("nesting without end", around(b'{"x":' + b"[" * 10**6),
        "in.jsonl:2: not JSON: depth limit exceeded at column 1030", SET_ASIDE),
    Bad("nested 10^5 deep", around(b'{"x":' + b"[" * 10**5 + b"]" * 10**5 + b',"text":"x"}'),
        "in.jsonl:2: not JSON: depth limit exceeded at column 1030", SET_ASIDE),
    Bad("no object", around(b"[1]"),
        "in.jsonl:2: a JSON array, not an object; every line must be one {...}", SET_ASIDE),
    Bad("no text", around(b'{"id":"n","inhalt":"x y"}'),
        "in.jsonl:2: field 'text' is missing; try --text-field inhalt", SET_ASIDE),
    Bad("a text that is none", around(b'{"id":"n","text":["x"]}'),
        "in.jsonl:2: field 'text' is a JSON array, not a string", SET_ASIDE),
    Bad("a number beyond 64 bits",
        around(b'{"id":"n","n":123456789012345678901234567890,"text":"x y"}'),
        "read     3 records", "everything, the number as it was written", ("a", "n", "z")),
    Bad("ids of other types", around(b'{"id":7,"text":"x y"}\n{"id":[1],"text":"p q"}'),
        "read     4 records",
        "everything; a number serves as id, another type does not", ("a", 7, [1], "z")),
    Bad("an id twice", around(b'{"id":"a","text":"x y"}'),
        "ids      1 record with the id of an earlier one, such as 'a'",
        "everything, and restore stays exact", ("a", "a", "z")),
    Bad("a key twice in one record",
        around(b'{"id":"m","n":1,"text":"x","id":"n","n":2,"text":"p q"}'),
        "read     3 records", "everything, as it was written; the last one counts, as everywhere",
        ("a", "n", "z")),
    Bad("a line beyond `--max-record`", around(b'{"id":"n","text":"' + b"x" * 3000 + b'"}'),
        "in.jsonl:2: a line of 3,020 bytes, more than 2,048; try a larger --max-record",
        "the other lines; where this one stands is set aside", arguments=("--max-record", "2K")),
    Bad("a compressed file cut off", {"in.jsonl.gz": gzip.compress(GOOD + LAST)[:-6]},
        "in.jsonl.gz:3: the compressed file is cut off here; what came before was read",
        "all that is whole"),
    Bad("a damaged compressed file", {"in.jsonl.gz": gzip.compress(GOOD + LAST) + b"xxxx"},
        "in.jsonl.gz:3: the compressed file is damaged from here on; what came before was read",
        "all that is whole"),
    Bad("nothing but lines that are no records", {"a.jsonl": GOOD, "in.jsonl": b"x\ny\n"},
        "WARNING  in.jsonl: nothing in it could be read, 2 lines set aside; "
        "is it what its name says?", "the other inputs; all of this one is set aside", ("a",)),
    Bad("an empty file", {"a.jsonl": GOOD, "in.jsonl": b""},
        "WARNING  in.jsonl: no records in it", "the other inputs", ("a",)),
    Bad("nothing but empty files", {"a.jsonl": b"", "in.jsonl": b"\n\n"},
        "dedup: a.jsonl: no records in it, nor in 1 other input; nothing was written", NOTHING, (),
        2),
    Bad("not a single line that is a record", {"a.jsonl": b"", "in.jsonl": b'{"inhalt":"x"}\n[1]'},
        "dedup: in.jsonl:1: field 'text' is missing; try --text-field inhalt; not one of 2 lines "
        "could be read", NOTHING, (), 2),
    Bad("a line end in a file's name", {"in\n1.jsonl": GOOD + b"x\n"},
        "in\\n1.jsonl:2: not JSON: unexpected character, expected a JSON value at column 1",
        SET_ASIDE, ("a",)),
    Bad("an Arabic name", {"أخبار المرسى.jsonl": GOOD + b"x\n"},
        "أخبار المرسى.jsonl:2: not JSON: unexpected character", SET_ASIDE, ("a",)),
    Bad("a name that is no UTF-8", {os.fsdecode(b"n\xe7.jsonl"): GOOD + b"x\n"},
        "n\\xe7.jsonl:2: not JSON: unexpected character", SET_ASIDE, ("a",)),
    Bad("CSV: a quote that does not end", {"in.csv": TABLE + b'n,"x y\r\n'},
        "in.csv:3: not CSV: unexpected end of data; look at the quotes", SET_ASIDE, ("a",)),
    Bad("CSV: a cell too many", {"in.csv": TABLE + b"n,x,y\r\nz,p q\r\n"},
        "in.csv:3: 3 cells, but 2 columns; look at the quotes", SET_ASIDE),
    Bad("JSON that ends early", {"in.json": b"[" + GOOD[:-1] + b',{"id":"n","text":"x'},
        "in.json:2: not JSON: the file ends within an object; what came before was read",
        SET_ASIDE, ("a",)),
    Bad("JSON: what is no object", {"in.json": b"[" + GOOD[:-1] + b",5," + LAST[:-1] + b"]"},
        "in.json:2: no JSON object; every record must be one {...}", SET_ASIDE),
    Bad("a Parquet file cut off", {"in.parquet": parquet_of([json.loads(GOOD)])[:-9]},
        "dedup: in.parquet: not a whole Parquet file: Parquet magic bytes not found in footer.",
        NOTHING, (), 2),
    Bad("a page without text", {"a.jsonl": GOOD, "in.html": b"<html></html>"},
        "in.html:1: no text was found in this page", "the other inputs", ("a",)),
    Bad("WARC: what is none", {"a.jsonl": GOOD, "in.warc": b"xx\r\n"},
        "in.warc:1: not WARC from here on: Unknown archive format, first line:",
        "all that comes before", ("a",)),
    Bad("a damaged member of an archive",
        {"in.zip": b"\n" + zip_of({"y.jsonl": GOOD, "z.jsonl": LAST})[1:]},
        "in.zip!y.jsonl:1: the compressed file is damaged from here on; what came before was read",
        "the other members, and of this one what is whole", ("z",)),
    Bad("an archive without an input", {"in.zip": zip_of({"a.doc": b"x"})},
        "dedup: in.zip: no input in this archive; dedup reads .jsonl, .ndjson,", NOTHING, (), 2),
    Bad("an unknown kind of file", {"in.doc": b"x"},
        "dedup: in.doc: unknown kind of file '.doc'; dedup reads .jsonl, ", NOTHING,
        (), 2),
    Bad("what is no archive", {"in.zip": b"x"},
        "dedup: in.zip: no archive, or cut off: File is not a zip file; "
        "fetch or make it once more", NOTHING, (), 2),
    Bad("--on-error fail", around(b"x"),
        "dedup: in.jsonl:2: not JSON: unexpected character, expected a JSON value at column 1",
        NOTHING, (), 2, ("--on-error", "fail")),
]  # fmt: skip


# What is no matter of one file's bytes: the tests that make these happen are further down.
OTHER = [
    Bad("a bomb of gzip or zstandard", {},
        "in.jsonl.gz:2: a line of 1,000,000,011 bytes, more than 1,048,576",
        "the other lines; this one is never held"),
    Bad("a disk that fills up", {}, "dedup: o.jsonl: File too large", NOTHING, code=2),
    Bad("a disk that fills up behind `-o -`", {}, "dedup: standard output: No space left on device",
        "what fitted; all files are as they were", code=2),
    Bad("no room for temporary files", {}, "dedup: temporary files: File too large", NOTHING,
        code=2),
    Bad("a folder that may not be written to", {}, "dedup: o.jsonl: Permission denied", NOTHING,
        code=2),
    Bad("standard input closed", {}, "dedup: standard input: is closed; name a file", NOTHING,
        code=2),
    Bad("standard output closed", {}, "dedup: standard output: is closed; name a file with -o",
        NOTHING, code=2),
    Bad("a pipe that is full", {}, "", "everything: it waits, whether the pipe blocks or not"),
    Bad("a reader that goes away", {}, "", "nothing is said: it has enough"),
]  # fmt: skip
SHOWN = {bad.what: bad.shown for bad in OTHER}


def run(*arguments, cwd, **how):
    return subprocess.run(
        [sys.executable, "-m", "dedup", *map(str, arguments)],
        capture_output=True, cwd=cwd, check=False, timeout=300, **how,
    )  # fmt: skip


def rows(path):
    return [json.loads(line) for line in path.open(encoding="utf-8")]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_bad_input(tmp_path, bad, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, data in bad.files.items():
        (tmp_path / name).write_bytes(data)
    out = tmp_path / "out.jsonl"
    code = main(["clean", *bad.files, "-o", "out.jsonl", *bad.arguments])
    said = capsys.readouterr().err
    assert code == bad.code
    assert [line for line in said.splitlines() if line.strip().startswith(bad.shown)], said
    if bad.code:
        assert len(said.splitlines()) == 1
        assert sorted(os.listdir(tmp_path)) == sorted(bad.files)
        return
    assert [row["id"] for row in rows(out)] == list(bad.ids)
    dedup.restore(out, tmp_path / "back.jsonl")
    back = (tmp_path / "back.jsonl").read_bytes()
    given = b"".join(gzip_or_plain(data) for data in bad.files.values()).splitlines()
    if all(".jsonl" in name for name in bad.files):
        assert all(line in given for line in back.splitlines())
    if bad.kept == SET_ASIDE:
        (rejected,) = rows(tmp_path / "out.rejected.jsonl")
        assert rejected["text" if "text" in rejected else "base64"]


def gzip_or_plain(data):
    return GOOD + LAST if data.startswith(b"\x1f") else data


def test_the_table_of_bad_input(request):
    made = table(
        ("input", "line shown", "exit", "what is kept"),
        [
            (bad.what, f"`{bad.shown.strip()}`" if bad.shown else "", str(bad.code), bad.kept)
            for bad in (*BAD, *OTHER)
        ],
    )
    assert part_of(PAGE, PART, made, request.config.getoption("--update-golden")) == made


# A child begins with the peak of whoever forks it: a small process forks the one that is measured.
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def peak(*arguments, cwd, stdin=None):
    """What a run says, and the most memory it took, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, "-m", "dedup", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False, stdin=stdin,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr, int(done.stdout.splitlines()[-1]) / 1024


def test_a_bomb_is_never_held(tmp_path):
    zeros = gzip.compress(bytes(10**7))
    (tmp_path / "in.jsonl").write_bytes(GOOD)
    _, usual = peak("clean", "in.jsonl", "-o", "o.jsonl", cwd=tmp_path)
    (tmp_path / "in.jsonl.gz").write_bytes(
        gzip.compress(GOOD + b'{"text":"') + zeros * 100 + gzip.compress(b'"}\n' + LAST)
    )
    args = ("in.jsonl.gz", "-o", "o.jsonl", "--max-record", "1M")
    said, most = peak("clean", *args, cwd=tmp_path)
    assert SHOWN["a bomb of gzip or zstandard"] in said
    assert [row["id"] for row in rows(tmp_path / "o.jsonl")] == ["a", "z"]
    assert most < usual + 40


def test_a_bomb_of_zstandard_is_never_held(tmp_path):
    data = zstandard.ZstdCompressor(level=19).compress(bytes(10**9))
    (tmp_path / "in.jsonl.zst").write_bytes(data)
    (tmp_path / "in.jsonl").write_bytes(GOOD)
    peak("clean", "in.jsonl", "-o", "o.jsonl", cwd=tmp_path)  # whatever is still to be compiled
    args = ("in.jsonl", "in.jsonl.zst", "-o", "o.jsonl", "--max-record", "1M")
    said, most = peak("clean", *args, cwd=tmp_path)
    assert "in.jsonl.zst:1: a line of 1,000,000,000 bytes, more than 1,048,576" in said
    assert most < 400


def test_a_stream_never_holds_a_line_without_an_end(tmp_path):
    """It is set aside with its number, and the stream goes on with the line behind it."""
    size = 80 << 20
    flags = ("clean", "-", "--stream", "-o", "-", "--removed", "r.jsonl", "--max-record", "1M")
    with (tmp_path / "in").open("w+b") as file:
        file.write(GOOD + LAST)
        file.seek(0)
        _, usual = peak(*flags, cwd=tmp_path, stdin=file)
        file.seek(0)
        file.write(GOOD + b"x" * size + b"\n" + LAST + b"y" * size)
        file.seek(0)
        _, most = peak(*flags, cwd=tmp_path, stdin=file)
    told = f"a line of {size:,} bytes, more than 1,048,576; try a larger --max-record"
    found = [(row["line"], row["reason"]) for row in rows(tmp_path / "r.rejected.jsonl")]
    assert found == [(2, told), (4, told)]
    assert most < usual + 40


@pytest.mark.parametrize("pieces", [1, 7, 1000, 5000])
@pytest.mark.parametrize("size", [2047, 2048, 2049, 9000])
def test_lines_are_whole_however_they_come(pieces, size):
    lines = [b"a", b"x" * size, b"", b"y" * 2048, b"z" * size]
    data, cut = b"\n".join(lines), WholeLines(2048)
    found = [part for at in range(0, len(data), pieces) for part in cut.feed(data[at:][:pieces])]
    assert all(part.endswith(b"\n") for part in found)
    got = [*b"".join([*found, cut.end()]).split(b"\n")]
    for line, came in zip(lines, got, strict=False):
        assert came == line if len(line) <= 2048 else refused(came) is not None


def lines_of(count, line):
    return b"".join(b"%b\n" % (line % n) for n in range(count))


SAID = "قال عمر إن السوق يعود إلى ساحة القرية في أول الموسم."
# Inputs, and how many MB they may take beyond what a run takes anyway. Each of them took 4 KB for
# every line, 600 bytes for every one that is no record, or 2.4 KB for every removal of a record.
MANY = {
    "tiny records": ("in.jsonl", lambda: lines_of(130_000, b'{"text":"a%d"}'), 230),
    "tiny rows": ("in.csv", lambda: b"text\n" + lines_of(130_000, b"a%d"), 230),
    "tiny objects": ("in.json", lambda: b"[%b{}]" % lines_of(130_000, b'{"text":"a%d"},'), 230),
    "lines that are no records": ("in.jsonl", lambda: GOOD + b"x\n" * 250_000, 80),
    "one record of many lines": (
        "in.jsonl", lambda: json.dumps({"text": "\n".join([SAID] * 200_000)}).encode(), 300,
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MANY)
def test_memory_holds_however_many_there_are(tmp_path, what):
    name, data, more = MANY[what]
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    (tmp_path / name).write_bytes(data())
    flags = ("-q", "-o", "o.jsonl", "--memory", "512M")
    _, usual = peak("clean", "a.jsonl", *flags, cwd=tmp_path)
    _, most = peak("clean", name, *flags, cwd=tmp_path)
    assert most < usual + more


def test_records_from_python_take_no_page_each():
    lines = [{"text": f"a{n}"} for n in range(20_000)]
    tracemalloc.start()
    as_lines(lines)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5e6


@pytest.mark.parametrize("size", [2047, 2048, 2049, 3 << 20])
@pytest.mark.parametrize("last", [b"\n", b""])
def test_the_limit_is_exact(tmp_path, size, last):
    line = b'{"id":"n","text":"' + b"x" * (size - 20) + b'"}'
    (tmp_path / "in.jsonl").write_bytes(GOOD + line + last)
    limit = "2K" if size < 10**4 else "3M"
    result = dedup.clean(tmp_path / "in.jsonl", max_record=limit)
    refused = size > dedup.Config(max_record=limit).record_limit()
    assert [row["line"] for row in result.rejected] == ([2] if refused else [])


@pytest.mark.parametrize("size", ["1", "64", "1B", "viel", "-1G"])
def test_what_is_no_limit_is_refused(size):
    with pytest.raises(dedup.ConfigError, match=f"--max-record: '{size}' is not a size of 1K or"):
        dedup.Config(max_record=size)


def many(count):
    return b"".join(
        json.dumps({"id": n, "text": f"نص رقم {n} لا يشبه غيره {n * 7919}"}).encode() + b"\n"
        for n in range(count)
    )


def test_a_disk_that_fills_up_leaves_nothing(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(many(20_000))

    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = run("clean", "in.jsonl", "-o", "o.jsonl", cwd=tmp_path, preexec_fn=small)
    assert done.returncode == 2
    assert done.stderr.decode() == SHOWN["a disk that fills up"] + "\n"
    assert os.listdir(tmp_path) == ["in.jsonl"]


def test_temporary_files_that_do_not_fit_are_told(tmp_path):
    def small():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = run("clean", "-", "-o", "o.jsonl", cwd=tmp_path, preexec_fn=small, input=many(20_000))
    assert done.returncode == 2
    assert done.stderr.decode() == SHOWN["no room for temporary files"] + "\n"
    assert os.listdir(tmp_path) == []


def test_a_folder_without_permission(tmp_path, monkeypatch, capsys):
    (tmp_path / "in.jsonl").write_bytes(GOOD)
    make = os.open

    def denied(path, flags, *arguments, **how):  # root may write everywhere
        if flags & os.O_CREAT and Path(path).parent == tmp_path:
            raise PermissionError(13, "Permission denied")
        return make(path, flags, *arguments, **how)

    monkeypatch.setattr(os, "open", denied)
    out = tmp_path / "o.jsonl"
    assert main(["clean", "-q", str(tmp_path / "in.jsonl"), "-o", str(out)]) == 2
    told = SHOWN["a folder that may not be written to"].replace("o.jsonl", str(out))
    assert capsys.readouterr().err == f"{told}\n"


def test_nowhere_to_keep_compiled_kernels(tmp_path):
    (tmp_path / "in.jsonl").write_bytes(GOOD)
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "clean", "in.jsonl", "-o", "o.jsonl", "-q"],
        capture_output=True, check=False, timeout=600, cwd=tmp_path,
        env={**os.environ, "NUMBA_CACHE_DIR": "/proc/nowhere"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.decode() == (
        "dedup: compiling for this run only, as /proc/nowhere cannot be written to (No such "
        "file or directory); set NUMBA_CACHE_DIR to a folder to keep it in\n"
    )


@pytest.mark.parametrize(
    ("closed", "arguments", "message"),
    [
        (0, ("-", "-o", "o.jsonl"), SHOWN["standard input closed"]),
        (1, ("in.jsonl", "-o", "-"), SHOWN["standard output closed"]),
    ],
)
def test_closed_standard_streams(tmp_path, closed, arguments, message):
    (tmp_path / "in.jsonl").write_bytes(GOOD)
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "clean", "-q", *arguments],
        stderr=subprocess.PIPE, check=False, timeout=300, cwd=tmp_path,
        preexec_fn=lambda: os.close(closed),
    )  # fmt: skip
    assert (done.returncode, done.stderr.decode()) == (2, f"{message}\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments", [("clean", "-q", "-", "-o", "-"), ("index", "export", "i.db")]
)
def test_a_full_pipe_that_does_not_block_gets_all(tmp_path, unbuffered, arguments):
    """Its reader comes when it is full; all the same nothing is lost."""
    count = 5000
    (tmp_path / "in.jsonl").write_bytes(many(count))
    dedup.clean(tmp_path / "in.jsonl", index=tmp_path / "i.db", discard=False)
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with (tmp_path / "in.jsonl").open("rb") as source:
        child = subprocess.Popen(
            [sys.executable, "-m", "dedup", *arguments], stdin=source, stdout=writes, cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    os.close(writes)
    poll = select.poll()
    poll.register(reads, select.POLLIN)
    assert poll.poll(300_000)
    with suppress(subprocess.TimeoutExpired):
        child.wait(1)  # the pipe is full by now
    with os.fdopen(reads, "rb") as file:
        data = file.read()
    assert child.wait(300) == 0
    ids = [row["id"] for row in map(json.loads, data.splitlines()) if "text" in row]
    assert len(data) > 1 << 17, "more than a pipe holds"
    assert not ids or ids == list(range(count))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_standard_output_is_told(tmp_path, unbuffered):
    (tmp_path / "in.jsonl").write_bytes(many(2000))
    with Path("/dev/full").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "dedup", "clean", "-q", "in.jsonl", "-o", "-"], stdout=out,
            stderr=subprocess.PIPE, cwd=tmp_path, check=False, timeout=300,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.decode() == SHOWN["a disk that fills up behind `-o -`"] + "\n"


def test_numbers_beyond_64_bits_are_the_same_numbers_from_python():
    (row,) = dedup.clean([{"text": "قال", "n": 10**30}])
    assert row["n"] == 10**30


# Inputs that grow, each with a size at which what grows with the square shows. They are made in a
# folder, and give what `dedup.clean` takes.
def put(folder, name, data):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return [path]


def zipped(folder, members):
    return put(folder, "in.zip", zip_of({name: text.encode() for name, text in members}))


def filled(folder, suffix, count):
    for n in range(count):
        text = SAID if suffix == ".txt" else json.dumps({"id": n, "text": SAID})
        put(folder, f"many/{n}{suffix}", text)
    return [folder / "many"]


def said(count, **more):
    """Records, whose fields may be functions of their numbers."""
    return [
        {"id": str(n), "text": SAID, **{k: v(n) if callable(v) else v for k, v in more.items()}}
        for n in range(count)
    ]


def decided(folder, decisions):
    return {"overrides": str(put(folder, "o.jsonl", b"".join(map(as_line, decisions)))[0])}


def as_line(row):
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def page(attributes):
    body = f"<article>{'<p>' + SAID * 5 + '</p>'}</article>" * 3
    return f"<html><body><div {attributes}>{body}</div></body></html>"


def some(count, form):
    return "".join(form.format(n) for n in range(count))


GROWS = {
    "columns": (6000, lambda f, n: put(f, "in.csv", f"text,{some(n, 'c{},')}\na,{',' * n}\n")),
    "columns of one name": (300, lambda f, n: put(f, "in.csv", f"text{',c' * n}\na{',' * n}\n")),
    "columns without a name": (6000, lambda f, n: put(f, "in.csv", f"text{',' * n}\na{',' * n}\n")),
    "quotes that do not match": (1500, lambda f, n: put(f, "in.csv", "text\n" + 'x","y\n' * n)),
    "attributes": (8000, lambda f, n: put(f, "in.html", page(some(n, 'a{}="x" ')))),
    "attributes with '>'": (8000, lambda f, n: put(f, "in.html", page(some(n, "a{}='>' ")))),
    "no objects": (12 << 20, lambda f, n: put(f, "in.json", f"[{'1' * n}]{GOOD.decode()}")),
    "blanks": (12 << 20, lambda f, n: put(f, "in.json", f"[{' ' * n}]{GOOD.decode()}")),
    "an input named often": (120, lambda f, n: filled(f, ".jsonl", n) * n),
    "lines without a word": (
        150_000,
        lambda f, n: [{"text": "\n".join(["---"] * n + [SAID] + ["***"] * n)}],
    ),
    "decisions about keys": (
        8000,
        lambda f, n: (
            said(n, text=lambda k: some(10, f"سوق{k} نهر{{}}\n")),
            decided(f, ({"do": "keep", "key": f"{k:x}"} for k in range(1, n))),
        ),
    ),
    "decisions about one id": (
        250,
        lambda f, n: (
            said(4 * n, id="a"),
            decided(f, ({"do": "remove", "id": "a", "start": k} for k in range(n))),
        ),
    ),
    # What follows never was worse.
    "lines that are no records": (40_000, lambda f, n: put(f, "in.jsonl", GOOD + b"x\n" * n)),
    "lines that are no UTF-8": (
        10_000,
        lambda f, n: put(f, "in.jsonl", GOOD + b'{"text":"\xff"}\n' * n),
    ),
    "members of an archive": (
        200,
        lambda f, n: zipped(f, [(f"{k}.json", json.dumps({"text": SAID})) for k in range(n)]),
    ),
    "files of JSON": (200, lambda f, n: filled(f, ".json", n)),
    "files of JSON lines": (200, lambda f, n: filled(f, ".jsonl", n)),
    "raw dumps": (80, lambda f, n: filled(f, ".txt", n)),
    "names of files": (200, lambda f, n: sorted(filled(f, ".jsonl", n)[0].iterdir())),
    "decisions about texts": (
        2000,
        lambda f, n: (said(n), decided(f, ({"do": "keep", "text": f"{k}"} for k in range(n)))),
    ),
    "elements": (
        60_000,
        lambda f, n: put(f, "in.json", "[" + some(n, '{{"text":"a{}"}},') + "]"),
    ),
    "depth": (400_000, lambda f, n: put(f, "in.jsonl", b'{"x":%b\n' % (b"[" * n) + GOOD)),
    "depth of JSON": (
        400_000,
        lambda f, n: put(f, "in.json", b'{"x":' + b"[" * n + b"]" * n + b"}" + GOOD),
    ),
    "fields": (60_000, lambda f, n: [{"text": SAID, **{f"f{k}": k for k in range(n)}}]),
    "lines of a dump": (
        6000,
        lambda f, n: put(f, "in.txt", some(n, "عنوان الخبر رقم {}\n" + f"{SAID}\n" * 3)),
    ),
    "lines of a record": (60_000, lambda f, n: [{"text": some(n, "سوق القرية {}\n")}]),
    "equal lines of a record": (30_000, lambda f, n: [{"text": f"{SAID}\n" * n}]),
    "one line without a space": (4 << 20, lambda f, n: [{"text": "م" * n}] * 2),
    "equal records": (20_000, lambda f, n: said(n)),
    "outlets": (20_000, lambda f, n: said(n, source=lambda k: f"منبر {k}")),
    "long ids": (200, lambda f, n: said(n, id=lambda k: "x" * 20_000 + str(k))),
}


def assert_near_linear(cost, size):
    """Twice the size takes about twice the CPU time; with the square it would take four times."""
    cost(size // 8)  # whatever is done once
    ratios = []
    for _ in range(3):  # a machine that is busy may disturb one
        one, two = cost(size), cost(2 * size)
        ratios.append(two / one)
        if ratios[-1] < 2.8:
            return
    raise AssertionError(ratios)


@pytest.mark.parametrize("what", GROWS)
def test_time_grows_with_the_size(tmp_path, what):
    size, make = GROWS[what]
    numbers = count()

    def cost(n):
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        made = make(folder, n)
        sources, settings = made if isinstance(made, tuple) else (made, {})
        start = time.process_time()
        with suppress(NothingRead):  # of some of them nothing can be
            dedup.clean(sources, folder / "out.jsonl", **settings)
        return time.process_time() - start

    assert_near_linear(cost, size)


def test_time_grows_with_the_objects_that_do_not_end():
    def cost(n):
        file = io.BufferedReader(io.BytesIO(b'{"text":"x\n' * n))
        start = time.process_time()
        assert sum(1 for _ in json_lines(file, 1 << 26)) == n
        return time.process_time() - start

    assert_near_linear(cost, 80_000)
