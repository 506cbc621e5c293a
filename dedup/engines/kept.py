"""What takes long to make is made once on a machine, and kept in files.

A file's name tells what it was made from. What is loaded runs, so it is loaded only where nobody
but this user and root could have put it: the file, its folder and every folder above are theirs,
and nobody else may write to them (a folder such as /tmp, in which each may touch only what is his
own, may stand above). Another folder is left alone, with one warning.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from dedup.errors import one_line

_DIGEST = 32  # bytes
_LINKS = 40  # as many are followed as the system follows
_POSIX = os.name == "posix"
_TO_READ = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    _TO_READ |= getattr(os, _flag, 0)  # none of them is everywhere
_UNSAFE, _UNKEPT = range(2)  # what was told
_told = mmap.mmap(-1, 2)  # forks share it: each is told once, by whoever comes first
_safe: set[tuple[str, int]] = set()  # folders that are there and were found to be safe, for a user


def file_name(name: str, made_from: Iterable[str]) -> str:
    """The name of the file for what is made from something."""
    return f"{name}-{digest(made_from)[:20]}"


def digest(parts: Iterable[str]) -> str:
    """One for all parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def is_kept(name: str) -> bool:
    """Whether there is a file that may be loaded."""
    for folder in _folders(there=True):
        handle = _opened(folder, name)
        if handle is not None:
            os.close(handle)
            return True
    return False


def load(name: str) -> bytes | None:
    """What a file holds; None if there is none that may be loaded, or not a whole one."""
    for folder in _folders(there=True):
        handle = _opened(folder, name)
        if handle is None:
            continue
        with suppress(OSError), os.fdopen(handle, "rb") as file:
            kept = file.read()
            if hashlib.sha256(kept[_DIGEST:]).digest() == kept[:_DIGEST]:
                return kept[_DIGEST:]
    return None


def keep(name: str, data: bytes) -> None:
    """Keep something, where that is possible."""
    why = OSError()
    for folder in _folders():
        try:
            _write(folder, name, hashlib.sha256(data).digest() + data)
        except OSError as error:
            why = error
        else:
            return
    _tell_unkept(why)


def can_keep() -> bool:
    """Whether there is a folder to keep anything in; if not, it is told once."""
    why = OSError()
    for folder in _folders():
        try:
            _make(folder)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            why = error
        else:
            return True
    _tell_unkept(why)
    return False


@cache
def source(module: str) -> str:
    """How a module that was imported is written."""
    spec = sys.modules[module].__spec__
    assert spec is not None
    found: str | None = spec.loader.get_source(module)  # type: ignore[union-attr]
    return found or ""


# -- where ---------------------------------------------------------------------------------------


class _Place(NamedTuple):
    folder: Path
    told: bool  # whether somebody should know that it is not used


def _folders(*, there: bool = False) -> Iterator[Path]:
    """The folders that may be used, in the order they are looked at.

    Args:
        there: only those that are there.
    """
    for folder, told in _places():
        key = (str(folder), _user())
        found = os.path.isdir(folder)  # before it is looked at: it may come into being then
        fault = "" if key in _safe else _fault(folder)
        if fault:
            if told:
                _tell_unsafe(fault, folder)
            continue
        if found:
            _safe.add(key)
        if found or not there:
            yield folder
        if folder == _chosen():
            return  # what was chosen is used alone, unless it is not safe


def _chosen() -> Path | None:
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return Path(chosen) if chosen else None


def _places() -> Iterator[_Place]:
    chosen = _chosen()
    if chosen is not None:
        yield _Place(chosen, True)
    yield _Place(Path(__file__).parents[1] / "__pycache__", False)
    named, home = (os.environ.get(name) or "" for name in ("XDG_CACHE_HOME", "HOME"))
    if os.path.isabs(named):
        yield _Place(Path(named) / "dedup", True)
    elif os.path.isabs(home) and not _is_anothers(home):
        yield _Place(Path(home) / ".cache" / "dedup", True)
    yield _Place(_own_home() / ".cache" / "dedup", False)


def _own_home() -> Path:
    """The home that the system knows of, whatever HOME says."""
    if _POSIX:
        import pwd  # noqa: PLC0415

        with suppress(KeyError):  # a number without a name, as in containers
            return Path(pwd.getpwuid(_user()).pw_dir)
    return Path("~").expanduser()


def _is_anothers(home: str) -> bool:
    """Whether root works in the home of a user, as with sudo: what root makes there, the user could
    not write to.
    """
    if not _POSIX or _user():
        return False
    with suppress(OSError):
        return Path(home).stat().st_uid != 0
    return True


def _user() -> int:
    return os.geteuid() if _POSIX else 0


