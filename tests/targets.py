"""What a fuzzer calls with any bytes: each target fails where a promise does not hold."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator

import numpy as np
import twins

from dedup.config import Config
from dedup.formats.fields import Fields
from dedup.formats.inputs import KINDS
from dedup.formats.lines import refused
from dedup.formats.text import TextDump
from dedup.records import Strings
from dedup.text import lexicon, utf8
from dedup.text.blocks import scan, stems
from dedup.text.dumps import cut_articles

WORDS = lexicon.load()
NO_WORDS = np.zeros(0, dtype=np.uint32)
MOST = 300  # bytes of a record


def kernels(data: bytes) -> None:
    """The kernels of text do what their twins do."""
    assert bool(utf8.is_utf8(np.frombuffer(data, dtype=np.uint8))) == twins.is_utf8(data)
    text = data.decode(errors="ignore")
    for ascii_only in (False, True):
        string = json.dumps(text, ensure_ascii=ascii_only).encode()
        found = scan(Strings(string, np.array([0]), np.array([len(string)]), quoted=True), NO_WORDS)
        shown = twins.unwrap(text)
        columns = (found.blocks.record, found.blocks.start, found.blocks.end, found.residue)
        assert list(zip(*map(twins.plain, columns), strict=True)) == twins.cut_blocks([shown])
        assert found.chars.tolist() == [len(text)]
    blocks = found.blocks
    for b in range(blocks.key.size):
        block = shown[blocks.start[b] : blocks.end[b]]
        here = slice(blocks.pointer[b], blocks.pointer[b + 1])
        hashes, key = twins.fold_blocks(block)
        assert twins.plain(blocks.tokens[here]) == hashes
        assert int(blocks.key[b]) == key
        assert twins.plain(stems([block])[0]) == [
            twins.stem_hash(token) for token in twins.arabic.tokens(block)
        ]


def dump(data: bytes) -> None:
    """The articles of a dump are all of it, in order, each with its headline and credit line."""
    text = data.decode(errors="ignore")
    blocks, articles = cut_articles(text, WORDS)
    at = 0
    for article in articles:
        assert article.first == at < article.end
        for line in (article.title, article.byline):
            assert line == -1 or article.first <= line < article.end
        at = article.end
    assert at == blocks.key.size
    reader = TextDump("dump.txt", Config())
    found = [x for x in reader.batches(iter([data]), Fields()) if hasattr(x, "rule")]
    rows = [row for some in reader.rows(iter([data])) for row in some.each()]
    assert reader.records == len(rows)
    good = [twins.is_utf8(line) for line in io.BytesIO(data)]
    first, *others = [
        *(line if ok else b"" for line, ok in zip(io.BytesIO(data), good, strict=True)),
        b"",
    ]
    whole = first.decode("utf-8-sig") + b"".join(others).decode()
    assert "".join(row.text for row in rows) == (whole if twins.cut_blocks([whole]) else "")
    assert len(found) == good.count(False)


def readers(data: bytes) -> None:
    """What is made of the bytes of a file is objects and refusals, one a line."""
    for kind in (".json", ".csv", ".tsv"):
        make = KINDS[kind].lines
        assert make is not None
        file = io.BufferedReader(io.BytesIO(data))
        for line in _lines(make(file, f"x{kind}", MOST, print)):
            if line and twins.is_utf8(line) and not refused(line):  # bytes are looked at later
                assert isinstance(json.loads(line), dict)


def _lines(pieces: Iterator[bytes]) -> list[bytes]:
    return b"".join(pieces).split(b"\n")


TARGETS: dict[str, Callable[[bytes], None]] = {"kernels": kernels, "dump": dump, "readers": readers}
