"""What a file holds: its datasets, and the references between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import h5py

from h5flow.data.layout import (
    RECORDS,
    ReferencePaths,
    name_of_data_path,
    names_of_ref_path,
    reference_paths,
)

__all__ = ["Inventory", "take_inventory"]


@dataclass(frozen=True)
class Inventory:
    """Names of all datasets, and all relations as they were created, sorted by name."""

    datasets: tuple[str, ...]
    references: tuple[ReferencePaths, ...]

    def references_of(self, name: str) -> tuple[ReferencePaths, ...]:
        """Return the relations from and to a dataset."""
        return tuple(paths for paths in self.references if name in {paths.parent, paths.child})

    def find(self, parent: str, child: str) -> tuple[ReferencePaths, tuple[int, int]] | None:
        """Return the relation of two datasets and its direction as seen from `parent`."""
        for paths in self.references:
            if (paths.parent, paths.child) == (parent, child):
                return paths, (0, 1)
        for paths in self.references:
            if (paths.parent, paths.child) == (child, parent):
                return paths, (1, 0)
        return None

    def below(self, name: str) -> tuple[str, ...]:
        """Return the dataset `name`, or where that is a plain group the datasets below it."""
        if name in self.datasets:
            return (name,)
        return tuple(other for other in self.datasets if other.startswith(f"{name}/"))


def take_inventory(file: h5py.Group) -> Inventory:
    """Return what is in a file. Linked datasets count; soft links to groups are not followed.

    Parameters
    ----------
    file : h5py.File
    """
    datasets, references = [], []
    for path in _leaf_paths(file, ""):
        name = name_of_data_path(path)
        if name is not None:
            datasets.append(name)
        names = names_of_ref_path(path)
        if names is not None:
            references.append(reference_paths(*names))
    return Inventory(
        tuple(sorted(datasets)), tuple(sorted(references, key=lambda r: (r.parent, r.child)))
    )


def _leaf_paths(group: h5py.Group, prefix: str) -> Iterator[str]:
    """Yield the paths of everything that is not a group, without opening what links lead to."""
    for key in group:
        path = f"{prefix}/{key}"
        if path == f"/{RECORDS}":
            continue
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield path
        elif group.get(key, getclass=True) is h5py.Dataset:
            yield path
        elif isinstance(link, h5py.HardLink) and isinstance(group[key], h5py.Group):
            yield from _leaf_paths(group[key], path)

