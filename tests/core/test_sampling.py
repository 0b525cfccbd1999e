"""What copying and unpacking a sample of a file says."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from h5flow.core.sampling import sample_file

ROWS = 2**18


def make(path: Path, compression: str | None) -> Path:
    with h5py.File(path, "w") as file:
        values = np.random.default_rng(1).integers(0, 100, ROWS)
        file.create_dataset("events/data", data=values, chunks=(2**16,), compression=compression)
        file["padding"] = np.ones(ROWS)
    return path


@pytest.mark.parametrize(("compression", "packed"), [("gzip", True), (None, False)])
def test_the_share_of_unpacking_is_known_where_chunks_are_packed(
    tmp_path: Path, compression: str | None, packed: bool
) -> None:
    sampled = sample_file(make(tmp_path / "in.h5", compression), ["events"])
    assert sampled is not None
    assert sampled.bytes_per_second > 0
    assert set(sampled.inflating) == ({"events"} if packed else set())
    assert all(0 <= share < 1 for share in sampled.inflating.values())


@pytest.mark.parametrize("sources", [["missing"], []])
def test_without_a_source_only_copying_is_tried(tmp_path: Path, sources: list[str]) -> None:
    sampled = sample_file(make(tmp_path / "in.h5", "gzip"), sources)
    assert sampled is not None
    assert not sampled.inflating


def test_a_file_that_is_too_small_says_nothing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "in.h5", "w") as file:
        file["events/data"] = np.arange(10)
    assert sample_file(tmp_path / "in.h5", ["events"]) is None
