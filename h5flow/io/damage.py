"""Errors of HDF5 about a file's contents, as one error that names the place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from h5flow.errors import FileFormatError, H5FlowError
from h5flow.io.space import is_out_of_space

__all__ = ["DAMAGE", "damage_named", "reason_of", "unreadable"]

# What h5py raises where it finds something else than it expects. Which one depends on where in the
# structure that is: wrong types, texts and sizes come as TypeError, ValueError or OverflowError.
DAMAGE = (KeyError, OSError, RuntimeError, TypeError, ValueError, ArithmeticError)


def reason_of(error: BaseException) -> str:
    """Return what an error says: a ``KeyError`` by itself would put that in quotation marks."""
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error)


def unreadable(what: str, error: BaseException) -> FileFormatError:
    """Return the error for something in a file that HDF5 cannot read."""
    return FileFormatError(
        f"{what} cannot be read: {reason_of(error)}",
        advice="The file is damaged there, or was written with a filter that is not installed.",
    )


@contextmanager
def damage_named(path: str | os.PathLike[str], place: str = "") -> Iterator[None]:
    """Raise a `FileFormatError` for what HDF5 says about a file; for blocks that only look at it.

    Parameters
    ----------
    path : path-like
        The file.
    place : str
        Where in it, if that is known.
    """
    try:
        yield
    except DAMAGE as error:
        of_machine = isinstance(error, OSError) and bool(error.errno)
        if isinstance(error, H5FlowError) or of_machine or is_out_of_space(error):
            raise
        what = f"{place} in {os.fspath(path)}" if place else os.fspath(path)
        raise unreadable(what, error) from error
