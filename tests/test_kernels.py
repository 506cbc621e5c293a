"""Every kernel against its naive twin, compiled or not (NUMBA_DISABLE_JIT=1)."""

from __future__ import annotations

import json
import textwrap
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
import twins
from arabic_text import lines, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.engines.memory import Memory
from dedup.formats import encode
from dedup.formats import kernels as formats_kernels
from dedup.formats.row import Object, Rows, find, find_texts, written
from dedup.index import kernels as index_kernels
from dedup.index.table import Hashes, Table, masks
from dedup.match import kernels as match_kernels
from dedup.match.passages import Scratch
from dedup.match.verify import shingle_sets
from dedup.records import Strings
from dedup.sketch import kernels as sketch_kernels
from dedup.sketch import lsh, minhash
from dedup.text import bits, digest, utf8, wrapping
from dedup.text import kernels as text_kernels
from dedup.text.arabic import tokens
from dedup.text.blocks import Blocks, _salt, pointer_of, scan, stems, stems_of, tokens_of

pytestmark = [
    pytest.mark.kernels,
    pytest.mark.filterwarnings("ignore:overflow encountered"),
]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NO_WORDS = np.zeros(0, dtype=np.uint32)
token_lists = st.lists(st.lists(st.integers(0, 40), max_size=30), min_size=1, max_size=12)


