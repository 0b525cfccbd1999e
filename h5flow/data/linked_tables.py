"""Datasets and references by name, over tables by path: what the facade and a run share.

What checks and converts is imported by the calls that write: to start a run needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.data.inventory import (
    Inventory,
    check_group,
    explain_missing,
    explain_unlinked,
    index_paths,
    paths_to_delete,
    take_inventory,
)
from h5flow.data.layout import (
    ReferencePaths,
    attributes_path,
    clean_name,
    data_path,
    ref_dtype,
    ref_region_dtype,
    reference_paths,
)
from h5flow.errors import DataError, NoSuchDatasetError, ReverseReferenceError
from h5flow.io.lookup import object_at
from h5flow.storage.protocol import CreateTable, Link, TableDescription, Write

if TYPE_CHECKING:
    from h5flow.data.device_results import DeviceResults
    from h5flow.io.reading import RowSource
    from h5flow.transaction.questions import Question
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

    Attributes
    ----------
    results : DeviceResults or None
        What stages have written from a device in this chunk; None where there is none in the run.
    """

    def __init__(self, rendezvous: Rendezvous, compression: str | None = None) -> None:
        self.results: DeviceResults | None = None
        self.rendezvous = rendezvous
        self._catalogue = rendezvous.catalogue
        self._compression = compression
        self._inventory: tuple[int, Inventory] | None = None
        self._known_groups: set[str] = set()
        for question, answer in QUESTIONS.items():
            rendezvous.answer(question, answer)

    @property
    def inventory(self) -> Inventory:
        """All datasets and references of the file by now."""
        structure = self._catalogue.structure
        if self._inventory is None or self._inventory[0] != structure:
            self._inventory = structure, self.rendezvous.ask("inventory")
        return self._inventory[1]

    def find(self, name: str) -> TableDescription | None:
        """Return what a dataset's rows are, None where there is no such dataset."""
        return self.rendezvous.find(data_path(name))

    def dataset(self, name: str) -> TableDescription:
        """Return what a dataset's rows are.

        Raises
        ------
        NoSuchDatasetError
            There is none of that name; the message names the nearest.
        """
        found = self.find(name)
        if found is None:
            raise self.rendezvous.ask("missing", name)
        return found

    def find_relation(self, parent: str, child: str) -> tuple[ReferencePaths, Direction] | None:
        """Return the references of two datasets, and their direction as seen from `parent`."""
        for first, second, direction in ((parent, child, (0, 1)), (child, parent, (1, 0))):
            paths = reference_paths(first, second)
            if self.rendezvous.find(paths.ref) is not None:
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
            raise explain_unlinked(self.inventory, parent, child)
        return found

    def create_dataset(self, name: str, dtype: Any, shape: int | tuple[int, ...]) -> None:
        """Make a dataset without rows; nothing where the same exists."""
        from h5flow.data.row_type import row_type, same_dtype

        wanted, row_shape = row_type(name, dtype, shape)
        known = self.find(name)
        if known is None:
            path = data_path(name)
            table = CreateTable(path, wanted, row_shape, compression=self._compression)
            self.rendezvous.create((table,))
            # Another rank may have made another one in the same moment.
            known = self.dataset(name)
        if known.row_shape != row_shape or not same_dtype(known.dtype, wanted):
            raise DataError(
                f"the dataset '{clean_name(name)}' exists already, with rows of {known.dtype} "
                f"{known.row_shape or ''}, not {wanted} {row_shape or ''}".replace(
                    " ,", ","
                ).rstrip(),
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
        tables += [
            CreateTable(region, ref_region_dtype, (), paths.region_attributes, compression)
            for region in sorted({paths.parent_region, paths.child_region})
        ]
        self.rendezvous.create(tuple(tables))

    def reserve(self, name: str, rows: Any) -> slice:
        """Return new rows of a dataset, or grow it to a slice's stop and return the slice."""
        from h5flow.data.rows import as_count, check_growth, slice_to_reserve

        label, path = clean_name(name), data_path(name)
        if isinstance(rows, slice):
            wanted = slice_to_reserve(label, rows)
            check_growth(label, self.dataset(name), wanted.stop)
            self.rendezvous.extend(path, wanted.stop)
            return wanted
        count = as_count(label, rows)
        table = self.find(name)
        if table is not None:
            check_growth(label, table, table.length + count)
        try:
            # A lower rank may be about to make what does not exist yet.
            return self.rendezvous.reserve(path, count)
        except NoSuchDatasetError:
            self.dataset(name)
            raise

    def write(self, name: str, rows: Any, data: Any) -> None:
        """Queue rows of a dataset, checked."""
        from h5flow.data.conversion import as_rows
        from h5flow.data.host_copies import selection_on_host, to_host
        from h5flow.data.rows import check_writable, rows_to_write

        table, label = self.dataset(name), clean_name(name)
        check_writable(label, table)
        where, order = rows_to_write(label, selection_on_host(rows), table.length)
        count = where.stop - where.start if isinstance(where, slice) else len(where)
        asked = count if order is None else order.asked
        values = as_rows(label, table, asked, to_host(data))
        if order is not None:
            values = values[order.take]
        if count:
            path = data_path(name)
            is_ours = self.rendezvous.write(Write(path, where, values))
            if self.results is not None:
                known = where if is_ours and order is None else None
                self.results.keep(path, table, known, data)

    def link(self, parent: str, child: str, refs: Any) -> None:
        """Queue references, checked, in the direction in which they were created."""
        from h5flow.data.host_copies import to_host
        from h5flow.data.rows import as_pairs, check_growth

        paths, direction = self.relation(parent, child)
        label = f"{clean_name(parent)} -> {clean_name(child)}"
        table = self.rendezvous.table(paths.ref)
        pairs = as_pairs(label, to_host(refs), table.dtype)
        if not len(pairs):
            return
        if direction == (1, 0):
            pairs = np.ascontiguousarray(pairs[:, ::-1])
        check_growth(paths.ref, table, table.length + len(pairs))
        link = Link(paths.ref, (paths.parent_region, paths.child_region), pairs)
        for region, stop in zip(link.regions, link.stops, strict=True):
            check_growth(region, self.rendezvous.table(region), stop)
        self.rendezvous.link(link)

    def set_attributes(self, name: str, values: Mapping[str, Any]) -> None:
        """Queue metadata of a group, which is made if there is none."""
        from h5flow.data.attributes import as_attribute
        from h5flow.data.host_copies import to_host

        path = attributes_path(name)
        stored = {
            key: as_attribute(f"{name}.{key}", to_host(value)) for key, value in values.items()
        }
        if path not in self._known_groups:
            self.rendezvous.ask("group", path)
            self._known_groups.add(path)
        self.rendezvous.set_attributes(path, stored)

    def attributes(self, name: str) -> dict[str, Any] | None:
        """Return metadata of a group, with what this rank has queued; None without a group."""
        return self.rendezvous.attributes(attributes_path(name))

    def exists(self, path: str) -> bool:
        """Return whether there is anything at a path."""
        return self.has_table(path) or self.rendezvous.attributes(path) is not None

    def has_table(self, path: str) -> bool:
        """Return whether there is a table at a path."""
        return self.rendezvous.find(path) is not None

    def table(self, path: str) -> h5py.Dataset:
        """Return the h5py dataset at a path, with all rows; it is kept up to date from then on."""
        return self.rendezvous.handle(path)

    def rows(self, path: str) -> RowSource:
        """Return the table at a path for reading, with all rows by now."""
        return self.rendezvous.rows(path)

    def object_at(self, path: str) -> Any:
        """Return the h5py object at a path, None where there is none."""
        self.rendezvous.flush()
        return object_at(self.rendezvous.storage.file, path)

    def region_table(self, paths: ReferencePaths, direction: Direction) -> h5py.Dataset:
        """Return the region that one direction starts from.

        It is as long as its dataset where either was written since the file was opened.
        """
        self.rendezvous.flush((paths.ref,))
        self._complete_regions((paths,))
        return self.table(paths.parent_region if direction == (0, 1) else paths.child_region)

    def delete(self, name: str) -> bool:
        """Remove a dataset, its metadata and all references from and to it.

        A plain group loses everything below it. Returns whether there was anything.
        """
        return self.rendezvous.delete(clean_name(name))

    def drop_outdated_indices(self) -> None:
        """Remove the sorted indices of references that were added to. Collective.

        Nobody uses them any more: they were made for another number of references.
        """
        if self._catalogue.ever_linked:
            self.rendezvous.flush()
            linked = "\n".join(sorted(self._catalogue.ever_linked))
            self.rendezvous.remove(self.rendezvous.ask("indices", linked))

    def settle(self) -> None:
        """Make regions as long as their datasets, and have all rows in the file. Collective."""
        self.rendezvous.flush()
        catalogue = self._catalogue
        if catalogue.ever_grown or catalogue.ever_linked:
            self._complete_regions(self.inventory.references)
        self.rendezvous.flush()

    def _complete_regions(self, relations: Iterable[ReferencePaths]) -> None:
        """Make regions as long as the datasets that grew, where the file lets them grow."""
        catalogue = self._catalogue
        for paths in relations:
            written = paths.ref in catalogue.ever_linked
            for region, name in (
                (paths.parent_region, paths.parent),
                (paths.child_region, paths.child),
            ):
                if not (written or data_path(name) in catalogue.ever_grown):
                    continue
                dataset, table = self.find(name), self.rendezvous.find(region)
                if dataset is None or table is None:
                    continue
                if table.most_rows is None and table.linked_from is None:
                    self.rendezvous.extend(region, dataset.length)


def _inventory(file: h5py.File, _about: str) -> Inventory:
    return take_inventory(file)


def _missing(file: h5py.File, name: str) -> NoSuchDatasetError:
    return explain_missing(file, take_inventory(file), name)


def _to_delete(file: h5py.File, name: str) -> tuple[str, ...]:
    return paths_to_delete(file, take_inventory(file), name)


def _indices(file: h5py.File, linked: str) -> tuple[str, ...]:
    relations = take_inventory(file).references
    paths = (relation for relation in relations if relation.ref in linked.split("\n"))
    return tuple(path for each in paths for path in index_paths(each) if path in file)


# What a rank wants to know of the file, and who looks.
QUESTIONS: dict[str, Question] = {
    "inventory": _inventory,
    "missing": _missing,
    "group": check_group,
    "delete": _to_delete,
    "indices": _indices,
}
