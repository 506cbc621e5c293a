"""Kernels are compiled once, kept, and loaded without Numba."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dedup.engines import compiled, kept
from dedup.sketch import kernels
from dedup.text import arabic

COUNT = """
import sys
import numpy as np
from dedup.text import kernels
print(kernels.count_newlines.is_kept())
print(kernels.count_newlines(np.frombuffer(b"a\\nb\\n", dtype=np.uint8)))
print(kernels.count_newlines.is_kept(), "numba" in sys.modules)
"""


def count(folder, **environment):
    done = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder), "NUMBA_DISABLE_JIT": "0", **environment},
    )  # fmt: skip
    return done.stdout.split() + done.stderr.splitlines()


def test_what_was_compiled_is_loaded_without_numba(tmp_path):
    assert count(tmp_path) == ["False", "2", "True", "True"]
    assert count(tmp_path) == ["True", "2", "True", "False"]


def test_a_damaged_file_is_made_anew(tmp_path):
    count(tmp_path)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1])
    assert count(tmp_path) == ["True", "2", "True", "True"]
    assert count(tmp_path) == ["True", "2", "True", "False"]


ALL = """
from unittest import mock
import dedup.index.kernels
from dedup.engines import compiled, kept
for cores in (2, 1):  # in parts, and what is left alone
    some = [k for k in compiled._made if k.__module__ == "dedup.index.kernels"][:cores + 1]
    compiled._made[:] = some
    with mock.patch("os.cpu_count", return_value=cores):
        compiled.compile_all()
    print(len(some), len(compiled.missing()))
    (next(kept._folders()) / some[0]._file).unlink()
compiled._made[:] = some[:1]
compiled.compile_all()
print(len(compiled.missing()))
"""


def test_all_that_is_missing_is_compiled_even_a_single_one(tmp_path):
    """Else each run would say that it compiles, for the sake of one that it does not call."""
    done = subprocess.run(
        [sys.executable, "-c", ALL], capture_output=True, text=True, check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": "0"},
    )  # fmt: skip
    assert done.stdout.split() == ["3", "0", "2", "0", "0"]


def test_arrays_of_another_kind_are_refused():
    values = np.arange(8, dtype=np.uint64)
    table, out = np.empty(16, dtype=np.int32), np.empty(8, dtype=np.int32)
    ends, place = np.array([8]), np.arange(8, dtype=np.int32)
    kernels.first_equal(values, place, ends, 1, table, out)
    for wrong in (values.astype(np.int64), values[::2], values.reshape(2, 4)):
        with pytest.raises(TypeError, match=r"first_equal is void\(uint64\[\], .*; given "):
            kernels.first_equal(wrong, place, ends, 1, table, out)


def test_code_is_made_from_all_sources_it_may_hold():
    from dedup.match import kernels as match_kernels  # noqa: PLC0415

    written = compiled._written(match_kernels.shingle_sets.__module__)
    parts = ("dedup.engines.compiled", "dedup.match.kernels", "dedup.sketch.kernels")
    assert written == kept.digest(map(kept.source, parts))


def test_what_is_kept_is_whole_or_nothing(tmp_path, monkeypatch):
    places = [kept._Place(folder, False) for folder in (tmp_path / "none" / "x", tmp_path)]
    monkeypatch.setattr(kept, "_places", lambda: places)
    (tmp_path / "none").write_text("a file where a folder should be")
    name = kept.file_name("table", ["made", "from"])
    assert name != kept.file_name("table", ["madefrom"])
    assert kept.load(name) is None
    kept.keep(name, b"1234")
    assert kept.is_kept(name)
    assert kept.load(name) == b"1234"
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1])
    assert kept.load(name) is None


def test_the_fold_table_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "_places", lambda: [kept._Place(tmp_path, False)])
    made, again = (arabic.fold_table.__wrapped__() for _ in range(2))
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == [
        "dedup.text.arabic.fold_table"
    ]
    for one, other in zip(made, again, strict=True):
        assert np.array_equal(one, other)


# -- whose machine code runs ---------------------------------------------------------------------

ANOTHER = 54321  # a user that is not this one
NOBODY = 65534
by_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users")

LOADED = """
import os, json, sys
from pathlib import Path
from dedup.engines import kept
kept.__file__ = sys.argv[2] + "/package/engines/kept.py"  # the folder beside the code
user, umask = json.loads(sys.argv[1])
kept.file_name("x", "y"), kept.can_keep  # what is imported late
if user is not None:
    import grp, pwd
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
os.umask(umask)
name = "kernel"
print(json.dumps([kept.is_kept(name), kept.load(name) == b"code"]))
for _ in range(3):
    kept.is_kept(name)
