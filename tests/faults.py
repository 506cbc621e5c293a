"""The command line in a process of its own, with its calls of the system counted.

Any one of the calls can fail, and the files can be looked at between any two of them, as they would
be if the process died there. Nothing here knows how the program writes its files: only the calls
are seen. A process is forked for each run, so that what was imported is there already.
"""

from __future__ import annotations

import builtins
import errno
import gc
import importlib
import io
import os
import pathlib
import pickle
import signal
import sqlite3
import stat
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from passages import SENTENCES

import dedup
from dedup import cli
from dedup.check import check

State = dict[str, bytes | None]
"""Name -> bytes of every file of a folder; None for a folder in it."""

BROKEN = 70  # exit code of a run that ended with a traceback
TEMPORARY = "tmp"  # folder of temporary files in the folder of a run
LONGEST = 120  # seconds until a run that hangs is killed
ROOM = {"open", "write", "mkdir", "link", "truncate", "fsync", "sql", "COMMIT"}  # of a full disk
PATHS = ("mkdir", "unlink", "remove", "rmdir", "truncate", "chmod", "chown")
HANDLES = ("fsync", "fdatasync", "ftruncate", "posix_fallocate", "fchmod", "fchown")
PAIRS = ("rename", "replace", "link")
WRITING = ("INSERT", "REPLACE", "DELETE", "UPDATE", "CREATE", "DROP", "ALTER", "VACUUM", "COMMIT")

_open, _File = os.open, io.FileIO  # as they are before anything is installed


class Fault(NamedTuple):
    """What goes wrong in a run.

    Attributes:
        at: the number of the call, from 0.
        how: "fail": it fails, and no other does; "full": it fails, and so does every later one that
            needs room; "stop": a request to end comes behind it; "exit", "exited": the process dies
            before it, or behind it.
    """

    at: int
    how: str


class Ended(NamedTuple):
    """A run that has ended.

    Attributes:
        code: its exit code; negative for a signal.
        out: what it wrote to standard output.
        err: the same of standard error.
        calls: each call, with the file it was about.
        states: (when, files) before, behind and, where some was written, in the midst of each call;
            each state once.
        events: what the calls did, for `power`.
    """

    code: int
    out: bytes = b""
    err: str = ""
    calls: Sequence[str] = ()
    states: Sequence[tuple[str, State]] = ()
    events: Sequence[tuple[Any, ...]] = ()

    @property
    def told(self) -> bool:
        """Whether it ended as every run does: with 0, 1, or with 2 and lines that say why."""
        lines = self.err.splitlines()
        fine = all(line.startswith("dedup: ") for line in lines) and "Traceback" not in self.err
        return self.code in (0, 1) or (self.code == 2 and fine and bool(lines))

    def __str__(self) -> str:
        lines = self.err.strip().splitlines()
        places = [line.strip() for line in lines if line.startswith("  File") and "dedup/" in line]
        shown = [*places[-1:], *lines[-1:]] if self.code == BROKEN else lines[:4]
        return f"exit {self.code}: {' / '.join(shown)[-400:]}"


