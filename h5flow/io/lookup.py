"""What there is at a path, for files in which links may lead nowhere."""

from __future__ import annotations

import h5py

__all__ = ["object_at"]


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
