"""Draws time and memory against the size of the input, from a record of growth.py.

    python benchmarks/speed/chart.py RECORD.json CHART.svg

Both axes are logarithmic: what grows linearly rises by a factor of ten where the size does. Every
measured point is marked, nothing is drawn beyond them. The text is text, and the colours follow the
reader's light or dark mode.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from contestants import FLOOR

WIDTH, HEIGHT = 970, 470
TOP, BOTTOM, LEFT = 62, 400, 62
PANEL, GAP = 330, 140  # a panel's width, and what its labels and the next axis take
LINE = 14  # of a label
OWN = "dedup"
STYLE = """
svg {
  font-family: system-ui, sans-serif; font-size: 12px;
  --paper: #fff; --ink: #1f2328; --soft: #656d76; --grid: #d8dee4; --floor: #656d76;
  --own: #0a58ca; --own2: #3b8eea; --p0: #c2410c; --p1: #15803d; --p2: #9333ea; --p3: #0e7490;
  --p4: #be185d; --p5: #854d0e; --p6: #4d7c0f;
}
@media (prefers-color-scheme: dark) {
  svg {
    --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --grid: #30363d; --floor: #9198a1;
    --own: #4c9dff; --own2: #a5d0ff; --p0: #ff9a5c; --p1: #5fd38a; --p2: #c89bff; --p3: #4fd1e8;
    --p4: #ff85b8; --p5: #e0b072; --p6: #b5d86a;
  }
}
text { fill: var(--ink); }
.soft { fill: var(--soft); }
.title { font-size: 14px; font-weight: 600; }
.grid { stroke: var(--grid); }
.line { fill: none; stroke-width: 1.6; }
.own { stroke-width: 2.8; }
.floor { stroke-dasharray: 5 4; }
.label { font-size: 11.5px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
.strong { font-weight: 700; }
"""


@dataclass(frozen=True)
class Series:
    """One contestant's points: MB, seconds, MB of memory."""

    name: str
    colour: str
    points: list[tuple[float, float, float]]

    @property
    def style(self) -> str:
        """The classes of its line."""
        own = " own" if self.name.startswith(OWN) else ""
        return f"line{own}{' floor' if self.name == FLOOR else ''}"


@dataclass
class Label:
    """A name at the end of a line."""

    x: float
    y: float
    series: Series


class Panel:
    """One pair of axes.

    Args:
        left: where it begins.
        column: what it shows, as the place in a point.
        series: what is drawn, the last on top.
    """

    def __init__(self, left: float, column: int, series: list[Series]) -> None:
        self._left = left
        self._column = column
        self._series = series
        sizes = [point[0] for each in series for point in each.points]
        values = [point[column] for each in series for point in each.points]
        self._sizes = min(sizes) / 1.15, max(sizes) * 1.15
        self._values = min(values) / 1.4, max(values) * 1.4

    def draw(self, title: str, unit: str) -> Iterator[str]:
        """The elements of the panel."""
        right = self._left + PANEL
        yield _text(self._left, TOP - 18, title, "title")
        for value in _ticks(*self._values):
            y = self._y(value)
            yield f'<path class="grid" d="M{self._left} {y:.1f}H{right}"/>'
            yield _text(self._left - 6, y + 4, _number(value), "soft", "end")
        for value in _ticks(*self._sizes):
            x = self._x(value)
            yield f'<path class="grid" d="M{x:.1f} {TOP}V{BOTTOM}"/>'
            yield _text(x, BOTTOM + 18, _number(value), "soft", "middle")
        yield _text(self._left + PANEL / 2, BOTTOM + 38, "MB of input", "soft", "middle")
        yield _text(self._left - 6, TOP - 4, unit, "soft", "end")
        for each in self._series:
            yield from self._line(each)
        for label in self._labels():
            strong = " strong" if label.series.name.startswith(OWN) else ""
            colour = f' style="fill:var(--{label.series.colour})"'
            yield _text(label.x, label.y, label.series.name, f"label{strong}", "start", colour)

    def _line(self, series: Series) -> Iterator[str]:
        places = [(self._x(point[0]), self._y(point[self._column])) for point in series.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        colour = f"var(--{series.colour})"
        yield f'<path class="{series.style}" style="stroke:{colour}" d="M{path}"/>'
        for (x, y), point in zip(places, series.points, strict=True):
            tip = f"{series.name}: {point[0]:.1f} MB, {point[1]:.2f} s, {point[2]:.0f} MB memory"
            yield (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill:{colour}">'
                f"<title>{escape(tip)}</title></circle>"
            )

    def _labels(self) -> list[Label]:
        """Names beside the last points, moved apart where they would stand on each other."""
        labels = []
        for each in self._series:
            size, *_ = each.points[-1]
            y = self._y(each.points[-1][self._column]) + 4
            labels.append(Label(self._x(size) + 7, y, each))
        for _ in range(200):
            labels.sort(key=lambda label: label.y)
            for upper, lower in _neighbours(labels):
                push = (LINE - (lower.y - upper.y)) / 2
                upper.y -= push
                lower.y += push
        return labels

    def _x(self, size: float) -> float:
        low, high = map(math.log, self._sizes)
        return self._left + PANEL * (math.log(size) - low) / (high - low)

    def _y(self, value: float) -> float:
        low, high = map(math.log, self._values)
        return BOTTOM - (BOTTOM - TOP) * (math.log(value) - low) / (high - low)


def chart(record: dict[str, Any]) -> str:
    """The SVG of a record."""
    series = _series(record)
    drawn = [
        *Panel(LEFT, 1, series).draw("Time", "s"),
        *Panel(LEFT + PANEL + GAP, 2, series).draw("Peak memory", "MB"),
    ]
    machine = record["machine"]
    note = (
        f"{record['input']['name']} made smaller and larger; {machine['cpu']}, "
        f"{machine['cores']} cores; {record['date'][:10]}, commit {record['commit'][:7]}. "
        "Slow ones were stopped early."
    )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'aria-label="Time and peak memory against the size of the input">',
            f"<style>{STYLE}</style>",
            *drawn,
            _text(LEFT - 40, HEIGHT - 10, note, "soft label"),
            "</svg>\n",
        )
    )


