"""Which entries of the next chunk's cache are read while stages work on this one."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.core.read_ahead import MOST_BYTES, ReadAhead
from h5flow.data.layout import data_path
from h5flow.io.chunks import row_bytes

if TYPE_CHECKING:
    from h5flow.backends import Backend
    from h5flow.config.workflow import Requirement
    from h5flow.core.wanted import Path, Wanted
    from h5flow.data.linked_tables import LinkedTables

__all__ = ["NextChunk"]

# Less is read before another thread could begin.
LEAST_BYTES = 2**18
# Where less passes between two chunks, another thread only adds the time to wake it.
LEAST_SECONDS = 5e-4


class NextChunk:
    """Reads ahead what nobody writes in this loop.

    Parameters
    ----------
    tables : LinkedTables
    source : str
        The dataset whose rows are chunks.
    """

    def __init__(self, tables: LinkedTables, source: str) -> None:
        self._tables, self._source = tables, source
        self._ahead = ReadAhead()
        self._upcoming: slice | None = None
        self._began = 0.0
        #: How long stages worked on the last chunk.
        self._seconds = 0.0

    def begin(self, rows: slice | None) -> bool:
        """Forget what was read and not taken; a chunk comes next.

        Returns
        -------
        bool
            Whether to read it now: it is neither so small nor so large that it is better read
            later, and stages worked long enough on the chunk before.
        """
        self._ahead.begin()
        self._upcoming, self._began = rows, perf_counter()
        return rows is not None and self._seconds >= LEAST_SECONDS and self._is_worth_it(rows)

    def close(self) -> None:
        """End what reads ahead."""
        self._ahead.close()

    def _is_worth_it(self, rows: slice) -> bool:
        source = self._tables.find(self._source)
        if source is None or not self._ahead.is_useful:
            return False
        size = (rows.stop - rows.start) * row_bytes(source.dtype, source.row_shape)
        return bool(LEAST_BYTES <= size <= MOST_BYTES)

    def read(self, requirement: Requirement, wanted: Wanted, rows: slice) -> None:
        """Have what a requirement wants of a chunk read meanwhile, where that is possible."""
        path, key = wanted.path, (wanted, rows.start, rows.stop)
        if requirement.layout == "aligned" or not self._is_untouched(path):
            return
        from h5flow.data.access import linked_reading, slice_reading

        if len(path) > 1:
            layout, index_only = requirement.layout, requirement.index_only
            self._ahead.read(
                key, linked_reading(self._tables, path, rows, layout, index_only=index_only)
            )
        elif not requirement.index_only:
            self._ahead.read(key, slice_reading(self._tables, path[0], rows))

    def take(self, wanted: Wanted, rows: slice, backend: Backend) -> Any:
        """Return what was read, as a stage on a backend has it; None where nothing was."""
        if rows == self._upcoming:
            self._seconds, self._upcoming = perf_counter() - self._began, None
        if len(wanted.path) > 1 and not backend.is_host:
            return None
        if not self._is_untouched(wanted.path):
            return None
        found = self._ahead.take((wanted, rows.start, rows.stop))
        if found is None:
            return None
        from h5flow.data.access import present_linked
        from h5flow.data.presentation import present

        if isinstance(found, np.ndarray):
            return present(backend, found)
        return present_linked(backend, found)

    def _is_untouched(self, path: Path) -> bool:
        """Return whether all of a path is there, and nobody has written to it in the loop."""
        rendezvous = self._tables.rendezvous
        is_untouched = rendezvous.catalogue.is_untouched
        relations = [self._tables.find_relation(*step) for step in pairwise(path)]
        return (
            self._tables.find(path[-1]) is not None
            and is_untouched(data_path(path[-1]))
            and not rendezvous.is_handed_out(data_path(path[-1]))
            and all(found is not None and is_untouched(found[0].ref) for found in relations)
        )
