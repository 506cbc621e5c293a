"""Writes docs/flags.md from the commands themselves: .venv/bin/python docs/flags.py"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from dedup.cli import _parser
from dedup.config import Config, flag_of

HEAD = """\
# Every command and flag

Written by `docs/flags.py` from the program itself; a test fails when it is not up to date.
Settings are also fields of `dedup.Config`, arguments of `dedup.clean(...)` by name (with `_` for
`-`), and lines of a TOML file (`--config`).
"""


def commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The commands of a parser, and theirs."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                if not any(isinstance(a, argparse._SubParsersAction) for a in one._actions):
                    yield one.prog, one
                yield from commands(one)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(value: Any) -> str:
    if value in ("", ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(setting: Any) -> str:
    meta = setting.metadata
    if meta["choices"]:
        return ", ".join(f"`{choice}`" for choice in meta["choices"])
    if meta["low"] is not None:
        return f"{meta['low']} to {meta['high']}"
    return f"`{meta['metavar']}`" if meta["metavar"] else "yes or no"


def settings() -> str:
    """The settings as a table."""
    rows = ["| setting | default | allowed | what it does |", "|---|---|---|---|"]
    for setting in fields(Config):
        names = [flag_of(setting.name), *filter(None, [setting.metadata["alias"]])]
        flags = ", ".join(f"`{name}`" for name in names)
        cells = (flags, _default(setting.default), _allowed(setting), setting.metadata["help"])
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(rows)


def arguments(parser: argparse.ArgumentParser, shared: set[str]) -> str:
    """What a command takes besides the settings, as a table."""
    rows = ["| argument | what it does |", "|---|---|"]
    for action in parser._actions:
        if set(action.option_strings) & (shared | {"--help"}):
            continue
        name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        if action.option_strings and action.metavar:
            name += f" {action.metavar}"
        help_ = (action.help or "").replace("%%", "%")
        rows.append(f"| `{_cell(name)}` | {_cell(help_)} |")
    return "\n".join(rows)


def page() -> str:
    """The whole page."""
    shared = {flag_of(setting.name) for setting in fields(Config)}
    parts = [HEAD]
    for name, parser in commands(_parser()):
        has_settings = any(set(a.option_strings) & shared & {"--threshold"}
                           for a in parser._actions)  # fmt: skip
        hidden = shared if has_settings else set()
        parts.append(f"## {name}\n\n{_cell(parser.description or '')}\n\n"
                     f"{arguments(parser, hidden)}\n")  # fmt: skip
        if has_settings:
            parts.append("And the settings below.\n")
    parts.append(f"## Settings\n\n{settings()}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
