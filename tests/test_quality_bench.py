"""The quality benchmark's own logic, on cases small enough to see through."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks" / "quality"))

import compare  # noqa: E402
import gate  # noqa: E402
import loo  # noqa: E402
import make_dump  # noqa: E402
from lines import (  # noqa: E402
    ARTICLES,
    GOLD,
    Record,
    covered,
    left_nowhere,
    read_gold,
    read_records,
    removed_by_dedup,
    tally,
    with_text,
)
from ways import answer, cc_net, in_records  # noqa: E402

RECORDS = [
    Record("1", "المرفأ", "شارك الخبر\nوصلت السفينة الأولى عند الفجر."),
    Record("2", "المرفأ", "شارك  الخبر \nأغلقت المدرسة أبوابها يومين."),
    Record("3", "المرفأ", "شارك الخبر\nوصلت السفينة الأولى عند الفجر."),
    Record("4", "الجبل", "شارك الخبر\n\nسقط الثلج 12 ساعة."),
    Record("5", "الجبل", "سَقَطَ الثلج، 45 ساعة"),
]


def test_a_line_is_covered_by_half_of_its_black_characters():
    text = "ab cd\n\n  efgh"
    assert list(covered(text, [(0, 2)])) == [0]
    assert list(covered(text, [(0, 1), (2, 4)])) == [0]
    assert list(covered(text, [(0, 1), (2, 3)])) == []
    assert list(covered(text, [(7, 10)])) == []
    assert list(covered(text, [(3, 12)])) == [0, 2]
    assert list(covered(text, [])) == []


def test_gold_may_have_a_header(tmp_path):
    path = tmp_path / "gold.tsv"
    path.write_text("id\tline\tlabel\trepeats\n1\t0\tchrome\t\n2\t1\tbody\t1:1\n", "utf-8")
    assert read_gold(path) == {("1", 0): "chrome", ("2", 1): "body"}
    path.write_text("1\t0\tchrome\n", "utf-8")
    assert read_gold(path) == {("1", 0): "chrome"}


def test_blank_lines_do_not_count_and_missing_ones_are_told():
    assert with_text({("4", 0): "chrome", ("4", 1): "body"}, RECORDS) == {("4", 0): "chrome"}
    with pytest.raises(SystemExit, match="no line 7 in a record '4'"):
        with_text({("4", 7): "body"}, RECORDS)


def test_what_a_tally_counts():
    gold = {("1", k): label for k, label in enumerate(["related", "chrome", "byline", "mixed"])}
    gold |= {("2", k): "body" for k in range(4)}
    figures = tally(gold, {("1", 0), ("1", 2), ("1", 3), ("2", 1)}).figures()
    assert figures["precision"] == 0.5  # one line of the page, one of the body
    assert figures["recall"] == 0.5
    assert figures["byline"] == [1, 1]
    assert figures["body"] == [1, 4]
    assert tally({}, set()).figures()["precision"] is None


def test_a_line_is_nowhere_when_no_equal_one_stays():
    gold = {("1", 1): "body", ("2", 1): "body", ("1", 0): "chrome"}
    assert left_nowhere(RECORDS, gold, {("1", 1), ("2", 1)}) == 1
    assert left_nowhere(RECORDS, gold, {("1", 1), ("3", 1)}) == 1
    assert left_nowhere(RECORDS, gold, {("1", 0)}) == 0


def test_frequent_lines_are_counted_within_their_source():
    assert in_records(3)(RECORDS) == {("1", 0), ("2", 0), ("3", 0)}
    assert in_records(2)(RECORDS) == {("1", 0), ("2", 0), ("3", 0), ("1", 1), ("3", 1)}
    twice = [Record("1", "المرفأ", "هنا\nهنا"), Record("2", "المرفأ", "هناك")]
    assert in_records(2)(twice) == set()


def test_cc_net_takes_all_copies_of_what_is_equal_when_normalised():
    assert cc_net(RECORDS) == {
        *[(name, 0) for name in "1345"],
        *[("1", 1), ("3", 1), ("4", 2)],
    }


def test_a_peer_must_answer_for_every_record_and_remove_no_blank_line():
    assert answer(RECORDS[3:], [[2], []]) == {("4", 2)}
    with pytest.raises(ValueError, match="4: line 1 is blank"):
        answer(RECORDS[3:], [[1], []])
    with pytest.raises(ValueError, match="shorter"):
        answer(RECORDS[3:], [[]])


def test_frequent_paragraphs_of_a_source():
    sys.path.insert(0, str(ROOT / "benchmarks" / "quality" / "peers"))
    from cc_corpus_paragraphs import frequent  # noqa: PLC0415

    documents = [record.lines for record in RECORDS[:3]]
    documents += [["لا يشبه هذا السطر غيره في شيء"], ["ولا هذا"], ["قط"], ["بل غيره تماما"]]
    assert frequent(documents) == [[], [], [], [], [], [], []]  # two of seven, and twice
    documents.append(["شارك الخبر"])
    assert frequent(documents)[0] == [0]


def test_the_search_finds_the_best_and_stays_where_nothing_is_better():
    grids = ((1, 2, 3), (1, 2, 3), (1, 2, 3))

    def score(values: tuple[float, ...]) -> int:
        return -int(abs(values[0] - 2) + abs(values[1] - 3))

    for start in ((1, 1, 1), (3, 3, 3)):
        values, most = loo.search(score, start, grids)
        assert (values, most) == ((2, 3, start[2]), 0)


def test_the_search_begins_away_from_what_is_shipped():
    for place, constant in enumerate(loo.CONSTANTS):
        shipped = loo.SHIPPED[place]
        assert shipped in constant.grid
        assert list(constant.grid) == sorted(constant.grid)
        assert shipped not in {start[place] for start in loo.STARTS}


def test_constants_are_put_back():
    with loo.constants(loo.STARTS[0]):
        assert tuple(getattr(c.module, c.name) for c in loo.CONSTANTS) == loo.STARTS[0]
    assert tuple(getattr(c.module, c.name) for c in loo.CONSTANTS) == loo.SHIPPED


def test_the_search_judges_as_the_program_does():
    records = read_records(ARTICLES)
    gold = with_text(read_gold(GOLD), records)
    judge = loo.Judge(ARTICLES, records, gold)
    for values in (loo.SHIPPED, loo.STARTS[0]):
        with loo.constants(values):
            gone = removed_by_dedup(ARTICLES, records).residue
        assert judge.removed(values) == gone & gold.keys()


def test_a_table_has_a_row_for_each_way():
    found = compare.compare(ARTICLES, GOLD, ())
    rows = compare.table(found).splitlines()
    assert len(rows) == 2 + len(found["ways"])
    assert rows[2].startswith("| dedup | 1.0000 | 1.0000 | 20/20 | 24/24 | 24/24 | 0/259 | 0 |")
    assert json.loads(json.dumps(found)) == found


SUBHEADED = {
    "title": "قرية الزيتون تفتح معاصرها ليلا ونهارا",
    "text": "\n".join(
        [
            "تستعد قرية الزيتون لاستقبال مهرجانها السنوي الذي يعرض فيه المزارعون زيتهم. وهو عيد.",
            "معاصر تعمل ليلا",
            "وتشارك في المهرجان فرق شعبية من خمس قرى مجاورة، وتختتم أيامه بعشاء مشترك في الساحة.",
            "وقال صاحب معصرة إن الموسم جيد هذا العام، وإن الزيت سيكفي القرية حتى الموسم القادم.",
        ]
    ),
}


def test_articles_with_subheadings_are_taken_on_demand():
    assert make_dump.usable(SUBHEADED, "", make_dump.Variety(subheadings=True))
    assert not make_dump.usable(SUBHEADED, "")
    labels = [piece.label for piece in make_dump.pieces(SUBHEADED, 0)]
    assert labels == ["body", "subheading", "body", "body"]


def test_broken_paragraphs_are_the_same_words():
    pieces = make_dump.pieces(SUBHEADED, 40)
    assert " ".join(piece.line for piece in pieces) == " ".join(make_dump.paragraphs(SUBHEADED))
    assert all(len(piece.line) <= 40 for piece in pieces)
    assert sum(piece.ends for piece in pieces) == 4


def test_teasers_are_the_first_sentences_of_others():
    near = gate.articles()[:12]
    rows = make_dump.build(random.Random(1), near[:4], near, make_dump.Variety(teasers=1.0))
    teasers = [(row[0], row[1]) for row in rows if row[2] == "related_link" and row[0][-1] == "."]
    assert {article for _, article in teasers} == {0, 1, 2, 3}
    sentences = [make_dump.first_sentence(article) for article in near]
    for line, article in teasers:
        assert line in sentences
        assert line != sentences[article]
