"""What a reference table's file holds beside it: the rows of its parents, and their regions."""

from __future__ import annotations

import h5py

from h5flow.data.layout import data_path, names_of_ref_path, reference_paths
from h5flow.io.damage import unreadable
from h5flow.io.lookup import dataset_beside, scalar_attribute

__all__ = ["parent_of", "region_of"]


def parent_of(table: h5py.Dataset, column: int) -> h5py.Dataset | None:
    """Return the rows that a column of a reference table indexes, None if they are not there.

    The table's attributes say where they are; where those are missing or lead nowhere, its path.
    """
    names = names_of_ref_path(table.name or "")
    usual = None if names is None else data_path(names[column])
    return _first_dataset(table, f"dset{column}", usual)


def region_of(table: h5py.Dataset, column: int) -> h5py.Dataset | None:
    """Return the regions of the rows that a column indexes, None if they are not there."""
    names = names_of_ref_path(table.name or "")
    usual = None
    if names is not None:
        paths = reference_paths(*names)
        usual = (paths.parent_region, paths.child_region)[column]
    return _first_dataset(table, f"ref_region{column}", usual)


def _first_dataset(table: h5py.Dataset, attribute: str, usual: str | None) -> h5py.Dataset | None:
    try:
        path = scalar_attribute(table, attribute)
    except (OSError, RuntimeError) as error:
        raise unreadable(f"the attribute {attribute} of {table.name}", error) from error
    found = dataset_beside(table, path) if isinstance(path, bytes) else None
    if found is None and usual is not None:
        found = dataset_beside(table, usual.encode())
    return found
