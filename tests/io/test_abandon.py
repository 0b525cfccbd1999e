"""Closing a file that nobody wants any more."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.io.abandon import abandon


@pytest.mark.parametrize("bounds", [("v110", "latest"), ("earliest", "latest")])
def test_what_hdf5_holds_in_memory_is_not_written(tmp_path: Path, bounds: tuple[str, str]) -> None:
    path = tmp_path / "unwanted.h5"
    file = h5py.File(path, "w", libver=bounds)
    rows = file.create_dataset("x/data", (0,), "i8", maxshape=(None,), chunks=(16_384,))
    file.flush()
    before = path.stat().st_size
    rows.resize(16_384, axis=0)
    rows[:] = np.arange(16_384)
    abandon(file)
    assert not file
    assert path.stat().st_size == before


def test_a_file_that_is_closed_is_left_alone(tmp_path: Path) -> None:
    file = h5py.File(tmp_path / "closed.h5", "w")
    file.close()
    abandon(file)
    assert not file
