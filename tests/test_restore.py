"""Nothing is ever lost: removed spans put back give the input, to the character."""

from __future__ import annotations

import gzip
import importlib
import json
import os

import numpy as np
import pytest
import twins
from arabic_text import texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dedup
from dedup.engines.memory import Memory
from dedup.formats import encode
from dedup.formats.cuts import Judged, batches, cuts_of
from dedup.formats.row import Object, Rows
from dedup.judge.evidence import Evidence
from dedup.judge.verdicts import FOOTER, Verdicts
from dedup.records import Batch, Strings
from dedup.text import lexicon
from dedup.text.corpus import build

LINK = "سوق جديد للخضار قرب ميناء المرسى القديم"
PIECES = (
    "افتتحت بلدية المرسى سوقا جديدا للخضار قرب الميناء القديم، وحضر الافتتاح عشرات الباعة.",
    "وقال رئيس البلدية إن السوق يضم ستين محلا للخضار والفاكهة وموقفا واسعا للشاحنات.",
    "وقالَ رئيسُ البلدية إنّ السوق يضم ستين محلًا للخضار والفاكهة وموقفا واسعا للشاحنات!",
    "اقرأ أيضًا:",
    LINK,
    "الساحل - وكالات",
    "Exit mobile version",
    "\u200f😀 رمز تعبيري وعلامة اتجاه \u202bمعكوسة\u202c في سطر طويل يكفي لأكثر من ثمانية ألفاظ",
    "-----",
)
bodies = st.lists(st.sampled_from(PIECES) | texts, max_size=8).flatmap(
    lambda lines: st.sampled_from(("\n", "\n\n", "\r\n", "\n\u00a0\n", "\u2028", " \n ")).map(
        lambda gap: gap.join(lines)
    )
)
records = st.lists(
    st.fixed_dictionaries(
        {"text": bodies},
        optional={"title": st.just(LINK), "n": st.integers(), "source": st.sampled_from("اب")},
    ),
    min_size=1,
    max_size=6,
)
levels = st.sampled_from(("block", "sentence"))
slow = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def written(folder, rows, name="in.jsonl", **settings):
    path = folder / name
    lines = [json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in rows]
    path.write_text("".join(lines), encoding="utf-8", newline="")
    dedup.clean(path, folder / "out.jsonl", **settings)
    return path


def rows(path):
    return [json.loads(line) for line in path.open(encoding="utf-8", newline="\n")]


def test_a_key_twice_in_a_record_stays_twice(tmp_path):
    """The last one counts, as for every reader of JSON; what goes, goes of it."""
    lines = [
        f'{{"id":"a","text":"{PIECES[0]}"}}',
        f'{{"id":"b","n":1,"text":"{PIECES[0]}","n":{{"k":1,"k":2}},"text":"{PIECES[1]}"}}',
        f'{{"id":"c","n":1,"n":2,"text":"قال","text":"{PIECES[0]}\\n{PIECES[1]}"}}',
        f'{{"id":"d","text":"","n":1,"n":2,"text":"{PIECES[0]}\\nسطر وحيد بقي"}}',
    ]
    source, out, back = (tmp_path / n for n in ("in.jsonl", "out.jsonl", "back.jsonl"))
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = dedup.clean(source, out)
    assert (result.counts.cleaned, result.counts.dropped) == (1, 1)
    assert [row["text"] for row in rows(out)] == [*PIECES[:2], "سطر وحيد بقي"]
    dedup.restore(out, back)
    assert back.read_bytes() == source.read_bytes()


@slow
@given(records, st.sampled_from(("first", "longest")), st.booleans(), levels)
def test_restore_gives_the_input_back(tmp_path_factory, data, keep, keep_empty, level):
    folder = tmp_path_factory.mktemp("restore")
    source = written(folder, data, keep=keep, keep_empty=keep_empty, level=level)
    assert dedup.restore(folder / "out.jsonl", folder / "back.jsonl") == len(data)
    assert (folder / "back.jsonl").read_bytes() == source.read_bytes()