if kept.load(name) is None:
    kept.keep(name, b"code")
    print(json.dumps(kept.can_keep()))
else:
    print("null")
print(json.dumps(kept.load(name) == b"code"))
"""


@pytest.fixture
def room(tmp_path):
    """A folder that all may reach, unlike those that pytest makes."""
    above = [folder for folder in tmp_path.parents if folder.stat().st_mode & 0o005 != 0o005]
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in above}
    for folder in above:
        folder.chmod(0o755)
    tmp_path.chmod(0o755)
    yield tmp_path
    for folder, mode in modes.items():
        folder.chmod(mode)


def kept_by(room, user=None, umask=0o022, anew=True, **environment):
    """What a process of a user finds and keeps: whether a file was found, whether it was loaded,
    else whether there is where to keep one, whether it is found then; and what was told.
    """
    if anew:
        shutil.rmtree(room / "package", ignore_errors=True)
    own = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps([user, umask]), str(room)],
        capture_output=True, text=True, check=True, cwd=room,
        env={**own, "HOME": str(room / "home"), **environment},
    )  # fmt: skip
    (found, loaded), can_keep, again = map(json.loads, done.stdout.splitlines())
    return [found, loaded, can_keep, again], done.stderr.splitlines()


def planted(folder, mode=0o644, owner=None):
    """A file that is whole."""
    path = folder / "kernel"
    path.write_bytes(kept.hashlib.sha256(b"code").digest() + b"code")
    path.chmod(mode)
    if owner is not None:
        os.chown(path, owner, owner)
    return path


def a_folder(path, mode=0o755, owner=None):
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)
    if owner is not None:
        os.chown(path, owner, owner)
    return path


def test_code_in_a_folder_of_ones_own_is_loaded_and_nothing_is_told(room):
    for folder in (room / "plain", room / "sticky" / "mine"):
        if folder.parent != room:
            a_folder(folder.parent, 0o1777)
        planted(a_folder(folder))
        (room / "link").unlink(missing_ok=True)
        (room / "link").symlink_to(folder)
        for named in (folder, room / "link", Path(os.path.relpath(folder, room)),
                      folder / ".." / folder.name):  # fmt: skip
            assert kept_by(room, NUMBA_CACHE_DIR=str(named)) == ([True, True, None, True], [])


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o757])
def test_code_where_others_may_write_is_not_loaded(room, mode):
    """Nor is it written over: it is kept elsewhere."""
    folder = a_folder(room / "shared", mode)
    os.chown(folder, -1, ANOTHER if os.geteuid() == 0 else os.getegid())
    if mode == 0o775 and os.geteuid():
        folder.chmod(0o777)
    before = planted(folder).stat()
    a_folder(room / "home")
    found, told = kept_by(room, NUMBA_CACHE_DIR=str(folder))
    assert found == [False, False, True, True]
    (line,) = told
    assert line == (
        f"dedup: {folder} can be written to by others: no machine code is loaded from {folder}; "
        "set NUMBA_CACHE_DIR to a folder that only you can write to"
    )
    assert planted(folder).stat().st_ino == before.st_ino
    assert [path.name for path in folder.iterdir()] == ["kernel"]


@pytest.mark.parametrize("sticky", [False, True])
def test_a_folder_above_in_which_others_may_write_counts(room, sticky):
    """But for one in which nobody can touch what is not his own."""
    planted(a_folder(room / "above" / "below" / "mine"))
    a_folder(room / "above", 0o1777 if sticky else 0o777)
    a_folder(room / "home")
    found, told = kept_by(room, NUMBA_CACHE_DIR=str(room / "above" / "below" / "mine"))
    assert found[:2] == [sticky, sticky]
    assert len(told) == (not sticky)
    assert all(f"{room / 'above'} can be written to by others" in line for line in told)


def test_a_link_leads_to_no_other_folder(room):
    """Where a link stands counts, and every link on the way."""
    planted(a_folder(room / "mine"))
    a_folder(room / "open", 0o777)
    (room / "open" / "one").symlink_to(room / "mine")
    (room / "two").symlink_to(room / "open" / "one")
    a_folder(room / "home")
    for link in (room / "open" / "one", room / "two"):
        found, told = kept_by(room, NUMBA_CACHE_DIR=str(link))
        assert found[:2] == [False, False]
        assert len(told) == 1
    (room / "loop").symlink_to(room / "loop")
    found, told = kept_by(room, NUMBA_CACHE_DIR=str(room / "loop"))
    assert found[:2] == [False, False]
    assert "too many links" in told[0]


@pytest.mark.parametrize("kind", ["open", "link", "pipe", "folder"])
def test_a_file_that_others_may_write_to_or_that_is_none_is_not_loaded(room, kind):
    folder = a_folder(room / "mine")
    if kind == "open":
        planted(folder, 0o646)
    elif kind == "link":
        planted(a_folder(room / "theirs"), 0o666)
        (folder / "kernel").symlink_to(room / "theirs" / "kernel")
    elif kind == "pipe":
        os.mkfifo(folder / "kernel")  # nobody waits for it
    else:
        (folder / "kernel").mkdir()
    found, told = kept_by(room, NUMBA_CACHE_DIR=str(folder))
    assert found[:2] == [False, False]
    if kind in ("open", "link"):
        assert len(told) == 1
        assert f"no machine code is loaded from {folder / 'kernel'}" in told[0]
    assert found[2:] == [True, kind != "folder"]


@by_root
@pytest.mark.parametrize("user", [None, NOBODY])
@pytest.mark.parametrize("what", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"])
def test_code_of_another_user_is_not_loaded(room, user, what):
    """Whether the folder is another's, one above, or the file alone."""
    below = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": "dedup", "HOME": ".cache/dedup"}[what]
    for number, spoil in enumerate((
        lambda named, folder: os.chown(folder, ANOTHER, ANOTHER),
        lambda named, folder: os.chown(named.parent, ANOTHER, ANOTHER),
        lambda named, folder: planted(folder, owner=ANOTHER),
    )):  # fmt: skip
        named = room / f"{number}" / "named"
        folder = a_folder(named / below)
        planted(folder)
        environment = {"HOME": str(a_folder(room / "root")), what: str(named)}
        found, told = kept_by(room, user, **environment)
        assert found[:2] == [True, True]  # root's code serves everybody
        assert told == []
        spoil(named, folder)
        found, told = kept_by(room, user, **environment)
        assert found[:2] == [False, False]
        assert f"belongs to another user ({ANOTHER})" in told[0]
        assert all("compiling for this run only" in line for line in told[1:])
        assert len(told) <= 2


