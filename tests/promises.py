"""What must hold whatever happens to a run, and the runs that it is tried with.

A run's files are those of before or those of after, and restore gives back what they were made of;
an index knows nothing that is in no file; the same command once more gives what an undisturbed run
gives.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from faults import TEMPORARY, Ended, Fault, Place, State
from passages import SENTENCES as S
from trials import tried

SOAK = bool(os.environ.get("SOAK"))  # `make soak` tries all of it
INDEX, OTHER = "news.db", "other.db"
SHOWN = 12  # complaints of a test that are told


def lines_of(*rows: tuple[str, str]) -> bytes:
    """Records of ids and texts as JSON lines."""
    made = ({"id": id_, "text": text} for id_, text in rows)
    return b"".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in made
    )


FIRST = lines_of(("f1", f"{S[0]}\n{S[9]}"), ("f2", S[2]))
OLD = lines_of(("o1", f"{S[4]}\n{S[5]}"), ("o2", f"{S[4]}\n{S[5]}"), ("o3", S[6]))
NEW = lines_of(
    ("n1", f"{S[0]}\n{S[1]}"), ("n2", f"{S[1]}\n\n{S[2]}\n{S[3]}"), ("n3", f"{S[3]}\n{S[1]} "),
    ("n4", S[7]), ("n5", f"{S[8]}\n{S[7]}\n \n"),
)  # fmt: skip
PLAIN = lines_of(("p1", S[10]), ("p2", f"{S[11]}\n{S[12]}"))
BAD = b"{no record}\n"
CLEAN = ("clean", "new.jsonl", "-q", "-o")
BACK = "../aside/back.jsonl"


class Scenario(NamedTuple):
    """A command, and what was there before.

    Attributes:
        name: of the scenario.
        argv: the command.
        files: what is there.
        earlier: commands that were run before.
        clean: the cleaned records that the command writes, if it does.
        before: what they were made of before the command, None if they were not there.
        after: what they are made of behind it.
        stdin: what the command reads.
        stdout: the file that standard output goes to.
    """

    name: str
    argv: Sequence[str]
    files: Mapping[str, bytes]
    earlier: Sequence[Sequence[str]] = ()
    clean: str = ""
    before: bytes | None = None
    after: bytes = b""
    stdin: bytes = b""
    stdout: str = ""

    @property
    def indexed(self) -> bool:
        """Whether it writes to an index."""
        return INDEX in self.argv


def _indexed(name: str, out: str) -> Sequence[str]:
    return ("clean", name, "-q", "-o", out, "--index", INDEX)


_FILES = {"new.jsonl": NEW + BAD, "old.jsonl": OLD, "first.jsonl": FIRST, "plain.jsonl": PLAIN}
_OLD = ("clean", "old.jsonl", "-q", "-o", "out.jsonl", "--stats", "stats.json")
_SIDES = ("--stats", "stats.json", "--report", "report.html", "--spans", "spans.jsonl",
          "--attributes", "attributes", "--explain-kept", "kept.jsonl")  # fmt: skip
SCENARIOS = [
    Scenario("fresh names", (*CLEAN, "out.jsonl", *_SIDES), _FILES, (), "out.jsonl", None, NEW),
    Scenario("over an earlier run", (*CLEAN, "out.jsonl", "--stats", "stats.json"), _FILES,
             (_OLD,), "out.jsonl", OLD, NEW),
    Scenario("with fewer files than before", ("clean", "plain.jsonl", "-q", "-o", "out.jsonl"),
             _FILES, ((*CLEAN, "out.jsonl"),), "out.jsonl", NEW, PLAIN),
    Scenario("with a new index", _indexed("new.jsonl", "out.jsonl"), _FILES, (), "out.jsonl", None,
             NEW),
    Scenario("with an index, over an earlier run", _indexed("new.jsonl", "out.jsonl"), _FILES,
             (_indexed("first.jsonl", "first.clean.jsonl"), _indexed("old.jsonl", "out.jsonl")),
             "out.jsonl", OLD, NEW),
    Scenario("packed", (*CLEAN, "out.jsonl.gz"), _FILES,
             (("clean", "old.jsonl", "-q", "-o", "out.jsonl.gz"),), "out.jsonl.gz", OLD, NEW),
    Scenario("as a table", (*CLEAN, "out.parquet"), _FILES,
             (("clean", "old.jsonl", "-q", "-o", "out.parquet"),), "out.parquet", OLD, NEW),
    Scenario("restored", ("restore", "out.jsonl", "-q", "-o", "back.jsonl"),
             {**_FILES, "back.jsonl": OLD}, ((*CLEAN, "out.jsonl"),)),
    Scenario("restored, a fresh name", ("restore", "out.jsonl", "-q", "-o", "back.jsonl"), _FILES,
             ((*CLEAN, "out.jsonl"),)),
    Scenario("an index pruned", ("index", "prune", INDEX, "--older-than", "0h"), _FILES,
             (_indexed("first.jsonl", "first.clean.jsonl"), _indexed("old.jsonl", "out.jsonl"))),
    Scenario("indexes merged", ("index", "merge", INDEX, OTHER), _FILES,
             (_indexed("first.jsonl", "first.clean.jsonl"),
              ("clean", "old.jsonl", "-q", "-o", "out.jsonl", "--index", OTHER))),
    Scenario("a stream", ("clean", "-", "-q", "--stream", "--index", INDEX, "-o", "-",
                          "--removed", "stream.removed.jsonl"),
             _FILES, (_indexed("first.jsonl", "first.clean.jsonl"),), stdin=NEW,
             stdout="stream.jsonl"),
]  # fmt: skip


def visible(state: State) -> State:
    """The files that anybody sees, but for indexes."""
    return {
        name: data for name, data in state.items()
        if data is not None and not _is_hidden(name) and ".db" not in name
        and not name.startswith(f"{TEMPORARY}/")
    }  # fmt: skip


def hidden(state: State) -> list[str]:
    """The names of files that are hidden."""
    return [name for name, data in state.items() if data is not None and _is_hidden(name)]


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def ids_in(lines: bytes) -> set[str]:
    """The ids of records as JSON lines; of what is none, nothing."""
    found = set()
    for row in rows_of(lines):
        found.add(str(row.get("id")))
    return found


def rows_of(lines: bytes) -> list[dict[str, Any]]:
    """The objects of JSON lines, as far as they are any."""
    rows = []
    for line in lines.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


class Lane:
    """A scenario in a folder.

    Args:
        scenario: what is run.
        base: a folder that is not there yet.
    """

    def __init__(self, scenario: Scenario, base: Path) -> None:
        self.scenario = scenario
        self.place = Place(base)
        self._back = base / "aside" / "back.jsonl"
        self._known: dict[Any, list[str]] = {}
        self._explained: set[Any] = set()
        self.place.put(dict(scenario.files))
        if "--attributes" in scenario.argv:
            (self.place.folder / "attributes").mkdir()
        for argv in scenario.earlier:
            ended = self.place.run(*argv)
            assert ended.code == 0, ended
        self.start = self.place.state()
        self.seen = self.apart(self._exported)
        self.watched = self._run(watch=True)
        assert self.watched.code == 0, self.watched
        self.done = self.place.state()
        self.knows = self.apart(self._exported)

    def apart(self, work: Callable[..., Any], *args: Any) -> Any:
        """What a method gives, in a process of its own."""
        return self.place.apart(lambda: work(*args))

    def _run(self, fault: Fault | None = None, watch: bool = False) -> Ended:
        scenario = self.scenario
        return self.place.run(
            *scenario.argv, stdin=scenario.stdin, stdout=scenario.stdout, fault=fault, watch=watch
        )

    def _exported(self) -> bytes:
        """What the index tells that it knows; nothing if there is none."""
        if not self.scenario.indexed:
            return b""
        (ended,) = self.place.runs(("index", "export", INDEX))
        return ended.out if ended.code == 0 else b""

    @cached_property
    def calls(self) -> Sequence[str]:
        """The calls of an undisturbed run."""
        return self.watched.calls

    # -- what is looked at ---------------------------------------------------------------------

    def dead(self, states: Iterable[tuple[str, State]]) -> list[str]:
        """What is wrong with files as a run left them that died."""
        wrong = []
        for when, state in states:
            self.place.put(state)
            wrong += [f"{when}: {what}" for what in self._look(state)]
        return wrong

    def failed(self, hows: Sequence[str], numbers: Iterable[int] | None = None) -> list[str]:
        """What is wrong when a call goes wrong: every one, or those of some numbers."""
        wrong = []
        given = f"open {self.scenario.stdout}"  # is not the program's
        for number in range(len(self.calls)) if numbers is None else numbers:
            for how in hows if self.calls[number] != given else ():
                self.place.put(self.start)
                ended = self._run(Fault(number, how))
                call = self.calls[number] if how != "full" else f"{self.calls[number]} and all on"
                wrong += [f"{how} {call} ({number}): {what}" for what in self._ended(ended, how)]
        return wrong

    def _ended(self, ended: Ended, how: str) -> list[str]:
        state, wrong = self.place.state(), []
        if how in ("fail", "full", "stop"):
            stopped = how == "stop" and ended.code == 130
            if not (ended.told or stopped) or len(ended.err.splitlines()) > 1:
                wrong.append(f"ended badly: {ended}")
            late = stopped and "nothing was written" not in ended.err  # it may have come too late
            late = late and visible(state) == visible(self.done)
            expected, knows = self._expected(ended._replace(code=0) if late else ended)
            if self.scenario.stdout or knows is None:
                pass
            elif visible(state) != expected:
                wrong.append(f"{ended}, but the files are not so: {_told(state, expected)}")
            elif self._exported() != knows:
                wrong.append(f"{ended}, but the index is not so")
        key = frozenset((k, v) for k, v in state.items() if ".db" not in k)
        whole = (key, self._exported())
        if whole not in self._known:
            self.place.put(state)
            self._known[whole] = self._look(state)
        return wrong + self._known[whole]

    def _expected(self, ended: Ended) -> tuple[State, bytes | None]:
        """The files and what the index knows behind a run that ended like this."""
        if ended.code == 0:
            return visible(self.done), self.knows
        if "prune" in self.scenario.argv:  # the room is given back when all is done
            return visible(self.start), None
        return visible(self.start), self.seen

    def _look(self, state: State) -> list[str]:
        """What is wrong with the files in the folder, which a run left."""
        stray = visible(state).keys() - visible(self.start).keys() - visible(self.done).keys()
        wrong = [f"a stray file {name}" for name in sorted(stray)]
        if self.scenario.stdout:
            return wrong + self._look_at_stream()
        if self.scenario.clean:
            return wrong + self._look_at_records() + self._look_at_rerun()
        if self.scenario.argv[0] == "index":
            return wrong + self._look_at_index()
        back = visible(state).get("back.jsonl")
        if back not in [visible(s).get("back.jsonl") for s in (self.start, self.done)]:
            wrong.append("back.jsonl is neither as before nor as behind")
        return wrong + self._look_at_rerun()

    def _restored(self) -> bytes | None:
        found = self._back.read_bytes() if self._back.exists() else None
        self._back.unlink(missing_ok=True)
        return found

    def _look_at_records(self) -> list[str]:
        scenario, wrong = self.scenario, []
        commands = [("restore", scenario.clean, "-q", "-o", BACK), ("index", "export", INDEX)]
        there = scenario.clean in self.place.state()
        restore, *exports = self.place.runs(*commands[: 1 + scenario.indexed])
        found = self._restored()
        known: set[str] = set()
        for export in exports:
            known = ids_in(export.out) - ids_in(self.seen) if export.code == 0 else set()
        if restore.code == 0:
            if found != scenario.after and (scenario.before is None or found != scenario.before):
                wrong.append(f"restore gave what never was, with exit 0: {(found or b'')[:80]!r}")
        elif not restore.told or len(restore.err.splitlines()) != 1:
            wrong.append(f"restore: {restore}")
        elif there and "run" not in restore.err:
            wrong.append(f"restore does not name a mixture: {restore}")
        state = self.place.state()
        wrong += self._told_of(visible(state))
        held = ids_in(found or b"")
        if restore.code:
            for name in (scenario.clean, scenario.clean.replace(".jsonl", ".dropped.jsonl")):
                held |= ids_in(state.get(name) or b"")
        if lost := known - held:
            wrong.append(f"the index knows {sorted(lost)}, which are in no file")
        return wrong

    def _told_of(self, files: State) -> list[str]:
        """What is wrong with what `explain` and `check` say of some files, each once."""
        key = frozenset(files.items())
        if key in self._explained:
            return []
        self._explained.add(key)
        name = self.scenario.clean
        someone = json.loads(self.scenario.after.split(b"\n")[0])["id"]
        commands = [("explain", name, someone), ("check", name, "-q")]
        runs = zip(commands, self.place.runs(*commands), strict=True)
        return [f"{argv[0]}: {ended}" for argv, ended in runs if not ended.told]

    def _look_at_rerun(self) -> list[str]:
        commands = [self.scenario.argv]
        if self.scenario.clean:
            commands.append(("restore", self.scenario.clean, "-q", "-o", BACK))
        rerun, *restore = self.place.runs(*commands)
        state, wrong = self.place.state(), []
        if rerun.code != 0:
            return [f"once more: {rerun}"]
        if visible(state) != visible(self.done):
            wrong.append(f"once more gives other files: {_told(state, visible(self.done))}")
        if left := hidden(state):
            wrong.append(f"once more leaves {left}")
        if restore and (restore[0].code or self._restored() != self.scenario.after):
            wrong.append(f"once more, and restored: {restore[0]}")
        if ids_in(self._exported()) != ids_in(self.knows):
            wrong.append("once more gives an index that knows other records")
        return wrong

    def _look_at_index(self) -> list[str]:
        export, check = self.place.runs(("index", "export", INDEX), ("index", "check", INDEX))
        wrong = []
        if export.code or export.out not in (self.seen, self.knows):
            wrong.append(f"the index knows neither what it did nor what it shall: {export}")
        if check.code:
            wrong.append(f"index check: {check} {check.out.decode()[-200:]}")
        if export.out == self.seen:
            (rerun,) = self.place.runs(self.scenario.argv)
            if rerun.code or self._exported() != self.knows:
                wrong.append(f"once more: {rerun}, or the index knows other records")
        return wrong

    def _look_at_stream(self) -> list[str]:
        """Records that the index knows were handed out, and their removals lie in the file."""
        scenario, wrong = self.scenario, []
        state = self.place.state()
        rows = [
            row for name in (scenario.stdout, "stream.removed.dropped.jsonl")
            for row in rows_of(state.get(name) or b"")
        ]  # fmt: skip
        (export,) = self.place.runs(("index", "export", INDEX))
        known = ids_in(export.out) - ids_in(self.seen) if export.code == 0 else set()
        removed = [row.get("id") for row in rows_of(state.get("stream.removed.jsonl") or b"")]
        if lost := known - {str(row.get("id")) for row in rows}:
            wrong.append(f"the index knows {sorted(lost)}, which nobody was given")
        for row in rows:
            if row["id"] in known and removed.count(row["id"]) != row["dedup"]["removed"]:
                wrong.append(f"the index knows {row['id']!r}, whose removals are not kept")
        if scenario.stdout in state:
            name = ("--removed", "stream.removed.jsonl")
            (restore,) = self.place.runs(("restore", scenario.stdout, *name, "-q", "-o", BACK))
            if not restore.told:
                wrong.append(f"restore: {restore}")
            given = scenario.stdin.split(b"\n")
            if strange := [x for x in (self._restored() or b"").split(b"\n") if x not in given]:
                wrong.append(f"restore gave what never was: {strange[0][:80]!r}")
        rerun = self._run()
        if rerun.code:
            wrong.append(f"once more: {rerun}")
        return wrong


def _told(state: State, expected: State) -> str:
    found = visible(state)
    names = sorted(found.keys() | expected.keys())
    return ", ".join(name for name in names if found.get(name) != expected.get(name))


def none(wrong: Sequence[str], trials: int, promise: str) -> None:
    """Fail with what is wrong, if anything is; and count the trials of a promise."""
    tried(promise, trials, len(wrong))
    shown = "\n".join(wrong[:SHOWN])
    assert not wrong, f"{len(wrong)} complaints in {trials} trials:\n{shown}"


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that nothing has to be written to the disk for, where there is such a place."""
    memory = "/dev/shm"
    found = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield found
    finally:
        shutil.rmtree(found)
