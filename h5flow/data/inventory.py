"""What a file holds: its datasets, and the references between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import h5py

from h5flow.data.layout import (
    NOT_FOLLOWED,
    RECORDS,
    ReferencePaths,
    attributes_path,
    clean_name,
    data_path,
    name_of_data_path,
    names_of_ref_path,
    reference_paths,
)
from h5flow.errors import FileFormatError, NoSuchDatasetError, did_you_mean
from h5flow.io.external import belongings
from h5flow.io.links import leaving_link
from h5flow.io.lookup import object_at
from h5flow.io.object_references import address_of

__all__ = [
    "Inventory",
    "check_group",
    "explain_missing",
    "explain_unlinked",
    "index_paths",
    "paths_to_delete",
    "take_inventory",
]


class Inventory(NamedTuple):
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

    Other files are not opened. In the working file of a run, what it does not follow counts, too.

    Parameters
    ----------
    file : h5py.File
    """
    datasets, references = [], []
    for path in (*_leaf_paths(file, ""), *belongings(file, NOT_FOLLOWED)):
        name = name_of_data_path(path)
        if name is not None:
            datasets.append(name)
        names = names_of_ref_path(path)
        if names is not None:
            references.append(reference_paths(*names))
    return Inventory(
        tuple(sorted(set(datasets))), tuple(sorted(references, key=lambda r: (r.parent, r.child)))
    )


def paths_to_delete(file: h5py.Group, inventory: Inventory, name: str) -> tuple[str, ...]:
    """Return what goes with a dataset or plain group, in the order in which to remove it.

    Parameters
    ----------
    file : h5py.File
    inventory : Inventory
        Of this file.
    name : str
        A dataset goes with its metadata, and all references from and to it; what lies below its
        group stays. A plain group goes with everything below it.

    Returns
    -------
    tuple of str
        Absolute paths, empty where there is nothing of that name.
    """
    name = clean_name(name)
    group = attributes_path(name)
    paths = []
    for dataset in inventory.below(name):
        for relation in inventory.references_of(dataset):
            paths += [relation.ref, relation.parent_region, relation.child_region]
            paths += index_paths(relation)
    if name in inventory.datasets:
        paths += [data_path(name), group]
    elif file.get(group, getlink=True) is not None:
        paths += [*_paths_below(file, group), group]
    is_plain = name not in inventory.datasets
    for path, link in belongings(file, NOT_FOLLOWED).items():
        if path in {data_path(name), group} or (is_plain and path.startswith(f"{group}/")):
            paths.append(link)
    return tuple(path for path in dict.fromkeys(paths) if file.get(path, getlink=True) is not None)


def index_paths(relation: ReferencePaths) -> tuple[str, ...]:
    """Return where the tables of a relation's sorted indices would be."""
    return tuple(path for each in relation.indices for path in (each.offsets, each.children))


def explain_missing(file: h5py.Group, inventory: Inventory, name: str) -> NoSuchDatasetError:
    """Return the error that says what there is in place of a dataset."""
    name = clean_name(name)
    group, data = attributes_path(name), data_path(name)
    there, rows = object_at(file, group), object_at(file, data)
    if isinstance(there, h5py.Dataset):
        return NoSuchDatasetError(
            f"'{name}' is an HDF5 dataset itself, not a group with its rows in {data}",
            advice=f"Read it by its path: data_manager['{group}'].",
        )
    if rows is not None:
        what = "is a group" if isinstance(rows, h5py.Group) else "holds a single value"
        return NoSuchDatasetError(f"'{name}' is not a dataset: {data} {what}, not rows")
    if there is not None:
        below = inventory.below(name)
        return NoSuchDatasetError(
            f"'{name}' is a group without rows: there is no {data}",
            advice=f"Below it are {', '.join(below)}." if below else None,
        )
    names = inventory.datasets
    return NoSuchDatasetError(
        f"there is no dataset '{name}'{did_you_mean(name, names)}",
        advice=f"There are {', '.join(names)}." if names else "The file has none.",
    )


def explain_unlinked(inventory: Inventory, parent: str, child: str) -> NoSuchDatasetError:
    """Return the error that says what a dataset is linked to."""
    parent, child = clean_name(parent), clean_name(child)
    others = sorted(
        paths.child if paths.parent == parent else paths.parent
        for paths in inventory.references_of(parent)
    )
    return NoSuchDatasetError(
        f"there are no references {parent} -> {child}{did_you_mean(child, others)}",
        advice=f"{parent} is linked to {', '.join(others)}."
        if others
        else f"{parent} is linked to no dataset; create_ref makes references.",
    )


def check_group(file: h5py.Group, path: str) -> None:
    """Raise where a group cannot be, as something else is there or on the way.

    Raises
    ------
    FileFormatError
        With the path of what is there.
    """
    place = ""
    for part in path.strip("/").split("/"):
        place += f"/{part}"
        if file.get(place, getlink=True) is None:
            return
        if not isinstance(object_at(file, place), h5py.Group):
            raise FileFormatError(
                f"'{path.strip('/')}' cannot have metadata: {place} is not a group"
            )


def _paths_below(file: h5py.Group, path: str) -> Iterator[str]:
    """Yield the paths of everything below a group, the innermost first; links are not followed."""
    if not isinstance(file.get(path, getlink=True), h5py.HardLink):
        return
    group = file[path]
    for key in group if isinstance(group, h5py.Group) else ():
        yield from _paths_below(file, f"{path}/{key}")
        yield f"{path}/{key}"


def _leaf_paths(group: h5py.Group, prefix: str, above: tuple[int, ...] = ()) -> Iterator[str]:
    """Yield the paths of everything that is not a group, without opening other files."""
    address = address_of(group)
    if address in above:
        # a group that is its own member
        return
    for key in group:
        path = f"{prefix}/{key}"
        if path == f"/{RECORDS}":
            continue
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.ExternalLink) or (
            isinstance(link, h5py.SoftLink) and leaving_link(group.file, path) is not None
        ):
            yield path
            continue
        found = object_at(group, key)
        if isinstance(found, h5py.Dataset):
            yield path
        elif isinstance(link, h5py.HardLink) and isinstance(found, h5py.Group):
            yield from _leaf_paths(found, path, (*above, address))
