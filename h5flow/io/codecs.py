"""The filters of a dataset, undone and done outside of HDF5, which has one lock for all threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from h5flow.io.chunk_index import is_stored_as_read
from h5flow.io.chunks import row_bytes
from h5flow.io.packing.fletcher import CHECKSUM_BYTES, Checksum
from h5flow.io.packing.known import packer
from h5flow.io.packing.protocol import Bytes, Filter, Packing, ShortChunk, UndecodableChunk
from h5flow.io.packing.shuffle import Shuffle

__all__ = ["Pipeline", "pipeline_of"]


@dataclass(frozen=True)
class Pipeline:
    """The filters of a dataset, in the order in which they are done.

    Attributes
    ----------
    filters : tuple of Filter
    chunk_bytes : int
        Of a chunk without filters.
    """

    filters: tuple[Filter, ...]
    chunk_bytes: int

    def encode(self, rows: np.ndarray[Any, Any]) -> Bytes:
        """Return the rows of a whole chunk as they go into the file, through all filters.

        HDF5 2.0 forgets for those who have the dataset open that a chunk which it was given as it
        is went without a filter. So none is left out, also where it is of no use.

        Parameters
        ----------
        rows : numpy.ndarray
            Contiguous, in the dtype of the dataset.

        Returns
        -------
        numpy.ndarray
            uint8.
        """
        data = rows.reshape(-1).view(np.uint8)
        for step in self.filters:
            data = step.encode(data)
        return data

    def decode(self, data: Bytes, skipped: int, chunk: Bytes) -> None:
        """Undo the filters.

        Parameters
        ----------
        data : numpy.ndarray
            uint8, as in the file.
        skipped : int
            The chunk's filter mask.
        chunk : numpy.ndarray
            uint8, shape (chunk_bytes,), contiguous: gets the rows.

        Raises
        ------
        UndecodableChunk
        """
        done: list[Filter] = []
        for number, step in enumerate(self.filters):
            if not skipped >> number & 1:
                done.append(step)
            elif isinstance(step, Checksum) and step is not self.filters[-1]:
                # What was packed without it is shorter than what unpacks it expects.
                raise UndecodableChunk("it has no checksum")
        try:
            for number in reversed(range(len(done))):
                if isinstance(done[number], Shuffle):
                    _refuse_short(data, chunk)
                data = done[number].decode(data, None if number else chunk)
            _refuse_short(data, chunk)
            if data is not chunk:
                chunk.reshape(data.shape)[...] = data
        except ValueError as error:
            raise UndecodableChunk(f"it has another size: {error}") from error


def _refuse_short(data: Bytes, chunk: Bytes) -> None:
    if data.size < len(chunk):
        raise ShortChunk(data.size, len(chunk))


def pipeline_of(dataset: h5py.Dataset) -> Pipeline | None:
    """Return the filters of a dataset whose chunks can be packed and unpacked here.

    Parameters
    ----------
    dataset : h5py.Dataset

    Returns
    -------
    Pipeline or None
        None where anything is unusual, and where nothing is packed: a virtual dataset, chunks that
        split rows, values that HDF5 converts, filters that are not known here.
    """
    if dataset.chunks is None or dataset.is_virtual or not is_stored_as_read(dataset):
        return None
    chunk = dataset.chunks
    if chunk[1:] != dataset.shape[1:]:
        return None
    size = row_bytes(dataset.dtype, chunk)
    created = dataset.id.get_create_plist()
    described = [created.get_filter(number) for number in range(created.get_nfilters())]
    filters = _filters([(code, values) for code, _, values, _ in described], size)
    return None if filters is None else Pipeline(filters, size)


def _filters(
    described: Sequence[tuple[int, tuple[int, ...]]], size: int
) -> tuple[Filter, ...] | None:
    """Return filters by HDF5's numbers and values.

    None where one is not known, or is misplaced, and where none packs.
    """
    filters: list[Filter] = []
    is_packed = False
    for code, values in described:
        if code == h5py.h5z.FILTER_FLETCHER32:
            filters.append(Checksum())
            size += CHECKSUM_BYTES
        elif is_packed:
            return None
        elif code == h5py.h5z.FILTER_SHUFFLE:
            if not values or not values[0] or size % values[0]:
                return None
            filters.append(Shuffle(values[0]))
        else:
            found = packer(code, Packing(values, size))
            if found is None:
                return None
            filters.append(found)
            is_packed = True
    return tuple(filters) if is_packed else None