def csr(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    pointer = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return np.array([t for items in lists for t in items], dtype=np.uint32), pointer


def of_record(blocks: Blocks, record: int) -> Blocks:
    """The places of a record's blocks."""
    mine = blocks.record == record
    return blocks._replace(start=blocks.start[mine], end=blocks.end[mine])


def public_kernels() -> set[str]:
    modules = (bits, digest, utf8, wrapping, formats_kernels, text_kernels, sketch_kernels,
               match_kernels, index_kernels)  # fmt: skip
    return {
        f"{module.__name__}.{name}"
        for module in modules
        for name, value in vars(module).items()
        if callable(value)
        and not name.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
    }


def test_every_public_kernel_has_a_twin():
    assert public_kernels() == {f"{kernel.__module__}.{kernel.__name__}" for kernel in twins.TWINS}


@quick
@given(st.integers(0, twins.M64))
def test_mix64(x):
    assert int(text_kernels.mix64(np.uint64(x))) == twins.mix64(x)


@quick
@given(st.binary(min_size=8, max_size=8), st.integers(0, 255), st.integers(0, 128))
def test_eight_bytes_at_once(data, byte, most):
    with np.errstate(over="ignore"):
        word = bits.word_at(np.frombuffer(data, dtype=np.uint8), 0)
        assert int(word) == twins.word_at(data)
        assert int(bits.bit_count(word)) == twins.bit_count(int(word))
        assert int(bits.below(word)) == twins.below(int(word))
        for found, expected in (
            (bits.first_equal(word, byte), twins.first_equal_byte(data, byte)),
            (bits.first_less(word, most), twins.first_less(data, most)),
        ):
            assert int(bits.below(found)) // 8 == expected


@quick
@given(st.integers(0, 40), st.integers(0, 20), st.binary(min_size=8, max_size=20))
def test_place_of(before, start, behind):
    data = b"x" * (start + before) + b"\\" + behind
    buf = np.frombuffer(data, dtype=np.uint8)
    with np.errstate(over="ignore"):
        assert bits.place_of(buf, start, 0x5C) == data.index(b"\\", start)


@quick
@given(texts)
def test_count_newlines(text):
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    assert text_kernels.count_newlines(data) == twins.count_newlines(text.encode())


# Bytes that are not UTF-8 in every way there is: surrogates, overlong forms, beyond U+10FFFF,
# characters cut off, continuations by themselves.
FAULTS = [b"\xed\xa0\x80", b"\xc0\xaf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf",
          b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xd8", b"\xe2\x80", b"\xf0\x9f\x98", b"\x80",
          b"\xff"]  # fmt: skip


@quick
@given(st.lists(texts.map(str.encode) | st.sampled_from(FAULTS) | st.binary(max_size=4)))
def test_is_utf8(parts):
    data = b"".join(parts)
    assert bool(utf8.is_utf8(np.frombuffer(data, dtype=np.uint8))) == twins.is_utf8(data)


@pytest.mark.parametrize("fault", FAULTS)
def test_is_utf8_finds_every_fault(fault):
    for data in (fault, "سوق".encode() + fault, fault + "سوق".encode()):
        assert not utf8.is_utf8(np.frombuffer(data, dtype=np.uint8))


@quick
@given(st.lists(texts | st.text('ab\n"\\/\u2028\x08\x0c\r\t😀ا', max_size=80)), st.booleans())
def test_unescape(parts, ascii_only):
    strings = [json.dumps(text, ensure_ascii=ascii_only).encode() for text in parts]
    starts = np.cumsum([0, *map(len, strings)]).astype(np.int64)
    buf = np.frombuffer(b"".join(strings), dtype=np.uint8)
    out, at = np.empty_like(buf), np.empty_like(starts)
    assert utf8.unescape(buf, starts[:-1], starts[1:], out, at) == at[-1]
    got = [bytes(out[a:b]) for a, b in pairwise(at.tolist())]
    assert got == twins.unescape(strings)
    found = scan(Strings(b"".join(strings), starts[:-1], starts[1:], quoted=True), NO_WORDS)
    assert found.chars.tolist() == list(map(len, parts))


def unwrapped(parts: list[str]) -> list[str]:
    buf = np.frombuffer("".join(parts).encode(), dtype=np.uint8).copy()
    starts = np.cumsum([0, *(len(part.encode()) for part in parts)]).astype(np.int64)
    wrapping.unwrap(buf, starts, np.empty(wrapping.WIDEST + 2, dtype=np.int64))
    return [bytes(buf[a:b]).decode() for a, b in pairwise(starts.tolist())]


LINES = st.lists(st.binary(max_size=300) | st.sampled_from([b" \t", b"\r", b"\x0b", b"", b"{}"]))


@quick
@given(LINES.map(b"\n".join))
def test_line_bounds(data):
    room = data.count(b"\n") + 1
    start, end = np.zeros(room, np.int64), np.zeros(room, np.int64)
    n = formats_kernels.line_bounds(np.frombuffer(data, dtype=np.uint8), start, end)
    found = [(a, b) if a < b else (0, 0) for a, b in zip(start, end, strict=True)]
    assert found[:n] == twins.line_bounds(data)


@quick
@given(st.binary(max_size=200), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_count_bytes(data, one, two, three):
    buf = np.frombuffer(data, dtype=np.uint8)
    assert formats_kernels.count_byte(buf, one) == data.count(one)
    counts = formats_kernels.count_bytes(buf, one, two, three)
    assert list(counts) == [data.count(byte) for byte in (one, two, three)]


@pytest.mark.parametrize("size", [0, 127, 128, 129, 1000])
def test_bytes_are_counted_where_all_are_of_one_kind(size):
    """More than fit the sums of a stride, if it were longer."""
    buf = np.full(size, 10, dtype=np.uint8)
    assert text_kernels.count_newlines(buf) == size
    assert tuple(formats_kernels.count_bytes(buf, 10, 11, 10)) == (size, 0, size)


NAMES = st.sampled_from(["text", "body", "te", "texts", "n\u00f6", 'a"b', "a\\b", ""])
VALUES = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def as_json(pairs: list[tuple[str, object]], ascii_only: bool, gap: str) -> bytes:
    """A JSON object; a name may come twice."""
    fields = [
        f"{json.dumps(name, ensure_ascii=ascii_only)}{gap}:{gap}"
        f"{json.dumps(value, ensure_ascii=ascii_only)}"
        for name, value in pairs
    ]
    return f"{{{gap}{f'{gap},{gap}'.join(fields)}{gap}}}".encode()


OBJECTS = st.builds(
    as_json, st.lists(st.tuples(NAMES, VALUES), max_size=5), st.booleans(),
    st.sampled_from(["", " ", "\t"]),
)  # fmt: skip


def changed(line: bytes, at: int, size: int, by: bytes) -> bytes:
    """A line with some bytes in the place of some others."""
    at %= len(line) + 1
    return line[:at] + by + line[at + size :]


SYNTAX = st.sampled_from([
    b"", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud83d", b"\\ude00", b"\x01",
    b"\t", b" ", b"0", b"-", b"1.", b"e+5", b"true", b"nul", b"NaN", b"[]", b"{}",
    b"[" * 61 + b"]" * 61,
])  # fmt: skip
CHANGED = st.builds(changed, OBJECTS, st.integers(0, 500), st.integers(0, 2), SYNTAX)
FIELDS = ("text", "body", "n\u00f6")


@settings(quick, max_examples=400)
@given(st.lists(OBJECTS | CHANGED, min_size=1, max_size=5))
def test_find_fields(objects):
    objects = list(filter(twins.is_utf8, objects))
    bounds = np.cumsum([0, *map(len, objects)], dtype=np.int64)
    data = b"".join(objects)
    *places, plain = find(data, bounds[:-1], bounds[1:], written(FIELDS))
    found = [
        [
            json.loads(data[a:b], object_pairs_hook=list) if a >= 0 else twins.NOTHING
            for a, b in zip(*row, strict=True)
        ]
        for row in zip(*places, strict=True)
    ]
    told = [twins.find_fields(line, FIELDS) for line in objects]
    assert plain.tolist() == [one is not None for one in told]
    assert [one for one, good in zip(found, plain, strict=True) if good] == list(filter(None, told))


@pytest.mark.parametrize("depth", [1, formats_kernels.DEEPEST, formats_kernels.DEEPEST + 1])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_find_fields_follows_so_many_lists_and_objects(depth, pair):
    first = pair[0] if pair == "[]" else '{"a":'
    line = f'{{"text":{first * depth}1{pair[1] * depth},"body":"b"}}'.encode()
    _, _, plain = find(line, np.array([0]), np.array([len(line)]), written(FIELDS))
    assert plain == [depth <= formats_kernels.DEEPEST]


@quick
@given(st.lists(st.tuples(OBJECTS, st.integers(0, 2)), min_size=1, max_size=5))
def test_find_texts(lines):
    objects, which = [line for line, _ in lines], [k for _, k in lines]
    bounds = np.cumsum([0, *map(len, objects)], dtype=np.int64)
    data = b"".join(objects)
    places = find_texts(data, bounds[:-1], bounds[1:], FIELDS, np.array(which, dtype=np.uint8))
    found = [json.loads(data[a:b]) if a >= 0 else None for a, b in zip(*places, strict=True)]
    told = [twins.find_fields(line, [FIELDS[k]]) or [None] for line, k in lines]
    assert found == [one if isinstance(one, str) else None for (one,) in told]


def of_texts(given_texts: list[str], ascii_only: bool) -> Rows:
    strings = [json.dumps(text, ensure_ascii=ascii_only).encode() for text in given_texts]
    objects = [Object.of({"te": b"1", "text": string, "n": b"{}"}, "text") for string in strings]
    return Rows.of("in", objects, np.arange(1, len(objects) + 1))


@quick
@given(st.lists(texts, min_size=1, max_size=4), st.booleans(), st.data())
def test_places_and_cuts(given_texts, ascii_only, data):
    rows = of_texts([text + "\U0001f600\\" for text in given_texts], ascii_only)
    which = np.arange(rows.size)
    found = [row.text for row in rows.each()]
    cuts = [
        sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4)))
        for text in found
    ]
    chars = np.array(cuts, dtype=np.int64).ravel()
    places = rows.byte_places(which, 4 * np.arange(rows.size + 1), chars)
    strings = [rows.data[a:b] for a, b in zip(rows.text_start, rows.text_end, strict=True)]
    assert (places.reshape(-1, 4) - rows.text_start[:, None]).tolist() == [
        [twins.byte_place(string, char) for char in of]
        for string, of in zip(strings, cuts, strict=True)
    ]
    first, added = 2 * np.arange(rows.size + 1), [b"%d" % n for n in which]
    structs = encode.values(which)
    cut_start, cut_end = places[0::2].copy(), places[1::2].copy()
    found_lines = rows.spliced(which, first, cut_start, cut_end, structs)
    spliced = found_lines.lines.tobytes()
    mine = [places[4 * n : 4 * n + 4] - rows.start[n] for n in which]
    assert spliced.split(b"\n")[:-1] == [
        twins.splice(row.raw, [(at[0], at[1]), (at[2], at[3])], added[n])[:-1]
        for n, (row, at) in enumerate(zip(rows.each(), mine, strict=True))
    ]
    for line, text, at in zip(spliced.splitlines(), found, cuts, strict=True):
        assert json.loads(line)["text"] == text[: at[0]] + text[at[1] : at[2]] + text[at[3] :]
        assert spliced[found_lines.text[0] :].startswith(b'"')


