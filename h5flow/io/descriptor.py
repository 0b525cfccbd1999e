"""The descriptor of a file that HDF5 has open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import h5py
from h5py._objects import phil

__all__ = ["descriptor_of"]


@contextmanager
def descriptor_of(dataset: h5py.h5d.DatasetID) -> Iterator[int]:
    """Lend a descriptor of a dataset's file.

    It is one of our own, for another thread may close the file: not while it is made, though.

    Parameters
    ----------
    dataset : h5py.h5d.DatasetID
        In one ordinary file (`h5flow.io.chunk_index.has_plain_file`).
    """
    with phil:
        descriptor = os.dup(h5py.h5i.get_file_id(dataset).get_vfd_handle())
    try:
        yield descriptor
    finally:
        os.close(descriptor)
