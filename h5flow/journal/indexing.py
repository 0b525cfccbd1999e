"""Sorted indices of references, made in a file, compared with its references, and removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from h5flow.data.inventory import take_inventory
from h5flow.data.layout import INDEXED_REFERENCES, ReferencePaths, index_attribute
from h5flow.io.chunks import rows_per_hdf5_chunk
from h5flow.io.damage import damage_named
from h5flow.io.edit import edit_at_once
from h5flow.io.open_file import open_file
from h5flow.io.reading import read_slice
from h5flow.io.space import check_free_space
from h5flow.io.superblock import read_superblock
from h5flow.journal.linked_rows import blocks, is_table_of_references, table_at
from h5flow.references.index import IndexPart, index_part, overlaps, parts_of
from h5flow.references.regions import Int64Array, is_region_dtype

__all__ = ["Indexed", "Survey", "index_file", "index_is_wrong", "remove_index", "survey_indices"]

# References that are sorted at once: some 500 MiB with what sorting takes.
MOST_SORTED = 2**23
# Parents are counted in so many bins at most, to divide them into parts.
MOST_BINS = 2**20


@dataclass(frozen=True)
class Indexed:
    """What was done for the references of two datasets.

    Attributes
    ----------
    relation : ReferencePaths
    columns : tuple of int
        Directions that have an index now: 0 from the parent, 1 from the child.
    refused : tuple of int
        Directions that need one and cannot have it, for their regions leave references out.
    """

    relation: ReferencePaths
    columns: tuple[int, ...]
    refused: tuple[int, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What a relation has of indices, and what it needs.

    Attributes
    ----------
    relation : ReferencePaths
    present : tuple of int
        Directions with an index for as many references as there are.
    wanted : tuple of int
        Directions in which regions overlap widely.
    """

    relation: ReferencePaths
    present: tuple[int, ...]
    wanted: tuple[int, ...]


def survey_indices(file: h5py.File) -> tuple[Survey, ...]:
    """Look at all relations whose references can be read."""
    relations = take_inventory(file).references
    return tuple(_survey(file, each) for each in relations if _is_indexable(file, each))


def _survey(file: h5py.File, relation: ReferencePaths) -> Survey:
    regions = (table_at(file, place) for place in (relation.parent_region, relation.child_region))
    length = len(file[relation.ref])
    return Survey(
        relation,
        tuple(column for column in (0, 1) if _fits(file, relation, column)),
        tuple(
            column
            for column, region in enumerate(regions)
            if region is not None and _overlaps(region, length)
        ),
    )


def index_file(path: Path, *, keep: bool = False) -> tuple[Indexed, ...]:
    """Give references an index where their regions overlap widely, and take it away elsewhere.

    The file is written as it is in a run, so that a kill leaves it readable, and an index is named
    by its table when all of it is there. The references are read twice, and once more for each
    `MOST_SORTED` of them.

    Parameters
    ----------
    path : pathlib.Path
        Nobody else has it open.
    keep : bool
        Leave an index as it is that was made for as many references as there are.

    Raises
    ------
    FileFormatError
        References cannot be read.
    H5FlowError
        There is no room on the disk.
    """
    with damage_named(path):
        with open_file(path, "r") as file:
            found = survey_indices(file)
            kept = {each.relation: each.present if keep else () for each in found}
            wanted = {
                each.relation: tuple(c for c in each.wanted if c not in kept[each.relation])
                for each in found
            }
            outdated = [
                (relation, column)
                for relation, columns in kept.items()
                for column in {0, 1}.difference(columns)
                if _is_there(file, relation, column)
            ]
            size = sum(_size(file, each, columns) for each, columns in wanted.items())
        if outdated:
            with _edited(path) as file:
                for relation, column in outdated:
                    remove_index(file, relation, column)
        check_free_space(path, size)
        made = _build_all(path, wanted) if any(wanted.values()) else wanted
    return tuple(
        Indexed(
            each,
            tuple(sorted({*kept[each], *made[each]})),
            tuple(column for column in wanted[each] if column not in made[each]),
        )
        for each in kept
    )


