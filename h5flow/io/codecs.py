"""The filters of a dataset, undone and done outside of HDF5, which has one lock for all threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import h5py
import numpy as np

from h5flow.io.chunks import row_bytes
from h5flow.io.deflate import DEFLATE_ERRORS, Bytes, deflate, inflate
from h5flow.io.fletcher import fletcher32

__all__ = ["Pipeline", "UndecodableChunk", "pipeline_of"]

CHECKSUM_BYTES = 4


class UndecodableChunk(Exception):
    """Bytes of a chunk that are not what its filters have made."""


class Filter(Protocol):
    """One step between the rows of a chunk and its bytes in the file."""

    def encode(self, data: Bytes) -> Bytes:
        """Return what the next step gets, or the file."""
        ...

    def decode(self, data: Bytes) -> Bytes:
        """Undo `encode`; the result may have more axes."""
        ...


@dataclass(frozen=True)
class Shuffle:
    """All first bytes of the elements, then all second ones, and so on.

    Parameters
    ----------
    element_bytes : int
    """

    element_bytes: int

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes in their new order."""
        return np.ascontiguousarray(data.reshape(-1, self.element_bytes).T).reshape(-1)

    def decode(self, data: Bytes) -> Bytes:
        """Return the bytes in their old order, as a view: whoever stores them moves them once."""
        rows: Bytes = data.reshape(self.element_bytes, -1).T
        return rows


@dataclass(frozen=True)
class Deflate:
    """HDF5's gzip.

    Parameters
    ----------
    level : int
        Of zlib, 0 to 9.
    size : int
        Bytes of what is packed.
    shuffled : bool
        A `Shuffle` comes before.
    """

    level: int
    size: int
    shuffled: bool

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes, packed."""
        return deflate(data, self.level, shuffled=self.shuffled)

    def decode(self, data: Bytes) -> Bytes:
        """Return the bytes, unpacked."""
        try:
            return inflate(data, self.size, shuffled=self.shuffled)
        except DEFLATE_ERRORS as error:
            raise UndecodableChunk(str(error)) from error


@dataclass(frozen=True)
class Checksum:
    """HDF5's fletcher32, at the end."""

    def encode(self, data: Bytes) -> Bytes:
        """Return the bytes with their checksum."""
        return np.concatenate([data, np.array([fletcher32(data)], "<u4").view(np.uint8)])

    def decode(self, data: Bytes) -> Bytes:
        """Return the bytes without the checksum, which must be theirs."""
        found, expected = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:].tobytes()
        if fletcher32(found) != int.from_bytes(expected, "little"):
            raise UndecodableChunk("its checksum is wrong")
        return found


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
        try:
            for number, step in reversed(list(enumerate(self.filters))):
                if not skipped >> number & 1:
                    data = step.decode(data)
            chunk.reshape(data.shape)[...] = data
        except ValueError as error:
            raise UndecodableChunk(f"it has another size: {error}") from error


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
    if dataset.chunks is None or dataset.is_virtual or not _is_stored_as_read(dataset):
        return None
    chunk = dataset.chunks
    if chunk[1:] != dataset.shape[1:]:
        return None
    size = row_bytes(dataset.dtype, chunk)
    created = dataset.id.get_create_plist()
    described = [created.get_filter(number) for number in range(created.get_nfilters())]
    filters = _filters([(code, values) for code, _, values, _ in described], size)
    if filters is None or not any(isinstance(step, Deflate) for step in filters):
        return None
    return Pipeline(filters, size)


def _is_stored_as_read(dataset: h5py.Dataset) -> bool:
    """Return whether the bytes of rows in the file are those of the array that h5py makes."""
    dtype = dataset.dtype
    if dtype.hasobject or dtype.subdtype is not None or not dtype.itemsize:
        return False
    stored: bool = dataset.id.get_type() == h5py.h5t.py_create(dtype, logical=True)
    return stored


def _filters(
    described: Sequence[tuple[int, tuple[int, ...]]], size: int
) -> tuple[Filter, ...] | None:
    """Return filters by HDF5's numbers and values; None where one is not known, or is misplaced."""
    filters: list[Filter] = []
    is_packed = False
    for code, values in described:
        if code == h5py.h5z.FILTER_SHUFFLE and values and not is_packed and not size % values[0]:
            filters.append(Shuffle(values[0]))
        elif code == h5py.h5z.FILTER_DEFLATE and values and not is_packed and values[0] <= 9:
            filters.append(
                Deflate(values[0], size, any(isinstance(one, Shuffle) for one in filters))
            )
            is_packed = True
        elif code == h5py.h5z.FILTER_FLETCHER32:
            filters.append(Checksum())
            size += CHECKSUM_BYTES
        else:
            return None
    return tuple(filters)