def misfit(given_texts, cuts, ascii_only, harm=lambda columns: None):
    """What the kernel and its twin say of what is written of some texts; `harm` spoils it."""
    rows = of_texts(given_texts, ascii_only)
    which = np.arange(rows.size)
    first = np.cumsum([0, *map(len, cuts)])
    chars = np.array([place for of in cuts for span in of for place in span], dtype=np.int64)
    places = rows.byte_places(which, 2 * first, chars)
    cut_start, cut_end = places[0::2].copy(), places[1::2].copy()
    spliced = rows.spliced(which, first, cut_start, cut_end, encode.values(which))
    removed = encode.Column(rows.data, cut_start, cut_end).packed()
    columns = {
        "cut_start": cut_start, "cut_end": cut_end, "char_start": chars[0::2].copy(),
        "char_end": chars[1::2].copy(), "cleaned": spliced.lines.copy(), "cleaned_at": spliced.text,
        "removed": np.frombuffer(removed.data, dtype=np.uint8).copy(), "removed_at": removed.start,
    }  # fmt: skip
    harm(columns)
    found = formats_kernels.misfit(
        np.frombuffer(rows.data, dtype=np.uint8), rows.text_start, rows.text_end, first[:-1].copy(),
        first[1:].copy(), *columns.values(),
    )  # fmt: skip
    strings = [rows.data[a:b] for a, b in zip(rows.text_start, rows.text_end, strict=True)]
    assert found == twins.misfit(strings, rows.text_start.tolist(), first.tolist(), **columns)
    return found


@st.composite
def texts_with_spans(draw):
    text = draw(texts) + "\U0001f600\\"
    ends = draw(st.sets(st.integers(0, len(text)), max_size=6).map(sorted))
    return text, list(zip(ends[0::2], ends[1::2], strict=False))


@quick
@given(st.lists(texts_with_spans(), min_size=1, max_size=4), st.booleans(), st.data())
def test_what_does_not_fit_is_seen(several, ascii_only, data):
    given_texts, cuts = map(list, zip(*several, strict=True))
    assert misfit(given_texts, cuts, ascii_only) == formats_kernels.NOT_FOUND

    def harm(columns):
        name = data.draw(st.sampled_from([n for n, column in columns.items() if column.size]))
        at = data.draw(st.integers(0, columns[name].size - 1))
        columns[name][at] += np.array(data.draw(st.sampled_from([1, -1]))).astype(
            columns[name].dtype
        )

    misfit(given_texts, cuts, ascii_only, harm)


@quick
@given(st.lists(texts, min_size=1, max_size=4))
def test_spans_that_overlap_do_not_fit(given_texts):
    """Both of two spans that go side by side at the end of a text take the letter between them."""
    given_texts = [text + "abc" for text in given_texts]
    ends = [len(text) for text in given_texts]
    cuts = [[(end - 3, end - 1), (end - 1, end)] for end in ends]
    assert misfit(given_texts, cuts, False) == formats_kernels.NOT_FOUND

    def harm(columns):
        for name in ("char_start", "cut_start"):
            columns[name][-1] -= 1

    assert misfit(given_texts, cuts, False, harm) == len(cuts) - 1


@given(st.binary(max_size=100))
def test_sums(data):
    assert digest.sums_of(data) == twins.sums_of(data)
    assert digest.sums_of(memoryview(bytearray(data))) == twins.sums_of(data)


def test_sums_tell_of_every_change_that_happens_by_accident():
    """A byte that differs, places changed, something cut out, put in or filled with zeros."""
    data = bytes(range(256)) * 40
    seen = {digest.sums_of(data): "as it was"}
    for at in range(0, len(data), 37):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            assert seen.setdefault(digest.sums_of(changed), (at, bit)) == (at, bit)
    for size in (1, 2, 4, 8, 16, 64, 256, 512):
        for at in range(0, len(data) - 2 * size, 509):
            one, other = data[at : at + size], data[at + size : at + 2 * size]
            rest = data[at + 2 * size :]
            for made in (data[:at] + other + one + rest, data[:at] + other + rest,
                         data[:at] + one + one + other + rest,
                         data[:at] + bytes(size) + other + rest):  # fmt: skip
                assert made == data or digest.sums_of(made) != digest.sums_of(data)


@quick
@given(st.lists(st.binary(max_size=150)))
def test_digests(parts):
    data = b"".join(parts)
    bounds = pointer_of(np.array(list(map(len, parts)), dtype=np.int64))
    found = digest.digests(np.frombuffer(data, dtype=np.uint8), bounds)
    assert found.tolist() == twins.digests(parts)
    assert digest.digest_of(data) == twins.digest_of(data)
    assert [row.tobytes() for row in digest.as_hex(found)] == twins.as_hex(found.tolist())


@quick
@given(st.lists(st.text(" \t\r\n{}x", max_size=20)))
def test_widen(parts):
    data = "\n".join(parts).encode()
    buf = np.frombuffer(data, dtype=np.uint8)
    bounds = np.empty((2, data.count(b"\n") + 1), dtype=np.int64)
    n = formats_kernels.line_bounds(buf, *bounds)
    start, end = (column[:n].copy() for column in bounds)
    full = start < end
    start, end = start[full].copy(), end[full].copy()
    formats_kernels.widen(buf, start, end)
    assert [data[a:b] for a, b in zip(start, end, strict=True)] == twins.whole_lines(data)


@quick
@given(st.lists(
    st.tuples(st.none() | texts, st.floats(0, 1), st.integers(-(2**62), 2**62), st.booleans()),
    min_size=1,
))  # fmt: skip
def test_objects_from_columns(given_rows):
    strings, shares, numbers, whether = map(list, zip(*given_rows, strict=True))
    which = np.array(whether)
    order = np.arange(len(which))[::-1]
    pieces = [
        b'{"a":', encode.values(strings), b',"b":', encode.values(np.array(shares)),
        encode.constant(b',"c":').only(which), encode.values(np.array(numbers)).only(which),
        b',"d":', encode.values([[s, {"n": n}] for s, n in zip(strings, numbers, strict=True)]),
        b"}",
    ]  # fmt: skip
    rows = encode.joined(pieces, len(which)).take(order)
    assert [json.loads(rows.data[a:b]) for a, b in zip(rows.start, rows.end, strict=True)] == [
        {"a": a, "b": b} | ({"c": c} if told else {}) | {"d": [a, {"n": c}]}
        for a, b, c, told in given_rows[::-1]
    ]


@st.composite
def texts_with_cuts(draw):
    """Blocks of a text and its length, what they are removed as, and more spans of it."""
    sizes = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), max_size=6))
    ends = np.cumsum([a + b for a, b in sizes]).tolist()
    blocks = [(end - size, end) for end, (_, size) in zip(ends, sizes, strict=True)]
    kinds = draw(st.lists(st.integers(0, 2), min_size=len(blocks), max_size=len(blocks)))
    length = (ends[-1] if ends else 0) + draw(st.integers(0, 2))
    extra = []
    for b, (start, end) in enumerate(blocks):
        spans = st.tuples(st.integers(start, end), st.integers(start, end), st.sampled_from([1, 2]))
        more = [(min(x, y), max(x, y), what) for x, y, what in draw(st.lists(spans, max_size=3))]
        behind = blocks[b + 1][0] if b + 1 < len(blocks) else length
        if behind > end and not kinds[b] and draw(st.booleans()):
            more.append((end, behind, 9))
        extra += [(b, *one) for one in sorted(more)]
    return length, blocks, kinds, extra


