"""Stories: records that share matched blocks in the same order; and the passages they share.

A story is a star as a group is: every record was measured against the one that leads it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from dedup.config import Config
from dedup.match.groups import Groups
from dedup.match.verify import ShingleSets, shingle_sets
from dedup.records import I64, Bool
from dedup.text.blocks import Blocks
from dedup.text.corpus import Corpus

LEADERS = 6  # a record is measured against the foremost records that a group stands in
LEAST_TOKENS = 20  # less than this in common makes no story, unless it is all there is
GAP = 4  # blocks between two matched neighbours that may still be one passage
CONTAINED = 0.75  # share of a reworded block's tokens that must stand in its counterpart
LONGER = 1.2  # such a paragraph must not be longer than its counterpart by more: it says more
FRAMED, FRAMED_PART = 0.5, 0.25  # the same, and part of `extend`, for the only paragraph in a gap


class Passage(NamedTuple):
    """A block taken into a passage below the threshold.

    Attributes:
        block: the block.
        match: its counterpart.
        similarity: Jaccard similarity of their shingle sets.
        contained: share of the block's tokens that stand in the counterpart.
        anchors: matched blocks of the passage around it.
    """

    block: int
    match: int
    similarity: float
    contained: float
    anchors: int


def find_stories(corpus: Corpus, groups: Groups, rank: I64, out: Bool, share: float) -> I64:
    """The leading record of each record's story.

    Args:
        corpus: all records.
        groups: matched blocks.
        rank: int64[records]; the order in which records may lead.
        out: bool[n]; blocks that do not count, such as page residue.
        share: least part of the shorter record's tokens that both share in the same order.

    Returns:
        int64[records]; the record itself where it leads or stands alone.
    """
    n = corpus.n
    leader = np.arange(corpus.records, dtype=np.int64)
    length = corpus.blocks.length()[:n]
    blocks = np.flatnonzero(~out & (length > 0))
    record = corpus.record_of()[blocks].astype(np.int64)
    representative = groups.representative[blocks]
    total = np.bincount(record, weights=length[blocks], minlength=corpus.records)

    # One row for each group and record it stands in, the foremost records of a group first.
    code = representative * corpus.records + rank[record]
    _, at = np.unique(code, return_index=True)
    group_of, member, weight = representative[at], record[at], length[blocks[at]]
    begins = np.flatnonzero(np.append(True, group_of[1:] != group_of[:-1]))
    place = np.arange(group_of.size) - np.repeat(begins, np.diff(np.append(begins, group_of.size)))
    pairs = []
    for k in range(LEADERS):
        late = np.flatnonzero(place > k)
        ahead = late - place[late] + k
        pairs.append((member[ahead] * corpus.records + member[late], weight[late]))
    codes, inverse = np.unique(np.concatenate([c for c, _ in pairs]), return_inverse=True)
    shared = np.bincount(inverse, weights=np.concatenate([w for _, w in pairs]))
    one, other = codes // corpus.records, codes % corpus.records
    least = np.minimum(total[one], total[other])
    close = np.flatnonzero((shared >= share * least) & (shared >= np.minimum(least, LEAST_TOKENS)))

    known: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for p in close[np.argsort(rank[other[close]], kind="stable")].tolist():
        known[int(other[p])].append((p, int(one[p])))
    for late_record in sorted(known, key=lambda r: int(rank[r])):
        best = (0.0, 0)
        for p, ahead_record in known[late_record]:
            if leader[ahead_record] != ahead_record:
                continue
            in_order = _shared_in_order(corpus, groups, out, late_record, ahead_record)
            part = in_order / float(least[p])
            if part >= share and in_order >= min(least[p], LEAST_TOKENS):
                best = max(best, (part, -ahead_record))
        if best[0]:
            leader[late_record] = -best[1]
    return leader


def _shared_in_order(corpus: Corpus, groups: Groups, out: Bool, one: int, other: int) -> int:
    """Tokens of the blocks that two records share in the same order."""
    pointer = corpus.blocks.pointer
    anchors = _anchors(corpus, groups, out, one, other)
    return int(sum(pointer[i + 1] - pointer[i] for i, _ in anchors))


def _anchors(
    corpus: Corpus, groups: Groups, out: Bool, one: int, other: int
) -> list[tuple[int, int]]:
    """Pairs of matched blocks (of `one`, of `other`), ascending on both sides: the most there are.

    The longest ascending run is found by patience sorting.
    """
    places: dict[int, list[int]] = defaultdict(list)
    for j in range(int(corpus.first[other]), int(corpus.first[other + 1])):
        if not out[j] and corpus.blocks.key[j]:
            places[int(groups.representative[j])].append(j)
    tails: list[int] = []
    ends: list[int] = []
    chain: list[tuple[int, int, int]] = []
    for i in range(int(corpus.first[one]), int(corpus.first[one + 1])):
        if out[i]:
            continue
        for j in reversed(places.get(int(groups.representative[i]), ())):
            at = bisect_left(tails, j)
            chain.append((i, j, ends[at - 1] if at else -1))
            if at == len(tails):
                tails.append(j)
                ends.append(len(chain) - 1)
            else:
                tails[at], ends[at] = j, len(chain) - 1
    run = []
    at = ends[-1] if ends else -1
    while at >= 0:
        i, j, at = chain[at]
        run.append((i, j))
    return run[::-1]


def extend_passages(
    corpus: Corpus, groups: Groups, kept: Bool, free: Bool, out: Bool, config: Config
) -> list[Passage]:
    """Seed and extend: reworded blocks between or next to matched neighbours of two records.

    Args:
        corpus: all records.
        groups: matched blocks.
        kept: bool[n]; blocks that stay so far; only to match these others are taken.
        free: bool[n]; the ones among them that may be taken.
        out: bool[n]; page residue, which neither makes nor parts a passage.
        config: `extend` is the least similarity.

    Returns:
        One row for each block taken, in block order.
    """
    record = corpus.record_of()
    representative = groups.representative[: corpus.n]
    mine = np.arange(corpus.n)
    matched = np.flatnonzero((representative != mine) & (representative < corpus.n) & ~out)
    partners: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for i in matched.tolist():
        if record[representative[i]] != record[i]:
            partners[int(record[i])][int(record[representative[i]])] += 1
    line, length = corpus.blocks.headings(), corpus.blocks.length()
    found: dict[int, Passage] = {}
    for one in sorted(partners):
        for other, shared in partners[one].items():
            anchors = _anchors(corpus, groups, out, one, other) if shared >= 2 else []
            for block, match, anchored, framed in _gaps(corpus, anchors, out, line, one, other):
                if not (free[block] and kept[match]):
                    continue
                similarity, contained = _alike(corpus.blocks, block, match, config.shingle)
                short = length[block] <= LONGER * length[match]
                part, least = (FRAMED_PART, FRAMED) if framed and short else (1.0, CONTAINED)
                if similarity >= part * config.extend and contained >= least:
                    best = found.get(block)
                    if best is None or similarity > best.similarity:
                        found[block] = Passage(block, match, similarity, contained, anchored)
    return [found[b] for b in sorted(found) if found[b].match not in found]


def _gaps(
    corpus: Corpus, anchors: list[tuple[int, int]], out: Bool, line: Bool, one: int, other: int
) -> Iterator[tuple[int, int, int, bool]]:
    """Pairs of blocks that stand in the same gap between, or right next to, matched neighbours.

    Yields:
        A block of `one`, a block of `other`, the matched blocks of the run, and whether the two
        are the only paragraphs in their gap.
    """
    mine, theirs = _sequence(corpus, out, one), _sequence(corpus, out, other)
    place = {b: k for k, b in enumerate(mine)}, {b: k for k, b in enumerate(theirs)}
    for run in _runs([(place[0][i], place[1][j]) for i, j in anchors]):
        if len(run) < 2:
            continue
        gaps = [(mine[i + 1 : x], theirs[j + 1 : y]) for (i, j), (x, y) in pairwise(run)]
        (i, j), (x, y) = run[0], run[-1]
        edges = (
            (mine[max(0, i - 1) : i], theirs[max(0, j - 1) : j]),
            (
                mine[x + 1 : x + 2],
                theirs[y + 1 : y + 2],
            ),
        )
        for gap, inside in [*((g, True) for g in gaps), *((e, False) for e in edges)]:
            paragraphs = [[b for b in side if not line[b]] for side in gap]
            alone = inside and len(paragraphs[0]) == len(paragraphs[1]) == 1
            for block, match in product(*gap):
                framed = alone and not line[block] and not line[match]
                yield block, match, len(run), framed


def _runs(anchors: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Anchors split where more than GAP blocks lie between two of them, on either side."""
    runs: list[list[tuple[int, int]]] = []
    for i, j in anchors:
        if runs and i - runs[-1][-1][0] <= GAP + 1 and j - runs[-1][-1][1] <= GAP + 1:
            runs[-1].append((i, j))
        else:
            runs.append([(i, j)])
    return runs


def _sequence(corpus: Corpus, out: Bool, record: int) -> list[int]:
    """The blocks of a record that count, in order."""
    blocks = range(int(corpus.first[record]), int(corpus.first[record + 1]))
    return [b for b in blocks if not out[b] and corpus.blocks.key[b]]


def _alike(blocks: Blocks, one: int, other: int, shingle: int) -> tuple[float, float]:
    """Jaccard similarity of two blocks, and the share of the first one's tokens in the other."""
    which = np.array([one, other])
    sets: ShingleSets = shingle_sets(blocks.tokens, blocks.pointer, which, shingle)
    a, b = (blocks.tokens[blocks.pointer[k] : blocks.pointer[k + 1]] for k in (one, other))
    return sets.jaccard(0, 1), float(np.isin(a, b).mean())
