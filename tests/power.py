"""What a disk may hold when the power goes: a model that forgets all that it may forget.

Names in a folder are on the disk when the folder was synced, what a file holds when the file was.
Of what changed since, all may be there, nothing, or any part. A database is on the disk as it was
at its last commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from faults import State

HALF = "half"
Kept = frozenset[int]


class Disk:
    """The disk below a folder.

    Args:
        start: what is on it.
        given: a file that is another's matter: what is written to it is there.
    """

    def __init__(self, start: State, given: str = "") -> None:
        self._given = given
        self._start = start
        self._folders = {name for name, data in start.items() if data is None}
        self._databases = {name: data for name, data in start.items() if ".db" in name}
        self._names: dict[str, int] = {}  # name -> inode, on the disk
        self._safe: dict[int, bytes] = {}  # inode -> what it holds on the disk
        self._now: dict[int, bytes] = {}  # inode -> what it holds
        self._pending: list[tuple[Any, ...]] = []  # changes of names that may be lost

    def do(self, event: tuple[Any, ...]) -> bool:
        """Do what a call did; returns whether anything may be different on the disk."""
        what, *rest = event
        if what == "there":
            name, inode = rest
            self._names[name] = inode
            self._safe[inode] = self._now[inode] = self._start[name] or b""
        elif what in ("link", "unlink", "rename"):
            if ".db" in rest[0]:
                return False
            if rest[0] == self._given:
                self._names = _after(self._names, [event])
            else:
                self._pending.append(event)
        elif what == "content":
            inode, data = rest
            if self._now.get(inode) == data:
                return False
            self._now[inode] = data
            if inode == self._names.get(self._given):
                self._safe[inode] = data
        elif what == "sync":
            self._safe[rest[0]] = self._now.get(rest[0], b"")
        elif what == "folder":
            self._settle(rest[0])
        elif what == "commit":
            self._databases = {**self._databases, **rest[0]}
        return what != "there"

    def _settle(self, folder: str) -> None:
        def here(event: tuple[Any, ...]) -> bool:
            name = event[2] if event[0] == "rename" else event[1]
            return str(PurePath(name).parent) == folder

        self._names = _after(self._names, filter(here, self._pending))
        self._pending = [event for event in self._pending if not here(event)]

    def states(self) -> Iterator[tuple[str, State]]:
        """What the disk may hold if the power goes now: (what of the changes it has, files)."""
        n = len(self._pending)
        everything = frozenset(range(n))
        kept: set[Kept] = {everything, frozenset()}
        kept |= {everything - {k} for k in range(n)} | {frozenset({k}) for k in range(n)}
        kept |= {frozenset(range(k)) for k in range(n)}
        for some in sorted(kept, key=sorted):
            names = _after(self._names, (self._pending[k] for k in sorted(some)))
            for content in ("lost", HALF, "kept"):
                told = ", ".join(" ".join(map(str, self._pending[k][:-1])) for k in sorted(some))
                yield f"of {n} changes [{told}], content {content}", self._state(names, content)

    def _state(self, names: dict[str, int], content: str) -> State:
        found: State = dict.fromkeys(self._folders)
        found |= self._databases
        for name, inode in names.items():
            safe, now = self._safe.get(inode, b""), self._now.get(inode, b"")
            half = now[: (len(safe) + len(now)) // 2]
            found[name] = {"lost": safe, HALF: half, "kept": now}[content]
        return found


def _after(names: dict[str, int], events: Iterable[tuple[Any, ...]]) -> dict[str, int]:
    names = dict(names)
    for what, *rest in events:
        if what == "link":
            names[rest[0]] = rest[1]
        elif what == "unlink":
            names.pop(rest[0], None)
        else:
            names.pop(rest[0], None)
            names[rest[1]] = rest[2]
    return names


def states(
    start: State, events: Sequence[tuple[Any, ...]], given: str = ""
) -> list[tuple[str, State]]:
    """All that the disk may hold after a loss of power during a run, each state once.

    Args:
        start: what was there before.
        events: what the run did, of `faults.Ended`.
        given: see `Disk`.
    """
    disk, known, found = Disk(start, given), set(), []
    for event in events:
        if disk.do(event):
            for told, state in disk.states():
                key = frozenset(state.items())
                if key not in known:
                    known.add(key)
                    what = " ".join([event[0], *(x for x in event[1:2] if isinstance(x, str))])
                    found.append((f"behind {what}: {told}", state))
    return found
