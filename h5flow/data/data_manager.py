"""The facade through which stages, scripts and notebooks see a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import h5py
import numpy as np

from h5flow.data.layout import (
    absolute_path,
    attributes_path,
    clean_name,
    data_path,
    is_dataset_name,
)
from h5flow.data.lifetime import FileLifetime
from h5flow.errors import (
    H5FlowError,
    NoSuchDatasetError,
    UsageError,
    did_you_mean,
)
from h5flow.io.filters import filter_arguments

if TYPE_CHECKING:
    from h5flow.data.linked_tables import Direction, LinkedTables
    from h5flow.storage.protocol import TableDescription

__all__ = ["H5FlowDataManager"]


class H5FlowDataManager:
    """Datasets, references and metadata of one file.

    In a run h5flow makes one and hands it to every stage. In a script::

        with H5FlowDataManager("events.h5", mode="r") as dm:
            muons = dm["events", "muons", 0:10]

    Parameters
    ----------
    filepath : str or os.PathLike
        The file; in mode ``"a"`` it is made if there is none, and edited in place.
    mode : {"a", "r"}
        ``"r"`` refuses every call that writes.
    mpi : bool, optional
        Whether this is one rank of several; None follows the launcher.
    drop_list : sequence of str, optional
        Datasets that `finish` removes.
    compression : str, optional
        The filter of new datasets: ``"gzip"``, ``"gzip:6"``, ``"lzf"`` …
    tables, working_path : optional
        Given by a run: what its hooks write to, and the file that is written until it is complete.

    Attributes
    ----------
    filepath : str
        The output as the user named it.
    working_path : str
        The file that is open; another one than `filepath` in a run.
    """

    # While a run goes on its own data manager is the only one that writes.
    run_in_progress: ClassVar[bool] = False

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        mode: str = "a",
        mpi: bool | None = None,
        drop_list: Sequence[str] | None = None,
        compression: str | None = None,
        *,
        tables: LinkedTables | None = None,
        working_path: str | os.PathLike[str] | None = None,
    ) -> None:
        if mode not in {"a", "r"}:
            raise UsageError(
                f"mode '{mode}' is not known", advice="Take 'r' to read, or 'a' to read and write."
            )
        filter_arguments(compression)
        self.filepath = os.fspath(filepath)
        self.working_path = os.fspath(filepath if working_path is None else working_path)
        reads_only = mode == "r" or (tables is None and H5FlowDataManager.run_in_progress)
        self._mode = "r" if reads_only else "a"
        self._drop_list = (drop_list,) if isinstance(drop_list, str) else tuple(drop_list or ())
        communicator = {None: "auto", False: "serial", True: "mpi"}[mpi]
        path, writable = Path(self.working_path), self._mode == "a"
        self._file = FileLifetime(path, writable, communicator, compression, tables)
        self._open()

    # -- the life of the file ---------------------------------------------------------------

    def __enter__(self) -> H5FlowDataManager:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close_file()

    def __repr__(self) -> str:
        state = f"mode '{self._mode}'" if self._file.is_open else "closed"
        return f"<H5FlowDataManager {self.filepath}, {state}>"

    @property
    def fh(self) -> h5py.File:
        """The open h5py file, with all that was written; for reading."""
        tables = self._open()
        tables.rendezvous.flush()
        return tables.rendezvous.storage.file

    def close_file(self) -> None:
        """Write everything that is queued, and close the file; the next use reopens it.

        The file of a run stays open until the run closes it.
        """
        self._file.close()

    def finish(self) -> None:
        """Remove what is on the drop list, and close the file."""
        dropped = [name for name in self._drop_list if self._open_to_write().delete(name)]
        self.close_file()
        if dropped:
            from h5flow.io.compact import compact_in_place

            compact_in_place(Path(self.working_path))

    def _open(self) -> LinkedTables:
        return self._file.open()

    def _open_to_write(self) -> LinkedTables:
        if self._mode == "r":
            why = (
                "while a run goes on, only its own data manager writes"
                if H5FlowDataManager.run_in_progress
                else "it was opened with mode='r'"
            )
            raise H5FlowError(f"{self.filepath} cannot be written: {why}")
        return self._open()

    # -- making ---------------------------------------------------------------------------------

    def create_dset(self, name: str, dtype: Any, shape: int | tuple[int, ...] = ()) -> None:
        """Make a dataset without rows. Collective.

        Parameters
        ----------
        name : str
            May contain slashes.
        dtype : dtype
            Of a row, simple or structured.
        shape : tuple of int
            Of a row.

        Raises
        ------
        DataError
            The dataset exists with another dtype or shape; with the same, nothing happens.
        """
        self._open_to_write().create_dataset(name, dtype, shape)

    def create_ref(self, parent: str, child: str) -> None:
        """Make an empty table of references between two datasets; it serves both directions.

        Collective. Where the references exist already nothing happens.

        Raises
        ------
        ReverseReferenceError
            They exist in the other direction (a RuntimeError).
        NoSuchDatasetError
            One of the datasets does not exist.
        """
        self._open_to_write().create_references(parent, child)

    def reserve_data(self, name: str, rows: int | slice) -> slice:
        """Return the rows of a dataset that are yours to write. Collective.

        Parameters
        ----------
        name : str
        rows : int or slice
            A number appends so many rows, which are zero until written. A slice never appends:
            the dataset grows to its stop, and the slice is returned.

        Raises
        ------
        DataError
            A negative number, or one that is not whole.
        """
        return self._open_to_write().reserve(name, rows)

    def write_data(self, name: str, rows: slice | Sequence[int] | np.ndarray, data: Any) -> None:
        """Write rows that were reserved. Queued; in the file at the end of the hook.

        Parameters
        ----------
        name : str
        rows : slice or integer array
        data : array-like or mapping of str to array-like
            As many rows; a structured array is matched by the names of its fields, and may have
            more of them; a mapping gives columns. Masked cells are written as 0.

        Raises
        ------
        DataError
            A wrong length, an unknown field, or values the dtype cannot hold; nothing is queued.
        """
        self._open_to_write().write(name, rows, data)
        self._file.spill()

    def write_ref(self, parent: str, child: str, refs: Any) -> None:
        """Add references between rows of two datasets. Queued; in the file at the end of the hook.

        Parameters
        ----------
        parent, child : str
            In either direction.
        refs : array-like, shape (N, 2), integers
            Column 0 indexes `parent`, column 1 `child`. Any order; repeats are kept.

        Raises
        ------
        DataError
            Wrong shape, not integers, or negative; nothing is queued.
        NoSuchDatasetError
            No references between the two were created.
        """
        self._open_to_write().link(parent, child, refs)
        self._file.spill()

    def set_attrs(self, name: str, **attrs: Any) -> None:
        """Set metadata of a dataset or group; without any the group is made.

        Raises
        ------
        DataError
            HDF5 cannot store a value as an attribute.
        """
        self._open_to_write().set_attributes(name, attrs)
        self._file.spill()

    def delete(self, name: str) -> None:
        """Remove a dataset, its metadata and all references from and to it. Collective.

        Raises
        ------
        NoSuchDatasetError
            There is nothing of that name.
        """
        tables = self._open_to_write()
        if not tables.delete(name):
            near = did_you_mean(clean_name(name), tables.inventory.datasets)
            raise NoSuchDatasetError(f"there is nothing named '{name}' in {self.filepath}{near}")

    # -- asking ---------------------------------------------------------------------------------

    def dset_exists(self, name: str) -> bool:
        """Return whether there is a dataset of that name."""
        return is_dataset_name(name) and self._open().find(name) is not None

    def ref_exists(self, parent: str, child: str) -> bool:
        """Return whether there are references between two datasets, in either direction."""
        if not (is_dataset_name(parent) and is_dataset_name(child)):
            return False
        return self._open().find_relation(parent, child) is not None

    def exists(self, name: str) -> bool:
        """Return whether there is anything of that name: a dataset, a group, or an HDF5 path."""
        return self._open().exists(absolute_path(name))

    def attr_exists(self, name: str, key: str) -> bool:
        """Return whether a dataset or group has metadata called `key`."""
        return is_dataset_name(name) and key in (self._open().attributes(name) or {})

    def get_attrs(self, name: str) -> dict[str, Any]:
        """Return the metadata of a dataset or group.

        Raises
        ------
        NoSuchDatasetError
            There is nothing of that name.
        """
        attributes = self._open().attributes(name)
        if attributes is None:
            raise NoSuchDatasetError(
                f"there is no group {attributes_path(name)} in {self.filepath}"
            )
        return attributes

    def get_dset(self, name: str) -> h5py.Dataset:
        """Return a dataset as h5py's, with all rows reserved by now.

        It may be kept: at the end of every hook it is brought up to date.

        Raises
        ------
        NoSuchDatasetError
            There is none of that name.
        """
        tables = self._open()
        tables.dataset(name)
        return tables.table(data_path(name))

    def describe(self, name: str) -> TableDescription:
        """Return what the rows of a dataset are: ``dtype``, ``row_shape``, ``length``.

        Costs less than `get_dset`, whose result is kept up to date from then on.

        Raises
        ------
        NoSuchDatasetError
            There is none of that name.
        """
        return self._open().dataset(name)

    def get_ref(self, parent: str, child: str) -> tuple[h5py.Dataset, Direction]:
        """Return references as h5py's dataset, and their direction.

        Returns
        -------
        h5py.Dataset, shape (L, 2)
        tuple of int
            ``(0, 1)`` where column 0 indexes `parent`, ``(1, 0)`` where column 1 does.

        Raises
        ------
        NoSuchDatasetError
            There are none between the two.
        """
        tables = self._open()
        paths, direction = tables.relation(parent, child)
        return tables.table(paths.ref), direction

    def get_refs(self, name: str) -> list[tuple[h5py.Dataset, Direction]]:
        """Return all references from and to a dataset, each as `get_ref` does."""
        tables = self._open()
        tables.dataset(name)
        name = clean_name(name)
        return [
            (tables.table(paths.ref), (0, 1) if paths.parent == name else (1, 0))
            for paths in tables.inventory.references_of(name)
        ]

    def get_ref_region(self, parent: str, child: str) -> h5py.Dataset:
        """Return where the references of each row of `parent` to `child` are.

        Returns
        -------
        h5py.Dataset
            Fields ``start`` and ``stop``: rows of the reference table that hold row i's.
        """
        tables = self._open()
        return tables.region_table(*tables.relation(parent, child))

    def __getitem__(self, key: Any) -> Any:
        """Return rows, linked rows, or an h5py object.

        ``dm[name, sel]`` gives rows; ``dm[a, b, …, sel]`` rows along references, masked, with an
        axis for each; without `sel` all. A single string is an HDF5 path. `sel` is a slice, an
        int (which keeps its axis), a list, or an integer or boolean array.
        """
        from h5flow.data.access import read_item

        return read_item(self._open(), key, self.filepath)
