"""How time and memory grow with the input: everybody on more and more of it.

    python benchmarks/speed/growth.py FILE.jsonl [--times 0.125,1,8] [--out RECORD.json]
    python benchmarks/speed/chart.py RECORD.json CHART.svg

FILE is made smaller and larger by `grow.py vary`. At each size all run in turn, the floor first and
last; a warm-up goes before, off the clock. A contestant stops at its limit, and where it would take
more than `--most` seconds if it went on as before. `--made` adds the inputs that break careless
programs (grow.py), at a quarter, a half and all of their lines, for dedup alone. Answers are not
checked here: run.py does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import grow
import record as records
from contestants import CONTESTANTS, FLOOR, HERE, WARM_UP, Contestant, make_environments, run

TIMES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4)
MADE_PARTS = (1 / 4, 1 / 2, 1)
MOST = 120  # seconds


def main() -> int:
    args = _arguments()
    chosen = [c for c in CONTESTANTS if c.name == FLOOR or not args.only or c.name in args.only]
    make_environments(chosen)
    record = {
        **records.circumstances(chosen),
        "input": {"name": args.file.name, "bytes": args.file.stat().st_size},
        "seed": args.seed,
        "repeat": args.repeat,
    }
    with tempfile.TemporaryDirectory() as folder:
        growth = Growth(Path(folder), args.repeat, args.most)
        growth.warm_up(args.file, chosen)
        sizes = [
            lambda path, times=times: grow.write_times(args.file, path, "vary", times, args.seed)
            for times in args.times
        ]
        record["points"] = growth.points("grown", sizes, chosen)
        if args.made:
            own = [each for each in chosen if each.removals or each.name == FLOOR]
            for kind, number in grow.COUNTS.items():
                sizes = [
                    lambda path, kind=kind, lines=int(number * part): grow.write_made(
                        path, kind, lines, args.seed
                    )
                    for part in MADE_PARTS
                ]
                record["points"] += growth.points(kind, sizes, own)
    out = args.out or HERE / "records" / f"{date.today()}-growth.json"
    out.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(table(record))
    return 0


class Growth:
    """Runs contestants on inputs of growing size."""

    def __init__(self, folder: Path, repeat: int, most: float) -> None:
        self._folder = folder
        self._repeat = repeat
        self._most = most

    def warm_up(self, source: Path, chosen: list[Contestant]) -> None:
        """Run everyone on the first records, so that nobody compiles on the clock."""
        first = self._folder / "first.jsonl"
        with source.open("rb") as lines:
            first.write_bytes(b"".join(islice(lines, WARM_UP)))
        for each in chosen:
            self._run(each, first)

    def points(
        self, kind: str, sizes: list[Callable[[Path], None]], chosen: list[Contestant]
    ) -> list[dict[str, Any]]:
        """What each contestant took at each size that it is run on.

        Args:
            kind: what the inputs are, for the points.
            sizes: write the inputs, in growing order.
            chosen: who runs, the floor first.
        """
        found: list[dict[str, Any]] = []
        last: dict[str, tuple[int, float]] = {}
        source = self._folder / "in.jsonl"
        for write in sizes:
            write(source)
            size = source.stat().st_size
            able = [each for each in chosen if self._can(each, size, last.get(each.name))]
            runs: dict[str, list[dict[str, float]]] = {each.name: [] for each in able}
            for each in (*able, able[0]) * self._repeat:
                print(f"{kind} {size / 1e6:.1f} MB: {each.name}", file=sys.stderr)
                runs[each.name].append(self._run(each, source))
            for name, measured in runs.items():
                point = {"kind": kind, "name": name, "bytes": size, "runs": measured}
                point["median"] = records.medians(measured, size)
                last[name] = size, point["median"]["wall"]
                found.append(point)
        return found

    def _can(self, contestant: Contestant, size: int, last: tuple[int, float] | None) -> bool:
        expected = last[1] * size / last[0] if last else 0
        return size <= contestant.limit * 1e6 and expected <= self._most

    def _run(self, contestant: Contestant, source: Path) -> dict[str, float]:
        folder = self._folder / "run"
        folder.mkdir()
        log = folder / "log.txt"
        measured = run(contestant, source, folder / "out.jsonl", log)
        if measured["exit"]:
            sys.exit(f"{contestant.name} fails:\n{log.read_text(encoding='utf-8')}")
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        return measured


def table(record: dict[str, Any]) -> str:
    """All points, a line each."""
    rows = [("input", "contestant", "MB", "wall s", "CPU s", "peak MB", "MB/s")]
    for point in record["points"]:
        middle = point["median"]
        rows.append(
            (
                point["kind"],
                point["name"],
                f"{point['bytes'] / 1e6:.1f}",
                f"{middle['wall']:.2f}",
                f"{middle['cpu']:.2f}",
                f"{middle['peak_mb']:.0f}",
                f"{middle['mb_s']:.1f}",
            )
        )
    return "\n".join("{:12} {:14} {:>8} {:>8} {:>8} {:>8} {:>7}".format(*row) for row in rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="articles with id and text")
    parser.add_argument("--times", type=_times, default=TIMES, metavar="N,...", help="of its size")
    parser.add_argument("--made", action="store_true", help="the inputs of grow.py too")
    parser.add_argument("--seed", type=int, default=grow.SEED)
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="runs at each size")
    parser.add_argument("--most", type=float, default=MOST, metavar="S", help="seconds a run")
    parser.add_argument("--only", type=lambda names: names.split(","), default=(), metavar="NAME,…")
    parser.add_argument("--out", type=Path, help="by default records/DATE-growth.json")
    return parser.parse_args()


def _times(value: str) -> tuple[float, ...]:
    return tuple(sorted(map(float, value.split(","))))


if __name__ == "__main__":
    sys.exit(main())
