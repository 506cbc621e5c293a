"""Why a paragraph is gone, told from the files of a finished run alone."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dedup.config import Config
from dedup.errors import InputError, brief, one_line
from dedup.finished import Finished, FinishedRun, Struct
from dedup.formats.outputs import sibling
from dedup.records import U32, Strings
from dedup.report.diff import word_diff
from dedup.report.plain import in_words
from dedup.report.summary import many
from dedup.text import lexicon
from dedup.text.arabic import fold
from dedup.text.blocks import scan, token_hashes

SHOWN = 10  # places that a text is found in
TOGETHER = 500  # records whose words are compared at a time
NEAREST = 3  # ids offered for one that is unknown


def explain(
    cleaned: str | os.PathLike[str],
    id_: str | None = None,
    *,
    why: str | None = None,
    block: int | None = None,
    removed: str | os.PathLike[str] | None = None,
    config: Config | None = None,
) -> str:
    """What happened to the paragraphs of a record, or to those that hold some words.

    Args:
        cleaned: what `clean` wrote; its removals and dropped records are found beside it.
        id_: id of the record.
        why: words of a paragraph, in any spelling; instead of an id, or within that record.
        block: number of the one paragraph to tell, from 1.
        removed: the removals, if they are not beside `cleaned`.
        config: `text_field` and `id_field`, when `clean` was told them.

    Returns:
        Lines of text.

    Raises:
        InputError: no such record, paragraph or file.
    """
    path = Path(cleaned)
    if id_ is None and why is None:
        raise InputError('name a record: explain OUT.jsonl ID, or words of it: --why "some words"')
    if block is not None and id_ is None:
        raise InputError("--block: needs the ID of a record before it")
    run = _Run(path, Path(removed) if removed else sibling(path, "removed"), config or Config())
    records = run.named(id_) if id_ is not None else run.saying(why or "")
    if id_ is not None and why and not any(_says(record.text, fold(why)) for record in records):
        raise InputError(
            f"--why: record {id_!r} has no paragraph with the words {why!r}; try fewer"
        )
    matches = run.texts({m["id"] for r in records for x in r.removals if (m := _here(x))})
    if block is not None:
        paragraphs = [len(_paragraphs(record)) for record in records]
        if not 1 <= block <= max(paragraphs):
            raise InputError(f"--block: {brief(block)} is not between 1 and {max(paragraphs)}")
    told = [_told(record, matches, why, block) for record in records[:SHOWN]]
    if len(records) > SHOWN:
        told.append(
            f"and {many(len(records) - SHOWN, 'more record')}; name one by its ID to see it"
        )
    return "\n\n".join(told) + "\n"


class _Run:
    """The files of a finished run."""

    def __init__(self, clean: Path, removed: Path, config: Config) -> None:
        self._path = clean
        self._records = partial(FinishedRun, clean, removed, config)

    def named(self, id_: str) -> list[Finished]:
        """The records of an id: one, as a rule."""
        found, ids = [], []
        for record in self._records():
            ids.append(record.name)
            if record.name == id_:
                found.append(record)
        if not found:
            near = difflib.get_close_matches(id_, ids, NEAREST, 0.5)
            hint = "did you mean" if near else "there are"
            names = ", ".join(map(repr, near or ids[:NEAREST])) or "none"
            raise InputError(f"{self._path}: no record {id_!r}; {hint} {names}")
        return found

    def saying(self, words: str) -> list[Finished]:
        """The records with a paragraph that holds some words; those that lost it first."""
        key = fold(words)
        if not key:
            raise InputError(f"--why: {words!r} has no word in it")
        (wanted,) = token_hashes([words])
        lost: list[Finished] = []
        kept: list[Finished] = []
        records = iter(self._records())
        while batch := list(islice(records, TOGETHER)):
            for record in _holding(batch, wanted):
                if any(_says(removal["text"], key) for removal in record.removals):
                    lost.append(record)
                elif _says(record.text, key):
                    kept.append(record)
        if not lost and not kept:
            raise InputError(
                f"{self._path}: no paragraph has the words {words!r}, kept or gone; try fewer"
            )
        return lost or kept

    def texts(self, ids: set[str]) -> dict[str, str]:
        """The texts of some records before anything went."""
        found: dict[str, str] = {}
        for record in self._records() if ids else ():
            if record.name in ids:
                found.setdefault(record.name, record.text)
        return found


def _holding(records: list[Finished], wanted: U32) -> Iterator[Finished]:
    """Those whose text holds some tokens in a row: quick, for the few that are looked into."""
    for record, tokens in zip(records, token_hashes([r.text for r in records]), strict=True):
        places = tokens.size - wanted.size + 1
        at = np.flatnonzero(tokens[: max(0, places)] == wanted[0])
        if any((tokens[k : k + wanted.size] == wanted).all() for k in at.tolist()):
            yield record


def _says(text: str, key: str) -> bool:
    """Whether a line of a text has the words of a key."""
    return any(f" {key} " in f" {fold(line)} " for line in text.splitlines())


def _paragraphs(record: Finished) -> list[tuple[int, int]]:
    blocks = scan(Strings.of([record.text]), lexicon.load().common).blocks
    return list(zip(blocks.start.tolist(), blocks.end.tolist(), strict=True))


def _here(removal: dict[str, Any]) -> dict[str, Any] | None:
    """What a removal matches, unless an earlier run saw that: then its text is not here."""
    match: dict[str, Any] | None = removal["match"]
    return match if match is not None and "run" not in match else None


def _told(record: Finished, matches: dict[str, str], why: str | None, only: int | None) -> str:
    text, struct = record.text, record.struct
    places = _paragraphs(record)
    lines = [f"record   {one_line(record.name)}", _story(struct), _fate(record, len(places))]
    went = "marked" if struct.spans is not None else "gone"
    key = fold(why or "")
    for number, (start, end) in enumerate(places, 1):
        if (only is not None and number != only) or (key and not _says(text[start:end], key)):
            continue
        gone = [x for x in record.removals if x["start"] < end and x["end"] > start
                and x["kind"] != "blank"]  # fmt: skip
        whole = any(x["start"] <= start and x["end"] >= end for x in gone)
        state = (went if whole else "partly") if gone else "kept"
        lines += ["", f"{number:<3} {state:<6} characters {start}-{end}", *_quoted(text[start:end])]
        for removal in gone:
            lines += _reason(removal, matches, whole)
    return "\n".join(lines)


def _story(struct: Struct) -> str:
    size, leader = struct.story_size, struct.duplicate_of
    if size == 1:
        return "story    told once"
    role = f"a retelling of {one_line(leader)}" if leader else "this version leads it"
    return f"story    {one_line(struct.story)}, told {size:,} times; {role}"


def _fate(record: Finished, paragraphs: int) -> str:
    kept = record.struct.kept
    place = " (nothing left: in the dropped records)" if record.struct.position >= 0 else ""
    if record.struct.spans is not None:
        place = " (annotated: nothing was taken out)"
    return f"text     {many(paragraphs, 'paragraph')}, {kept} kept{place}"


def _reason(removal: dict[str, Any], matches: dict[str, str], whole: bool) -> Iterator[str]:
    evidence, match = removal["evidence"], removal["match"]
    yield f"    {removal['kind']} ({evidence['rule']}): {one_line(in_words(evidence))}"
    if not whole:
        yield "    of this paragraph only:"
        yield from _quoted(removal["text"].strip("\n"))
    if match is None:
        return
    alike = f"; {removal['similarity']:.0%} alike" if removal["similarity"] is not None else ""
    run = f" of run {match['run']} of the index" if "run" in match else ""
    place = f"record {one_line(match['id'])}{run}, characters {match['start']}-{match['end']}"
    yield f"    said in {place}{alike}"
    if _here(removal) and match["id"] in matches:
        there = matches[match["id"]][match["start"] : match["end"]]
        yield "    there, with the shared words in [ ]:"
        yield from _quoted(_marked(there, removal["text"]))


def _marked(text: str, other: str) -> str:
    parts = []
    for run in word_diff(text, other):
        words = run.one.strip()
        before, _, after = run.one.partition(words) if words else (run.one, "", "")
        parts.append(f"{before}[{words}]{after}" if run.shared else run.one)
    return "".join(parts)


def _quoted(text: str) -> list[str]:
    return [f"    | {one_line(line)}" for line in text.split("\n")]
