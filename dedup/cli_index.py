"""The commands that look after an index: `dedup index info|review|export|check|prune|merge`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from dedup.errors import ConfigError, IndexFileError, one_line
from dedup.standard import say, tell


def add(commands: Any) -> None:
    """Add `index` and its commands to a parser's."""
    index = commands.add_parser(
        "index",
        help="look after an index: what it holds, what is old, what went wrong",
        description="Look after an index that 'dedup clean --index DB' made.",
    )
    kinds = index.add_subparsers(required=True, metavar="WHAT")
    for name, run, text in (
        ("info", _info, "how much it holds, since when, made with which settings"),
        ("review", _review, "blocks that stayed and were later found to be page residue"),
        ("export", _export, "every record it knows, as JSON lines"),
        ("check", _check, "look for damage; exit with 1 when there is any"),
        ("prune", _prune, "forget what was not seen for long"),
        ("merge", _merge, "add what another index holds"),
    ):
        one = kinds.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        one.add_argument("index", metavar="DB", help="the index")
        one.set_defaults(run=run)
        if name == "prune":
            one.add_argument(
                "--older-than", required=True, metavar="AGE", help="such as 90d, 12h or 8w"
            )
            one.add_argument(
                "--source", action="append", default=[], metavar="NAME",
                help="of this outlet only, whose pages look different now; may be repeated",
            )  # fmt: skip
        if name == "merge":
            one.add_argument("other", metavar="OTHER", help="the index that is added")


def _info(arguments: argparse.Namespace) -> int:
    from dedup.index.care import info  # noqa: PLC0415

    told = info(_open(arguments.index))
    settings = ", ".join(f"{name} {one_line(value)}" for name, value in told["settings"].items())
    size = f"{told['bytes'] / 1e6:,.1f} MB"
    if told["bytes_per_block"]:
        size += f", {told['bytes_per_block']:.0f} bytes a block"
    lines = [
        f"index    {told['path']}: {size}",
        f"holds    {told['records']:,} records, {told['blocks']:,} blocks",
    ]
    if told["runs"]:
        lines.append(f"runs     {told['runs']:,}, {told['first_run']} to {told['last_run']}")
    lines.append(f"made     with {settings}")
    for name, records in sorted(told["sources"].items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"source   {records:>9,}  {one_line(name)}")
    say("\n".join((*lines, "")))
    return 0


def _review(arguments: argparse.Namespace) -> int:
    from dedup.index.care import review  # noqa: PLC0415

    _write(review(_open(arguments.index)))
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from dedup.index.care import export  # noqa: PLC0415

    _write(export(_open(arguments.index)))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from dedup.index.care import check  # noqa: PLC0415

    wrong = check(_open(arguments.index))
    lines = [f"{arguments.index}: {line}\n" for line in wrong or ("no damage found",)]
    if sys.stdout is not None:  # the exit code says the most of it
        say("".join(lines))
    return int(bool(wrong))


def _prune(arguments: argparse.Namespace) -> int:
    from dedup.index.care import prune, seconds  # noqa: PLC0415

    age = seconds(arguments.older_than)
    gone = prune(_open(arguments.index), age, arguments.source)
    tell(f"forgot {gone:,} records")
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    from dedup.index.care import merge  # noqa: PLC0415

    added = merge(_open(arguments.index), _open(arguments.other))
    tell(f"added {added:,} records")
    return 0


def _open(path: str) -> Any:
    from dedup.index.address import is_shared, shown  # noqa: PLC0415
    from dedup.index.store import Store  # noqa: PLC0415

    if not path:
        raise ConfigError("DB: the name is empty; name the file of an index, such as news.db")
    if is_shared(path):
        raise IndexFileError(f"{shown(path)}: is on a server; only index files are looked after")
    return Store(path, None, must_exist=True)


def _write(rows: Iterable[Any]) -> None:
    import orjson  # noqa: PLC0415

    from dedup.formats.outputs import StandardOutput  # noqa: PLC0415

    out = StandardOutput()
    for row in rows:
        out.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    out.flush()