class Calls:
    """Counts the calls that are about files of a folder, and has one of them go wrong.

    Args:
        folder: whose files count.
        fault: what goes wrong, if anything.
        watch: whether states and events are kept.
    """

    def __init__(self, folder: Path, fault: Fault | None, watch: bool) -> None:
        self.folder = os.path.realpath(folder)
        self.fault = fault
        self.watch = watch
        self.log: list[str] = []
        self.states: list[tuple[str, State]] = []
        self.events: list[tuple[Any, ...]] = []
        self._known: set[Any] = set()
        self._handles: dict[int, int] = {}  # inode -> a handle that keeps it, and reads it

    # -- where ---------------------------------------------------------------------------------

    def path(self, place: Any) -> str | None:
        """The path of a path or handle, within the folder; None for any other."""
        if isinstance(place, int):
            try:
                found = os.readlink(f"/proc/self/fd/{place}")
            except OSError:
                return None
        else:
            there = os.path.abspath(os.fsdecode(os.fspath(place)))
            found = os.path.join(os.path.realpath(os.path.dirname(there)), os.path.basename(there))
        if found != self.folder and not found.startswith(self.folder + os.sep):
            return None
        return os.path.relpath(found, self.folder)

    # -- what goes wrong -----------------------------------------------------------------------

    def call(self, name: str, place: Any, do: Callable[[], Any], after: Any = None) -> Any:
        """Do what a call does, unless it is to go wrong.

        Args:
            name: of the call.
            place: path or handle.
            do: does it.
            after: called with what came of it, to keep events.
        """
        path = self.path(place)
        if path is None:
            return do()
        number = len(self.log)
        self.log.append(f"{name} {path}")
        fault = self.fault
        if self.watch:
            self.look(f"before {self.log[-1]}")
        if fault is not None:
            if fault.at == number and fault.how == "exit":
                os._exit(137)
            now, later = fault.at == number, fault.at < number and fault.how == "full"
            if (now and fault.how in ("fail", "full")) or (later and name in ROOM):
                raise _error(name, path, fault)
        found = do()
        if after is not None and self.watch:
            after(path, found)
        if self.watch:
            self.look(f"behind {self.log[-1]}")
        if fault is not None and fault.at == number:
            if fault.how == "exited":
                os._exit(137)
            if fault.how == "stop":
                os.kill(os.getpid(), signal.SIGTERM)
        return found

    def look(self, when: str) -> None:
        """Keep the files as they are, if they were never so before."""
        found = state_of(self.folder)
        key = hash(frozenset((k, v) for k, v in found.items() if not k.endswith("-shm")))
        if key not in self._known:
            self._known.add(key)
            self.states.append((when, found))

    def begin(self) -> None:
        """Note what is there."""
        for name, data in state_of(self.folder).items():
            if data is not None and ".db" not in name:
                self.events.append(("there", name, self.hold(name)))

    # -- what calls do -------------------------------------------------------------------------

    def hold(self, path: str, handle: int | None = None) -> int:
        """The inode of a file, which is not given to another from now on."""
        if handle is None:
            handle = _open(os.path.join(self.folder, path), os.O_RDONLY)
        inode = os.fstat(handle).st_ino
        if inode in self._handles:
            os.close(handle)
        else:
            self._handles[inode] = handle
        return inode

    def made(self, path: str, new: bool) -> None:
        """A file was opened for writing."""
        with suppress(FileNotFoundError):  # it never had a name
            inode = self.hold(path)
            if new:
                self.events.append(("link", path, inode))
            self.filled(inode)

    def filled(self, inode: int) -> None:
        """A file's content has changed."""
        if inode in self._handles and stat.S_ISREG(os.fstat(self._handles[inode]).st_mode):
            data = os.pread(self._handles[inode], 1 << 26, 0)
            self.events.append(("content", inode, data))

    def opening(self, path: str) -> Callable[[str, Any], None]:
        """Keeps that a file was opened for writing."""
        new = not os.path.lexists(path)

        def after(there: str, _: Any) -> None:
            self.made(there, new)

        return after

    def linked(self, name: str, source: Any) -> Callable[[str, Any], None]:
        """Keeps that a file has got another name."""
        before = self.path(source)

        def after(there: str, _: Any) -> None:
            inode = self.hold(there)
            if name == "link" or before is None:
                self.events.append(("link", there, inode))
            else:
                self.events.append(("rename", before, there, inode))

        return after

    def changed(self, name: str, handle: int) -> Callable[[str, Any], None]:
        """Keeps what a call did by a handle."""

        def after(there: str, _: Any) -> None:
            inode = os.fstat(handle).st_ino
            if name in ("fsync", "fdatasync"):
                folder = os.path.isdir(f"/proc/self/fd/{handle}")
                self.filled(inode)  # by a library that writes by itself, too
                self.events.append(("folder", there) if folder else ("sync", inode))
            else:
                self.filled(inode)

        return after

    def gone(self, there: str, _: Any) -> None:
        """Keeps that a name is gone."""
        self.events.append(("unlink", there))

    def committed(self, there: str, _: Any) -> None:
        """Keeps a database as it is on the disk."""
        found = state_of(self.folder)
        files = {there, f"{there}-wal"}
        self.events.append(("commit", {k: v for k, v in found.items() if k in files}))


