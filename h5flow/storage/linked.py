"""Datasets that lie in other files, behind external links."""

from __future__ import annotations

from pathlib import Path

import h5py

from h5flow.errors import FileFormatError
from h5flow.io.links import linked_target
from h5flow.io.open_file import open_file

__all__ = ["LinkedDatasets"]


class LinkedDatasets:
    """What external links of a file lead to, each through a read-only handle of its own file.

    HDF5 itself would open the other file for writing where the first one is.

    Parameters
    ----------
    path : pathlib.Path
        The file with the links.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[Path, h5py.File] = {}
        self._found: dict[str, h5py.Dataset] = {}

    def find(self, file: h5py.File, path: str) -> h5py.Dataset | None:
        """Return the dataset that `path` leads to in another file, None where it leads to none.

        Raises
        ------
        FileFormatError
            The other file cannot be opened.
        """
        if path in self._found:
            return self._found[path]
        target = linked_target(file, path)
        if target is None:
            return None
        source, inner = target
        dataset = self._open(source, path).get(inner)
        if not isinstance(dataset, h5py.Dataset):
            return None
        self._found[path] = dataset
        return dataset

    def forget(self, path: str) -> None:
        """Look for what is at or below `path` anew."""
        for known in list(self._found):
            if _is_at_or_below(known, path):
                del self._found[known]

    def close(self) -> None:
        """Close all other files."""
        self._found = {}
        for file in self._files.values():
            file.close()
        self._files = {}

    def _open(self, source: Path, path: str) -> h5py.File:
        if source not in self._files:
            try:
                self._files[source] = open_file(source, "r")
            except FileFormatError as error:
                raise FileFormatError(
                    f"{path} in {self._path} is a link to another file: {error.message}",
                    advice=error.advice,
                ) from error
        return self._files[source]


def _is_at_or_below(path: str, place: str) -> bool:
    """Return whether `path` is `place`, or something in it."""
    return f"{path}/".startswith(f"{place.rstrip('/')}/")
