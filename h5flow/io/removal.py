"""Objects out of a file, with the groups that are empty without them."""

from __future__ import annotations

import h5py

__all__ = ["remove_object"]


def remove_object(file: h5py.File, path: str) -> None:
    """Remove the object at `path`, and groups that are empty without it.

    Of a group that holds other objects the metadata are removed, of a link what it leads to is left
    as it is. Harmless where nothing is.
    """
    link = file.get(path, getlink=True)
    if link is None:
        return
    found = file[path] if isinstance(link, h5py.HardLink) else None
    if isinstance(found, h5py.Group) and len(found):
        for name in list(found.attrs):
            del found.attrs[name]
        return
    parent = file[path.rpartition("/")[0] or "/"]
    del file[path]
    while parent.name != "/" and not len(parent) and not len(parent.attrs):
        path, parent = parent.name, parent.parent
        del file[path]
