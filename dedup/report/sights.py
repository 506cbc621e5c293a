"""What of a run is worth a look: chosen from all that is known of it, a few hundred of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from dedup.formats.cuts import Judged
from dedup.judge.kept import explained
from dedup.judge.overrides import block_key, part_keys
from dedup.judge.verdicts import HEADLINE, KEPT, NEAR, PASSAGE, RULES, Part
from dedup.records import F64, I64, U32, U64
from dedup.report.diff import Run, word_diff
from dedup.report.plain import in_words
from dedup.sketch.lsh import first_equal
from dedup.text import lexicon
from dedup.text.arabic import part_span
from dedup.text.blocks import tokens_of
from dedup.text.corpus import Corpus, Place

LINES, LINES_OF_SOURCE = 2000, 400
PAIRS = 100
STORIES, VERSIONS = 40, 4
DOUBTS = 300
BINS = 50  # of similarity, from 0 to 1
LONG, LONGER, LONGEST = 500, 1200, 3000  # characters shown of a line, of a paragraph, of a text
OPENING = 120  # and of a story that is not opened yet
OPENING_WORDS = 4  # a line of fewer words opens no story: a place, a credit line
MOST_ALIKE = 20_000  # near-duplicates among which numbers are looked for
CUT = " …"
MIX = np.uint64(0x9E3779B97F4A7C15)

Texts: TypeAlias = Callable[[Iterable[int]], Mapping[int, str]]
"""Gives the original texts of some records, by number."""


class Line(NamedTuple):
    """A line that went or is suspicious, wherever it stands in its source.

    Attributes:
        text: as it stands where it does first.
        key: its key in hexadecimal digits.
        times: how often it stands in its source.
        source: the outlet.
        id: of the first record that has it.
        kind: the kind it went as; "" for one that stays.
        rule: the rule's name; for one that stays, what is suspicious.
        why: the evidence in words.
    """

    text: str
    key: str
    times: int
    source: str
    id: str
    kind: str
    rule: str
    why: str


class Pair(NamedTuple):
    """A paragraph that went, beside the one that it repeats.

    Attributes:
        similarity: of the two.
        source: the outlet.
        kind: of the removal.
        rule: the rule's name.
        place: where what went stands.
        match: where what stays stands.
        runs: from what stays to what went.
        why: the evidence in words.
    """

    similarity: float
    source: str
    kind: str
    rule: str
    place: Place
    match: Place
    runs: list[Run]
    why: str


class Version(NamedTuple):
    """A record beside the one that leads its story; `runs` go from that one to this."""

    id: str
    source: str
    runs: list[Run]


class Story(NamedTuple):
    """A story told several times: who leads it, and the first versions of it that are known.

    `id`, `source` and the opening are of the version that the others are beside: the leading one,
    unless an earlier run saw that.
    """

    leader: str
    opening: str
    id: str
    source: str
    size: int
    versions: list[Version]


class Sights(NamedTuple):
    """All that the report shows besides the counts.

    Attributes:
        matrix: outlet -> what went of it, by kind.
        lines: the lines that went most often, source by source.
        numbers: near-duplicates whose numbers differ; those that differ in nothing else first.
        pairs: near-duplicates, the least similar first.
        reworded: what went as a part of a passage, the least similar first.
        stories: the most often told first.
        doubts: suspicious lines that stay, the most frequent first.
        equal: removals that are word for word the same as what stays.
        similarities: int[BINS]; how many of the other removals have which similarity, those of
            `passages` aside.
        passages: the same of those that went as a part of a passage.
    """

    matrix: dict[str, dict[str, int]]
    lines: list[Line]
    numbers: list[Pair]
    pairs: list[Pair]
    reworded: list[Pair]
    stories: list[Story]
    doubts: list[Line]
    equal: int
    similarities: list[int]
    passages: list[int]

    def shown_sources(self) -> list[str]:
        """The outlets of all that is shown."""
        shown = (self.lines, self.numbers, self.pairs, self.reworded, self.stories, self.doubts)
        return sorted({one.source for rows in shown for one in rows})

    def fewer(self) -> Sights:
        """Half of what may be left out."""
        lists = ("lines", "numbers", "pairs", "reworded", "stories", "doubts")
        return self._replace(**{name: (rows := getattr(self, name))[: len(rows) // 2]
                                for name in lists})  # fmt: skip


def sights(judged: Judged, texts: Texts) -> Sights:
    """Choose what to show.

    Args:
        judged: all that is known; `suspicious` must be known, too.
        texts: gives the original texts.
    """
    corpus, verdicts = judged.corpus, judged.verdicts
    parts = verdicts.parts_of(corpus.seen, corpus.n)
    lines = _lines(judged, parts)
    nearly = _gone_by(judged, NEAR)
    near = _least(judged, nearly)
    counting = _numbers_differ(judged, nearly)
    reworded = _least(judged, _gone_by(judged, PASSAGE))
    alike = [(p.similarity, k) for k, p in enumerate(parts) if p.similarity and p.similarity < 1]
    said = [parts[k] for _, k in sorted(alike)[:PAIRS]]
    stories = _stories(judged)
    doubts = _doubts(judged)
    shown = [b for b, _, _ in lines] + [b for b, _ in doubts]
    wanted = {int(corpus.blocks.record[b]) for b in shown}
    wanted |= {r for _, records in stories for r in records}
    for b in (*near, *counting, *reworded):
        wanted |= {int(corpus.blocks.record[x]) for x in (b, int(verdicts.match[b]))}
    for p in said:
        wanted |= {int(corpus.blocks.record[p.block]), *(m.record for m in [p.match] if m)}
    # Of records that earlier runs saw, no text is known.
    text_of = texts(sorted(r for r in wanted if r >= len(corpus.runs)))
    show = _Shown(judged, text_of)
    here = verdicts.match[corpus.seen :] >= 0
    similarity = verdicts.similarity[corpus.seen :][here]
    passage = verdicts.rule[corpus.seen :][here] == PASSAGE
    said_so = [part.similarity for part in parts if part.similarity is not None]
    others = np.append(similarity[~passage], np.array(said_so, dtype=np.float64))
    return Sights(
        matrix=_matrix(judged, parts),
        lines=[show.line(b, times, part) for b, times, part in lines],
        numbers=_by_numbers(map(show.pair, counting)),
        pairs=sorted([*map(show.pair, near), *map(show.part, said)], key=lambda p: p.similarity),
        reworded=[show.pair(b) for b in reworded],
        stories=[show.story(*story) for story in stories],
        doubts=[show.doubt(b, times) for b, times in doubts],
        equal=int((others == 1).sum()),
        similarities=_histogram(others[others < 1]),
        passages=_histogram(similarity[passage]),
    )


def _matrix(judged: Judged, parts: list[Part]) -> dict[str, dict[str, int]]:
    corpus, rule = judged.corpus, judged.verdicts.rule
    gone = corpus.seen + np.flatnonzero(rule[corpus.seen :] != KEPT)
    blocks = np.append(gone, np.array([p.block for p in parts], dtype=np.int64))
    rules = np.append(rule[gone], np.array([p.rule for p in parts], dtype=np.uint8))
    source = corpus.source[corpus.record_of()[blocks]]
    table = np.zeros((len(corpus.sources), len(RULES) + 1), dtype=np.int64)
    np.add.at(table, (source, rules), 1)
    out: dict[str, dict[str, int]] = {name: {} for name in corpus.sources}
    for number, told in RULES.items():
        for name, n in zip(corpus.sources, table[:, number].tolist(), strict=True):
            out[name][told.kind] = out[name].get(told.kind, 0) + n
    return out


def _lines(judged: Judged, parts: list[Part]) -> list[tuple[int, int, Part | None]]:
    """The most frequent lines that went: first block, how often, and of which part."""
    corpus, rule = judged.corpus, judged.verdicts.rule
    shown = (rule != KEPT) & (rule != HEADLINE) & (corpus.blocks.key[: corpus.n] > 0)
    gone = corpus.seen + np.flatnonzero(shown[corpus.seen :])
    blocks = np.append(gone, np.array([p.block for p in parts], dtype=np.int64))
    more = np.array(part_keys(corpus, parts), dtype=np.uint64)
    key = np.append(corpus.blocks.key[gone], more)
    chosen = []
    for _, first, times in _frequent(corpus, blocks, key):
        part = parts[first - gone.size] if first >= gone.size else None
        chosen.append((int(blocks[first]), times, part))
    return chosen


def _frequent(corpus: Corpus, blocks: I64, key: U64) -> list[tuple[int, int, int]]:
    """The most frequent keys of each source: source, first place, how often; most frequent first.

    Of every source some, as long as there is room.
    """
    source = corpus.source[corpus.record_of()[blocks]].astype(np.int64)
    here = first_equal(source * np.int64(key.size + 1) + first_equal(key))
    times = np.bincount(here, minlength=here.size)
    firsts = np.flatnonzero(times)
    order = firsts[np.lexsort((firsts, -times[firsts], source[firsts]))]
    begins = np.flatnonzero(np.append(True, np.diff(source[order]) != 0)) if order.size else order
    rank = np.arange(order.size) - np.repeat(begins, np.diff(np.append(begins, order.size)))
    room = min(LINES_OF_SOURCE, max(4, LINES // max(1, begins.size)))
    order = order[rank < room][: 2 * LINES]
    order = order[np.lexsort((order, -times[order]))][:LINES]
    return [(int(source[k]), int(k), int(times[k])) for k in order.tolist()]


def _gone_by(judged: Judged, rule: int) -> I64:
    """The blocks of this run that a rule removes."""
    seen = judged.corpus.seen
    return seen + np.flatnonzero(judged.verdicts.rule[seen:] == rule)


def _least(judged: Judged, blocks: I64) -> list[int]:
    """The blocks that are least like what they repeat."""
    similarity = judged.verdicts.similarity[blocks]
    least: list[int] = blocks[np.argsort(similarity, kind="stable")][:PAIRS].tolist()
    return least


def _numbers_differ(judged: Judged, blocks: I64) -> list[int]:
    """Near-duplicates that hold numbers which what they repeat does not, the most alike first."""
    verdicts = judged.verdicts
    order = np.argsort(-verdicts.similarity[blocks], kind="stable")[:MOST_ALIKE]
    blocks = blocks[order]
    known = lexicon.numbers(judged.corpus.seed)
    here = _numbers(judged.corpus, blocks, known)
    there = _numbers(judged.corpus, verdicts.match[blocks].astype(np.int64), known)
    chosen: list[int] = blocks[(here != there) & (here > 0) & (there > 0)][: 2 * PAIRS].tolist()
    return chosen


def _numbers(corpus: Corpus, blocks: I64, known: U32) -> U64:
    """uint64[blocks]; the same for blocks that hold the same numbers, 0 for those without."""
    pointer, tokens = tokens_of(corpus.blocks.tokens, corpus.blocks.pointer, blocks)
    found = np.isin(tokens, known)
    total = np.zeros(blocks.size, dtype=np.uint64)
    which = np.repeat(np.arange(blocks.size), np.diff(pointer))[found]
    np.add.at(total, which, tokens[found].astype(np.uint64) * MIX + np.uint64(1))
    return total


def _by_numbers(pairs: Iterable[Pair]) -> list[Pair]:
    """Those among pairs in which a number stands for another, first those without other words."""
    found: list[tuple[bool, float, int, Pair]] = []
    for pair in pairs:
        alone = [[word for run in pair.runs if not run.shared for word in run[side].split()]
                 for side in (0, 1)]  # fmt: skip
        if all(any(map(_counts, words)) for words in alone):
            only = all(map(_counts, alone[0] + alone[1]))
            found.append((not only, -pair.similarity, len(found), pair))
    return [pair for *_, pair in sorted(found)[:PAIRS]]


def _counts(word: str) -> bool:
    return any(map(str.isdigit, word))


def _histogram(similarity: F64) -> list[int]:
    # What is 0.7 as a float32, a little less, belongs right of a threshold of 0.7.
    bins = (similarity * BINS + 1e-4).astype(np.int64)
    counted: list[int] = np.bincount(bins, minlength=BINS).tolist()
    return counted


def _stories(judged: Judged) -> list[tuple[int, list[int]]]:
    """The largest stories that this run tells: leading record, and some records, that one first."""
    leader, seen = judged.stories, len(judged.corpus.runs)
    heads = np.unique(leader[seen:])
    size = judged.sizes[heads]
    largest = heads[np.argsort(-size, kind="stable")][: min(STORIES, int((size > 1).sum()))]
    found = []
    for head in largest.tolist():
        told = seen + np.flatnonzero(leader[seen:] == head)
        found.append((head, [*([head] if head >= seen else []), *told[told != head].tolist()]))
    return [(head, records[:VERSIONS]) for head, records in found]


def _doubts(judged: Judged) -> list[tuple[int, int]]:
    """The most frequent suspicious lines: first block, and how often."""
    if judged.suspicious is None:
        return []
    seen = judged.corpus.seen
    blocks = seen + np.flatnonzero(judged.suspicious[seen:])
    found = _frequent(judged.corpus, blocks, judged.corpus.blocks.key[blocks])
    return [(int(blocks[k]), times) for _, k, times in found[:DOUBTS]]


class _Shown:
    """Makes what is shown of what was chosen."""

    def __init__(self, judged: Judged, texts: Mapping[int, str]) -> None:
        self._judged = judged
        self._texts = texts

    def line(self, block: int, times: int, part: Part | None) -> Line:
        corpus = self._judged.corpus
        start, end = self._span(block, part)
        record, rule, why = self._reason(block, part)
        key = block_key(corpus, block) if part is None else part_keys(corpus, [part])[0]
        return Line(
            short(self._texts[record][start:end], LONG), f"{key:016x}", times,
            self._source(record), corpus.ids[record], rule.kind, rule.name, why,
        )  # fmt: skip

    def doubt(self, block: int, times: int) -> Line:
        corpus, evidence, verdicts = (
            self._judged.corpus, self._judged.evidence, self._judged.verdicts,
        )  # fmt: skip
        found = self._judged.suspicious
        assert found is not None
        (told,) = explained(corpus, evidence, verdicts, found, block, block + 1)
        numbers = told.evidence
        why = f"in {numbers['stories']:,} distinct stories of the {numbers['of']:,} records"
        for name, words in (("headline_of", "the headline"), ("lead_of", "the opening")):
            if numbers[name] is not None:
                why += f"; {words} of record {numbers[name]}"
        if numbers["spared"]:
            why += f"; spared, although rule {numbers['spared']} speaks against it"
        start, end = self._span(block, None)
        record = int(corpus.blocks.record[block])
        return Line(
            short(self._texts[record][start:end], LONG), f"{block_key(corpus, block):016x}",
            times, self._source(record), corpus.ids[record], "", "; ".join(told.why), why,
        )  # fmt: skip

    def pair(self, block: int) -> Pair:
        corpus, verdicts = self._judged.corpus, self._judged.verdicts
        both = np.array([block, verdicts.match[block]])
        (here, there), matched = corpus.places(both), int(corpus.blocks.record[both[1]])
        return self._pair(block, None, here, there, matched, float(verdicts.similarity[block]))

    def part(self, part: Part) -> Pair:
        start, end = self._span(part.block, part)
        record = int(self._judged.corpus.blocks.record[part.block])
        here = Place(self._judged.corpus.ids[record], start, end)
        assert part.match is not None
        assert part.similarity is not None
        there = Place(self._judged.corpus.ids[part.match.record], *part.match[1:])
        return self._pair(part.block, part, here, there, part.match.record, part.similarity)

    def story(self, leader: int, records: list[int]) -> Story:
        judged, head = self._judged, records[0]
        text = self._texts[head]
        versions = [
            Version(
                judged.corpus.ids[r],
                self._source(r),
                beside(text, self._texts[r], LONGEST),
            )
            for r in records[1:]
        ]
        size = int(judged.sizes[leader])
        enough = (line for line in text.split("\n") if len(line.split()) >= OPENING_WORDS)
        opening = next(enough, "")
        return Story(judged.names[leader], short(opening.strip(), OPENING),
                     judged.corpus.ids[head], self._source(head), size, versions)  # fmt: skip

    def _pair(
        self, block: int, part: Part | None, here: Place, there: Place, matched: int,
        similarity: float,
    ) -> Pair:  # fmt: skip
        record, rule, why = self._reason(block, part)
        text = self._texts.get(matched, "")
        gone = self._texts[record][here.start : here.end]
        runs = beside(text[there.start : there.end], gone, LONGER)
        return Pair(similarity, self._source(record), rule.kind, rule.name, here, there, runs, why)

    def _span(self, block: int, part: Part | None) -> tuple[int, int]:
        blocks = self._judged.corpus.blocks
        start, end = int(blocks.start[block]), int(blocks.end[block])
        if part is None:
            return start, end
        text = self._texts[int(blocks.record[block])]
        return part.span or part_span(text, start, end, part.tokens, part.first > 0)

    def _reason(self, block: int, part: Part | None) -> tuple[int, Any, str]:
        corpus, verdicts = self._judged.corpus, self._judged.verdicts
        number = -1 if part is None else verdicts.parts.index(part)
        why = verdicts.reasons(corpus, self._judged.evidence, np.array([block]), np.array([number]))
        rule = RULES[int(why.rule[0])]
        return int(corpus.blocks.record[block]), rule, in_words(why.evidence(0))

    def _source(self, record: int) -> str:
        name: str = self._judged.corpus.sources[self._judged.corpus.source[record]]
        return name


def short(text: str, most: int) -> str:
    """The beginning of a long text, with a sign that it goes on."""
    return text if len(text) <= most else _begin(text, most) + CUT


def beside(one: str, other: str, most: int) -> list[Run]:
    """What two texts share, of long ones only as far as both are known to go."""
    runs = word_diff(_begin(one, most), _begin(other, most))
    if max(len(one), len(other)) > most:
        if any(run.shared for run in runs):
            while not runs[-1].shared:
                runs.pop()
        runs.append(Run(CUT, CUT))
    return runs


def _begin(text: str, most: int) -> str:
    """So many characters at most, and no half word, unless it is all there is."""
    begin = text[:most]
    if len(text) <= most:
        return begin
    if not (text[most].isspace() or begin[-1].isspace()):
        begin = begin[: -len(begin.split()[-1])] or begin
    return begin.rstrip()
