"""Filters that HDF5 does not know by itself, in a process that has not imported hdf5plugin."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RunPython = Any  # of conftest.py

pytestmark = pytest.mark.skipif(
    find_spec("hdf5plugin") is None, reason="NOT TESTED WITHOUT hdf5plugin"
)

MAKE = """
import sys, h5py, hdf5plugin, numpy
with h5py.File(sys.argv[1], "w") as file:
    file.create_dataset("x", data=numpy.arange(1000), chunks=(100,), **hdf5plugin.Zstd())
"""
READ = """
import sys, h5py
from h5flow.io.pieces import unreadable_pieces
from h5flow.io.reading import read_slice
with h5py.File(sys.argv[1]) as file:
    print(read_slice(file["x"], 10, 13).tolist(), list(unreadable_pieces(file["x"])))
"""
CHECK = """
import sys, h5py
from h5flow.io.pieces import unreadable_pieces
with h5py.File(sys.argv[1]) as file:
    print(list(unreadable_pieces(file["x"])))
"""
HIDDEN = "import sys; sys.modules['hdf5plugin'] = None\n"


@pytest.fixture
def packed(tmp_path: Path, run_python: RunPython) -> Path:
    assert run_python(MAKE, tmp_path / "f.h5").returncode == 0
    return tmp_path / "f.h5"


def test_an_installed_filter_is_loaded_where_rows_need_it(
    packed: Path, run_python: RunPython
) -> None:
    done = run_python(READ, packed)
    assert done.stdout.strip() == f"{np.arange(10, 13).tolist()} []", done.stderr


def test_a_check_loads_it_by_itself(packed: Path, run_python: RunPython) -> None:
    assert run_python(CHECK, packed).stdout.strip() == "[]"


def test_a_filter_that_is_not_installed_is_named(packed: Path, run_python: RunPython) -> None:
    error = run_python(HIDDEN + READ, packed).stderr
    assert "rows 10 to 13 of /x" in error
    assert "Zstandard" in error or "zstd" in error
    assert "pip install 'h5flow[filters]'" in error


def test_a_check_names_it_once(packed: Path, run_python: RunPython) -> None:
    found = run_python(HIDDEN + CHECK, packed).stdout
    assert found.count("is not installed") == 1
    assert "all rows" in found
