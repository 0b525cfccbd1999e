"""What there is at a path, for files in which links may lead nowhere."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

__all__ = ["dataset_beside", "object_at", "scalar_attribute"]


def object_at(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | h5py.Datatype | None:
    """Return the object at a path; None where there is none, or a link that leads nowhere.

    Raises
    ------
    KeyError, OSError, RuntimeError
        The file is damaged there.
    """
    if path == "/":
        return group["/"]
    link = None
    try:
        link = group.get(path, getlink=True)
        return None if link is None else group[path]
    except (KeyError, OSError, RuntimeError) as error:
        is_link = isinstance(link, h5py.SoftLink | h5py.ExternalLink)
        if is_link or "too many links" in str(error):
            return None
        raise


def dataset_beside(dataset: h5py.Dataset, path: bytes) -> h5py.Dataset | None:
    """Return the dataset at a path of the same file, in a third of h5py's time.

    Parameters
    ----------
    dataset : h5py.Dataset
        Any of the file.
    path : bytes
        From the root, in UTF-8.

    Returns
    -------
    h5py.Dataset or None
        None where there is none: nothing, a group, or what cannot be opened.
    """
    file = h5py.h5i.get_file_id(dataset.id)
    try:
        found = h5py.h5d.open(file, path)
    except (KeyError, OSError, RuntimeError, UnicodeDecodeError):
        # The last is h5py's, for the message about a path that is not UTF-8.
        return None
    return h5py.Dataset(found, readonly=file.get_intent() == h5py.h5f.ACC_RDONLY)


def scalar_attribute(dataset: h5py.Dataset, name: str) -> Any:
    """Return a text, as bytes, or a number that an attribute holds, in half of h5py's time.

    Returns
    -------
    bytes, numpy.generic or None
        None where there is no such attribute, or it holds something else.

    Raises
    ------
    OSError, RuntimeError
        The file is damaged there.
    """
    try:
        attribute = h5py.h5a.open(dataset.id, name.encode())
    except KeyError:
        return None
    if attribute.get_space().get_simple_extent_type() != h5py.h5s.SCALAR:
        return None
    dtype = attribute.dtype
    if dtype.kind not in "iufS" and h5py.check_string_dtype(dtype) is None:
        return None
    value = np.empty((), dtype)
    attribute.read(value)
    return value[()]
