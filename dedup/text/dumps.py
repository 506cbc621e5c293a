"""Raw text dumps: many articles in one text, nothing between them.

An article is a headline, often a credit line, and a body. Credit lines give the cuts away: each
stands between a headline and prose, and its wording recurs in the dump, whole or in one of its
parts ('agencies_ this site', 'agencies _ that site', 'follow-up_ this site'). No word or site is
known beforehand. Where no credit line stands, a headline is told from a subheading by what
follows it: the prose after a headline takes up its words and drops those of the prose before.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from dedup.records import F64, Bool, I64
from dedup.text.blocks import Blocks, Scan
from dedup.text.lexicon import Lexicon

CREDIT_TOKENS = 8  # a credit line is short
LEAD_TOKENS = 8  # and prose of at least this many tokens follows it
HEADLINE_TOKENS = 4  # a headline without a credit line has at least this many
WINDOW = 6  # blocks of prose compared on either side of a possible cut


class Article(NamedTuple):
    """One article of a dump, in block numbers.

    Attributes:
        first: its first block.
        end: the block after its last.
        title: its headline's block, -1 if it has none.
        byline: its credit line's block, -1 if it has none.
        support: how often the credit line's wording recurs in the dump; 0 without one.
        cohesion: similarity of the prose before and after the cut, for cuts without a credit line.
    """

    first: int
    end: int
    title: int
    byline: int
    support: int
    cohesion: float


def cut_articles(scan: Scan, lexicon: Lexicon) -> list[Article]:
    """Cut a dump into articles.

    Args:
        scan: the whole dump as one text.
        lexicon: markers that are neither headlines nor credit lines.

    Returns:
        Articles that cover all blocks, in order; none for a dump without blocks.
    """
    blocks = scan.blocks
    n = blocks.key.size
    if n == 0:
        return []
    heading = blocks.headings()
    marker = _markers(blocks, heading, lexicon)
    credits = _credit_lines(blocks, heading, marker, lexicon)
    cuts = {line - 1: (line, support, 0.0) for line, support in credits.items()}
    for at, cohesion in _cohesion_cuts(scan, heading, marker, sorted(cuts)):
        cuts[at] = (-1, 0, cohesion)
    if 0 not in cuts:
        cuts[0] = (-1, 0, 0.0)
    starts = sorted(cuts)
    articles = []
    for at, end in zip(starts, [*starts[1:], n], strict=True):
        byline, support, cohesion = cuts[at]
        has_title = heading[at] and not marker[at] and end - at > 1
        articles.append(Article(at, end, at if has_title else -1, byline, support, cohesion))
    return articles


def _markers(blocks: Blocks, heading: Bool, lexicon: Lexicon) -> Bool:
    """bool[n]; lines that the lexicon knows as headers, links with a header, or furniture."""
    header, leadin, footer = (lexicon.begins(blocks, r) for r in ("header", "leadin", "footer"))
    length = blocks.length()
    headed = (header > 0) & ((header == length) | (header == blocks.lead))
    return np.asarray(heading & (headed | (leadin > 0) | ((footer > 0) & (footer == length))))


def _credit_lines(
    blocks: Blocks, heading: Bool, marker: Bool, lexicon: Lexicon
) -> dict[int, int]:
    """Credit lines, each with the number of lines that share its wording."""
    n = heading.size
    length = blocks.length()
    short = np.flatnonzero(heading & ~marker & (length <= CREDIT_TOKENS))
    placed = np.zeros(n, dtype=np.bool_)
    for b in short.tolist():
        placed[b] = (
            0 < b < n - 1
            and heading[b - 1]
            and not marker[b - 1]
            and not heading[b + 1]
            and length[b + 1] >= LEAD_TOKENS
        )
    inside: Counter[tuple[int, ...]] = Counter()
    anywhere: Counter[tuple[int, ...]] = Counter()
    for b in short.tolist():
        for part in set(_parts(blocks, b)):
            anywhere[part] += 1
            inside[part] += int(placed[b])
    known = lexicon.begins(blocks, "credit") > 0
    found = {}
    for b in np.flatnonzero(placed).tolist():
        support = max(
            (inside[part] for part in _parts(blocks, b) if 2 * inside[part] > anywhere[part]),
            default=0,
        )
        if support >= (1 if known[b] else 2):
            found[b] = support
    return found


def _parts(blocks: Blocks, block: int) -> list[tuple[int, ...]]:
    """A line's wording: whole, and what stands before and after its separating mark."""
    at, end = int(blocks.pointer[block]), int(blocks.pointer[block + 1])
    tokens = tuple(blocks.tokens[at:end].tolist())
    lead = int(blocks.lead[block])
    if not 0 < lead < len(tokens):
        return [(0, *tokens)]
    return [(0, *tokens), (1, *tokens[:lead]), (2, *tokens[lead:])]


