"""Loops over UTF-8 bytes: cutting texts into blocks, folding blocks into tokens.

Arrays in, arrays out, nothing else; every constant a kernel needs stands in this file or comes as
an argument (Numba's cache does not see changes elsewhere). The naive twins are in
tests/twins.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.engines.compiled import kernel
from dedup.text.bits import below, word_at

# What a block's shape says, one bit each (`Blocks.shape`).
STOP = 1  # ends with a full stop: . ۔ (closing quotes and brackets aside)
QUESTION = 2  # ends with a question mark or an exclamation mark
COLON_END = 4
DOTS_END = 8  # ends with .. or …
DOTS = 16  # .. or … between words
COLON = 32  # : between words
SENTENCES = 64  # a stop or question mark, white space, and more words
BULLET = 128  # begins with a mark of a list or a note: * - • _ | > #
DASH = 256  # a free-standing separator between words: _ | – — / or a hyphen with a space
DEFERRED = 512  # must be folded by `fold`
NUMBERED = 1024  # begins with a number and a mark, as items of a list do
WAW = 2048  # begins with the letter waw, most often 'and'

# What a sign is, one bit each (`sign_table`).
SPACE, INVISIBLE, NEWLINE, CLOSING, DASHES, BULLETS, ENDS = 1, 2, 4, 8, 16, 32, 64

_MIX1 = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's 64-bit finalizer
_MIX2 = np.uint64(0xC4CEB9FE1A85EC53)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_SMALL = np.uint32(0x9E3779B1)
STRIDE, LONG = 32, 128  # bytes looked at together, and where little is done with each
WORD = 16  # letters of a word that its stem is made from
REACH = 40  # blocks after a heading among which its prose is looked for
_S4, _S6, _S8 = np.uint64(4), np.uint64(6), np.uint64(8)
_S13, _S16 = np.uint64(13), np.uint64(16)
_S32, _S33, _S48 = np.uint64(32), np.uint64(33), np.uint64(48)
_U0, _U1, _UFF = np.uint64(0), np.uint64(1), np.uint64(0xFF)
# Four letters of two bytes each, D8 to DB and 80 to BF, in one number.
_ONES, _HIGH = np.uint64(0x0001000100010001), np.uint64(0x8000800080008000)
_PAIRS, _PAIR_BITS = np.uint64(0x80D880D880D880D8), np.uint64(0xC0FCC0FCC0FCC0FC)
_LEADS, _CONTINUED = np.uint64(0x0003000300030003), np.uint64(0x003F003F003F003F)
_at = np.uint64  # an index that cannot be negative: Numba need not look where it counts from


def mix64(x: Any) -> Any:
    """MurmurHash3's 64-bit finalizer."""
    x ^= x >> _S33
    x *= _MIX1
    x ^= x >> _S33
    x *= _MIX2
    return x ^ (x >> _S33)


def _point(buf: Any, i: Any) -> Any:
    """The code point at byte i and the byte after it."""
    c = np.int64(buf[_at(i)])
    if c < 0x80:
        return c, i + 1
    if c < 0xE0:
        return ((c & 0x1F) << 6) | (np.int64(buf[_at(i + 1)]) & 0x3F), i + 2
    if c < 0xF0:
        return (
            ((c & 0x0F) << 12)
            | ((np.int64(buf[_at(i + 1)]) & 0x3F) << 6)
            | (np.int64(buf[_at(i + 2)]) & 0x3F)
        ), i + 3
    return (
        ((c & 0x07) << 18)
        | ((np.int64(buf[_at(i + 1)]) & 0x3F) << 12)
        | ((np.int64(buf[_at(i + 2)]) & 0x3F) << 6)
        | (np.int64(buf[_at(i + 3)]) & 0x3F)
    ), i + 4


def _sign(signs: Any, c: Any) -> Any:
    return np.int64(signs[c]) if c < signs.size else 0


