"""Raw text dumps: many articles in one text, nothing between them.

An article is a headline, often a credit line, and a body. Credit lines give the cuts away: each
stands between a headline and prose, and its wording recurs in the dump, whole or in one of its
parts ('agencies_ this site', 'agencies _ that site', 'follow-up_ this site'). No word or site is
known beforehand. Where no credit line stands, a headline is told from a subheading by what
follows it: the prose after a headline takes up its words and drops those of the prose before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dedup.records import F64, I64, U8, U32, U64, Bool, Strings
from dedup.text import kernels
from dedup.text.blocks import Blocks, scan, stems_of
from dedup.text.lexicon import Lexicon

CREDIT_TOKENS = 8  # a credit line is short
LEAD_TOKENS = 8  # and prose of at least this many tokens follows it
HEADLINE_TOKENS = 5  # a headline without a credit line has at least this many
SHORT = 6  # with fewer it must be told for sure
WINDOW = 6  # blocks of prose compared on either side of a possible cut
CUSTOM = 3  # as many credit lines make them the custom of a dump
# Log-odds from which a heading without a credit line begins an article: at once; when the surest
# have bounded the prose; where credit lines are the custom, so that one without is an exception.
SURE, LIKELY, UNUSUAL = 2.5, 0.5, 5.5
ECHOED = 0.3  # at least this part of a headline stands in the three paragraphs after it
AFTER_LINKS = 2.0  # log-odds that a box of links right before it adds: such boxes close articles
LINKED_TO = 2.0  # log-odds that it adds if it or its lead stands elsewhere, as links and teasers do

# Logistic regression of headlines of joined articles against subheadings inside articles, fitted
# by benchmarks/quality/fit_cuts.py: constant; similarity of six and of two paragraphs on either
# side; share of the heading's stems in the next paragraph, in the next three, in the six before;
# its tokens; .. or : inside; : at the end; ? or ! at the end.
WEIGHTS = (-1.2, -15.0, -8.3, 3.2, 1.6, -3.1, 0.4, 1.3, -7.0, -0.45)


class Article(NamedTuple):
    """One article of a dump, in block numbers.

    Attributes:
        first: its first block.
        end: the block after its last.
        title: its headline's block, -1 if it has none.
        byline: its credit line's block, -1 if it has none.
        support: how often the credit line's wording recurs in the dump; 0 without one.
        score: log-odds of the cut, for cuts without a credit line.
    """

    first: int
    end: int
    title: int
    byline: int
    support: int
    score: float


def cut_articles(text: str, lexicon: Lexicon) -> tuple[Blocks, list[Article]]:
    """Cut a dump into articles.

    Args:
        text: the whole dump.
        lexicon: markers that are neither headlines nor credit lines.

    Returns:
        Its blocks, and articles that cover them all, in order.
    """
    blocks = scan(Strings.of([text]), lexicon.common, seed=lexicon.seed).blocks
    n = blocks.key.size
    if n == 0:
        return blocks, []
    begins = lexicon.begins(blocks)
    heading = blocks.headings() & (begins["prose"] == 0)
    marker, linked = _markers(blocks, heading, begins)
    boxed = _after_boxes(heading, marker)
    credits = _credit_lines(blocks, heading, marker, begins["credit"] > 0, lexicon)
    cuts = {line - 1: (line, support, 0.0) for line, support in credits.items()}
    for at, score in _cohesion_cuts(text, blocks, heading & ~marker, linked, boxed, sorted(cuts)):
        cuts[at] = (-1, 0, score)
    if 0 not in cuts:
        cuts[0] = (-1, 0, 0.0)
    starts = sorted(cuts)
    articles = []
    for at, end in zip(starts, [*starts[1:], n], strict=True):
        byline, support, score = cuts[at]
        has_title = heading[at] and not marker[at] and end - at > 1
        articles.append(Article(at, end, at if has_title else -1, byline, support, score))
    return blocks, articles


def _markers(blocks: Blocks, heading: Bool, begins: Mapping[str, U8]) -> tuple[Bool, Bool]:
    """Lines the lexicon knows, bool[n] each: headers and furniture; links behind a header.

    The former are never headlines. The latter may be: 'watch.. the moment when' is a link in one
    place and a headline in another.
    """
    header, leadin, footer = (begins[role] for role in ("header", "leadin", "footer"))
    length = blocks.length()
    alone = heading & (length > 0) & (length == np.maximum(np.maximum(header, leadin), footer))
    linked = heading & ((leadin > 0) | ((header > 0) & (header == blocks.lead)))
    return np.asarray(alone), np.asarray(linked & ~alone)


def _credit_lines(
    blocks: Blocks, heading: Bool, marker: Bool, known: Bool, lexicon: Lexicon
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
        for part in set(blocks.wordings(b)):
            anywhere[part] += 1
            inside[part] += int(placed[b])
    words, size, _ = lexicon.phrases.of("credit")
    phrases = {tuple(row[:k].tolist()) for row, k in zip(words, size.tolist(), strict=True)}
    found = {}
    for b in np.flatnonzero(placed).tolist():
        known[b] |= any(tuple(part) in phrases for _, *part in blocks.wordings(b))
        support = max(
            (inside[part] for part in blocks.wordings(b) if 2 * inside[part] > anywhere[part]),
            default=0,
        )
        if support >= (1 if known[b] else 2):
            found[b] = support
    # Where several credit lines are made of two parts, one of two parts never seen is one too.
    parted = (blocks.shape & kernels.DASH) != 0
    made_so = [b for b in found if parted[b]]
    if len(made_so) >= CUSTOM:
        longest = int(length[made_so].max())
        for b in np.flatnonzero(placed & parted & (length <= longest)).tolist():
            found.setdefault(b, 1)
    return found


def _cohesion_cuts(
    text: str, blocks: Blocks, heading: Bool, linked: Bool, boxed: Bool, known: list[int]
) -> list[tuple[int, float]]:
    """Headlines that no credit line gives away, with the score of each.

    The surest are taken first; they bound the prose that the others are then measured on.
    """
    n, length = heading.size, blocks.length()
    prose = np.flatnonzero(~heading & (length >= LEAD_TOKENS))
    given = set(known)
    possible = [
        b
        for b in np.flatnonzero(heading & (length >= HEADLINE_TOKENS)).tolist()
        if 0 < b < n - 1 and not heading[b + 1] and b not in given and b - 1 not in given
    ]
    if not possible or prose.size < 2:
        return []
    bags = Bags(text, blocks, prose)
    known_keys, times = np.unique(blocks.key[heading], return_counts=True)
    recurs = heading & np.isin(blocks.key, known_keys[times > 1], kind="sort")
    recurs[:-1] |= _alone_elsewhere(blocks.key, prose)[1:]
    # Where credit lines are the custom, an article without one is an exception.
    levels = (UNUSUAL,) if len(known) >= CUSTOM else (SURE, LIKELY)
    found: dict[int, float] = {}
    for least in levels:
        bounds = np.array(sorted({0, n, *known, *found}))
        for b in possible:
            if b in found:
                continue
            at = int(np.searchsorted(bounds, b))
            low, here, high = np.searchsorted(prose, (bounds[at - 1], b, bounds[at])).tolist()
            before = prose[max(low, here - WINDOW) : here]
            after = prose[here : min(high, here + WINDOW)]
            if before.size and after.size:
                score = bags.score(b, before, after)
                score += AFTER_LINKS * boxed[b] + LINKED_TO * recurs[b]
                echoed = bags.share(b, after[:3]) >= ECHOED
                doubtful = linked[b] or length[b] < SHORT
                if echoed and score >= (max(least, SURE) if doubtful else least):
                    found[b] = score
    return sorted(_once(blocks, found).items())


def _alone_elsewhere(key: U64, prose: I64) -> Bool:
    """bool[n]; prose that stands elsewhere too, and not with the same line after it."""
    out = np.zeros(key.size, dtype=np.bool_)
    _, which, times = np.unique(key[prose], return_inverse=True, return_counts=True)
    again = prose[times[which] > 1]
    behind = key[np.minimum(again + 1, key.size - 1)]
    _, which, pairs = np.unique(
        np.stack((key[again], behind)), axis=1, return_inverse=True, return_counts=True
    )
    out[again] = pairs[which.ravel()] == 1
    return out


def _after_boxes(heading: Bool, header: Bool) -> Bool:
    """bool[n]; headings with a header and a run of headings, its links, right before them."""
    out = np.zeros(heading.size, dtype=np.bool_)
    inside, links = False, 0
    for b in range(heading.size):
        out[b] = inside and links > 0 and heading[b]
        if header[b]:
            inside, links = True, 0
        elif heading[b]:
            links += 1
        else:
            inside = False
    return out


def _once(blocks: Blocks, found: dict[int, float]) -> dict[int, float]:
    """Of lines that recur only the likeliest is a headline; the others are links to it."""
    best: dict[int, int] = {}
    for b, score in found.items():
        other = best.get(int(blocks.key[b]))
        if other is None or score > found[other]:
            best[int(blocks.key[b])] = b
    return {b: found[b] for b in best.values()}


class Bags:
    """Weighted bags of stems of a dump's prose."""

    def __init__(self, text: str, blocks: Blocks, prose: I64) -> None:
        self._blocks = blocks
        self._stems_of = stems_of(text, blocks)
        seen = [np.unique(self._stems(b)) for b in prose.tolist()]
        stems, count = np.unique(np.concatenate(seen), return_counts=True)
        self._stems_known = stems
        self._weight: F64 = np.log((1 + prose.size) / (0.5 + count))

    def _stems(self, block: int) -> U32:
        stems = self._stems_of[block]
        found: U32 = stems[stems != 0]
        return found

    def _bag(self, blocks: I64) -> tuple[I64, F64]:
        stems = np.unique(np.concatenate([self._stems(b) for b in blocks.tolist()]))
        at = np.searchsorted(self._stems_known, stems)
        at = at[at < self._stems_known.size]
        known = at[np.isin(self._stems_known[at], stems)]
        return known, self._weight[known]

    def score(self, heading: int, before: I64, after: I64) -> float:
        """Log-odds that a heading begins an article, by `WEIGHTS`."""
        return float(np.dot(WEIGHTS, self.features(heading, before, after)))

    def features(self, heading: int, before: I64, after: I64) -> tuple[float, ...]:
        """What tells a headline from a subheading, in the order of `WEIGHTS`."""
        blocks = self._blocks
        shape = int(blocks.shape[heading])
        length = int(blocks.pointer[heading + 1] - blocks.pointer[heading])
        return (
            1.0,
            self.similarity(before, after),
            self.similarity(before[-2:], after[:2]),
            self.share(heading, after[:1]),
            self.share(heading, after[:3]),
            self.share(heading, before),
            float(min(length, 12)),
            float(shape & (kernels.DOTS | kernels.COLON) != 0),
            float(shape & kernels.COLON_END != 0),
            float(shape & kernels.QUESTION != 0),
        )

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
