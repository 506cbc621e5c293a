"""Loops over shingle sets: comparing two, and grouping many around representatives.

The naive twins are in tests/twins.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel
from dedup.sketch.kernels import shingle_hash

RUN = 64  # values sorted by themselves: as many as a word has bits
TOGETHER = 16  # values compared together
_MOST = np.uint64(0xFFFFFFFFFFFFFFFF)
GAP = 4  # blocks between two matched neighbours that may still be one passage
_PRIME = np.uint64(0x100000001B3)
_at = np.uint64  # an index that cannot be negative


@kernel("int64(uint32[], int64[], int32[], int64, uint64[], int64[], uint64[])")
def shingle_sets(
    tokens: Any, pointer: Any, which: Any, width: Any, spare: Any, out_pointer: Any, out: Any
) -> int:
    """Sorted shingle hashes of blocks, each hash once.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks.
        width: tokens in a shingle.
        spare: uint64, room for a hash a token of the longest block, and for RUN; overwritten.
        out_pointer: int64[m + 1] out; where each set begins.
        out: uint64 out, room for a hash a token.

    Returns:
        The number of hashes.
    """
    total = 0
    for i in range(which.size):
        out_pointer[i] = total
        lo, hi = pointer[which[i]], pointer[which[i] + 1] - width + 1
        begun = total
        for t in range(lo, hi):
            out[total] = shingle_hash(tokens, t, width)
            total += 1
        _sort(out, begun, total, spare)
        unique = begun
        for k in range(begun, total):
            if k == begun or out[k] != out[k - 1]:
                out[unique] = out[k]
                unique += 1
        total = unique
    out_pointer[which.size] = total
    return total


def _sort(values: Any, lo: Any, hi: Any, spare: Any) -> None:
    """Sort in place: short runs by themselves, long ones merged from them, two by two.

    Compiling `ndarray.sort` costs two seconds, this a tenth of one.
    """
    for at in range(lo, hi, RUN):
        _sort_run(values, at, min(at + RUN, hi), spare)
    size = RUN
    while size < hi - lo:
        for at in range(lo, hi - size, 2 * size):
            for k in range(size):
                spare[_at(k)] = values[_at(at + k)]
            i, j, k, stop = 0, at + size, at, min(at + 2 * size, hi)
            while i < size and j < stop:
                one, other = spare[_at(i)], values[_at(j)]
                later = other < one
                values[_at(k)] = other if later else one
                i += not later
                j += later
                k += 1
            while i < size:
                values[_at(k)] = spare[_at(i)]
                i += 1
                k += 1
        size *= 2


def _sort_run(values: Any, lo: Any, hi: Any, spare: Any) -> None:
    """Put each of a few values where as many stand before it as are less: no branches, and the
    compiler compares four at once. Of equal ones each takes the next place that is free.
    """
    n = hi - lo
    full = (n + TOGETHER - 1) // TOGETHER * TOGETHER
    for k in range(n):
        spare[_at(k)] = values[_at(lo + k)]
    for k in range(n, full):
        spare[_at(k)] = _MOST  # less than none
    taken = np.uint64(0)
    for i in range(n):
        value, place = spare[_at(i)], 0
        for k in range(full):
            place += spare[_at(k)] < value
        while taken >> np.uint64(place) & np.uint64(1):
            place += 1
        taken |= np.uint64(1) << np.uint64(place)
        values[_at(lo + place)] = value


@kernel("void(uint32[], int64[], int64[], int32[])")
def confirm(tokens: Any, pointer: Any, which: Any, first: Any) -> None:
    """Part blocks that were taken for equal from those that have other tokens.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks.
        first: int32[m]; of each, the position in `which` of a block that may be equal; its own
            where it is not; in and out.
    """
    for i in range(which.size):
        if first[i] == i:
            continue
        a, b = which[i], which[first[i]]
        size = pointer[a + 1] - pointer[a]
        same = pointer[b + 1] - pointer[b] == size
        k = 0
        while same and k < size:
            same = tokens[_at(pointer[a] + k)] == tokens[_at(pointer[b] + k)]
            k += 1
        if not same:
            first[i] = i


def jaccard(sets: Any, a: Any, a_end: Any, b: Any, b_end: Any, least: Any) -> float:
    """|A and B| / |A or B| of two sorted runs of `sets`; 0 as soon as it must be under `least`."""
    n, m = a_end - a, b_end - b
    if n == 0 or m == 0 or min(n, m) < least * max(n, m):
        return 0.0
    # Of n + m elements at least this many must be shared; so many of each side may be missed.
    needed = int(least / (1 + least) * (n + m) - 1e-9)
    spare, spare_other = n - needed, m - needed
    both = 0
    while a < a_end and b < b_end and spare >= 0 and spare_other >= 0:
        x, y = sets[_at(a)], sets[_at(b)]
        if x == y:
            both += 1
            a += 1
            b += 1
        elif x < y:
            a += 1
            spare -= 1
        else:
            b += 1
            spare_other -= 1
    similarity = both / (n + m - both)
    return similarity if similarity >= least else 0.0


@kernel(
    "int64(uint64[], int64[], int32[], int64[], int64[], float64, int64, int32[], int32[], "
    "int32[], int64[], int64[], float64[])"
)
def group(
    sets: Any, pointer: Any, bucket: Any, bucket_pointer: Any, order: Any, threshold: Any, cap: Any,
    head: Any, owner: Any, chain: Any, seen: Any, representative: Any, similarity: Any,
) -> int:  # fmt: skip
    """Give every member the most similar representative, or make it one.

    Members come in `order`; each is compared with the representatives it shares a bucket with, so
    a group is a star: all were measured against its centre, and A~B, B~C joins no A and C.

    Args:
        sets: uint64; sorted shingle sets, member after member.
        pointer: int64[m + 1]; where each set begins.
        bucket: int32; the buckets that each member stands in, member after member.
        bucket_pointer: int64[m + 1]; where each member's buckets begin.
        order: int64[m]; members, the ones that should stay first.
        threshold: least Jaccard similarity.
        cap: comparisons for one member at most.
        head: int32[buckets] scratch, filled with -1; the last representative of each bucket, as
            a place in `bucket`.
        owner: int32[bucket.size] scratch; the member at such a place.
        chain: int32[bucket.size] scratch; the place of the representative before it.
        seen: int64[m] scratch, filled with -1.
        representative: int64[m] out; a member, itself for representatives.
        similarity: float64[m] out; to the representative, 1.0 for itself.

    Returns:
        How many members had more to compare with than `cap` allowed.
    """
    cut = 0
    for i in order:
        best, best_similarity, compared, stopped = i, 0.0, 0, False
        for place in range(bucket_pointer[i], bucket_pointer[i + 1]):
            at = head[bucket[place]]
            while at >= 0:
                r = owner[at]
                if seen[r] != i:
                    seen[r] = i
                    if compared == cap:
                        stopped = True
                        break
                    compared += 1
                    s = jaccard(
                        sets, pointer[i], pointer[i + 1], pointer[r], pointer[r + 1], threshold
                    )
                    if s > best_similarity:
                        best, best_similarity = r, s
                at = chain[at]
            if stopped:
                break
        cut += stopped
        representative[i] = best
        similarity[i] = best_similarity if best != i else 1.0
        if best == i:
            for place in range(bucket_pointer[i], bucket_pointer[i + 1]):
                owner[place] = i
                chain[place] = head[bucket[place]]
                head[bucket[place]] = place
    return cut


@kernel(
    "int64(uint64[], int64[], int32[], int64[], int64[], int64[], float64, int64, int32[], "
    "int32[], int32[], int64[], int64[], float64[])",
    seldom=True,
)
def nearest(
    sets: Any, pointer: Any, bucket: Any, bucket_pointer: Any, known: Any, asked: Any,
    threshold: Any, cap: Any, head: Any, owner: Any, chain: Any, seen: Any, found: Any,
    similarity: Any,
) -> int:  # fmt: skip
    """Find for each member asked about the most similar one of those known, unlike `group` all.

    Args:
        sets: uint64; sorted shingle sets, member after member.
        pointer: int64[m + 1]; where each set begins.
        bucket: int32; the buckets that each member stands in, member after member.
        bucket_pointer: int64[m + 1]; where each member's buckets begin.
        known: int64; members; of equally similar ones the lowest is found.
        asked: int64; members, none of them known.
        threshold: least Jaccard similarity.
        cap: comparisons for one member at most.
        head: int32[buckets] scratch, filled with -1.
        owner: int32[bucket.size] scratch.
        chain: int32[bucket.size] scratch.
        seen: int64[m] scratch, filled with -1.
        found: int64[m] out; for members asked about, the one found, or -1.
        similarity: float64[m] out; to it, 0 for none.

    Returns:
        How many members had more to compare with than `cap` allowed.
    """
    for i in known[::-1]:
        for place in range(bucket_pointer[i], bucket_pointer[i + 1]):
            owner[place] = i
            chain[place] = head[bucket[place]]
            head[bucket[place]] = place
    cut = 0
    for i in asked:
        best, best_similarity, compared, stopped = -1, 0.0, 0, False
        for place in range(bucket_pointer[i], bucket_pointer[i + 1]):
            at = head[bucket[place]]
            while at >= 0:
                r = owner[at]
                if seen[r] != i:
                    seen[r] = i
                    if compared == cap:
                        stopped = True
                        break
                    compared += 1
                    s = jaccard(
                        sets, pointer[i], pointer[i + 1], pointer[r], pointer[r + 1], threshold
                    )
                    if s > best_similarity or (s == best_similarity and 0 <= r < best):
                        best, best_similarity = r, s
                at = chain[at]
            if stopped:
                break
        cut += stopped
        found[i] = best
        similarity[i] = best_similarity
    return cut


@kernel("void(uint64[], int64[], int64[], int64[], float64[])")
def jaccards(sets: Any, pointer: Any, one: Any, other: Any, out: Any) -> None:
    """`jaccard` of pairs of sets.

    Args:
        sets: uint64; sorted sets, one after the other.
        pointer: int64[m + 1]; where each set begins.
        one: int64[k]; sets.
        other: int64[k]; sets.
        out: float64[k] out.
    """
    for p in range(one.size):
        a, b = one[p], other[p]
        out[p] = jaccard(sets, pointer[a], pointer[a + 1], pointer[b], pointer[b + 1], 0.0)


@kernel("void(uint32[], int64[], int64[], uint64[], int64[], int64[], int64[], float64[])")
def containments(
    tokens: Any, pointer: Any, which: Any, words: Any, word_pointer: Any, one: Any, other: Any,
    out: Any,
) -> None:  # fmt: skip
    """Share of a block's tokens that stand in another block, for pairs of blocks.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks.
        words: uint64; the sorted sets of their tokens, as shingles of width 1.
        word_pointer: int64[m + 1]; where each set begins.
        one: int64[k]; positions in `which`.
        other: int64[k]; positions in `which`.
        out: float64[k] out; 0 for blocks without tokens.
    """
    for p in range(one.size):
        at, end = pointer[which[one[p]]], pointer[which[one[p]] + 1]
        inside = 0
        for t in range(at, end):
            h = shingle_hash(tokens, t, 1)
            low, high = word_pointer[other[p]], word_pointer[other[p] + 1]
            stop = high
            while low < high:
                middle = (low + high) // 2
                if words[middle] < h:
                    low = middle + 1
                else:
                    high = middle
            inside += low < stop and words[low] == h
        out[p] = inside / (end - at) if end > at else 0.0


def common_run(
    label: Any, a: Any, a_end: Any, b: Any, b_end: Any, table: Any, room: Any, one: Any, other: Any
) -> int:
    """Pairs of equally labelled blocks of two records, ascending on both sides: the most there are.

    A label's k-th block in one record pairs with its k-th in the other. The longest ascending run
    of the pairs is found by patience sorting (Fredman 1975).

    Args:
        label: int32[n]; each block's representative.
        a: the first record's first block.
        a_end: the block after its last.
        b: the second record's first block.
        b_end: the block after its last.
        table: int32[2**k > b_end - b] scratch.
        room: int32[5, max(a_end - a, b_end - b)] scratch.
        one: int64 out; blocks of the first record.
        other: int64 out; blocks of the second.

    Returns:
        The number of pairs.
    """
    size = 1
    while size <= b_end - b:
        size *= 2
    mask = size - 1
    following, cursor, pair, before, tails = room[0], room[1], room[2], room[3], room[4]
    for k in range(size):
        table[k] = -1
    for j in range(b_end - b - 1, -1, -1):
        slot = _find(label, b, table, mask, label[b + j])
        following[j], cursor[j] = table[slot], j
        table[slot] = j
    length = 0
    for i in range(a_end - a):
        head = table[_find(label, b, table, mask, label[a + i])]
        if head < 0 or cursor[head] < 0:
            continue
        pair[i] = cursor[head]
        cursor[head] = following[pair[i]]
        low, high = 0, length
        while low < high:
            middle = (low + high) // 2
            if pair[tails[middle]] < pair[i]:
                low = middle + 1
            else:
                high = middle
        before[i] = tails[low - 1] if low > 0 else -1
        tails[low] = i
        length = max(length, low + 1)
    i = tails[length - 1] if length > 0 else -1
    for k in range(length - 1, -1, -1):
        one[k], other[k] = a + i, b + pair[i]
        i = before[i]
    return length


def _find(label: Any, b: Any, table: Any, mask: Any, wanted: Any) -> Any:
    """The slot of a label: where it stands, or would."""
    slot = np.int64((np.uint64(wanted) * _PRIME) >> np.uint64(7)) & mask
    while table[slot] >= 0 and label[b + table[slot]] != wanted:
        slot = (slot + 1) & mask
    return slot


@kernel(
    "void(int32[], int64[], int64[], int64[], int64[], int64[], float64, int64, int32[], "
    "int32[,], int64[], int64[], int64[])"
)
def lead(
    label: Any, length: Any, first: Any, late: Any, ahead: Any, least: Any,
    share: Any, least_tokens: Any, table: Any, room: Any, one: Any, other: Any, leader: Any,
) -> None:  # fmt: skip
    """Give every record the leader that it shares most with, in the same order.

    Args:
        label: int32[n]; each block's representative.
        length: int32[n]; its tokens.
        first: int64[r + 1]; where each record's blocks begin.
        late: int64[k]; records to be led, all pairs of one together, the foremost first.
        ahead: int64[k]; a record that may lead it. A record that is led leads none.
        least: int64[k]; tokens of the shorter one.
        share: least part of them that must be shared.
        least_tokens: fewer shared tokens make no story, unless they are all there are.
        table, room, one, other: scratch, as of `common_run`.
        leader: int64[r]; each record itself; out.
    """
    p = 0
    while p < late.size:
        record = late[p]
        best, best_part = record, 0.0
        while p < late.size and late[p] == record:
            candidate = ahead[p]
            if leader[candidate] == candidate and least[p] > 0:
                n = common_run(
                    label, first[record], first[record + 1], first[candidate],
                    first[candidate + 1], table, room, one, other,
                )  # fmt: skip
                shared = 0
                for k in range(n):
                    shared += length[one[k]]
                part = shared / least[p]
                better = part > best_part or (part == best_part and candidate < best)
                if better and part >= share and shared >= min(least[p], least_tokens):
                    best, best_part = candidate, part
            p += 1
        leader[record] = best


@kernel(
    "int64(int32[], bool[], int64[], int64[], int64[], int32[], int32[,], int64[], int64[], "
    "int64[], int64[], bool[])"
)
def gap_pairs(
    label: Any, line: Any, first: Any, records: Any, others: Any, table: Any, room: Any, one: Any,
    other: Any, block: Any, match: Any, framed: Any,
) -> int:  # fmt: skip
    """Pairs of blocks in the same gap between, or right next to, matched neighbours of two records.

    A run of matched neighbours is parted where more than GAP blocks lie between two.

    Args:
        label: int32[n]; each block's representative.
        line: bool[n]; blocks that are no paragraphs.
        first: int64[r + 1]; where each record's blocks begin.
        records: int64[k]; records.
        others: int64[k]; records that share blocks with them.
        table, room, one, other: scratch, as of `common_run`.
        block: int64 out; a block of the one.
        match: int64 out; a block of the other.
        framed: bool out; whether the two are the only paragraphs of a gap between matched blocks.

    Returns:
        The number of pairs; when there is no room for all, the outs hold the first ones.
    """
    total = 0
    for p in range(records.size):
        a, a_end = first[records[p]], first[records[p] + 1]
        b, b_end = first[others[p]], first[others[p] + 1]
        n = common_run(label, a, a_end, b, b_end, table, room, one, other)
        follows = False
        for k in range(n):
            i, j = one[k], other[k]
            leads = k + 1 < n and one[k + 1] - i <= GAP + 1 and other[k + 1] - j <= GAP + 1
            # Before a run, in a gap of it, and behind it; a match by itself makes no run.
            for place in range(2):
                if place == 0:
                    if follows or not leads:
                        continue
                    low, high, low_other, high_other = max(a, i - 1), i, max(b, j - 1), j
                elif leads:
                    low, high, low_other, high_other = i + 1, one[k + 1], j + 1, other[k + 1]
                elif follows:
                    low, high = i + 1, min(a_end, i + 2)
                    low_other, high_other = j + 1, min(b_end, j + 2)
                else:
                    continue
                mine, theirs = 0, 0
                for x in range(low, high):
                    mine += not line[x]
                for y in range(low_other, high_other):
                    theirs += not line[y]
                alone = place == 1 and leads and mine == 1 and theirs == 1
                for x in range(low, high):
                    for y in range(low_other, high_other):
                        if total < block.size:
                            block[total], match[total] = x, y
                            framed[total] = alone and not line[x] and not line[y]
                        total += 1
            follows = leads
    return total


@kernel(
    "int64(uint64[], int64[], uint64[], int64[], int32[], int32[], int32[], int32[], bool[], "
    "float64, int64, int64, uint8[], int64[], int64[], int64[])",
    seldom=True,
)
def shared_runs(
    sets: Any, pointer: Any, key: Any, length: Any, record: Any, block: Any, partner: Any,
    order: Any, usable: Any, threshold: Any, least: Any, least_tokens: Any, state: Any,
    first: Any, other: Any, count: Any,
) -> int:  # fmt: skip
    """Runs of sentences of a block that stand in the same order elsewhere in one record.

    From a sentence and its representative a run is extended to both sides as long as the two next
    sentences are equal or alike. What a run is said to repeat stays: no later run takes it.

    Args:
        sets: uint64; sorted shingle sets, sentence after sentence.
        pointer: int64[m + 1]; where each set begins.
        key: uint64[m]; equal for sentences of equal tokens.
        length: int64[m]; tokens.
        record: int32[m]; the record of each sentence.
        block: int32[m]; the block of each.
        partner: int32[m]; its representative, itself if it has none.
        order: int32[m]; sentences, the ones that should stay first.
        usable: bool[m]; whether it may be in a run.
        threshold: least Jaccard similarity.
        least: sentences of a run.
        least_tokens: tokens of a run.
        state: uint8[m] scratch, zeros.
        first: int64 out; the first sentence of each run.
        other: int64 out; the first one of what it repeats.
        count: int64 out; sentences of each run.

    Returns:
        The number of runs.
    """
    runs = 0
    for u in order:
        v = partner[u]
        if v == u or not usable[u] or not usable[v] or state[u] != 0 or state[v] == 1:
            continue
        lo, hi, shift = u, u, v - u
        # A record may repeat itself, but not what is part of the run.
        within = record[u] == record[v]
        while (
            lo > 0
            and block[lo - 1] == block[u]
            and not (within and v >= lo - 1)
            and _repeats(
                sets, pointer, key, record, usable, threshold, state, lo - 1, lo - 1 + shift, v
            )
        ):
            lo -= 1
        while (
            hi + 1 < key.size
            and block[hi + 1] == block[u]
            and not (within and hi + 1 + shift >= lo)
            and _repeats(
                sets, pointer, key, record, usable, threshold, state, hi + 1, hi + 1 + shift, v
            )
        ):
            hi += 1
        tokens = 0
        for k in range(lo, hi + 1):
            tokens += length[k]
        if hi - lo + 1 < least or tokens < least_tokens:
            continue
        for k in range(lo, hi + 1):
            state[k] = 1
            state[k + shift] = 2
        first[runs], other[runs], count[runs] = lo, lo + shift, hi - lo + 1
        runs += 1
    return runs


def _repeats(
    sets: Any, pointer: Any, key: Any, record: Any, usable: Any, threshold: Any, state: Any,
    a: Any, b: Any, seed: Any,
) -> Any:  # fmt: skip
    """Whether sentence a may go because of b, which must stand in the seed's record."""
    if b < 0 or b >= key.size or record[b] != record[seed]:
        return False
    if not usable[a] or not usable[b] or state[a] != 0 or state[b] == 1:
        return False
    if key[a] == key[b]:
        return True
    return jaccard(sets, pointer[a], pointer[a + 1], pointer[b], pointer[b + 1], threshold) > 0