def _plain(buf: Any, i: Any) -> Any:
    """Characters that begin in a stride of bytes; -1 if it holds more than plain ones.

    Plain are ASCII without controls and U+0600 to U+06FF (without U+061C, which shows nothing).
    """
    other, n = False, np.uint8(0)  # a sum of eight bits is four times as fast
    for k in range(STRIDE):
        c = buf[_at(i + k)]
        other |= _is_other(c)
        n = np.uint8(n + np.uint8((c < 0x80) | (c > 0xBF)))
    return -1 if other else np.int64(n)


def _plain_run(buf: Any, i: Any, stop: Any) -> Any:
    """The first byte from `i` on that is not plain, and the characters that begin before it."""
    n = 0
    while i < stop and not _is_other(buf[_at(i)]):
        n += (buf[_at(i)] < 0x80) | (buf[_at(i)] > 0xBF)
        i += 1
    return i, n


def _is_other(c: Any) -> Any:
    """Whether a byte may be one of a sign that is not plain."""
    return (c < 0x20) | (c == 0x7F) | (c == 0x9C) | ((c > 0xBF) & ((c < 0xD8) | (c > 0xDB)))


@kernel(
    "int64(uint8[], int64[], uint8[], bool, int32[], int64[], int64[], int32[], int32[], uint8[], "
    "int32[])"
)
def cut_blocks(
    buf: Any,
    starts: Any,
    signs: Any,
    lines: Any,
    record: Any,
    byte_start: Any,
    byte_end: Any,
    start: Any,
    end: Any,
    residue: Any,
    chars: Any,
) -> int:
    """Cut texts into blocks: lines with something visible, white space trimmed.

    Args:
        buf: uint8; the texts in UTF-8, one after the other.
        starts: int64[n + 1]; where each text begins in `buf`, and the end of the last.
        signs: uint8; `sign_table()`.
        lines: whether lines part blocks; a text is one block otherwise.
        record: int32 out; index of the text a block stands in.
        byte_start: int64 out; where the block begins in `buf`.
        byte_end: int64 out; where it ends.
        start: int32 out; where it begins in its text, in characters.
        end: int32 out; where it ends.
        residue: uint8 out; 1 where a line between this block and the next one of its text holds
            something that shows nothing.
        chars: int32[n] out; characters of each text.

    Returns:
        The number of blocks. The outs have room for as many as there are newlines and texts.
    """
    n = 0
    for r in range(starts.size - 1):
        i, stop = starts[r], starts[r + 1]
        char, begun = 0, n
        first_byte, last_byte, first, last = np.int64(-1), np.int64(0), 0, 0
        visible = False
        # Of the line up to the next \n: whether a block stands in it, whether it holds a sign
        # other than blanks; and whether such a line has passed since the last block.
        taken, odd, passed = True, False, False
        while i < stop:
            from_, seen = i, -1
            if i + STRIDE <= stop:
                seen = _plain(buf, i)
            if seen >= 0:  # nine of ten strides
                i += STRIDE
            else:
                i, seen = _plain_run(buf, i, stop)
            if i > from_ and buf[_at(i - 1)] >= 0xC0:  # half a letter
                i, seen = i - 1, seen - 1
            c, sign = 0x21, 0
            if i == from_:
                c, i = _point(buf, i)
                seen, sign = 1, _sign(signs, c)
            if sign & SPACE == 0:
                ahead, behind = 0, 0
                while from_ + ahead < i and buf[_at(from_ + ahead)] == 0x20:
                    ahead += 1
                if from_ + ahead < i:
                    while buf[_at(i - 1 - behind)] == 0x20:
                        behind += 1
                    if first_byte < 0:
                        first_byte, first = from_ + ahead, char + ahead
                    last_byte, last = i - behind, char + seen - behind
                    visible = visible or sign & INVISIBLE == 0
                    odd = True
            else:
                odd = odd or not (c == 0x20 or c == 0x09 or c == 0x0D or c == 0x0A)
            char += seen
            if (sign & NEWLINE == 0 or not lines) and i < stop:
                continue
            if visible:
                record[n] = r
                byte_start[n], byte_end[n] = first_byte, last_byte
                start[n], end[n] = first, last
                residue[n] = 0
                if passed:
                    residue[n - 1] = 1
                n += 1
                taken, passed = True, False
            if c == 0x0A:
                passed = passed or (odd and not taken and n > begun)
                taken, odd = False, False
            first_byte = np.int64(-1)
            visible = False
        chars[r] = char
    return n


