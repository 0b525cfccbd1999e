"""The one way in which h5flow opens an HDF5 file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import h5py

__all__ = ["LIBRARY_BOUNDS", "open_file"]

# What h5flow makes is in v110 format; an object copied in from a newer file still fits.
LIBRARY_BOUNDS = ("v110", "latest")


def open_file(
    path: str | os.PathLike[str], mode: Literal["r", "r+", "w"], **options: Any
) -> h5py.File:
    """Open an HDF5 file.

    Parameters
    ----------
    path : path-like
    mode : {"r", "r+", "w"}
        ``"w"`` makes a new file in the place of one that exists; programs that have that one open
        keep it as it was.
    **options
        Further arguments of ``h5py.File``.

    Returns
    -------
    h5py.File

    Raises
    ------
    FileFormatError
        The file cannot be opened; the message says why, and `__cause__` is the error of HDF5.
    """
    try:
        if mode == "r":
            return h5py.File(path, "r", **options)
        if mode == "r+":
            return h5py.File(path, "r+", libver=LIBRARY_BOUNDS, **options)
        # HDF5 would truncate the old file before it finds out that another program has it open.
        path = Path(path).resolve()
        if path.is_file():
            path.unlink()
        return h5py.File(path, "x", libver=LIBRARY_BOUNDS, **options)
    except (OSError, RuntimeError) as error:
        from h5flow.io.diagnosis import explain_failure

        raise explain_failure(Path(path), mode, error) from error
