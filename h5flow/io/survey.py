"""Looking at a file before it is written in SWMR mode, in which damage costs many seconds."""

from __future__ import annotations

from collections.abc import Iterator

import h5py

from h5flow.io.damage import DAMAGE

__all__ = ["unreadable_tables"]


def unreadable_tables(file: h5py.File) -> dict[str, BaseException]:
    """Return the tables whose chunks cannot be found, and what HDF5 says, by path.

    In SWMR mode HDF5 takes that for a write which is under way, and tries for ten seconds.

    Parameters
    ----------
    file : h5py.File
        Open in the ordinary mode.
    """
    looked_at = ((path, _damage_of(dataset)) for path, dataset in _tables(file, "", set()))
    return {path: error for path, error in looked_at if error is not None}


def _damage_of(dataset: h5py.Dataset) -> BaseException | None:
    try:
        if dataset.chunks:
            dataset.id.get_num_chunks()
    except DAMAGE as error:
        return error
    return None


def _tables(group: h5py.Group, path: str, seen: set[int]) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield the datasets that lie in a group itself, and below it, as far as they can be opened."""
    try:
        address = h5py.h5o.get_info(group.id).addr
        names = [] if address in seen else list(group)
    except DAMAGE:
        return
    seen.add(address)
    for name in names:
        try:
            is_here = isinstance(group.get(name, getlink=True), h5py.HardLink)
            item = group[name] if is_here else None
        except DAMAGE:
            continue
        if isinstance(item, h5py.Dataset):
            yield f"{path}/{name}", item
        elif isinstance(item, h5py.Group):
            yield from _tables(item, f"{path}/{name}", seen)
