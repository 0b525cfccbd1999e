"""Messages of a rank to itself: in order, whole, and never waited for in vain."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.comm.one_rank import OneRankComm
from h5flow.errors import DataError


@pytest.fixture
def comm() -> OneRankComm:
    return OneRankComm()


def numbers(n: int = 6) -> np.ndarray:
    return np.arange(n).astype("f8")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers())), st.data())
def test_messages_come_in_the_order_they_were_sent_for_each_tag(
    sent: list[tuple[int, int]], data: st.DataObject
) -> None:
    comm = OneRankComm()
    for tag, value in sent:
        comm.send(value, dest=0, tag=tag)
    left = list(sent)
    while left:
        tag = data.draw(st.sampled_from([None, *{tag for tag, _ in left}]))
        expected = next(item for item in left if tag in (None, item[0]))
        assert comm.recv(source=0, tag=tag) == expected[1]
        left.remove(expected)
    assert not comm.iprobe()


def test_a_receive_may_come_before_the_send(comm: OneRankComm) -> None:
    first, second = comm.irecv(source=0, tag=4), comm.irecv(tag=4)
    assert first.test() == (False, None)
    sent = comm.isend({"x": 1}, dest=0, tag=4)
    comm.send(2, 0, tag=4)
    assert sent.wait() is None
    assert second.wait() == 2
    assert first.test() == (True, {"x": 1})
    assert first.wait() is None
    assert not first


def test_a_cancelled_receive_takes_nothing(comm: OneRankComm) -> None:
    comm.irecv(tag=1).cancel()
    comm.send("kept", 0, tag=1)
    assert comm.recv(tag=1) == "kept"


def test_sendrecv_exchanges_with_itself(comm: OneRankComm) -> None:
    assert comm.sendrecv([1], dest=0, sendtag=3, source=0, recvtag=3) == [1]
    receive = np.zeros(6)
    comm.Sendrecv(numbers(), 0, 1, receive, 0, 1)
    np.testing.assert_array_equal(receive, numbers())


def test_buffers_are_sent_and_received(comm: OneRankComm) -> None:
    early, late = np.full(4, -1.0), np.zeros(3)
    request = comm.Irecv(early, source=0, tag=1)
    assert not request.Test()
    assert comm.Isend([numbers(), 3, "d"], dest=0, tag=1).Wait()
    comm.Send(numbers(n=3), dest=0, tag=2)
    comm.Recv(late, source=0, tag=2)
    assert request.Wait()
    np.testing.assert_array_equal(early, [0, 1, 2, -1])
    np.testing.assert_array_equal(late, [0, 1, 2])


def test_what_was_sent_does_not_change_later(comm: OneRankComm) -> None:
    buffer, receive = numbers(), np.zeros(6)
    comm.Send(buffer, 0)
    buffer[:] = 9
    comm.Recv(receive)
    np.testing.assert_array_equal(receive, numbers())


def test_a_message_longer_than_the_buffer_is_an_error(comm: OneRankComm) -> None:
    comm.Send(numbers(), 0)
    with pytest.raises(DataError, match="48 bytes are sent to a buffer of 16"):
        comm.Recv(np.zeros(2))


def test_a_status_tells_sender_and_tag(comm: OneRankComm) -> None:
    status = SimpleNamespace(source=-1, tag=-1)
    comm.send(1, 0, tag=7)
    assert comm.iprobe(status=status)
    assert comm.recv(status=status) == 1
    assert (status.source, status.tag) == (0, 7)


HANGING: list[Callable[[OneRankComm], object]] = [
    lambda comm: comm.recv(),
    lambda comm: comm.recv(source=0, tag=2),
    lambda comm: comm.Recv(np.zeros(1)),
    lambda comm: comm.irecv(tag=2).wait(),
    lambda comm: comm.Irecv(np.zeros(1)).Wait(),
    lambda comm: (comm.send(1, 0, tag=1), comm.recv(tag=2)),
    lambda comm: comm.sendrecv(1, 0, 1, recvtag=2),
]


@pytest.mark.parametrize("call", HANGING)
def test_waiting_for_what_nobody_sends_raises(
    comm: OneRankComm, call: Callable[[OneRankComm], object]
) -> None:
    with pytest.raises(DataError, match="never sent"):
        call(comm)


@pytest.mark.parametrize("rank", [1, 7])
def test_other_ranks_do_not_exist(comm: OneRankComm, rank: int) -> None:
    for call in (
        lambda: comm.send(1, dest=rank),
        lambda: comm.Isend(numbers(), dest=rank),
        lambda: comm.recv(source=rank),
        lambda: comm.irecv(source=rank),
        lambda: comm.Recv(numbers(), source=rank),
        lambda: comm.iprobe(source=rank),
    ):
        with pytest.raises(DataError, match=f"no rank {rank}"):
            call()


def test_a_negative_tag_cannot_be_sent(comm: OneRankComm) -> None:
    with pytest.raises(DataError, match="tag -5"):
        comm.send(1, 0, tag=-5)


def test_wildcards_of_mpi4py_are_known(comm: OneRankComm, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = SimpleNamespace(PROC_NULL=-1, ANY_SOURCE=-2)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", constants)
    comm.send("lost", dest=-1)
    comm.Send(numbers(), dest=-1)
    assert comm.recv(source=-1) is None
    assert comm.irecv(source=-1).wait() is None
    comm.send("found", dest=0, tag=3)
    assert comm.recv(source=-2, tag=-1) == "found"
    with pytest.raises(DataError, match="no rank -2"):
        comm.send(1, dest=-2)
