"""The filters that a dataset is packed with: known to HDF5, installed, or missing."""

from __future__ import annotations

from contextlib import suppress

import h5py

from h5flow.errors import FileFormatError
from h5flow.io.damage import DAMAGE
from h5flow.io.hdf5_rows import dataset_behind

__all__ = ["load_filters", "unknown_filters", "without_filters"]

ADVICE = "Install the filter: pip install 'h5flow[filters]' brings those of hdf5plugin."


def unknown_filters(rows: object) -> tuple[str, ...]:
    """Return the names of filters of a dataset that HDF5 does not know, or not yet.

    Parameters
    ----------
    rows : h5py.Dataset or any other
        What reads a dataset counts as that; an array has no filters.
    """
    dataset = dataset_behind(rows)
    if dataset is None:
        return ()
    try:
        made = dataset.id.get_create_plist()
        filters = [made.get_filter(position) for position in range(made.get_nfilters())]
    except DAMAGE:
        return ()
    return tuple(
        # some name themselves with an address after a semicolon
        each[3].decode("utf-8", "replace").partition(";")[0] or f"{each[0]}"
        for each in filters
        if not h5py.h5z.filter_avail(each[0])
    )


def load_filters(rows: object) -> tuple[str, ...]:
    """Let HDF5 know the filters of a dataset, and return the names of those that are missing.

    HDF5 knows those of hdf5plugin when that has been imported, which takes 25 ms: it is done where
    a dataset needs it.
    """
    if not unknown_filters(rows):
        return ()
    with suppress(ImportError):
        import hdf5plugin  # noqa: F401
    return unknown_filters(rows)


def without_filters(what: str, missing: tuple[str, ...]) -> FileFormatError:
    """Return the error for what cannot be done without these filters."""
    return FileFormatError(
        f"{what}: the filter {' and '.join(missing)} is not installed", advice=ADVICE
    )