@kernel("int64(uint8[])")
def count_newlines(buf: Any) -> int:
    """How many line ends a buffer can hold at most (a lead byte of U+2028 counts as one)."""
    total, i = 0, 0
    while i + LONG <= buf.size:
        n = np.uint8(0)
        for k in range(LONG):
            n = np.uint8(n + np.uint8(_may_end(buf[_at(i + k)])))
        total, i = total + np.int64(n), i + LONG
    for k in range(i, buf.size):
        total += _may_end(buf[_at(k)])
    return total


def _may_end(c: Any) -> Any:
    return (c == 10) | (c == 13) | (c == 0xE2)


def _stem(points: Any, n: Any) -> Any:
    """A rough stem of a folded token: no article or clitics in front, four letters at most.

    Returns 0 for what is too short to mean anything.
    """
    i = 0
    if n - i >= 5 and (points[_at(i)] == 0x648 or points[_at(i)] == 0x641):  # waw, fa
        i += 1
    if n - i >= 5 and (
        (points[_at(i)] == 0x628 or points[_at(i)] == 0x643)  # ba, kaf
        and points[_at(i + 1)] == 0x627
        and points[_at(i + 2)] == 0x644
    ):
        i += 3
    elif n - i >= 5 and (
        (points[_at(i)] == 0x627 and points[_at(i + 1)] == 0x644)
        or (points[_at(i)] == 0x644 and points[_at(i + 1)] == 0x644)
    ):
        i += 2
    elif n - i >= 5 and (points[_at(i)] == 0x628 or points[_at(i)] == 0x644):  # ba, lam
        i += 1
    if n - i < 3:
        return np.uint32(0)
    packed = _U0
    for k in range(i, min(n, i + 4)):
        packed = (packed << _S16) ^ np.uint64(points[_at(k)])
    return np.uint32(mix64(packed)) | np.uint32(1)


def _absorb(h: Any, units: Any, factor: Any) -> Any:
    """The hash of a token's letters so far and four more units of UTF-16.

    Two products: behind one alone, what the highest bit changes is known whatever the factor, and
    the next four can be made to change it back.
    """
    h = (h ^ units) * factor
    return (h ^ (h >> _S32)) * factor


def _push(h: Any, units: Any, filled: Any, unit: Any, factor: Any) -> Any:
    """A token of one unit more: its hash up to the last four, those behind, how many in all."""
    units |= np.uint64(unit) << np.uint64(16 * (filled & 3))
    filled += 1
    if filled & 3 == 0:
        return _absorb(h, units, factor), _U0, filled
    return h, units, filled


def _token(h: Any, units: Any, filled: Any, factor: Any) -> Any:
    """The hash of a token that ends here: of eight units at least, zeros if there are less."""
    if filled & 3:
        h = _absorb(h, units, factor)
    if filled <= 4:
        h = _absorb(h, _U0, factor)
    return _end(h)


def _end(h: Any) -> Any:
    return h ^ (h >> _S32)


def _plain_word(buf: Any, i: Any, plain: Any) -> Any:
    """The first eight letters of a word, or all, if they are plain ones of two bytes each.

    There are no branches: how long words are nobody can foretell.

    Returns:
        How many there are, 0 if one is not plain; the first four of them, folded, and the others.
    """
    one, two = word_at(buf, i), word_at(buf, i + 8)
    mine, more = _arabic(one), _arabic(two)
    four = _U0 - (mine >> _S6)  # all bits if there are four letters
    eight = _U0 - (more >> _S6)
    size = (mine + (more & four)) >> _S4
    one = _folded(one, plain) & (((_U1 << (mine & _S48)) - _U1) | four)
    two = _folded(two, plain) & (((_U1 << (more & _S48)) - _U1) | eight) & four
    return np.int64(0 if (one | two) & _HIGH != _U0 else size), one, two


