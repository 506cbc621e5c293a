"""How fast records are cleaned as they come, beside other libraries' indexes; answers checked.

    python benchmarks/stream/run.py [--blocks 0,100000] [--only NAME,...] [--out RECORD.json]
    python benchmarks/stream/run.py --markdown RECORD.json

Run it with the Python that newsdedup is installed for. Exit code 1: an answer was wrong.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SPEED = HERE.parent / "speed"
sys.path.insert(0, str(SPEED))

from contestants import Contestant, make_environments, python_of  # noqa: E402
from generate import generate  # noqa: E402
from record import circumstances  # noqa: E402

CORPUS = SPEED / ".data"
SEED = 7
MB_OF_BLOCKS = 480 / 10**6  # of the generated corpus, rather more than it takes
TOGETHER = {1: 1088, 64: 2816, 256: 2816}  # records in a call: records timed, 64 to 256 to warm up
LIMIT = {"datasketch-redis": (0, 320)}  # blocks known and records timed at most: it takes minutes
GROWN = 1_000_000  # blocks, of which a tenth says how fast the last came in beside the first
LEAST = 0.85  # of the known pairs that must be settled for a time to count
ALIKE = 0.75  # pairs that any of these should find; at 0.7 the bands' luck decides
CONTESTANTS = ("dedup", "datasketch", "datasketch-redis", "rensa")
DOES = {
    "dedup": "the whole of dedup, index on disk",
    "datasketch": "near-duplicate paragraphs, in memory (dict)",
    "datasketch-redis": "near-duplicate paragraphs, bands in Redis",
    "rensa": "near-duplicate paragraphs, in memory",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", default="0,100000,1000000", metavar="N,...")
    parser.add_argument("--only", default=",".join(CONTESTANTS), metavar="NAME,...")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--markdown", type=Path, metavar="RECORD.json")
    args = parser.parse_args()
    if args.markdown:
        print(table(json.loads(args.markdown.read_text(encoding="utf-8"))))
        return 0
    sizes = [int(size) for size in args.blocks.split(",")]
    peers = [Contestant("rensa", "", lambda source, target: [], "stream")]
    make_environments(peers)
    megabytes = (max(sizes) + 40_000) * MB_OF_BLOCKS
    corpus = CORPUS / f"stream-{megabytes:.0f}.jsonl"
    pairs = generate(corpus, megabytes, SEED)
    record = {**circumstances(peers), "corpus": {"seed": SEED, "mb": megabytes}, "rows": []}
    wrong = False
    for size in sizes:
        before, blocks = records_with(corpus, size)
        for name in args.only.split(","):
            if size > LIMIT.get(name, (size, 0))[0]:
                continue
            for together in TOGETHER if name in ("dedup", "rensa") else [1]:
                print(f"{name}, {blocks} blocks, {together} at a time", file=sys.stderr)
                row = measured(name, corpus, pairs, before, together)
                record["rows"].append({"name": name, "blocks": blocks, **row})
                wrong |= row["settled"] < LEAST
                if args.out:
                    text = json.dumps(record, ensure_ascii=False, indent=1)
                    args.out.write_text(text + "\n", "utf-8")
    print(table(record))
    return int(wrong)


def records_with(corpus: Path, blocks: int) -> tuple[int, int]:
    """How many records hold at least so many paragraphs, and how many they hold."""
    records = found = 0
    with corpus.open("rb") as file:
        while found < blocks:
            found += json.loads(next(file))["text"].count("\n") + 1
            records += 1
    return records, found


def percentile(ascending: list[float], part: float) -> float:
    """The value that so great a part of some values is under."""
    return ascending[min(len(ascending) - 1, int(part * len(ascending)))]


def blocks_of(corpus: Path, records: int) -> int:
    """How many paragraphs the first records hold."""
    with corpus.open("rb") as file:
        return sum(json.loads(line)["text"].count("\n") + 1 for line in islice(file, records))


def measured(name: str, corpus: Path, pairs: Path, before: int, together: int) -> dict[str, Any]:
    """One run of one contestant: its times, checked."""
    with tempfile.TemporaryDirectory() as folder, redis(Path(folder), name) as more:
        out = Path(folder) / "out.json"
        count = LIMIT[name][1] if name in LIMIT else TOGETHER[together]
        numbers = [str(n) for n in (before, count, together)]
        script = HERE / "peers" / f"{name.partition('-')[0]}_step.py"
        index = [str(Path(folder) / "news.db")] if name == "dedup" else []
        python = sys.executable if name == "dedup" else python_of("stream")
        command = [python, script, corpus, *numbers, out, *index, *more]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        left = json.loads(out.read_text(encoding="utf-8"))
        size = sum(path.stat().st_size for path in Path(folder).glob("news.db*"))
    calls, cpu = (sorted(1000 * s for s in found[name]) for name in ("seconds", "cpu_s"))
    filling = found["fill_cpu_s"]
    part = max(1, len(filling) // 10)
    read = found["first"] + found["records"]
    return {
        "together": together,
        "records": found["records"],
        "records_s": round(1000 * found["records"] / sum(calls), 1),
        "p50_ms": round(statistics.median(calls), 3),
        "p99_ms": round(percentile(calls, 0.99), 3),
        "cpu_records_s": round(1000 * found["records"] / sum(cpu), 1),
        "cpu_p50_ms": round(statistics.median(cpu), 3),
        "cpu_p99_ms": round(percentile(cpu, 0.99), 3),
        # How much longer the last tenth of the records before took than the first.
        "fill_slower": round(sum(filling[-part:]) / sum(filling[:part]), 2) if filling else None,
        "fill_s": round(found["fill_s"], 2),
        "peak_mb": round(found["peak_mb"]),
        "disk_mb": round(size / 1e6, 1),
        "bytes_block": round(size / blocks_of(corpus, read), 1) if size else None,
        **answer(corpus, pairs, found["first"], left),
    }


def answer(corpus: Path, pairs: Path, first: int, left: list[list[str]]) -> dict[str, Any]:
    """Of the known pairs whose later paragraph was timed, how many are settled."""
    texts: dict[str, list[str]] = {}
    stayed: dict[str, set[str]] = {}
    with corpus.open("rb") as file:
        for number, line in enumerate(file):
            if number >= first + len(left):
                break
            if number >= first:
                record = json.loads(line)
                texts[record["id"]] = record["text"].split("\n")
                stayed[record["id"]] = set(left[number - first])
    known = settled = 0
    for row in pairs.read_text(encoding="utf-8").splitlines():
        similarity, _, _, later, line = row.split("\t")
        if float(similarity) >= ALIKE and later in texts:
            known += 1
            settled += texts[later][int(line)] not in stayed[later]
    return {"pairs": known, "settled": round(settled / max(1, known), 4)}


@contextmanager
def redis(folder: Path, name: str) -> Iterator[list[str]]:
    """The port of a Redis of its own, where one is asked for."""
    if not name.endswith("redis"):
        yield []
        return
    program = shutil.which("redis-server")
    if not program:
        sys.exit("no redis-server: apt-get install redis-server, or leave it out with --only")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.05)
        yield [port]
    finally:
        server.terminate()
        server.wait()


def table(record: dict[str, Any]) -> str:
    """The rows of a record; a time with a wrong answer is not in it."""
    head = (
        *("contestant", "blocks known", "at a time", "records/s", "p50 ms", "p99 ms"),
        *("CPU: records/s", "p50 ms", "p99 ms", "growth", "peak MB", "bytes a block on disk"),
        *("pairs settled", "what it does"),
    )
    lines = [f"| {' | '.join(head)} |", f"| --- |{' --: |' * (len(head) - 2)} --- |"]
    for row in record["rows"]:
        right = row["settled"] >= LEAST
        names = ("records_s", "p50_ms", "p99_ms", "cpu_records_s", "cpu_p50_ms", "cpu_p99_ms")
        times = [f"{row[n]:,.{0 if n.endswith('_s') else 1}f}" for n in names]
        grown, disk = row["fill_slower"], row["bytes_block"]
        cells = [
            *(row["name"], f"{row['blocks']:,}", str(row["together"])),
            *(times if right else ["wrong"] * len(times)),
            f"{grown:.2f}" if grown and row["blocks"] >= GROWN else "-",
            *(f"{row['peak_mb']:,}", f"{disk:,.0f}" if disk else "-", f"{row['settled']:.1%}"),
            DOES[row["name"]],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    machine = record["machine"]
    return "\n".join(lines) + (
        f"\n\n{machine['cpu']}, {machine['cores']} cores, load {machine['load_before']} before; "
        f"Python {record['python']}; {record['date'][:10]}, commit {record['commit'][:7]}."
    )


if __name__ == "__main__":
    sys.exit(main())
