"""Standard input, output and error, of which any may be closed, full, or read by nobody."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def hold_places() -> None:
    """Have no file that is opened take the place of one that is closed: whoever writes to its
    number (a library, a child) would write into that file.

    Where standard error is closed, what is told goes nowhere, and not to standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - to the end


def tell(*lines: str) -> None:
    """Write lines to standard error; nothing fails because nobody reads them."""
    with suppress(OSError, ValueError):
        print(*(f"{line}\n" for line in lines), sep="", end="", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Write text to standard output, in UTF-8.

    Raises:
        InputError: it is closed, or the disk is full.
    """
    from dedup.formats.outputs import StandardOutput  # noqa: PLC0415 - takes time

    out = StandardOutput("send it to a file, or to another program")
    out.write(text.encode(errors="backslashreplace"))
    out.flush()


def let_go() -> None:
    """Keep Python from complaining at exit of what standard output does not take."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
