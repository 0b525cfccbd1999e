"""One process: a group of one."""

from __future__ import annotations

import pytest

from h5flow.comm.serial import SerialCommunicator


def test_it_is_rank_0_of_1() -> None:
    communicator = SerialCommunicator()
    assert (communicator.rank, communicator.size) == (0, 1)
    assert (communicator.local_rank, communicator.local_size) == (0, 1)


def test_an_exchange_gives_its_own_act() -> None:
    act = object()
    (same,) = SerialCommunicator().exchange(act)
    assert same is act


def test_its_handle_is_one_object_with_the_methods_of_mpi4py() -> None:
    communicator = SerialCommunicator()
    assert communicator.handle is communicator.handle
    assert communicator.handle.Get_size() == 1


def test_an_abort_ends_the_process_with_a_status() -> None:
    with pytest.raises(SystemExit) as ended:
        SerialCommunicator().abort(3)
    assert ended.value.code == 3
