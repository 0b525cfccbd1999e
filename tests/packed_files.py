"""Datasets with filters, as files hold them, for the tests of what reads and writes them."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from hypothesis import strategies as st

from h5flow.testing.strategies import row_dtypes, tables

KIND = {"muon": 1, "pion": 7}
UNUSUAL = [
    np.dtype(">i4"),
    np.dtype(">f8"),
    np.dtype("c8"),
    np.dtype([("a", "i1"), ("b", "f8"), ("c", "S3", (2,)), ("d", "?")], align=True),
    np.dtype([("x", ">u2"), ("y", "<f4")]),
    h5py.enum_dtype(KIND, "u2"),
    np.dtype([("kind", h5py.enum_dtype(KIND, ">i4")), ("q", "f4")]),
    h5py.string_dtype("utf-8", 6),
]


def packed_tables() -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Draw rows of any dtype that HDF5 can filter."""
    return tables(max_rows=40, dtypes=row_dtypes() | st.sampled_from(UNUSUAL))


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the arguments of ``create_dataset`` for gzip, with and without other filters."""
    return {
        "compression": "gzip",
        "compression_opts": draw(st.integers(0, 9)),
        "shuffle": draw(st.booleans()),
        "fletcher32": draw(st.booleans()),
    }


LEVELS = st.integers(1, 9)
# How hdf5plugin's filters, and lzf, are drawn, by name: what makes each, and its arguments.
OTHER_FILTERS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "lzf": {},
    "BZip2": {"blocksize": LEVELS},
    "Blosc": {
        "cname": st.sampled_from(["blosclz", "lz4", "lz4hc", "zlib", "zstd"]),
        "clevel": st.integers(0, 9),
        "shuffle": st.integers(0, 2),
    },
    "LZ4": {"nbytes": st.sampled_from([0, 1, 8, 100, 4096, 2**30])},
    "Bitshuffle": {
        "cname": st.sampled_from(["none", "lz4"]),
        "nelems": st.sampled_from([0, 8, 16, 128]),
    },
    "Zstd": {"clevel": st.integers(0, 22)},
}


@st.composite
def other_filters(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """Draw the arguments of ``create_dataset`` for one of `OTHER_FILTERS` and those beside it."""
    import hdf5plugin

    arguments = {key: draw(values) for key, values in OTHER_FILTERS[name].items()}
    made = {"compression": "lzf"} if name == "lzf" else getattr(hdf5plugin, name)(**arguments)
    return {**made, "shuffle": draw(st.booleans()), "fletcher32": draw(st.booleans())}


def packed(
    file: h5py.File, rows: np.ndarray[Any, Any], chunk_rows: int, **options: Any
) -> h5py.Dataset:
    """Return a new dataset "data" that holds rows, with room for more."""
    file.pop("data", None)
    return file.create_dataset(
        "data",
        data=rows,
        maxshape=(None, *rows.shape[1:]),
        chunks=(chunk_rows, *rows.shape[1:]),
        **options,
    )
