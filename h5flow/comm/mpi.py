"""The ranks that an MPI launcher has started."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import os
import struct
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from h5flow.comm.absence import LAUNCHER_READS_SECONDS
from h5flow.comm.announcing import Announcer, announcing
from h5flow.comm.buffers import contiguous_bytes
from h5flow.comm.escape import end_all_on_escape
from h5flow.comm.waiting import wait_until
from h5flow.errors import H5FlowError, UsageError

if TYPE_CHECKING:
    from mpi4py import MPI

    from h5flow.comm.protocol import Announce

__all__ = ["MpiCommunicator", "load_mpi", "world_communicator"]

# Messages travel in slots of one size: the length, and as much of the message as there is room for.
# Every rank sends its own to every other. An Allgather needs fewer messages and takes longer: it
# goes in steps, and in each one ranks that sleep have to wake up. Slots of 128 bytes would not be
# faster.
SLOT = struct.Struct("=I508s")
ROOM = 508
DATA, SLOTS = range(2)  # tags
PIECE = 2**30  # bytes of one message of MPI, whose older libraries count in 32 bits
ABORT_SECONDS = 2


class MpiCommunicator:
    """All ranks of ``MPI.COMM_WORLD``, in its order. Making one is collective.

    h5flow's messages and users' collectives have a duplicate each. Handlers of signals run in
    every wait. What they raise in an exchange leaves the ranks in step: the next exchange first
    ends the one that was left.

    Raises
    ------
    UsageError
        mpi4py is not installed, or finds no MPI library.
    """

    name = "mpi"
    are_processes = True

    def __init__(self) -> None:
        mpi = load_mpi()
        self.rank, self.size = mpi.COMM_WORLD.rank, mpi.COMM_WORLD.size
        self.storage = "single_writer" if self.size > 1 else "single_process"
        self.activity = 0
        self._mpi = mpi
        self._comm = _duplicate(mpi.COMM_WORLD)
        self._announcer = Announcer()
        self._handle = announcing(mpi.Intracomm, self._announcer)(_duplicate(mpi.COMM_WORLD))
        machine = self._comm.Split_type(mpi.COMM_TYPE_SHARED)
        self.local_rank, self.local_size = machine.rank, machine.size
        machine.Free()
        self._slots = bytearray(SLOT.size * self.size)
        self._slot_requests = self._prepare_slots()
        self._message: bytes | None = None  # of the exchange under way
        self._rests: tuple[MPI.Request, bytearray] | None = None
        self._left: list[MPI.Request] = []  # hold memory that MPI still reads or writes

    @property
    def handle(self) -> Any:
        """A duplicate of ``MPI.COMM_WORLD`` whose collectives announce themselves."""
        return self._handle

    def announce_with(self, announce: Announce | None, /) -> None:
        """Have every collective of `handle` call this with its name before it starts."""
        self._announcer.announce = announce

    def exchange(self, message: bytes, /) -> list[bytes]:
        """Give this rank's message, return every rank's, in rank order. Collective.

        One round for messages of up to 508 bytes, two where any is longer.
        """
        if self._message is not None:  # what a handler raised has left it
            self._end_exchange()
        SLOT.pack_into(self._slots, SLOT.size * self.rank, len(message), message)
        self._message = message
        self._mpi.Prequest.Startall(self._slot_requests)
        return self._end_exchange()

    def send(self, data: Any, rank: int, /) -> None:
        """Send a contiguous buffer (bytes, or a C-contiguous array) to a rank.

        Raises
        ------
        DataError
            It is not contiguous.
        H5FlowError
            `rank` is this one.
        """
        self._check_other(rank)
        memory = contiguous_bytes(data)
        length = np.array([memory.size], "i8")
        starts = range(0, memory.size, PIECE)
        pieces = [length, *(memory[start : start + PIECE] for start in starts)]
        self._complete([self._comm.Isend([piece, self._mpi.BYTE], rank, DATA) for piece in pieces])

    def receive(self, rank: int, /) -> memoryview:
        """Return the next buffer that a rank has sent here: writable memory of its own.

        Raises
        ------
        H5FlowError
            `rank` is this one.
        """
        self._check_other(rank)
        length = np.empty(1, "i8")
        self._complete([self._comm.Irecv([length, self._mpi.BYTE], rank, DATA)])
        memory = np.empty(length[0], "u1")
        starts = range(0, memory.size, PIECE)
        pieces = [memory[start : start + PIECE] for start in starts]
        self._complete([self._comm.Irecv([piece, self._mpi.BYTE], rank, DATA) for piece in pieces])
        return memory.data

    def abort(self, status: int, /) -> NoReturn:
        """End every rank of the group at once, from any thread.

        Where MPI itself hangs, this process ends with status 1 after two seconds, and its
        launcher ends the others.
        """
        # MPI_Abort keeps the interpreter's lock, so that no thread of Python could watch over it.
        faulthandler.dump_traceback_later(ABORT_SECONDS, exit=True, file=2)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        time.sleep(LAUNCHER_READS_SECONDS)
        with contextlib.suppress(Exception):
            self._mpi.COMM_WORLD.Abort(status)
        os._exit(status)

    def _prepare_slots(self) -> list[MPI.Prequest]:
        """Return what sends this rank's slot to the others and receives theirs."""
        slots = memoryview(self._slots)
        requests = []
        for rank in set(range(self.size)) - {self.rank}:
            for make, owner in (self._comm.Recv_init, rank), (self._comm.Send_init, self.rank):
                slot = slots[SLOT.size * owner :][: SLOT.size]
                requests.append(make([slot, self._mpi.BYTE], rank, SLOTS))
        return requests

    def _end_exchange(self) -> list[bytes]:
        """End the exchange under way, from where it was left."""
        for request in self._slot_requests:
            wait_until(request.Test)
        slots = list(SLOT.iter_unpack(self._slots))
        if all(length <= ROOM for length, _ in slots):
            messages = [start[:length] for length, start in slots]
        else:
            messages = self._receive_rests(slots)
        self._message = None
        self.activity += 1
        return messages

    def _receive_rests(self, slots: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Return messages of which some are longer than their slots."""
        counts = [max(0, length - ROOM) for length, _ in slots]
        if self._rests is None:
            rests = bytearray(sum(counts))
            self._rests = self._begin_rests(counts, rests), rests
        request, rests = self._rests
        wait_until(request.Test)
        self._rests = None
        messages, place = [], 0
        for (length, start), count in zip(slots, counts, strict=True):
            messages.append(start[:length] + rests[place : place + count])
            place += count
        return messages

    def _begin_rests(self, counts: list[int], rests: bytearray) -> MPI.Request:
        byte, mine = self._mpi.BYTE, memoryview(self._message or b"")[ROOM:]
        return self._comm.Iallgatherv([mine, byte], [rests, counts, byte])

    def _complete(self, requests: Sequence[MPI.Request]) -> None:
        try:
            for request in requests:
                wait_until(request.Test)
                self.activity += 1
        except BaseException:
            self._left += requests
            raise

    def _check_other(self, rank: int) -> None:
        if rank == self.rank:
            raise H5FlowError(f"rank {rank} sends to itself, and would wait for itself for ever")


@functools.cache
def world_communicator() -> MpiCommunicator:
    """Return the one communicator of this process; the first call is collective."""
    communicator = MpiCommunicator()
    if communicator.size > 1:
        end_all_on_escape(communicator)
    return communicator


def load_mpi() -> Any:
    """Return the module ``mpi4py.MPI``, whose first import starts MPI.

    Raises
    ------
    UsageError
        mpi4py is not installed, or finds no MPI library.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise UsageError(
            f"MPI cannot be used: {type(error).__name__}: {error}",
            advice="Install it (pip install 'h5flow[mpi]', or mpi4py built with this site's MPI); "
            "or, for processes with an output each, add --comm serial (or set H5FLOW_NOMPI=1).",
        ) from error
    return MPI


def _duplicate(comm: MPI.Intracomm) -> MPI.Intracomm:
    """Return a duplicate, waited for in a way that signals can interrupt."""
    duplicate, request = comm.Idup()
    wait_until(request.Test)
    return duplicate
