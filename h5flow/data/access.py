"""Reading by name: rows of a dataset, and rows along references, for the facade and the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from h5flow.backends import Backend, choose_backend
from h5flow.data.following import (
    Cells,
    References,
    linked_cells,
    linked_jagged,
    linked_padded,
)
from h5flow.data.host_copies import selection_on_host
from h5flow.data.layout import (
    absolute_path,
    clean_name,
    data_path,
    is_dataset_name,
    name_of_data_path,
)
from h5flow.data.presentation import present, present_jagged, present_padded
from h5flow.errors import DataError, NoSuchDatasetError, did_you_mean
from h5flow.io.reading import RowSource, read_rows, read_slice
from h5flow.references.jagged import Jagged
from h5flow.references.selection import select_rows

if TYPE_CHECKING:
    from h5flow.data.linked_tables import LinkedTables
    from h5flow.references.regions import Int64Array

__all__ = [
    "linked_reading",
    "present_linked",
    "read_item",
    "read_linked",
    "read_slice_of",
    "read_slice_on",
    "slice_reading",
]

Layout: TypeAlias = Literal["padded", "jagged", "single", "aligned"]

Array = np.ndarray[Any, Any]


def read_slice_of(tables: LinkedTables, name: str, rows: slice) -> Array:
    """Return the rows ``rows.start:rows.stop`` of a dataset; none of an empty or EMPTY slice."""
    start, stop = _bounds(rows)
    return read_slice(_dataset(tables, name), start, stop)


def read_linked(
    tables: LinkedTables,
    path: Sequence[str],
    rows: slice,
    layout: Layout,
    *,
    index_only: bool,
    backend: Backend | None = None,
) -> Any:
    """Return what is linked to rows of the first dataset of a chain.

    Parameters
    ----------
    path : sequence of str
        Two to five datasets; each is linked to the next.
    rows : slice
        Of the first.
    layout : str
        ``"padded"`` is a masked array (n, w, …); ``"jagged"`` a `Jagged`; ``"single"`` a masked
        array (n,), for rows that have one linked row at most.
    index_only : bool
        Return int64 row numbers in place of rows.
    backend : Backend, optional
        Where the result lives; NumPy by default.

    Raises
    ------
    DataError
        A row has more than one linked row, with ``"single"``.
    PaddingError
        A padded result would not fit in memory.
    """
    backend = choose_backend("numpy") if backend is None else backend
    # where the rows are on the device already, only their numbers are looked up here
    later = not index_only and not backend.is_host
    found = linked_reading(tables, path, rows, layout, index_only=index_only or later)()
    if later:
        name, data = path[-1], _dataset(tables, path[-1])
        if isinstance(found, Jagged):
            return present_jagged(
                backend, found, _rows_at(tables, name, data, found.index, backend)
            )
        found = replace(found, values=_rows_at(tables, name, data, found.values, backend))
    return present_linked(backend, found)


def linked_reading(
    tables: LinkedTables,
    path: Sequence[str],
    rows: slice,
    layout: Layout,
    *,
    index_only: bool,
) -> Callable[[], Cells | Jagged]:
    """Return what reads the rows that are linked to others; on any thread, with nobody asked.

    Parameters are those of `read_linked`.
    """
    indices = np.arange(*_bounds(rows), dtype=np.int64)
    links, data = _links(tables, path), _dataset(tables, path[-1])

    def read() -> Cells | Jagged:
        if layout == "padded":
            return linked_cells(indices, links, data, indices_only=index_only)
        jagged = linked_jagged(indices, links, data, indices_only=index_only)
        return jagged if layout == "jagged" else _single(path, jagged)

    return read


def slice_reading(tables: LinkedTables, name: str, rows: slice) -> Callable[[], Array]:
    """Return what reads rows of a dataset; on any thread, with nobody asked."""
    data, bounds = _dataset(tables, name), _bounds(rows)
    return lambda: read_slice(data, *bounds)


def present_linked(backend: Backend, found: Cells | Jagged) -> Any:
    """Return linked rows that were read, as a stage on a backend has them."""
    if isinstance(found, Jagged):
        return present_jagged(backend, found, None)
    return present_padded(backend, found)


def read_slice_on(tables: LinkedTables, name: str, rows: slice, backend: Backend) -> Any:
    """Return rows of a dataset, as `read_slice_of` does, on a backend."""
    start, stop = _bounds(rows)
    kept = None
    if tables.results is not None and start < stop:
        kept = tables.results.find(data_path(name), backend, start, stop)
    if kept is not None:
        return kept.at(np.arange(start, stop, dtype=np.int64))
    return present(backend, read_slice_of(tables, name, rows))


def _rows_at(
    tables: LinkedTables, name: str, data: RowSource, index: Int64Array, backend: Backend
) -> Any:
    """Return rows of a dataset: on the backend where they are there, else on the host."""
    if tables.results is not None and len(index):
        first, last = int(index.min()), int(index.max())
        kept = tables.results.find(data_path(name), backend, first, last + 1)
        if kept is not None:
            return kept.at(index)
    return read_rows(data, index)


def read_item(tables: LinkedTables, key: Any, filename: str) -> Any:
    """Return what ``data_manager[key]`` means: a path, or names, then perhaps a selection.

    Parameters
    ----------
    filename : str
        For messages.
    """
    if isinstance(key, str):
        return _object_of(tables, absolute_path(key), filename)
    names = [part for part in key if isinstance(part, str)] if isinstance(key, tuple) else []
    has_selection = bool(names) and not isinstance(key[-1], str)
    if not names or names != list(key[: len(key) - has_selection]):
        raise DataError(
            f"{key!r} does not select rows of a dataset: names come first, then one selection",
            advice="Write dm['dataset', 0:10], or dm['parent', 'child', 0:10].",
        )
    selection = selection_on_host(key[-1]) if has_selection else slice(None)
    if len(names) == 1 and not _names_dataset(tables, names[0]):
        table = tables.rows(absolute_path(names[0]))
        return read_rows(table, select_rows(selection, table.shape[0], what=names[0]))
    path = [name_of_data_path(name) or clean_name(name) for name in names]
    rows = select_rows(selection, tables.dataset(path[0]).length, what=path[0])
    if len(path) == 1:
        return read_rows(_dataset(tables, path[0]), rows)
    return linked_padded(rows, _links(tables, path), _dataset(tables, path[-1]))


def _bounds(rows: slice) -> tuple[int, int]:
    start = max(int(rows.start), 0)
    return start, max(int(rows.stop), start)


def _object_of(tables: LinkedTables, path: str, filename: str) -> Any:
    if tables.has_table(path):
        return tables.table(path)
    found = tables.object_at(path)
    if found is not None:
        return found
    names = tables.inventory.datasets
    raise NoSuchDatasetError(
        f"there is nothing at '{path}' in {filename}{did_you_mean(path.strip('/'), names)}",
        advice=f"Its datasets are {', '.join(names)}." if names else "It has no datasets.",
    )


def _names_dataset(tables: LinkedTables, name: str) -> bool:
    """Return whether this is, or should be, a dataset's name and not the path of a table."""
    if is_dataset_name(name) and tables.find(name) is not None:
        return True
    return not tables.has_table(absolute_path(name))


def _dataset(tables: LinkedTables, name: str) -> Any:
    tables.dataset(name)
    return tables.rows(data_path(name))


def _links(tables: LinkedTables, path: Sequence[str]) -> list[References]:
    links = []
    for parent, child in pairwise(path):
        paths, direction = tables.relation(parent, child)
        region = paths.parent_region if direction == (0, 1) else paths.child_region
        links.append(
            References(
                tables.rows(paths.ref),
                tables.rows(region) if tables.has_table(region) else None,
                direction,
                parent_rows=tables.dataset(parent).length,
            )
        )
    return links


def _single(path: Sequence[str], jagged: Jagged) -> Cells:
    """Return rows that are one for each parent at most."""
    counts = jagged.counts
    if counts.max(initial=0) > 1:
        row = int(np.argmax(counts > 1))
        raise DataError(
            f"`layout: single`, but row {row} of the chunk has {counts[row]} rows along "
            f"{' -> '.join(path)}",
            advice="Take `layout: padded` or `layout: jagged`.",
        )
    return Cells((len(counts),), np.flatnonzero(counts), jagged.values)