def _begun(size: Any, one: Any, two: Any, start: Any, factor: Any) -> Any:
    """A token of one plain word so far, as `_push` takes it."""
    if size < 4:
        return start, one, size
    h = _absorb(start, one, factor)
    if size < 8:
        return h, two, size
    return _absorb(h, two, factor), _U0, size


def _is_space(buf: Any, i: Any) -> Any:
    """Whether a space stands here, or a comma and a space."""
    c = buf[_at(i)]
    return c == 0x20 or (c == 0xD8 and buf[_at(i + 1)] == 0x8C and buf[_at(i + 2)] == 0x20)


def _arabic(four: Any) -> Any:
    """Bits that the Arabic letters of two bytes take which four begin with; 64 for all.

    Letters are U+0620 to U+06FF here: what stands below are signs, the comma most often.
    """
    sign = ~(four | (four >> _U1) | (four >> _S13)) & _ONES
    other = ((four ^ _PAIRS) & _PAIR_BITS) | sign
    return below(other)


def _folded(four: Any, letters: Any) -> Any:
    """The folded letters of four two-byte letters, 16 bits each."""
    at = ((four & _LEADS) << _S6) | ((four >> _S8) & _CONTINUED)
    return (
        letters[at & _UFF]
        | (letters[(at >> _S16) & _UFF] << _S16)
        | (letters[(at >> _S32) & _UFF] << _S32)
        | (letters[at >> _S48] << _S48)
    )


def _chain(whole: Any, token: Any) -> Any:
    """The hash of some tokens and one more."""
    whole = (whole + token) * _MIX1
    return (whole ^ (whole >> _S33)) + _STEP


