"""Attributes of an HDF5 object, in a form that can be sent to another rank."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import h5py

__all__ = ["Metadata"]


class Metadata(dict[str, Any]):
    """Attributes by name.

    Pickled, they are a small HDF5 file: so they come out as h5py reads them, and references to
    objects, for which h5py has no pickle, stay valid for those who have the same file open.
    """

    def as_read(self) -> Metadata:
        """Return the values as h5py reads them from a file."""
        return _from_image(self._image()) if self else Metadata()

    def __reduce__(self) -> tuple[Callable[[bytes], Metadata], tuple[bytes]]:
        return _from_image, (self._image(),)

    def _image(self) -> bytes:
        with io.BytesIO() as memory:
            with h5py.File(memory, "w", libver="latest") as file:
                file.attrs.update(self)
            return memory.getvalue()


def _from_image(image: bytes) -> Metadata:
    with h5py.File(io.BytesIO(image), "r") as file:
        return Metadata(file.attrs.items())
