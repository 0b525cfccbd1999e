"""Filters that HDF5 does not know by itself, in a process that has not imported hdf5plugin."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

RunPython = Any  # of conftest.py

pytestmark = pytest.mark.skipif(
    find_spec("hdf5plugin") is None, reason="NOT TESTED WITHOUT hdf5plugin"
)

MAKE = """
import sys, h5py, hdf5plugin, numpy
with h5py.File(sys.argv[1], "w") as file:
    growing = {"chunks": (100,), "maxshape": (None,)}
    file.create_dataset("x", data=numpy.arange(1005), **growing, **hdf5plugin.Zstd())
"""
READ = """
import sys, h5py
from h5flow.io.reading import read_slice
with h5py.File(sys.argv[1]) as file:
    print(read_slice(file["x"], 10, 13).tolist())
"""
CHECK = """
import sys
from pathlib import Path
from h5flow.journal.inspection import inspect_file
for found in inspect_file(Path(sys.argv[1])):
    print(found.place, found.text, found.advice)
"""
APPEND = """
import sys
import numpy as np
from pathlib import Path
from h5flow.storage.protocol import Batch, Write
from h5flow.storage.single_process import SingleProcessStorage
storage = SingleProcessStorage(Path(sys.argv[1]))
storage.apply(Batch(writes=(Write("/x", slice(1005, 1015), np.arange(10)),)))
storage.close()
import h5py, hdf5plugin
with h5py.File(sys.argv[1]) as file:
    print(file["x"][1000:1010].tolist())
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
    assert done.stdout.strip() == "[10, 11, 12]", done.stderr


def test_a_check_loads_it_by_itself(packed: Path, run_python: RunPython) -> None:
    assert run_python(CHECK, packed).stdout.strip() == ""


def test_a_filter_that_is_not_installed_is_named(packed: Path, run_python: RunPython) -> None:
    error = run_python(HIDDEN + READ, packed).stderr
    assert "rows 10 to 13 of /x" in error
    assert "Zstandard" in error or "zstd" in error
    assert "pip install 'h5flow[filters]'" in error


def test_a_check_names_it_once(packed: Path, run_python: RunPython) -> None:
    found = run_python(HIDDEN + CHECK, packed).stdout
    assert found.count("is not installed") == 1
    assert "pip install" in found
    assert "copy of the file" not in found


def test_rows_are_appended_to_a_table_that_has_it(packed: Path, run_python: RunPython) -> None:
    done = run_python(APPEND, packed)
    assert done.stdout.strip() == str([1000, 1001, 1002, 1003, 1004, 0, 1, 2, 3, 4]), done.stderr


def test_without_it_nothing_is_written(packed: Path, run_python: RunPython) -> None:
    before = packed.read_bytes()
    error = run_python(HIDDEN + APPEND, packed).stderr
    assert "/x in" in error
    assert "cannot be written" in error
    assert "pip install 'h5flow[filters]'" in error
    assert packed.read_bytes() == before
