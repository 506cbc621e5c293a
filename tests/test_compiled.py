"""Kernels are compiled once, kept, and loaded without Numba."""

from __future__ import annotations

import os
import subprocess
import sys

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


def count(folder):
    done = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder), "NUMBA_DISABLE_JIT": "0"},
    )  # fmt: skip
    return done.stdout.split()


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
    (kept._folders()[0] / some[0]._file).unlink()
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
    monkeypatch.setattr(kept, "_folders", lambda: (tmp_path / "none" / "x", tmp_path))
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
    monkeypatch.setattr(kept, "_folders", lambda: (tmp_path,))
    made, again = (arabic.fold_table.__wrapped__() for _ in range(2))
    assert [path.name.split("-")[0] for path in tmp_path.iterdir()] == [
        "dedup.text.arabic.fold_table"
    ]
    for one, other in zip(made, again, strict=True):
        assert np.array_equal(one, other)
