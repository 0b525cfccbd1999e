"""Every backend does the same: the suite of `h5flow.testing.backend_suite` on all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from libraries import DEVICES, make_backend

from h5flow.backends import Backend
from h5flow.backends.array_api import ArrayAPIBackend
from h5flow.backends.numpy import NumPyBackend
from h5flow.testing.backend_suite import CASES, Case, run_cases, some_hits

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@each_case
@pytest.mark.parametrize("name", ["numpy", *DEVICES])
def test_a_backend(name: str, case: Case) -> None:
    case(make_backend(name))


@each_case
def test_any_library_that_follows_the_standard(case: Case) -> None:
    library = pytest.importorskip("array_api_strict")
    case(ArrayAPIBackend("a library", library, library.Device("CPU_DEVICE")))


@pytest.mark.parametrize("name", ["torch:cpu", "cupy"])
def test_all_of_a_chunk_moves_in_one_transfer(name: str) -> None:
    backend = make_backend(name)
    found = backend.upload([some_hits(100), np.arange(7), np.zeros((3, 2))])
    assert backend.traffic.transfers_up == 1
    backend.download([found[0]["q"], found[0]["at"]["y"], found[1]])
    assert backend.traffic.transfers_down == 1
    assert backend.traffic.bytes_down == 100 * 8 + 100 + 7 * 8


def test_what_pytorch_has_put_off_comes_back_done() -> None:
    backend = make_backend("torch:cpu")
    xp = backend.namespace
    found = backend.download([xp.conj(xp.asarray([1 + 2j])), xp.imag(xp.conj(xp.asarray([3j])))])
    assert [each.tolist() for each in found] == [[1 - 2j], [-3]]


# -- the suite finds what is wrong ----------------------------------------------------------------


class Sharing(NumPyBackend):
    """Says that it is a device, and gives out the host's own memory."""

    is_host = False


class Forgetful(ArrayAPIBackend):
    """Counts nothing."""

    def upload(self, parts: Any, /) -> Any:
        found = super().upload(parts)
        self.traffic.bytes_up = 0
        return found


class Greedy(ArrayAPIBackend):
    """Takes every array for its own."""

    def owns(self, array: Any, /) -> bool:
        return hasattr(array, "shape") or array is None


class Calm(ArrayAPIBackend):
    """Does not know what it means to be out of memory."""

    def is_out_of_memory(self, error: BaseException, /) -> bool:
        return False


@pytest.mark.parametrize(
    ("kind", "found_by"),
    [
        (Sharing, "what_was_uploaded_is_a_copy"),
        (Forgetful, "what_moves_is_counted"),
        (Greedy, "arrays_are_told_from_others"),
        (Calm, "out_of_memory_is_recognised"),
    ],
)
def test_a_backend_with_a_mistake_fails_the_case_that_is_about_it(
    kind: type[Any], found_by: str
) -> None:
    def make() -> Backend:
        if kind is Sharing:
            return Sharing()
        library = pytest.importorskip("array_api_strict")
        made: Backend = kind("a library", library, library.Device("CPU_DEVICE"))
        return made

    assert found_by in run_cases(make)


def test_a_backend_without_a_mistake_fails_none() -> None:
    assert run_cases(NumPyBackend) == {}
