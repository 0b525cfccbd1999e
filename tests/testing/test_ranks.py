"""Ranks that are threads: what they exchange, and that no run of them hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.comm.protocol import Communicator
from h5flow.errors import DataError, H5FlowError
from h5flow.testing.ranks import BrokenGroupError, RankGroup, ThreadCommunicator, run_on_ranks

SIZES = [1, 2, 5]


@pytest.mark.parametrize("size", SIZES)
def test_results_come_in_rank_order(size: int) -> None:
    assert run_on_ranks(size, lambda communicator: communicator.rank) == list(range(size))


def test_it_is_a_communicator() -> None:
    def about(communicator: Communicator) -> object:
        return (communicator.size, communicator.local_rank, communicator.local_size)

    assert run_on_ranks(2, about) == [(2, 0, 2), (2, 1, 2)]


@pytest.mark.parametrize("size", SIZES)
def test_an_exchange_gives_every_ranks_message(size: int) -> None:
    def talk(communicator: ThreadCommunicator) -> tuple[list[list[bytes]], int, int]:
        found = [communicator.exchange(bytes([step, communicator.rank])) for step in range(20)]
        return found, communicator.exchanges, communicator.activity

    expected = [[bytes([step, rank]) for rank in range(size)] for step in range(20)]
    assert run_on_ranks(size, talk) == [(expected, 20, 20)] * size


def test_buffers_come_in_order_as_memory_of_their_own() -> None:
    rows = np.arange(6, dtype="f8").reshape(2, 3)

    def move(communicator: ThreadCommunicator) -> list[bytes]:
        if communicator.rank:
            for data in (rows, b"", b"text"):
                communicator.send(data, 0)
            return []
        received = [communicator.receive(1) for _ in range(3)]
        received[2][:1] = b"n"
        return [bytes(data) for data in received]

    assert run_on_ranks(2, move)[0] == [rows.tobytes(), b"", b"next"]


def test_a_send_ends_with_its_receive() -> None:
    def both(communicator: ThreadCommunicator) -> None:
        communicator.send(b"x", 1 - communicator.rank)
        communicator.receive(1 - communicator.rank)

    with pytest.raises(BrokenGroupError, match="rank 0 waits in send to rank 1, rank 1 waits in"):
        run_on_ranks(2, both)


def test_ranks_share_a_board() -> None:
    def put(communicator: ThreadCommunicator) -> list[object]:
        communicator.board[communicator.rank] = communicator
        communicator.exchange(b"")
        return sorted(communicator.board)

    assert run_on_ranks(3, put) == [[0, 1, 2]] * 3


def test_a_rank_sees_the_callers_context_and_keeps_its_own() -> None:
    variable: ContextVar[str] = ContextVar("variable")
    variable.set("outside")

    def change(communicator: ThreadCommunicator) -> str:
        before = variable.get()
        variable.set(f"rank {communicator.rank}")
        communicator.exchange(b"")
        return f"{before}, {variable.get()}"

    assert run_on_ranks(2, change) == ["outside, rank 0", "outside, rank 1"]
    assert variable.get() == "outside"


def test_collectives_announce_themselves() -> None:
    def announced(communicator: ThreadCommunicator) -> list[str]:
        names: list[str] = []
        communicator.announce_with(names.append)
        communicator.handle.allreduce(1)
        communicator.handle.send("x", communicator.rank)
        communicator.handle.Dup().barrier()
        communicator.announce_with(None)
        communicator.handle.barrier()
        return names

    assert run_on_ranks(2, announced) == [["allreduce", "Dup"]] * 2


def test_collectives_belong_to_the_ranks_own_thread() -> None:
    def from_another(communicator: ThreadCommunicator) -> str:
        raised: list[str] = []

        def work() -> None:
            try:
                communicator.handle.barrier()
            except H5FlowError as error:
                raised.append(error.message)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return raised[0]

    assert "from another thread" in run_on_ranks(1, from_another)[0]


# how it ends


def leave(communicator: ThreadCommunicator) -> None:
    if communicator.rank != 1:
        communicator.exchange(b"")


def loop(communicator: ThreadCommunicator) -> None:
    if communicator.rank == 1:
        time.sleep(0.6)
    communicator.exchange(b"")


def receive_in_vain(communicator: ThreadCommunicator) -> None:
    communicator.handle.recv(source=(communicator.rank + 1) % communicator.size)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (leave, "rank 0 waits in exchange 1, rank 1 has ended, rank 2 waits in exchange 1"),
        (receive_in_vain, "rank 0 waits in receive from rank 1, rank 1 waits in receive from"),
        (loop, r"time is up after 0.3 s \(rank 0 waits in exchange 1, rank 1 is at work"),
    ],
)
def test_no_rank_waits_for_ever(function: Callable[[ThreadCommunicator], None], words: str) -> None:
    with pytest.raises(BrokenGroupError, match=words):
        run_on_ranks(3, function, timeout=0.3)


def test_a_rank_that_never_ends_is_left_and_its_place_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("h5flow.testing.ranks_group.GRACE", 0.1)
    end = threading.Event()
    with pytest.raises(BrokenGroupError, match=r"time is up after 0.2 s: rank 1 is at .*threading"):
        run_on_ranks(2, lambda communicator: communicator.rank and end.wait(), timeout=0.2)
    end.set()


def test_the_failure_of_the_lowest_rank_is_raised_and_notes_tell_of_the_others() -> None:
    def fail(communicator: ThreadCommunicator) -> None:
        if communicator.rank == 0:
            communicator.exchange(b"")
        raise ValueError(f"rank {communicator.rank} is wrong")

    with pytest.raises(ValueError, match="rank 1 is wrong") as caught:
        run_on_ranks(3, fail)
    first, *others = caught.value.__notes__
    assert first == "raised on rank 1"
    assert others[0].startswith("rank 0: BrokenGroupError: ")
    assert others[1] == "rank 2: ValueError: rank 2 is wrong"


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt()])
def test_what_is_no_exception_counts_as_a_failure_too(error: BaseException) -> None:
    def fail(communicator: ThreadCommunicator) -> None:
        raise error

    with pytest.raises(type(error)):
        run_on_ranks(2, fail)


@pytest.mark.parametrize("is_own_thread", [True, False])
def test_an_abort_ends_every_wait(is_own_thread: bool) -> None:
    def end(communicator: ThreadCommunicator) -> None:
        if communicator.rank == 1 and is_own_thread:
            communicator.abort(7)
        if communicator.rank == 1:
            thread = threading.Thread(target=watch, args=(communicator,))
            thread.start()
            thread.join()
        communicator.exchange(b"")

    def watch(communicator: ThreadCommunicator) -> None:
        with pytest.raises(SystemExit):
            communicator.abort(7)

    with pytest.raises(SystemExit if is_own_thread else BrokenGroupError) as caught:
        run_on_ranks(3, end)
    told = " ".join([str(caught.value), *caught.value.__notes__])
    assert "rank 1 has ended all with status 7" in told


def test_after_a_failure_every_call_raises() -> None:
    def go_on(communicator: ThreadCommunicator) -> list[str]:
        if communicator.rank:
            return []
        raised = []
        for call in (
            lambda: communicator.exchange(b""),
            lambda: communicator.send(b"", 1),
            lambda: communicator.receive(1),
            communicator.handle.barrier,
            lambda: communicator.handle.send(1, dest=1),
            lambda: communicator.handle.irecv(source=1).test(),
        ):
            with pytest.raises(BrokenGroupError) as caught:
                call()
            raised.append(caught.value.message)
        return raised

    raised = run_on_ranks(2, go_on)[0]
    assert len(raised) == 6
    assert len(set(raised)) == 1


def test_a_group_tells_how_many_exchanges_each_rank_began() -> None:
    group = RankGroup(3)

    def talk(rank: int) -> None:
        communicator = ThreadCommunicator(group, rank)
        for _ in range(2 + (rank == 0)):
            communicator.exchange(b"")

    with pytest.raises(BrokenGroupError):
        group.run(talk)
    assert group.exchanges == [3, 2, 2]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_ranks_all_leave_at_the_same_exchange_or_all_fail(calls: list[int]) -> None:
    group = RankGroup(len(calls))

    def talk(rank: int) -> None:
        communicator = ThreadCommunicator(group, rank)
        for _ in range(calls[rank]):
            communicator.exchange(b"")

    if len(set(calls)) == 1:
        group.run(talk)
    else:
        with pytest.raises(BrokenGroupError, match="no rank can go on"):
            group.run(talk)
        assert max(group.exchanges) == min(group.exchanges) + 1


def test_what_cannot_be_sent_is_an_error() -> None:
    with pytest.raises(DataError, match="contiguous"):
        run_on_ranks(2, lambda communicator: communicator.send(np.zeros(4)[::2], 1))
    with pytest.raises(H5FlowError, match="rank 0 sends to itself"):
        run_on_ranks(2, lambda communicator: communicator.send(b"", communicator.rank))
    with pytest.raises(TypeError, match="bytes-like"):
        run_on_ranks(1, lambda communicator: communicator.exchange("text"))
