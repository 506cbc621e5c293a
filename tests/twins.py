"""Naive twins of the kernels: Python integers, sets and strings, too simple to be wrong."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise, takewhile
from typing import Any

import numpy as np
import regex
import xxhash

from dedup.formats import kernels as formats_kernels
from dedup.index import kernels as index_kernels
from dedup.match import kernels as match_kernels
from dedup.sketch import kernels as sketch_kernels
from dedup.text import arabic, bits, digest, utf8, wrapping
from dedup.text import kernels as text_kernels
from dedup.text.blocks import _salt

M64 = (1 << 64) - 1
M32 = (1 << 32) - 1


def mix64(x: int) -> int:
    x = ((x ^ (x >> 33)) * 0xFF51AFD7ED558CCD) & M64
    x = ((x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53) & M64
    return x ^ (x >> 33)


# -- text ---------------------------------------------------------------------------------------

NEWLINES = "\n\r\u2028\u2029"
SPACES = regex.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
INVISIBLE = regex.compile(
    SPACES.pattern[:-1] + r"\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)


def word_at(data: bytes) -> int:
    return int.from_bytes(data[:8], "little")


def bit_count(word: int) -> int:
    return bin(word).count("1")


def below(word: int) -> int:
    return len(bin(word)) - len(bin(word).rstrip("0")) if word else 64


def first_less(data: bytes, most: int) -> int:
    """The first of eight bytes that is less than `most`; 8 if none is."""
    return next((i for i in range(8) if data[i] < most), 8)


def first_equal_byte(data: bytes, byte: int) -> int:
    return next((i for i in range(8) if data[i] == byte), 8)


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def unescape(strings: Sequence[bytes]) -> list[bytes]:
    return [json.loads(string).encode() for string in strings]


def count_newlines(data: bytes) -> int:
    return sum(byte in (10, 13, 0xE2) for byte in data)


def unwrap(text: str) -> str:
    whole = text.split("\n")
    lines = [line.strip(" \t\r") for line in whole]
    spans = {}  # widths that explain a break, by the number of the line before it
    blanks = 0
    for i, (line, after) in enumerate(pairwise(lines)):
        blanks += bool(line) and not after and i + 2 < len(lines)
        if line and after:
            most = len(line) + len(regex.split(r"[ \t\r]", after)[0])
            spans[i] = range(max(len(line), len(after)), most + 1)
    ended = {i for i, line in enumerate(lines) if ends_sentence(line)}
    explained = {
        width: sum(width in span for i, span in spans.items() if i not in ended)
        for width in range(wrapping.NARROWEST, wrapping.WIDEST + 1)
    }
    width = max(explained, key=lambda w: (explained[w], w))
    best = explained[width]
    inside = len(spans.keys() - ended)
    least = max(wrapping.LEAST, wrapping.INSIDE * inside, wrapping.ALL * len(spans))
    if best < least:
        return text
    apart = blanks >= len(spans) - best
    due = [i for i in spans if width in spans[i] and (apart or i not in ended)]
    joins = set()
    for i in due:
        if i - 1 not in due:  # a run of lines begins
            run = list(takewhile(due.__contains__, range(i, len(lines))))
            some = [lines[k + 1] for k in run[: wrapping.HEADLINES - 1]]
            closed = any(ends_sentence(line) or line.endswith(":") for line in some)
            whole_run = apart or closed or len(run) >= wrapping.HEADLINES
        if whole_run:
            joins.add(i)
    joined = whole[0]
    for i, line in enumerate(whole[1:]):
        if i in joins:
            shown = joined.rstrip("\r \t")
            joined = shown + joined[len(shown) :].replace("\r", " ") + " "
        else:
            joined += "\n"
        joined += line
    return joined


def ends_sentence(line: str) -> bool:
    """Whether a line ends a sentence."""
    return line.rstrip("\"')]»”’").endswith(tuple(".!?؟۔…"))


def line_bounds(data: bytes) -> list[tuple[int, int]]:
    r"""First byte of each line and the byte after its last; (0, 0) for blank lines."""
    found, at = [], 0
    lines = data.split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        shown = line.strip(b" \t\r\v\f")
        begin = at + line.find(shown)
        found.append((begin, begin + len(shown)) if shown else (0, 0))
        at += len(line) + 1
    return found


def whole_lines(data: bytes) -> list[bytes]:
    """The lines that are not blank, with the white space around them."""
    return [line for line in data.split(b"\n") if line.strip(b" \t\r\v\f")]


def misfit(
    strings: Sequence[bytes], begins: Sequence[int], first: Sequence[int], *, cut_start: Any,
    cut_end: Any, char_start: Any, char_end: Any, cleaned: Any, cleaned_at: Any, removed: Any,
    removed_at: Any,
) -> int:  # fmt: skip
    """The first of some JSON strings that is not put together again by what was written of it."""
    kept, gone = cleaned.tobytes(), removed.tobytes()
    for r, (string, begin) in enumerate(zip(strings, begins, strict=True)):
        text, spans = json.loads(string), range(first[r], first[r + 1])
        places = [0, *(int(x) - begin for c in spans for x in (cut_start[c], cut_end[c]))]
        places.append(len(string))
        wrong = places != sorted(places) or any(
            not 1 <= cut_start[c] - begin < cut_end[c] - begin <= len(string) - 1 for c in spans
        )
        at, whole = int(cleaned_at[r]), b""
        for c in () if wrong else spans:
            size = int(cut_start[c]) - begin - len(whole)
            whole += kept[at : at + size]
            at += size
            size = int(cut_end[c] - cut_start[c])
            whole += gone[int(removed_at[c]) : int(removed_at[c]) + size]
            a, b = (int(x[c]) for x in (char_start, char_end))
            wrong |= not 0 <= a <= b <= len(text) or [
                byte_place(string, char) for char in (a, b)
            ] != [int(cut_start[c]) - begin, int(cut_end[c]) - begin]
        rest = len(string) - len(whole)
        if wrong or at < 0 or whole + kept[at : at + rest] != string:
            return r
    return -1


def digests(parts: Sequence[bytes]) -> list[int]:
    return list(map(digest_of, parts))


def digest_of(data: bytes) -> int:
    return xxhash.xxh64(data).intdigest()


def sums_of(data: bytes) -> tuple[int, int, int, int]:
    first, step, most = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 2**64
    whole = len(data) // 8 * 8
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    mixed = [word ^ (n * step + first) % most for n, word in enumerate(words)]
    products = sum((word % 2**32) * (word >> 32) for word in mixed)
    return len(data), products % most, sum(words) % most, int.from_bytes(data[whole:], "little")


def as_hex(values: Sequence[int]) -> list[bytes]:
    return [b"%016x" % value for value in values]


def find_fields(line: bytes, names: Sequence[str]) -> list[object] | None:
    """What a JSON object holds under some names, NOTHING where there is nothing; None for what is
    no object of RFC 8259, too deep, or has a name written with escapes.
    """

    def refuse(constant: str) -> object:
        raise ValueError(constant)

    try:
        pairs = json.loads(line.decode(), object_pairs_hook=list, parse_constant=refuse)
        json.dumps(pairs, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except ValueError:
        return None
    if line[:1] != b"{" or line[-1:] != b"}" or _depth(line) > formats_kernels.DEEPEST + 1:
        return None
    written = [json.dumps(key, ensure_ascii=False) for key, _ in pairs]
    if any("\\" in key or key.encode() not in line for key in written):
        return None
    return [dict(pairs).get(name, NOTHING) for name in names]


NOTHING = object()


def _depth(line: bytes) -> int:
    """How many lists and objects stand in one another."""
    depth = most = 0
    for sign in re.sub(rb'"(\\.|[^"\\])*"', b"", line).decode():
        depth += (sign in "[{") - (sign in "]}")
        most = max(most, depth)
    return most


def byte_place(string: bytes, char: int) -> int:
    """Where a character of a JSON string stands among its bytes."""
    return next(n for n in range(1, len(string)) if _chars(string[:n] + b'"') == char)


def _chars(string: bytes) -> int:
    """How many characters a JSON string has, -1 if it is cut off within one."""
    try:
        text = json.loads(string)
        text.encode()
        return len(text)
    except (ValueError, UnicodeEncodeError):
        return -1


def splice(line: bytes, cuts: Sequence[tuple[int, int]], added: bytes) -> bytes:
    """A JSON object without some of its bytes, with a field more."""
    kept = [byte for n, byte in enumerate(line) if not any(a <= n < b for a, b in cuts)]
    return bytes(kept[:-1]) + b',"dedup":' + added + b"}\n"


def cuts(
    length: int,
    blocks: Sequence[tuple[int, int]],
    kinds: Sequence[int],
    extra: Sequence[tuple[int, int, int, int]],
    blank: int,
) -> list[tuple[int, int, int, int, int]]:
    """(start, end, kind, block, which of `extra`) of each span of a text that goes."""
    owner: dict[int, tuple[int, int, int]] = {}  # of each character that goes, in order
    kept = [b for b, kind in enumerate(kinds) if not kind]
    touched = len(kept) < len(blocks)

    def take(start: int, stop: int, *what: int) -> None:
        free = max(owner, default=-1) + 1
        owner.update(dict.fromkeys(range(max(start, free), stop), what))

    if touched and kept[:1] != [0]:
        take(0, blocks[0][0], blank, -1, -1)
    for b, kind in enumerate(kinds):
        start, last = blocks[b]
        end = blocks[b + 1][0] if b + 1 < len(blocks) else length
        trailing = touched and [b] == kept[-1:]
        for number, (of, first, stop, what) in enumerate(extra):
            if of != b or (trailing and what == blank):
                continue
            span = (start, min(stop, last - 1)) if kind else (first, stop)
            take(*span, what, -1 if what == blank else b, number)
        if kind:
            take(start, end, kind, b, -1)
        elif trailing:
            take(last, end, blank, -1, -1)
    runs = groupby(sorted(owner), lambda at: owner[at])
    spans = [(what, list(places)) for what, places in runs]
    return [(places[0], places[-1] + 1, *what) for what, places in spans]


def cut_blocks(texts: Sequence[str]) -> list[tuple[int, int, int, bool]]:
    """(text, start, end) of each block, and whether an odd line stands before the next one."""
    found = []
    for number, text in enumerate(texts):
        at = 0
        for line in regex.split(f"([{NEWLINES}])", text):
            if INVISIBLE.sub("", line):
                start = next(i for i, c in enumerate(line) if not SPACES.match(c))
                end = next(i for i in range(len(line), 0, -1) if not SPACES.match(line[i - 1]))
                found.append((number, at + start, at + end))
            at += len(line)
    odd = []
    for here, after in zip(found, [*found[1:], (-1, 0, 0)], strict=False):
        gap = texts[here[0]][here[2] : after[1]] if here[0] == after[0] else ""
        odd.append(any(line.strip(" \t\r") for line in gap.split("\n")[1:-1]))
    return [(*block, flag) for block, flag in zip(found, odd, strict=True)]


SALT = _salt(1).tolist()


def token_hash(token: str, salt: Sequence[int] = SALT) -> int:
    h, factor = salt
    units = token.encode("utf-16-le", "surrogatepass").ljust(16, b"\0")
    for k in range(0, len(units), 8):
        h = ((h ^ int.from_bytes(units[k : k + 8], "little")) * factor) & M64
        h = ((h ^ h >> 32) * factor) & M64
    return h ^ h >> 32


def fold_blocks(block: str, salt: Sequence[int] = SALT) -> tuple[list[int], int]:
    """Token hashes and key of a block."""
    hashes = [token_hash(token, salt) for token in arabic.tokens(block)]
    key = 0
    for h in hashes:
        key = ((key + h) * 0xFF51AFD7ED558CCD) & M64
        key = ((key ^ (key >> 33)) + 0x9E3779B97F4A7C15) & M64
    return [h & M32 for h in hashes], key


def keys(runs: Sequence[Sequence[int]]) -> list[int]:
    out = []
    for run in runs:
        key = 0
        for h in run:
            key = ((key + h) * 0xFF51AFD7ED558CCD) & M64
            key = ((key ^ (key >> 33)) + 0x9E3779B97F4A7C15) & M64
        out.append(key)
    return out


def count_words(tokens: Sequence[int], size: int) -> list[int]:
    times = Counter(token % size for token in tokens)
    return [times[mark] for mark in range(size)]


def pair_mark(one: int, other: int, size: int) -> int:
    return (one * 0x9E3779B1 ^ other) % size


def find_pairs(tokens: Sequence[int], known: Sequence[bool]) -> list[int]:
    marked = [pair_mark(one, other, len(known)) for one, other in pairwise(tokens)]
    return [i for i, mark in enumerate(marked) if known[mark]]


def characters(data: bytes, places: Sequence[int]) -> list[int]:
    return [len(data[:place].decode()) for place in places]


def stem(token: str) -> str:
    """A folded token without conjunction, article and preposition; "" if little is left."""
    for pattern in (r"[وف](?=....)", r"(?:بال|كال)(?=..)|(?:ال|لل)(?=...)|[بل](?=....)"):
        found = regex.match(pattern, token)
        token = token[found.end() :] if found else token
    return token[:4] if len(token) >= 3 else ""


def stem_hash(token: str) -> int:
    packed = 0
    for char in stem(token):
        packed = ((packed << 16) ^ ord(char)) & M64
    return mix64(packed) & M32 | 1 if packed else 0


def is_heading(shape: int, length: int) -> bool:
    return 0 < length <= 24 and not shape & (text_kernels.STOP | text_kernels.SENTENCES)


def ends(block: str) -> set[str]:
    """How a block ends, as names of shape bits."""
    closing = regex.compile(
        r"""["')\]}»«\u2018-\u201f\u203a]|""" + INVISIBLE.pattern + "|" + "[\u0640\u064b-\u0652]"
    )
    signs = [char for char in block if not closing.match(char)]
    tail = "".join(signs[-2:])
    if tail.endswith("…") or tail == "..":
        return {"DOTS_END"}
    names = {
        ".": "STOP",
        "۔": "STOP",
        "؟": "QUESTION",
        "?": "QUESTION",
        "!": "QUESTION",
        ":": "COLON_END",
    }
    return {names[tail[-1]]} if tail and tail[-1] in names else set()


