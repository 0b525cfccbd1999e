"""Where chunks lie, against what HDF5 says of each."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packed_files import packed

from h5flow.io.chunk_index import chunk_index


@pytest.fixture(scope="module", params=["earliest", "v110"])
def file(request):
    name, bounds = f"{request.param}.h5", (request.param, "latest")
    with h5py.File(name, "w", driver="core", backing_store=False, libver=bounds) as opened:
        yield opened


@given(
    written=st.sets(st.integers(0, 19)),
    length=st.integers(1, 20),
    limit=st.sampled_from([None, 100]),
)
def test_every_chunk_is_where_hdf5_has_it(file, written, length, limit):
    file.pop("data", None)
    shape, most = (5 * length - 2, 2), (limit, 2)
    data = file.create_dataset("data", shape, "i4", maxshape=most, chunks=(5, 2), compression=1)
    for number in written:
        data[5 * number : 5 * number + 3] = number
    index = chunk_index(data)
    assert len(index.offsets) == length
    for number in range(length):
        assert index.has_all(number, number) == (number in written)
        if number in written:
            stored = data.id.get_chunk_info_by_coord((5 * number, 0))
            assert index.offsets[number] == stored.byte_offset
            assert index.sizes[number] == stored.size
            assert index.skipped[number] == stored.filter_mask


def test_a_chunk_that_went_without_filters_is_said_to(file):
    data = packed(file, np.arange(5), 5, compression="gzip", shuffle=True)
    data.id.write_direct_chunk((0,), np.arange(5).tobytes(), 3)
    assert chunk_index(data).skipped.tolist() == [3]


def test_a_length_that_cannot_be_takes_no_time(file):
    file.pop("data", None)
    data = file.create_dataset("data", (10**15,), "i8", maxshape=(None,), chunks=(5,))
    with pytest.raises(ValueError, match="longer than its file"):
        chunk_index(data)
