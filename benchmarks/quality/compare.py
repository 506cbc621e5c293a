"""This program beside other ways of taking page residue out, all on the same labelled lines.

    python compare.py                                   the seeds' outlets
    python compare.py ARTICLES.jsonl GOLD.tsv [--loo] [--out RECORD.json] [--only NAME,...]
    python compare.py --markdown RECORD.json

GOLD names lines of ARTICLES and what they are: body, related, byline, chrome; others do not count.
A line is removed when half of its characters that are not white are. With --loo the record holds
what `loo.py` finds on the same lines, too. README.md tells how to read the tables.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from lines import (
    ARTICLES,
    GOLD,
    RESIDUE,
    digest,
    left_nowhere,
    read_gold,
    read_records,
    removed_by_dedup,
    tally,
    with_text,
)
from loo import leave_one_out, loo_table
from ways import PEERS, Peer, make_environments, versions

sys.path.append(str(Path(__file__).resolve().parents[1] / "speed"))
from record import circumstances

OWN = "dedup"
HEAD = (
    *("way", "precision", "recall", "related", "chrome", "byline"),
    *("body lost", "nowhere left", "what goes"),
)


def main() -> None:
    args = _arguments()
    if args.markdown:
        record = json.loads(args.markdown.read_text(encoding="utf-8"))
        print(tables(record))
        return
    peers = tuple(peer for peer in PEERS if not args.only or peer.name in args.only)
    make_environments(peers)
    record = compare(args.articles, args.gold, peers)
    if args.loo:
        record["loo"] = leave_one_out(args.articles, args.gold, told=_tell)
    if args.out:
        args.out.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(tables(record))


def compare(articles: Path, gold_path: Path, peers: tuple[Peer, ...]) -> dict[str, Any]:
    """The record: what each way did with the labelled lines, and where and when."""
    records = read_records(articles)
    gold = with_text(read_gold(gold_path), records)

    _tell(OWN)
    gone = removed_by_dedup(articles, records)
    ways = [
        (OWN, "what this program records as related, byline or boilerplate", gone.residue),
        (f"{OWN} in all", "the same, and repetitions", gone.all),
    ]
    for peer in peers:
        _tell(peer.name)
        ways.append((peer.name, peer.does, peer.removes(records)))
    found = [
        {
            "name": name,
            "does": does,
            **tally(gold, removed, left_nowhere(records, gold, removed)).figures(),
        }
        for name, does, removed in ways
    ]
    return {
        **circumstances(()),
        "peer_packages": versions(peers),
        "input": {
            "name": articles.name.removesuffix(".gz"),
            "sha256": digest(articles),
            "records": len(records),
            "gold": gold_path.name,
            "gold_sha256": digest(gold_path),
            "labelled_records": len({name for name, _ in gold}),
            "labelled_lines": len(gold),
        },
        "ways": found,
    }


def tables(record: dict[str, Any]) -> str:
    """A record's tables in Markdown, and what they are about."""
    parts = [table(record), caption(record)]
    if "loo" in record:
        parts += [loo_table(record["loo"])]
    return "\n\n".join(parts)


def table(record: dict[str, Any]) -> str:
    """The ways of a record."""
    rows = [list(HEAD), ["---", *["--:"] * (len(HEAD) - 2), "---"]]
    for way in record["ways"]:
        precision, recall = (
            "-" if way[name] is None else f"{way[name]:.4f}" for name in ("precision", "recall")
        )
        kinds = [f"{way[name][0]}/{way[name][1]}" for name in (*RESIDUE, "body")]
        rows.append([way["name"], precision, recall, *kinds, str(way["nowhere"]), way["does"]])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def caption(record: dict[str, Any]) -> str:
    """What was compared on."""
    data, machine = record["input"], record["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in record["peer_packages"].items())
    changed = " with uncommitted changes" if record["uncommitted"] else ""
    return (
        f"{data['name']}: {data['records']:,} records, {data['labelled_lines']:,} labelled lines "
        f"in {data['labelled_records']} of them. {packages}. {machine['cpu']}; "
        f"Python {record['python']}; {record['date'][:10]}, commit {record['commit'][:7]}{changed}."
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("articles", type=Path, nargs="?", default=ARTICLES)
    parser.add_argument("gold", type=Path, nargs="?", default=GOLD)
    parser.add_argument("--loo", action="store_true", help="leave one outlet out, too (minutes)")
    parser.add_argument("--only", type=_names, default=(), metavar="NAME,...")
    parser.add_argument("--out", type=Path, help="write the record there")
    parser.add_argument("--markdown", type=Path, metavar="RECORD", help="print a record's tables")
    args = parser.parse_args()
    if (args.articles is ARTICLES) != (args.gold is GOLD):
        parser.error("ARTICLES and GOLD go together")
    return args


def _names(value: str) -> tuple[str, ...]:
    names = tuple(value.split(","))
    if unknown := set(names).difference(peer.name for peer in PEERS):
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is none of the ways")
    return names


def _tell(what: str) -> None:
    print(what, file=sys.stderr)


if __name__ == "__main__":
    main()
