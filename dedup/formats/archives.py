"""Archives: each member is an input."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dedup.errors import InputError
from dedup.formats.packed import PACKED, SAMPLE, Damaged, Frames, Torn, frames
from dedup.formats.spool import Part, Spool

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tzst", *(f".tar{p}" for p in PACKED))


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: its path in the archive.
        size: bytes.
        open: gives its bytes from the start, as they were put in.
    """

    name: str
    size: int
    open: Callable[[], io.BufferedReader]


def is_archive(path: Path) -> bool:
    """Whether a file's name is an archive's."""
    return path.name.lower().endswith(ARCHIVES)


def members(path: Path) -> Iterator[Member]:
    """The files in an archive, in the order that they were put in.

    A compressed tar is unpacked into a temporary file, once.

    Raises:
        InputError: it is no archive, or needs a password.
    """
    try:
        if path.name.lower().endswith(".zip"):
            yield from _of_zip(path)
        else:
            yield from _of_tar(path)
    except _BROKEN as error:
        raise InputError(
            f"{path}: no archive, or cut off: {error}; fetch or make it once more"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


# What the library raises when an archive's directory is damaged.
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, NotImplementedError, UnicodeDecodeError, struct.error
)  # fmt: skip


class _Zip:
    """A .zip, opened once in every process: a fork would share its place in the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: dict[int, zipfile.ZipFile] = {}

    def file(self) -> zipfile.ZipFile:
        process = os.getpid()
        if process not in self._opened:
            self._opened[process] = zipfile.ZipFile(self._path)
        return self._opened[process]


class _Unreadable:
    """A member whose own header is damaged."""

    def read(self, size: int) -> bytes:
        raise Damaged

    def close(self) -> None:
        pass


def _of_zip(path: Path) -> Iterator[Member]:
    archive = _Zip(path)

    def opener(info: zipfile.ZipInfo) -> Callable[[], io.BufferedReader]:
        def open_() -> io.BufferedReader:
            try:
                member: Any = archive.file().open(info)
            except (zipfile.BadZipFile, UnicodeDecodeError, struct.error):
                member = _Unreadable()
            except (NotImplementedError, RuntimeError) as error:
                raise InputError(f"{path}!{info.filename}: {error}; unpack it first") from error
            return io.BufferedReader(Torn(member), SAMPLE)

        return open_

    for info in archive.file().infolist():
        if info.flag_bits & 1:
            raise InputError(f"{path}!{info.filename}: needs a password; unpack it first")
        if not info.filename:
            raise zipfile.BadZipFile("a member has no name")
        if not info.is_dir():
            yield Member(info.filename, info.file_size, opener(info))


def _of_tar(path: Path) -> Iterator[Member]:
    with path.open("rb") as file:
        packed = frames(file, str(path))
        spool = Spool() if packed else None
        cut_off = bool(spool and packed and not _fill(spool, packed))
        size = spool.size if spool else path.stat().st_size
        whole = io.BufferedReader(spool.open() if spool else Part(file, 0, size))

        def opener(start: int, size: int) -> Callable[[], io.BufferedReader]:
            def open_() -> io.BufferedReader:
                part = (
                    spool.open(start, size) if spool else Part(path.open("rb"), start, size, True)
                )
                return io.BufferedReader(Torn(part), SAMPLE)

            return open_

        end = 0  # of the last member
        with tarfile.open(fileobj=whole, mode="r:") as archive:
            for info in _infos(archive):
                end = info.offset_data + info.size
                if info.isreg() and not info.issparse():
                    yield Member(info.name, info.size, opener(info.offset_data, info.size))
        if end <= size and (cut_off or size % tarfile.BLOCKSIZE):
            yield Member("", 0, opener(size, 1))  # within a member, its own bytes tell it


def _infos(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members, the last of which may be cut off."""
    found = False
    try:
        for info in archive:
            found = True
            yield info
    except tarfile.ReadError:
        if not found:
            raise


def _fill(spool: Spool, packed: Frames) -> bool:
    """Unpack into a spool; whether it was whole."""
    try:
        spool.fill(iter(lambda: packed.read(0), b""))
    except (EOFError, Damaged):
        return False
    return True
