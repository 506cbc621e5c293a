"""Stories: records that share matched blocks in the same order.

A story is a star as a group is: every record was measured against the one that leads it.
"""

from __future__ import annotations

import numpy as np

from dedup.match import kernels
from dedup.match.groups import Groups
from dedup.match.passages import Scratch, counted
from dedup.records import I64, Bool
from dedup.text.corpus import Corpus

LEADERS = 6  # a record is measured against the foremost records that a group stands in
_NONE = np.zeros(0, dtype=np.int64)
LEAST_TOKENS = 20  # less than this in common makes no story, unless it is all there is


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
    usable = ~out & (corpus.blocks.key[:n] != 0)
    # Only groups that stand in several blocks can be shared.
    blocks = np.flatnonzero(usable & (groups.sizes() > 1)[groups.representative[:n]])
    if not blocks.size:
        return leader
    length = corpus.blocks.length()[:n]
    total = np.bincount(
        corpus.record_of()[usable], weights=length[usable], minlength=corpus.records
    )
    one, other, least = _candidates(corpus, groups, rank, blocks, length, total, share)
    if not one.size:
        return leader
    which, label, first = counted(corpus, groups, usable)
    scratch = Scratch(first)
    kernels.lead(
        label, length[which], first, one, other, least, share, LEAST_TOKENS,
        scratch.table, scratch.room, scratch.one, scratch.other, leader,
    )  # fmt: skip
    return leader


def _candidates(
    corpus: Corpus, groups: Groups, rank: I64, blocks: I64, length: I64, total: I64, share: float
) -> tuple[I64, I64, I64]:
    """Pairs of records that share enough, in whatever order, for one story.

    Args:
        blocks: that may be shared.
        length: int64[n]; tokens of each block.
        total: float64[records]; tokens of all that count.

    Returns:
        The later record of each pair, the one that may lead it, and the tokens of the shorter
        one; pairs of the foremost later record first.
    """
    record = corpus.record_of()[blocks].astype(np.int64)
    representative = groups.representative[blocks].astype(np.int64)
    # One row for each group and record it stands in, the foremost records of a group first.
    code = representative * corpus.records + rank[record]
    _, at = np.unique(code, return_index=True)
    group_of, member, weight = representative[at], record[at], length[blocks[at]]
    begins = np.flatnonzero(np.append(True, group_of[1:] != group_of[:-1]))
    place = np.arange(group_of.size) - np.repeat(begins, np.diff(np.append(begins, group_of.size)))
    pairs = []
    for k in range(LEADERS):
        late = np.flatnonzero(place > k)
        if not late.size:
            break
        ahead = late - place[late] + k
        pairs.append((member[ahead] * corpus.records + member[late], weight[late]))
    if not pairs:
        return _NONE, _NONE, _NONE
    codes, inverse = np.unique(np.concatenate([c for c, _ in pairs]), return_inverse=True)
    shared_tokens = np.bincount(inverse, weights=np.concatenate([w for _, w in pairs]))
    one, other = codes // max(1, corpus.records), codes % max(1, corpus.records)
    least = np.minimum(total[one], total[other])
    close = np.flatnonzero(
        (shared_tokens >= share * least) & (shared_tokens >= np.minimum(least, LEAST_TOKENS))
    )
    close = close[np.argsort(rank[other[close]], kind="stable")]
    return other[close], one[close], least[close].astype(np.int64)