@kernel(
    "(int64, int64)(uint8[], int64[], int64[], int32[], int32[], uint64[], uint8[], bool, "
    "uint64[], int32[], uint32[], uint32[], int64[], uint64[], uint16[], uint8[], uint8[], "
    "int64[], int64[])"
)
def fold_blocks(
    buf: Any,
    byte_start: Any,
    byte_end: Any,
    action: Any,
    extra: Any,
    plain: Any,
    signs: Any,
    folded: bool,
    salt: Any,
    word: Any,
    tokens: Any,
    stems: Any,
    pointer: Any,
    key: Any,
    shape: Any,
    lead: Any,
    tail: Any,
    cut: Any,
    cut_byte: Any,
) -> tuple[int, int]:
    """Fold blocks into hashed tokens, and note their shape.

    Args:
        buf: uint8; UTF-8.
        byte_start: int64[n]; where each block begins in `buf`.
        byte_end: int64[n]; where it ends.
        action: int32; `FoldTable.action`.
        extra: int32; `FoldTable.extra`.
        plain: uint64[256]; `FoldTable.plain`.
        signs: uint8; `sign_table()`.
        folded: whether `buf` holds folded text already (tokens with spaces between).
        salt: uint64[2]; what a token's hash begins with, and what it is multiplied by.
        word: int32[WORD] scratch.
        tokens: uint32 out; hashes of the folded tokens, block after block.
        stems: uint32 out; hashes of their rough stems, 0 for tokens too short. Empty when they
            are not wanted: they cost as much as all the rest.
        pointer: int64[n + 1] out; where each block's tokens begin.
        key: uint64[n] out; hash of the whole folded block, 0 for a block without tokens.
        shape: uint16[n] out; the bits above.
        lead: uint8[n] out; how many tokens stand before the first : .. … | _ or dash, 0 if none
            does within the first 254.
        tail: uint8[n] out; how many tokens, 255 at most, stand behind the last stop inside; one
            that an Arabic letter follows counts without white space, too. 0 if there is none.
        cut: int64 out; the first token of each sentence but a block's first. A quotation, and what
            follows a stop behind one or two letters, begins none. Empty when sentences are not
            wanted.
        cut_byte: int64 out; where such a sentence begins in `buf`.

    Returns:
        The number of tokens, and of such sentences; -1 tokens where there is no room for as many
        as there might be.
    """
    total, cuts = 0, 0
    start, factor = salt[0], salt[1]
    stemmed = stems.size > 0
    cutting = cut.size > 0
    for b in range(byte_start.size):
        pointer[b] = total
        i, stop = byte_start[b], byte_end[b]
        # A token takes two bytes at least, its separator included, and an expansion three bytes for
        # four tokens at most; a sentence takes a letter, its stop and a space.
        most = (stop - i) * 4 // 3 + 1
        if total + most > tokens.size or (cutting and cuts + most // 2 > cut.size):
            return -1, cuts
        bits = 0
        head = 0
        mark = 0  # tokens before the last stop inside
        letters = 0  # of the last token
        ended = False  # whether a stop stands right behind it
        begun = total
        whole = _U0
        h, units, filled, length = start, _U0, 0, 0
        last, before = 0, 0  # the last two signs that are not closing ones
        pending_stop, pending_dots, pending_colon = False, False, False
        behind = i  # the last stop inside and its white space
        quoted, outside = False, True
        previous = 32
        is_number = False
        while i <= stop:
            if length > 0 and not folded:
                # Arabic letters within a word, and a space before the next one, need nothing of
                # what follows below: this inner loop takes nine of ten characters.
                while i + 2 < stop:
                    x = np.int64(buf[_at(i)])
                    if 0xD8 <= x <= 0xDB:
                        c = ((x & 0x1F) << 6) | (np.int64(buf[_at(i + 1)]) & 0x3F)
                        a = np.int64(action[_at(c)])
                        if a >= 32:
                            if stemmed and length < WORD:
                                word[_at(length)] = a
                            h, units, filled = _push(h, units, filled, a, factor)
                            length += 1
                            is_number = is_number and a <= 57
                        elif a != 1:
                            break
                        else:
                            c = last
                        i += 2
                    elif x == 0x20 and 0xD8 <= buf[_at(i + 1)] <= 0xDB:
                        token = _token(h, units, filled, factor)
                        tokens[_at(total)] = np.uint32(token)
                        if stemmed:
                            stems[_at(total)] = _stem(word, min(length, WORD))
                        whole = _chain(whole, token)
                        total += 1
                        letters = length
                        h, units, filled, length = start, _U0, 0, 0
                        from_ = i
                        # Words of up to eight plain letters, without branches: how long words are
                        # nobody can foretell.
                        while not stemmed and i + 22 <= stop:
                            j = i + 1 + 2 * (buf[_at(i)] != 0x20)
                            size, one, two = _plain_word(buf, j, plain)
                            if size == 0:
                                break
                            i = j + 2 * size
                            if not _is_space(buf, i):
                                h, units, filled = _begun(size, one, two, start, factor)
                                length = size
                                break
                            token = _end(_absorb(_absorb(start, one, factor), two, factor))
                            tokens[_at(total)] = np.uint32(token)
                            whole = _chain(whole, token)
                            total += 1
                            letters = size
                        if i > from_:
                            x = np.int64(buf[_at(i - 2)])
                            c = ((x & 0x1F) << 6) | (np.int64(buf[_at(i - 1)]) & 0x3F)
                            before, last, previous = c, c, c
                            if length > 0:
                                continue
                        x = np.int64(buf[_at(i + 1)])
                        if buf[_at(i)] != 0x20 or x < 0xD8 or x > 0xDB:
                            break
                        c = ((x & 0x1F) << 6) | (np.int64(buf[_at(i + 2)]) & 0x3F)
                        a = np.int64(action[_at(c)])
                        if a < 32:
                            break
                        word[0] = a
                        h, units, filled = _push(start, _U0, 0, a, factor)
                        length = 1
                        i += 3
                    else:
                        break
                    before, last, previous = c, c, c
            here = i
            if i < stop:
                c, i = _point(buf, i)
            else:
                c, i = np.int64(32), i + 1
            if folded:
                a = c if c != 32 else 0
            elif c < action.size:
                a = np.int64(action[c])
            else:
                a = 2
            if a == 2:
                bits |= DEFERRED
                a = 0
            if a == 1:
                continue
            k = -a
            if a < 0:
                a = np.int64(extra[k])
            while True:
                if a >= 32:
                    if length == 0:
                        if pending_stop or (ended and c >= 0x600):
                            mark = total - begun
                            if cutting and mark > 0 and letters > 2 and outside:
                                cut[cuts] = total
                                cut_byte[cuts] = behind if pending_stop else here
                                cuts += 1
                        ended = False
                        if pending_stop:
                            bits |= SENTENCES
                        if pending_dots:
                            bits |= DOTS
                        if pending_colon:
                            bits |= COLON
                        pending_stop, pending_dots, pending_colon = False, False, False
                        if total == begun and a == 0x648 and not folded:
                            bits |= WAW
                    if stemmed and length < WORD:
                        word[length] = a
                    if a >= 0x10000:
                        high = 0xD7C0 + (a >> 10)
                        h, units, filled = _push(h, units, filled, high, factor)
                        a = 0xDC00 | (a & 0x3FF)
                    h, units, filled = _push(h, units, filled, a, factor)
                    length += 1
                    is_number = (is_number or length == 1) and 48 <= a <= 57
                elif length > 0:
                    if total == begun and is_number and c != 32 and c != 0xA0:
                        bits |= NUMBERED
                    token = _token(h, units, filled, factor)
                    tokens[total] = np.uint32(token)
                    if stemmed:
                        stems[total] = _stem(word, min(length, WORD))
                    whole = _chain(whole, token)
                    total += 1
                    letters = length
                    h, units, filled, length = start, _U0, 0, 0
                if k <= 0:
                    break
                k += 1
                a = np.int64(extra[k])
                if a == -1:
                    break
            if folded or i > stop:
                continue
            # The rest is about signs, not letters.
            sign = _sign(signs, c)
            if a < 32:
                if sign & ENDS:
                    ended = letters > 1 and _sign(signs, previous) & ENDS == 0
                    outside = not quoted
                seen = total - begun
                parts = False
                if c == 0x2E and previous == 0x2E:
                    pending_dots, pending_stop, parts = True, False, True
                elif c == 0x2026:
                    pending_dots, parts = True, True
                elif c == 0x3A and not 48 <= previous <= 57:  # : but not that of a time
                    pending_colon, parts = True, True
                elif sign & DASHES:
                    parts = True
                elif c == 0x2D:  # a hyphen parts with white space next to it, or behind a bracket
                    after = np.int64(buf[i]) if i < stop else 0
                    bare = previous == 0x29 or _sign(signs, previous) & SPACE != 0
                    parts = bare or after == 0x20 or after == 0xC2
                elif sign & SPACE and _sign(signs, previous) & ENDS:
                    pending_stop = not pending_dots
                    behind, outside = i, not quoted
                elif c == 0x26:  # an HTML entity: & and # or a Latin letter
                    follows = np.int64(buf[i]) if i < stop else 0
                    if follows == 0x23 or 97 <= (follows | 32) <= 122:
                        bits |= DEFERRED
                if parts and (sign & DASHES or c == 0x2D) and seen > 0:
                    bits |= DASH
                if parts and head == 0 and 0 < seen < 255:
                    head = seen
                if seen == 0 and last == 0 and sign & BULLETS:
                    bits |= BULLET
            if c == 0x22 or c == 0xAB or c == 0xBB or c == 0x201C or c == 0x201D:
                quoted = not quoted
            if sign & CLOSING == 0:
                before, last = last, c
            previous = c
        if last == 0x2026 or (last == 0x2E and before == 0x2E):
            bits |= DOTS_END
        elif last == 0x2E or last == 0x6D4:
            bits |= STOP
        elif _sign(signs, last) & ENDS:
            bits |= QUESTION
        elif last == 0x3A:
            bits |= COLON_END
        key[b] = whole
        shape[b] = bits
        lead[b] = head
        # What `fold` folds anew may have other tokens.
        tail[b] = min(255, total - begun - mark) if mark > 0 and bits & DEFERRED == 0 else 0
    pointer[byte_start.size] = total
    return total, cuts


@kernel("void(uint8[], int64[], int32[], int64[], int64[], int32[])")
def characters(buf: Any, byte_start: Any, start: Any, byte: Any, block: Any, out: Any) -> None:
    """Where some bytes of blocks stand, in characters.

    Args:
        buf: uint8; UTF-8.
        byte_start: int64[n]; where each block begins in `buf`.
        start: int32[n]; its first character in its text.
        byte: int64[m]; places in `buf`, ascending.
        block: int64[m]; the block of each.
        out: int32[m] out; the same places, counted as `start` is.
    """
    for k in range(byte.size):
        b = block[k]
        if k > 0 and block[k - 1] == b:
            at, char = byte[k - 1], out[k - 1]
        else:
            at, char = byte_start[b], start[b]
        for i in range(at, byte[k]):
            char += (buf[_at(i)] & 0xC0) != 0x80
        out[k] = char


@kernel("void(uint32[], int64[], uint64[])", seldom=True)
def keys(tokens: Any, pointer: Any, out: Any) -> None:
    """A hash of each run of tokens, 0 for an empty one.

    Args:
        tokens: uint32; token hashes.
        pointer: int64[n + 1]; where each run begins.
        out: uint64[n] out.
    """
    for k in range(out.size):
        whole = _U0
        for t in range(pointer[k], pointer[k + 1]):
            whole = _chain(whole, np.uint64(tokens[_at(t)]))
        out[k] = whole


@kernel("void(uint32[], int32[])")
def count_words(tokens: Any, times: Any) -> None:
    """How often each word stands there, words told by the last bits of their hashes only.

    A rare word may be counted with a frequent one, which is rare.

    Args:
        tokens: uint32; token hashes.
        times: int32[2**k]; in and out.
    """
    mask = np.uint32(times.size - 1)
    for token in tokens:
        times[_at(token & mask)] += 1


@kernel("int64(uint32[], bool[], int64[])")
def find_pairs(tokens: Any, known: Any, out: Any) -> int:
    """Where pairs of tokens stand that may be known ones.

    Args:
        tokens: uint32; token hashes.
        known: bool[2**k]; true at the `pair_mark` of each pair that is wanted.
        out: int64 out, room for all tokens; the first token of each pair.

    Returns:
        How many there are: all that are wanted, and few others.
    """
    n = 0
    for i in range(tokens.size - 1):
        out[n] = i
        n += known[_at(pair_mark(tokens[i], tokens[i + 1], known.size))]
    return n


def pair_mark(one: Any, other: Any, size: Any) -> Any:
    """A number below `size`, a power of two, for two tokens."""
    return (one * _SMALL ^ other) & np.uint32(size - 1)


@kernel("void(uint32[], int64[], int64[], uint32[])")
def gather(tokens: Any, pointer: Any, which: Any, out: Any) -> None:
    """The tokens of some blocks, one after the other.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        which: int64[m]; blocks.
        out: uint32 out, room for all of them.
    """
    at = 0
    for block in which:
        for t in range(pointer[block], pointer[block + 1]):
            out[at] = tokens[t]
            at += 1


@kernel("void(int32[], int64[], uint16[], bool[])")
def near_headings(record: Any, pointer: Any, shape: Any, near: Any) -> None:
    """Mark headings, and the two blocks of prose after each: what `echoes` looks at.

    Args:
        record: int32[n]; the record of each block, ascending.
        pointer: int64[n + 1]; where each block's tokens begin.
        shape: uint16[n]; shape bits.
        near: bool[n] out.
    """
    n = record.size
    for b in range(n):
        near[b] = False
    for b in range(n):
        if is_heading(shape[b], pointer[b + 1] - pointer[b]):
            near[b] = True
            for k in _prose_after(record, pointer, shape, b):
                if k < n:
                    near[k] = True


def _prose_after(record: Any, pointer: Any, shape: Any, b: Any) -> Any:
    """The next two blocks of a block's record that are no headings; n for none."""
    n = record.size
    first, second = n, n
    k = b + 1
    while k < n and k <= b + REACH and record[k] == record[b] and second == n:
        if not is_heading(shape[k], pointer[k + 1] - pointer[k]):
            if first == n:
                first = k
            else:
                second = k
        k += 1
    return first, second


@kernel("void(int32[], int64[], uint16[], int64[], int64[], uint32[], uint32[], uint8[], uint8[])")
def echoes(
    record: Any, pointer: Any, shape: Any, slot: Any, stem_pointer: Any, stems: Any, common: Any,
    content: Any, echo: Any,
) -> None:  # fmt: skip
    """How much of each heading-like block stands again in the prose right after it.

    A subheading announces what follows, a link to another story does not: of the heading's
    meaningful stems, count those in the two blocks of prose that follow in its record.

    Args:
        record: int32[n]; the record of each block, ascending.
        pointer: int64[n + 1]; where each block's tokens begin.
        shape: uint16[n]; shape bits.
        slot: int64[n]; number of each block among those that have stems.
        stem_pointer: int64[m + 1]; where each of these blocks' stems begin.
        stems: uint32; rough stems, 0 for none.
        common: uint32, sorted; stems of function words.
        content: uint8[n] out; meaningful stems of a heading-like block.
        echo: uint8[n] out; how many of them stand in the next two blocks of prose.
    """
    n = record.size
    for b in range(n):
        content[b], echo[b] = 0, 0
        if not is_heading(shape[b], pointer[b + 1] - pointer[b]):
            continue
        first, second = _prose_after(record, pointer, shape, b)
        total, again = 0, 0
        lo, hi = stem_pointer[slot[b]], stem_pointer[slot[b] + 1]
        for t in range(lo, hi):
            s = stems[t]
            if s == 0 or _holds(common, 0, common.size, s) or _holds(stems, lo, t, s):
                continue
            total += 1
            near = first < n and _near(stem_pointer, stems, slot[first], s)
            if not near and second < n:
                near = _near(stem_pointer, stems, slot[second], s)
            again += near
        content[b], echo[b] = total, again


def _holds(stems: Any, lo: Any, hi: Any, s: Any) -> Any:
    for t in range(lo, hi):  # noqa: SIM110 - a kernel has no generators
        if stems[t] == s:
            return True
    return False


def _near(pointer: Any, stems: Any, b: Any, s: Any) -> Any:
    """Whether a stem is among a block's first; a whole article is not near its heading."""
    return _holds(stems, pointer[b], min(pointer[b + 1], pointer[b] + 300), s)


def is_heading(bits: Any, length: Any) -> Any:
    """Whether a block looks like a headline or subheading: one short run without a full stop."""
    return 0 < length <= 24 and (bits & (STOP | SENTENCES)) == 0


@kernel("void(uint32[], int64[], uint32[,], int64[], int64[], uint8[,])")
def longest_phrases(tokens: Any, pointer: Any, words: Any, size: Any, role: Any, out: Any) -> None:
    """How many tokens of each block's beginning are a phrase of each role, the longest one.

    Args:
        tokens: uint32; token hashes, block after block.
        pointer: int64[n + 1]; where each block's tokens begin.
        words: uint32[p, w]; phrases, sorted by their first token.
        size: int64[p]; tokens of each phrase, w at most.
        role: int64[p]; what each phrase is.
        out: uint8[roles, n] out; 0 for blocks that begin with no phrase.
    """
    out[:] = 0
    for b in range(pointer.size - 1):
        at, length = pointer[b], pointer[b + 1] - pointer[b]
        if length == 0:
            continue
        low, high = 0, size.size
        while low < high:
            middle = (low + high) // 2
            if words[middle, 0] < tokens[at]:
                low = middle + 1
            else:
                high = middle
        while low < size.size and words[low, 0] == tokens[at]:
            n, k = size[low], 1
            while k < min(n, length) and words[low, k] == tokens[at + k]:
                k += 1
            if k == n and n > out[role[low], b]:
                out[role[low], b] = n
            low += 1