@slow
@given(bodies)
def test_restore_gives_a_raw_dump_back(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("dump")
    (folder / "in.txt").write_text(text, encoding="utf-8", newline="")
    try:
        dedup.clean(folder / "in.txt", folder / "out.jsonl")
    except dedup.InputError as error:
        assert str(error).endswith("in.txt: no records in it; nothing was written")  # noqa: PT017
        assert not twins.INVISIBLE.sub("", text).strip()
        return
    dedup.restore(folder / "out.jsonl", folder / "back.jsonl")
    back = "".join(row["text"] for row in rows(folder / "back.jsonl"))
    assert back == text.removeprefix("\ufeff") or not twins.INVISIBLE.sub("", text)


@slow
@given(records, levels)
def test_removals_keep_the_contract(tmp_path_factory, data, level):
    folder = tmp_path_factory.mktemp("contract")
    written(folder, [{"id": str(n), **row} for n, row in enumerate(data)], level=level)
    texts_of = {str(n): row["text"] for n, row in enumerate(data)}
    last = (-1, 0)
    for removal in rows(folder / "out.removed.jsonl"):
        here = (int(removal["id"]), removal["start"])
        assert here >= last, "in input order, without overlap"
        last = (here[0], removal["end"])
        text = texts_of[removal["id"]]
        assert 0 <= removal["start"] < removal["end"] <= len(text)
        assert text[removal["start"] : removal["end"]] == removal["text"]
        assert set(removal) == {
            "id", "source", "line", "start", "end", "text", "kind", "similarity", "match",
            "evidence", "run_id",
        }  # fmt: skip
        if removal["kind"] == "blank":
            assert not removal["text"].strip(" \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029"
                                             "\xad\u061c\u1680\u3000\ufeff"
                                             + "".join(map(chr, range(0x2000, 0x2070)))
                                             + "".join(map(chr, range(0x20)))
                                             + "".join(map(chr, range(0x7F, 0xA1))))  # fmt: skip
    for name in ("out.jsonl", "out.dropped.jsonl"):
        if (folder / name).exists():
            for row in rows(folder / name):
                struct = row["dedup"]
                assert list(struct)[:7] == [
                    "kept", "removed", "story", "story_size", "duplicate_of", "run_id", "digest",
                ]  # fmt: skip


@slow
@given(records)
def test_cleaning_again_finds_no_more_repeats(data):
    first = list(dedup.clean(data))
    again = dedup.clean([{k: v for k, v in row.items() if k != "dedup"} for row in first])
    assert not [r for r in again.removals if r["kind"] == "duplicate" and r["similarity"] >= 0.7]


@pytest.mark.parametrize(
    ("text", "kinds", "expected"),
    [
        ("ab\ncd\n", ["", "x"], "ab"),
        ("\n ab\ncd", ["x", ""], "cd"),
        ("ab\n\ncd\n\nef", ["", "x", ""], "ab\n\nef"),
        ("ab\ncd", ["x", "x"], ""),
        ("ab \n", [""], "ab \n"),
        ("ab\n\u00a0\ncd", ["", ""], "ab\ncd"),
        ("ab\n\ufeff\ncd\n", ["", "x"], "ab"),
    ],
)
def test_spans(text, kinds, expected):
    record = {"id": "é", "text": text, "n": [1, {"text": "ab"}]}
    nothing = Strings.of([""])
    batch = Batch(Strings.of([text]), nothing, nothing, ["é"], ["in"], [""])
    with Memory() as memory:
        corpus = build([batch], lexicon.load(), memory, 1, dated=False, sentences=False)
        verdicts = Verdicts.none(corpus, memory)
    verdicts.rule[[bool(kind) for kind in kinds]] = FOOTER
    one = np.ones(1, dtype=np.int64)
    judged = Judged(
        corpus, one - 1, ["é"], one, Evidence(*[None] * len(Evidence._fields)), verdicts
    )
    for ascii_only in (False, True):
        fields = {k: json.dumps(v, ensure_ascii=ascii_only).encode() for k, v in record.items()}
        rows = Rows.of("in", [Object.of(fields, "text")], one)
        ((base, batch, touched),) = batches(judged, lambda _, rows=rows: iter([rows]))
        cuts = cuts_of(judged, base, batch, touched)
        assert (cuts.start < cuts.end).all()
        assert cuts.whole.sum() == len([kind for kind in kinds if kind])
        chars = np.column_stack((cuts.start, cuts.end)).ravel()
        places = rows.byte_places(one - 1, 2 * cuts.first, chars)
        structs = encode.values([{}])
        cut_start, cut_end = places[0::2].copy(), places[1::2].copy()
        spliced = rows.spliced(one - 1, cuts.first, cut_start, cut_end, structs)
        cleaned = spliced.lines.tobytes()
        assert cleaned[spliced.text[0] :].startswith(
            json.dumps(expected, ensure_ascii=ascii_only).encode()
        )
        assert json.loads(cleaned) == {**record, "text": expected, "dedup": {}}


def test_fields_that_clean_was_told_restore_is_told(tmp_path):
    rows = [{"key": n, "id": "x", "text": "قصير", "inhalt": "\n".join(PIECES)} for n in "ab"]
    config = dedup.Config(id_field="key", text_field="inhalt")
    source = written(tmp_path, rows, id_field="key", text_field="inhalt")
    with pytest.raises(dedup.InputError):
        dedup.restore(tmp_path / "out.jsonl", tmp_path / "back.jsonl")
    dedup.restore(tmp_path / "out.jsonl", tmp_path / "back.jsonl", config=config)
    assert (tmp_path / "back.jsonl").read_bytes() == source.read_bytes()


def test_restore_says_which_field_it_looked_for(tmp_path):
    written(tmp_path, [{"id": "a", "inhalt": "\n".join(PIECES)}], text_field="inhalt")
    with pytest.raises(dedup.InputError, match="'text' is missing; try --text-field inhalt"):
        dedup.restore(tmp_path / "out.jsonl", tmp_path / "back.jsonl")


ODD = (
    '{"id":"a","text":"%s"}',
    '  { "text" : "%s" , "n" : 1.50 }\t ',
    '{"id":"b","dedup":5,"text":"%s","z":[]}',
    '{"text":"%s","dedup":{"kept":1,"removed":0}}',
    '{"dedup":null,"text":"%s","dedup":"x"}',
    '{"d\\u0065dup":1,"text":"%s"}',
    '{"id":"c","t\\u0065xt":"%s"}',
    '{"deep":%s,"text":"%%s"}' % ("[" * 70 + "]" * 70),
    '{"id":"d","body":{"sections":[{"headline":[],"paragraphs":["%s"]}]}}',
)
ESCAPED = json.dumps(PIECES[2])[1:-1].replace("/", "\\/")
endings = st.sampled_from(("\n", "\r\n", "\n\n", " \n", "\r\n\t\r\n"))
odd_lines = st.lists(
    st.tuples(
        st.sampled_from(ODD), st.lists(st.sampled_from((*PIECES, ESCAPED)), max_size=5), endings
    ),
    min_size=1,
    max_size=6,
)


@slow
@given(odd_lines, st.booleans(), levels, st.sampled_from(("remove", "annotate")))
def test_lines_come_back_byte_for_byte(tmp_path_factory, data, ended, level, mode):
    """White space, line ends, a field `dedup` of one's own, escapes; after two runs, too."""
    folder = tmp_path_factory.mktemp("odd")
    written = "".join(shape % "\\n".join(pieces) + end for shape, pieces, end in data)
    source = folder / "in.jsonl"
    source.write_bytes((written if ended else written.rstrip()).encode())
    # Lines without anything in them are no records.
    lines = [line for line in source.read_bytes().split(b"\n") if line.strip()]
    given_back = b"\n".join(lines) + (b"\n" if source.read_bytes().endswith(b"\n") else b"")
    dedup.clean(source, folder / "one.jsonl", level=level, mode=mode)
    if not (folder / "one.jsonl").stat().st_size:  # all of them had nothing left
        dedup.restore(folder / "one.jsonl", folder / "back.jsonl")
        assert (folder / "back.jsonl").read_bytes() == given_back
        return
    dedup.clean(folder / "one.jsonl", folder / "two.jsonl", level=level)
    dedup.restore(folder / "two.jsonl", folder / "one.back.jsonl")
    assert (folder / "one.back.jsonl").read_bytes() == (folder / "one.jsonl").read_bytes()
    (folder / "one.back.removed.jsonl").write_bytes((folder / "one.removed.jsonl").read_bytes())
    dropped = folder / "one.dropped.jsonl"
    if dropped.exists():
        (folder / "one.back.dropped.jsonl").write_bytes(dropped.read_bytes())
    dedup.restore(folder / "one.back.jsonl", folder / "back.jsonl")
    assert (folder / "back.jsonl").read_bytes() == given_back


def test_every_row_has_the_same_fields_where_one_had_a_struct_before(tmp_path):
    data = [{"text": f"خبر رقم {n}"} | ({"dedup": n} if n == 700 else {}) for n in range(9000)]
    written(tmp_path, data)
    structs = [row["dedup"] for row in rows(tmp_path / "out.jsonl")]
    assert {tuple(struct) for struct in structs} == {
        ("kept", "removed", "story", "story_size", "duplicate_of", "run_id", "digest", "original")
    }
    assert sum(struct["original"] is not None for struct in structs) == 1


def changed(path, how):
    """Let something happen to a file between its two readings."""
    text = path.read_bytes()
    stat = path.stat()
    if how == "edited":
        packed = path.suffix == ".gz"
        plain = gzip.decompress(text) if packed else text
        plain = plain.replace("بلدية".encode(), "مدينة".encode(), 1)
        path.write_bytes(gzip.compress(plain) if packed else plain)
    elif how == "truncated":
        path.write_bytes(text[: len(text) // 2])
    elif how == "longer":
        path.write_bytes(text + text)
    elif how == "reordered":
        path.write_bytes(b"".join(sorted(text.splitlines(keepends=True))[::-1]))
    elif how == "replaced":
        path.with_name("new").write_bytes(text)
        path.with_name("new").replace(path)
    elif how == "gone":
        path.unlink()
        return
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("how", ["edited", "truncated", "longer", "reordered", "replaced", "gone"])
def test_an_input_that_changes_between_its_readings_is_refused(tmp_path, monkeypatch, how, packed):
    data = [{"id": str(n), "text": "\n".join(PIECES[: n % 4 + 1])} for n in range(40)]
    source = written(tmp_path, data)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path != source}
    if packed:
        text = source.read_bytes()
        source = tmp_path / "in.jsonl.gz"
        source.write_bytes(gzip.compress(text))

    def between(*args):
        changed(source, how)
        return write(*args)

    module = importlib.import_module("dedup.clean")
    write = module.write
    monkeypatch.setattr(module, "write", between)
    with pytest.raises(dedup.InputError, match=r"in\.jsonl.*(changed while|No such file)") as told:
        dedup.clean(source, tmp_path / "out.jsonl")
    assert "\n" not in str(told.value)
    after = {p.name: p.read_bytes() for p in tmp_path.iterdir() if not p.name.startswith("in.")}
    assert after == {name: data for name, data in before.items() if not name.startswith("in.")}


def test_files_of_two_runs_are_told_apart(tmp_path):
    written(tmp_path, [{"id": "1", "text": "\n".join(PIECES)}])
    (tmp_path / "other.jsonl").write_bytes((tmp_path / "out.jsonl").read_bytes())
    (tmp_path / "none.jsonl").write_bytes(b"")
    with pytest.raises(dedup.InputError, match="are these files of one run"):
        dedup.restore(tmp_path / "other.jsonl", tmp_path / "b", removed=tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    with pytest.raises(
        dedup.InputError, match="removals, the first of record '1', that no record accounts for"
    ):
        dedup.restore(
            tmp_path / "empty.jsonl", tmp_path / "b", removed=tmp_path / "out.removed.jsonl"
        )
    assert not (tmp_path / "b").exists()


NAMES = ("text", "maintext", "description", "body")
# Each field is not there, null, empty, or full of what may go or stay.
shapes = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(NAMES, st.sampled_from((None, "", *PIECES[:3], PIECES[5], PIECES[6]))),
)


@slow
@given(st.lists(shapes, min_size=1, max_size=6), st.booleans(), levels)
def test_an_empty_text_falls_back_and_comes_back(tmp_path_factory, data, keep_empty, level):
    """Whichever field served, in both readings and in restore, whatever is left of it."""
    folder = tmp_path_factory.mktemp("fields")
    data = [*data, {"text": PIECES[0]}, {"id": "same", "text": "", "body": PIECES[0]}]
    source = written(folder, data, keep_empty=keep_empty, level=level)
    result = dedup.clean(source, keep_empty=keep_empty, level=level)
    texts = [[row[name] for name in ("text", "maintext", "body") if row.get(name) is not None]
             for row in data]  # fmt: skip
    read = [next(filter(None, each), "") for each in texts if each]
    assert result.counts.records == len(read)
    assert result.counts.chars == sum(map(len, read))
    if not keep_empty:
        assert result.counts.without_text == read.count("")
    assert dedup.restore(folder / "out.jsonl", folder / "back.jsonl") == len(read)
    expected = [row for row, each in zip(data, texts, strict=True) if each]
    assert rows(folder / "back.jsonl") == expected
    dedup.clean(source, folder / "out.txt", keep_empty=True, level=level)
    told = (folder / "out.txt").read_text(encoding="utf-8").split("\n\n")
    kept = dedup.clean(source, keep_empty=True, level=level)
    cleaned = [[row[name] for name in ("text", "maintext", "body") if row.get(name)]
               for row in kept if row["dedup"]["kept"]]  # fmt: skip
    assert [text for text in told if text.strip()] == [each[0] + "\n" * (each is cleaned[-1])
                                                       for each in cleaned]  # fmt: skip


def test_an_empty_text_falls_back_to_sections_and_to_other_names_of_all_meanings(tmp_path):
    sections = {"sections": [{"headline": [], "paragraphs": [PIECES[0]]}]}
    data = [
        {"text": "", "body": sections, "title": "", "headline": LINK, "source": "", "site": "أ"},
        {"text": "", "body": {"sections": []}},
        {"id": "", "_id": "z", "text": PIECES[1], "maintext": PIECES[2]},
    ]
    written(tmp_path, data)
    result = dedup.clean(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert result.counts.without_text == 1
    assert result.counts.chars == len(PIECES[0]) + len(PIECES[1])
    assert set(result.counts.sources) == {"أ", "in.jsonl"}
    assert {("title", "headline"), ("id", "_id"), ("source", "site")} <= set(result.fields)
    assert dedup.restore(tmp_path / "out.jsonl", tmp_path / "back.jsonl") == 3
    assert rows(tmp_path / "back.jsonl") == data