def longest_phrase(tokens: Sequence[int], phrases: Sequence[Sequence[int]]) -> int:
    return max((len(p) for p in phrases if list(tokens[: len(p)]) == list(p)), default=0)


def near_headings(blocks: list[tuple[int, bool]]) -> list[bool]:
    """For each (record, heading), whether `echoes` looks at it."""
    near = [heading for _, heading in blocks]
    for i, (record, heading) in enumerate(blocks):
        reach = range(i + 1, min(len(blocks), i + 1 + text_kernels.REACH))
        after = [k for k in reach if blocks[k] == (record, False)][:2] if heading else []
        for k in after:
            near[k] = True
    return near


def echoes(blocks: list[tuple[int, list[int], bool]], common: set[int]) -> list[tuple[int, int]]:
    """(content, echo) of each (record, stems, heading)."""
    out = []
    for i, (record, stems, heading) in enumerate(blocks):
        reach = blocks[i + 1 : i + 1 + text_kernels.REACH]
        after = [s[:300] for r, s, h in reach if r == record and not h][:2]
        words = {s for s in stems if s and s not in common} if heading else set()
        out.append((len(words), len(words & set().union(*after))))
    return out


# -- sketch -------------------------------------------------------------------------------------


def shingle_hash(tokens: Sequence[int]) -> int:
    h = 0x9E3779B97F4A7C15
    for token in tokens:
        h = ((h ^ token) * 0xFF51AFD7ED558CCD) & M64
        h ^= h >> 33
    h = (h * 0xC4CEB9FE1A85EC53) & M64
    return h ^ (h >> 33)