@quick
@given(st.lists(texts_with_cuts(), min_size=1, max_size=4))
def test_cuts(several):
    expected, first, extra = [], [0], []
    for length, blocks, kinds, more in several:
        expected.append([
            (*span, b + first[-1] if b >= 0 else -1, k + len(extra) if k >= 0 else -1)
            for *span, b, k in twins.cuts(length, blocks, kinds, more, 9)
        ])  # fmt: skip
        extra += [(b + first[-1], *rest) for b, *rest in more]
        first.append(first[-1] + len(blocks))
    start, end = np.array(
        [place for _, blocks, *_ in several for place in blocks], dtype=np.int32
    ).reshape(-1, 2).T  # fmt: skip
    kind = np.array([k for _, _, kinds, _ in several for k in kinds], dtype=np.uint8)
    length = np.array([length for length, *_ in several], dtype=np.int64)
    of, begin, stop, what = np.array(extra, dtype=np.int64).reshape(-1, 4).T
    room = kind.size + of.size + 2 * length.size
    numbers = [np.empty(room, dtype=np.int64) for _ in range(4)]
    kinds_out, first_out = np.empty(room, np.uint8), np.empty(length.size + 1, dtype=np.int64)
    n = formats_kernels.cuts(
        np.array(first), length, start.copy(), end.copy(), kind, of.copy(), begin.copy(),
        stop.copy(), what.astype(np.uint8), 9, first_out, *numbers[:2], kinds_out, *numbers[2:],
    )  # fmt: skip
    columns = (*numbers[:2], kinds_out, *numbers[2:])
    found = list(zip(*(column[:n].tolist() for column in columns), strict=True))
    assert [found[a:b] for a, b in pairwise(first_out.tolist())] == expected


WORDS = st.lists(
    st.text("ابتسم0.،", min_size=1, max_size=9) | st.sampled_from(["قال.", "نعم؟", "«لا».", "(1)"]),
    min_size=1, max_size=90,
).map(" ".join)  # fmt: skip


@quick
@given(
    st.lists(WORDS, min_size=1, max_size=5), st.integers(38, 134),
    st.sampled_from(["\n", "\n\n", "\r\n", " \n \n"]), st.sampled_from(["\n", "\r\n", " \n\t"]),
    st.lists(texts, max_size=2),
)  # fmt: skip
def test_unwrap(paragraphs, width, gap, end, others):
    text = gap.join(end.join(textwrap.wrap(p, width, break_long_words=False)) for p in paragraphs)
    parts = [*others, text, *others]
    assert unwrapped(parts) == list(map(twins.unwrap, parts))


@pytest.mark.parametrize("width", [60, 72, 100])
def test_wrapped_paragraphs_are_whole_again(width):
    words = [
        "أعلنت",
        "بلدية",
        "الميناء",
        "أمس",
        "أن",
        "جسر",
        "السوق",
        "القديم",
        "يعود",
        "إلى",
        "الخدمة",
        "بعد",
        "ترميم",
        "طويل",
    ]
    paragraphs = [" ".join(words[k:] + words + words[:k]) + "." for k in range(6)]
    wrapped = "\n\n".join(textwrap.fill(p, width) for p in paragraphs)
    assert unwrapped([wrapped]) == ["\n\n".join(paragraphs)]
    assert unwrapped([wrapped.replace("\n\n", "\n")]) == ["\n".join(paragraphs)]
    headline = textwrap.wrap(paragraphs[0], width)[0]
    headline += "ا" * (width - len(headline))  # as long as the width
    parts = [f"{headline}\nوكالات", *paragraphs[:2], f"{headline}\nمتابعات _ خاص", *paragraphs[2:]]
    lines = [part if "\n" in part else textwrap.fill(part, width) for part in parts]
    assert unwrapped(["\n".join(lines)]) == ["\n".join(parts)]


@quick
@given(st.lists(texts, max_size=4))
def test_cut_blocks(parts):
    found = scan(Strings.of(parts), NO_WORDS)
    blocks = found.blocks
    columns = (blocks.record, blocks.start, blocks.end, found.residue)
    assert list(zip(*map(twins.plain, columns), strict=True)) == twins.cut_blocks(parts)
    assert found.chars.tolist() == list(map(len, parts))


@pytest.mark.parametrize("length", [14, 15, 16, 17, 31, 32, 33, 63, 64, 65])
@pytest.mark.parametrize("tail", ["", " ", "  \n", "\n\u00a0\n", "\u200f", "»", "\u061c", "\x9c"])
def test_cut_blocks_at_the_edge_of_a_stride(length, tail):
    for run in (" " * (length % 3) + "س" * length, "a" * length, " " * length):
        text = run + tail
        parts = [text, text + "ب" + text]
        found = scan(Strings.of(parts), NO_WORDS)
        columns = (found.blocks.record, found.blocks.start, found.blocks.end, found.residue)
        assert list(zip(*map(twins.plain, columns), strict=True)) == twins.cut_blocks(parts)


@quick
@given(st.lists(lines, max_size=6), st.sampled_from([1, 0, 7, 2**32 - 1]))
def test_fold_blocks(parts, seed):
    blocks = scan(Strings.of(parts), NO_WORDS, seed=seed).blocks
    salt = _salt(seed).tolist()
    for b in range(blocks.key.size):
        block = parts[blocks.record[b]][blocks.start[b] : blocks.end[b]]
        here = slice(blocks.pointer[b], blocks.pointer[b + 1])
        hashes, key = twins.fold_blocks(block, salt)
        assert twins.plain(blocks.tokens[here]) == hashes, block
        assert int(blocks.key[b]) == key
        assert twins.plain(stems([block])[0]) == [twins.stem_hash(t) for t in tokens(block)]


LONG = "وسيستخدمونها"


@pytest.mark.parametrize("size", range(1, len(LONG) + 1))
@pytest.mark.parametrize(
    "behind", ["", " ", "، ", "،", ". ", "ً ", "\U0001e922 ", "é ", "؟ ", "ـ", "٣ "]
)
def test_words_read_eight_letters_at_once(size, behind):
    """Of all lengths, before all kinds of signs, and at all distances from a block's end."""
    word = LONG[:size] + behind
    for line in (word + "من آل " * 9, "من " + word * 5 + "أولى", "قال " * 3 + word + "ب" * size):
        tokens_, key = twins.fold_blocks(line.strip())
        found = scan(Strings.of([line]), NO_WORDS).blocks
        assert (twins.plain(found.tokens), int(found.key[0])) == (tokens_, key), line


@quick
@given(st.lists(lines, max_size=6))
def test_shape_tells_how_a_block_ends(parts):
    blocks = scan(Strings.of(parts), NO_WORDS).blocks
    names = ("STOP", "QUESTION", "COLON_END", "DOTS_END")
    for b in range(blocks.key.size):
        block = parts[blocks.record[b]][blocks.start[b] : blocks.end[b]]
        got = {name for name in names if blocks.shape[b] & getattr(text_kernels, name)}
        if not blocks.shape[b] & text_kernels.DEFERRED:
            assert got == twins.ends(block), block


