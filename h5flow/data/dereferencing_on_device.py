"""Following references in scripts where arrays live on a device, or are wanted there.

References that lie on the device are followed there; those of a file, or of NumPy, on the host, and
what comes of it is moved. Either way the result is that of `dereference` on the host, element by
element.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from h5flow.arrays import DeviceNamespace, array_in, dtype_of, is_device_array
from h5flow.data.columns import Columns, MaskedColumns, gather
from h5flow.data.following import Regions, follow_chain, missing_rows_warning
from h5flow.data.host_copies import download, to_host
from h5flow.data.indexing import take
from h5flow.data.masked import MaskedArray
from h5flow.data.padding_on_device import pad
from h5flow.data.parents import (
    begin,
    columns_of,
    references_of,
    row_mask_of,
    rows_and_hidden,
    select_up_to,
    source_of,
)
from h5flow.data.presentation import padding_budget, present
from h5flow.errors import DataError
from h5flow.io.reading import RowSource, read_rows, read_slice
from h5flow.references.follow import Followed
from h5flow.references.follow_on_device import (
    cells_on_device,
    compose_on_device,
    follow_on_device,
)
from h5flow.references.jagged import Jagged
from h5flow.references.padding import check_budget
from h5flow.references.regions import is_region_dtype

if TYPE_CHECKING:
    from h5flow.backends import Backend

__all__ = [
    "DeviceReferences",
    "follow_chain_to",
    "jagged_on",
    "padded_on",
]


@dataclass(frozen=True, eq=False)
class DeviceReferences:
    """References on a device, seen in one direction.

    Parameters
    ----------
    parents, children : array
        int64, shape (L,).
    starts, stops : array or None
        int64, one for each row of the parent: where its references lie. None searches all of it.
    """

    parents: Any
    children: Any
    starts: Any = None
    stops: Any = None

    @classmethod
    def of(
        cls, ref: Any, region: Any, columns: tuple[int, int], backend: Backend
    ) -> DeviceReferences:
        """Return references and regions on a backend, from wherever they are.

        Raises
        ------
        DataError
            They are not references, or not regions.
        """
        shape, dtype = tuple(ref.shape), dtype_of(ref)
        if len(shape) != 2 or shape[1] != 2 or (dtype.kind not in "iu" and shape[0]):
            raise DataError(f"references are integers of shape (N, 2), not {dtype} {shape}")
        xp, table = backend.namespace, _on(backend, ref)
        parents, children = (
            xp.astype(take(table, (slice(None), column)), xp.int64) for column in columns
        )
        if region is None:
            return cls(parents, children)
        if not is_region_dtype(dtype_of(region)) or len(region.shape) != 1:
            raise DataError(
                f"a region has the integer fields start and stop and one dimension, not "
                f"{dtype_of(region)} {tuple(region.shape)}"
            )
        regions = _on(backend, region)
        starts, stops = (xp.astype(regions[name], xp.int64) for name in ("start", "stop"))
        if bool(xp.any(xp.logical_or(starts < 0, stops < starts))):
            raise DataError(
                "there are regions that are negative or end before they begin, which cannot be",
                advice="Follow the references without them.",
            )
        return cls(parents, children, starts, stops)

    def parent_rows(self, xp: DeviceNamespace) -> int:
        """Return how many rows the parent has, as far as regions or references tell."""
        if self.starts is not None:
            return int(self.starts.shape[0])
        return int(xp.max(self.parents)) + 1 if self.parents.shape[0] else 0

    def regions_of(self, xp: DeviceNamespace, rows: Any) -> Regions:
        """Return the regions of rows of the parent; rows that do not exist have none."""
        there, zero = rows >= 0, xp.zeros_like(rows)
        length = self.parents.shape[0]
        if self.starts is None:
            return Regions(zero, xp.where(there, zero + length, zero))
        count = self.starts.shape[0]
        if not count:
            return Regions(zero, zero)
        there = xp.logical_and(there, rows < count)
        at = xp.clip(rows, 0, count - 1)
        return Regions(
            *(
                xp.where(there, xp.clip(xp.take(bound, at), None, length), zero)
                for bound in (self.starts, self.stops)
            )
        )

    def children_of(self, xp: DeviceNamespace, rows: Any, regions: Regions) -> Followed:
        """Return the children of rows of the parent that have the given regions."""
        starts, stops = regions.starts, regions.stops
        filled = stops > starts
        if not rows.shape[0] or not bool(xp.any(filled)):
            return Followed(
                xp.zeros((rows.shape[0] + 1,), dtype=xp.int64), xp.zeros((0,), dtype=xp.int64)
            )
        # what lies before and after all regions is not looked at
        first = int(xp.min(xp.where(filled, starts, self.parents.shape[0])))
        last = int(xp.max(stops))
        parents, children = self.parents[first:last], self.children[first:last]
        return follow_on_device(xp, rows, starts, stops, parents, children, first)


def _merged(xp: DeviceNamespace, one: Regions, two: Regions) -> Regions:
    """Return the smallest regions that hold two regions of each row."""
    one_empty, two_empty = one.stops <= one.starts, two.stops <= two.starts
    starts = xp.where(
        one_empty, two.starts, xp.where(two_empty, one.starts, xp.minimum(one.starts, two.starts))
    )
    stops = xp.where(
        one_empty, two.stops, xp.where(two_empty, one.stops, xp.maximum(one.stops, two.stops))
    )
    return Regions(starts, stops)


def follow_chain_to(
    backend: Backend,
    sel: Any,
    refs: Sequence[Any],
    regions: Sequence[Any],
    directions: Sequence[Any],
    mask: Any,
) -> list[Followed]:
    """Follow a chain of references where they are, and return its links on a backend.

    A chain of which any references are on a device is followed there.
    """
    xp = backend.namespace
    links = list(zip(refs, regions, directions, strict=True))
    if not any(is_device_array(ref) for ref in refs):
        start = begin(to_host(sel), refs[0], to_host(regions[0]), to_host(mask), directions[0])
        rest = [references_of(ref, to_host(region), each) for ref, region, each in links[1:]]
        chain = [start.references, *rest]
        levels = follow_chain(start.rows, chain, mask=start.mask, regions=start.regions)
        arrays = [array for level in levels for array in (level.offsets, level.index)]
        moved = iter(backend.upload(arrays))
        return [Followed(next(moved), next(moved)) for _ in levels]
    device_chain = [_device_references(backend, *link) for link in links]
    first = device_chain[0]
    is_array = regions[0] is not None and not isinstance(regions[0], h5py.Dataset)
    rows, hidden = rows_and_hidden(
        to_host(sel), lambda chosen: select_up_to(chosen, first.parent_rows(xp), is_region=is_array)
    )
    row_mask = row_mask_of(to_host(mask), hidden, len(rows))
    current = _on(backend, rows)
    found = first.regions_of(xp, current)
    if is_array and len(rows) == first.parent_rows(xp) and (rows != np.arange(len(rows))).any():
        # one region for each selected row, or for each row of the parent: either may be meant
        in_order = first.regions_of(xp, xp.arange(len(rows), dtype=xp.int64))
        found = _merged(xp, in_order, found)
    if row_mask is not None:
        zero, left_out = xp.zeros_like(current), _on(backend, row_mask)
        found = Regions(*(xp.where(left_out, zero, each) for each in (found.starts, found.stops)))
    followed = [first.children_of(xp, current, found)]
    for link in device_chain[1:]:
        current = followed[-1].index
        followed.append(link.children_of(xp, current, link.regions_of(xp, current)))
    return followed


def padded_on(
    backend: Backend, levels: Sequence[Followed], data: Any, *, indices_only: bool
) -> Any:
    """Return the rows at the end of followed links, padded, on a device."""
    xp, data = backend.namespace, _source(data)
    shape, cells = cells_on_device(xp, levels)
    index = levels[-1].index
    there = _existing(xp, index, data, "masked")
    if there is not None:
        cells, index = cells[there], index[there]
    values = _values(backend, index, data, indices_only)
    check_budget(shape, values, padding_budget(backend))
    return pad(xp, shape, cells, values)


def jagged_on(
    backend: Backend, levels: Sequence[Followed], data: Any, *, indices_only: bool
) -> Jagged:
    """Return the rows at the end of followed links, without padding, on a device."""
    xp, data = backend.namespace, _source(data)
    step = compose_on_device(xp, levels)
    offsets, index = step.offsets, step.index
    there = _existing(xp, index, data, "left out")
    if there is not None:
        before = xp.cumulative_sum(xp.astype(there, xp.int64), dtype=xp.int64, include_initial=True)
        offsets, index = xp.take(before, offsets), index[there]
    return Jagged(offsets, _values(backend, index, data, indices_only), index)


def _device_references(backend: Backend, ref: Any, region: Any, direction: Any) -> DeviceReferences:
    """Return references on a device, brought there if they are on the host."""
    if not is_device_array(ref):
        on_host = references_of(ref, to_host(region), direction)
        ref, region = on_host.ref, on_host.region
    elif array_in(region) is None:
        region = source_of(region, "region")
    return DeviceReferences.of(ref, region, columns_of(direction), backend)


def _source(data: Any) -> Any:
    """Return rows that can be read, or are on a device already."""
    return source_of(data, "data") if array_in(data) is None else data


def _values(backend: Backend, index: Any, data: Any, indices_only: bool) -> Any:
    if indices_only:
        return index
    if isinstance(data, MaskedArray | MaskedColumns):
        data = data.data  # as on the host: rows are rows, and a mask is not followed
    if array_in(data) is not None:
        return gather(data, index)
    return present(backend, read_rows(data, download(index)))


def _existing(xp: DeviceNamespace, index: Any, data: Any, fate: str) -> Any:
    """Say which rows exist, None where all do or that is not asked; warn of those that do not."""
    if data is None:
        return None
    there = xp.logical_and(index >= 0, index < (data.shape[0] if data.shape else 0))
    missing = index.shape[0] - int(xp.count_nonzero(there))
    if not missing:
        return None
    warnings.warn(missing_rows_warning(missing, fate), stacklevel=5)
    return there


def _on(backend: Backend, value: Any) -> Any:
    """Return rows on a backend: those that are there already as they are."""
    if isinstance(value, Columns) or is_device_array(value):
        return value
    source: RowSource = value
    return present(backend, read_slice(source, 0, source.shape[0]))
