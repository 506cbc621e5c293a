"""The quality gate: no measure may fall under its floor.

    python gate.py             compare with floors.json, exit 1 when something is lower
    python gate.py --raise     take today's figures as floors where they are higher
    python gate.py --lower M   ... and where the measure M is lower (say why in the commit)

Measured on the seeds (answers made by hand), on dumps that `make_dump.py` builds from them, and on
pages that `dress.py` makes of them (answers known by construction). A floor holds for the very
inputs it was measured on: their hash stands beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import dress
import make_dump
import score

import dedup

HERE = Path(__file__).resolve().parent
SEEDS = HERE.parents[1] / "seeds"
FLOORS = HERE / "floors.json"
TEXT_FIELDS = ("text", "maintext")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raise", dest="up", action="store_true")
    parser.add_argument("--lower", metavar="MEASURE", default="")
    args = parser.parse_args()
    figures, wrong = measure()
    known = json.loads(FLOORS.read_text()) if FLOORS.exists() else {"inputs": "", "floors": {}}
    floors = known["floors"]
    inputs = fingerprint()
    if known["inputs"] not in ("", inputs) and not args.up:
        print("the seeds have changed since the floors were set; measure anew with --raise")
        return 1
    low = [name for name, floor in floors.items() if figures.get(name, 0.0) < floor]
    print(f"{'measure':<28} {'floor':>7} {'today':>7}")
    for name, figure in figures.items():
        mark = "  LOWER" if name in low else ""
        print(f"{name:<28} {floors.get(name, 0.0):>7.4f} {figure:>7.4f}{mark}")
    print(*wrong, sep="\n")
    if args.up:
        kept = {n: max(f, floors.get(n, 0.0)) for n, f in figures.items() if n != args.lower}
        floors = {n: kept.get(n, figures[n]) for n in figures}
        FLOORS.write_text(json.dumps({"inputs": inputs, "floors": floors}, indent=2) + "\n")
    return int(bool(low) and not args.up)


def measure() -> tuple[dict[str, float], list[str]]:
    """Every measure, all the higher the better, and the lines that are wrong."""
    figures: dict[str, float] = {}
    wrong: list[str] = []
    for name, part in (
        ("dump", by_hand()),
        ("outlets", outlets()),
        ("generated", generated()),
        ("subheadings", generated(make_dump.Variety(subheadings=True))),
        ("wrapped", generated(make_dump.Variety(wrapped=1.0))),
        ("teasers", generated(make_dump.Variety(teasers=0.5))),
        ("dressed", dressed()),
    ):
        shares, lines = part
        figures |= {f"{name} {label}": share for label, share in shares.items()}
        wrong += [f"{name}: {line}" for line in lines]
    return figures, wrong


def by_hand() -> tuple[dict[str, float], list[str]]:
    gold = [
        (int(r["line"]), r["label"], int(r["repeats_line"]) if r["repeats_line"] else None)
        for r in score.gold_rows(SEEDS / "wadi-dump.gold.tsv")
    ]
    result = dedup.clean(SEEDS / "wadi-dump.txt")
    return score.score(gold, score.kinds_by_line(result.removals))


def outlets() -> tuple[dict[str, float], list[str]]:
    gold = []
    for r in score.gold_rows(SEEDS / "outlets.gold.tsv"):
        other, _, line = r["repeats"].rpartition(":")
        gold.append(((r["id"], int(r["line"])), r["label"], (other, int(line)) if other else None))
    with (SEEDS / "outlets.jsonl").open(encoding="utf-8") as file:
        rows = list(map(json.loads, file))
    texts = {r["id"]: next(r[f] for f in TEXT_FIELDS if f in r) for r in rows}
    removals = list(dedup.clean(SEEDS / "outlets.jsonl").removals)
    # Of three copies one stays: the gold names the first, the program may keep it or another.
    return score.score(gold, score.kinds_by_index(texts, removals))


def generated(
    variety: make_dump.Variety = make_dump.PLAIN, count: int = 24
) -> tuple[dict[str, float], list[str]]:
    """Shares of right lines in dumps built from the seeds' articles."""
    pool = articles()
    if variety.subheadings:
        pool = mixed(pool, dump_articles())
    pool = [article for article in pool if make_dump.usable(article, "", variety)]
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for rows in make_dump.dumps(pool, count, size=6, seed=7, variety=variety):
            path = Path(folder) / "dump.txt"
            path.write_text(make_dump.text_of(rows), encoding="utf-8")
            gone = score.kinds_by_line(dedup.clean(path).removals)
            for answer in make_dump.answers(rows):
                shares, wrong = score.score([answer], gone)
                label = next(name for name in shares if name != "all")
                seen[label] += 1
                right[label] += not wrong
    shares = {label: right[label] / seen[label] for label in sorted(seen)}
    shares["all"] = right.total() / seen.total()
    return shares, []


def dressed(size: int = 12, seed: int = 7) -> tuple[dict[str, float], list[str]]:
    """Shares of right lines of the seeds' articles in furniture that no rule was written for."""
    pool, gold, gone = articles(), [], {}
    for start in range(0, len(pool), size):
        found = list(dress.dressed(pool[start : start + size], seed + start))
        for manner in dress.MANNERS:  # one outlet at a time: the others have the same articles
            rows = [row for row in found if row[0]["source"] == manner.__name__]
            records = [{**record, "id": f"{start} {record['id']}"} for record, _ in rows]
            texts = {record["id"]: record["text"] for record in records}
            gone |= score.kinds_by_index(texts, dedup.clean(records).removals)
            for record, (_, labels) in zip(records, rows, strict=True):
                gold += [((record["id"], k), label, None) for k, label in enumerate(labels)]
    return score.score(gold, gone)


def articles() -> list[dict]:
    """Headline and body of the seeds' records, without residue."""
    body = {
        (r["id"], int(r["line"]))
        for r in score.gold_rows(SEEDS / "outlets.gold.tsv")
        if r["label"] == "body"
    }
    out = []
    with (SEEDS / "outlets.jsonl").open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            text = next(row[f] for f in TEXT_FIELDS if f in row)
            lines = [x for i, x in enumerate(text.split("\n")) if (row["id"], i) in body]
            title = row.get("title") or row["headline"]
            out.append({"title": title, "text": "\n".join(lines)})
    return out


def dump_articles() -> list[dict]:
    """The articles of the seeds' dump, with their subheadings; one that is told twice, once."""
    rows = score.gold_rows(SEEDS / "wadi-dump.gold.tsv")
    text = (SEEDS / "wadi-dump.txt").read_text(encoding="utf-8").split("\n")
    lines: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        part = "title" if row["label"] == "title" else "body"
        if row["label"] in {"title", "body", "subheading"}:
            lines[row["article"]][part].append(text[int(row["line"]) - 1])
    again = {row["article"] for row in rows if row["repeats_line"]}
    return [
        {"title": parts["title"][0], "text": "\n".join(parts["body"])}
        for number, parts in lines.items()
        if number not in again
    ]


def mixed(many: list[dict], few: list[dict]) -> list[dict]:
    """All of them, the few spread evenly: a dump is made of neighbours."""
    step = len(many) // len(few)
    out = []
    for k, article in enumerate(few):
        out += [article, *many[k * step : (k + 1) * step]]
    return out + many[len(few) * step :]


def fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(SEEDS.glob("*.*")):
        if path.suffix in {".txt", ".jsonl", ".tsv"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
