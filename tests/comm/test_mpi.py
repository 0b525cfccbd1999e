"""Ranks under a real mpiexec: what they exchange, and how they end."""

from __future__ import annotations

import textwrap

import pytest
from ranks import run_ranks

RANKS = [1, 2, 3, 4]
START = """
import os, signal, sys, threading, time
import numpy as np
from mpi4py import MPI
from h5flow.comm import choose_communicator
from h5flow.comm.mpi import ROOM
from h5flow.errors import DataError, H5FlowError
communicator = choose_communicator("mpi")
rank, size = communicator.rank, communicator.size
"""


def run(count: int, program: str) -> list[str]:
    """Return the lines that a program prints on all ranks, sorted."""
    done = run_ranks(count, START + textwrap.dedent(program))
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.splitlines())


@pytest.mark.parametrize("count", RANKS)
def test_it_is_the_world_in_its_order(count: int) -> None:
    printed = run(
        count,
        """
        assert (rank, size) == (MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size)
        print(rank, size, communicator.local_rank, communicator.local_size, communicator.storage)
        """,
    )
    storage = "single_writer" if count > 1 else "single_process"
    assert printed == [f"{rank} {count} {rank} {count} {storage}" for rank in range(count)]


@pytest.mark.parametrize("count", RANKS)
def test_an_exchange_gives_every_ranks_message_whatever_its_length(count: int) -> None:
    printed = run(
        count,
        """
        lengths = [0, 1, ROOM - 1, ROOM, ROOM + 1, 3 * ROOM, 70_000]
        for step in range(len(lengths)):
            message = lambda rank: bytes([rank]) * lengths[(step + rank) % len(lengths)]
            assert communicator.exchange(message(rank)) == [message(r) for r in range(size)]
        print(communicator.activity)
        """,
    )
    assert printed == ["7"] * count


@pytest.mark.parametrize("count", [2, 3])
def test_buffers_of_any_length_come_in_order(count: int) -> None:
    printed = run(
        count,
        """
        before = communicator.activity
        for length in (0, 1, 1000, 2**26 + 1):
            if rank:
                rows = np.full(length, rank, "u1")
                communicator.send(rows, 0)
            else:
                for other in range(size - 1, 0, -1):
                    received = communicator.receive(other)
                    assert received.nbytes == length
                    assert not received.readonly
                    assert not length or {received[0], received[-1]} == {other}
        assert communicator.activity > before
        print("done")
        """,
    )
    assert printed == ["done"] * count


def test_long_buffers_go_in_pieces() -> None:
    run(
        2,
        """
        import h5flow.comm.mpi
        h5flow.comm.mpi.PIECE = 1000
        rows = np.arange(777, dtype=[("x", "f8"), ("y", "i4")] if rank > 9 else "f8")
        if rank:
            communicator.send(rows, 0)
            communicator.send(rows[:125], 0)
            communicator.send(rows.reshape(7, 111), 0)
        else:
            for expected in (rows, rows[:125], rows):
                np.testing.assert_array_equal(np.frombuffer(communicator.receive(1)), expected)
        """,
    )


def test_what_is_not_contiguous_and_sending_to_oneself_are_errors() -> None:
    printed = run(
        1,
        """
        communicator.rank = 7
        for data, rank in ((np.zeros(8)[::2], 1), (np.zeros((2, 2), order="F"), 1), (b"", 7)):
            try:
                communicator.send(data, rank)
            except H5FlowError as error:
                print(error)
        """,
    )
    assert len(printed) == 3
    assert sum("contiguous" in line for line in printed) == 2
    assert sum("rank 7 sends to itself" in line for line in printed) == 1


def test_users_messages_and_h5flows_do_not_meet() -> None:
    run(
        2,
        """
        comm, other = communicator.handle, 1 - rank
        if rank:
            comm.send("user's", other)
            communicator.send(b"h5flow's", other)
        else:
            assert bytes(communicator.receive(other)) == b"h5flow's"
            communicator.exchange(b"")
            assert comm.recv(source=other) == "user's"
        if rank:
            communicator.exchange(b"")
        """,
    )


def test_collectives_of_the_handle_announce_themselves() -> None:
    printed = run(
        2,
        """
        comm = communicator.handle
        assert isinstance(comm, MPI.Intracomm)
        assert comm is communicator.handle
        assert (comm.rank, comm.size) == (rank, size)
        assert comm.allreduce(1) == 2
        announced = []
        communicator.announce_with(announced.append)
        comm.Allreduce(np.ones(3), np.zeros(3))
        comm.Ibarrier().Wait()
        comm.send(1, dest=rank) if size == 1 else comm.sendrecv(1, dest=1 - rank)
        duplicate = comm.Dup()
        duplicate.barrier()
        assert type(duplicate) is MPI.Intracomm
        assert type(comm.Split(rank)) is MPI.Intracomm
        communicator.announce_with(None)
        comm.barrier()
        print(*announced)
        """,
    )
    assert printed == ["Allreduce Ibarrier Dup Split"] * 2


def test_a_collective_whose_announcement_fails_is_not_started() -> None:
    run(
        2,
        """
        def refuse(name):
            raise H5FlowError(name)
        communicator.announce_with(refuse)
        try:
            communicator.handle.allgather(1)
        except H5FlowError as error:
            assert str(error) == "allgather"
        communicator.announce_with(None)
        assert communicator.handle.allgather(rank) == [0, 1]
        """,
    )


@pytest.mark.parametrize("length", [6, 6000])
def test_a_signals_exception_leaves_the_ranks_in_step(length: int) -> None:
    printed = run(
        2,
        f"""
        class Stop(Exception):
            pass
        def stop(*_):
            raise Stop
        signal.signal(signal.SIGUSR1, stop)
        if rank == 0:
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
            try:
                communicator.exchange(b"a" * {length})
            except Stop:
                pass
            communicator.send(b"stopped", 1)
        else:
            communicator.receive(0)
            assert communicator.exchange(b"b" * {length}) == [b"a" * {length}, b"b" * {length}]
        for message in (b"next", b"long" * 1000):
            assert communicator.exchange(message) == [message] * 2
        print("done")
        """,
    )
    assert printed == ["done", "done"]


@pytest.mark.parametrize("count", [1, 3])
def test_an_abort_from_any_thread_ends_ranks_that_are_blocked(count: int) -> None:
    done = run_ranks(
        count,
        START
        + """
def abort():
    time.sleep(0.2)
    sys.stdout.write("printed before"), sys.stderr.write("said before")
    communicator.abort(7)
if rank == size - 1:
    threading.Thread(target=abort, daemon=True).start()
MPI.COMM_WORLD.recv()
""",
        timeout=30,
    )
    assert done.returncode == 7
    assert "printed before" in done.stdout
    assert "said before" in done.stderr


def test_an_abort_ends_the_ranks_also_where_mpi_hangs_in_it() -> None:
    done = run_ranks(
        2,
        START
        + """
import ctypes
from types import SimpleNamespace
if rank == 0:
    keep_the_lock = ctypes.PyDLL(None).sleep
    world = SimpleNamespace(Abort=lambda status: keep_the_lock(60))
    communicator._mpi = SimpleNamespace(COMM_WORLD=world)
    communicator.abort(7)
MPI.COMM_WORLD.recv()
""",
        timeout=30,
    )
    assert done.returncode != 0


def test_ranks_that_do_not_end_are_killed() -> None:
    with pytest.raises(AssertionError, match="not ended after 2 s"):
        run_ranks(2, "import time; time.sleep(600)", timeout=2)