@by_root
def test_code_of_another_user_is_not_run(room):
    """By the program itself; -q does not hide why."""
    folder = a_folder(room / "theirs")
    assert count(folder) == ["False", "2", "True", "True"]
    (path,) = folder.iterdir()
    os.chown(path, ANOTHER, ANOTHER)
    told = (
        f"dedup: {path} belongs to another user ({ANOTHER}): no machine code is loaded from "
        f"{path}; set NUMBA_CACHE_DIR to a folder that only you can write to"
    )
    assert count(folder) == ["False", "2", "True", "True", told]
    assert path.stat().st_uid == 0  # made anew
    os.chown(folder, ANOTHER, ANOTHER)
    written = room / "in.jsonl"
    written.write_text(json.dumps({"id": "a", "text": "نص"}))
    for quiet in (["-q"], []):
        done = subprocess.run(
            [sys.executable, "-m", "dedup", "check", str(written), *quiet],
            capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_CACHE_DIR": str(folder), "NUMBA_DISABLE_JIT": "0"},
        )  # fmt: skip
        lines = done.stderr.splitlines()
        assert lines[0] == told.replace(str(path), str(folder))
        assert sum("machine code" in line for line in lines) == 1
        assert len(lines) == 1 or not quiet


@by_root
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_what_root_keeps_serves_everybody(room, umask):
    """Beside the code, and in a folder that is named."""
    for number, environment in enumerate(({}, {"NUMBA_CACHE_DIR": str(room / "some" / "cache")})):
        if not number:
            a_folder(room / "package" / "__pycache__")
        made = kept_by(room, umask=umask, anew=False, **environment)
        assert made == ([False, False, True, True], [])
        assert kept_by(room, NOBODY, anew=False, **environment) == ([True, True, None, True], [])
    assert stat.S_IMODE((room / "some" / "cache").stat().st_mode) == 0o755


