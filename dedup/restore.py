"""Putting back what was removed: the original records, to the character."""

from __future__ import annotations

import os
from pathlib import Path

from dedup.config import Config
from dedup.errors import RestoreError
from dedup.finished import FinishedRun
from dedup.formats import Outputs
from dedup.formats.outputs import sibling
from dedup.formats.written import types_of
from dedup.records import names_of


def restore(
    cleaned: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    removed: str | os.PathLike[str] | None = None,
    force: bool = False,
    config: Config | None = None,
) -> int:
    """Write the records as they were before `clean`, in input order.

    The lines are those of the input, byte for byte: white space, line ends and a field `dedup` of
    their own come back. Lines that are no records (blank ones, those in OUT.rejected.jsonl) and a
    byte order mark do not.

    Args:
        cleaned: what `clean` wrote; its removals and dropped records are found beside it.
        out: where the records go; "-" or None for standard output.
        removed: the removals, if they are not beside `cleaned`.
        force: replace `out` though it holds no records.
        config: `text_field` and `id_field`, when `clean` was told them.

    Returns:
        The number of records.

    Raises:
        RestoreError: some records cannot be restored; the others were written.
        InputError: a file is missing, the files are not of one run, or nothing can be restored.
    """
    clean_path = Path(cleaned)
    removed_path = Path(removed) if removed is not None else sibling(clean_path, "removed")
    config = config or Config()
    run = FinishedRun(clean_path, removed_path, config)
    outputs = Outputs("-" if out is None else os.fspath(out))
    outputs.texts = names_of("text", config)
    outputs.paths = {name: path for name, path in outputs.paths.items() if name == "clean"}
    outputs.roles["clean"] = "restored"
    outputs.schema = types_of(clean_path) if outputs.keeps_types() else None
    outputs.check([clean_path, removed_path, run.dropped], force=force)
    count = 0
    with outputs:
        for record in run:
            outputs.write("clean", record.original())
            count += 1
        if run.wrong and not count:
            raise RestoreError(run.wrong, count)
    if run.wrong:
        raise RestoreError(run.wrong, count)
    return count
