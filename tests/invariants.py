"""What holds for any input whatsoever: tests and fuzzers ask for the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

import dedup
from dedup.config import KINDS, Config
from dedup.errors import NothingRead
from dedup.finished import BLANK, FinishedRun
from dedup.formats import open_inputs
from dedup.formats.row import Rows


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
        nothing = isinstance(error, NothingRead)
    else:
        refused = ""
    if refused:
        assert "\n" not in refused
        assert not out.exists()
        return 0 if nothing else None
    inputs = open_inputs([path], config)
    for _ in inputs.batches():
        pass
    given = [row for rows in inputs.rows() for row in rows.each()]
    found = list(FinishedRun(out, folder / "out.removed.jsonl", config))
    assert [record.text for record in found] == [row.text for row in given], "restore is exact"
    if not any(row.lines for row in given):
        dedup.restore(out, folder / "back.jsonl", config=config)
        back = (folder / "back.jsonl").read_bytes().removesuffix(b"\n").split(b"\n")
        as_they_came = [line for rows in inputs.rows() for line in lines_of(rows)]
        assert [line.strip(BLANK) for line in back] == (as_they_came or [b""]), (
            "and whole, in order"
        )
    for row, record in zip(given, found, strict=True):
        inside(row.text, record.removals)
    return len(given)


def lines_of(rows: Rows) -> Iterator[bytes]:
    """Lines as they came, without the white space around them."""
    for at, row in enumerate(rows.each()):
        told = json.loads(rows.original[at]) if rows.original else None
        if told is None:
            yield row.raw
        elif told["at"] is None:
            yield told["line"].encode()
        else:
            text = rows.data[rows.text_start[at] : rows.text_end[at]].decode()
            yield (told["line"][: told["at"]] + text + told["line"][told["at"] :]).encode()


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
    if not (folder / "out.jsonl").exists() or not (folder / "out.jsonl").stat().st_size:
        return
    again = dedup.clean(folder / "out.jsonl", folder / "again.jsonl", **settings)
    left = [row for row in again.removals if row["kind"] == "duplicate"]
    assert not left, orjson.dumps(left).decode()