@pytest.mark.parametrize(
    ("line", "bits"),
    [
        ("وفد رفيع في سوريا..هل تعترف موسكو ؟", {"DOTS", "QUESTION", "WAW"}),
        ("أردوغان: لن نقبل", {"COLON"}),
        ("اللقاء عند 10:30 مساء.", {"STOP"}),
        ("انتهى اللقاء. وبدأ آخر", {"SENTENCES"}),
        ("وكالات_ الشرق", {"DASH", "WAW"}),
        ("وكالات - الشرق", {"DASH", "WAW"}),
        ("جو-أرض", set()),
        ('* نقلا عن "الحياة"', {"BULLET"}),
        ("3- ثلاثة أسباب", {"NUMBERED", "DASH"}),
        ("قال:", {"COLON_END"}),
        ("لم يكن..", {"DOTS_END"}),
        ("لم يكن…", {"DOTS_END"}),
        ("انتهى.”", {"STOP"}),
    ],
)
def test_shape(line, bits):
    blocks = scan(Strings.of([line]), NO_WORDS).blocks
    names = [
        "STOP",
        "QUESTION",
        "COLON_END",
        "DOTS_END",
        "DOTS",
        "COLON",
        "SENTENCES",
        "BULLET",
        "DASH",
        "DEFERRED",
        "NUMBERED",
        "WAW",
    ]
    assert {n for n in names if blocks.shape[0] & getattr(text_kernels, n)} == bits


@quick
@given(texts, st.sets(st.sampled_from(("السوق", "المدينة", "الوزير"))))
def test_echoes(text, words):
    common = np.unique(np.array([twins.stem_hash(t) for w in words for t in tokens(w)], np.uint32))
    parts = [text, text[::-1]]
    blocks = scan(Strings.of(parts), common).blocks
    hashes = [h for n, part in enumerate(parts) for h in stems_of(part, of_record(blocks, n))]
    naive = [
        (int(record), twins.plain(words), twins.is_heading(int(shape), words.size))
        for record, words, shape in zip(blocks.record, hashes, blocks.shape, strict=True)
    ]
    near = np.empty(blocks.key.size, dtype=np.bool_)
    text_kernels.near_headings(blocks.record, blocks.pointer, blocks.shape, near)
    assert near.tolist() == twins.near_headings([(r, heading) for r, _, heading in naive])
    got = zip(*map(twins.plain, (blocks.content, blocks.echo)), strict=True)
    assert list(got) == twins.echoes(naive, set(twins.plain(common)))


@quick
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=6), min_size=1, max_size=8),
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), max_size=8),
)
def test_longest_phrases(lists, phrases):
    flat, pointer = csr(lists)
    phrases.sort(key=lambda phrase: phrase[0])
    words = np.zeros((len(phrases), 4), dtype=np.uint32)
    for row, phrase in zip(words, phrases, strict=True):
        row[: len(phrase)] = phrase
    out = np.empty((3, len(lists)), dtype=np.uint8)
    size = np.array([len(phrase) for phrase in phrases], dtype=np.int64)
    role = np.arange(len(phrases)) % 2
    text_kernels.longest_phrases(flat, pointer, words, size, role, out)
    assert out.tolist() == [
        [twins.longest_phrase(items, phrases[of::2] if of < 2 else []) for items in lists]
        for of in range(3)
    ]


@pytest.mark.parametrize("length", [0, 1, 24, 25])
@pytest.mark.parametrize("shape", [0, text_kernels.STOP, text_kernels.SENTENCES, 2])
def test_is_heading(shape, length):
    assert bool(text_kernels.is_heading(shape, length)) == twins.is_heading(shape, length)


@quick
@given(token_lists, st.integers(1, 4))
def test_signatures_and_band_hashes(lists, width):
    lists = [items for items in lists if len(items) >= width]
    flat, pointer = csr(lists)
    got = minhash.signatures(flat, pointer, np.arange(len(lists)), width, 16, 7)
    a, b = (twins.plain(x) for x in minhash.permutations(16, 7))
    assert got.tolist() == [twins.signatures(items, width, a, b) for items in lists]
    hashes = np.empty((5, len(lists)), dtype=np.uint32)
    sketch_kernels.band_hashes(got, 3, 0, hashes)
    assert hashes.T.tolist() == [twins.band_hashes(row, 3, 5) for row in got.tolist()]


@quick
@given(
    st.lists(st.integers(0, twins.M32), max_size=30),
    st.lists(st.booleans(), min_size=16, max_size=16),
)
def test_words_and_pairs_of_words(tokens, known):
    flat = np.array(tokens, dtype=np.uint32)
    times = np.zeros(16, dtype=np.int32)
    text_kernels.count_words(flat, times)
    assert times.tolist() == twins.count_words(tokens, 16)
    out = np.empty(flat.size, dtype=np.int64)
    found = text_kernels.find_pairs(flat, np.array(known), out)
    assert out[:found].tolist() == twins.find_pairs(tokens, known)
    marks = text_kernels.pair_mark(flat[:-1], flat[1:], 16).tolist()
    assert marks == [twins.pair_mark(one, other, 16) for one, other in pairwise(tokens)]


@quick
@given(st.lists(st.integers(0, 6), max_size=40), st.sampled_from([0, 5, 1000]))
def test_first_equal(values, many):
    with mock.patch.object(lsh, "MANY", many):
        got = lsh.first_equal(np.array(values, dtype=np.int64))
    assert got.tolist() == twins.first_equal(values)


@quick
@given(st.lists(st.integers(0, twins.M64), max_size=40), st.sampled_from([2, 4, 256]))
def test_part(values, parts):
    salt, n = 0x9E3779B97F4A7C15, len(values)
    ends, place = np.empty(parts, dtype=np.int64), np.empty(n, dtype=np.int32)
    flat, parted = np.array(values, dtype=np.uint64), np.empty(n, dtype=np.uint64)
    largest = sketch_kernels.part(flat, np.uint64(salt), ends, place, parted)
    expected = twins.part(values, salt, parts)
    got = [part.tolist() for part in np.split(place, ends[:-1])]
    assert got == expected
    assert largest == max(map(len, expected))
    assert parted.tolist() == flat[place].tolist()


@quick
@given(st.lists(st.integers(0, 40), max_size=40), st.integers(0, twins.M64))
def test_count_shared(values, salt):
    count = np.arange(len(values), dtype=np.int32)
    table = np.empty(128, dtype=np.int32)
    sketch_kernels.count_shared(np.array(values, dtype=np.uint32), np.uint64(salt), table, count)
    assert (count - np.arange(len(values))).tolist() == twins.count_shared(values)


