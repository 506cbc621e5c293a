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


def test_its_screen_is_what_the_demo_prints(tmp_path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (command,) = re.findall(r"^\t\$\(BIN\)/dedup (clean seeds.*)$", makefile, re.MULTILINE)
    (told,) = re.findall(r"What `make demo` prints:\n\n```\n(.*?)\n```", README, re.DOTALL)
    (tmp_path / "seeds").symlink_to(ROOT / "seeds")
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "dedup", *command.split()],
        capture_output=True, check=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    shown = [line for line in done.stderr.splitlines() if not line.startswith("dedup: compiling")]
    for line, expected in zip(shown, told.splitlines(), strict=True):
        line = re.sub(r"\([\d.]+ s\)", "", line)  # noqa: PLW2901
        expected = re.sub(r"\([\d.]+ s\)", "", expected)  # noqa: PLW2901
        begins = expected.removesuffix("…")
        assert line == expected or (begins != expected and line.startswith(begins))


def test_the_make_targets_it_names_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)|`make (\w+)`", README, re.MULTILINE):
        assert re.search(rf"^{target[0] or target[1]}:", makefile, re.MULTILINE)
