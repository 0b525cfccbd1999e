"""What a reference table's file holds beside it: the rows of its parents, and their regions."""

from __future__ import annotations

import h5py

from h5flow.data.layout import data_path, names_of_ref_path, reference_paths

__all__ = ["parent_of", "region_of"]


def parent_of(table: h5py.Dataset, column: int) -> h5py.Dataset | None:
    """Return the rows that a column of a reference table indexes, None if they are not there.

    The table's attributes say where they are; where those are missing or lead nowhere, its path.
    """
    names = names_of_ref_path(table.name or "")
    usual = None if names is None else data_path(names[column])
    return _first_dataset(table, table.attrs.get(f"dset{column}"), usual)


def region_of(table: h5py.Dataset, column: int) -> h5py.Dataset | None:
    """Return the regions of the rows that a column indexes, None if they are not there."""
    names = names_of_ref_path(table.name or "")
    usual = None
    if names is not None:
        paths = reference_paths(*names)
        usual = (paths.parent_region, paths.child_region)[column]
    return _first_dataset(table, table.attrs.get(f"ref_region{column}"), usual)


def _first_dataset(table: h5py.Dataset, *paths: object) -> h5py.Dataset | None:
    for path in paths:
        try:
            found = table.file.get(path) if isinstance(path, str | bytes) else None
        except (KeyError, OSError):
            continue
        if isinstance(found, h5py.Dataset):
            return found
    return None