@quick
@given(st.lists(st.lists(st.integers(0, 1), max_size=3), min_size=1), st.randoms())
def test_confirm(lists, random):
    flat, pointer = csr(lists)
    first = np.arange(len(lists), dtype=np.int32)
    for i in range(1, len(lists)):  # as if keys had met
        first[i] = first[random.randrange(i)]
    expected = twins.confirm(lists, first.tolist())
    match_kernels.confirm(flat, pointer, np.arange(len(lists), dtype=np.int64), first)
    assert first.tolist() == expected


@quick
@given(st.integers(0, 9), st.data())
def test_buckets_of_few_and_of_many_are_the_same(size, data):
    row = st.lists(st.integers(0, 4), min_size=size, max_size=size)
    bands = data.draw(st.lists(row, min_size=1, max_size=4))
    hashes = np.array(bands, dtype=np.uint32).reshape(len(bands), size)
    few = lsh.buckets(hashes, Memory())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lsh, "FEW", -1)
        many = lsh.buckets(hashes, Memory())
        patch.setattr(lsh, "MANY", -1)
        more = lsh.buckets(hashes, Memory())
    members, of, count = twins.meet(bands)
    for got in (few, many, more):
        assert got.members.tolist() == members
        assert [got.bucket[a:b].tolist() for a, b in pairwise(got.pointer.tolist())] == of
        assert got.size == count


@quick
@given(token_lists, st.integers(1, 4))
def test_shingle_sets_and_jaccard(lists, width):
    flat, pointer = csr(lists)
    sets = shingle_sets(flat, pointer, np.arange(len(lists)), width)
    naive = [twins.shingle_sets(items, width) for items in lists]
    for i, expected in enumerate(naive):
        assert twins.plain(sets.hashes[sets.pointer[i] : sets.pointer[i + 1]]) == expected
        assert sets.jaccard(0, i) == twins.jaccard(set(naive[0]), set(expected), 0.0)
        p = sets.pointer
        got = match_kernels.jaccard(sets.hashes, p[0], p[1], p[i], p[i + 1], 0.5)
        assert got == twins.jaccard(set(naive[0]), set(expected), 0.5)


@pytest.mark.parametrize("size", [15, 16, 17, 63, 64, 65, 127, 128, 129, 1000, 4097, 9000])
@pytest.mark.parametrize("different", [1, 2, 40, 5003])
def test_shingle_sets_are_sorted_whatever_their_size(size, different):
    """Of more values than are sorted by themselves, and of less; many equal, and none."""
    items = [(i * 7919) % different for i in range(size)]
    flat, pointer = csr([[5, 3], items, [2]])
    sets = shingle_sets(flat, pointer, np.array([0, 1, 2]), 1)
    expected = twins.shingle_sets(items, 1)
    assert twins.plain(sets.hashes[sets.pointer[1] : sets.pointer[2]]) == expected


