"""HDF5's checksum, against HDF5."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from h5flow.io.packing import fletcher
from h5flow.io.packing.fletcher import fletcher32


@pytest.fixture(scope="module")
def file():
    with h5py.File("fletcher.h5", "w", driver="core", backing_store=False) as opened:
        yield opened


@given(data=st.binary(min_size=1, max_size=3000))
@example(b"\xff" * 1000)
@example(b"\0" * 999)
@example(b"\xff\xff\0\0\xff")
def test_the_checksum_is_that_of_hdf5(file, data):
    file.pop("bytes", None)
    values = np.frombuffer(data, np.uint8)
    stored = file.create_dataset("bytes", data=values, chunks=(len(data),), fletcher32=True)
    _, chunk = stored.id.read_direct_chunk((0,))
    assert fletcher32(values).to_bytes(4, "little") == bytes(chunk)[-4:]


@given(data=st.binary(min_size=1, max_size=300))
def test_long_data_are_summed_in_blocks(data):
    values = np.frombuffer(data, np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fletcher, "BLOCK_WORDS", 7)
        in_blocks = fletcher32(values)
    assert in_blocks == fletcher32(values)