def _build_all(
    path: Path, wanted: Mapping[ReferencePaths, tuple[int, ...]]
) -> dict[ReferencePaths, tuple[int, ...]]:
    """Make indices, and return those that could be made."""
    made = {}
    with open_file(path, "r+") as file:
        with suppress(RuntimeError, ValueError):  # formats before HDF5 1.10 have no such mode
            file.swmr_mode = True
        for relation, columns in wanted.items():
            made[relation] = tuple(each for each in columns if _build(file, relation, each))
    # in that mode nothing can be removed, and objects that are there take no new attributes
    with _edited(path) as file:
        for relation, columns in wanted.items():
            for column in columns:
                if column in made[relation]:
                    _name(file, relation, column)
                else:
                    remove_index(file, relation, column)
    return made


def _edited(path: Path) -> AbstractContextManager[h5py.File]:
    """Open a file to change little of it: all at once, where its format has what that takes."""
    head = read_superblock(path)
    return open_file(path, "r+") if head is None or head.version < 3 else edit_at_once(path)


def _is_there(file: h5py.File, relation: ReferencePaths, column: int) -> bool:
    table = table_at(file, relation.ref)
    is_named = table is not None and index_attribute(column) in table.attrs
    return is_named or file.get(relation.indices[column].group, getlink=True) is not None


def _name(file: h5py.File, relation: ReferencePaths, column: int) -> None:
    table, paths = file[relation.ref], relation.indices[column]
    file[paths.offsets].attrs[INDEXED_REFERENCES] = len(table)
    table.attrs[index_attribute(column)] = paths.group


def _size(file: h5py.File, relation: ReferencePaths, columns: tuple[int, ...]) -> int:
    """Return the bytes that indices take at most."""
    regions = relation.parent_region, relation.child_region
    return sum(8 * (len(file[relation.ref]) + len(file[regions[each]]) + 1) for each in columns)


def _is_indexable(file: h5py.File, relation: ReferencePaths) -> bool:
    table = table_at(file, relation.ref)
    return table is not None and is_table_of_references(table)


def _fits(file: h5py.File, relation: ReferencePaths, column: int) -> bool:
    """Say whether there is an index for as many references as there are."""
    table, paths = file[relation.ref], relation.indices[column]
    if table.attrs.get(index_attribute(column)) != paths.group:
        return False
    offsets, children = table_at(file, paths.offsets), table_at(file, paths.children)
    if offsets is None or children is None or not len(offsets):
        return False
    lengths = {offsets.attrs.get(INDEXED_REFERENCES), len(children), len(table)}
    return lengths == {len(table)}


def remove_index(file: h5py.File, relation: ReferencePaths, column: int) -> None:
    """Remove an index, and groups that are empty without it; harmless where there is none."""
    table, path = table_at(file, relation.ref), relation.indices[column].group
    if table is not None and index_attribute(column) in table.attrs:
        del table.attrs[index_attribute(column)]
    while path != "/" and file.get(path, getlink=True) is not None:
        parent = file[path.rpartition("/")[0] or "/"]
        del file[path]
        if len(parent) or len(parent.attrs):
            return
        path = parent.name


def index_is_wrong(file: h5py.File, relation: ReferencePaths, column: int) -> bool:
    """Say whether an index that its table names differs from the references.

    Raises
    ------
    FileFormatError
        Rows cannot be read.
    """
    table, paths = table_at(file, relation.ref), relation.indices[column]
    if table is None or index_attribute(column) not in table.attrs:
        return False
    if not _fits(file, relation, column):
        return True
    offsets, children = file[paths.offsets], file[paths.children]
    return any(
        part is None
        or not _is_stored(offsets, first, part.offsets + before)
        or not _is_stored(children, before, part.children)
        for first, before, part in _parts(table, column, len(offsets) - 1)
    )