@quick
@given(token_lists, st.randoms(use_true_random=False), st.sampled_from([0.3, 0.5, 0.8]))
def test_group(lists, random, threshold):
    lists = [items for items in lists if len(items) >= 2]
    flat, pointer = csr(lists)
    bands = [[random.randrange(max(1, len(lists) // 2)) for _ in lists] for _ in range(3)]
    buckets = lsh.buckets(np.array(bands, dtype=np.uint32).reshape(3, len(lists)), Memory())
    members = buckets.members.tolist()
    m = len(members)
    order = list(range(m))
    random.shuffle(order)
    sets = shingle_sets(flat, pointer, buckets.members, 2)
    found, alike = np.empty(m, dtype=np.int64), np.empty(m)
    cut = match_kernels.group(
        sets.hashes,
        sets.pointer,
        buckets.bucket,
        buckets.pointer,
        np.array(order, dtype=np.int64),
        threshold,
        1000,
        np.full(buckets.size, -1, dtype=np.int32),
        np.empty(buckets.bucket.size, dtype=np.int32),
        np.empty(buckets.bucket.size, dtype=np.int32),
        np.full(m, -1, dtype=np.int64),
        found,
        alike,
    )
    expected = twins.group(
        [set(twins.shingle_sets(lists[i], 2)) for i in members],
        [[band[i] for i in members] for band in bands],
        order,
        threshold,
    )
    assert cut == 0
    assert alike.tolist() == [similarity for _, similarity in expected]
    for i, (head, similarity) in enumerate(expected):  # equally similar heads may differ
        if found[i] != head:
            assert sets.jaccard(i, int(found[i])) == similarity


@quick
@given(token_lists, st.randoms(use_true_random=False), st.sampled_from([0.3, 0.5, 0.8]))
def test_nearest(lists, random, threshold):
    lists = [items for items in lists if len(items) >= 2]
    flat, pointer = csr(lists)
    bands = [[random.randrange(max(1, len(lists) // 2)) for _ in lists] for _ in range(3)]
    buckets = lsh.buckets(np.array(bands, dtype=np.uint32).reshape(3, len(lists)), Memory())
    members = buckets.members.tolist()
    m = len(members)
    sides = [random.randrange(3) for _ in range(m)]  # some are neither known nor asked about
    known, asked = ([i for i in range(m) if sides[i] == side] for side in (0, 1))
    sets = shingle_sets(flat, pointer, buckets.members, 2)
    found, alike = np.full(m, -1, dtype=np.int64), np.zeros(m)
    cut = match_kernels.nearest(
        sets.hashes,
        sets.pointer,
        buckets.bucket,
        buckets.pointer,
        np.array(known, dtype=np.int64),
        np.array(asked, dtype=np.int64),
        threshold,
        1000,
        np.full(buckets.size, -1, dtype=np.int32),
        np.empty(buckets.bucket.size, dtype=np.int32),
        np.empty(buckets.bucket.size, dtype=np.int32),
        np.full(m, -1, dtype=np.int64),
        found,
        alike,
    )
    expected = twins.nearest(
        [set(twins.shingle_sets(lists[i], 2)) for i in members],
        [[band[i] for i in members] for band in bands],
        known,
        asked,
        threshold,
    )
    assert cut == 0
    assert {i: (int(found[i]), float(alike[i])) for i in asked} == expected


@quick
@given(token_lists, st.data())
def test_jaccards_and_containments(lists, data):
    flat, pointer = csr(lists)
    numbers = st.integers(0, len(lists) - 1)
    pairs = data.draw(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8))
    one, other = np.array(pairs, dtype=np.int64).T.copy()
    which = np.arange(len(lists))
    similarity, contained = np.empty((2, len(pairs)))
    sets = shingle_sets(flat, pointer, which, 2)
    match_kernels.jaccards(sets.hashes, sets.pointer, one, other, similarity)
    naive = [set(twins.shingle_sets(items, 2)) for items in lists]
    assert similarity.tolist() == twins.jaccards(naive, pairs)
    words = shingle_sets(flat, pointer, which, 1)
    match_kernels.containments(
        flat, pointer, which, words.hashes, words.pointer, one, other, contained
    )
    assert contained.tolist() == twins.containments(lists, pairs)


labelled = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=12), min_size=2, max_size=5
)


class Records:
    """Records of labelled blocks, one of four no paragraph."""

    def __init__(self, lists):
        self.first = np.cumsum([0, *map(len, lists)]).astype(np.int64)
        flat = [item for items in lists for item in items]
        self.label = np.array([label for label, _ in flat], dtype=np.int32)
        self.line = np.array([kind == 1 for _, kind in flat], dtype=np.bool_)
        self.scratch = Scratch(self.first)

    def blocks(self, record):
        return list(range(self.first[record], self.first[record + 1]))

    def run(self, a, b):
        s = self.scratch
        n = match_kernels.common_run(
            self.label, *self.first[a : a + 2], *self.first[b : b + 2], s.table, s.room, s.one,
            s.other,
        )  # fmt: skip
        return list(zip(s.one[:n].tolist(), s.other[:n].tolist(), strict=True))


@quick
@given(labelled)
def test_common_run(lists):
    records = Records(lists)
    run = records.run(0, 1)
    labels = [[label for label, _ in items] for items in lists[:2]]
    assert len(run) == twins.common_run(*labels)
    assert all(records.label[i] == records.label[j] for i, j in run)
    assert all(i < x and j < y for (i, j), (x, y) in pairwise(run))


@quick
@given(labelled, st.sampled_from([0.4, 0.8]), st.integers(0, 30))
def test_lead(lists, share, least_tokens):
    records = Records(lists)
    lengths = 5 + records.label.astype(np.int64)
    total = [int(lengths[records.blocks(r)].sum()) for r in range(len(lists))]
    pairs = [(b, a, min(total[a], total[b])) for b in range(len(lists)) for a in range(b)]
    late, ahead, least = np.array(pairs, dtype=np.int64).T.copy()
    leader = np.arange(len(lists))
    s = records.scratch
    match_kernels.lead(
        records.label, lengths, records.first, late, ahead, least, share, least_tokens, s.table,
        s.room, s.one, s.other, leader,
    )  # fmt: skip

    def shared(a, b):
        return sum(int(lengths[i]) for i, _ in records.run(a, b))

    assert leader.tolist() == twins.lead(pairs, shared, len(lists), share, least_tokens)


@quick
@given(labelled)
def test_gap_pairs(lists):
    records = Records(lists)
    s = records.scratch
    block, match = np.empty((2, 1000), dtype=np.int64)
    framed = np.empty(1000, dtype=np.bool_)
    pair = (np.array([0]), np.array([1]))
    n = match_kernels.gap_pairs(
        records.label, records.line, records.first, *pair, s.table, s.room, s.one, s.other, block,
        match, framed,
    )  # fmt: skip
    got = list(zip(*(part[:n].tolist() for part in (block, match, framed)), strict=True))
    lines = set(np.flatnonzero(records.line).tolist())
    expected = twins.gap_pairs(records.run(0, 1), records.blocks(0), records.blocks(1), lines)
    assert len(got) == len(set(got))
    assert set(got) == expected
    few = match_kernels.gap_pairs(
        records.label, records.line, records.first, *pair, s.table, s.room, s.one, s.other,
        block[:1], match[:1], framed[:1],
    )  # fmt: skip
    assert few == n


@quick
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.booleans(), st.integers(0, 5)),
        min_size=1,
        max_size=24,
    ),
    st.data(),
)
def test_shared_runs(rows, data):
    # Of five sentences, one is a near-copy of another.
    texts = [[1, 2, 3], [4, 5, 6, 7, 8, 9], [4, 5, 6, 7, 8, 1], [7, 7], [9, 8, 7, 6]]
    sentences = [texts[which] for which, *_ in rows]
    block = np.cumsum([new for _, _, new, _ in rows]).astype(np.int32)
    record = (block // 2).astype(np.int32)
    usable = np.array([place > 0 for *_, place in rows])
    alike = {0: {0}, 1: {1, 2}, 2: {1, 2}, 3: {3}, 4: {4}}
    partner = []
    for u, (which, *_) in enumerate(rows):
        before = [v for v in range(u) if rows[v][0] in alike[which]]
        partner.append(data.draw(st.sampled_from(before)) if before else u)
    flat, pointer = csr(sentences)
    key = np.empty(len(rows), dtype=np.uint64)
    text_kernels.keys(flat, pointer, key)
    sets = shingle_sets(flat, pointer, np.arange(len(rows)), 2)
    first, other, count = np.empty((3, len(rows)), dtype=np.int64)
    n = match_kernels.shared_runs(
        sets.hashes, sets.pointer, key, np.diff(pointer), record, block,
        np.array(partner, dtype=np.int32), np.arange(len(rows), dtype=np.int32), usable, 0.5, 2, 6,
        np.zeros(len(rows), dtype=np.uint8), first, other, count,
    )  # fmt: skip
    got = list(zip(*(part[:n].tolist() for part in (first, other, count)), strict=True))
    plain = (record.tolist(), block.tolist(), partner, usable.tolist())
    assert got == twins.shared_runs(sentences, *plain, 2, 0.5, 2, 6)


rows_of_bands = st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), max_size=12)


def hashed(rows, masked=None):
    """What a table of three columns knows blocks by; all have the same shingles if not said."""
    mask, shingles = masked or (np.ones((len(rows), index_kernels.WORDS)), np.ones(len(rows)))
    values = np.array(rows, dtype=np.uint32).reshape(-1, 3)
    return Hashes(values, mask.astype(np.uint64), shingles.astype(np.int32))


def found_in(table, asked, cap):
    query, block = table.candidates(asked, cap)
    got = [set() for _ in asked.values]
    for q, b in zip(query.tolist(), block.tolist(), strict=True):
        got[q].add(b - 100)
    return got


@quick
@given(rows_of_bands, rows_of_bands, st.integers(1, 4), st.integers(0, 12))
def test_insert_and_probe(known, asked, cap, half):
    table = Table(3, 0.7)
    for part in (slice(0, half), slice(half, None)):
        table.add(np.arange(len(known), dtype=np.int64)[part] + 100, hashed(known[part]))
    for _ in range(2):  # what was asked before leaves no trace
        got = found_in(table, hashed(asked), cap)
        for mine, expected in zip(got, twins.probe(known, asked), strict=True):
            assert mine <= expected
            assert len(mine) == min(cap, len(expected))


@quick
@given(token_lists, st.integers(1, 4), st.sampled_from([0.3, 0.5, 0.8]))
def test_what_cannot_be_alike_is_no_candidate(lists, width, threshold):
    flat, pointer = csr(lists)
    mask, shingles = masks(flat, pointer, np.arange(len(lists)), width)
    naive = [twins.masks(items, width) for items in lists]
    assert [(twins.plain(m), n) for m, n in zip(mask, shingles.tolist(), strict=True)] == naive
    of = [twins.shingles(items, width) for items in lists]
    for i, j in [(0, j) for j in range(len(lists))]:
        most = index_kernels.most_alike(mask[i], shingles[i], mask[j], shingles[j])
        assert most == twins.most_alike(of[i], of[j])
        assert most >= twins.jaccard(set(of[i]), set(of[j]), 0.0)
    table = Table(3, threshold)
    same = hashed([[1, 1, 1]] * len(lists), (mask, shingles))
    table.add(np.arange(len(lists), dtype=np.int64) + 100, same)
    for i, got in enumerate(found_in(table, same, 1000)):
        assert got == {
            j for j, others in enumerate(of) if twins.most_alike(of[i], others) >= threshold
        }


@quick
@given(token_lists, st.data())
def test_gather(lists, data):
    which = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    pointer, got = tokens_of(*csr(lists), np.array(which, dtype=np.int64))
    assert twins.plain(got) == twins.gather(lists, which)
    assert np.diff(pointer).tolist() == [len(lists[block]) for block in which]


@quick
@given(token_lists)
def test_keys(lists):
    flat, pointer = csr(lists)
    out = np.empty(len(lists), dtype=np.uint64)
    text_kernels.keys(flat, pointer, out)
    assert twins.plain(out) == twins.keys(lists)


@quick
@given(st.lists(lines, max_size=4))
def test_characters(parts):
    data = "".join(parts).encode()
    bounds = np.cumsum([0, *(len(part.encode()) for part in parts)]).astype(np.int64)
    out = np.empty(bounds.size - 1, dtype=np.int32)
    text_kernels.characters(
        np.frombuffer(data, dtype=np.uint8), np.zeros(1, dtype=np.int64),
        np.zeros(1, dtype=np.int32), bounds[1:], np.zeros(out.size, dtype=np.int64), out,
    )  # fmt: skip
    assert out.tolist() == twins.characters(data, bounds[1:].tolist())


@quick
@given(st.lists(lines, max_size=6))
def test_cuts_part_the_tokens_of_a_block(parts):
    blocks = scan(Strings.of(parts), NO_WORDS, sentences=True).blocks
    assert (np.diff(blocks.cut) > 0).all()
    for token, at in zip(blocks.cut.tolist(), blocks.cut_start.tolist(), strict=True):
        b = int(np.searchsorted(blocks.pointer, token, side="right")) - 1
        text = parts[blocks.record[b]]
        start, end = int(blocks.start[b]), int(blocks.end[b])
        assert start < at < end
        before, behind = tokens(text[start:at]), tokens(text[at:end])
        assert len(before) == token - blocks.pointer[b]
        assert before + behind == tokens(text[start:end])


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        ("انتهى اللقاء. وبدأ آخر.", ["انتهى اللقاء. ", "وبدأ آخر."]),
        ("هل انتهى اللقاء؟ وبدأ آخر! «نعم»", ["هل انتهى اللقاء؟ ", "وبدأ آخر! ", "«نعم»"]),
        ("انتهى اللقاء.وبدأ آخر", ["انتهى اللقاء.", "وبدأ آخر"]),
        ('قال "انتهى اللقاء. وبدأ آخر". ثم خرج', ['قال "انتهى اللقاء. وبدأ آخر". ', "ثم خرج"]),
        ("قال «انتهى اللقاء. وبدأ آخر» ثم خرج", ["قال «انتهى اللقاء. وبدأ آخر» ثم خرج"]),
        ("ذكرت قناة بي. إف. إم الفرنسية", ["ذكرت قناة بي. إف. إم الفرنسية"]),
        ("بلغ السعر 10.5 دولار. ثم هبط", ["بلغ السعر 10.5 دولار. ", "ثم هبط"]),
        ("لم يكن.. كما كان", ["لم يكن.. كما كان"]),
    ],
)
def test_sentences(line, sentences):
    blocks = scan(Strings.of([line]), NO_WORDS, sentences=True).blocks
    bounds = [0, *blocks.cut_start.tolist(), len(line)]
    assert [line[a:b] for a, b in pairwise(bounds)] == sentences


