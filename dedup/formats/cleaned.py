"""What a cleaned record, a removal and a dropped record look like as JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from dedup.formats.row import Row
from dedup.judge.kept import Suspicion
from dedup.judge.verdicts import Reason
from dedup.records import Removal
from dedup.text.corpus import Place

# A line that shows nothing yet holds something: what an embedded widget leaves behind.
_INVISIBLE = re.compile(
    r"(?<=[\n\r\u2028\u2029])[ \t]*"
    r"[\xa0\xad\u061c\u1680\u2000-\u200f\u202a-\u202f\u205f-\u2069\u3000\ufeff]"
)


def spans(
    row: Row,
    length: int,
    blocks: Sequence[tuple[int, int]],
    kinds: Sequence[str],
    residue: Sequence[int],
    parts: Mapping[int, Sequence[Removal]],
    first_block: int,
) -> list[Removal]:
    """The spans of a record's text that go.

    Args:
        row: the record; its text is decoded only where it must be looked at.
        length: characters of its text.
        blocks: (start, end) of its blocks, in order.
        kinds: the kind that each block is removed as, "" for blocks that stay.
        residue: whether an invisible line stands behind each block.
        parts: spans of blocks that stay, by the block's place in `blocks`.
        first_block: number of the first block in the whole run.

    Returns:
        Spans in order that do not overlap. One begins at a removed block's first character and
        takes the white space behind it; white space left at either end, and invisible lines
        between blocks that stay, are spans of kind "blank".
    """
    found: list[Removal] = []
    last = len(blocks) - 1
    kept = [k for k, kind in enumerate(kinds) if not kind]
    anything = len(kept) < len(blocks)
    if anything and blocks[0][0] > 0 and (not kept or kept[0] > 0):
        found.append(Removal(0, blocks[0][0], "blank"))
    for k, kind in enumerate(kinds):
        end = blocks[k + 1][0] if k < last else length
        if kind:
            found.append(Removal(blocks[k][0], end, kind, first_block + k, True))
            continue
        found += parts.get(k, ())
        if kept[-1] == k and anything:
            if end > blocks[k][1]:
                found.append(Removal(blocks[k][1], end, "blank"))
        elif not residue[k] and (k < last or end - blocks[k][1] < 2):
            continue
        elif line := _INVISIBLE.search(row.text, blocks[k][1], end):
            found.append(Removal(line.start(), end, "blank"))
    return found


def span_lines(row: Row, spans: Iterable[tuple[int, int]]) -> Iterator[int]:
    """The 1-based line of the input file that each span, in order, begins on.

    White space that begins behind a block that stays counts from the first line it takes whole.
    """
    line, at = 0, 0
    if not row.lines:
        yield from (row.line for _ in spans)
        return
    for start, end in spans:
        line += row.text.count("\n", at, start)
        at = start
        inside = at > 0 and row.text[at - 1] != "\n"
        whole = line + (inside and "\n" in row.text[at:end])
        yield row.lines[whole] if whole < len(row.lines) else row.lines[-1] + 1


def removal_row(
    id_: str, source: str, line: int, text: bytes, removal: Removal, reason: Reason
) -> bytes:
    """One line of OUT.removed.jsonl; `text` is what goes as it stands in the JSON string."""
    match = reason.match
    return orjson.dumps(
        {
            "id": id_,
            "source": source,
            "line": line,
            "start": removal.start,
            "end": removal.end,
            "text": orjson.Fragment(b'"%b"' % text),
            "kind": removal.kind,
            "similarity": reason.similarity,
            "match": match and place_row(match),
            "evidence": reason.evidence,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def place_row(place: Place) -> dict[str, Any]:
    """Where what is repeated stands; a record of an earlier run is told with that run."""
    found: dict[str, Any] = {"id": place.id, "start": place.start, "end": place.end}
    return found if place.run is None else {**found, "run": place.run}


def span(removal: Removal, reason: Reason) -> dict[str, Any]:
    """What an annotated record tells of a removal: where, what and why, in a fixed schema."""
    return {
        "start": removal.start,
        "end": removal.end,
        "kind": removal.kind,
        "rule": reason.evidence["rule"],
        "similarity": reason.similarity,
        "match": reason.match.id if reason.match is not None else None,
    }


def kept_row(
    id_: str, source: str, line: int, text: str, place: tuple[int, int], suspicion: Suspicion
) -> bytes:
    """One line of the file of suspicious lines that stay: a removal's fields, as far as they go."""
    start, end = place
    return orjson.dumps(
        {
            "id": id_,
            "source": source,
            "line": line,
            "start": start,
            "end": end,
            "text": text[start:end],
            "kind": None,
            "why": suspicion.why,
            "evidence": suspicion.evidence,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
