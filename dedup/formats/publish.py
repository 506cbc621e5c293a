"""Files that appear under their names all together, or not at all.

A run writes each file beside its place under a name of its own (a part). When all parts are whole
and on the disk, a journal says which part takes which name. From then on the run has happened: a
process that dies leaves the journal, and whoever looks at the files next carries out the rest of
it. Where a step fails, the files that were there before come back.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from dedup.engines.interrupts import undisturbed
from dedup.errors import InputError, UncertainCommit

try:
    import fcntl
except ImportError:  # pragma: no cover - a system without it tells no dead run's parts
    fcntl = None  # type: ignore[assignment]

PART, BEFORE, JOURNAL = "part", "before", "journal"
_OURS = re.compile(r"\.(.+)\.[0-9a-f]{16}\.(?:part|before)", re.DOTALL)


def make_part(final: Path) -> IO[bytes]:
    """A new file for what will be `final`; its process holds it locked while it is open."""
    while True:
        path = _hidden(final, PART)
        file = open(path, "x+b", buffering=1 << 20, opener=_private)  # noqa: SIM115
        _lock(file)
        if path.exists():  # nobody swept it before it was locked
            return file
        file.close()  # pragma: no cover - between two system calls


def sweep(final: Path) -> None:
    """Remove what dead runs left of a file."""
    with suppress(OSError):
        for entry in list(os.scandir(final.parent)):
            found = _OURS.fullmatch(entry.name)
            if found and found[1] == final.name and entry.is_file(follow_symlinks=False):
                with suppress(OSError), open(entry.path, "rb") as file:
                    if _lock(file):
                        os.unlink(entry.path)


class Publication:
    """Parts that take their names together.

    Args:
        moves: part -> the name that it takes.
        gone: files of an earlier run that this one has not.
        journal: where the journal lies; see `journal_of`.
    """

    def __init__(self, moves: Mapping[Path, Path], gone: Iterable[Path], journal: Path) -> None:
        self._moves = dict(moves)
        self._gone = list(gone)
        self._journal = journal
        self._before: dict[Path, Path] = {}  # file -> where it is kept until all is done

    def publish(self, commit: Callable[[], None] | None = None) -> None:
        """Give all parts their names, and then do what depends on it.

        Args:
            commit: called when all names are on the disk; where it fails, the files that were
                there before come back.

        Raises:
            InputError: a file cannot take its name; all are as they were.
        """
        with undisturbed():
            moved: list[Path] = []
            try:
                self._keep_before()
                sync_folders([*self._moves.values(), *self._gone])
                with self._journal_held():
                    for path in self._gone:
                        moved.append(path)
                        with one_line(path):
                            path.unlink(missing_ok=True)
                    for part, final in self._moves.items():
                        with one_line(final):
                            os.replace(part, final)
                        moved.append(final)
                    sync_folders([*self._moves.values(), *self._gone])
                    if commit is not None:
                        commit()
            except UncertainCommit:  # it may be remembered, and must not be lost
                self._forget_before()
                raise
            except BaseException:
                for path in moved:
                    self._bring_back(path)
                self._forget_before()
                raise
            self._forget_before()

    def _keep_before(self) -> None:
        for final in (*self._moves.values(), *self._gone):
            if final.exists():
                before = _hidden(final, BEFORE)
                with one_line(final):
                    try:
                        os.link(final, before)
                    except OSError:  # a file system without hard links
                        with open(final, "rb") as file, open(before, "xb") as copy:
                            while data := file.read(1 << 20):
                                copy.write(data)
                        like_before(before, final)
                self._before[final] = before

    def _bring_back(self, path: Path) -> None:
        before = self._before.pop(path, None)
        with suppress(OSError):
            if before is None:
                path.unlink(missing_ok=True)
            else:
                os.replace(before, path)

    def _forget_before(self) -> None:
        for before in self._before.values():
            with suppress(OSError):
                before.unlink()

    @contextmanager
    def _journal_held(self) -> Iterator[None]:
        """The journal is on the disk, and locked, as long as this context."""
        told = {
            "moves": [[str(part), str(final)] for part, final in self._moves.items()],
            "gone": [str(path) for path in self._gone],
        }
        with one_line(self._journal):
            self._journal.unlink(missing_ok=True)
            file = self._journal.open("xb")
        with file:
            try:
                with one_line(self._journal):
                    _lock(file)
                    file.write(json.dumps(told).encode())
                    file.flush()
                    os.fsync(file.fileno())
                sync_folders([self._journal])
                yield
            finally:
                # One that is left says nothing where no part is.
                with suppress(OSError):
                    self._journal.unlink(missing_ok=True)


def place_of(path: Path) -> Path:
    """Where a file lies: what a link points to is replaced, not the link."""
    return Path(os.path.realpath(path))


def found_at(path: Path) -> os.stat_result | None:
    """What is at a place; None for nothing.

    Raises:
        InputError: it cannot be told, as of a link to itself.
    """
    with one_line(path):
        try:
            return os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None


def see_file(path: Path, hint: str = "") -> None:
    """Refuse what is no file that can be read again and again.

    Args:
        path: of the file.
        hint: what to try if there is none.

    Raises:
        InputError: it is none.
    """
    found = found_at(path)
    if found is None:
        raise InputError(f"{path}: no such file{hint}")
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path}: is a folder; name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: is no regular file, which can be read twice; copy it into one")


def journal_of(path: Path) -> Path:
    """Where the journal of a run lies whose first file this is."""
    return path.with_name(f".{path.name}.{JOURNAL}")


def recover(path: Path) -> None:
    """Carry out what a run left of its publication that died in it.

    Args:
        path: the run's first file.

    Raises:
        InputError: it cannot be carried out.
    """
    place = place_of(path)
    if not place.name:  # the root
        return
    journal = journal_of(place)
    with one_line(path):
        try:
            file = journal.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            return
        with file:
            _lock(file, wait=True)  # a run that lives is about to be done
            if not journal.exists():
                return
            moves, gone = _told(file.read())
            left = [(part, final) for part, final in moves if part.exists()]
            if left:  # all was done otherwise, or taken back
                for other in gone:
                    other.unlink(missing_ok=True)
                for part, final in left:
                    os.replace(part, final)
                sync_folders([*gone, *(final for _, final in moves)])
            journal.unlink(missing_ok=True)


def _told(journal: bytes) -> tuple[list[tuple[Path, Path]], list[Path]]:
    """What a journal says: parts and the names that they take, and files that go.

    A part has the name that `make_part` gives it, a file that goes that of a side file: whatever
    else somebody wrote there is not obeyed.
    """
    try:
        row = json.loads(journal)
        moves = [(Path(part), Path(final)) for part, final in row["moves"]]
        gone = [Path(path) for path in row["gone"]]
    except (ValueError, KeyError, TypeError):  # it was not on the disk: nothing happened
        return [], []
    return [
        (part, final)
        for part, final in moves
        if (found := _OURS.fullmatch(part.name))
        and found[1] == final.name
        and part.parent == final.parent
    ], [path for path in gone if {"dropped", "rejected"} & set(path.name.split("."))]


def like_before(part: Path, final: Path) -> None:
    """Give a part the mode and owner of the file that it replaces, or those of a new file."""
    try:
        before = final.stat()
    except OSError:
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(part, 0o666 & ~umask)
        return
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.chown(part, before.st_uid, before.st_gid)
        except OSError:  # only root gives files away; who is in the group may keep that
            with suppress(OSError):
                os.chown(part, -1, before.st_gid)
    os.chmod(part, stat.S_IMODE(before.st_mode))


@contextmanager
def one_line(place: Path | str) -> Iterator[None]:
    """Says in one line what the system says about an output; a closed pipe is another matter."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{place}: {error.strerror or error}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _hidden(final: Path, what: str) -> Path:
    return final.with_name(f".{final.name}.{secrets.token_hex(8)}.{what}")


def _lock(file: IO[Any], wait: bool = False) -> bool:
    """Lock a file until it is closed; whether that was possible."""
    if fcntl is None:  # pragma: no cover
        return False
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # somebody has it, or a file system without locks
        return False
    return True


def sync_folders(files: Iterable[Path]) -> None:
    """Have the names in the folders of some files on the disk."""
    for folder in {file.parent for file in files}:
        with suppress(OSError):  # a system that does not sync folders, or keeps them so
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
