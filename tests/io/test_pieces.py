"""All of a dataset in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from h5flow.io import pieces as module
from h5flow.io.pieces import pieces, unreadable_pieces


@pytest.mark.parametrize("shape", [(1000,), (100, 7), (0,), ()])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_pieces_hold_every_value_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: Any, is_chunked: bool
) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 1000)
    if not shape and is_chunked:
        return
    values = np.arange(int(np.prod(shape))).reshape(shape)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        more = {"chunks": (3,) * len(shape), "maxshape": (None,) * len(shape)}
        made = file.create_dataset("x", data=values, **(more if is_chunked else {}))
        seen = [value for part in pieces(made) for value in np.ravel(made[part])]
    assert sorted(seen) == list(range(values.size))


def test_chunks_that_were_never_written_are_not_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        made = file.create_dataset("x", (10**15,), "i8", chunks=(100,))
        made[250] = 1
        assert list(pieces(made)) == [(slice(200, 300),)]
        assert list(unreadable_pieces(made)) == []


def test_a_bad_chunk_is_named_by_its_rows_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("x", data=np.arange(30), chunks=(10,), fletcher32=True)
        place = made.id.get_chunk_info(1).byte_offset
    with open(path, "r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff")
    with h5py.File(path) as file:
        ((rows, reason),) = unreadable_pieces(file["x"])
    assert rows == "rows 10 to 20"
    assert "filter" in reason


def test_a_chunk_that_is_shorter_than_its_checksum_is_bad(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        made = file.create_dataset("x", data=np.arange(30), chunks=(10,), fletcher32=True)
        made.id.write_direct_chunk((10,), b"abc")
    with h5py.File(tmp_path / "f.h5") as file:
        assert list(unreadable_pieces(file["x"])) == [
            ("rows 10 to 20", "the chunk has 3 bytes, fewer than its checksum")
        ]


def test_a_chunk_that_only_hdf5_takes_for_whole_is_bad(tmp_path: Path) -> None:
    codecs = pytest.importorskip("imagecodecs", reason="NOT TESTED WITHOUT imagecodecs")
    with h5py.File(tmp_path / "f.h5", "w") as file:
        made = file.create_dataset("x", data=np.zeros(128, "i4"), chunks=(64,), compression="lzf")
        made.id.write_direct_chunk((64,), codecs.lzf_encode(bytes(252)))
    with h5py.File(tmp_path / "f.h5") as file:
        # what HDF5 gives for the 4 bytes that are missing is whatever was in its memory
        assert file["x"][64:].tolist()[:63] == [0] * 63
        ((rows, reason),) = unreadable_pieces(file["x"])
    assert rows == "rows 64 to 128"
    assert "252 bytes in place of 256" in reason


def test_a_chunk_of_an_impossible_size_is_not_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        made = file.create_dataset("x", (2**29,), "i8", chunks=(2**28,))
        ((rows, reason),) = unreadable_pieces(made)
    assert (rows, "2,147,483,648 bytes" in reason) == ("all rows", True)
