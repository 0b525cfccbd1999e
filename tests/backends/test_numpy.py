"""Array libraries by name, and NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from h5flow.backends import choose_backend
from h5flow.backends.numpy import NumPyBackend
from h5flow.errors import UsageError


@pytest.mark.parametrize("name", ["auto", "numpy"])
def test_numpy_is_the_default(name: str) -> None:
    backend = choose_backend(name)
    assert isinstance(backend, NumPyBackend)
    assert backend.namespace is np


def test_a_backend_that_does_not_exist_is_an_error_that_lists_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"no backend 'numpi' .did you mean 'numpy'.*Installed"):
        choose_backend("numpi")


def test_rows_stay_where_they_are() -> None:
    rows = np.ma.masked_array(np.arange(3), mask=[True, False, True])
    backend = NumPyBackend()
    assert backend.upload([rows])[0] is rows
    assert backend.download([rows])[0] is rows
    assert backend.download([[1, 2]])[0].tolist() == [1, 2]
    backend.synchronise()


def test_numpy_has_no_devices_to_choose() -> None:
    with pytest.raises(UsageError, match="no device 'cuda'"):
        choose_backend("numpy:cuda")