def spread(value: int, salt: int) -> int:
    h = value * salt & M64
    return (h ^ h >> 32) * salt & M64


def shingles(tokens: Sequence[int], width: int) -> list[int]:
    return [shingle_hash(tokens[i : i + width]) for i in range(len(tokens) - width + 1)]


def signatures(tokens: Sequence[int], width: int, a: Sequence[int], b: Sequence[int]) -> list[int]:
    mixed = []
    for x in shingles(tokens, width):
        h = (((x & M32) ^ ((x & M32) >> 16)) * 0x85EBCA6B) & M32
        h = ((h ^ (h >> 13)) * 0xC2B2AE35) & M32
        mixed.append(h ^ (h >> 16))
    return [min((x * h + y) & M32 for h in mixed) for x, y in zip(a, b, strict=True)]


def band_hashes(signature: Sequence[int], rows: int, bands: int) -> list[int]:
    out = []
    for band in range(bands):
        h = 0x9E3779B97F4A7C15
        for value in signature[band * rows : (band + 1) * rows]:
            h = ((h ^ value) * 0xFF51AFD7ED558CCD) & M64
            h ^= h >> 33
        out.append(h & M32)
    return out


def first_equal(values: Sequence[int]) -> list[int]:
    return [list(values).index(value) for value in values]


