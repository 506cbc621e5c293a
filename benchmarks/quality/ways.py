"""Other ways of taking page residue out of text, as plain rules over lines.

Each gives the lines that it removes. Rules that live in a package run as that package, in an
environment of its own under `.envs`, made on first use; `peers/` has the scripts.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lines import Line, Record, squeeze

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".envs"
REQUIREMENTS = HERE / "requirements"
DIGIT = re.compile(r"\d")

Way = Callable[[list[Record]], set[Line]]
"""The lines of all records that a way takes out."""


@dataclass(frozen=True)
class Peer:
    """A way of removing, beside this program's.

    Attributes:
        name: as `--only` and the record call it.
        does: the rule, for the table.
        removes: what it removes.
        environment: the environment its package stands in; "" without one.
    """

    name: str
    does: str
    removes: Way
    environment: str = ""


def in_records(least: int) -> Way:
    """Lines, equal but for white space, that stand in so many records of their source."""

    def removes(records: list[Record]) -> set[Line]:
        holders: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        for number, record in enumerate(records):
            for line in record.lines:
                holders[record.source, squeeze(line)].add(number)
        return {
            (record.id, index)
            for record in records
            for index, line in enumerate(record.lines)
            if line.strip() and len(holders[record.source, squeeze(line)]) >= least
        }

    return removes


def cc_net(records: list[Record]) -> set[Line]:
    """Lines that stand twice or more in the input, all copies, as cc_net does it.

    The rule of Wenzek et al., "CCNet: Extracting High Quality Monolingual Datasets from Web Crawl
    Data" (LREC 2020), on deduplication: a paragraph (a line) is lower-cased, its digits become 0,
    punctuation and accent marks go; the first 64 bits of its SHA-1 stand for it, and what stands
    more than once in a shard goes. The shard is the whole input here. (The code beside the paper
    leaves accent marks and ASCII punctuation where they are; the paper's rule finds more.)
    """
    seen: defaultdict[bytes, int] = defaultdict(int)
    hashes = [[cc_net_hash(line) for line in record.lines] for record in records]
    for row in hashes:
        for code in row:
            seen[code] += 1
    return {
        (record.id, index)
        for record, row in zip(records, hashes, strict=True)
        for index, (line, code) in enumerate(zip(record.lines, row, strict=True))
        if line.strip() and seen[code] > 1
    }


def cc_net_hash(line: str) -> bytes:
    """Eight bytes that stand for a line."""
    plain = DIGIT.sub("0", unicodedata.normalize("NFD", line.strip().lower()))
    kept = "".join(
        c for c in plain if (kind := unicodedata.category(c))[0] not in "PC" and kind != "Mn"
    )
    return hashlib.sha1(kept.encode()).digest()[:8]


def _script(name: str, environment: str) -> Way:
    """What a script of peers/ removes; it gives the indices of a record's lines, row by row."""

    def removes(records: list[Record]) -> set[Line]:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
            with source.open("w", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({"source": record.source, "lines": record.lines}) + "\n"
                    for record in records
                )
            command = [python_of(environment), HERE / "peers" / name, source, target]
            subprocess.run([*map(str, command)], check=True)
            rows = [json.loads(row) for row in target.read_text(encoding="utf-8").splitlines()]
        return answer(records, rows)

    return removes


def answer(records: list[Record], rows: list[list[int]]) -> set[Line]:
    """The lines that a script's rows name.

    Raises:
        ValueError: the rows are not those of the records.
    """
    out = set()
    for record, row in zip(records, rows, strict=True):
        for index in row:
            if not record.lines[index].strip():
                raise ValueError(f"{record.id}: line {index} is blank")
            out.add((record.id, index))
    return out


PEERS = (
    Peer("3 records", "lines that stand in 3 records of their source", in_records(3)),
    Peer("5 records", "lines that stand in 5 records of their source", in_records(5)),
    Peer(
        "trafilatura",
        "`duplicate_test` of each line, then of each article, in input order",
        _script("trafilatura_lines.py", "trafilatura"),
        "trafilatura",
    ),
    Peer("cc_net", "normalised lines that stand twice in the input, all copies", cc_net),
    Peer(
        "cc_corpus",
        "MinHashLSH of each source's paragraphs at 0.95; in 3 records, or in half of all",
        _script("cc_corpus_paragraphs.py", "cc-corpus"),
        "cc-corpus",
    ),
)


def python_of(environment: str) -> Path:
    """The Python of a peers' environment."""
    return ENVIRONMENTS / environment / "bin" / "python"


def make_environments(peers: tuple[Peer, ...]) -> None:
    """Install what peers require on first use, and when the requirements change."""
    for name in sorted({peer.environment for peer in peers} - {""}):
        folder, wanted = ENVIRONMENTS / name, _requirements(name)
        stamp = folder / "installed.txt"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
            continue
        print(f"installing {name}, once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python_of(name)), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(REQUIREMENTS / f"{name}.txt")], check=True)
        stamp.write_text(wanted, encoding="utf-8")


def versions(peers: tuple[Peer, ...]) -> dict[str, str]:
    """What is installed of the peers' requirements."""
    code = (
        "import json, sys\nfrom importlib.metadata import version\n"
        "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
    )
    found: dict[str, str] = {}
    for name in sorted({peer.environment for peer in peers} - {""}):
        packages = re.findall(r"^[\w-]+", _requirements(name), re.MULTILINE)
        command = [str(python_of(name)), "-c", code, *packages]
        found |= json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def _requirements(name: str) -> str:
    return (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
