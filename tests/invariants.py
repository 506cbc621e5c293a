"""What holds for any input whatsoever: tests and fuzzers ask for the same."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

import dedup
from dedup.config import KINDS, Config
from dedup.formats import open_inputs
from dedup.restore import finished


def holds(path: Path, folder: Path, **settings: Any) -> int | None:
    """Clean a file, whatever is in it, and look at everything that was promised.

    Returns:
        The records in it; None if it was refused, with an error that has a line of its own.
    """
    config = Config(**settings)
    out = folder / "out.jsonl"
    try:
        dedup.clean(path, out, config=config)
    except dedup.DedupError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "\n" not in refused
        assert not out.exists()
        return None
    inputs = open_inputs([path], config)
    for _ in inputs.batches():
        pass
    given = [row for rows in inputs.rows() for row in rows.each()]
    found = list(finished(out, folder / "out.removed.jsonl", config))
    assert [record.text for record in found] == [row.text for row in given], "restore is exact"
    if not any(row.lines for row in given):
        dedup.restore(out, folder / "back.jsonl", config=config)
        back = (folder / "back.jsonl").read_bytes().split(b"\n")[:-1]
        assert list(map(parts, back)) == [parts(row.raw) for row in given], "and whole, in order"
    for row, record in zip(given, found, strict=True):
        inside(row.text, record.removals)
    return len(given)


def parts(line: bytes) -> Any:
    """What a line of JSON says: keys in order, numbers as they were written."""
    return json.loads(line, parse_int=str, parse_float=str, object_pairs_hook=list)


def inside(text: str, removals: Iterable[dict[str, Any]]) -> None:
    """Removals are spans of their record, in order, and say what stands there."""
    at = 0
    for removal in removals:
        start, end = removal["start"], removal["end"]
        assert at <= start < end <= len(text)
        assert text[start:end] == removal["text"]
        assert removal["kind"] in (*KINDS, "blank")
        at = end


def stays_clean(folder: Path, **settings: Any) -> None:
    """What `holds` cleaned has no repetition left that another run would find."""
    again = dedup.clean(folder / "out.jsonl", folder / "again.jsonl", **settings)
    left = [row for row in again.removals if row["kind"] == "duplicate"]
    assert not left, orjson.dumps(left).decode()
