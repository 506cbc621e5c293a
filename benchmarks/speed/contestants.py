"""Who takes part, by which command, and the environment that the peers run in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ENV = HERE / ".env"
REQUIREMENTS = HERE / "requirements.txt"
MEASURE = HERE / "measure.py"
FLOOR = "copy_floor"


@dataclass(frozen=True)
class Contestant:
    """One command under measurement.

    Attributes:
        name: as `--only` and the record call it.
        does: what it does, for the table.
        command: makes its command line of an input and an output.
        removals: it records what it removes and why, may drop a record that is left without
            text, and can restore its input.
    """

    name: str
    does: str
    command: Callable[[Path, Path], list[str]]
    removals: bool = False


def dedup() -> Path:
    """The `dedup` command of the Python that runs the benchmark."""
    path = Path(sys.executable).with_name("dedup")
    if not path.exists():
        sys.exit(f"no dedup command beside {sys.executable}: pip install -e . with it first")
    return path


def _peer(script: str) -> Callable[[Path, Path], list[str]]:
    path = str(HERE / "peers" / f"{script}.py")
    return lambda source, target: [str(peer_python()), path, str(source), str(target)]


CONTESTANTS = (
    Contestant(FLOOR, "orjson.loads, orjson.dumps, write", _peer("copy_floor")),
    Contestant(
        "dedup",
        "the whole of dedup clean",
        lambda source, target: [str(dedup()), "clean", str(source), "-o", str(target)],
        removals=True,
    ),
    Contestant("rensa", "paragraph near-duplicates only", _peer("rensa_pipeline")),
    Contestant("datasketch", "paragraph near-duplicates only", _peer("datasketch_pipeline")),
)


def peer_python() -> Path:
    """The Python of the peers' environment."""
    return ENV / "bin" / "python"


def make_environment() -> None:
    """Install the peers' requirements on first use, and when they change."""
    stamp, wanted = ENV / "installed.txt", REQUIREMENTS.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print("installing the peers, once", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENV)], check=True)
    pip = [str(peer_python()), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
    stamp.write_text(wanted, encoding="utf-8")


def run(contestant: Contestant, source: Path, target: Path, log: Path) -> dict[str, float]:
    """Run a contestant once; its seconds, peak memory and exit code."""
    command = contestant.command(source, target)
    measured = subprocess.run(
        [sys.executable, "-I", str(MEASURE), str(log), *command],
        check=True,
        capture_output=True,
    )
    result: dict[str, float] = json.loads(measured.stdout)
    return result
