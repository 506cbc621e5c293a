"""Loops over the bytes of JSON lines: where lines and values are, lines without what goes, and
what goes.

Nothing is decoded: spans are cut out of a text as it was written, escapes and all. Arrays in,
arrays out; every constant stands here. The naive twins are in tests/twins.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel
from dedup.text.bits import below, first_equal, first_less, word_at

# Bytes looked at together, and for one byte alone. The compiler unrolls loops of fewer, byte by
# byte, and takes none of their bytes at once.
STRIDE, LONG = 64, 128
QUOTE, BACKSLASH, COLON, COMMA = 0x22, 0x5C, 0x3A, 0x2C
OPEN, CLOSE, OPEN_LIST, CLOSE_LIST = 0x7B, 0x7D, 0x5B, 0x5D
NOT_FOUND, ESCAPED = -1, -2
LAST = 1 << 62  # more characters than any text has
SIMPLE = (0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74)  # what may follow a backslash, but u
DEEPEST = 60  # lists and objects in one another that are followed
FIELD = (0x2C, 0x22, 0x64, 0x65, 0x64, 0x75, 0x70, 0x22, 0x3A)  # ,"dedup":
AROUND = len(FIELD) + 1  # bytes of an added field besides its value, and of the line's end
_at = np.uint64  # an index that cannot be negative


@kernel("int64(uint8[], int64)")
def count_byte(buf: Any, byte: Any) -> int:
    """How often a byte occurs; ten times as fast as `bytes.count`.

    Args:
        buf: uint8.
        byte: 0 to 255.
    """
    wanted = np.uint8(byte)
    total = 0
    for c in buf:
        total += c == wanted
    return total


@kernel("(int64, int64, int64)(uint8[], int64, int64, int64)")
def count_bytes(buf: Any, first: Any, second: Any, third: Any) -> tuple[int, int, int]:
    """How often each of three bytes occurs.

    Args:
        buf: uint8.
        first: 0 to 255.
        second: 0 to 255.
        third: 0 to 255.
    """
    one, two, three = np.uint8(first), np.uint8(second), np.uint8(third)
    ones, twos, threes = 0, 0, 0
    i = 0
    while i + LONG <= buf.size:
        a, b, c = np.uint8(0), np.uint8(0), np.uint8(0)  # sums of eight bits are four times as fast
        for k in range(LONG):
            byte = buf[_at(i + k)]
            a = np.uint8(a + np.uint8(byte == one))
            b = np.uint8(b + np.uint8(byte == two))
            c = np.uint8(c + np.uint8(byte == three))
        ones, twos, threes = ones + np.int64(a), twos + np.int64(b), threes + np.int64(c)
        i += LONG
    for k in range(i, buf.size):
        ones += buf[_at(k)] == one
        twos += buf[_at(k)] == two
        threes += buf[_at(k)] == three
    return ones, twos, threes


@kernel("int64(uint8[], int64[], int64[])")
def line_bounds(buf: Any, start: Any, end: Any) -> int:
    r"""Where the lines of a piece begin and end, without the white space around them.

    Args:
        buf: uint8; lines end at \n and nowhere else, the last one also at the end.
        start: int64 out, one more than there are \n; each line's first byte.
        end: int64 out; the byte after its last, equal to `start` where there is none.

    Returns:
        The number of lines.
    """
    n, i = 0, 0
    while i < buf.size:
        stop = _next(buf, i, 0x0A)
        first, last = i, stop
        while first < last and _blank(buf[_at(first)]):
            first += 1
        while first < last and _blank(buf[_at(last - 1)]):
            last -= 1
        start[n], end[n] = first, last
        n += 1
        i = stop + 1
    return n


@kernel("void(uint8[], int64[], int64[])")
def widen(buf: Any, start: Any, end: Any) -> None:
    r"""Take the white space around lines into them, but for the \n at their end.

    Args:
        buf: uint8; holds the lines.
        start: int64[n] in and out; each line's first byte.
        end: int64[n] in and out; the byte after its last.
    """
    for r in range(start.size):
        i = start[r]
        while i > 0 and _blank(buf[_at(i - 1)]):
            i -= 1
        start[r] = i
        i = end[r]
        while i < buf.size and _blank(buf[_at(i)]):
            i += 1
        end[r] = i


@kernel("void(uint8[], int64[], int64[], uint8[], int64[], int64[,], int64[,], bool[])")
def find_fields(
    buf: Any, start: Any, end: Any, names: Any, name_start: Any, value_start: Any, value_end: Any,
    plain: Any,
) -> None:  # fmt: skip
    """Find the values that JSON objects hold under some names; of several, the last.

    Args:
        buf: uint8; holds what may be objects, in UTF-8.
        start: int64[n]; each one's first byte.
        end: int64[n]; the byte after its last.
        names: uint8; JSON strings without their quotes, one after the other.
        name_start: int64[m + 1]; where each begins in `names`, and the end of the last.
        value_start: int64[n, m] out; each value's first byte. NOT_FOUND where there is none.
        value_end: int64[n, m] out; the byte after its last.
        plain: bool[n] out; whether this is all that is to be known. False for what is no valid
            JSON object (RFC 8259), and for objects deeper than DEEPEST or with an escape in a name,
            which may be any.
    """
    for r in range(start.size):
        for k in range(name_start.size - 1):
            value_start[r, k] = value_end[r, k] = NOT_FOUND
        plain[r] = False
        i, stop = start[r], end[r]
        if i == stop or buf[_at(i)] != OPEN:
            continue
        i = _past_blank(buf, i + 1, stop)
        closed = i < stop and buf[_at(i)] == CLOSE
        i += closed
        while not closed and i < stop and buf[_at(i)] == QUOTE:
            name = i + 1
            i = _past_string(buf, i, stop)
            if i == NOT_FOUND:
                break
            k = _which(buf, name, i - 1, names, name_start)
            value = _past_colon(buf, i, stop)
            if k == ESCAPED or value == NOT_FOUND:
                break
            i = _past_value(buf, value, stop)
            if i == NOT_FOUND:
                break
            if k != NOT_FOUND:
                value_start[r, k], value_end[r, k] = value, i
            i = _past_blank(buf, i, stop)
            if i < stop and buf[_at(i)] == COMMA:
                i = _past_blank(buf, i + 1, stop)
            elif i < stop and buf[_at(i)] == CLOSE:
                closed = True
                i += 1
            else:
                break
        plain[r] = closed and i == stop


@kernel("void(uint8[], int64[], int64[], int64[], int64[])")
def byte_places(buf: Any, value_start: Any, first: Any, chars: Any, places: Any) -> None:
    r"""Where characters of JSON strings stand among their bytes; \n and \u0627 are one character.

    Args:
        buf: uint8; holds the strings, valid JSON.
        value_start: int64[n]; the quote that each string begins with.
        first: int64[n + 1]; `chars[first[r]:first[r + 1]]` are of string r.
        chars: int64; numbers of characters, not falling within a string; its length is one.
        places: int64 out; each one's first byte in `buf`.
    """
    for r in range(value_start.size):
        i, count = value_start[r] + 1, 0
        for c in range(first[r], first[r + 1]):
            i, count = _forward(buf, i, buf.size, count, chars[c])
            while (buf[_at(i)] & 0xC0) == 0x80:
                i += 1
            places[c] = i


@kernel(
    "int64(uint8[], int64[], int64[], int64[], int64[], int64[], int64[], int64[], uint8[], "
    "int64[], int64[], uint8[])"
)
def splice(
    buf: Any, start: Any, end: Any, outer_end: Any, first: Any, stop: Any, cut_start: Any,
    cut_end: Any, added: Any, added_start: Any, added_end: Any, out: Any,
) -> int:  # fmt: skip
    r"""Copy JSON objects without some of their bytes, each with a "dedup" field more, as lines.

    Args:
        buf: uint8; holds the objects, none of them empty.
        start: int64[n]; each line's first byte, before its object.
        end: int64[n]; the byte after the last of its object.
        outer_end: int64[n]; the byte after the last of the line.
        first: int64[n]; the first cut of each object.
        stop: int64[n]; the cut after its last.
        cut_start: int64; the first byte that goes, in order within an object.
        cut_end: int64; the byte after the last that goes.
        added: uint8; holds the values of the new fields.
        added_start: int64[n]; each one's first byte.
        added_end: int64[n]; the byte after its last.
        out: uint8 out; as long as the lines, the values and `AROUND` bytes a line.

    Returns:
        The number of bytes.
    """
    total = 0
    for r in range(start.size):
        at = start[r]
        for c in range(first[r], stop[r]):
            total = _copy(buf, at, cut_start[c], out, total)
            at = cut_end[c]
        total = _copy(buf, at, end[r] - 1, out, total)
        for c in FIELD:
            out[_at(total)] = c
            total += 1
        total = _copy(added, added_start[r], added_end[r], out, total)
        out[_at(total)] = CLOSE
        total = _copy(buf, end[r], outer_end[r], out, total + 1)
        out[_at(total)] = 0x0A
        total += 1
    return total


@kernel(
    "int64(uint8[], int64[], int64[], int64[], int64[], int64[], int64[], int64[], int64[], "
    "uint8[], int64[], uint8[], int64[])"
)
def misfit(
    buf: Any, text_start: Any, text_end: Any, first: Any, stop: Any, cut_start: Any, cut_end: Any,
    char_start: Any, char_end: Any, cleaned: Any, cleaned_at: Any, removed: Any, removed_at: Any,
) -> int:  # fmt: skip
    """Compare JSON strings with what was written of them: what stays and what goes, each in its
    place, must be all of a string.

    Args:
        buf: uint8; holds the strings, valid JSON.
        text_start: int64[n]; the quote that each begins with.
        text_end: int64[n]; the byte after the quote that it ends with.
        first: int64[n]; the first cut of each.
        stop: int64[n]; the cut after its last.
        cut_start: int64[k]; the first byte that goes.
        cut_end: int64[k]; the byte after the last that goes.
        char_start: int64[k]; the first character that goes, as it is told.
        char_end: int64[k]; the character after the last that goes.
        cleaned: uint8; holds what stays of each.
        cleaned_at: int64[n]; the quote that this begins with.
        removed: uint8; holds what goes.
        removed_at: int64[k]; where each cut's bytes begin.

    Returns:
        The number of the first string that does not fit, or NOT_FOUND.
    """
    for r in range(text_start.size):
        at, to, chars = text_start[r], cleaned_at[r], 0
        inside, last = at + 1, text_end[r] - 1
        if to < 0:
            return r
        for c in range(first[r], stop[r]):
            start, end = cut_start[c], cut_end[c]
            if start < inside or end <= start or end > last:
                return r
            size = start - at
            if to + size > cleaned.size or removed_at[c] + end - start > removed.size:
                return r
            if removed_at[c] < 0:
                return r
            if not _same(buf, at, cleaned, to, size):
                return r
            if not _same(buf, start, removed, removed_at[c], end - start):
                return r
            there, before = _forward(buf, inside, start, chars, LAST)
            beyond, chars = _forward(buf, start, end, before, LAST)
            if there != start or beyond != end or before != char_start[c] or chars != char_end[c]:
                return r
            at = inside = end
            to += size
        size = text_end[r] - at
        if to + size > cleaned.size or not _same(buf, at, cleaned, to, size):
            return r
    return NOT_FOUND


@kernel("void(uint8[], int64[], int64[])")
def elements(buf: Any, start: Any, end: Any) -> None:
    """Where the values of a JSON list stand.

    Args:
        buf: uint8; the list, without white space, and with no value deeper than DEEPEST.
        start: int64[n] out; each value's first byte.
        end: int64[n] out; the byte after its last.
    """
    i = 1
    for r in range(start.size):
        start[r] = i
        i = _past_value(buf, i, buf.size)
        end[r] = i
        i += 1


@kernel("void(uint8[], int64[,], int64[,], uint8[], int64[])")
def join(buf: Any, start: Any, end: Any, out: Any, bounds: Any) -> None:
    """Copy pieces of bytes, one after the other.

    Args:
        buf: uint8; holds the pieces.
        start: int64[n, m]; the first byte of each of m pieces of n rows.
        end: int64[n, m]; the byte after its last.
        out: uint8 out; as long as all pieces.
        bounds: int64[n + 1] out; where each row begins in `out`, and the end of the last.
    """
    total = 0
    for r in range(start.shape[0]):
        bounds[r] = total
        for c in range(start.shape[1]):
            total = _copy(buf, start[r, c], end[r, c], out, total)
    bounds[start.shape[0]] = total


@kernel(
    "int64(int64[], int64[], int32[], int32[], uint8[], int64[], int64[], int64[], uint8[], "
    "int64, int64[], int64[], int64[], uint8[], int64[], int64[])"
)
def cuts(
    first: Any, length: Any, block_start: Any, block_end: Any, kind: Any, extra_block: Any,
    extra_start: Any, extra_end: Any, extra_kind: Any, blank: Any, out_first: Any,
    out_start: Any, out_end: Any, out_kind: Any, out_block: Any, out_extra: Any,
) -> int:  # fmt: skip
    """The spans of texts that go, in order; none begins before the one before it ends.

    One begins at a removed block's first character and takes the white space behind it; white space
    left at either end of a text is one, too. A block may go in pieces: each extra span of it, and
    the rest.

    Args:
        first: int64[n + 1]; where each text's blocks begin.
        length: int64[n]; characters of each text.
        block_start: int32; each block's first character.
        block_end: int32; the character after its last.
        kind: uint8; what each block is removed as, 0 for blocks that stay.
        extra_block: int64[m]; in order: blocks of which or behind which a span goes, whether the
            rest of them stays or goes.
        extra_start: int64[m]; its first character.
        extra_end: int64[m]; the character after its last.
        extra_kind: uint8[m]; what it is removed as.
        blank: the kind of white space.
        out_first: int64[n + 1] out; where each text's spans begin.
        out_start: int64 out, room for every block, every extra span and two a text; each span's
            first character.
        out_end: int64 out; the character after its last.
        out_kind: uint8 out; what it is removed as.
        out_block: int64 out; the block that it holds or is a part of, NOT_FOUND for white space.
        out_extra: int64 out; the extra span that it is, or NOT_FOUND.

    Returns:
        The number of spans.
    """
    n, e = 0, 0
    for r in range(first.size - 1):
        out_first[r] = n
        begin, stop = first[r], first[r + 1]
        gone, kept, last = False, NOT_FOUND, NOT_FOUND
        for b in range(begin, stop):
            if kind[b]:
                gone = True
            else:
                kept = b if kept == NOT_FOUND else kept
                last = b
        if gone and kept != begin and block_start[begin] > 0:
            out_start[n], out_end[n], out_kind[n] = 0, block_start[begin], blank
            out_block[n] = out_extra[n] = NOT_FOUND
            n += 1
        at = np.int64(0)  # what came before is told
        for b in range(begin, stop):
            end = np.int64(block_start[b + 1]) if b + 1 < stop else length[r]
            while e < extra_block.size and extra_block[e] < b:
                e += 1
            if kind[b]:
                at = np.int64(block_start[b])
            trailing = gone and b == last
            while e < extra_block.size and extra_block[e] == b:
                begins, ends = max(at, extra_start[e]), extra_end[e]
                if kind[b]:  # pieces leave nothing between them, and something for the rest
                    begins, ends = at, min(ends, np.int64(block_end[b]) - 1)
                if ends > begins and not (trailing and extra_kind[e] == blank):
                    out_start[n], out_end[n] = begins, ends
                    out_kind[n], out_extra[n] = extra_kind[e], e
                    out_block[n] = NOT_FOUND if extra_kind[e] == blank else b
                    n += 1
                    at = ends
                e += 1
            if kind[b]:
                out_start[n], out_end[n], out_kind[n] = at, end, kind[b]
                out_block[n], out_extra[n] = b, NOT_FOUND
                n += 1
                at = end
            elif trailing and end > max(at, np.int64(block_end[b])):
                out_start[n], out_kind[n] = max(at, np.int64(block_end[b])), blank
                out_end[n] = end
                out_block[n] = out_extra[n] = NOT_FOUND
                n += 1
    out_first[first.size - 1] = n
    return n


def _copy(buf: Any, start: Any, stop: Any, out: Any, total: Any) -> Any:
    for k in range(stop - start):
        out[_at(total + k)] = buf[_at(start + k)]
    return total + stop - start


def _same(one: Any, i: Any, other: Any, k: Any, size: Any) -> Any:
    """Whether as many bytes from `i` on in one array and from `k` on in the other are the same."""
    n = 0
    while size >= STRIDE and n < size:
        n = min(n, size - STRIDE)  # the last stride may begin within the one before it
        differ = np.uint8(0)
        for b in range(STRIDE):
            differ |= one[_at(i + n + b)] ^ other[_at(k + n + b)]
        if differ:
            return False
        n += STRIDE
    while n < size:
        if one[_at(i + n)] != other[_at(k + n)]:
            return False
        n += 1
    return True


def _forward(buf: Any, i: Any, stop: Any, count: Any, most: Any) -> Any:
    """Go on in a JSON string to `stop`, or until `most` characters have begun: where, how many."""
    while i < stop and count < most:
        if most - count >= STRIDE and i + STRIDE <= stop:
            escaped, seen = _stride(buf, i)
            if not escaped:
                i += STRIDE
                count += seen
                continue
            while buf[_at(i)] != BACKSLASH:
                count += (buf[_at(i)] & 0xC0) != 0x80
                i += 1
        if buf[_at(i)] == BACKSLASH:
            i += _escape(buf, i)
            count += 1
        else:
            count += (buf[_at(i)] & 0xC0) != 0x80
            i += 1
    return i, count


def _stride(buf: Any, i: Any) -> Any:
    """Whether there is a backslash in the stride at `i`, and how many characters begin in it."""
    escaped, seen = False, np.uint8(0)
    for k in range(STRIDE):
        c = buf[_at(i + k)]
        escaped |= c == BACKSLASH
        seen = np.uint8(seen + np.uint8((c & 0xC0) != 0x80))
    return escaped, np.int64(seen)


def _escape(buf: Any, i: Any) -> Any:
    """How many bytes the escaped character at `i` takes; a surrogate pair is one character."""
    if buf[_at(i + 1)] != 0x75:
        return 2
    high = (buf[_at(i + 2)] | 0x20) == 0x64 and (  # d8, d9, da, db
        buf[_at(i + 3)] == 0x38 or buf[_at(i + 3)] == 0x39
        or (buf[_at(i + 3)] | 0x20) == 0x61 or (buf[_at(i + 3)] | 0x20) == 0x62
    )  # fmt: skip
    return 12 if high else 6


def _which(buf: Any, first: Any, stop: Any, names: Any, name_start: Any) -> Any:
    """The number of a name; NOT_FOUND for another name, ESCAPED for one with an escape."""
    for i in range(first, stop):
        if buf[_at(i)] == BACKSLASH:
            return ESCAPED
    for k in range(name_start.size - 1):
        at = name_start[k]
        same = name_start[k + 1] - at == stop - first
        i = first
        while same and i < stop:
            same = buf[_at(i)] == names[_at(at + i - first)]
            i += 1
        if same:
            return k
    return NOT_FOUND


def _past_value(buf: Any, i: Any, stop: Any) -> Any:
    """The byte after the JSON value at `i`; NOT_FOUND if it is none, or too deep."""
    depth, objects = 0, 0  # a bit for each list or object around, 1 for an object
    while True:
        if i >= stop:
            return NOT_FOUND
        c = buf[_at(i)]
        if c in (OPEN, OPEN_LIST):
            if depth == DEEPEST:
                return NOT_FOUND
            depth += 1
            objects = 2 * objects + (c == OPEN)
            i = _past_blank(buf, i + 1, stop)
            if i >= stop or buf[_at(i)] != c + 2:  # "}" and "]" stand two behind "{" and "["
                if c == OPEN:
                    i = _past_name(buf, i, stop)
                    if i == NOT_FOUND:
                        return NOT_FOUND
                continue
        else:
            i = _past_string(buf, i, stop) if c == QUOTE else _past_scalar(buf, i, stop)
            if i == NOT_FOUND:
                return NOT_FOUND
        while True:
            if depth == 0:
                return i
            i = _past_blank(buf, i, stop)
            if i >= stop:
                return NOT_FOUND
            inside = objects & 1
            if buf[_at(i)] == COMMA:
                i = _past_blank(buf, i + 1, stop)
                if inside:
                    i = _past_name(buf, i, stop)
                    if i == NOT_FOUND:
                        return NOT_FOUND
                break
            if buf[_at(i)] != (CLOSE if inside else CLOSE_LIST):
                return NOT_FOUND
            i += 1
            depth -= 1
            objects >>= 1


def _past_name(buf: Any, i: Any, stop: Any) -> Any:
    """Where the value begins whose name is at `i`; NOT_FOUND if there is none."""
    if i >= stop or buf[_at(i)] != QUOTE:
        return NOT_FOUND
    i = _past_string(buf, i, stop)
    return NOT_FOUND if i == NOT_FOUND else _past_colon(buf, i, stop)


def _past_colon(buf: Any, i: Any, stop: Any) -> Any:
    """Where the value begins before which a colon comes at `i`; NOT_FOUND if none does."""
    i = _past_blank(buf, i, stop)
    if i >= stop or buf[_at(i)] != COLON:
        return NOT_FOUND
    return _past_blank(buf, i + 1, stop)


def _past_blank(buf: Any, i: Any, stop: Any) -> Any:
    """The next byte that is no white space of JSON."""
    while i < stop and (
        buf[_at(i)] == 0x20 or buf[_at(i)] == 0x0A or buf[_at(i)] == 0x0D or buf[_at(i)] == 0x09
    ):
        i += 1
    return i


def _past_string(buf: Any, i: Any, stop: Any) -> Any:
    """The byte after the JSON string at `i`; NOT_FOUND if it is none."""
    i += 1
    while i < stop:
        if i + STRIDE <= stop:
            found = False
            for k in range(STRIDE):
                c = buf[_at(i + k)]
                found |= (c == QUOTE) | (c == BACKSLASH) | (c < 0x20)
            if not found:
                i += STRIDE
                continue
            odd = _odd(word_at(buf, i))
            while odd == 0:
                i += 8
                odd = _odd(word_at(buf, i))
            i += np.int64(below(odd)) >> 3
        c = buf[_at(i)]
        if c == QUOTE:
            return i + 1
        if c < 0x20:
            return NOT_FOUND
        if c == BACKSLASH:
            size = _valid_escape(buf, i, stop)
            if size == 0:
                return NOT_FOUND
            i += size
        else:
            i += 1
    return NOT_FOUND


def _odd(word: Any) -> Any:
    """The upper bit of the first byte that ends a string, or is no letter of it."""
    return first_equal(word, QUOTE) | first_equal(word, BACKSLASH) | first_less(word, 0x20)


def _valid_escape(buf: Any, i: Any, stop: Any) -> Any:
    """How many bytes the escaped character at `i` takes, 0 if it is none."""
    if i + 1 >= stop:
        return 0
    c = buf[_at(i + 1)]
    if c != 0x75:
        for simple in SIMPLE:
            if c == simple:
                return 2
        return 0
    unit = _unit(buf, i, stop)
    if unit < 0xD800 or unit > 0xDFFF:
        return 0 if unit == NOT_FOUND else 6
    low = _unit(buf, i + 6, stop)
    return 12 if unit < 0xDC00 and 0xDC00 <= low < 0xE000 else 0


def _unit(buf: Any, i: Any, stop: Any) -> Any:
    r"""What \uXXXX at `i` stands for; NOT_FOUND if it does not stand there."""
    if i + 6 > stop or buf[_at(i)] != BACKSLASH or buf[_at(i + 1)] != 0x75:
        return NOT_FOUND
    value = 0
    for k in range(i + 2, i + 6):
        c = np.int64(buf[_at(k)])
        if 0x30 <= c <= 0x39:
            c -= 0x30
        else:
            c = (c | 0x20) - 0x61
            if c < 0 or c > 5:
                return NOT_FOUND
            c += 10
        value = 16 * value + c
    return value


def _past_scalar(buf: Any, i: Any, stop: Any) -> Any:
    """The byte after the number, true, false or null at `i`; NOT_FOUND if it is none."""
    c = buf[_at(i)]
    if c == 0x74:
        return i + 4 if _follow(buf, i, stop, 0x72, 0x75, 0x65) else NOT_FOUND
    if c == 0x6E:
        return i + 4 if _follow(buf, i, stop, 0x75, 0x6C, 0x6C) else NOT_FOUND
    if c == 0x66:
        false = _follow(buf, i, stop, 0x61, 0x6C, 0x73)
        return i + 5 if false and i + 4 < stop and buf[_at(i + 4)] == 0x65 else NOT_FOUND
    if c == 0x2D:
        i += 1
    first = i
    i = _past_digits(buf, i, stop)
    if i == first or (i > first + 1 and buf[_at(first)] == 0x30):
        return NOT_FOUND
    if i < stop and buf[_at(i)] == 0x2E:
        first = i + 1
        i = _past_digits(buf, first, stop)
        if i == first:
            return NOT_FOUND
    if i < stop and (buf[_at(i)] | 0x20) == 0x65:
        first = i + 1
        if first < stop and (buf[_at(first)] == 0x2B or buf[_at(first)] == 0x2D):
            first += 1
        i = _past_digits(buf, first, stop)
        if i == first:
            return NOT_FOUND
    return i


def _follow(buf: Any, i: Any, stop: Any, one: Any, two: Any, three: Any) -> Any:
    """Whether three bytes follow the one at `i`."""
    if i + 3 >= stop:
        return False
    here = buf[_at(i + 1)] == one and buf[_at(i + 2)] == two
    return here and buf[_at(i + 3)] == three


def _past_digits(buf: Any, i: Any, stop: Any) -> Any:
    while i < stop and buf[_at(i)] >= 0x30 and buf[_at(i)] <= 0x39:
        i += 1
    return i


def _next(buf: Any, i: Any, wanted: Any) -> Any:
    """The next place of a byte from `i` on; the end if there is none."""
    while i + LONG <= buf.size:
        found = False
        for k in range(LONG):
            found |= buf[_at(i + k)] == wanted
        if found:
            break
        i += LONG
    while i < buf.size and buf[_at(i)] != wanted:
        i += 1
    return i


def _blank(c: Any) -> Any:
    """Whether a byte is white space, but a line's end."""
    return c == 0x20 or c == 0x09 or (0x0B <= c <= 0x0D)
