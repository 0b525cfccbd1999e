"""From requirements to arrays: what a stage finds in its cache."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from h5flow.config.workflow import Requirement
from h5flow.data.access import read_linked, read_slice_of
from h5flow.data.layout import clean_name, data_path
from h5flow.data.linked_tables import LinkedTables
from h5flow.errors import H5FlowError, H5FlowWarning, NoSuchDatasetError, did_you_mean

__all__ = ["CacheLoader", "Path", "requirement_path"]

Path = tuple[str, ...]


@dataclass(frozen=True)
class Loaded:
    """What an entry was made of: the requirement, and the versions of all tables on its path."""

    requirement: Requirement
    versions: tuple[int, ...]


def requirement_path(source: str, requirement: Requirement) -> Path:
    """Return the chain of datasets from the source on, the source included."""
    source = clean_name(source)
    path = tuple(clean_name(name) for name in requirement.path)
    return path if path[0] == source and len(path) > 1 else (source, *path)


class CacheLoader:
    """Fills a chunk's cache before each stage.

    Parameters
    ----------
    tables : LinkedTables
        The output.
    source : str
        The dataset the workflow loops over.
    strict : bool
        Whether a requirement that cannot be loaded is an error. Otherwise it is None where the
        dataset does not exist, and taken row by row where there are no references but as many
        rows as the source has; each with one warning.
    """

    def __init__(self, tables: LinkedTables, source: str, *, strict: bool) -> None:
        self._tables = tables
        self._source = clean_name(source)
        self._source_key = source
        self._strict = strict
        self._warned: set[str] = set()
        self._loaded: dict[str, Loaded] = {}

    def begin_chunk(self) -> dict[str, Any]:
        """Return an empty cache for the next chunk."""
        self._loaded = {}
        return {}

    def fill(
        self, cache: dict[str, Any], rows: slice, requirements: Iterable[Requirement]
    ) -> None:
        """Load what is missing or out of date.

        Parameters
        ----------
        cache : dict
            Of this chunk; changed in place.
        rows : slice
            The chunk's rows of the source.
        requirements : iterable of Requirement
            Of the stages so far.
        """
        source = Requirement(name=self._source_key, path=(self._source,))
        for requirement in (source, *requirements):
            wanted = Loaded(requirement, self._versions(requirement))
            name = requirement.name
            if name in cache and self._loaded.get(name, wanted) == wanted:
                continue
            cache[name] = self._load(requirement, rows)
            self._loaded[name] = Loaded(requirement, self._versions(requirement))

    def _versions(self, requirement: Requirement) -> tuple[int, ...]:
        catalogue = self._tables.rendezvous.catalogue
        path = requirement_path(self._source, requirement)
        paths = [data_path(path[-1])]
        for parent, child in zip(path[:-1], path[1:], strict=True):
            found = self._tables.find_relation(parent, child)
            paths += [found[0].ref] if found else []
        return tuple(catalogue.versions[path] for path in paths)

    def _load(self, requirement: Requirement, rows: slice) -> Any:
        path = requirement_path(self._source, requirement)
        itself = path == (self._source, self._source)
        if itself and self._tables.find_relation(*path) is None:
            return self._take(requirement, read_slice_of(self._tables, self._source, rows), rows)
        missing = self._missing(path)
        if requirement.layout == "aligned":
            if missing and self._tables.find(path[-1]) is None:
                return self._without(requirement, missing)
            return self._aligned(requirement, path[-1], rows)
        if not missing:
            return read_linked(
                self._tables, path, rows, requirement.layout, index_only=requirement.index_only
            )
        if not requirement.optional and not self._strict and self._could_align(path):
            self._warn(
                requirement,
                f"{missing}; taken row by row, as '{path[-1]}' is as long as '{path[0]}' "
                "(write `layout: aligned` to say so)",
            )
            return self._aligned(requirement, path[-1], rows)
        return self._without(requirement, missing)

    def _missing(self, path: Path) -> str:
        """Return what of a chain does not exist, an empty string where all does."""
        for name in path[1:]:
            if self._tables.find(name) is None:
                near = did_you_mean(name, self._tables.inventory.datasets)
                return f"there is no dataset '{name}'{near}"
        for parent, child in zip(path[:-1], path[1:], strict=True):
            if self._tables.find_relation(parent, child) is None:
                return f"there are no references {parent} -> {child}"
        return ""

    def _could_align(self, path: Path) -> bool:
        last, source = self._tables.find(path[-1]), self._tables.find(path[0])
        return len(path) == 2 and last is not None and source is not None and (
            last.length == source.length
        )

    def _without(self, requirement: Requirement, missing: str) -> None:
        """Return None where that is what the user asked for, else raise."""
        if requirement.optional:
            return
        if not self._strict:
            self._warn(requirement, f"{missing}; it is None in the cache")
            return
        path = requirement_path(self._source, requirement)
        advice = "Have an earlier stage make it, or mark it with `optional: true`."
        if "references" in missing and self._could_align(path):
            advice = (
                f"'{path[-1]}' is as long as '{path[0]}': `layout: aligned` takes it row by row."
            )
        raise NoSuchDatasetError(
            f"the requirement '{requirement.name}' cannot be loaded: {missing}",
            place=requirement.place,
            advice=advice,
        )

    def _warn(self, requirement: Requirement, what: str) -> None:
        message = f"the requirement '{requirement.name}': {what}"
        if message not in self._warned:
            self._warned.add(message)
            place = f"{requirement.place}: " if requirement.place else ""
            warnings.warn(f"{place}{message}", H5FlowWarning, stacklevel=2)

    def _aligned(self, requirement: Requirement, name: str, rows: slice) -> Any:
        length = self._tables.dataset(name).length
        source_length = self._tables.dataset(self._source).length
        if not max(rows.stop, 0) <= length <= source_length:
            raise H5FlowError(
                f"the requirement '{requirement.name}' has `layout: aligned`, but '{name}' has "
                f"{length:,} rows and the source '{self._source}' {source_length:,}",
                place=requirement.place,
            )
        return self._take(requirement, read_slice_of(self._tables, name, rows), rows)

    def _take(self, requirement: Requirement, values: Any, rows: slice) -> Any:
        if not requirement.index_only:
            return values
        return np.arange(max(rows.start, 0), max(rows.stop, 0), dtype=np.int64)


def requirements_so_far(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    """Return requirements without repeats; of one name the latest counts."""
    return tuple({requirement.name: requirement for requirement in requirements}.values())
