"""Files of a run that somebody changed: restore gives the right text, or says what does not fit."""

from __future__ import annotations

import copy
import json
import os
import random
from pathlib import Path

import pytest
from faults import Place
from passages import SENTENCES as S
from promises import BACK, folder, lines_of, none

CASES = Path(__file__).parent / "cases" / "tamper.jsonl"
TRIALS = 3000 if os.environ.get("SOAK") else 240
FILES = {"clean": "out.jsonl", "removed": "out.removed.jsonl", "dropped": "out.dropped.jsonl"}
OTHER = {what: name.replace("out", "other") for what, name in FILES.items()}
GIVEN = lines_of(
    ("t0", f"{S[0]}\n{S[1]}"), ("t1", f"{S[1]}\n\n{S[2]}\n{S[0]}\n \n{S[3]}"), ("t2", S[4]),
    ("t3", f"{S[3]}\n{S[5]} \n{S[4]}\n"), ("t4", f"{S[1]}\n{S[5]}"), ("t5", S[6]),
    ("t6", f"{S[0]}"), ("t7", f"{S[6]}\n{S[7]}\u200f 😀\n{S[2]}"),
)  # fmt: skip
ELSE = lines_of(("t0", f"{S[8]}\n{S[9]}"), ("t1", f"{S[9]}\n{S[10]}"), ("t2", S[8]))
TEXTS = {row["id"]: row["text"] for row in map(json.loads, GIVEN.splitlines())}
DEEP = "[" * 3000 + "]" * 3000
VALUES = (
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**30, 0.5, -0.0, 1e308, "",
    "0", "x", "\u0000", "نص", "\U0001f600", [], {}, [0], {"start": 0}, [[[]]], "9" * 400,
)  # fmt: skip
RUN_COMMANDS = (("restore", "out.jsonl", "-q", "-o", BACK), ("explain", "out.jsonl", "t1"))


def rows(data):
    return data.split(b"\n")[:-1]


def packed(lines):
    return b"".join(line + b"\n" for line in lines)


def dumped(row):
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def with_value(line, path, change):
    """A row whose value at a path is changed; as it is where there is no such place."""
    try:
        row = here = json.loads(line)
    except (ValueError, RecursionError):  # it was changed before
        return line
    for name in path[:-1]:
        here = here.get(name) if isinstance(here, dict) else None
    if isinstance(here, dict):
        change(here, path[-1])
    return dumped(row)


def done(state, step):
    """The files after one change."""
    what, file, *rest = step
    name = FILES[file]
    data = state.get(name) or b""
    lines = rows(data)
    state = dict(state)
    if what == "cut":
        state[name] = data[: int(rest[0] * len(data))]
    elif what == "bytes":
        at = int(rest[0] * len(data))
        state[name] = data[:at] + bytes.fromhex(rest[1]) + data[at + 1 :]
    elif what == "other":
        state[name] = state[OTHER[file]]
    elif what == "exchange":
        state[name], state[FILES[rest[0]]] = state[FILES[rest[0]]], data
    elif what == "reverse":
        state[name] = packed(lines[::-1])
    elif lines:
        at = rest[0] % len(lines)
        if what == "drop":
            del lines[at]
        elif what == "double":
            lines.insert(at, lines[at])
        elif what == "swap":
            to = rest[1] % len(lines)
            lines[at], lines[to] = lines[to], lines[at]
        elif what == "raw":
            lines[at] = rest[1].replace("DEEP", DEEP).encode()
        else:
            lines[at] = with_value(lines[at], rest[1], changer(what, *rest[2:]))
        state[name] = packed(lines)
    return state


def changer(what, value=None):
    """What a change does to a value of an object."""

    def change(here, key):
        old = here.get(key)
        if what == "set":
            here[key] = copy.deepcopy(value)
        elif what == "drop key":
            here.pop(key, None)
        elif isinstance(old, {"add": int, "append": str}.get(what, ())):
            here[key] = old + value
        elif what == "spell" and isinstance(old, str) and old:
            here[key] = ("ق" if old[0] != "ق" else "ك") + old[1:]

    return change