def _fault(folder: Path) -> str:
    """Why others could have put something into a folder, or could put another one in its place;
    nothing if they could not. One that is not there is judged by where it would be made.
    """
    if not _POSIX:
        return ""
    at, links = Path("/"), 0
    try:
        left = list(reversed(Path(os.path.join(os.getcwd(), folder)).parts[1:]))
        found = at.lstat()
        while True:
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > _LINKS:
                    return f"{at} is one of too many links"
                if found.st_uid not in _trusted():
                    return _anothers(at, found)
                target = at.readlink()
                left += reversed(target.parts[target.is_absolute() :])
                at = Path("/") if target.is_absolute() else at.parent
            elif fault := _open_to_others(at, found, above=bool(left)):
                return fault
            if not left:
                return ""
            name = left.pop()
            at = at.parent if name == ".." else at / name
            found = at.lstat()
    except OSError:  # nothing is there yet, or nothing that can be opened
        return ""


def _open_to_others(at: Path, found: os.stat_result, *, above: bool) -> str:
    """Why others could change a folder or file."""
    if not _POSIX:
        return ""
    if found.st_uid not in _trusted():
        return _anothers(at, found)
    mode = found.st_mode
    if above and mode & stat.S_ISVTX:
        return ""
    if mode & stat.S_IWOTH or (mode & stat.S_IWGRP and not _is_ours(found.st_gid)):
        return f"{at} can be written to by others"
    return ""


def _anothers(at: Path, found: os.stat_result) -> str:
    return f"{at} belongs to another user ({found.st_uid})"


def _trusted() -> tuple[int, int]:
    return 0, _user()


def _is_ours(gid: int) -> bool:
    """Whether nobody but this user and root is in a group, as in the one that many systems make for
    each user.
    """
    return _is_private(gid, _user())


@cache
def _is_private(gid: int, user: int) -> bool:
    import grp  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    try:
        group = grp.getgrgid(gid)
        if gid and group.gr_name != pwd.getpwuid(user).pw_name:
            return False
        members = {pwd.getpwnam(name).pw_uid for name in group.gr_mem}
    except KeyError:
        return False
    members |= {one.pw_uid for one in pwd.getpwall() if one.pw_gid == gid}
    return members <= {0, user}


# -- files ---------------------------------------------------------------------------------------


def _opened(folder: Path, name: str) -> int | None:
    """A file, opened once and then looked at, so that it is what was looked at."""
    path = folder / name
    try:
        handle = os.open(path, _TO_READ)
    except OSError as error:
        if error.errno == errno.ELOOP:
            _tell_unsafe(f"{path} is a link", path)
        return None
    found = os.fstat(handle)
    fault = _open_to_others(path, found, above=False)
    if not fault and stat.S_ISREG(found.st_mode):
        return handle
    os.close(handle)
    if fault:
        _tell_unsafe(fault, path)
    return None


def _write(folder: Path, name: str, data: bytes) -> None:
    _make(folder)
    handle, temporary = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)  # what root made serves everybody
        Path(temporary).replace(folder / name)
    except BaseException:
        Path(temporary).unlink()
        raise


def _make(folder: Path) -> None:
    """Make a folder, and those above, for all to read, whatever the umask.

    Raises:
        OSError: that is not possible, or others could write to it.
    """
    if not folder.is_dir():
        if folder.parent != folder:
            _make_above(folder.parent)
        _make_one(folder)
    if fault := _fault(folder):  # somebody may have been faster
        raise PermissionError(errno.EACCES, fault, str(folder))


def _make_above(folder: Path) -> None:
    if not folder.is_dir():
        _make_above(folder.parent)
        _make_one(folder)


def _make_one(folder: Path) -> None:
    with suppress(FileExistsError):
        folder.mkdir(0o700)
        if folder.name != ".cache" and os.lstat(folder).st_uid == _user():
            folder.chmod(0o755)


# -- what is told ----------------------------------------------------------------------------------


def _tell_unsafe(fault: str, place: Path) -> None:
    _tell(
        _UNSAFE,
        f"{fault}: no machine code is loaded from {place}; set NUMBA_CACHE_DIR to a folder that "
        "only you can write to",
    )


def _tell_unkept(why: OSError) -> None:
    where = f", as {why.filename or 'a folder'} cannot be written to ({why.strerror})"
    _tell(
        _UNKEPT,
        f"compiling for this run only{where if why.errno else ''}; set NUMBA_CACHE_DIR to a folder "
        "to keep it in",
    )


def _tell(what: int, text: str) -> None:
    if not _told[what] and sys.stderr is not None:
        _told[what] = 1
        with suppress(OSError, ValueError):
            print(f"dedup: {one_line(text)}", file=sys.stderr, flush=True)