@by_root
def test_root_keeps_nothing_in_the_home_of_a_user(room, monkeypatch):
    """As with sudo, which may leave HOME as it is."""
    home = a_folder(room / "home", owner=NOBODY)
    monkeypatch.setattr(kept, "__file__", str(room / "package" / "engines" / "kept.py"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for given in (home, room / "gone"):
        monkeypatch.setenv("HOME", str(given))
        places = [place.folder for place in kept._places()]
        assert not [place for place in places if given in place.parents]
        assert Path("/root/.cache/dedup") in places
    assert kept_by(room) == ([False, False, True, True], [])
    assert list(home.iterdir()) == []


@by_root
def test_the_group_that_a_user_has_alone_is_no_other(monkeypatch):
    """Many systems make one for each user, and let it write."""
    import grp  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    def user(name, uid, gid):
        return pwd.struct_passwd((name, "x", uid, gid, "", "/", "/bin/sh"))

    users = [user("root", 0, 0), user("amal", 1000, 1000), user("badr", 1001, 1001)]
    groups = {0: ("root", []), 1000: ("amal", []), 1001: ("badr", ["amal"]), 50: ("staff", [])}
    monkeypatch.setattr(pwd, "getpwall", lambda: users)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {one.pw_uid: one for one in users}[uid])
    monkeypatch.setattr(pwd, "getpwnam", lambda name: {one.pw_name: one for one in users}[name])
    monkeypatch.setattr(
        grp, "getgrgid", lambda gid: grp.struct_group((groups[gid][0], "x", gid, groups[gid][1]))
    )
    ask = kept._is_private.__wrapped__
    assert [ask(gid, 1000) for gid in (0, 1000, 1001, 50, 77)] == [True, True, False, False, False]
    assert not ask(1001, 1001)  # amal is in it
    users.append(user("dana", 1002, 1000))
    assert not ask(1000, 1000)


def test_nowhere_to_keep_is_told_once(room):
    found, told = kept_by(room, NUMBA_CACHE_DIR="/proc/nowhere")
    assert found == [False, False, False, False]
    assert told == [
        "dedup: compiling for this run only, as /proc/nowhere cannot be written to (No such "
        "file or directory); set NUMBA_CACHE_DIR to a folder to keep it in"
    ]


@by_root
def test_a_folder_that_appears_in_between_is_looked_at_before_anything_is_kept(room, monkeypatch):
    """Whoever can make folders beside it may have made it first."""
    folder = a_folder(room / "sticky", 0o1777) / "cache"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(folder))
    real = kept._make_one

    def faster(path):
        if path == folder:
            a_folder(path, 0o777, ANOTHER)
        real(path)

    monkeypatch.setattr(kept, "_make_one", faster)
    with pytest.raises(PermissionError):
        kept._make(folder)
    assert list(folder.iterdir()) == []
