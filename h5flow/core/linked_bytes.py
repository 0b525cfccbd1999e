"""What the rows linked to a chunk take in memory, known from regions before any of them is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from h5flow.core.wanted import requirement_path
from h5flow.io.chunks import LINKED_CHUNK_BYTES, row_bytes
from h5flow.io.reading import read_slice

if TYPE_CHECKING:
    from h5flow.config.workflow import Requirement
    from h5flow.data.linked_tables import LinkedTables

__all__ = ["LinkedBytes"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Weight:
    """What a requirement takes: bytes for each row that a region leads to; rows may be padded."""

    region: str
    bytes_per_row: float
    is_padded: bool


class LinkedBytes:
    """Estimates what requirements of a chunk take.

    Those whose references are made in the run, and chunks whose regions overlap, count as nothing:
    how many references a row has is not known there before all are read.

    Parameters
    ----------
    tables : LinkedTables
    source : str
        The dataset whose rows are chunks.
    requirements : iterable of Requirement
        Of all stages.
    """

    def __init__(
        self, tables: LinkedTables, source: str, requirements: Iterable[Requirement]
    ) -> None:
        self._tables, self._source = tables, source
        self._requirements = {requirement.name: requirement for requirement in requirements}
        self._weights: tuple[Weight, ...] = ()

    def begin(self) -> bool:
        """Find the references that there are; returns whether there are any. Collective."""
        found = map(self._weight, self._requirements.values())
        self._weights = tuple(weight for weight in found if weight is not None)
        return bool(self._weights)

    def cut(self, rows: range, chunk_rows: int, source_row_bytes: int) -> list[int]:
        """Return where chunks begin, and the last one ends; on one rank.

        Parameters
        ----------
        rows : range
            Of the source.
        chunk_rows : int
            The most that a chunk has; chunks begin at multiples of it, and where it would take
            more than `LINKED_CHUNK_BYTES` it is halved until it does not.
        source_row_bytes : int
        """
        bounds = [rows.start]
        while bounds[-1] < rows.stop:
            start = bounds[-1]
            # up to where a chunk ends that is not cut
            count = chunk_rows - (start - rows.start) % chunk_rows
            count = min(count, rows.stop - start)
            while count > 1 and self._size(start, count, source_row_bytes) > LINKED_CHUNK_BYTES:
                count = -(-count // 2)
            bounds.append(start + count)
        return bounds

    def _size(self, start: int, count: int, source_row_bytes: int) -> float:
        counts: dict[str, tuple[int, int]] = {}
        total = float(count * source_row_bytes)
        for weight in self._weights:
            if weight.region not in counts:
                counts[weight.region] = self._count(weight.region, start, start + count)
            references, widest = counts[weight.region]
            total += weight.bytes_per_row * (count * widest if weight.is_padded else references)
        return total

    def _weight(self, requirement: Requirement) -> Weight | None:
        tables = self._tables
        path = requirement_path(self._source, requirement)
        relations = [tables.find_relation(*step) for step in pairwise(path)]
        if len(path) < 2 or requirement.layout == "aligned" or None in relations:
            return None
        size, is_padded = 1.0, requirement.layout != "jagged"
        for step, relation in zip(list(pairwise(path))[1:], relations[1:], strict=True):
            # further links count with what they have on average
            parent = tables.find(step[0])
            assert relation is not None
            if parent is not None and parent.length:
                size *= tables.rendezvous.table(relation[0].ref).length / parent.length
        child, first = tables.find(path[-1]), relations[0]
        if child is None or first is None:
            return None
        row = 8 if requirement.index_only else row_bytes(child.dtype, child.row_shape)
        if is_padded:
            row += len(child.dtype.names or (None,))  # the mask
        paths, direction = first
        region = paths.parent_region if direction == (0, 1) else paths.child_region
        return Weight(region, size * row, is_padded)

    def _count(self, region: str, start: int, stop: int) -> tuple[int, int]:
        """Return the references of rows and the most that one has, 0 where regions overlap."""
        table = self._tables.rows(region)
        stop = min(stop, table.shape[0])
        if start >= stop:
            return 0, 0
        regions = read_slice(table, start, stop)
        starts, stops = regions["start"].astype(np.int64), regions["stop"].astype(np.int64)
        used = stops > starts
        starts, stops = starts[used], stops[used]
        order = np.argsort(starts, kind="stable")
        if not len(starts) or (stops[order][:-1] > starts[order][1:]).any():
            return 0, 0
        lengths = stops - starts
        return int(lengths.sum()), int(lengths.max())
