"""What flows through the program: records, blocks as arrays, removals."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias, overload

import numpy as np
import numpy.typing as npt
import orjson

from dedup import config

I32: TypeAlias = npt.NDArray[np.int32]
I64: TypeAlias = npt.NDArray[np.int64]
U8: TypeAlias = npt.NDArray[np.uint8]
U16: TypeAlias = npt.NDArray[np.uint16]
U32: TypeAlias = npt.NDArray[np.uint32]
U64: TypeAlias = npt.NDArray[np.uint64]
F32: TypeAlias = npt.NDArray[np.float32]
F64: TypeAlias = npt.NDArray[np.float64]
Bool: TypeAlias = npt.NDArray[np.bool_]
Buffer: TypeAlias = bytes | bytearray | memoryview

TOGETHER = 4096  # names read together
SHOWN = 5  # rejected lines that the summary shows
KINDS = (*config.KINDS, "blank")

# The names a field goes by in the output of scrapers and extractors, the likeliest first.
ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "_id", "doc_id", "article_id", "uid"),
    "text": ("text", "raw_text", "maintext", "article_text", "body", "content", "plaintext"),
    "title": ("title", "headline", "article_title"),
    "abstract": ("abstract", "description", "summary", "excerpt", "subtitle"),
    "url": ("url", "link", "source_url", "canonical_link"),
    "date": ("date", "date_publish", "publishing_date", "published_time", "timestamp"),
    "source": ("source", "hostname", "source_domain", "publisher", "site"),
}


def names_of(meaning: str, settings: config.Config) -> tuple[str, ...]:
    """The fields that may hold what is meant, the likeliest first."""
    chosen: str = getattr(settings, f"{meaning}_field")
    return (chosen,) if chosen else ALIASES[meaning]


class Strings(NamedTuple):
    """Some texts.

    Attributes:
        data: holds them, in UTF-8.
        start: int64[n]; each one's first byte.
        end: int64[n]; the byte after its last.
        quoted: whether they are JSON strings, quotes and all; or nothing, which is as good as an
            empty one. Others follow each other without a gap.
    """

    data: bytes
    start: I64
    end: I64
    quoted: bool

    @classmethod
    def of(cls, texts: Iterable[str]) -> Strings:
        """The texts as UTF-8."""
        encoded = [text.encode() for text in texts]
        bounds = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return cls(b"".join(encoded), bounds[:-1], bounds[1:], quoted=False)


class Names(Sequence[str]):
    """Strings, kept as JSON in a fraction of the room that objects take.

    Attributes:
        data: JSON strings, a comma behind each.
    """

    def __init__(self) -> None:
        self.data: Any = bytearray()
        self._starts: Any = array("q", [0])

    @classmethod
    def written(cls, data: Buffer, ends: I64) -> Names:
        """Of JSON strings with a comma behind each, and where each of these commas ends."""
        made = cls()
        made.data = bytearray(data)
        made._starts.frombytes(ends.astype(np.int64, copy=False).tobytes())
        return made

    def add(self, names: Sequence[str]) -> None:
        """Append some."""
        if isinstance(names, Names):
            size = len(self.data)
            self._starts.frombytes((names.starts()[1:] + size).tobytes())
            self.data += names.data
            return
        for at in range(0, len(names), TOGETHER):  # each takes a page as long as it is there
            written = [orjson.dumps(name) for name in names[at : at + TOGETHER]]
            sizes = (len(name) + 1 for name in written)
            self._starts.extend(accumulate(sizes, initial=self._starts.pop()))
            self.data += b",".join([*written, b""])

    def keep(self, kept: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> None:
        """Let what they lie in lie elsewhere; nothing can be added any more.

        Args:
            kept: gives the same values in another place.
        """
        self.data = kept(np.frombuffer(self.data, dtype=np.uint8)).data
        self._starts = kept(self.starts())

    def starts(self) -> I64:
        """int64[n + 1]; where each begins in `data`, and the end of the last."""
        return np.asarray(np.frombuffer(self._starts, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> list[str]: ...

    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return self._some(range(len(self))[at])
        one = range(len(self))[at]
        found: str = orjson.loads(self.data[self._starts[one] : self._starts[one + 1] - 1])
        return found

    def __iter__(self) -> Iterator[str]:
        for at in range(0, len(self), TOGETHER):
            yield from self._some(range(at, min(at + TOGETHER, len(self))))

    def _some(self, which: range) -> list[str]:
        if which.step != 1 or not which:
            return [self[one] for one in which]
        written = self.data[self._starts[which.start] : self._starts[which.stop] - 1]
        found: list[str] = orjson.loads(b"[" + written + b"]")
        return found


class Batch(NamedTuple):
    """Some records of one input, in order, as columns.

    Attributes:
        texts: their texts.
        titles: their headlines, empty for none.
        abstracts: their abstracts, empty for none.
        ids: their ids, or "<file name>:<line>".
        sources: their outlets.
        dates: their dates as they came, "" for none; empty if not wanted.
        heads: for articles cut out of a raw dump, the kinds of the blocks that each text begins
            with ("title", "byline").
        dump: the raw dump they were cut out of, "" if they were not.
        digests: uint64; of the texts as they came, where `texts` are not just that.
    """

    texts: Strings
    titles: Strings
    abstracts: Strings
    ids: Sequence[str]
    sources: list[str]
    dates: list[str]
    heads: Sequence[tuple[str, ...]] = ()
    dump: str = ""
    digests: U64 | None = None

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """Batches of JSON strings, none of them a raw dump, as one.

        The strings of each are held by the same bytes, and so are those of all.
        """
        if len(batches) == 1:
            return batches[0]
        data = b"".join(batch.texts.data for batch in batches)
        shifts = list(accumulate((len(batch.texts.data) for batch in batches[:-1]), initial=0))

        def moved(column: Sequence[Strings]) -> Strings:
            start, end = (
                np.concatenate([each + by for each, by in zip(places, shifts, strict=True)])
                for places in ([one.start for one in column], [one.end for one in column])
            )
            return Strings(data, start, end, quoted=True)

        return cls(
            texts=moved([batch.texts for batch in batches]),
            titles=moved([batch.titles for batch in batches]),
            abstracts=moved([batch.abstracts for batch in batches]),
            ids=[id_ for batch in batches for id_ in batch.ids],
            sources=[source for batch in batches for source in batch.sources],
            dates=[date for batch in batches for date in batch.dates],
        )


@dataclass(slots=True)
class Rejected:
    """A line that is no record.

    Attributes:
        file: the input it came from.
        line: 1-based line in it.
        rule: what is wrong and what to try.
        raw: its bytes.
    """

    file: str
    line: int
    rule: str
    raw: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Counts:
    """What a run read, removed and wrote.

    Attributes:
        records: records read.
        blocks: blocks read.
        chars: characters of their texts.
        cleaned: records that lost something but not everything.
        dropped: records with nothing left.
        without_text: records that came with an empty text, set aside with those.
        rejected: lines that are no records.
        why_rejected: the first few of them: file:line, and what is wrong.
        stories: stories told by more than one record.
        retold: records that tell a story which another record leads.
        kinds: blocks removed, by kind; spans of white space for "blank".
        removed_chars: characters removed, by kind.
        sources: (source -> [blocks, blocks removed]).
        empty: inputs without a record, and how many lines in them are none.
        encodings: what there is to say of the inputs' encodings.
        shapes: inputs, and what in them held many records; how many, and what of it is left out.
        same_ids: records whose id an earlier record has, and one such id.
        capped: blocks for which `max_candidates` cut the comparison short.
        sentences: whether sentences were compared, besides blocks.
        doubtful: outlet -> the share of its characters that went as page residue, where that is
            more than is plausible.
        overrides: what a reviewer's decisions did: paragraphs "kept" and "removed" by them; empty
            if there are none.
        unmet: lines of the decisions about what is not there.
        dumps: raw dumps by name, with their articles, headlines and credit lines.
    """

    records: int = 0
    blocks: int = 0
    chars: int = 0
    cleaned: int = 0
    dropped: int = 0
    without_text: int = 0
    rejected: int = 0
    why_rejected: list[str] = field(default_factory=list)
    stories: int = 0
    retold: int = 0
    empty: dict[str, int] = field(default_factory=dict)
    encodings: list[str] = field(default_factory=list)
    shapes: dict[str, list[Any]] = field(default_factory=dict)
    same_ids: tuple[int, str] = (0, "")
    capped: int = 0
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    removed_chars: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    sources: dict[str, list[int]] = field(default_factory=dict)
    sentences: bool = False
    doubtful: dict[str, float] = field(default_factory=dict)
    overrides: dict[str, int] = field(default_factory=dict)
    unmet: list[int] = field(default_factory=list)
    dumps: dict[str, list[int]] = field(default_factory=dict)

    def reject(self, why: str) -> None:
        """Count a line that is no record."""
        self.rejected += 1
        if len(self.why_rejected) < SHOWN:
            self.why_rejected.append(why)

    def add(self, more: Counts) -> None:
        """Count what another run counted."""
        for setting in fields(self):
            mine, theirs = getattr(self, setting.name), getattr(more, setting.name)
            if isinstance(mine, dict):
                for name, value in theirs.items():
                    mine[name] = _sum(mine[name], value) if name in mine else value
            elif isinstance(mine, list):
                mine += theirs[: SHOWN - len(mine)]
            else:
                setattr(self, setting.name, mine + theirs)


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, list):
        return [a + b for a, b in zip(one, other, strict=True)]
    return one + other
