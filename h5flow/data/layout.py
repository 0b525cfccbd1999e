"""The file format: paths, attributes and dtypes. Nothing else in the package knows them.

::

    /<dataset>/data                    rows
    /<A>/ref/<B>/ref                   (L, 2) integers, column 0 indexes A, column 1 indexes B
    /<A>/ref/<B>/ref_region            (len A,) start, stop: rows of ``ref`` that hold row i's
    /<B>/ref/<A>/ref_region            (len B,) the same for the other direction
    /h5flow/index/<A>/ref/<B>/ref/0    offsets, children: what each row of A refers to, in order
    /h5flow/index/<A>/ref/<B>/ref/1    offsets, children: what each row of B refers to, in order
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from h5flow.errors import DataError

__all__ = [
    "INDEXED_REFERENCES",
    "NOT_FOLLOWED",
    "RECORDS",
    "IndexPaths",
    "ReferencePaths",
    "absolute_path",
    "attributes_path",
    "clean_name",
    "data_path",
    "index_attribute",
    "is_dataset_name",
    "name_of_data_path",
    "names_of_ref_path",
    "ref_dtype",
    "ref_region_dtype",
    "reference_paths",
]

DATA, REF, REGION, RECORDS = "data", "ref", "ref_region", "h5flow"
# What a working file has in other files that its run does not follow; gone when it is published.
NOT_FOLLOWED = f"/{RECORDS}/not_followed"
RESERVED = frozenset({DATA, REF, REGION})
# Attribute of an index's offsets: the length of the reference table that it was made for.
INDEXED_REFERENCES = "references"

ref_dtype = np.dtype("i8")
ref_region_dtype = np.dtype([("start", "i8"), ("stop", "i8")])


class IndexPaths(NamedTuple):
    """Absolute paths of the sorted index of one direction of a relation."""

    group: str

    @property
    def offsets(self) -> str:
        """Where the children of each parent begin."""
        return f"{self.group}/offsets"

    @property
    def children(self) -> str:
        """The children of all parents."""
        return f"{self.group}/children"


class ReferencePaths(NamedTuple):
    """Absolute paths of one many-to-many relation, and the names it links."""

    parent: str
    child: str
    ref: str
    parent_region: str
    child_region: str

    @property
    def ref_attributes(self) -> dict[str, str]:
        """Attributes of the reference table."""
        return {
            "dset0": data_path(self.parent),
            "dset1": data_path(self.child),
            "ref_region0": self.parent_region,
            "ref_region1": self.child_region,
        }

    @property
    def indices(self) -> tuple[IndexPaths, IndexPaths]:
        """The indices by parent and by child; either may be missing."""
        group = f"/{RECORDS}/index{self.ref}"
        return IndexPaths(f"{group}/0"), IndexPaths(f"{group}/1")

    @property
    def region_attributes(self) -> dict[str, str]:
        """Attributes of both region tables."""
        return {"ref": self.ref}


def clean_name(name: str) -> str:
    """Return a dataset's name without leading, trailing and doubled slashes.

    Raises
    ------
    DataError
        The name is empty or uses a word that the format reserves.
    """
    if not isinstance(name, str):
        raise DataError(f"the name of a dataset is a string, not {name!r}")
    return _clean(name)


# Every call of the data manager cleans a name several times.
@lru_cache(maxsize=4096)
def _clean(name: str) -> str:
    parts = [part for part in name.split("/") if part]
    if not parts:
        raise DataError(f"'{name}' is not the name of a dataset")
    taken = RESERVED.intersection(parts) or {".", ".."}.intersection(parts)
    if taken or parts[0] == RECORDS:
        word = min(taken) if taken else RECORDS
        raise DataError(
            f"'{name}' cannot name a dataset: '{word}' is reserved by the file format",
            advice="Choose a name whose parts are none of data, ref, ref_region, and that does "
            "not begin with h5flow.",
        )
    return "/".join(parts)


def is_dataset_name(name: str) -> bool:
    """Return whether a dataset can have that name."""
    try:
        clean_name(name)
    except DataError:
        if not isinstance(name, str):
            raise
        return False
    return True


def absolute_path(path: str) -> str:
    """Return an HDF5 path with one slash before each part; ``"/"`` for the root.

    Examples
    --------
    >>> absolute_path("charge//hits/data/")
    '/charge/hits/data'
    """
    return "/" + "/".join(part for part in path.split("/") if part)


def data_path(name: str) -> str:
    """Return the path of a dataset's rows."""
    return f"/{clean_name(name)}/{DATA}"


def index_attribute(column: int) -> str:
    """Return the attribute of a reference table that names the group of its index."""
    return f"index{column}"


def attributes_path(name: str) -> str:
    """Return the path of the group that holds a dataset's metadata."""
    return f"/{clean_name(name)}"


def name_of_data_path(path: str) -> str | None:
    """Return the dataset whose rows are at `path`, None where the path is something else.

    Examples
    --------
    >>> name_of_data_path("/charge/hits/data")
    'charge/hits'
    """
    parts = [part for part in path.split("/") if part]
    if len(parts) < 2 or parts[-1] != DATA or parts[0] == RECORDS:
        return None
    return None if RESERVED.intersection(parts[:-1]) else "/".join(parts[:-1])


def names_of_ref_path(path: str) -> tuple[str, str] | None:
    """Return parent and child of the reference table at `path`, None where it is none.

    Examples
    --------
    >>> names_of_ref_path("/events/ref/charge/hits/ref")
    ('events', 'charge/hits')
    """
    parts = [part for part in path.split("/") if part]
    if len(parts) < 4 or parts[-1] != REF or parts.count(REF) != 2 or parts[0] == RECORDS:
        return None
    middle = parts.index(REF)
    parent, child = parts[:middle], parts[middle + 1 : -1]
    if not parent or not child or RESERVED.intersection([*parent, *child]):
        return None
    return "/".join(parent), "/".join(child)


def reference_paths(parent: str, child: str) -> ReferencePaths:
    """Return the paths of the references ``parent -> child`` as they were created."""
    parent, child = clean_name(parent), clean_name(child)
    return ReferencePaths(
        parent=parent,
        child=child,
        ref=f"/{parent}/{REF}/{child}/{REF}",
        parent_region=f"/{parent}/{REF}/{child}/{REGION}",
        child_region=f"/{child}/{REF}/{parent}/{REGION}",
    )