def a_change(rng, state):
    """One change at random."""
    file = rng.choice(sorted(FILES))
    lines = rows(state[FILES[file]])
    at = rng.randrange(len(lines))
    what = rng.choice(["set"] * 6 + ["drop key", "add", "append", "spell", "drop", "double", "swap",
                                     "cut", "bytes", "reverse", "other", "raw"])  # fmt: skip
    row = json.loads(lines[at])
    paths = [[key] for key in row]
    paths += [["dedup", key] for key in row.get("dedup", ())]
    paths += [["dedup", key] for key in ("spans", "original", "position") if "dedup" in row]
    path = rng.choice(paths)
    if what == "set":
        return [what, file, at, path, rng.choice(VALUES)]
    if what in ("drop key", "spell"):
        return [what, file, at, path]
    if what == "add":
        name = rng.choice(
            ["start", "end"] if file == "removed" else ["removed", "position", "kept"]
        )
        return [
            what,
            file,
            at,
            [name] if file == "removed" else ["dedup", name],
            rng.choice([1, -1]),
        ]
    if what == "append":
        return [what, file, at, ["text"], rng.choice(["x", "\n", "نص", "\U0001f600"])]
    if what == "raw":
        return [what, file, at, rng.choice(["", "{}", "null", "0", '"x"', "{", "DEEP", "\ufeff{}"])]
    if what == "cut":
        return [what, file, rng.random()]
    if what == "bytes":
        return [what, file, rng.random(), rng.choice(["00", "ff", "0a", "22", "5c", "c3", "2d"])]
    return [what, file, at, rng.randrange(len(lines))][: 4 if what == "swap" else 3]


def touched(state, steps):
    """The ids of records that changes may be about; None where they are about more than rows."""
    ids = set()
    for step in steps:
        what, file, *rest = step
        whole = what in ("cut", "bytes", "other", "exchange", "reverse", "raw", "swap", "double")
        if whole or (rest and isinstance(rest[-1], list) and "run_id" in rest[-1]):
            return None
        if what == "drop" or "run_id" in json.dumps(rest) or "id" in (rest[1] if rest[1:] else ()):
            return None
        if "position" in json.dumps(rest):  # the order of all
            return None
        lines = rows(state[FILES[file]])
        ids.add(json.loads(lines[rest[0] % len(lines)])["id"])
    return ids


class Tampered:
    """A finished run whose files can be changed.

    Args:
        base: an empty folder.
    """

    def __init__(self, base):
        self.place = Place(base)
        self._back = base / "aside" / "back.jsonl"
        self.place.put({"in.jsonl": GIVEN, "else.jsonl": ELSE})
        for given, out in (("in", "out"), ("else", "other")):
            ended = self.place.run("clean", f"{given}.jsonl", "-q", "-o", f"{out}.jsonl")
            assert ended.code == 0, ended
        self.start = self.place.state()
        assert len(rows(self.start["out.removed.jsonl"])) > 6
        assert len(rows(self.start["out.dropped.jsonl"])) > 1

    def wrong(self, steps):
        """What is wrong with what restore does after some changes."""
        state = self.start
        for step in steps:
            state = done(state, step)
        self.place.put(state)
        restore, explain = self.place.runs(*RUN_COMMANDS)
        found = self._back.read_bytes() if self._back.exists() else b""
        self._back.unlink(missing_ok=True)
        found_wrong = []
        for name, ended in (("restore", restore), ("explain", explain)):
            if not ended.told or ended.code == 1:
                found_wrong.append(f"{name} ended badly: {ended}")
        given = {json.dumps(text) for text in TEXTS.values()}
        other = {json.dumps(json.loads(line)["text"]) for line in rows(ELSE)}
        records = []
        for line in rows(found):
            try:
                records.append(json.loads(line))
            except ValueError:
                found_wrong.append(f"restore wrote what is no record: {line[:60]!r}")
        edits_ids = any(step[-2:-1] == [["id"]] or step[-1] == ["id"] for step in steps)
        if restore.code and any(step[0] == "other" for step in steps):
            records = [r for r in records if json.dumps(r.get("text")) not in other]
        for record in records:
            text = json.dumps(record.get("text"))
            mine = json.dumps(TEXTS.get(str(record.get("id")))) if not edits_ids else text
            if text not in given or text != mine:
                found_wrong.append(f"exit {restore.code}, and a wrong text: {str(record)[:80]}")
        ids = touched(self.start, steps)
        back = {str(record.get("id")) for record in records}
        if ids is not None and "not of one run" not in restore.err:
            if lost := TEXTS.keys() - ids - back:
                found_wrong.append(f"{sorted(lost)} are not restored: {restore}")
            if restore.code == 0 and (lost := ids - back):
                found_wrong.append(f"exit 0 without {sorted(lost)}")
        return found_wrong

    def all_wrong(self, changes):
        """The same of several lists of changes."""
        found = []
        for name, steps in changes:
            told = json.dumps(steps, ensure_ascii=False)[:160]
            found += [f"{name}: {told}: {what}" for what in self.wrong(steps)]
        return found


