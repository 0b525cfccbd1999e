"""From requirements to arrays: what a stage finds in its cache."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.backends import Backend, choose_backend
from h5flow.config.workflow import Requirement
from h5flow.core.next_chunk import NextChunk
from h5flow.core.wanted import Path, Wanted, requirement_path
from h5flow.data.layout import clean_name, data_path
from h5flow.errors import (
    DataError,
    FileFormatError,
    H5FlowError,
    H5FlowWarning,
    NoRoomError,
    NoSuchDatasetError,
    PaddingError,
    did_you_mean,
)

if TYPE_CHECKING:
    from h5flow.core.chunk_cache import ChunkCache
    from h5flow.data.linked_tables import LinkedTables

__all__ = ["CacheLoader"]

# What a requirement may fail with; other exceptions are not made again with a longer message.
PLAIN_ERRORS = (H5FlowError, DataError, FileFormatError, NoSuchDatasetError, PaddingError)


TOO_LARGE = "Take smaller chunks (--chunk-size ROWS), or `layout: jagged`."


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
        self._loaded: dict[str, Wanted] = {}
        self._moving: ChunkCache | None = None
        self._iteration = 0
        self._backend: Backend = choose_backend("numpy")
        self._next = NextChunk(tables, self._source)
        tables.rendezvous.catalogue.touched.clear()

    def close(self) -> None:
        """End what reads ahead, before the file is closed."""
        self._next.close()

    def source_length(self) -> int | None:
        """Return the number of rows that the source has by now, None where it does not exist."""
        found = self._tables.find(self._source)
        return None if found is None else found.length

    def begin_iteration(self, iteration: int) -> None:
        """Forget what the chunk before has left on devices: the generator comes next."""
        self._iteration = iteration
        if self._tables.results is not None:
            self._tables.results.clear()

    def begin_chunk(self, backends: Sequence[Backend] = ()) -> dict[str, Any]:
        """Return an empty cache for the next chunk, for stages on these backends."""
        self._loaded, self._moving = {}, None
        if len(backends) < 2:
            return {}
        from h5flow.core.chunk_cache import ChunkCache

        self._moving = ChunkCache(backends[0])
        return self._moving

    def fill(
        self,
        cache: dict[str, Any],
        rows: slice,
        requirements: Iterable[Requirement],
        backend: Backend | None = None,
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
        backend : Backend, optional
            Where the stage works that is next; NumPy by default.

        Raises
        ------
        H5FlowError
            Rows cannot be read, or a requirement cannot be loaded; names it, the chunk and the
            rows.
        """
        self._backend = backend or self._backend
        if self._moving is not None:
            self._moving.hand_to(self._backend)
        source = Requirement(name=self._source_key, path=(self._source,))
        for requirement in (source, *requirements):
            name = requirement.name
            if requirement is not source and name == self._source_key:
                continue  # the source itself: nothing else may have its name
            is_source = requirement is source
            try:
                wanted = self._wanted(requirement, is_source=is_source)
                if name in cache and self._loaded.get(name, wanted) == wanted:
                    continue
                cache[name] = self._load(requirement, wanted, rows)
            except NoRoomError:
                raise  # reading writes what waits in memory, which is not this requirement's fault
            except Exception as error:
                raise self._named(requirement, rows, error, is_source=is_source) from error
            self._loaded[name] = wanted

    def _named(
        self, requirement: Requirement, rows: slice, error: Exception, *, is_source: bool
    ) -> H5FlowError:
        """Return the error with what was to be loaded, and for which rows."""
        kind = type(error) if type(error) in PLAIN_ERRORS else H5FlowError
        assert issubclass(kind, H5FlowError)
        what = f"the {'source' if is_source else 'requirement'} '{requirement.name}'"
        why = (
            error.message if isinstance(error, H5FlowError) else f"{type(error).__name__}: {error}"
        )
        return kind(
            f"{what} cannot be loaded for chunk {self._iteration}, rows {rows.start}:{rows.stop} "
            f"of '{self._source}': {why}",
            place=requirement.place,
            advice=TOO_LARGE
            if self._backend.is_out_of_memory(error)
            else getattr(error, "advice", None),
        )

    def _wanted(self, requirement: Requirement, *, is_source: bool) -> Wanted:
        path = requirement_path(self._source, requirement)
        if path == (self._source, self._source) and (
            is_source or self._tables.find_relation(*path) is None
        ):
            path = (self._source,)
        tables = [data_path(path[-1])]
        for parent, child in pairwise(path):
            found = self._tables.find_relation(parent, child)
            tables += [found[0].ref if found else ""]
        versions = tuple(self._version(table) for table in tables)
        return Wanted(path, requirement.layout, requirement.index_only, versions)

    def _version(self, table: str) -> int | None:
        rendezvous = self._tables.rendezvous
        if not table or rendezvous.find(table) is None:
            return None
        return rendezvous.catalogue.versions[table]

    def read_ahead(
        self, rows: slice | None, requirements: Iterable[Requirement], backend: Backend
    ) -> None:
        """Have the next chunk read meanwhile, as far as this run does not write what it needs.

        Parameters
        ----------
        rows : slice or None
            The chunk that comes next on this rank, None where that is not known.
        requirements : iterable of Requirement
            Of all stages.
        backend : Backend
            Of the first stage: what is linked is read ahead for the host alone.
        """
        if not self._next.begin(rows) or rows is None:
            return
        source = Requirement(name=self._source_key, path=(self._source,))
        self._next.read(source, self._wanted(source, is_source=True), rows)
        for requirement in requirements if backend.is_host else ():
            if requirement.name != self._source_key:
                self._next.read(requirement, self._wanted(requirement, is_source=False), rows)

    def _load(self, requirement: Requirement, wanted: Wanted, rows: slice) -> Any:
        taken = self._next.take(wanted, rows, self._backend)
        return self._read(requirement, wanted.path, rows) if taken is None else taken

    def _read(self, requirement: Requirement, path: Path, rows: slice) -> Any:
        if len(path) == 1:
            return self._take(requirement, path[0], rows)
        missing = self._missing(path)
        if requirement.layout == "aligned":
            if missing and self._tables.find(path[-1]) is None:
                return self._without(requirement, path, missing)
            return self._aligned(requirement, path[-1], rows)
        if not missing:
            from h5flow.data.access import read_linked

            return read_linked(
                self._tables,
                path,
                rows,
                requirement.layout,
                index_only=requirement.index_only,
                backend=self._backend,
            )
        if not requirement.optional and not self._strict and self._could_align(path, rows):
            self._warn(
                requirement,
                f"{missing}; taken row by row, as '{path[-1]}' is as long as '{path[0]}' "
                "(write `layout: aligned` to say so)",
            )
            return self._aligned(requirement, path[-1], rows)
        return self._without(requirement, path, missing)

    def _missing(self, path: Path) -> str:
        """Return what of a chain does not exist, an empty string where all does."""
        for name in path[1:]:
            if self._tables.find(name) is None:
                near = did_you_mean(name, self._tables.inventory.datasets)
                return f"there is no dataset '{name}'{near}"
        for parent, child in pairwise(path):
            if self._tables.find_relation(parent, child) is None:
                return f"there are no references {parent} -> {child}"
        return ""

    def _could_align(self, path: Path, rows: slice) -> bool:
        """Return whether a dataset is as long as the source, or grows with it chunk by chunk."""
        last, source = self._tables.find(path[-1]), self._tables.find(path[0])
        if len(path) != 2 or last is None or source is None:
            return False
        return last.length in {source.length, rows.stop}

    def _without(self, requirement: Requirement, path: Path, missing: str) -> None:
        """Return None where that is what the user asked for, else raise."""
        if requirement.optional:
            return
        if not self._strict:
            self._warn(requirement, f"{missing}; it is None in the cache")
            return
        advice = "Have an earlier stage make it, or mark it with `optional: true`."
        if "references" in missing and self._tables.dataset(path[-1]).length == (
            self._tables.dataset(path[0]).length
        ):
            advice = (
                f"'{path[-1]}' is as long as '{path[0]}': `layout: aligned` takes it row by row."
            )
        raise NoSuchDatasetError(missing, advice=advice)

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
            raise DataError(
                f"it has `layout: aligned`, but '{name}' has {length:,} rows and the source "
                f"'{self._source}' {source_length:,}"
            )
        return self._take(requirement, name, rows)

    def _take(self, requirement: Requirement, name: str, rows: slice) -> Any:
        if requirement.index_only:
            from h5flow.data.presentation import present

            numbers = np.arange(max(rows.start, 0), max(rows.stop, 0), dtype=np.int64)
            return present(self._backend, numbers)
        from h5flow.data.access import read_slice_on

        return read_slice_on(self._tables, name, rows, self._backend)


def requirements_so_far(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    """Return requirements without repeats; of one name the latest counts."""
    return tuple({requirement.name: requirement for requirement in requirements}.values())