@quick
@given(st.lists(st.integers(0, twins.M32), min_size=1, max_size=5))
def test_shingle_hash(items):
    flat = np.array(items, dtype=np.uint32)
    assert int(sketch_kernels.shingle_hash(flat, 0, len(items))) == twins.shingle_hash(items)


@quick
@given(st.integers(0, twins.M64), st.integers(0, twins.M64))
def test_spread(value, salt):
    with np.errstate(over="ignore"):
        found = int(sketch_kernels.spread(np.uint64(value), np.uint64(salt)))
    assert found == twins.spread(value, salt)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, 255, 256, 257])
def test_line_bounds_of_long_lines(size):
    data = b"a" * size + b"\n" + b"b" * size
    start, end = np.zeros(2, np.int64), np.zeros(2, np.int64)
    n = formats_kernels.line_bounds(np.frombuffer(data, dtype=np.uint8), start, end)
    told = twins.line_bounds(data)
    assert [(a, b) if a < b else (0, 0) for a, b in zip(start, end, strict=True)][:n] == told


@quick
@given(
    st.lists(st.integers(0, 9) | st.integers(0, 2**64 - 1), max_size=20),
    st.lists(st.integers(0, 9) | st.integers(0, 2**64 - 1), max_size=20),
)
def test_is_in(values, others):
    found = lsh.is_in(np.array(values, dtype=np.uint64), np.array(others, dtype=np.uint64))
    assert found.tolist() == [value in others for value in values]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("held", [None, 0])
def test_shingle_sets_batch_by_batch(workers, held, monkeypatch):
    generator = np.random.default_rng(7)
    length = generator.integers(0, 40, 500)
    pointer = pointer_of(length)
    tokens = generator.integers(0, 50, pointer[-1]).astype(np.uint32)  # some shingles twice
    which = generator.permutation(500)[:300]
    whole = shingle_sets(tokens, pointer, which, 3)
    memory = None if held is None else Memory(held)
    monkeypatch.setattr("dedup.match.verify.BATCH", 7)
    found = shingle_sets(tokens, pointer, which, 3, memory, workers)
    assert found.pointer.tolist() == whole.pointer.tolist()
    assert found.hashes.tolist() == whole.hashes.tolist()


SHORT = "س ب ت " * 400


@pytest.mark.parametrize(
    "parts", [[SHORT], ["كلمة"] * 9 + [SHORT], [SHORT] + ["كلمة"] * 9, ["س ب ت"] * 400]
)
def test_texts_of_very_short_words_have_room(parts):
    blocks = scan(Strings.of(parts), NO_WORDS, sentences=True).blocks
    words = [part.replace(".", " ").split() for part in parts]
    assert blocks.length().tolist() == list(map(len, words))
