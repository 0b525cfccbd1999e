"""One process: a group of one."""

from __future__ import annotations

import pytest

from h5flow.comm.serial import SerialCommunicator
from h5flow.errors import H5FlowError


def test_it_is_rank_0_of_1() -> None:
    communicator = SerialCommunicator()
    assert (communicator.rank, communicator.size) == (0, 1)
    assert (communicator.local_rank, communicator.local_size) == (0, 1)


def test_an_exchange_gives_its_own_message_and_counts() -> None:
    communicator = SerialCommunicator()
    assert communicator.exchange(b"mine") == [b"mine"]
    assert communicator.activity == 1


def test_there_is_nobody_to_send_to() -> None:
    communicator = SerialCommunicator()
    with pytest.raises(H5FlowError, match=r"nothing can be sent to rank 1: .* one process"):
        communicator.send(b"rows", 1)
    with pytest.raises(H5FlowError, match="nothing can be received from rank 0"):
        communicator.receive(0)


def test_its_handle_is_one_object_with_the_methods_of_mpi4py() -> None:
    communicator = SerialCommunicator()
    assert communicator.handle is communicator.handle
    assert communicator.handle.Get_size() == 1


def test_its_collectives_need_no_announcement() -> None:
    communicator = SerialCommunicator()
    announced: list[str] = []
    communicator.announce_with(announced.append)
    assert communicator.handle.allreduce(3) == 3
    assert announced == []


def test_an_abort_ends_the_process_with_a_status() -> None:
    with pytest.raises(SystemExit) as ended:
        SerialCommunicator().abort(3)
    assert ended.value.code == 3