def _cohesion_cuts(
    scan: Scan, heading: Bool, marker: Bool, known: list[int]
) -> list[tuple[int, float]]:
    """Headlines that no credit line gives away, with the cohesion across the cut."""
    blocks, n = scan.blocks, heading.size
    prose = np.flatnonzero(~heading & (blocks.length() >= LEAD_TOKENS))
    if prose.size < 2:
        return []
    bags = _Bags(scan, prose)
    length = blocks.length()
    bounds = np.array([-1, *known, n])
    found: list[tuple[int, float]] = []
    last = 0
    for b in np.flatnonzero(heading & ~marker & (length >= HEADLINE_TOKENS)).tolist():
        if b == 0 or b + 1 >= n or heading[b + 1] or length[b + 1] < LEAD_TOKENS:
            continue
        at = int(np.searchsorted(bounds, b))
        if bounds[at] == b or (bounds[at - 1] == b - 1):
            continue
        begin = max(int(bounds[at - 1]), last)
        before = prose[(prose >= begin) & (prose < b)][-WINDOW:]
        after = prose[(prose > b) & (prose < bounds[at])][:WINDOW]
        if before.size == 0 or after.size == 0:
            continue
        cohesion = bags.similarity(before, after)
        title = bags.share(b, after[:3])
        back = bags.share(b, before)
        if is_cut(cohesion, title, back):
            found.append((b, cohesion))
            last = b
    return found


def is_cut(cohesion: float, ahead: float, back: float) -> bool:
    """Whether a heading begins an article.

    Args:
        cohesion: weighted overlap of the prose before and after.
        ahead: share of the heading's weight that the prose after takes up.
        back: share of it that stands in the prose before.
    """
    return cohesion < 0.06 and ahead >= 0.34 and back < 0.5 * ahead


class _Bags:
    """Weighted bags of stems of a dump's prose."""

    def __init__(self, scan: Scan, prose: I64) -> None:
        self._scan = scan
        seen = [np.unique(self._stems(b)) for b in prose.tolist()]
        stems, count = np.unique(np.concatenate(seen), return_counts=True)
        self._stems_known = stems
        self._weight: F64 = np.log((1 + prose.size) / (0.5 + count))

    def _stems(self, block: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
        pointer = self._scan.blocks.pointer
        stems = self._scan.stems[pointer[block] : pointer[block + 1]]
        return stems[stems != 0]

    def _bag(self, blocks: I64) -> tuple[I64, F64]:
        stems = np.unique(np.concatenate([self._stems(b) for b in blocks.tolist()]))
        at = np.searchsorted(self._stems_known, stems)
        at = at[at < self._stems_known.size]
        known = at[np.isin(self._stems_known[at], stems)]
        return known, self._weight[known]

    def similarity(self, one: I64, other: I64) -> float:
        """Weight of the shared stems over the weight of the lighter side's."""
        a, weight_a = self._bag(one)
        b, weight_b = self._bag(other)
        shared = self._weight[np.intersect1d(a, b)].sum()
        return float(shared / max(1e-9, min(weight_a.sum(), weight_b.sum())))

    def share(self, heading: int, prose: I64) -> float:
        """Share of a heading's stems that stand in some prose."""
        stems = np.unique(self._stems(heading))
        if stems.size == 0 or prose.size == 0:
            return 0.0
        around = np.concatenate([self._stems(b) for b in prose.tolist()])
        return float(np.isin(stems, around).mean())


