"""CuPy's backend, on the double: which device, whose memory, how bytes travel, what fails how."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import numpy as np
import pytest
from cupy_double import Machine

from h5flow.backends import NodeShare, choose_backend
from h5flow.data import dereference, to_host
from h5flow.data.presentation import present
from h5flow.errors import H5FlowWarning, UsageError

ROWS = np.array([(1, 2.5), (3, 4.5)], [("id", "i1"), ("x", "f8")])


# -- which device -----------------------------------------------------------------------------


def test_auto_takes_cupy_where_there_is_a_gpu(gpus: Machine) -> None:
    assert choose_backend("auto").name == "cupy:0"


def test_auto_takes_numpy_where_there_is_none_and_says_so(gpus: Machine) -> None:
    gpus.has_driver = False
    with pytest.warns(H5FlowWarning, match="backend is numpy, for CuPy finds no GPU") as caught:
        backend = choose_backend("auto")
    assert backend.name == "numpy"
    assert len(caught) == 1
    assert "h5flow doctor" in str(caught[0].message)


@pytest.mark.parametrize("count", [None, 0])
def test_cupy_without_a_gpu_is_an_error_that_names_the_doctor(
    gpus: Machine, count: int | None
) -> None:
    gpus.has_driver, gpus.count = count is not None, count or 0
    with pytest.raises(UsageError, match="CuPy finds no GPU") as raised:
        choose_backend("cupy")
    assert "h5flow doctor" in str(raised.value)


def test_cupy_that_is_not_installed_is_an_error_that_names_the_doctor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "cupy" or name == "array_api_compat.cupy":
            raise ModuleNotFoundError("No module named 'cupy'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match="No module named 'cupy'") as raised:
        choose_backend("cupy")
    assert "pip install 'h5flow[cuda12]'" in str(raised.value)
    assert "h5flow doctor" in str(raised.value)


def test_devices_are_chosen_by_number(gpus: Machine) -> None:
    gpus.count = 3
    backend = choose_backend("cupy:2")
    assert backend.name == "cupy:2"
    assert backend.devices() == ["0", "1", "2"]
    (x,) = backend.upload([np.arange(3)])
    assert x.device.id == 2


@pytest.mark.parametrize("asked", ["7", "1", "-1", "first"])
def test_a_device_that_is_not_there_is_an_error_that_says_which_are(
    gpus: Machine, asked: str
) -> None:
    with pytest.raises(UsageError, match=f"no device '{asked}'.*There are 0 to 0"):
        choose_backend(f"cupy:{asked}")


@pytest.mark.parametrize(("rank", "device"), [(0, 0), (1, 1), (2, 0), (5, 1)])
def test_ranks_of_a_node_take_devices_in_turn(gpus: Machine, rank: int, device: int) -> None:
    gpus.count = 2
    assert choose_backend("cupy", NodeShare(rank, 6)).name == f"cupy:{device}"
    assert choose_backend("auto", NodeShare(rank, 6)).name == f"cupy:{device}"
    assert choose_backend("cupy:1", NodeShare(rank, 6)).name == "cupy:1"


# -- whose memory -----------------------------------------------------------------------------


def test_all_that_is_made_is_made_on_the_device_of_the_backend(gpus: Machine) -> None:
    gpus.count = 2
    backend = choose_backend("cupy:1")
    xp = backend.namespace
    with backend.current():
        rows = present(backend, ROWS)
        made = (xp.zeros((2,)), rows["x"] + 1, rows[0:1]["id"], xp.asarray([1]))
    assert [each.device.id for each in made] == [1] * 4
    assert gpus.current == 0


def test_arrays_of_another_device_are_followed_where_they_are(gpus: Machine) -> None:
    gpus.count = 2
    backend = choose_backend("cupy:1")
    ref = np.array([(0, 1), (1, 0), (1, 1)])
    (on_device,) = backend.upload([ref])
    found = dereference(None, on_device, ROWS)
    expected = dereference(None, ref, ROWS)
    assert to_host(found).tolist() == expected.tolist()
    assert found["x"].data.device.id == 1
    same = dereference(None, ref, ROWS, xp=backend.namespace)
    assert same["x"].data.device.id == 1


def test_memory_is_told(gpus: Machine) -> None:
    backend = choose_backend("cupy")
    before, gpus.memory = backend.free_bytes(), 2**20
    assert before == 2**33
    (x,) = backend.upload([np.zeros(1000)])
    assert (backend.used_bytes(), backend.free_bytes()) == (8000, 2**20 - 8000)
    assert len(x) == 1000


def test_out_of_memory_is_recognised(gpus: Machine) -> None:
    backend = choose_backend("cupy")
    gpus.memory = 100
    with pytest.raises(MemoryError) as raised:
        backend.upload([np.zeros(1000)])
    assert backend.is_out_of_memory(raised.value)
    assert not backend.is_out_of_memory(ValueError("something else"))


# -- how bytes travel ---------------------------------------------------------------------------


def test_pinned_memory_is_kept_for_the_next_chunk(gpus: Machine) -> None:
    backend = choose_backend("cupy")
    for size in (1000, 10, 1000, 999):
        backend.upload([np.zeros(size)])
    assert gpus.pinned_allocations == 1
    backend.upload([np.zeros(1001)])
    backend.upload([np.zeros(2000)])
    assert gpus.pinned_allocations == 2


def test_one_chunk_after_the_other_through_the_same_memory(gpus: Machine) -> None:
    backend = choose_backend("cupy")
    (first,), (second,) = backend.upload([np.arange(3)]), backend.upload([np.arange(3) + 10])
    assert backend.download([first, second])[0].tolist() == [0, 1, 2]


def test_nothing_holds_the_bytes_of_rows_that_have_come_apart(gpus: Machine) -> None:
    rows = np.zeros(1000, [("q", "f4"), ("t", "f8"), ("more", "u1", (50,))])
    backend, before = choose_backend("cupy"), gpus.used[0]
    kept = backend.upload([np.arange(100), rows, np.arange(1000)])
    assert gpus.used[0] - before == 100 * 8 + rows.nbytes + 1000 * 8
    del kept[1]
    assert gpus.used[0] - before == 100 * 8 + 1000 * 8


def test_work_is_awaited_when_a_stage_ends(gpus: Machine) -> None:
    backend = choose_backend("cupy")
    with backend.current():
        before = gpus.synchronised
    assert gpus.synchronised == before + 1


def test_the_library_is_asked_for_by_its_own_name(gpus: Machine) -> None:
    (x,) = choose_backend("cupy").upload([np.arange(3)])
    assert type(x) is sys.modules["cupy"].ndarray