def part(values: Sequence[int], salt: int, parts: int) -> list[list[int]]:
    """The places of the values of each part."""
    of = [spread(value, salt) * parts >> 64 for value in values]
    return [[i for i, p in enumerate(of) if p == number] for number in range(parts)]


def count_shared(values: Sequence[int]) -> list[int]:
    return [int(list(values).count(value) > 1) for value in values]


def confirm(blocks: Sequence[Sequence[int]], first: Sequence[int]) -> list[int]:
    return [f if blocks[f] == blocks[i] else i for i, f in enumerate(first)]


def meet(bands: Sequence[Sequence[int]]) -> tuple[list[int], list[list[int]], int]:
    """Who shares a value with another, the buckets of each of them, and how many buckets."""
    buckets = [
        (band, value)
        for band, values in enumerate(bands)
        for value in dict.fromkeys(values)
        if list(values).count(value) > 1
    ]
    stands = {
        i: [n for n, (band, value) in enumerate(buckets) if bands[band][i] == value]
        for i in range(len(bands[0]))
    }
    members = [i for i, its in stands.items() if its]
    return members, [stands[i] for i in members], len(buckets)


# -- match --------------------------------------------------------------------------------------


def shingle_sets(tokens: Sequence[int], width: int) -> list[int]:
    return sorted(set(shingles(tokens, width)))


