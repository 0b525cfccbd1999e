"""The filters that a dataset is packed with: known to HDF5, installed, or missing."""

from __future__ import annotations

from contextlib import suppress

import h5py

from h5flow.io.damage import DAMAGE

__all__ = ["FILTER_ADVICE", "load_filters", "unknown_filters"]

FILTER_ADVICE = "Install the filter: pip install 'h5flow[filters]' brings those of hdf5plugin."


def unknown_filters(dataset: object) -> tuple[str, ...]:
    """Return the names of filters of a dataset that HDF5 does not know, or not yet."""
    if not isinstance(dataset, h5py.Dataset):
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


def load_filters(dataset: object) -> tuple[str, ...]:
    """Let HDF5 know the filters of a dataset, and return the names of those that are missing.

    HDF5 knows those of hdf5plugin when that has been imported. It takes 25 ms, and few files need
    it: so this is for datasets that HDF5 has refused to read.
    """
    if unknown_filters(dataset):
        with suppress(ImportError):
            import hdf5plugin  # noqa: F401
    return unknown_filters(dataset)