@pytest.fixture(scope="module")
def run():
    with folder() as place:
        yield Tampered(place)


def apart(run, changes):
    return run.place.apart(lambda: run.all_wrong(changes))


def test_an_untouched_run_comes_back(run):
    none(apart(run, [("nothing", [])]), 1, "tampered")


def test_changes_that_somebody_thought_of(run):
    cases = [json.loads(line) for line in CASES.open(encoding="utf-8")]
    none(apart(run, [(case["why"], case["do"]) for case in cases]), len(cases), "tampered")


@pytest.mark.parametrize("part", range(4))
def test_changes_at_random(run, part):
    changes = []
    for seed in range(part, TRIALS, 4):
        rng = random.Random(seed)
        steps = [a_change(rng, run.start) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        changes.append((f"seed {seed}", steps))
    none(apart(run, changes), len(changes), "tampered")


OVERRIDES = [
    {"do": "remove", "text": S[6]}, {"do": "keep", "id": "t1", "start": 0},
    {"do": "keep", "text": S[0]}, {"do": "remove", "id": "t2"}, {"do": "keep", "key": "0f"},
]  # fmt: skip


def overrides_of(rng):
    """A file of decisions, with something wrong in it."""
    lines = [dumped(row) for row in OVERRIDES]
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.randrange(len(lines))
        key = rng.choice(["do", "text", "key", "id", "start", "note", "more"])
        lines[at] = rng.choice(
            [
                lambda line, key=key: with_value(line, [key], changer("set", rng.choice(VALUES))),
                lambda line, key=key: with_value(line, [key], changer("drop key")),
                lambda line: line[: rng.randrange(len(line))],
                lambda line: rng.choice([b"", b"null", b"[]", b"\xff", b"\xef\xbb\xbf{}", b"7"]),
                lambda line: DEEP.encode(),
            ]
        )(lines[at] if lines[at][:1] == b"{" and lines[at][-1:] == b"}" else dumped(OVERRIDES[0]))
    return packed(lines)


def test_decisions_that_are_none(run):
    def work():
        found = []
        for seed in range(TRIALS // 4):
            data = overrides_of(random.Random(seed))
            run.place.put({"in.jsonl": GIVEN, "overrides.jsonl": data})
            argv = ("clean", "in.jsonl", "-q", "-o", "out.jsonl", "--overrides", "overrides.jsonl")
            clean, restore = run.place.runs(argv, ("restore", "out.jsonl", "-q"))
            if not clean.told or clean.code == 1:
                found.append(f"seed {seed}: {clean}")
            if clean.code == 0 and (restore.code or restore.out != GIVEN):
                found.append(f"seed {seed}: restored: {restore}")
            if clean.code and "out.jsonl" in run.place.state():
                found.append(f"seed {seed}: exit {clean.code}, but something was written")
        return found

    none(run.place.apart(work), TRIALS // 4, "tampered")