def _series(record: dict[str, Any]) -> list[Series]:
    """The contestants of a record, this program last and so on top."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for point in record["points"]:
        if point["kind"] == "grown":
            middle = point["median"]
            row = (point["bytes"] / 1e6, middle["wall"], middle["peak_mb"])
            found.setdefault(point["name"], []).append(row)
    own = [name for name in found if name.startswith(OWN)]
    peers = [name for name in found if name not in {FLOOR, *own}]
    colours = {
        FLOOR: "floor",
        **{name: f"p{number % 7}" for number, name in enumerate(peers)},
        **dict(zip(own, ("own", "own2"), strict=False)),
    }
    return [Series(name, colours[name], sorted(found[name])) for name in colours]


def _neighbours(labels: list[Label]) -> Iterator[tuple[Label, Label]]:
    """Pairs that overlap, the upper one first."""
    for place, upper in enumerate(labels):
        for lower in labels[place + 1 :]:
            wide = 7 * max(len(upper.series.name), len(lower.series.name))
            if abs(upper.x - lower.x) < wide and lower.y - upper.y < LINE - 0.01:
                yield upper, lower


def _ticks(low: float, high: float) -> Iterator[float]:
    for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high))):
        yield from (value for value in (10.0**exponent, 3 * 10.0**exponent) if low <= value <= high)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _text(x: float, y: float, text: str, style: str, anchor: str = "start", more: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}"'
    return f"<text {place}{more}>{escape(text)}</text>"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path, metavar="RECORD")
    parser.add_argument("target", type=Path, metavar="CHART")
    args = parser.parse_args()
    record = json.loads(args.record.read_text(encoding="utf-8"))
    args.target.write_text(chart(record), encoding="utf-8")


if __name__ == "__main__":
    main()