def _is_stored(dataset: h5py.Dataset, first: int, expected: Int64Array) -> bool:
    return np.array_equal(read_slice(dataset, first, first + len(expected)), expected)


def _overlaps(region: h5py.Dataset, references: int) -> bool:
    if not is_region_dtype(region.dtype) or region.ndim != 1:
        return False
    total, widest = 0, 0
    for start, stop in blocks(len(region)):
        rows = read_slice(region, start, stop)
        widths = rows["stop"].astype(np.int64) - rows["start"].astype(np.int64)
        total += int(widths.sum())
        widest = max(widest, int(widths.max(initial=0)))
    return overlaps(total, widest, references)


def _build(file: h5py.File, relation: ReferencePaths, column: int) -> bool:
    """Write an index that nothing names yet; False where regions do not hold all references."""
    table, paths = file[relation.ref], relation.indices[column]
    region = file[(relation.parent_region, relation.child_region)[column]]
    offsets = _create(file, paths.offsets, len(region) + 1, _narrowest(len(table)))
    children = _create(file, paths.children, len(table), _narrowest(_largest(table, 1 - column)))
    for first, before, part in _parts(table, column, len(region)):
        if part is None or not _is_covered(part, region, first):
            return False
        offsets[first : first + len(part.offsets)] = part.offsets + before
        children[before : before + len(part.children)] = part.children
    return True


def _parts(
    table: h5py.Dataset, column: int, parents: int
) -> Iterator[tuple[int, int, IndexPart | None]]:
    """Yield the first parent of each part, the references before it, and its index.

    None in its place where references lead to parents that there are not.
    """
    shift = max(0, (max(parents, 1) - 1).bit_length() - (MOST_BINS - 1).bit_length())
    counts = np.zeros(-(-parents // (1 << shift)), np.int64)
    for start, stop in blocks(len(table)):
        values = read_slice(table, start, stop)[:, column].astype(np.int64)
        if values.min(initial=0) < 0 or values.max(initial=0) >= parents:
            yield 0, 0, None
            return
        counts += np.bincount(values >> shift, minlength=len(counts))
    before = 0
    for begin, end in parts_of(counts, MOST_SORTED):
        first, stop = begin << shift, min(end << shift, parents)
        part = index_part(*_references_from(table, column, first, stop), stop - first)
        yield first, before, part
        before += len(part.children)


def _references_from(
    table: h5py.Dataset, column: int, first: int, stop: int
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return the references of some successive parents: slots, children, and where they stand."""
    found = []
    for begin, end in blocks(len(table)):
        pairs = read_slice(table, begin, end)
        parents = pairs[:, column].astype(np.int64)
        chosen = np.flatnonzero((parents >= first) & (parents < stop))
        children = pairs[chosen, 1 - column].astype(np.int64)
        found.append((parents[chosen] - first, children, chosen + begin))
    if not found:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    slots, children, positions = (np.concatenate(part) for part in zip(*found, strict=True))
    return slots, children, positions


def _is_covered(part: IndexPart, region: h5py.Dataset, first: int) -> bool:
    rows = read_slice(region, first, first + len(part.first))
    filled = part.last >= part.first
    inside = (part.first >= rows["start"]) & (part.last < rows["stop"])
    return bool(inside[filled].all())


def _largest(table: h5py.Dataset, column: int) -> int:
    return max(
        (
            int(np.abs(read_slice(table, start, stop)[:, column].astype(np.int64)).max(initial=0))
            for start, stop in blocks(len(table))
        ),
        default=0,
    )


def _narrowest(largest: int) -> np.dtype[Any]:
    return np.dtype("i4" if largest <= np.iinfo("i4").max else "i8")


def _create(file: h5py.File, path: str, length: int, dtype: np.dtype[Any]) -> h5py.Dataset:
    # no filter: of a chunk only a few rows are wanted at a time
    chunks = (min(rows_per_hdf5_chunk(dtype), max(1, length)),)
    return file.create_dataset(path, (length,), dtype, chunks=chunks)
