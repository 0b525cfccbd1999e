"""Whether a file is whole: all that can be found out without knowing what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py

from h5flow.data.inventory import Inventory, take_inventory
from h5flow.data.layout import (
    NOT_FOLLOWED,
    RECORDS,
    ReferencePaths,
    absolute_path,
    data_path,
)
from h5flow.errors import FileFormatError, H5FlowError
from h5flow.io.damage import DAMAGE, damage_named
from h5flow.io.external import external_parts
from h5flow.io.installed_filters import load_filters, without_filters
from h5flow.io.links import leaving_link
from h5flow.io.lookup import object_at
from h5flow.io.open_file import open_file
from h5flow.io.pieces import unreadable_pieces
from h5flow.io.superblock import read_superblock
from h5flow.journal.finding import RESTORE, Finding
from h5flow.journal.indexing import index_is_wrong
from h5flow.journal.linked_rows import linked_rows
from h5flow.journal.provenance import unreadable_records
from h5flow.journal.unfinished import beside, of_working_file

__all__ = ["Finding", "inspect_file"]

# Of a dataset with many bad chunks so many are named.
NAMED_PIECES = 3


def inspect_file(path: Path) -> Iterator[Finding]:
    """Read all of a file, in pieces, and yield what is wrong with it or worth knowing.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    FileFormatError
        There is no such file, or it is not HDF5.
    """
    yield from (of_a_run := tuple(beside(path)))
    if not path.exists() and of_a_run:
        return
    if not path.is_file() or read_superblock(path) is None:
        # which says what it is in place of that
        open_file(path, "r").close()
    yield from (left := tuple(of_working_file(path)))
    if any(not finding.is_note for finding in left):
        # what a run writes is not whole before it is brought back to a checkpoint
        return
    try:
        with open_file(path, "r") as file:
            yield from _contents(file)
    except FileFormatError as error:
        yield Finding("", error.message, error.advice or "")


def _contents(file: h5py.File) -> Iterator[Finding]:
    with damage_named(file.filename):
        inventory = take_inventory(file)
        if NOT_FOLLOWED in file:
            yield Finding(
                NOT_FOLLOWED,
                "the file is the working file of a run that did not end",
                "Start the run again: it makes the whole file.",
            )
        for part in external_parts(file):
            yield Finding(
                part.path,
                f"its rows are in other files ({', '.join(part.files)}), which were not read",
                "Check those files by themselves.",
                is_note=True,
            )
        unknown = unreadable_records(file)
        if unknown:
            yield Finding(
                f"/{RECORDS}",
                f"{unknown} records of runs cannot be read",
                "What was run on this file is not known in full; its rows are not affected.",
                is_note=True,
            )
    yield from _unreadable(file)
    for name in inventory.datasets:
        yield from _dataset(file, name)
    for relation in inventory.references:
        yield from _references(file, relation, inventory)


def _references(
    file: h5py.File, relation: ReferencePaths, inventory: Inventory
) -> Iterator[Finding]:
    for name in (relation.parent, relation.child):
        if name not in inventory.datasets:
            yield Finding(
                relation.ref,
                f"leads to '{name}', which is not in the file",
                "Following these references gives nothing; add the dataset, or drop it.",
            )
    try:
        with damage_named(file.filename, relation.ref):
            yield from _attributes(file, relation)
            yield from (Finding(*found) for found in linked_rows(file, relation))
            yield from _indices(file, relation)
    except H5FlowError as error:
        yield Finding(
            relation.ref, f"could not be checked: {error.message}", error.advice or RESTORE
        )


def _unreadable(file: h5py.File) -> Iterator[Finding]:
    """Read every dataset and every attribute, of whatever layout."""
    paths = ["/"]

    def note(name: bytes | str) -> None:
        text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
        paths.append(f"/{text}")

    with damage_named(file.filename, "the list of its objects"):
        file.visit(note)
    outside = {part.path for part in external_parts(file)}
    for path in paths:
        try:
            item = file[path]
            dict(item.attrs.items())
        except DAMAGE as error:
            yield Finding(path, f"cannot be read: {error}", RESTORE)
            continue
        if not isinstance(item, h5py.Dataset) or path in outside:
            continue
        missing = load_filters(item)
        if missing and item.id.get_storage_size():
            wanting = without_filters("cannot be read", missing)
            yield Finding(path, wanting.message, wanting.advice or "")
            continue
        bad = list(unreadable_pieces(item))
        for rows, reason in bad[:NAMED_PIECES]:
            yield Finding(f"{path}, {rows}", f"cannot be read: {reason}", RESTORE)
        if len(bad) > NAMED_PIECES:
            yield Finding(path, f"{len(bad) - NAMED_PIECES} more chunks cannot be read", RESTORE)


def _dataset(file: h5py.File, name: str) -> Iterator[Finding]:
    rows = _own_object(file, data_path(name))
    if rows is not None and not (isinstance(rows, h5py.Dataset) and rows.shape):
        yield Finding(
            data_path(name),
            "is no table of rows",
            "h5flow cannot use it; everything else in the file is usable.",
            is_note=True,
        )


def _attributes(file: h5py.File, relation: ReferencePaths) -> Iterator[Finding]:
    table = _own_object(file, relation.ref)
    if table is None:
        return
    for key, path in relation.ref_attributes.items():
        value = table.attrs.get(key)
        if not isinstance(value, str) or absolute_path(value) != path:
            yield Finding(
                relation.ref,
                f"its attribute {key} is {value!r} and not {path}",
                "h5flow needs none; --repair writes it for programs that do.",
                in_regions=True,
            )


def _indices(file: h5py.File, relation: ReferencePaths) -> Iterator[Finding]:
    for column, paths in enumerate(relation.indices):
        if index_is_wrong(file, relation, column):
            yield Finding(
                paths.group,
                f"the index of {relation.ref} is not that of its references",
                "h5flow index FILE makes it anew, and so does --repair.",
                in_regions=True,
            )


def _own_object(file: h5py.File, path: str) -> h5py.Group | h5py.Dataset | None:
    """Return an object of the file itself, None where it is elsewhere or damaged."""
    try:
        return None if leaving_link(file, path) is not None else object_at(file, path)
    except DAMAGE:
        return None
