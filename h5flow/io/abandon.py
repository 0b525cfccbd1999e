"""Closing a file whose contents nobody wants any more, also where its disk is full."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from typing import IO

import h5py

__all__ = ["abandon"]


def abandon(file: h5py.File, release: Callable[[], None] = lambda: None) -> None:
    """Close a file without writing what HDF5 still has in memory.

    HDF5 has no way to close a file without flushing it. So what is left is written to memory: the
    descriptor of the file is made to lead there.

    Parameters
    ----------
    file : h5py.File
        Open for writing, with HDF5's default driver; closed afterwards. The file on disk is
        incomplete and must be removed.
    release : callable
        Gives up datasets of the file. Not before: HDF5 writes what it holds of a dataset when that
        is closed, and where it cannot, it crashes the interpreter at its end.
    """
    if not file:
        release()
        return
    with _memory_file() as nowhere:
        os.dup2(nowhere.fileno(), file.id.get_vfd_handle())
    try:
        release()
        file.close()
    except (OSError, RuntimeError):
        # A flush has failed halfway before, on a quota for example, which cannot be asked for
        # its room. HDF5 then crashes the interpreter at its end (seen with HDF5 2.0).
        atexit.register(_leave_before_hdf5_ends)


def _memory_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("abandoned"), "r+b")

    import tempfile

    return tempfile.TemporaryFile()


def _leave_before_hdf5_ends() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
