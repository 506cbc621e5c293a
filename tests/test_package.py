"""What is shipped: one wheel for all, which tells what it needs; it asks no network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

from test_formats import ROWS, csv_of
from test_table import MADE

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
EXTRAS = ("zstd", "arrow", "pages", "encodings")


def pip(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_wheel_for_all_that_needs_no_compiler(tmp_path):
    pip("wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        about = message_from_bytes(archive.read(name))
    assert "dedup/py.typed" in shipped
    assert shipped == {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "dedup").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    # An inventory asks for a licence as SPDX names it, and for the oldest of each package.
    assert about["License-Expression"] == "Apache-2.0"
    assert about["License-File"] == "LICENSE"
    assert about["Requires-Python"] == f">={PYTHONS[0]}"
    told = about.get_all("Classifier")
    assert {f"Programming Language :: Python :: {version}" for version in PYTHONS} <= set(told)
    for needed in about.get_all("Requires-Dist"):
        assert re.match(r"[\w-]+(\[\w+\])?>=\d[\d.]*($|;)", needed), needed
    report = tmp_path / "report.json"
    pip(
        "install", f"{wheel}[{','.join(EXTRAS)}]", "--dry-run", "--ignore-installed",
        "--only-binary", ":all:", "--report", report,
    )  # fmt: skip
    found = {item["metadata"]["name"].lower() for item in json.loads(report.read_text())["install"]}
    assert {"newsdedup", "numba", "pyarrow", "trafilatura", "chardet"} <= found


# Ends the process at whatever reaches for a network; Unix sockets are none.
CLOSED = """
import os, sys

def watch(event, arguments):
    if event.startswith(("socket.getaddrinfo", "socket.gethostby", "socket.connect",
                         "socket.sendto", "urllib.", "http.client.", "ftplib.", "smtplib.")):
        if not (event.startswith("socket.") and isinstance(arguments[-1], (str, bytes))):
            os.write(2, f"asked the network: {event} {arguments}\\n".encode())
            os._exit(99)

sys.addaudithook(watch)
"""
RUN = f"{CLOSED}\nfrom dedup.cli import main\nsys.exit(main(sys.argv[1:]))"


def closed(code, *arguments, cwd):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=600, cwd=cwd,
    )  # fmt: skip


def test_the_watch_sees_what_reaches_for_a_network(tmp_path):
    for line in (
        "import urllib.request; urllib.request.urlopen('http://localhost:9/')",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import socket; socket.getaddrinfo('localhost', 9)",
    ):
        done = closed(f"{CLOSED}\n{line}", cwd=tmp_path)
        assert (done.returncode, done.stderr[:17]) == (99, "asked the network")


def test_no_network_is_asked(tmp_path):
    """Every format is read, every command runs, and nothing leaves the machine."""
    for kind, (data, *_) in MADE.items():
        (tmp_path / f"in{kind}").write_bytes(data)
    (tmp_path / "arabic.csv").write_bytes(csv_of(ROWS).decode().encode("cp1256"))
    names = [path.name for path in sorted(tmp_path.iterdir())]
    commands = [
        ["clean", *names, "-o", "out.jsonl", "--repair", "--report", "r.html", "--index", "i.db",
         "--explain-kept", "kept.jsonl", "--spans", "s.jsonl"],
        ["clean", *names, "-o", "out.parquet", "--workers", "2"],
        ["restore", "out.jsonl", "-o", "back.jsonl"],
        ["explain", "out.jsonl", "a"],
        ["check", "back.jsonl"],
        ["compare", "back.jsonl", "out.jsonl"],
        ["index", "info", "i.db"],
    ]  # fmt: skip
    for command in commands:
        done = closed(RUN, *command, cwd=tmp_path)
        assert done.returncode == (command[0] == "check"), done.stderr
