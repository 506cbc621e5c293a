"""How fast `dedup clean` is: measured side by side, with every answer checked.

    python benchmarks/speed/run.py [FILE.jsonl] [--repeat 3] [--out RECORD.json] [--only NAME,...]
    python benchmarks/speed/run.py --markdown RECORD.json

Run it with the Python that newsdedup is installed for. Exit code 1: an answer was wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import record as records
from check import Answer, Pairs, WrongError, check, same_texts, texts
from contestants import (
    CONTESTANTS,
    FLOOR,
    HERE,
    WARM_UP,
    Contestant,
    dedup,
    make_environments,
    run,
)
from generate import SEED, SIZE_MB, generate


def main() -> int:
    args = _arguments()
    if args.markdown:
        record = json.loads(args.markdown.read_text(encoding="utf-8"))
        print(f"{records.table(record, markdown=True)}\n\n{records.caption(record)}")
        return 0
    chosen = [c for c in CONTESTANTS if c.name == FLOOR or not args.only or c.name in args.only]
    make_environments(chosen)
    source, pairs_path = _input(args)
    data = _describe(source)
    pairs = Pairs.read(pairs_path, args.pairs_input or source) if pairs_path else None
    data["pairs"] = len(pairs) if pairs else 0
    record = {**records.circumstances(chosen), "input": data, "repeat": args.repeat}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(source, pairs, Path(folder))
        bench.warm_up(chosen)
        for number in range(1, args.repeat + 1):
            for contestant in (*chosen, chosen[0]):
                print(f"round {number}: {contestant.name}", file=sys.stderr)
                bench.round(contestant)
    record["contestants"] = [bench.result(contestant) for contestant in chosen]
    records.add_ratios(record["contestants"])
    if args.out:
        args.out.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"{records.table(record)}\n\n{records.caption(record)}")
    return int(any(row["answer"]["wrong"] for row in record["contestants"]))


@dataclass(frozen=True)
class Part:
    """The first records of the input, or all of it, and the known pairs among them."""

    path: Path
    size: int
    records: int
    pairs: Pairs | None

    def describe(self) -> dict[str, int]:
        """Its size, for the record."""
        return {
            "bytes": self.size,
            "records": self.records,
            "pairs": len(self.pairs) if self.pairs else 0,
        }


class Bench:
    """Runs contestants on one input and keeps what they took and what came out.

    An output equal to one that was checked is not checked again, and no output outlives its run.
    """

    def __init__(self, source: Path, pairs: Pairs | None, folder: Path) -> None:
        self._source = source
        self._pairs = pairs
        self._parts: dict[float, Part] = {}
        self._kept, self._folder = folder / "parts", folder / "run"
        self._kept.mkdir()
        self._folder.mkdir()
        self._runs: dict[str, list[dict[str, float]]] = {}
        self._answers: dict[str, dict[str, Answer]] = {}
        self._checked: dict[tuple[Path, bool, str], Answer] = {}

    def warm_up(self, chosen: list[Contestant]) -> None:
        """Run everyone on the first records, so that nobody compiles on the clock."""
        first = self._folder / "first.jsonl"
        for contestant in chosen:
            with self._source.open("rb") as lines:
                first.write_bytes(b"".join(islice(lines, WARM_UP)))
            log = self._folder / "log.txt"
            if run(contestant, first, self._folder / "out.jsonl", log)["exit"]:
                sys.exit(f"{contestant.name} fails:\n{log.read_text(encoding='utf-8')}")
            self._clear()

    def round(self, contestant: Contestant) -> None:
        """Run a contestant once and check its answer."""
        part = self._part(contestant.limit)
        output, log = self._folder / "out.jsonl", self._folder / "log.txt"
        measured = run(contestant, part.path, output, log)
        self._runs.setdefault(contestant.name, []).append(measured)
        answers = self._answers.setdefault(contestant.name, {})
        if measured["exit"]:
            last = log.read_text(encoding="utf-8").strip().rpartition("\n")[2]
            answers["failed"] = Answer(wrong=f"exit code {measured['exit']}: {last}")
        else:
            digest = "".join(_digest(path) for path in sorted(self._folder.glob("out*.jsonl")))
            key = (part.path, contestant.removals, digest)
            if key not in self._checked:
                self._checked[key] = self._check(contestant, part, output)
            answers[digest] = self._checked[key]
        self._clear()

    def result(self, contestant: Contestant) -> dict[str, Any]:
        """A contestant's part of the record; of several answers a wrong one."""
        runs, answers = self._runs[contestant.name], self._answers[contestant.name].values()
        answer = next((each for each in answers if each.wrong), next(iter(answers)))
        part = self._part(contestant.limit).describe()
        return {
            "name": contestant.name,
            "does": contestant.does,
            "input": part,
            "runs": runs,
            "median": records.medians(runs, part["bytes"]),
            "answer": {**asdict(answer), "distinct_outputs": len(answers)},
        }

    def _part(self, limit: float) -> Part:
        """As much of the input as a contestant with this limit is run on."""
        limit = min(limit, self._source.stat().st_size / 1e6)
        if limit not in self._parts:
            self._parts[limit] = self._cut(limit)
        return self._parts[limit]

    def _cut(self, limit: float) -> Part:
        path = self._source
        if limit * 1e6 < path.stat().st_size:
            path = self._kept / f"{limit:g}mb.jsonl"
            with self._source.open("rb") as lines, path.open("wb") as out:
                for line in lines:
                    if out.tell() + len(line) > limit * 1e6:
                        break
                    out.write(line)
        keys = [key for key, _ in texts(path)]
        pairs = self._pairs and self._pairs.within(set(keys))
        return Part(path, path.stat().st_size, len(keys), pairs or None)

    def _check(self, contestant: Contestant, part: Part, output: Path) -> Answer:
        try:
            if contestant.name == FLOOR:
                same = same_texts(part.path, output)
                return Answer(wrong="" if same else "the texts are not the input's")
            answer = check(part.path, output, part.pairs, contestant.removals)
            if contestant.removals:
                answer.restored = self._restores(part, output)
        except WrongError as error:
            return Answer(wrong=str(error))
        answer.judge()
        return answer

    def _restores(self, part: Part, output: Path) -> bool:
        restored = self._folder / "restored.jsonl"
        command = [str(dedup()), "restore", str(output), "-o", str(restored), "-q"]
        done = subprocess.run(command, check=False)
        return done.returncode == 0 and same_texts(part.path, restored)

    def _clear(self) -> None:
        for path in self._folder.iterdir():
            path.unlink()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "file", type=Path, nargs="?", help="articles with id and text; without it some are made"
    )
    parser.add_argument("--pairs", type=Path, help="known near-duplicates of FILE (see README.md)")
    parser.add_argument(
        "--pairs-input", type=Path, metavar="FILE", help="whose lines the pairs name, if not FILE's"
    )
    parser.add_argument(
        "--size", type=float, default=SIZE_MB, metavar="MB", help="of the articles made"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of the articles made")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds")
    parser.add_argument("--only", type=_names, default=(), metavar="NAME,...")
    parser.add_argument("--out", type=Path, help="write the record there")
    parser.add_argument("--markdown", type=Path, metavar="RECORD", help="print a record's table")
    args = parser.parse_args()
    if args.repeat < 1:
        parser.error("--repeat: at least 1")
    if (args.pairs or args.pairs_input) and not args.file:
        parser.error("--pairs: of which FILE? (the pairs of the articles made are known)")
    return args


def _names(value: str) -> tuple[str, ...]:
    names = tuple(value.split(","))
    known = [contestant.name for contestant in CONTESTANTS]
    if unknown := set(names).difference(known):
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is none of {', '.join(known)}")
    return names


def _input(args: argparse.Namespace) -> tuple[Path, Path | None]:
    if args.file:
        return args.file, args.pairs
    made = HERE / ".data" / f"made-{args.size:g}mb-{args.seed}.jsonl"
    return made, generate(made, args.size, args.seed)


def _describe(source: Path) -> dict[str, Any]:
    """What the input is; reading it also brings it into the system's file cache."""
    count = blocks = 0
    try:
        for _, text in texts(source):
            count += 1
            blocks += sum(map(bool, map(str.strip, text.split("\n"))))
    except (WrongError, OSError) as error:
        sys.exit(str(error))
    return {
        "name": source.name,
        "bytes": source.stat().st_size,
        "sha256": _digest(source),
        "records": count,
        "blocks": blocks,
    }


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
