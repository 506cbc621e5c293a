"""What tells the ends of records, put together at once, against one end after the other."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

import dedup
from dedup.judge import endings, judge, teasers
from dedup.judge.endings import Ends
from dedup.judge.verdicts import KEPT

SEEDS = Path(__file__).resolve().parents[1] / "seeds" / "outlets.jsonl"


@pytest.fixture(scope="module", params=[1, 2])
def known(request):
    """All that is known of records whose ends are made of others' paragraphs."""
    rng = random.Random(request.param)
    rows = [json.loads(line) for line in SEEDS.open(encoding="utf-8")]
    texts = [
        [line for line in (row.get("text") or row["maintext"]).split("\n") if len(line.split()) > 8]
        for row in rows
    ]
    leads, lines = [text[0] for text in texts if text], [line for text in texts for line in text]
    item = "يتمثل في برنامج جديد للتدريب يلتحق به العاطلون في القرى"
    records = []
    for n in range(150):
        text = rng.sample(lines, rng.randint(2, 5))
        for k in range(rng.randint(0, 9)):
            text.append(f"{item} {k}" if n % 7 == 0 else rng.choice(leads))
        records.append({"id": str(n), "source": "ابج"[n % 3], "text": "\n".join(text)})
    found = []

    def look(corpus, evidence, verdicts, prior=None):
        kept = verdicts.rule == KEPT
        opens = teasers.opens_a_story(corpus, evidence)
        ends = Ends.of(corpus, evidence, kept, opens, teasers.behind(corpus, kept))
        found[:] = [(corpus, evidence, ends)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "judge_teasers", look)
        dedup.clean(records)
    return found[0]


def naive(corpus, evidence, ends, record):
    """Place -> float64[place + 1, features] of each possible end of a record."""
    blocks = corpus.blocks
    stays = [b for b in range(*corpus.first[record : record + 2].tolist()) if ends.kept[b]]
    words = [blocks.tokens[blocks.pointer[b] : blocks.pointer[b + 1]].tolist() for b in stays]
    mask = ends.weight.size - 1
    out = {}
    for place in range(int(ends.most[record])):
        at = len(stays) - 1 - place
        if place:
            one, other = set(words[at]), set(words[at + 1])
            if 2 * len(one & other) > min(len(one), len(other)):
                break
        above = {w for of in words[:at] for w in of}
        opens = [ends.opens[b] for b in stays[1:at]]
        usual = ends.opening[corpus.source[record]]
        rows = []
        for b, mine in zip(stays[at:], words[at:], strict=True):
            weight = {w: ends.weight[w & mask] for w in set(mine)}
            total = max(1e-9, sum(weight.values()))
            lead = evidence.lead_of[b]
            inner = blocks.pointer[b], blocks.pointer[b + 1]
            rows.append([
                1.0,
                sum(x for w, x in weight.items() if w in above) / total,
                sum(x for w, x in weight.items() if w in words[0]) / total,
                min(2, sum(w in ends.days for w in mine)),
                min(3, sum(w in ends.back for w in mine)),
                lead >= 0 and corpus.source[lead] == corpus.source[record],
                evidence.spread[b] > 1 and evidence.tail[b] >= endings.RECURS
                and not evidence.passage[b],
                any(inner[0] < cut < inner[1] for cut in blocks.cut.tolist()),
                (sum(opens) + endings.DOUBT * usual) / (len(opens) + endings.DOUBT),
                len(mine) < endings.BRIEF,
                mine[0] in ends.inner,
            ])  # fmt: skip
        out[place] = np.array(rows, dtype=np.float64)
    return out


def test_features_of_all_ends_at_once(known):
    corpus, evidence, ends = known
    records = np.flatnonzero(ends.possible(1))
    assert records.size > 20
    stays, pointer = ends.stays(corpus, records)
    found = endings.features(corpus, evidence, ends, stays, pointer, ends.most[records])
    broken = 0
    for k, record in enumerate(records.tolist()):
        expected = naive(corpus, evidence, ends, record)
        assert np.flatnonzero(found.begins[k]).tolist() == list(expected)
        broken += len(expected) < ends.most[record]
        for place, rows in expected.items():
            np.testing.assert_allclose(found.rows(k, place), rows)
    assert broken


def test_the_likeliest_end(known):
    corpus, evidence, ends = known
    records = np.flatnonzero(ends.possible(1))
    told = 0
    for part, found in endings.in_pieces(corpus, evidence, ends, records):
        likely = endings.likeliest(corpus, found)
        for k, record in enumerate(records[part].tolist()):
            best, place = endings.SURELY, -1
            for at, rows in naive(corpus, evidence, ends, record).items():
                each = rows @ np.array(endings.WEIGHTS)
                alone = len(rows) == 1 and not rows[0, endings.LEADS] + rows[0, endings.AGAIN]
                opening = [
                    tuple(corpus.blocks.tokens[corpus.blocks.pointer[b] :][:2].tolist())
                    for b in found.block[k, : at + 1].tolist()
                ]
                most = max(map(opening.count, opening))
                listed = most >= max(2, (len(opening) + 1) // 2)
                if each.sum() > best and each.min() > endings.LEAST and not alone and not listed:
                    best, place = float(each.sum()), at
            assert int(likely.place[k]) == place
            told += place >= 0
            if place >= 0:
                assert likely.score[k] == pytest.approx(best)
    assert told