def jaccard(a: set[int], b: set[int], least: float) -> float:
    if not a or not b:
        return 0.0
    similarity = len(a & b) / len(a | b)
    return similarity if similarity >= least else 0.0


def group(
    sets: Sequence[set[int]],
    bucket: Sequence[Sequence[int]],
    order: Sequence[int],
    threshold: float,
) -> list[tuple[int, float]]:
    """(representative, similarity) of each member."""
    heads: list[int] = []
    out: dict[int, tuple[int, float]] = {}
    for i in order:
        meets = [h for h in heads if any(band[h] == band[i] for band in bucket)]
        best = max(((jaccard(sets[i], sets[h], threshold), h) for h in meets), default=(0.0, i))
        if best[0] > 0:
            out[i] = (best[1], best[0])
        else:
            heads.append(i)
            out[i] = (i, 1.0)
    return [out[i] for i in range(len(sets))]


def nearest(
    sets: Sequence[set[int]],
    bucket: Sequence[Sequence[int]],
    known: Sequence[int],
    asked: Sequence[int],
    threshold: float,
) -> dict[int, tuple[int, float]]:
    """(known member, similarity) of each member asked about, (-1, 0) for none."""
    out = {}
    for i in asked:
        meets = [k for k in known if any(band[k] == band[i] for band in bucket)]
        alike, least = max(
            ((jaccard(sets[i], sets[k], threshold), -k) for k in meets), default=(0.0, 0)
        )
        out[i] = (-least, alike) if alike else (-1, 0.0)
    return out


def jaccards(sets: Sequence[set[int]], pairs: Sequence[tuple[int, int]]) -> list[float]:
    return [jaccard(sets[a], sets[b], 0.0) for a, b in pairs]


def containments(lists: Sequence[Sequence[int]], pairs: Sequence[tuple[int, int]]) -> list[float]:
    return [
        sum(t in lists[b] for t in lists[a]) / len(lists[a]) if lists[a] else 0.0 for a, b in pairs
    ]


