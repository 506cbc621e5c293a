"""Which copy stays: the order in which records may represent others."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import numpy as np

from dedup.records import I32, I64
from dedup.text.corpus import Corpus


def rank_of(corpus: Corpus, keep: str) -> I64:
    """int64[records]; the place of each record, 0 for the one that stays before all others.

    Records of earlier runs come first: what was written stays.
    """
    size = corpus.records
    rank = np.empty(size, dtype=np.int64)
    if keep == "longest":
        tokens = np.add.reduceat(
            np.append(corpus.blocks.length()[: corpus.n], 0),
            np.minimum(corpus.first[:-1], corpus.n),
        )
        tokens[corpus.first[1:] == corpus.first[:-1]] = 0
        order = np.argsort(-tokens, kind="stable")
    elif keep == "earliest":
        times = [moment(date) for date in corpus.dates]
        first = sorted(range(size), key=lambda r: (times[r] is None, times[r] or 0.0, r))
        order = np.array(first, dtype=np.int64)
    else:
        order = np.arange(size)
    seen = len(corpus.runs)
    order = np.concatenate((np.arange(seen), order[order >= seen]))
    rank[order] = np.arange(size)
    return rank


def keeping_order(corpus: Corpus, rank: I64) -> I32:
    """int32; all blocks, those that stay before others first; headlines and abstracts last."""
    record = corpus.record_of()
    order = np.arange(corpus.blocks.key.size, dtype=np.int32)
    if (rank[1:] < rank[:-1]).any():
        order[: corpus.n] = np.argsort(rank[record], kind="stable")
    return order


def moment(date: str) -> float | None:
    """Seconds since 1970 of a date as scrapers write it; None if it cannot be read.

    ISO 8601, the dates of e-mail and RSS, and seconds or milliseconds since 1970 are read; a date
    without a time zone is taken as UTC.
    """
    date = date.strip()
    try:
        number = float(date)
        if not math.isfinite(number):
            return None
        return number / 1000 if abs(number) > 1e11 else number
    except ValueError:
        pass
    for read in (lambda d: datetime.fromisoformat(d.replace("Z", "+00:00")), parsedate_to_datetime):
        try:
            found = read(date)
        except (ValueError, TypeError, IndexError):
            continue
        if found.tzinfo is None:
            found = found.replace(tzinfo=timezone.utc)
        return found.timestamp()
    return None
