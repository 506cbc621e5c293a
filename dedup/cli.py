"""The command line. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NoReturn

from dedup import __version__, cli_index, standard
from dedup.config import Config, flag_of
from dedup.errors import (
    ConfigError,
    DedupError,
    InputError,
    RestoreError,
    brief,
    one_line,
    without_secrets,
)
from dedup.standard import tell

if TYPE_CHECKING:
    from dedup.result import Result

WAITING = "waiting for the index"
FILES = ("removed", "stats", "explain_kept", "report", "spans", "attributes")  # outputs besides OUT
SHOWN = 20  # lines about records that cannot be restored
LONGEST = 500  # characters of what is said of arguments
COMPILING = "dedup: compiling for this machine, once; later runs start at once"

EXAMPLES = """\
examples:
  dedup clean dump.jsonl -o clean.jsonl          files, folders, globs, or - for standard input
  dedup clean 'scraped/*.jsonl.gz' -o clean.jsonl --keep longest
  dedup clean dump.txt -o clean.jsonl --dry-run  look before anything is written
  dedup clean today.jsonl --index news.db -o clean.jsonl   against all that was seen before
  scraper | dedup clean - --stream --index news.db -o - | next
  dedup explain clean.jsonl ID                   why is this paragraph gone?
  dedup check clean.jsonl                        exit with 1 when there is anything to clean
  dedup compare test.jsonl train.jsonl           what of the test set stands in the training set
  dedup restore clean.jsonl -o original.jsonl    nothing is ever lost
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    0: done; 1: `check` found something; 2: usage, configuration or input error, or `check` found
    nothing in what could be read and could not read all.
    """
    standard.hold_places()
    signal.signal(signal.SIGTERM, _stop)
    gc.set_threshold(200_000, 20, 20)  # there are many objects, hardly any of them in cycles
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy would start threads for nothing
    try:
        arguments = _parser().parse_args(argv)
        _see_names(arguments)
        code: int = arguments.run(arguments)
        return code
    except DedupError as error:
        return _wrong(str(error))
    except BrokenPipeError:  # whoever read our output has enough
        return 0
    except OSError as error:
        return _wrong(f"{error.filename or 'temporary files'}: {error.strerror or error}")
    except MemoryError:
        return _wrong("out of memory; try --memory, or a part of the input")
    except KeyboardInterrupt as late:
        said = str(late) or "interrupted; nothing was written"
        tell(f"dedup: {said}")
        return 130
    finally:
        standard.let_go()


def _see_names(arguments: argparse.Namespace) -> None:
    """Refuse empty names: as a rule, a variable of the shell is not set."""
    for name in ("inputs", "cleaned", "one", "id"):
        value = getattr(arguments, name, None)
        if value == "" or (isinstance(value, list) and "" in value):
            raise ConfigError("an argument is empty; name a file (is a variable not set?)")
    for name in ("out", *FILES, "config", "overrides", "why"):
        if getattr(arguments, name, None) == "":
            raise ConfigError(
                f"{flag_of(name)}: is empty; give it a value (is a variable not set?), or leave "
                "it out"
            )


def _wrong(what: str) -> int:
    tell(f"dedup: {one_line(without_secrets(what))}")
    return 2


def _stop(number: int, frame: object) -> None:
    """A request to end ends the run as an interrupt does: no half files stay behind."""
    raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong with the arguments; one of them may be an address with a
        password.
        """
        told = one_line(without_secrets(message))
        told = told if len(told) <= LONGEST else f"{told[:LONGEST]}…"
        tell(f"dedup: {told}; see {self.prog} --help")
        self.exit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dedup",
        description="Clean dumps of scraped Arabic news: each thing said once, nothing else lost.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dedup {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    clean = commands.add_parser(
        "clean",
        help="remove repetitions and page residue, and record every removal",
        description="Clean dumps: JSON lines, JSON, CSV, Parquet, web pages and crawls, raw text; "
        "plain, compressed or in archives; files, folders, globs, or - for standard input.",
    )
    clean.add_argument("inputs", nargs="+", metavar="IN", help="file, folder, glob, or -")
    clean.add_argument("-o", "--out", metavar="OUT", help="cleaned records; - for standard output")
    clean.add_argument("--removed", metavar="PATH", help="removals; by default OUT.removed.jsonl")
    clean.add_argument("--stats", metavar="PATH", help="write all counts as JSON")
    clean.add_argument(
        "--index", metavar="DB", help="remember what was seen, and know what earlier runs saw"
    )
    clean.add_argument(
        "--stream",
        action="store_true",
        help="clean JSON lines of standard input as they come, and write each out before long",
    )
    clean.add_argument(
        "--explain-kept", metavar="PATH", help="write suspicious lines that stay, with the numbers"
    )
    clean.add_argument("--report", metavar="PATH.html", help="a page to look at what went, and why")
    clean.add_argument(
        "--attributes", metavar="DIR", help="write Dolma attributes, a file for each input"
    )
    clean.add_argument(
        "--spans", metavar="PATH", help="write every record with what goes as spans, for Prodigy"
    )
    clean.add_argument(
        "--force", action="store_true", help="replace files that dedup did not write"
    )
    clean.add_argument("--dry-run", action="store_true", help="only tell what would be done")
    _add_verbosity(clean)
    _add_settings(clean)
    clean.set_defaults(run=_clean)

    restore = commands.add_parser(
        "restore",
        help="put the removed spans back: the original records, to the character",
        description="Restore what 'dedup clean' was given, from what it wrote.",
    )
    restore.add_argument("cleaned", metavar="CLEAN", help="what 'dedup clean' wrote")
    restore.add_argument("-o", "--out", metavar="OUT", default="-", help="by default -")
    restore.add_argument("--removed", metavar="PATH", help="removals, if not beside CLEAN")
    restore.add_argument("--text-field", default="", metavar="NAME", help="as 'dedup clean' had it")
    restore.add_argument("--id-field", default="", metavar="NAME", help="as 'dedup clean' had it")
    restore.add_argument(
        "--force", action="store_true", help="replace OUT though it holds no records"
    )
    restore.add_argument("-q", "--quiet", action="store_true", help="no summary")
    restore.set_defaults(run=_restore)
    cli_index.add(commands)
    _add_explain(commands)
    _add_check(commands)
    _add_compare(commands)
    return parser