def common_run(one: Sequence[int], other: Sequence[int]) -> int:
    """How many labels stand in both in the same order."""

    def numbered(labels: Sequence[int]) -> list[tuple[int, int]]:
        seen: Counter[int] = Counter()
        out = []
        for label in labels:
            out.append((label, seen[label]))
            seen[label] += 1
        return out

    a, b = numbered(one), numbered(other)
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            equal = best[i][j] + 1 if x == y else 0
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], equal)
    return best[-1][-1]


def lead(
    pairs: Sequence[tuple[int, int, int]],
    shared: Callable[[int, int], int],
    records: int,
    share: float,
    least_tokens: int,
) -> list[int]:
    """The leader of each record, from (late, ahead, tokens of the shorter one)."""
    leader = list(range(records))
    for late in dict.fromkeys(pair[0] for pair in pairs):
        best = (0.0, 0)
        for record, ahead, least in pairs:
            tokens = shared(late, ahead)
            if record != late or leader[ahead] != ahead or not least:
                continue
            if tokens >= share * least and tokens >= min(least, least_tokens):
                best = max(best, (tokens / least, -ahead))
        if best[0]:
            leader[late] = -best[1]
    return leader


def gap_pairs(
    run: Sequence[tuple[int, int]], mine: Sequence[int], theirs: Sequence[int], line: set[int]
) -> set[tuple[int, int, bool]]:
    """(block, match, framed) around the matched blocks of two records."""
    places = [(mine.index(i), theirs.index(j)) for i, j in run]
    runs: list[list[tuple[int, int]]] = []
    for i, j in places:
        near = bool(runs) and max(i - runs[-1][-1][0], j - runs[-1][-1][1]) <= match_kernels.GAP + 1
        if near:
            runs[-1].append((i, j))
        else:
            runs.append([(i, j)])
    out = set()
    for part in runs:
        if len(part) < 2:
            continue
        gaps = [(mine[i + 1 : x], theirs[j + 1 : y], True) for (i, j), (x, y) in pairwise(part)]
        (i, j), (x, y) = part[0], part[-1]
        gaps.append((mine[max(0, i - 1) : i], theirs[max(0, j - 1) : j], False))
        gaps.append((mine[x + 1 : x + 2], theirs[y + 1 : y + 2], False))
        for a, b, inside in gaps:
            prose = [[k for k in side if k not in line] for side in (a, b)]
            alone = inside and len(prose[0]) == len(prose[1]) == 1
            out |= {(m, t, alone and m not in line and t not in line) for m in a for t in b}
    return out


def shared_runs(
    sentences: Sequence[Sequence[int]],
    record: Sequence[int],
    block: Sequence[int],
    partner: Sequence[int],
    usable: Sequence[bool],
    width: int,
    threshold: float,
    least: int,
    least_tokens: int,
) -> list[tuple[int, int, int]]:
    """(first sentence, first of what it repeats, sentences) of each run, foremost first."""
    sets = [set(shingle_sets(items, width)) for items in sentences]
    gone: set[int] = set()
    needed: set[int] = set()
    found = []

    def repeats(a: int, b: int, seed: int) -> bool:
        if not 0 <= b < len(sentences) or record[b] != record[seed]:
            return False
        if not usable[a] or not usable[b] or a in gone | needed or b in gone:
            return False
        alike = jaccard(sets[a], sets[b], threshold) > 0
        return list(sentences[a]) == list(sentences[b]) or alike

    for u, v in enumerate(partner):
        if u == v or not usable[u] or not usable[v] or u in gone | needed or v in gone:
            continue
        run = [u]
        for step in (-1, 1):
            while True:
                a = run[0] - 1 if step < 0 else run[-1] + 1
                whole = sorted([*run, a])
                others = [k + v - u for k in whole]
                apart = record[u] != record[v] or others[-1] < whole[0]
                if not 0 <= a < len(sentences) or block[a] != block[u] or not apart:
                    break
                if not repeats(a, a + v - u, v):
                    break
                run = whole
        if len(run) >= least and sum(len(sentences[k]) for k in run) >= least_tokens:
            gone |= set(run)
            needed |= {k + v - u for k in run}
            found.append((run[0], run[0] + v - u, len(run)))
    return found


