"""HDF5 object and region references: from the objects of one file to their copies in another.

HDF5 keeps the address of an object in a reference. `H5Ocopy` nulls plain references and takes those
within compound and variable-length types over as they are, so both are written anew here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import h5py
import numpy as np
from h5py import h5a, h5o, h5r, h5s, h5t

__all__ = [
    "Remap",
    "address_of",
    "copy_attributes",
    "copy_referring_rows",
    "holds_references",
    "remap_to",
]

Array = np.ndarray[Any, Any]
Remap: TypeAlias = Callable[[h5r.Reference], h5r.Reference]
# Rows with references that are held in memory at once.
BLOCK_ROWS = 2**16


def address_of(item: h5py.Group | h5py.Dataset | h5py.Datatype) -> int:
    """Return what identifies an object within its file, whatever its name."""
    return int(h5o.get_info(item.id).addr)


def holds_references(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a dtype are, or have within them, HDF5 references."""
    if h5py.check_ref_dtype(dtype) is not None:
        return True
    base = h5py.check_vlen_dtype(dtype)
    if base is not None:
        return holds_references(np.dtype(base))
    if dtype.subdtype is not None:
        return holds_references(dtype.subdtype[0])
    return any(holds_references(dtype[name]) for name in dtype.names or ())


def remap_to(source: h5py.File, destination: h5py.File, paths: Mapping[int, str]) -> Remap:
    """Return the function that turns a reference in `source` into one in `destination`.

    Parameters
    ----------
    source, destination : h5py.File
    paths : mapping of int to str
        Address of an object in `source` to its path in `destination`. A reference to any other
        object becomes a null reference.
    """

    def remap(reference: h5r.Reference) -> h5r.Reference:
        null = type(reference)()
        if not reference:
            return null
        try:
            target = h5r.dereference(reference, source.id)
            path = paths.get(int(h5o.get_info(target).addr))
        except (KeyError, ValueError, OSError, RuntimeError):
            # the object was deleted
            return null
        if path is None:
            return null
        name = path.encode("utf-8", "surrogateescape")
        if isinstance(reference, h5r.RegionReference):
            selection = h5r.get_region(reference, source.id)
            return h5r.create(destination.id, name, h5r.DATASET_REGION, selection)
        return h5r.create(destination.id, name, h5r.OBJECT)

    return remap


def _remap_values(values: Array, dtype: np.dtype[Any], remap: Remap) -> Array:
    if h5py.check_ref_dtype(dtype) is not None:
        return _each(values, remap)
    base = h5py.check_vlen_dtype(dtype)
    if base is not None:
        inner = np.dtype(base)
        return _each(values, lambda value: _remap_values(np.asarray(value), inner, remap))
    if dtype.subdtype is not None:
        return _remap_values(values, dtype.subdtype[0], remap)
    remapped: Array = values.copy()
    for name in dtype.names or ():
        if holds_references(dtype[name]):
            remapped[name] = _remap_values(values[name], dtype[name], remap)
    return remapped


def _each(values: Array, change: Callable[[Any], Any]) -> Array:
    changed = np.empty_like(values)
    flat = changed.reshape(-1)
    for index, value in enumerate(values.reshape(-1)):
        flat[index] = change(value)
    return changed


def copy_referring_rows(source: h5py.Dataset, copy: h5py.Dataset, remap: Remap) -> None:
    """Fill `copy`, made with the type and shape of `source`, with its values, remapped."""
    dtype = source.dtype
    memory_type = h5t.py_create(dtype)
    if not source.shape:
        copy.id.write(h5s.ALL, h5s.ALL, _read(source.id, dtype, (), remap), memory_type)
        return
    rows = BLOCK_ROWS - BLOCK_ROWS % source.chunks[0] if source.chunks else BLOCK_ROWS
    rows = max(rows, source.chunks[0] if source.chunks else 1)
    for start in range(0, source.shape[0], rows):
        shape = (min(rows, source.shape[0] - start), *source.shape[1:])
        if 0 in shape:
            return
        in_file = source.id.get_space()
        in_file.select_hyperslab((start, *[0] * (len(shape) - 1)), shape)
        values = _read(source.id, dtype, shape, remap, in_file)
        copy.id.write(h5s.create_simple(shape), in_file, values, memory_type)


def _read(
    dataset: h5py.h5d.DatasetID,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    remap: Remap,
    in_file: h5s.SpaceID | None = None,
) -> Array:
    values = np.zeros(shape, dtype)
    in_memory = h5s.create_simple(shape) if in_file is not None else h5s.ALL
    dataset.read(
        in_memory, in_file if in_file is not None else h5s.ALL, values, h5t.py_create(dtype)
    )
    return _remap_values(values, dtype, remap)


def copy_attributes(
    source: h5py.Group | h5py.Dataset, copy: h5py.Group | h5py.Dataset, remap: Remap
) -> None:
    """Put the attributes of `source` on `copy`: those that it does not have, or that refer."""
    for name in source.attrs:
        # h5py leaves a name as bytes that are no UTF-8.
        raw_name = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
        attribute = h5a.open(source.id, raw_name)
        if h5a.exists(copy.id, raw_name):
            if not _attribute_refers(attribute):
                continue
            h5a.delete(copy.id, raw_name)
        _copy_attribute(attribute, copy.id, raw_name, remap)


def _attribute_refers(attribute: h5a.AttrID) -> bool:
    try:
        return holds_references(attribute.dtype)
    except TypeError:
        return False


def _copy_attribute(
    attribute: h5a.AttrID, target: h5py.h5g.GroupID, name: bytes, remap: Remap
) -> None:
    kind, space = attribute.get_type().copy(), attribute.get_space()
    new = h5a.create(target, name, kind, space)
    if space.get_simple_extent_type() == h5s.NULL:
        return
    try:
        dtype = attribute.dtype
    except TypeError:
        # NumPy has no such type: the bytes go over as they are.
        raw = np.zeros(attribute.shape, f"V{kind.get_size()}")
        attribute.read(raw, mtype=kind)
        new.write(raw, mtype=kind)
        return
    memory_type = h5t.py_create(dtype)
    # An array type at the top becomes further dimensions in NumPy.
    values = np.zeros(attribute.shape, dtype)
    attribute.read(values, mtype=memory_type)
    if holds_references(dtype):
        values = _remap_values(values, dtype, remap)
    new.write(values, mtype=memory_type)