def _add_explain(commands: Any) -> None:
    explain = commands.add_parser(
        "explain",
        help="why is this paragraph gone? each paragraph of a record, and the evidence in words",
        description="Tell, from the files that 'dedup clean' wrote, what became of a record.",
    )
    explain.add_argument("cleaned", metavar="CLEAN", help="what 'dedup clean' wrote")
    explain.add_argument("id", nargs="?", metavar="ID", help="id of a record")
    explain.add_argument("--block", type=_int, metavar="N", help="only its paragraph N, from 1")
    explain.add_argument(
        "--why", metavar="TEXT", help="paragraphs with these words, in any spelling"
    )
    explain.add_argument("--removed", metavar="PATH", help="removals, if not beside CLEAN")
    explain.add_argument("--text-field", default="", metavar="NAME", help="as 'dedup clean' had it")
    explain.add_argument("--id-field", default="", metavar="NAME", help="as 'dedup clean' had it")
    explain.set_defaults(run=_explain)


def _add_check(commands: Any) -> None:
    check = commands.add_parser(
        "check",
        help="exit with 1 when there is anything to clean; writes nothing",
        description="Tell what 'dedup clean' would remove. Exit code 1 when there is anything, 2 "
        "when there is not, but some lines could not be read.",
    )
    check.add_argument("inputs", nargs="+", metavar="IN", help="file, folder, glob, or -")
    check.add_argument("--exit-zero", action="store_true", help="exit with 0 all the same")
    check.add_argument("--json", action="store_true", help="the verdict as JSON")
    check.add_argument(
        "--show", type=_int, default=20, metavar="N", help="findings at most (default: 20)"
    )
    _add_verbosity(check)
    _add_settings(check)
    check.set_defaults(run=_check)


def _add_compare(commands: Any) -> None:
    compare = commands.add_parser(
        "compare",
        help="what records of A say that stands in B: contamination, or two crawls",
        description="Look for the paragraphs of A in B; page residue does not count.",
    )
    compare.add_argument("one", metavar="A", help="file, folder or glob, such as the test set")
    compare.add_argument("other", metavar="B", help="the same, such as the training set")
    compare.add_argument("--json", action="store_true", help="all that was found as JSON")
    _add_verbosity(compare)
    _add_settings(compare)
    compare.set_defaults(run=_compare)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE.toml", help="settings in a file; flags come before it"
    )
    settings = parser.add_argument_group("settings")
    for setting in fields(Config):
        _add_setting(settings, setting.name, setting.default, dict(setting.metadata))


