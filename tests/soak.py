"""Random slices of real collections through clean and restore: python tests/soak.py 200.

The collections lie beside the repository, in shared/data; where they are not, the sample dumps in
seeds/ serve. Settings and slices follow from a seed that is printed: --seed N does one trial again.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import twins
from faults import Ended, Place
from invariants import inside
from promises import folder, rows_of
from trials import tried

from dedup.config import Config
from dedup.records import names_of

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SEEDS = (ROOT / "seeds" / "outlets.jsonl", ROOT / "seeds" / "wadi-dump.txt")
OPEN = {".xz": lzma.open, ".gz": gzip.open}
TEXTS = names_of("text", Config())
LEAST, MOST = 2, 400  # records of a slice
LONG = 8  # words of a paragraph that goes wherever else it stands
BACK, BACK2 = "../aside/back.jsonl", "../aside/back2.jsonl"


class Trial(NamedTuple):
    """What a seed says.

    Attributes:
        seed: see there.
        data: the input; lines of JSON, or a raw dump.
        raw: whether it is a raw dump.
        more: another input, which the index saw before; nothing if it saw none.
        told: name -> value of all that was chosen, for the table.
    """

    seed: int
    data: bytes
    raw: bool
    more: bytes
    told: dict[str, str]

    @property
    def flags(self) -> list[str]:
        """The settings as flags."""
        told, flags = self.told, []
        for name in ("level", "keep", "mode", "threshold", "workers"):
            flags += [f"--{name}", told[name]]
        return [*flags, *(["--keep-empty"] if told["keep-empty"] == "yes" else [])]


def collections(small: bool = False) -> list[Path]:
    """All that slices are cut of; small ones only, if that is asked for."""
    limit = 300_000 if small else 1 << 40
    found = [path for path in sorted(DATA.glob("*.jsonl.*z")) if path.stat().st_size < limit]
    return [*SEEDS, *found]


@cache
def lines_of(path: Path) -> list[bytes]:
    """The lines of a collection that are no blank ones, without what ends them."""
    with OPEN.get(path.suffix, open)(path, "rb") as file:
        lines = file.read().split(b"\n")
    return lines if path.suffix == ".txt" else [line for line in lines if line.strip()]


def a_slice(rng: random.Random, lines: Sequence[bytes], most: int) -> list[bytes]:
    """Some lines that follow each other; as often below sixty as above, where there may be 400."""
    size = round(LEAST * (most / LEAST) ** rng.random() ** 0.6)
    start = rng.randrange(max(1, len(lines) - size))
    return list(lines[start : start + size])


def trial_of(seed: int, paths: Sequence[Path], most: int = MOST) -> Trial:
    """The trial of a seed."""
    rng = random.Random(seed)
    path = rng.choice(paths)
    raw = path.suffix == ".txt"
    names, lines = {path.name.partition(".")[0]}, a_slice(rng, lines_of(path), most)
    shape = rng.choice(["one slice"] * 4 + ["several", "several", "twice", "shuffled"])
    if shape == "several" and not raw:
        for other in rng.choices([p for p in paths if p.suffix != ".txt"], k=rng.randint(1, 2)):
            lines += a_slice(rng, lines_of(other), most)
            names.add(other.name.partition(".")[0])
    elif shape == "twice":
        lines += lines
    elif shape == "shuffled":
        rng.shuffle(lines)
    told = {
        "slices": shape if shape != "several" or not raw else "one slice",
        "level": rng.choice(["block", "sentence", "sentence", "auto"]),
        "keep": rng.choice(["first", "first", "first", "longest", "earliest", "all", "mark"]),
        "mode": rng.choice(["remove"] * 4 + ["annotate"]),
        "threshold": rng.choice(["0.7", "0.7", "0.5", "0.9", "1.0"]),
        "workers": rng.choice(["1", "2"]),
        "keep-empty": rng.choice(["no", "no", "yes"]),
        "index": rng.choice(["no", "no", "new", "known", "the same once more"]),
        "output": rng.choice([".jsonl"] * 3 + [".jsonl.gz", ".parquet", "-"]),
        "cleaned": rng.choice(["once", "once", "twice"]),
    }
    if told["cleaned"] == "twice" and not (told["output"] == ".jsonl" and told["index"] == "no"):
        told["cleaned"] = "once"
    more = a_slice(rng, lines_of(path), most) if told["index"] == "known" else []
    told["collection"] = "+".join(sorted(names)) if len(names) == 1 else "several"
    ends = rng.choice([b"\n", b"\n", b""])  # of the last line
    return Trial(seed, b"\n".join(lines) + ends, raw, b"\n".join(more), told)


def text_of(row: dict[str, Any]) -> str:
    """The text of a record."""
    return next((row[name] for name in TEXTS if isinstance(row.get(name), str)), "")


def is_blank(text: str) -> bool:
    """Whether nothing of a text shows."""
    return not twins.INVISIBLE.sub("", text).strip()


class Soak:
    """Trials in a folder.

    Args:
        base: an empty folder.
    """

    def __init__(self, base: Path) -> None:
        self.place = Place(base)
        self._aside = base / "aside"

    def wrong(self, trial: Trial) -> list[str]:
        """What is wrong with what becomes of a trial's input."""
        return list(self.place.apart(lambda: list(self._wrong(trial))))

    def _wrong(self, trial: Trial) -> Iterator[str]:
        told, place = trial.told, self.place
        for name in (BACK, BACK2):
            (place.folder / name).unlink(missing_ok=True)
        given = "in.txt" if trial.raw else "in.jsonl"
        place.put({given: trial.data, f"more{given[2:]}": trial.more})
        out = "out.jsonl" if told["output"] == "-" else f"out{told['output']}"
        index = [] if told["index"] == "no" else ["--index", "news.db"]
        if trial.more:
            yield from ended(
                *place.runs(self._clean(trial, f"more{given[2:]}", "earlier.jsonl", index))
            )
        times = 2 if told["index"] == "the same once more" else 1
        for _ in range(times):
            to = "-" if told["output"] == "-" else out
            command = self._clean(trial, given, to, index)
            if to == "-":
                command += ["--removed", "out.removed.jsonl"]
            (run,) = place.runs(command)
            yield from ended(run)
            if to == "-":
                (place.folder / out).write_bytes(run.out)
        restore = ["restore", out, "-q", "-o", BACK]
        yield from ended(*place.runs(restore))
        back = self._restored()
        yield from self._compare(trial, back, out)
        if out == "out.jsonl" and not trial.raw:
            yield from look_inside(trial, place.state())
            yield from self._check(trial, index)
        if told["cleaned"] == "twice" and not trial.raw:
            first = place.state()[out] or b""
            yield from ended(*place.runs(
                self._clean(trial, out, "again.jsonl", []),
                ["restore", "again.jsonl", "-q", "-o", BACK],
            ))  # fmt: skip
            if self._restored() != first:
                yield "cleaned twice and restored once: not the file that was cleaned first"

    def _clean(self, trial: Trial, given: str, to: str, index: list[str]) -> list[str]:
        return ["clean", given, "-q", "-o", to, *trial.flags, *index]

    def _restored(self) -> bytes:
        path = self.place.folder / BACK
        found = path.read_bytes() if path.exists() else b""
        path.unlink(missing_ok=True)
        return found

    def _compare(self, trial: Trial, back: bytes, out: str) -> Iterator[str]:
        rejected = rows_of(self.place.state().get("out.rejected.jsonl") or b"")
        if trial.raw:
            found = "".join(text_of(row) for row in rows_of(back))
            text = trial.data.decode("utf-8-sig")
            if found != text and not (is_blank(text) and not found):
                yield "restore gives another dump"
            return
        lines = trial.data.split(b"\n")
        bad = {row["line"] for row in rejected}
        given = [line for n, line in enumerate(lines, 1) if line.strip() and n not in bad]
        if out.endswith(".parquet"):  # a table has columns, not lines
            if [text_of(row) for row in rows_of(back)] != [text_of(json.loads(x)) for x in given]:
                yield "restore gives other texts"
            return
        found_lines = back.split(b"\n")
        if back.endswith(b"\n"):
            found_lines.pop()
        if found_lines != given:
            which = [n for n, pair in enumerate(zip(found_lines, given, strict=False))
                     if pair[0] != pair[1]]  # fmt: skip
            yield (
                f"restore gives {len(found_lines)} lines of {len(given)}, {len(which)} of them "
                f"other ones, the first {which[:1]}"
            )
        elif not bad and back != trial.data:
            yield "restore gives another end of the last line"

    def _check(self, trial: Trial, index: list[str]) -> Iterator[str]:
        told = trial.told
        fixed = told["level"] != "auto" and told["keep"] in ("first", "longest", "earliest")
        if not fixed or told["mode"] != "remove" or index:
            return
        (check,) = self.place.runs(
            ["check", "out.jsonl", "-q", "--json", "--show", "100000", *trial.flags]
        )
        if not check.told:
            yield f"check: {check}"
            return
        found = json.loads(check.out)["findings"] if check.out else []
        before = Counter(
            line.strip() for row in rows_of(trial.data) for line in paragraphs(text_of(row))
        )
        for row in found:
            text = row["text"].strip()
            alike = row["kind"] == "duplicate" and row["similarity"] == 1
            if alike and before[text] > 1 and len(text.split()) >= LONG:
                yield f"check finds a paragraph again: {row['id']} {row['start']}"


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text."""
    for end in ("\r", "\v", "\f", "\x85", "\u2028", "\u2029"):
        text = text.replace(end, "\n")
    return text.split("\n")


def ended(*runs: Ended) -> Iterator[str]:
    """What is wrong with how commands ended."""
    for run in runs:
        if run.code != 0:
            yield str(run)


def look_inside(trial: Trial, state: dict[str, bytes | None]) -> Iterator[str]:
    """What is wrong with the spans that went, and with what is left."""
    texts = [text_of(row) for row in rows_of(trial.data)]
    dropped = "out.removed.dropped.jsonl" if trial.told["output"] == "-" else "out.dropped.jsonl"
    stays, gone, removals = (
        rows_of(state.get(name) or b"") for name in ("out.jsonl", dropped, "out.removed.jsonl")
    )
    rows = stays[:]
    for row in sorted(gone, key=lambda row: row["dedup"]["position"]):
        rows.insert(row["dedup"]["position"], row)
    if len(rows) != len(texts):
        yield f"{len(rows)} records of {len(texts)}"
        return
    at = 0
    for n, (row, text) in enumerate(zip(rows, texts, strict=True)):
        struct = row["dedup"]
        mine = removals[at : at + struct["removed"]]
        at += struct["removed"]
        try:
            inside(text, mine)
        except AssertionError:
            yield f"record {n}: the removals are no spans of it"
        for removal in mine:
            if (removal["kind"] == "blank") != is_blank(removal["text"]):
                yield f"record {n}: {removal['start']} is of kind {removal['kind']}"
        if trial.told["mode"] == "remove" and trial.told["keep"] != "mark":
            left = text_of(row)
            if is_blank(left) and struct["kept"] and not is_blank(text):
                yield f"record {n}: blank, and {struct['kept']} blocks kept"
    if at != len(removals):
        yield f"{len(removals)} removals, of which records tell {at}"


class Table:
    """How often each setting was tried, and how often something was wrong."""

    def __init__(self) -> None:
        self._tried: Counter[tuple[str, str]] = Counter()
        self._wrong: Counter[tuple[str, str]] = Counter()
        self.trials = self.wrong = 0

    def add(self, trial: Trial, wrong: Sequence[str]) -> None:
        """Count a trial."""
        self.trials += 1
        self.wrong += bool(wrong)
        for pair in trial.told.items():
            self._tried[pair] += 1
            self._wrong[pair] += bool(wrong)

    def lines(self) -> Iterator[str]:
        """The table, in Markdown."""
        yield "| setting | value | trials | with something wrong |"
        yield "|---|---|--:|--:|"
        for name, value in sorted(self._tried):
            pair = (name, value)
            yield f"| {name} | {value} | {self._tried[pair]} | {self._wrong[pair]} |"
        yield f"| all | | {self.trials} | {self.wrong} |"


def soak(seeds: Iterable[int], paths: Sequence[Path], until: float, most: int = MOST) -> Table:
    """Do trials until there are no more seeds, or no more time; says what is wrong."""
    table = Table()
    with folder() as base:
        place = Soak(base)
        for seed in seeds:
            if time.monotonic() > until:
                break
            trial = trial_of(seed, paths, most)
            try:
                wrong = place.wrong(trial)
            except AssertionError as error:
                wrong = [str(error)]
            table.add(trial, wrong)
            tried("slices", 1, bool(wrong))
            shown = " ".join(f"{k}={v.replace(' ', '-')}" for k, v in trial.told.items())
            print(f"seed {seed}: {'wrong' if wrong else 'fine'}: {shown}", flush=True)
            for what in wrong[:5]:
                print(f"    {what}", flush=True)
    return table


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("much", nargs="?", default="200", help="trials, or seconds as 600s")
    parser.add_argument("--seed", type=int, help="do this one trial")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    given = parser.parse_args()
    much, timed = int(given.much.removesuffix("s")), given.much.endswith("s")
    until = time.monotonic() + (much if timed else 1e9)
    seeds = range(given.first, given.first + (10**9 if timed else much))
    table = soak([given.seed] if given.seed is not None else seeds, collections(), until)
    print("\n".join(table.lines()))
    return int(table.wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
