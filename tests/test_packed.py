"""Compressed inputs and archives: what is whole of them is read, and the rest is told."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest
import zstandard

import dedup

PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".bz2": lambda data: bz2.compress(data, 1),
    ".xz": lzma.compress,
}
SOME = [p for p in PACK if p]
# Of few repetitions, so that half of the packed bytes hold about half of the lines.
LINES = [
    json.dumps({"id": n, "text": f"افتتح السوق رقم {n} قرب الميناء {n * 7919 % 10007}."}) + "\n"
    for n in range(12_000)
]
DATA = "".join(LINES).encode()
CUT_OFF = "the compressed file is cut off here; what came before was read"
DAMAGED = "the compressed file is damaged from here on; what came before was read"


def ids(result):
    return [row["id"] for row in result]


def tar_of(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            # Of no date: what tests are called may not hang on the second they are collected in.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def record(text, **more):
    return (json.dumps({**more, "text": text}, ensure_ascii=False) + "\n").encode()


FILES = {
    "b/two.jsonl": record("باخرة بيضاء ترسو في الميناء الشرقي", id="b"),
    "a/one.jsonl.gz": gzip.compress(record("مدرسة جديدة تفتح أبوابها في القرية", id="a")),
    "notes.md": b"no input",
    "out.removed.jsonl": b"a side file",
    "أخبار/ثلاثة.ndjson": record("قافلة الزيتون تصل إلى سوق السبت", id="c"),
}


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("workers", [1, 2])
def test_standard_input_is_told_by_how_it_begins(tmp_path, packing, workers):
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "clean", "-", "-o", "o.jsonl", "--workers", str(workers)],
        input=PACK[packing](DATA), cwd=tmp_path, check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    assert b"read     12,000 records" in done.stderr
    back = tmp_path / "back.jsonl"
    dedup.restore(tmp_path / "o.jsonl", back)
    assert [json.loads(line) for line in back.open()] == [json.loads(line) for line in LINES]


@pytest.mark.parametrize("packing", PACK)
def test_the_bytes_tell_the_compression_not_the_name(tmp_path, packing):
    for name in ("in.jsonl", "in.jsonl.gz"):
        path = tmp_path / name
        path.write_bytes(PACK[packing](FILES["b/two.jsonl"]))
        assert ids(dedup.clean(path)) == ["b"]


@pytest.mark.parametrize("packing", SOME)
def test_several_frames_and_padding_are_one_file(tmp_path, packing):
    path = tmp_path / f"in.jsonl{packing}"
    half = len(LINES) // 2
    parts = ["".join(LINES[:half]).encode(), "".join(LINES[half:]).encode()]
    path.write_bytes(b"".join(map(PACK[packing], parts)) + bytes(8))
    result = dedup.clean(path)
    assert (result.counts.records, result.counts.rejected) == (len(LINES), 0)


@pytest.mark.parametrize("packing", SOME)
@pytest.mark.parametrize("share", [0.999, 0.5])
def test_cut_off(tmp_path, packing, share):
    packed = PACK[packing](DATA)
    path = tmp_path / f"in.jsonl{packing}"
    path.write_bytes(packed[: int(share * len(packed))])
    result = dedup.clean(path)
    assert result.counts.records > 0.7 * share * len(LINES)
    reasons = [row["reason"] for row in result.rejected]
    assert reasons[-1] == CUT_OFF
    assert len(reasons) <= 2, "the line that was cut, and the cut"


@pytest.mark.parametrize("packing", SOME)
def test_damaged(tmp_path, packing):
    packed = bytearray(PACK[packing](DATA))
    middle = len(packed) // 2
    packed[middle : middle + 400] = os.urandom(400)
    path = tmp_path / f"in.jsonl{packing}"
    path.write_bytes(packed)
    result = dedup.clean(path)
    assert result.counts.records > 0.1 * len(LINES)
    assert [row["reason"] for row in result.rejected][-1] == DAMAGED


def archive_names():
    return [".zip", ".tar", *(f".tar{packing}" for packing in SOME), ".tgz"]


def archive(kind, files):
    if kind == ".zip":
        return zip_of(files)
    return PACK[".gz" if kind == ".tgz" else kind.removeprefix(".tar")](tar_of(files))


@pytest.mark.parametrize("kind", archive_names())
@pytest.mark.parametrize("workers", [1, 2])
def test_members_of_archives_are_inputs(tmp_path, kind, workers):
    path = tmp_path / f"a{kind}"
    path.write_bytes(archive(kind, FILES))
    dedup.clean(tmp_path, tmp_path / "o.jsonl", workers=workers)
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").open(encoding="utf-8")]
    assert [row["id"] for row in rows] == ["b", "a", "c"]


def test_errors_name_archive_and_member(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zip_of({"x/in.jsonl": record("نص") + b"broken\n"}))
    (rejected,) = dedup.clean(path).rejected
    assert (rejected["file"], rejected["line"]) == (f"{path}!x/in.jsonl", 2)


@pytest.mark.parametrize("kind", [k for k in archive_names() if k != ".zip"])
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_tar_that_is_cut_off(tmp_path, kind, share):
    files = {f"{n}.jsonl": "".join(LINES[n * 1200 :][:1200]).encode() for n in range(10)}
    path = tmp_path / f"a{kind}"
    packed = archive(kind, files)
    path.write_bytes(packed[: int(share * len(packed))])
    result = dedup.clean(path)
    assert result.counts.records > 0.6 * share * len(LINES)
    reasons = [row["reason"] for row in result.rejected]
    assert reasons[-1] == CUT_OFF


def test_a_tar_that_is_cut_off_between_members(tmp_path):
    one = tar_of({"a.jsonl": record("نص")})
    path = tmp_path / "a.tar"
    path.write_bytes(one[: 1024 + 100])  # the second header is not whole
    result = dedup.clean(path)
    assert result.counts.records == 1
    assert [row["reason"] for row in result.rejected] == [CUT_OFF]


def test_a_member_whose_header_has_a_name_that_is_none(tmp_path):
    stored = bytearray(zip_of({"a.jsonl": DATA, "b.jsonl": record("نص")}))
    stored[7] |= 8  # its name is UTF-8
    stored[30] = 0xFF
    (tmp_path / "a.zip").write_bytes(stored)
    result = dedup.clean(tmp_path / "a.zip")
    assert (result.counts.records, result.counts.rejected) == (1, 1)


def test_a_damaged_member_of_a_zip(tmp_path):
    stored = bytearray(zip_of({"a.jsonl": DATA, "b.jsonl": record("نص")}))
    stored[30_000:30_100] = os.urandom(100)
    (tmp_path / "a.zip").write_bytes(stored)
    result = dedup.clean(tmp_path / "a.zip")
    assert result.counts.records > 1000
    assert [row["reason"] for row in result.rejected][-1] == DAMAGED


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.zip", b"PK\3\4", "no archive, or cut off: File is not a zip file; fetch or make it"),
        ("a.tar", b"x" * 2000, "no archive, or cut off: invalid header; fetch or make it"),
        (
            "a.tar.gz",
            gzip.compress(b"x" * 2000, mtime=0),
            "no archive, or cut off: invalid header; fetch",
        ),
        ("a.zip", zip_of({"x.md": b""}), "no input in this archive; dedup reads .jsonl, "),
    ],
)
def test_what_is_no_archive_is_told(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(dedup.InputError) as error:
        dedup.clean(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: {message}")


def test_what_macos_puts_beside_a_file_is_no_input(tmp_path):
    beside = {"__MACOSX/._a.jsonl": b"\0\5\x16\7", "a.jsonl": record("نص")}
    (tmp_path / "a.zip").write_bytes(zip_of(beside))
    (tmp_path / "._b.jsonl").write_bytes(b"\0\5\x16\7")
    result = dedup.clean(tmp_path)
    assert (result.counts.records, result.counts.rejected) == (1, 0)


def test_a_zip_that_needs_a_password_is_told(tmp_path):
    data = bytearray(zip_of({"x.jsonl": record("نص")}))
    data[data.rindex(b"PK\1\2") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(dedup.InputError, match=r"a.zip!x.jsonl: needs a password; unpack it first"):
        dedup.clean(tmp_path / "a.zip")


def test_without_zstandard_one_line_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    (tmp_path / "a.jsonl.zst").write_bytes(PACK[".zst"](DATA))
    with pytest.raises(dedup.InputError) as error:
        dedup.clean(tmp_path / "a.jsonl.zst")
    assert str(error.value) == (
        f"{tmp_path / 'a.jsonl.zst'}: reading .zst needs zstandard; "
        "try: pip install 'newsdedup[zstd]'"
    )
