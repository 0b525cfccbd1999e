"""The array libraries on which every test of the array layer runs."""

from __future__ import annotations

import pytest

from h5flow.backends import Backend, choose_backend
from h5flow.errors import UsageError

__all__ = ["DEVICES", "make_backend"]

#: Backends other than NumPy that need no GPU. For tests with "cupy" among their parameters the
#: double of `cupy_double` is in CuPy's place.
DEVICES = ("array-api-strict", "torch:cpu", "cupy")


def make_backend(name: str) -> Backend:
    try:
        return choose_backend(name)
    except UsageError as error:
        pytest.skip(f"NOT TESTED ON {name}: {error}")