def gather(lists: Sequence[Sequence[int]], which: Sequence[int]) -> list[int]:
    return [token for block in which for token in lists[block]]


def masks(tokens: Sequence[int], width: int) -> tuple[list[int], int]:
    found = shingles(tokens, width)
    words = [0] * index_kernels.WORDS
    for h in found:
        words[h // 64 % index_kernels.WORDS] |= 1 << h % 64
    return words, len(found)


def most_alike(a: Sequence[int], b: Sequence[int]) -> float:
    """Of shingles with repetitions: how alike their sets can be at most, by their last bits."""
    bits = 64 * index_kernels.WORDS
    one, other = ({h % bits for h in side} for side in (a, b))
    mine, theirs = len(one - other), len(other - one)
    both = min(len(a) - mine, len(b) - theirs)
    return both / (both + mine + theirs) if mine + theirs else 1.0


def probe(known: Sequence[Sequence[int]], asked: Sequence[Sequence[int]]) -> list[set[int]]:
    return [
        {
            row
            for row, values in enumerate(known)
            if any(a == b != 0 for a, b in zip(query, values, strict=True))
        }
        for query in asked
    ]


# Every public kernel and its twin; test_kernels.py fails when one is missing.
TWINS = {
    bits.word_at: word_at,
    bits.bit_count: bit_count,
    bits.below: below,
    bits.first_less: first_less,
    bits.first_equal: first_equal_byte,
    bits.place_of: bytes.index,
    utf8.is_utf8: is_utf8,
    utf8.unescape: unescape,
    wrapping.unwrap: unwrap,
    formats_kernels.count_byte: bytes.count,
    formats_kernels.count_bytes: bytes.count,
    sketch_kernels.count_shared: count_shared,
    formats_kernels.line_bounds: line_bounds,
    formats_kernels.widen: whole_lines,
    formats_kernels.misfit: misfit,
    digest.digest_texts: digests,
    digest.digests: digests,
    digest.sum_words: sums_of,
    digest.sums_of: sums_of,
    digest.digest_of: digest_of,
    digest.as_hex: as_hex,
    formats_kernels.find_fields: find_fields,
    formats_kernels.byte_places: byte_place,
    formats_kernels.splice: splice,
    formats_kernels.elements: json.loads,
    formats_kernels.join: bytes.join,
    formats_kernels.cuts: cuts,
    text_kernels.mix64: mix64,
    text_kernels.count_newlines: count_newlines,
    text_kernels.cut_blocks: cut_blocks,
    text_kernels.fold_blocks: fold_blocks,
    text_kernels.keys: keys,
    text_kernels.count_words: count_words,
    text_kernels.find_pairs: find_pairs,
    text_kernels.pair_mark: pair_mark,
    text_kernels.characters: characters,
    text_kernels.near_headings: near_headings,
    text_kernels.longest_phrases: longest_phrase,
    text_kernels.echoes: echoes,
    text_kernels.is_heading: is_heading,
    sketch_kernels.shingle_hash: shingle_hash,
    sketch_kernels.signatures: signatures,
    sketch_kernels.band_hashes: band_hashes,
    sketch_kernels.spread: spread,
    sketch_kernels.part: part,
    sketch_kernels.first_equal: first_equal,
    sketch_kernels.meet: meet,
    match_kernels.shingle_sets: shingle_sets,
    match_kernels.confirm: confirm,
    match_kernels.jaccard: jaccard,
    match_kernels.group: group,
    match_kernels.nearest: nearest,
    match_kernels.jaccards: jaccards,
    match_kernels.containments: containments,
    match_kernels.common_run: common_run,
    match_kernels.lead: lead,
    match_kernels.gap_pairs: gap_pairs,
    match_kernels.shared_runs: shared_runs,
    text_kernels.gather: gather,
    index_kernels.masks: masks,
    index_kernels.most_alike: most_alike,
    index_kernels.insert: probe,
    index_kernels.probe: probe,
}


def key(text: str) -> int:
    return fold_blocks(text)[1]


def plain(values: np.ndarray) -> list[int]:
    return [int(v) for v in values]