def _error(name: str, path: str, fault: Fault) -> Exception:
    if name in ("sql", "COMMIT"):
        return sqlite3.OperationalError("database or disk is full")
    number = errno.ENOSPC if fault.how == "full" or name in ROOM else errno.EIO
    return OSError(number, os.strerror(number), path)


def install(calls: Calls) -> None:
    """Have everything in this process that is about files go through `calls`, for good."""
    _install_paths(calls)
    _install_handles(calls)
    _install_open(calls)
    _install_sqlite(calls)
    accessor = getattr(pathlib, "_NormalAccessor", None)  # of Python 3.10
    for name in (*PATHS, *PAIRS):
        if hasattr(accessor, name):
            setattr(accessor, name, staticmethod(getattr(os, name)))
    if accessor is not None:
        accessor.open = staticmethod(io.open)


def _install_paths(calls: Calls) -> None:
    def one(name: str, real: Any) -> Any:
        after = calls.gone if name in ("unlink", "remove", "rmdir") else None

        def wrapped(path: Any, *args: Any, **kwargs: Any) -> Any:
            if kwargs.get("dir_fd") is not None:
                return real(path, *args, **kwargs)
            what = "unlink" if name == "remove" else name
            return calls.call(what, path, lambda: real(path, *args, **kwargs), after)

        return wrapped

    def two(name: str, real: Any) -> Any:
        def wrapped(source: Any, to: Any, **kwargs: Any) -> Any:
            what = "link" if name == "link" else "rename"
            return calls.call(
                what, to, lambda: real(source, to, **kwargs), calls.linked(what, source)
            )

        return wrapped

    for name in PATHS:
        setattr(os, name, one(name, getattr(os, name)))
    for name in PAIRS:
        setattr(os, name, two(name, getattr(os, name)))


