"""The report: one HTML file that asks nothing of a network and runs nothing of the data's."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import fields
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from dedup import __version__
from dedup.config import Config, flag_of
from dedup.records import KINDS, Counts
from dedup.report.sights import BINS, Sights

SOURCES = 40  # outlets in the chart; the others are summed up
MOST = 4_900_000  # bytes of a page; less is shown rather than more
UNTOLD = ("workers", "memory", "overrides")  # settings that change nothing, or are told elsewhere

# What turns text around, hides in it or rings a bell; it is shown as its code point instead.
_UNSEEN = {
    point: Markup('<span class="unseen">U+{:04X}</span>').format(point)
    for points in (
        (*range(0x20), *range(0x7F, 0xA0)),
        (0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2028, 0x202A)),
        (*range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080)),
    )
    for point in points
    if point not in (0x09, 0x0A)
}


def shown(text: str) -> Markup:
    """Text as markup: escaped, with what cannot be seen made visible."""
    return Markup(str(escape(text)).translate(_UNSEEN))


def render(counts: Counts, sights: Sights, config: Config, run_id: str | None = None) -> bytes:
    """The report as an HTML file; where that would be large, of a part of what there is to show.

    Args:
        counts: of the run.
        sights: what to show.
        config: of the run.
        run_id: what all its files have in common.
    """
    page = _render(counts, sights, config, run_id)
    while len(page) > MOST and sights != sights.fewer():
        sights = sights.fewer()
        page = _render(counts, sights, config, run_id)
    return page


def _render(counts: Counts, sights: Sights, config: Config, run_id: str | None) -> bytes:
    style, script = (_asset(name) for name in ("report.css", "report.js"))
    page = _environment().get_template("report.html")
    return page.render(
        version=__version__,
        run_id=run_id,
        counts=counts,
        sights=sights,
        config=config,
        kinds=KINDS,
        sources=_sources(counts, sights),
        names=sights.shown_sources(),
        bins=BINS,
        settings=_settings(config),
        style=Markup(style),
        script=Markup(script),
        policy=(
            f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        ),
    ).encode()


def marked(text: str, tag: str) -> Markup:
    """Words in an element, without the white space around them."""
    words = text.strip()
    before, _, after = text.partition(words) if words else (text, "", "")
    inside = Markup("<{0}>{1}</{0}>").format(Markup(tag), shown(words)) if words else ""
    return Markup("{}{}{}").format(shown(before), inside, shown(after))


def _settings(config: Config) -> str:
    """The settings that are not at their defaults, as flags."""
    told = []
    for setting in fields(Config):
        value = getattr(config, setting.name)
        if value != setting.default and setting.name not in UNTOLD:
            values = value if isinstance(value, tuple) else [value]
            told += [f"{flag_of(setting.name)} {one}" for one in values]
    return " ".join(told)


def _sources(counts: Counts, sights: Sights) -> list[dict[str, Any]]:
    """The outlets of the chart: name, blocks, what went in all and by kind."""
    ranked = sorted(counts.sources, key=lambda name: (-counts.sources[name][0], name))
    rows = []
    for names in [[name] for name in ranked[:SOURCES]] + [ranked[SOURCES:]]:
        kinds = [(kind, sum(sights.matrix[name].get(kind, 0) for name in names)) for kind in KINDS]
        if names:
            rows.append(
                {
                    "name": names[0] if len(names) == 1 else f"{len(names):,} more",
                    "blocks": sum(counts.sources[name][0] for name in names),
                    "gone": sum(n for _, n in kinds),
                    "kinds": [(kind, n) for kind, n in kinds if n],
                }
            )
    return rows


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dedup.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = shown
    environment.filters["marked"] = marked
    environment.filters["n"] = "{:,}".format
    return environment


@lru_cache(maxsize=2)
def _asset(name: str) -> str:
    return (resources.files("dedup.report") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
