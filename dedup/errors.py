"""What can go wrong, told in one line each.

    DedupError            anything the program reports instead of a traceback
    |-- ConfigError       a setting that cannot be
    |-- InputError        an input that cannot be read at all
    |   `-- NothingRead   inputs without a single record
    |-- RecordError       one record that cannot be read; the run may go on without it
    |-- IndexFileError    an index that cannot be used
    |   `-- UncertainCommit  one of which it is not known whether it remembers the run
    |-- GuardError        a run that was about to take more than it was allowed to
    |-- OwnError          a run whose output would not be what was promised
    `-- RestoreError      records that cannot be restored, while others were

Every message names the place, the rule, the value seen and what to try.
"""

from __future__ import annotations

import re


class DedupError(Exception):
    """Base of all errors that the program reports in one line (exit code 2)."""


class ConfigError(DedupError):
    """A setting has a value that cannot be."""


class InputError(DedupError):
    """An input, or the output, cannot be opened, read or written at all."""


class RecordError(DedupError):
    """One record cannot be read.

    Attributes:
        file: name of the input file as given.
        line: 1-based line in it.
        rule: what is wrong, in a few words, with the value seen.
    """

    def __init__(self, file: str, line: int, rule: str) -> None:
        super().__init__(f"{file}:{line}: {rule}")
        self.file = file
        self.line = line
        self.rule = rule


class InterruptedLate(KeyboardInterrupt):
    """A request to end that came when all was written already."""

    def __str__(self) -> str:
        return "interrupted, when all was written already"


class NothingRead(InputError):
    """There is not one record in the input: nothing can be said about it, and nothing is written.

    Args:
        why: of the first line: file:line, and what is wrong; or of an input without lines.
        lines: how many lines there are that are no records.
    """

    def __init__(self, why: str, lines: int = 0) -> None:
        super().__init__(f"{why}; not one of {lines:,} lines could be read" if lines > 1 else why)


class IndexFileError(DedupError):
    """An index file cannot be used: it is none, or was made with other settings."""


class UncertainCommit(IndexFileError):
    """It is not known whether an index remembers the run: what it wrote must stay."""


class GuardError(DedupError):
    """The run would take more out than it was allowed to; nothing was written."""


class OwnError(DedupError):
    """The run would write what does not give the input back: an error of this program."""


class RestoreError(InputError):
    """Some records cannot be restored; the others were.

    Args:
        wrong: a line for each thing that does not fit: file:line, what is wrong.
        restored: how many records were restored.

    Attributes:
        wrong: see there.
        restored: see there.
    """

    def __init__(self, wrong: list[str], restored: int) -> None:
        more = f" (and {len(wrong) - 1:,} more)" if len(wrong) > 1 else ""
        super().__init__(f"{wrong[0]}{more}; {restored:,} records were restored")
        self.wrong = wrong
        self.restored = restored


_PLAIN = " \u00a0\u200c\u200d"  # not printable to Python, but harmless, and common in names


def one_line(text: str) -> str:
    """A text as one line that a terminal shows and does not obey.

    Names of files, ids and outlets may hold line ends, escapes and marks that turn text around.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _PLAIN or "\ud800" <= c <= "\udfff"
                   else ascii(c)[1:-1] for c in text)  # fmt: skip


def brief(value: object, most: int = 60) -> str:
    """A value as a message shows it: of a long one the beginning."""
    try:
        told = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; lists in lists
        return f"such a {type(value).__name__}"
    return told if len(told) <= most else f"{told[:most]}…"


_NAMED = re.compile(r"\b((?:redis|rediss|unix):/*).*@", re.IGNORECASE | re.DOTALL)
_OPTION = re.compile(r"([?&](?:username|password)=)[^&\s]*", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """A text without what tells who one is in addresses of indexes, which somebody may have given
    where a file is expected.
    """
    return _OPTION.sub(r"\1***", _NAMED.sub(r"\1***@", text))
