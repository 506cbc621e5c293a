"""Are the judging constants fitted to the labelled lines? Leave one outlet out and choose anew.

    python loo.py                       the seeds' outlets
    python loo.py ARTICLES.jsonl GOLD.tsv

For each outlet all constants of CONSTANTS are chosen on the labelled lines of the *other* outlets,
and the outlet is scored with what was chosen. The choice is a coordinate search: it begins with
every constant at an end of its grid, far from the shipped value, changes one at a time to the value
of the grid that gives the most, and goes round until nothing changes. What is most: a labelled
residue line removed counts 1, a body line removed costs COST. Where values do equally well, the
one at hand stays: nothing draws the search to the shipped values. It is begun at the low and at
the high ends; the better choice (on the lines it was chosen on) counts, the former where both are
as good.

The whole input is judged every time, unlabelled articles of the left-out outlet among it, as the
program sees them in any run. Reading and matching do not depend on the constants and are done once.
The search looks at whole blocks; what is chosen is scored with the program itself.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from lines import (
    ARTICLES,
    GOLD,
    RESIDUE,
    Gone,
    Line,
    Record,
    Tally,
    read_gold,
    read_records,
    removed_by_dedup,
    tally,
    with_text,
)

import dedup
from dedup.engines.memory import Memory
from dedup.judge import credits, endings, evidence, related, teasers

# `dedup.clean` is a function of the package; this is the module behind it.
clean = importlib.import_module("dedup.clean")

COST = 5  # residue lines that a body line is worth
ROUNDS = 4  # of the search at most
EVERYTHING = 1 << 60  # bytes that may stay in memory: no array goes to a file


class Constant(NamedTuple):
    """A constant of the judging rules and what it may be, in order."""

    module: ModuleType
    name: str
    grid: tuple[float, ...]

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.module.__name__.rpartition('.')[2]}.{self.name}"


CONSTANTS = (
    Constant(clean, "COPY_SHARE", (0.6, 0.7, 0.8, 0.9)),
    Constant(clean, "STORY_SHARE", (0.2, 0.3, 0.4, 0.6)),
    Constant(evidence, "OWN", (2, 3, 4, 6)),
    Constant(evidence, "LEAD_TOKENS", (5, 8, 12)),
    Constant(evidence, "OPENER", (5, 10, 20, 40)),
    Constant(evidence, "OPENER_ODDS", (12, 25, 50, 100)),
    Constant(evidence, "ENOUGH_TITLES", (50, 200, 800)),
    Constant(credits, "AT_EDGE", (0.5, 0.7, 0.9, 1.0)),
    Constant(credits, "CREDIT_TOKENS", (6, 9, 12, 16)),
    Constant(credits, "LISTED_TOKENS", (3, 5, 7)),
    Constant(credits, "SUPPORT", (2, 3, 5, 8)),
    Constant(related, "HEADLINE_TOKENS", (2, 3, 4, 5, 7)),
    Constant(related, "LINK_TOKENS", (3, 4, 5, 6, 8, 10)),
    Constant(related, "LINKS_BELOW", (3, 6, 12, 24)),
    Constant(related, "LINK_STEMS", (2, 3, 4, 6)),
    Constant(related, "LONE_STEMS", (3, 4, 5, 6, 8)),
    Constant(related, "LONE_TOKENS", (8, 11, 14, 18, 24)),
    Constant(related, "LONE_ECHO", (0.2, 0.35, 0.5, 0.7)),
    Constant(related, "USUAL", (0.01, 0.02, 0.05, 0.1, 0.2)),
    Constant(related, "LISTED", (2, 3, 4, 6)),
    Constant(related, "LOOSE", (0.2, 0.4, 0.6, 0.8)),
    Constant(endings, "ZONE", (2, 4, 8, 12)),
    Constant(teasers, "TEASER_OVERLAP", (0.15, 0.25, 0.35, 0.5, 0.65)),
    Constant(teasers, "LEAD_TOKENS", (5, 8, 12)),
    Constant(teasers, "CLOSED", (0.05, 0.1, 0.2, 0.4)),
    Constant(endings, "SURELY", (0.0, 2.0, 4.0, 8.0)),
    Constant(endings, "LEAST", (-1.0, 0.0, 0.5, 2.0)),
    Constant(teasers, "PLAINLY", (5.0, 10.0, 20.0)),
    Constant(related, "FOREIGN_STEMS", (2, 3, 4, 6)),
    Constant(related, "ONLY_LINKS", (2, 3, 5, 8)),
    Constant(related, "TOPIC_TOKENS", (2, 3, 5, 8)),
    Constant(related, "HEADER_STORIES", (2, 3, 5)),
)
Values = tuple[float, ...]
SHIPPED: Values = tuple(getattr(c.module, c.name) for c in CONSTANTS)
STARTS: tuple[Values, ...] = (
    tuple(c.grid[0] for c in CONSTANTS),
    tuple(c.grid[-1] for c in CONSTANTS),
)
Score = Callable[[Values], int]


@contextmanager
def constants(values: Values) -> Iterator[None]:
    """The rules with these constants."""
    before = [getattr(c.module, c.name) for c in CONSTANTS]
    try:
        for constant, value in zip(CONSTANTS, values, strict=True):
            setattr(constant.module, constant.name, value)
        yield
    finally:
        for constant, value in zip(CONSTANTS, before, strict=True):
            setattr(constant.module, constant.name, value)


def search(score: Score, start: Values, grids: tuple[Values, ...]) -> tuple[Values, int]:
    """One constant after the other at its best value, until nothing changes."""
    at, most = list(start), score(start)
    for _ in range(ROUNDS):
        before = list(at)
        for place, grid in enumerate(grids):
            for value in grid:
                tried = (*at[:place], value, *at[place + 1 :])
                if (found := score(tried)) > most:
                    at, most = list(tried), found
        if at == before:
            break
    return tuple(at), most


def worth(counts: Tally) -> int:
    """What the search makes as large as it can."""
    return sum(counts.gone[label] for label in RESIDUE) - COST * counts.gone["body"]


class Judge:
    """An input, read and matched once, to be judged with many constants."""

    def __init__(self, path: Path, records: list[Record], gold: Mapping[Line, str]) -> None:
        self._given = {**_given_to_judges(path), "memory": Memory(EVERYTHING)}
        self._corpus = self._given["corpus"]
        self._parts = self._parts_of_lines(records, gold)
        self._known: dict[Values, set[Line]] = {}

    def removed(self, values: Values) -> set[Line]:
        """The labelled lines that go."""
        if values not in self._known:
            with constants(values):
                residue = self._residue()
            self._known[values] = {
                line
                for line, (parts, black) in self._parts.items()
                if 2 * sum(size for block, size in parts if residue[block]) >= black
            }
        return self._known[values]

    def _residue(self) -> Any:
        """What the program finds with the constants as they are."""
        *_, verdicts = clean._judge(**self._given)
        return verdicts.residue()

    def _parts_of_lines(
        self, records: list[Record], gold: Mapping[Line, str]
    ) -> dict[Line, tuple[list[tuple[int, int]], int]]:
        """For each labelled line its blocks, with how many black characters, and those of all."""
        texts = {record.id: record.text for record in records}
        number = {name: k for k, name in enumerate(self._corpus.ids)}
        blocks, first, out = self._corpus.blocks, self._corpus.first, {}
        for line in gold:
            text, record = texts[line[0]], number[line[0]]
            start = sum(len(before) + 1 for before in text.split("\n")[: line[1]])
            end = start + len(text.split("\n")[line[1]])
            parts = []
            for block in range(int(first[record]), int(first[record + 1])):
                low, high = max(start, int(blocks.start[block])), min(end, int(blocks.end[block]))
                if size := _black(text[low:high] if low < high else ""):
                    parts.append((block, size))
            out[line] = parts, _black(text[start:end])
        return out


class _CaughtError(Exception):
    """The program has come to the judging."""


def _given_to_judges(path: Path) -> dict[str, Any]:
    """What the program hands to its judging rules: a run, stopped there."""
    judge, given = clean._judge, {}

    def catch(*args: Any, **named: Any) -> None:
        given.update(inspect.signature(judge).bind(*args, **named).arguments)
        raise _CaughtError

    clean._judge = catch
    try:
        with suppress(_CaughtError):
            dedup.clean(path, discard=True)
    finally:
        clean._judge = judge
    return given


def _black(text: str) -> int:
    return sum(not c.isspace() for c in text)


_judge: Judge | None = None  # inherited by the processes that search


def _choose(gold: dict[Line, str]) -> tuple[Values, int]:
    """The best constants for some lines."""
    judge = _judge
    assert judge is not None

    def score(values: Values) -> int:
        return worth(tally(gold, judge.removed(values)))

    grids = tuple(c.grid for c in CONSTANTS)
    return max((search(score, start, grids) for start in STARTS), key=lambda found: found[1])


def leave_one_out(
    articles: Path, gold_path: Path, told: Callable[[str], None] = print, workers: int = 2
) -> dict[str, Any]:
    """What is chosen without each outlet, and how it does there."""
    global _judge  # noqa: PLW0603 - a fork hands it on without a copy
    records = read_records(articles)
    gold = with_text(read_gold(gold_path), records)
    source = {record.id: record.source for record in records}
    outlets = sorted({source[name] for name, _ in gold})
    told("reading and matching")
    _judge = Judge(articles, records, gold)
    here = {o: {k: v for k, v in gold.items() if source[k[0]] == o} for o in outlets}
    others = [{k: v for k, v in gold.items() if source[k[0]] != o} for o in outlets]
    told("choosing")
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        chosen = list(pool.map(_choose, others))

    def gone(values: Values) -> Gone:
        with constants(values):
            return removed_by_dedup(articles, records)

    told("scoring")
    shipped = gone(SHIPPED)
    starts = [gone(start) for start in STARTS]
    folds, sums = [], {"held_out": NOTHING, "shipped": NOTHING}
    for outlet, (values, most), trained in zip(outlets, chosen, others, strict=True):
        counts = {
            "held_out": _tallies(here[outlet], gone(values)),
            "shipped": _tallies(here[outlet], shipped),
        }
        sums = {
            name: tuple(a.plus(b) for a, b in zip(sums[name], counts[name], strict=True))
            for name in sums
        }
        folds.append(
            {
                "outlet": outlet,
                "chosen": {c.label: v for c, v in zip(CONSTANTS, values, strict=True)},
                "worth_elsewhere": [most, worth(tally(trained, shipped.residue))],
                **{name: _figures(both) for name, both in counts.items()},
            }
        )
    return {
        "cost": COST,
        "grids": {c.label: c.grid for c in CONSTANTS},
        "shipped_values": {c.label: v for c, v in zip(CONSTANTS, SHIPPED, strict=True)},
        "folds": folds,
        "all": {
            **{name: _figures(both) for name, both in sums.items()},
            "all low": _figures(_tallies(gold, starts[0])),
            "all high": _figures(_tallies(gold, starts[1])),
        },
    }


Both = tuple[Tally, ...]
"""What goes as residue, and what goes at all."""
NOTHING: Both = (Tally(Counter(), Counter()), Tally(Counter(), Counter()))


def _tallies(gold: Mapping[Line, str], gone: Gone) -> Both:
    return tally(gold, gone.residue), tally(gold, gone.all)


def _figures(both: Both) -> dict[str, Any]:
    return {**both[0].figures(), "recall_in_all": both[1].figures()["recall"]}


def loo_table(found: Mapping[str, Any]) -> str:
    """The result in Markdown: figures, then what was chosen."""
    head = ("outlet", "constants", "precision", "recall", "recall in all", "byline", "body lost")
    rows = [list(head), ["---", "---", *["--:"] * 5]]
    for fold in found["folds"]:
        rows.append([fold["outlet"], "chosen elsewhere", *_cells(fold["held_out"])])
        rows.append(["", "shipped", *_cells(fold["shipped"])])
    for name, words in (
        ("held_out", "chosen elsewhere"),
        ("shipped", "shipped"),
        ("all low", "where the search begins, low"),
        ("all high", "where the search begins, high"),
    ):
        rows.append(["all" if name == "held_out" else "", words, *_cells(found["all"][name])])
    outlets = [fold["outlet"] for fold in found["folds"]]
    rows2 = [["constant", "shipped", *(f"without {name}" for name in outlets)]]
    rows2.append(["---", *["--:"] * (len(outlets) + 1)])
    for name, value in found["shipped_values"].items():
        values = [fold["chosen"][name] for fold in found["folds"]]
        rows2.append([f"`{name}`", f"{value:g}", *(f"{v:g}" for v in values)])
    return "\n\n".join(
        "\n".join(f"| {' | '.join(row)} |" for row in table) for table in (rows, rows2)
    )


def _cells(figures: Mapping[str, Any]) -> list[str]:
    shares = [
        "-" if figures[name] is None else f"{figures[name]:.4f}"
        for name in ("precision", "recall", "recall_in_all")
    ]
    return [*shares, *(f"{figures[name][0]}/{figures[name][1]}" for name in ("byline", "body"))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("articles", type=Path, nargs="?", default=ARTICLES)
    parser.add_argument("gold", type=Path, nargs="?", default=GOLD)
    args = parser.parse_args()
    found = leave_one_out(args.articles, args.gold, lambda what: print(what, file=sys.stderr))
    print(loo_table(found))


if __name__ == "__main__":
    main()
