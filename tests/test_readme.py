"""The README says what is so: its table comes from a record, its flags exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dedup.cli import _parser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("readme", "kind", "tables"),
    [
        ("README.md", "speed", 1),
        ("benchmarks/quality/README.md", "quality", 2),
        ("benchmarks/stream/README.md", "stream", 1),
    ],
)
def test_tables_are_the_ones_of_their_records(readme, kind, tables):
    mark = rf"<!-- {kind}: python (\S+) --markdown (\S+) -->\n(.*?)<!-- /{kind} -->"
    found = re.findall(mark, (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == tables
    for script, record, table in found:
        done = subprocess.run(
            [sys.executable, ROOT / script, "--markdown", ROOT / record],
            capture_output=True, check=True, text=True, cwd=ROOT,
        )  # fmt: skip
        assert done.stdout.strip() == table.strip()


def flags(parser):
    """Those of a command and of the commands under it."""
    under = parser._subparsers._group_actions[0].choices.values() if parser._subparsers else ()
    return set(parser._option_string_actions).union(*map(flags, under))


def test_the_flags_it_names_exist():
    known = flags(_parser())
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"<!--.*?-->", "", README)))
    assert named <= known


def test_the_make_targets_it_names_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)|`make (\w+)`", README, re.MULTILINE):
        assert re.search(rf"^{target[0] or target[1]}:", makefile, re.MULTILINE)
