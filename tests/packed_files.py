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
