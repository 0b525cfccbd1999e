"""Datasets and references by name, over tables by path: what the facade and a run share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from h5flow.data.conversion import as_attribute, as_count, as_pairs, as_rows
from h5flow.data.inventory import Inventory, take_inventory
from h5flow.data.layout import (
    ReferencePaths,
    attributes_path,
    clean_name,
    data_path,
    ref_dtype,
    ref_region_dtype,
    reference_paths,
)
from h5flow.data.rows import rows_to_write, slice_to_reserve
from h5flow.errors import DataError, NoSuchDatasetError, ReverseReferenceError, did_you_mean
from h5flow.storage.protocol import CreateTable, Link, TableDescription, Write
from h5flow.transaction.rendezvous import Rendezvous

__all__ = ["Direction", "LinkedTables"]

Direction = tuple[int, int]


class LinkedTables:
    """The datasets and references of one file.

    Parameters
    ----------
    rendezvous : Rendezvous
        Where every collective act goes.
    compression : str, optional
        The filter of new tables.
    """

    def __init__(self, rendezvous: Rendezvous, compression: str | None = None) -> None:
        self.rendezvous = rendezvous
        self._catalogue = rendezvous.catalogue
        self._compression = compression
        self._inventory: Inventory | None = None
        self._handed_out: set[str] = set()
        self._written_relations: set[ReferencePaths] = set()

    @property
    def inventory(self) -> Inventory:
        """All datasets and references of the file by now."""
        if self._inventory is None:
            self._inventory = take_inventory(self.rendezvous.storage.file)
        return self._inventory

    def find(self, name: str) -> TableDescription | None:
        """Return what a dataset's rows are, None where there is no such dataset."""
        return self._catalogue.find(data_path(name))

    def dataset(self, name: str) -> TableDescription:
        """Return what a dataset's rows are.

        Raises
        ------
        NoSuchDatasetError
            There is none of that name; the message names the nearest.
        """
        found = self.find(name)
        if found is None:
            names = self.inventory.datasets
            what = f"there is no dataset '{clean_name(name)}'{did_you_mean(clean_name(name), names)}"
            raise NoSuchDatasetError(
                what, advice=f"There are {', '.join(names)}." if names else "The file has none."
            )
        return found

    def find_relation(self, parent: str, child: str) -> tuple[ReferencePaths, Direction] | None:
        """Return the references of two datasets, and their direction as seen from `parent`."""
        for first, second, direction in ((parent, child, (0, 1)), (child, parent, (1, 0))):
            paths = reference_paths(first, second)
            if self._catalogue.find(paths.ref) is not None:
                return paths, direction
        return None

    def relation(self, parent: str, child: str) -> tuple[ReferencePaths, Direction]:
        """Return the references of two datasets, and their direction as seen from `parent`.

        Raises
        ------
        NoSuchDatasetError
            There are none in either direction.
        """
        found = self.find_relation(parent, child)
        if found is None:
            parent, child = clean_name(parent), clean_name(child)
            others = sorted(
                (paths.child if paths.parent == parent else paths.parent)
                for paths in self.inventory.references_of(parent)
            )
            raise NoSuchDatasetError(
                f"there are no references {parent} -> {child}{did_you_mean(child, others)}",
                advice=f"{parent} is linked to {', '.join(others)}."
                if others
                else f"{parent} is linked to no dataset; create_ref makes references.",
            )
        return found

    def create_dataset(self, name: str, dtype: Any, shape: tuple[int, ...]) -> None:
        """Make a dataset without rows; nothing where the same exists."""
        wanted, row_shape = _row_type(name, dtype, shape)
        known = self.find(name)
        if known is None:
            path = data_path(name)
            table = CreateTable(path, wanted, row_shape, compression=self._compression)
            self.rendezvous.create((table,))
            self._inventory = None
        elif (known.dtype, known.row_shape) != (wanted, row_shape):
            raise DataError(
                f"the dataset '{clean_name(name)}' exists already, with rows of {known.dtype} "
                f"{known.row_shape or ''}, not {wanted} {row_shape or ''}".replace(" ,", ","),
                advice="Choose another name, or start from a new output file.",
            )

    def create_references(self, parent: str, child: str) -> None:
        """Make an empty reference table; nothing where it exists.

        Raises
        ------
        ReverseReferenceError
            It exists in the other direction.
        NoSuchDatasetError
            One of the datasets does not exist.
        """
        found = self.find_relation(parent, child)
        if found is not None and found[1] == (0, 1):
            return
        if found is not None:
            parent, child = clean_name(parent), clean_name(child)
            raise ReverseReferenceError(
                f"references {child} -> {parent} exist already, and serve both directions",
                advice=f"Write to them as they are: write_ref('{parent}', '{child}', refs) works.",
            )
        self.dataset(parent)
        self.dataset(child)
        paths = reference_paths(parent, child)
        compression = self._compression
        tables = [CreateTable(paths.ref, ref_dtype, (2,), paths.ref_attributes, compression)]
        # A dataset's references to itself have one region for both directions.
        for region in sorted({paths.parent_region, paths.child_region}):
            tables.append(
                CreateTable(region, ref_region_dtype, (), paths.region_attributes, compression)
            )
        self.rendezvous.create(tuple(tables))
        self._inventory = None
        self._written_relations.add(paths)

    def reserve(self, name: str, rows: Any) -> slice:
        """Return new rows of a dataset, or grow it to a slice's stop and return the slice."""
        self.dataset(name)
        if isinstance(rows, slice):
            wanted = slice_to_reserve(clean_name(name), rows)
            self.rendezvous.extend(data_path(name), wanted.stop)
            return wanted
        return self.rendezvous.reserve(data_path(name), as_count(clean_name(name), rows))

    def write(self, name: str, rows: Any, data: Any) -> None:
        """Queue rows of a dataset, checked."""
        table = self.dataset(name)
        where, order = rows_to_write(clean_name(name), rows, table.length)
        count = where.stop - where.start if isinstance(where, slice) else len(where)
        asked = count if order is None else order.asked
        values = as_rows(clean_name(name), table, asked, data)
        if order is not None:
            values = values[order.take]
        if count:
            self.rendezvous.write(Write(data_path(name), where, values))

    def link(self, parent: str, child: str, refs: Any) -> None:
        """Queue references, checked, in the direction in which they were created."""
        paths, direction = self.relation(parent, child)
        pairs = as_pairs(f"{clean_name(parent)} -> {clean_name(child)}", refs)
        if not len(pairs):
            return
        if direction == (1, 0):
            pairs = np.ascontiguousarray(pairs[:, ::-1])
        self._written_relations.add(paths)
        self.rendezvous.link(Link(paths.ref, (paths.parent_region, paths.child_region), pairs))

    def set_attributes(self, name: str, values: Mapping[str, Any]) -> None:
        """Queue metadata of a group, which is made if there is none."""
        stored = {key: as_attribute(f"{name}.{key}", value) for key, value in values.items()}
        self.rendezvous.set_attributes(attributes_path(name), stored)
        self._inventory = None

    def attributes(self, name: str) -> dict[str, Any] | None:
        """Return metadata of a group, with what is queued; None where there is no group."""
        self.rendezvous.flush()
        return self.rendezvous.storage.attributes(attributes_path(name))

    def has_table(self, path: str) -> bool:
        """Return whether there is a table at a path."""
        return self._catalogue.find(path) is not None

    def table(self, path: str) -> h5py.Dataset:
        """Return the h5py dataset at a path, with all rows; it is kept up to date from then on."""
        self._handed_out.add(path)
        return self.read_table(path)

    def read_table(self, path: str) -> h5py.Dataset:
        """Return the h5py dataset at a path, with all rows by now."""
        self.rendezvous.flush((path,))
        return self.rendezvous.storage.table(path)

    def region_table(self, paths: ReferencePaths, direction: Direction) -> h5py.Dataset:
        """Return the region that one direction starts from, as long as its dataset at least."""
        region, name = (
            (paths.parent_region, paths.parent)
            if direction == (0, 1)
            else (paths.child_region, paths.child)
        )
        self.rendezvous.flush((paths.ref, region))
        dataset = self.find(name)
        if paths in self._written_relations and dataset is not None:
            self._catalogue.grow(region, dataset.length)
        return self.table(region)

    def delete(self, name: str) -> bool:
        """Remove a dataset, its metadata and all references from and to it.

        A plain group loses everything below it. Returns whether there was anything.
        """
        name = clean_name(name)
        inventory = self.inventory
        names = inventory.below(name)
        storage = self.rendezvous.storage
        paths = []
        for dataset in names:
            for relation in inventory.references_of(dataset):
                paths += [relation.ref, relation.parent_region, relation.child_region]
            paths.append(data_path(dataset))
        groups = [attributes_path(dataset) for dataset in names]
        if name not in names:
            groups.append(attributes_path(name))
        present = [path for path in dict.fromkeys(paths) if path in storage.file]
        present += [path for path in groups if path in storage.file]
        if not present:
            return False
        self.rendezvous.delete(tuple(present))
        self._inventory = None
        self._handed_out -= set(paths)
        self._written_relations = {
            relation
            for relation in self._written_relations
            if relation.parent not in names and relation.child not in names
        }
        return True

    def end_hook(self) -> None:
        """Bring every dataset whose handle was given away up to date."""
        for path in self._handed_out:
            self.rendezvous.storage.table(path)

    def settle(self) -> None:
        """Make regions as long as their datasets, and have all rows in the file."""
        self.rendezvous.flush()
        for paths in self._written_relations:
            for region, name in (
                (paths.parent_region, paths.parent),
                (paths.child_region, paths.child),
            ):
                dataset = self.find(name)
                if dataset is not None:
                    self._catalogue.grow(region, dataset.length)
        self.rendezvous.flush()
        self.rendezvous.storage.flush()


def _row_type(name: str, dtype: Any, shape: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return dtype and shape of a row as the file will have them."""
    try:
        wanted = np.dtype(dtype)
    except TypeError as error:
        raise DataError(f"{name}: {dtype!r} is not a dtype: {error}") from None
    row_shape = (shape,) if isinstance(shape, int) else tuple(int(side) for side in shape)
    if wanted.subdtype is not None:
        wanted, inner = wanted.subdtype
        row_shape = (*row_shape, *inner)
    try:
        stored = h5py.h5t.py_create(wanted, logical=True).dtype
    except TypeError as error:
        raise DataError(
            f"{name}: HDF5 has no type for rows of {wanted}: {error}",
            advice="For text take bytes ('S20') or h5py.string_dtype().",
        ) from None
    return stored, row_shape