def _install_handles(calls: Calls) -> None:
    def one(name: str, real: Any) -> Any:
        def wrapped(handle: Any, *args: Any) -> Any:
            number = handle if isinstance(handle, int) else handle.fileno()
            what = {"fdatasync": "fsync", "ftruncate": "truncate", "posix_fallocate": "truncate"}
            return calls.call(
                what.get(name, name), number, lambda: real(number, *args),
                calls.changed(name, number),
            )  # fmt: skip

        return wrapped

    def written(name: str, real: Any) -> Any:
        def wrapped(handle: int, data: Any, *args: Any) -> Any:
            return _write(calls, handle, data, lambda part: real(handle, part, *args))

        return wrapped

    for name in HANDLES:
        if hasattr(os, name):
            setattr(os, name, one(name, getattr(os, name)))
    os.write = written("write", os.write)

    real_open = os.open

    def opened(path: Any, flags: int, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("dir_fd") is not None:
            return real_open(path, flags, *args, **kwargs)
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        nameless = hasattr(os, "O_TMPFILE") and flags & os.O_TMPFILE == os.O_TMPFILE
        after = calls.opening(os.fspath(path)) if writes and not nameless else None
        name = "open" if writes else "open to read"
        return calls.call(name, path, lambda: real_open(path, flags, *args, **kwargs), after)

    os.open = opened


def _write(calls: Calls, handle: int, data: Any, do: Callable[[Any], Any]) -> Any:
    """Write, a part first where that is to be seen, or where there is no room for all of it."""
    fault, number = calls.fault, len(calls.log)
    rest = memoryview(data).cast("B")
    begun = 0
    if len(rest) > 1 and calls.path(handle) is not None:
        if fault is not None and fault.at == number and fault.how in ("fail", "full"):
            do(rest[: len(rest) // 2])
        elif calls.watch:
            begun = do(rest[: len(rest) // 2])
            calls.look(f"in the midst of write {calls.path(handle)}")
    return begun + calls.call(
        "write", handle, lambda: do(rest[begun:]), calls.changed("write", handle)
    )


def _install_open(calls: Calls) -> None:
    real, plain = io.open, io.FileIO

    class File(plain):  # type: ignore[misc, valid-type]
        def write(self, data: Any) -> Any:
            return _write(calls, self.fileno(), data, super().write)

        def truncate(self, size: int | None = None) -> Any:
            number = self.fileno()
            return calls.call(
                "truncate", number, lambda: super(File, self).truncate(size),
                calls.changed("truncate", number),
            )  # fmt: skip

    def opened(
        file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
        newline: Any = None, closefd: bool = True, opener: Any = None,
    ) -> Any:  # fmt: skip
        how = (buffering, encoding, errors, newline, closefd, opener)
        numbered = isinstance(file, int)
        if calls.path(file) is None:
            return real(file, mode, *how)
        if not set(mode) & set("wax+"):
            if numbered or opener is not None:
                return real(file, mode, *how)
            return calls.call("open to read", file, lambda: real(file, mode, *how))

        def make() -> Any:
            return File(file, "".join(c for c in mode if c in "rwax+"), closefd, opener)

        if numbered or opener is not None:
            raw = make()
        else:
            raw = calls.call("open", file, make, calls.opening(os.fspath(file)))
        if buffering == 0:
            return raw
        size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
        buffered = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw, size)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)

    class Read(plain):  # type: ignore[misc, valid-type]
        def __init__(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> None:
            if not isinstance(file, int):
                calls.call("open to read", file, lambda: None)
            super().__init__(file, mode, *args, **kwargs)

    io.open = builtins.open = opened
    io.FileIO = Read  # type: ignore[misc]


def _install_sqlite(calls: Calls) -> None:
    real = sqlite3.connect

    def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
        path = os.fspath(database)

        class Connection(sqlite3.Connection):
            def _counted(self, sql: str, do: Callable[[], Any]) -> Any:
                word = sql.split(None, 1)[0].upper() if sql.strip() else ""
                word = "COMMIT" if word == "END" else word
                main = threading.current_thread() is threading.main_thread()
                if not path or word not in WRITING or not main:
                    return do()
                after = calls.committed if word == "COMMIT" else None
                return calls.call("COMMIT" if word == "COMMIT" else "sql", path, do, after)

            def execute(self, sql: str, *args: Any) -> Any:
                return self._counted(sql, lambda: super(Connection, self).execute(sql, *args))

            def executemany(self, sql: str, *args: Any) -> Any:
                return self._counted(sql, lambda: super(Connection, self).executemany(sql, *args))

            def commit(self) -> None:
                self._counted("COMMIT", super().commit)

        return real(database, *args, **{"factory": Connection, **kwargs})

    sqlite3.connect = connect


# -- folders -----------------------------------------------------------------------------------


def state_of(folder: str | Path) -> State:
    """All that is in a folder."""
    found: State = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        with suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                found[entry.name] = None
                found |= {f"{entry.name}/{k}": v for k, v in state_of(entry.path).items()}
            else:
                with _File(_open(entry.path, os.O_RDONLY)) as file:
                    found[entry.name] = file.readall()
    return found


class Place:
    """A folder to run in, always under the same path, and one beside it for what is told.

    Args:
        base: a folder that is not there, or an empty one.
    """

    def __init__(self, base: Path) -> None:
        warm()
        self.folder = base / "run"
        self.aside = base / "aside"
        self.aside.mkdir(parents=True)
        self.put({})

    def put(self, state: State) -> None:
        """Have this in the folder, and nothing else."""
        now = state_of(self.folder) if self.folder.exists() else {}
        for name, data in sorted(now.items(), reverse=True):
            if data is None and (name not in state or state[name] is not None):
                os.rmdir(f"{self.folder}/{name}")
            elif data is not None and state.get(name) != data:
                os.unlink(f"{self.folder}/{name}")
        os.makedirs(self.folder, exist_ok=True)
        for name, data in state.items():
            path = f"{self.folder}/{name}"
            if data is None:
                os.makedirs(path, exist_ok=True)
            elif now.get(name) != data:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with _File(path, "w") as file:
                    file.write(data)

    def state(self) -> State:
        """What is in the folder."""
        return state_of(self.folder)

    def run(
        self, *argv: str, stdin: bytes = b"", stdout: str = "", fault: Fault | None = None,
        watch: bool = False,
    ) -> Ended:  # fmt: skip
        """Run a command in the folder, in a process of its own.

        Args:
            argv: its arguments.
            stdin: what it reads.
            stdout: a file of the folder that standard output goes to, counted like any other.
            fault: what goes wrong.
            watch: whether states and events are kept.
        """

        def work() -> Ended:
            calls = Calls(self.folder, fault, watch)
            self._stand()
            with _File(f"{self.aside}/stdin", "w") as file:
                file.write(stdin)
            os.dup2(_open(f"{self.aside}/stdin", os.O_RDONLY), 0)
            if watch:
                calls.begin()
            install(calls)
            if stdout:
                sys.stdout = open(stdout, "w", encoding="utf-8")  # noqa: SIM115
            ended = self._one(argv)
            return ended._replace(calls=calls.log, states=calls.states, events=calls.events)

        found = apart(work, self.aside)
        return found if isinstance(found, Ended) else Ended(found)

    def apart(self, work: Callable[[], Any]) -> Any:
        """What some work gives that runs commands in this folder, in a process of its own."""
        found = apart(work, self.aside)
        if isinstance(found, int):
            said = (self.aside / "stderr").read_text(encoding="utf-8", errors="replace")
            raise AssertionError(f"a process died: {found}: {said[-500:]}")
        return found

    def runs(self, *commands: Sequence[str]) -> list[Ended]:
        """Run commands in the folder, one after the other in this process: see `apart`."""
        self._stand()
        return [self._one(argv) for argv in commands]

    def _stand(self) -> None:
        """Have standard input and output go to files, and be in the folder."""
        os.chdir(self.folder)
        tempfile.tempdir = f"{self.folder}/{TEMPORARY}"
        os.makedirs(tempfile.tempdir, exist_ok=True)
        how = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
            handle = _open(f"{self.aside}/{name}", how, 0o600)
            os.dup2(handle, number)
            os.close(handle)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )

    def _one(self, argv: Sequence[str]) -> Ended:
        signal.alarm(LONGEST)
        code = _code(argv)
        signal.alarm(0)
        sys.stderr.flush()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        gc.collect()  # what a process leaves open ends with it
        return Ended(code, _taken(1), _taken(2).decode("utf-8", "replace"))


@cache
def warm() -> None:
    """Import and load everything that runs need, before they are forked."""
    for name in ("pyarrow.parquet", "dedup.stream", "dedup.index.care", "dedup.report.explain"):
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = (b'{"text":"%b"}\n' % text.encode() for text in (*SENTENCES, *SENTENCES))
        (folder / "in.jsonl").write_bytes(b"".join(lines))
        dedup.clean(
            folder / "in.jsonl", folder / "out.jsonl", report=folder / "report.html",
            spans=folder / "spans.jsonl", explain_kept=folder / "kept.jsonl",
            index=folder / "x.db", level="sentence",
        )  # fmt: skip
        dedup.restore(folder / "out.jsonl", folder / "back.jsonl")
        check(folder / "out.jsonl")


def apart(work: Callable[[], Any], folder: Path) -> Any:
    """What some work gives, done in a process of its own; its exit code if that dies.

    Args:
        work: what is done.
        folder: where its answer is written.
    """
    told = f"{folder}/told {os.getpid()}"
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads do not matter here
        child = os.fork()
    if child == 0:
        try:
            gc.freeze()
            if parser := getattr(cli, "_parser", None):  # takes longer to make than most runs
                cli._parser = cache(parser)
                cli._parser()
            answer = pickle.dumps(work())
            with _File(_open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(answer)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(BROKEN)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not os.path.exists(told):
        return code
    answer = pickle.loads(Path(told).read_bytes())
    os.unlink(told)
    return answer


def _code(argv: Sequence[str]) -> int:
    try:
        return cli.main(list(argv))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.stderr.write(traceback.format_exc())
        return BROKEN


def _taken(handle: int) -> bytes:
    """What was written to a file, which is empty then."""
    data = os.pread(handle, os.fstat(handle).st_size, 0)
    if data:
        _File(handle, "r+", closefd=False).truncate(0)
    os.lseek(handle, 0, os.SEEK_SET)
    return data
