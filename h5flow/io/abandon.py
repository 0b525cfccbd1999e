"""Closing a file whose contents nobody wants any more, also where its disk is full."""

from __future__ import annotations

import os
import tempfile

import h5py

__all__ = ["abandon"]


def abandon(file: h5py.File) -> None:
    """Close a file without writing what HDF5 still has in memory.

    HDF5 has no way to close a file without flushing it. Where the disk is full the flush fails,
    objects stay open, and the interpreter crashes at its end (seen with HDF5 2.0). So what is
    left is written to memory: the descriptor of the file is made to lead there.

    Parameters
    ----------
    file : h5py.File
        Open for writing, with HDF5's default driver; closed afterwards. The file on disk is
        incomplete and must be removed.
    """
    if not file:
        return
    with tempfile.TemporaryFile() if not hasattr(os, "memfd_create") else os.fdopen(
        os.memfd_create("abandoned"), "r+b"
    ) as nowhere:
        os.dup2(nowhere.fileno(), file.id.get_vfd_handle())
    file.close()