def _add_verbosity(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-q", "--quiet", action="store_true", help="no progress, no summary")
    how.add_argument("-v", "--verbose", action="store_true", help="say more")


def _add_setting(group: Any, name: str, default: Any, meta: dict[str, Any]) -> None:
    """A flag for a setting. One that is not given stays unsaid, so that a file may say it."""
    text = meta["help"].replace("%", "%%")
    flags = [flag_of(name), *filter(None, [meta["alias"]])]
    if isinstance(default, bool):
        group.add_argument(
            *flags, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text
        )
        return
    many, how = default == (), type(default)
    shown = " (may be given several times)" if many else f" (default: {default})"
    group.add_argument(
        *flags,
        type=str if many else _word if meta["choices"] else _int if how is int else how,
        action="append" if many else "store",
        choices=meta["choices"] or None,
        default=argparse.SUPPRESS,
        metavar=meta["metavar"] or None,
        help=text + (shown if default != "" else ""),
    )


def _int(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{brief(value)} is no whole number") from None


def _word(value: str) -> str:
    """'keep-first' is 'first'."""
    return value.removeprefix("keep-")


def _config(arguments: argparse.Namespace) -> Config:
    given = {
        setting.name: getattr(arguments, setting.name)
        for setting in fields(Config)
        if hasattr(arguments, setting.name)
    }
    if not arguments.config:
        return Config.of(given)
    from dedup.settings import config_of  # noqa: PLC0415

    return config_of(arguments.config, **given)


def _clean(arguments: argparse.Namespace) -> int:
    alone = arguments.report or arguments.spans or arguments.attributes
    if not (arguments.out or arguments.dry_run or alone):
        raise InputError("say where to write: -o OUT.jsonl (or look first with --dry-run)")
    config = _config(arguments)
    if arguments.stream:
        return _stream(arguments, config)
    begun = time.monotonic()
    quiet = arguments.quiet
    from dedup.clean import clean  # noqa: PLC0415
    from dedup.engines import memory  # noqa: PLC0415
    from dedup.report import summary  # noqa: PLC0415

    memory.share()
    _warm_up(quiet)
    with _Bar(quiet) as bar:
        files = dict.fromkeys(FILES)
        if not arguments.dry_run:
            files = {name: getattr(arguments, name) for name in files}
        result = clean(
            arguments.inputs,
            None if arguments.dry_run else arguments.out,
            **files,
            index=arguments.index,
            discard=arguments.dry_run or not arguments.out,
            force=arguments.force,
            spared=[arguments.config] if arguments.config else [],
            config=config,
            progress=bar.tell,
        )
    if not quiet:
        seconds = time.monotonic() - begun
        tell(summary.summary(result.counts, result.fields, result.paths, seconds))
        _say_more(arguments, result)
    else:
        tell(*summary.warnings(result.counts))
    if not arguments.dry_run:
        _tell_unkept(arguments)
    return 0


def _warm_up(quiet: bool) -> None:
    from dedup.clean import is_warm, warm_up  # noqa: PLC0415
    from dedup.engines import kept  # noqa: PLC0415

    if not quiet and not is_warm() and kept.can_keep():
        tell(COMPILING)
    warm_up()


def _stream(arguments: argparse.Namespace, config: Config) -> int:
    if arguments.inputs != ["-"] or arguments.out != "-" or arguments.dry_run:
        raise InputError("--stream cleans standard input to standard output: dedup clean - -o -")
    if any(getattr(arguments, name) for name in FILES if name != "removed"):
        raise InputError("--stream writes nothing but records and --removed; all else needs a run")
    if sys.stdin is None:
        raise InputError("standard input: is closed; pipe JSON lines into it")
    begun = time.monotonic()
    from dedup.clean import files_of, nothing_read  # noqa: PLC0415
    from dedup.formats.outputs import StandardOutput  # noqa: PLC0415
    from dedup.report import summary  # noqa: PLC0415
    from dedup.stream import Cleaner, clean_stream  # noqa: PLC0415

    _warm_up(quiet=True)
    with Cleaner(arguments.index, config) as cleaner:
        settings = filter(None, (arguments.config, config.overrides))
        clean_stream(
            sys.stdin.buffer,
            cleaner,
            StandardOutput(),
            arguments.removed,
            force=arguments.force,
            spared=[*files_of(arguments.index), *settings],
            begin=lambda: _tell_unkept(arguments),
        )
    if not arguments.quiet:
        seconds = time.monotonic() - begun
        tell(summary.summary(cleaner.counts, {}, {}, seconds))
    if cleaner.counts.rejected and not cleaner.counts.records:
        raise nothing_read(cleaner.counts)
    return 0


def _tell_unkept(arguments: argparse.Namespace) -> None:
    """A warning that passes --quiet: what goes cannot come back."""
    if arguments.out == "-" and not arguments.removed:
        tell("WARNING  no record of removals is kept, and nothing can be restored; name a file "
             "with --removed PATH")  # fmt: skip


def _say_more(arguments: argparse.Namespace, result: Result) -> None:
    if arguments.dry_run:
        tell("dry run  nothing was written")
    if arguments.verbose:
        for place in list(result.groups)[:20]:
            id_, start, end, _ = place[0]
            tell(f"group    {len(place)} x {one_line(id_)} [{start}:{end}]")


def _restore(arguments: argparse.Namespace) -> int:
    from dedup.restore import restore  # noqa: PLC0415

    wrong: list[str] = []
    try:
        count = restore(
            arguments.cleaned,
            arguments.out,
            removed=arguments.removed,
            force=arguments.force,
            config=Config(text_field=arguments.text_field, id_field=arguments.id_field),
        )
    except RestoreError as error:
        wrong, count = error.wrong, error.restored
    for line in wrong[:SHOWN]:
        tell(f"dedup: {one_line(line)}")
    if len(wrong) > SHOWN:
        tell(f"dedup: {len(wrong) - SHOWN:,} more that do not fit")
    if not arguments.quiet:
        tell(f"restored {count:,} records")
    return 2 if wrong else 0


def _explain(arguments: argparse.Namespace) -> int:
    from dedup.report.explain import explain  # noqa: PLC0415

    told = explain(
        arguments.cleaned,
        arguments.id,
        why=arguments.why,
        block=arguments.block,
        removed=arguments.removed,
        config=Config(text_field=arguments.text_field, id_field=arguments.id_field),
    )
    standard.say(told)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    config = _config(arguments)
    import json  # noqa: PLC0415

    from dedup.check import check  # noqa: PLC0415
    from dedup.report import summary  # noqa: PLC0415

    begun = time.monotonic()
    quiet = arguments.quiet
    _warm_up(quiet)
    with _Bar(quiet) as bar:
        found = check(arguments.inputs, most=arguments.show, config=config, progress=bar.tell)
    if not quiet:
        seconds = time.monotonic() - begun
        tell(summary.summary(found.counts, found.fields, {}, seconds))
    else:
        tell(*summary.warnings(found.counts))
    if arguments.json:
        told = json.dumps(found.as_json(), ensure_ascii=False, indent=2)
    else:
        told = summary.findings(found.counts, found.findings)
    if sys.stdout is not None:  # the exit code says the most of it
        standard.say(f"{told}\n")
    if arguments.exit_zero or found.clean:
        return 0
    if found.found:
        return 1
    lines = summary.many(found.counts.rejected, "line")
    return _wrong(f"{found.counts.why_rejected[0]}; {lines} could not be read")


def _compare(arguments: argparse.Namespace) -> int:
    if arguments.one == arguments.other == "-":
        raise InputError("-: standard input is read once; name a file for A or for B")
    config = _config(arguments)
    import json  # noqa: PLC0415

    from dedup.compare import compare  # noqa: PLC0415
    from dedup.report.overlap import overlap  # noqa: PLC0415

    _warm_up(arguments.quiet)
    found = compare(arguments.one, arguments.other, config=config).as_json()
    as_json = arguments.json
    standard.say(
        json.dumps(found, ensure_ascii=False, indent=2) + "\n" if as_json else overlap(found)
    )
    return 0


class _Bar:
    """A progress bar that follows the stages, where there is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self.shown = not quiet and sys.stderr.isatty()
        self._quiet = quiet
        self._bar: Any = None
        self._stage = ""

    def __enter__(self) -> _Bar:
        return self

    def tell(self, stage: str, done: int, total: int) -> None:
        """A stage has come so far."""
        if stage == WAITING and not self._quiet:
            tell("dedup: another run is writing to the index; waiting for it")
        if stage == WAITING or not self.shown:
            return
        if stage != self._stage:
            from tqdm import tqdm  # noqa: PLC0415

            self._close()
            self._stage = stage
            self._bar = tqdm(total=total, desc=stage, unit="B", unit_scale=True, leave=False)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    def __exit__(self, *exception: object) -> None:
        self._close()
