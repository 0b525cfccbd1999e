"""One HDF5 file into another, object by object."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection
from dataclasses import dataclass

import h5py
from h5py import h5d

from h5flow.io.object_references import (
    address_of,
    copy_attributes,
    copy_referring_rows,
    holds_references,
    remap_to,
)

__all__ = ["Mirror", "copy_object", "has_track_order", "mirror_tree", "stored_bytes"]


@dataclass(frozen=True)
class Mirror:
    """How objects of `source` come into `destination`, which is a new file.

    Attributes
    ----------
    place : callable
        ``place(item, group, name)`` puts a dataset or a named datatype into a group of the
        destination; returns whether it is an object there, not a link.
    rebase : callable
        Returns the file name of an external link as seen from the destination.
    exclude : collection of str
        Absolute paths in the source that are left out, with all below them.
    """

    source: h5py.File
    destination: h5py.File
    place: Callable[[h5py.Dataset | h5py.Datatype, h5py.Group, str], bool]
    rebase: Callable[[str], str]
    exclude: Collection[str] = ()


def mirror_tree(mirror: Mirror) -> None:
    """Put every object of the source into the destination.

    An object with several names stays one object. Soft links are kept as they are, and object
    references lead to the copy of what they led to.
    """
    paths = {address_of(mirror.source): "/"}
    pending = ["/"]
    while pending:
        pending += _mirror_group(mirror, pending.pop(), paths)
    remap = remap_to(mirror.source, mirror.destination, paths)
    for path in paths.values():
        item, copy = mirror.source[path], mirror.destination[path]
        if isinstance(item, h5py.Datatype):
            continue
        copy_attributes(item, copy, remap)
        # A virtual dataset has no rows of its own: those of its sources would be written.
        if isinstance(item, h5py.Dataset) and _refers(item) and not item.is_virtual:
            copy_referring_rows(item, copy, remap)


def _mirror_group(mirror: Mirror, parent: str, paths: dict[int, str]) -> list[str]:
    """Fill one group; returns the paths of the groups that were made in it."""
    made = []
    source, destination = mirror.source[parent], mirror.destination[parent]
    for name in source:
        path = posixpath.join(parent, name)
        if path in mirror.exclude:
            continue
        link = source.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            destination[name] = h5py.ExternalLink(mirror.rebase(link.filename), link.path)
        elif isinstance(link, h5py.SoftLink):
            destination[name] = link
        else:
            item = source[name]
            address = address_of(item)
            if address in paths:
                destination[name] = mirror.destination[paths[address]]
            elif isinstance(item, h5py.Group):
                destination.create_group(name, track_order=has_track_order(item))
                paths[address] = path
                made.append(path)
            elif mirror.place(item, destination, name):
                paths[address] = path
    return made


def has_track_order(group: h5py.Group) -> bool:
    """Return whether a group lists its members in the order of their creation."""
    return bool(group.id.get_create_plist().get_link_creation_order())


def copy_object(item: h5py.Dataset | h5py.Datatype, group: h5py.Group, name: str) -> None:
    """Copy a dataset (its chunks as they are in the file) or a named datatype.

    Of a dataset that holds references only type and shape are made: its values can be written when
    all objects are there.
    """
    if isinstance(item, h5py.Dataset) and _refers(item):
        h5d.create(
            group.id,
            name.encode("utf-8", "surrogateescape"),
            item.id.get_type().copy(),
            item.id.get_space(),
            item.id.get_create_plist(),
        )
    else:
        item.file.copy(item, group, name=name)


def _refers(dataset: h5py.Dataset) -> bool:
    if dataset.shape is None:
        return False
    try:
        return holds_references(dataset.dtype)
    except TypeError:
        # NumPy has no such type; HDF5 copies it nevertheless.
        return False


def stored_bytes(file: h5py.File) -> int:
    """Return the bytes that the data of all datasets take in a file."""
    total = 0

    def add(_name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            total += item.id.get_storage_size()

    file.visititems(add)
    return total
