"""The array layer on a GPU: the tests that run elsewhere on other libraries."""

from __future__ import annotations

import pytest
from libraries import GPUS, borrowed_from, make_backend, skip_without_gpu

from h5flow.testing.backend_suite import CASES, Case

skip_without_gpu()

# the fixtures `backend` and `device` are this folder's
for _path in (
    "data/test_masked.py",
    "data/test_columns.py",
    "data/test_dereferencing_on_device.py",
    "core/test_backends.py",
):
    globals().update(borrowed_from(_path, examples=20))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("name", GPUS)
def test_a_backend(name: str, case: Case) -> None:
    case(make_backend(name))
