"""What would go, told beside the records: Dolma attributes, and spans as Prodigy reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

import msgspec
import numpy as np
import orjson

from dedup.errors import InputError
from dedup.formats.cuts import Judged, batches, cuts_of
from dedup.formats.inputs import Input, Inputs
from dedup.formats.lines import JSON_LINES
from dedup.formats.outputs import Outputs
from dedup.formats.write import Put
from dedup.records import KINDS

DOCUMENTS = "documents"  # the folder whose name Dolma exchanges for that of the attributes
_NO_ID = msgspec.Raw(b"null")


class _Id(msgspec.Struct):
    id: msgspec.Raw = _NO_ID


_ID = msgspec.json.Decoder(_Id)


def attribute_files(
    folder: Path, inputs: Inputs, given: Sequence[Any], outputs: Outputs
) -> dict[str, str]:
    """Find where the attributes of each input go, and make these outputs of the run.

    Args:
        folder: where they go.
        inputs: of the run.
        given: what the user named: what lies in a named folder keeps its place in it. As Dolma
            does, a folder "documents" counts before that.
        outputs: of the run.

    Returns:
        The name of the output for each input.

    Raises:
        InputError: an input has no rows that attributes could stand beside.
    """
    names: dict[str, str] = {}
    for item in inputs.inputs:
        place = _place(item, given)
        name = f"attributes {place}"
        if name in names.values():
            raise InputError(f"{folder / place}: is named for two inputs; clean them one by one")
        names[item.name] = name
        outputs.add(name, folder / place)
    return names


def _place(item: Input, given: Sequence[Any]) -> PurePath:
    path = item.path
    if path is None or not {*JSON_LINES, ".json"} & set(path.suffixes):
        raise InputError(f"{item.name}: attributes stand beside JSON lines in files; leave it out")
    if DOCUMENTS in path.parts[:-1]:
        at = len(path.parts) - path.parts[::-1].index(DOCUMENTS)
        return PurePath(*path.parts[at:])
    for folder in (Path(source) for source in given if isinstance(source, (str, Path))):
        if folder.is_dir() and path.is_relative_to(folder):
            return path.relative_to(folder)
    return PurePath(path.name)


def write_attributes(judged: Judged, inputs: Inputs, names: dict[str, str], put: Put) -> None:
    """Write for each line of an input that is a record, and for every other, a line.

    Each has "id" as the record has it, and "attributes": one a kind, "dedup__<kind>", of spans
    [start, end, score] in characters; the score is the similarity to what is said elsewhere, 1.0
    for what is nobody's copy. "dedup__kept" and "dedup__story_size" tell of the whole text.

    Raises:
        InputError: an input cannot be read.
    """
    corpus = judged.corpus
    name, line = "", 0
    for base, rows, touched in batches(judged, inputs.rows, read=True):
        cuts = cuts_of(judged, base, rows, touched)
        if names[rows.file] != name:
            name, line = names[rows.file], 0
        lengths = corpus.chars[base : base + rows.size].tolist()
        blocks = np.diff(corpus.first[base : base + rows.size + 1])
        kept = (blocks - cuts.whole_blocks()).tolist()
        similarity = cuts.reasons(judged).similarity
        score = np.where(np.isnan(similarity), 1.0, similarity).tolist()
        spans = list(zip(cuts.kinds(), cuts.start.tolist(), cuts.end.tolist(), score, strict=True))
        first = cuts.first.tolist()
        lines: list[bytes] = []
        for at, row in enumerate(rows.each()):
            lines += [_row(_NO_ID, {})] * (row.line - line - 1)  # lines that are no records
            line = row.line
            size = int(judged.sizes[judged.stories[base + at]])
            told = _told(spans[first[at] : first[at + 1]], lengths[at], kept[at], size)
            lines.append(_row(_ID.decode(row.raw).id, told))
        put(name, b"".join(lines))


def _told(
    spans: Iterable[tuple[str, int, int, float]], length: int, kept: int, size: int
) -> dict[str, Any]:
    found: dict[str, Any] = {f"dedup__{kind}": [] for kind in KINDS}
    for kind, *span in spans:
        found[f"dedup__{kind}"].append(span)
    found["dedup__kept"] = [[0, length, float(kept)]]
    found["dedup__story_size"] = [[0, length, float(size)]]
    return found


def _row(id_: msgspec.Raw, told: dict[str, Any]) -> bytes:
    return b'{"id":%b,"attributes":%b}\n' % (bytes(memoryview(id_)), orjson.dumps(told))


def prodigy_rows(judged: Judged, inputs: Inputs) -> Iterator[bytes]:
    """A task of Prodigy for each record: its text, and as spans what would go of it."""
    corpus = judged.corpus
    for base, rows, touched in batches(judged, inputs.rows, read=True):
        cuts = cuts_of(judged, base, rows, touched)
        spans = [
            {"start": start, "end": end, "label": kind}
            for start, end, kind in zip(
                cuts.start.tolist(), cuts.end.tolist(), cuts.kinds(), strict=True
            )
        ]
        of_row = pairwise(cuts.first.tolist())
        for number, (row, (a, b)) in enumerate(zip(rows.each(), of_row, strict=True), base):
            yield orjson.dumps(
                {
                    "text": row.text,
                    "spans": spans[a:b],
                    "meta": {
                        "id": corpus.ids[number],
                        "source": corpus.sources[corpus.source[number]],
                        "line": row.line,
                    },
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
