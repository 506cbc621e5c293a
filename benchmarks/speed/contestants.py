"""Who takes part, by which command, on how much, and the environments that the peers run in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".envs"
REQUIREMENTS = HERE / "requirements"
MEASURE = HERE / "measure.py"
FLOOR = "copy_floor"
WARM_UP = 200  # records
NEAR_DUPLICATES = "paragraph near-duplicates only"


@dataclass(frozen=True)
class Contestant:
    """One command under measurement.

    Attributes:
        name: as `--only` and the record call it.
        does: what it does, for the table.
        command: makes its command line of an input and an output.
        environment: the name of the environment it runs in, as in requirements/; "" for that of
            the Python that runs the benchmark.
        limit: MB (10**6 bytes) of the input that it is run on at most: the slow ones would take
            minutes to hours.
        removals: it records what it removes and why, may drop a record that is left without
            text, and can restore its input.
    """

    name: str
    does: str
    command: Callable[[Path, Path], list[str]]
    environment: str = ""
    limit: float = float("inf")
    removals: bool = False


def dedup() -> Path:
    """The `dedup` command of the Python that runs the benchmark."""
    path = Path(sys.executable).with_name("dedup")
    if not path.exists():
        sys.exit(f"no dedup command beside {sys.executable}: pip install -e . with it first")
    return path


def _clean(*options: str) -> Callable[[Path, Path], list[str]]:
    return lambda source, target: [
        *(str(dedup()), "clean", str(source), "-o", str(target)),
        *options,
    ]


def _peer(
    name: str, environment: str, limit: float = float("inf"), does: str = NEAR_DUPLICATES
) -> Contestant:
    script = "copy_floor" if name == FLOOR else f"{name.replace('-', '_').lower()}_pipeline"
    path = str(HERE / "peers" / f"{script}.py")
    return Contestant(
        name,
        does,
        lambda source, target: [str(python_of(environment)), path, str(source), str(target)],
        environment,
        limit,
    )


# Not here: semhash, which compares embeddings and needs a model from the network (an English one,
# unless told otherwise), so that neither its pairs nor its speed are those of this task; NeMo
# Curator, which needs a GPU; trafilatura and dolma, which find equal texts only.
CONTESTANTS = (
    _peer(FLOOR, "minhash", does="orjson.loads, orjson.dumps, write"),
    Contestant("dedup", "the whole of dedup clean", _clean("--workers", "1"), removals=True),
    Contestant("dedup x2", "the same with --workers 2", _clean("--workers", "2"), removals=True),
    _peer("Daft", "daft"),
    _peer("FastSketchLSH", "minhash"),
    _peer("rensa", "minhash"),
    _peer("gaoya", "minhash", limit=120),
    _peer("datasketch", "minhash", limit=120),
    _peer("text-dedup", "text-dedup", limit=15),
    _peer("datatrove", "datatrove", limit=15),
)


def python_of(environment: str) -> Path:
    """The Python of a peers' environment."""
    return ENVIRONMENTS / environment / "bin" / "python"


def make_environments(contestants: Iterable[Contestant]) -> None:
    """Install what contestants require on first use, and when the requirements change."""
    for name in sorted({each.environment for each in contestants} - {""}):
        folder, requirements = ENVIRONMENTS / name, REQUIREMENTS / f"{name}.txt"
        stamp, wanted = folder / "installed.txt", requirements.read_text(encoding="utf-8")
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            continue
        print(f"installing {name}, once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python_of(name)), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        stamp.write_text(wanted, encoding="utf-8")


def versions(contestants: Iterable[Contestant]) -> dict[str, dict[str, str]]:
    """What is installed of each environment's requirements."""
    code = (
        "import json, sys\nfrom importlib.metadata import version\n"
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    found = {}
    for name in sorted({each.environment for each in contestants} - {""}):
        lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
        packages = re.findall(r"^[\w-]+", lines, re.MULTILINE)
        command = [str(python_of(name)), "-c", code, *packages]
        found[name] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def run(contestant: Contestant, source: Path, target: Path, log: Path) -> dict[str, float]:
    """Run a contestant once; its seconds, peak memory and exit code."""
    command = contestant.command(source, target)
    # As with a user's own Python, nobody compiles the same modules again.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    measured = subprocess.run(
        [sys.executable, "-I", str(MEASURE), str(log), *command],
        check=True,
        capture_output=True,
        env=environment,
    )
    result: dict[str, float] = json.loads(measured.stdout)
    return result
