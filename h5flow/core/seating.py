"""Where the parts of a workflow work: on which backend, and who else is on its device."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from h5flow.backends import Backend, NodeShare, choose_backend
from h5flow.config.workflow import StageSpec, Workflow
from h5flow.errors import H5FlowWarning

if TYPE_CHECKING:
    from h5flow.core.parts import Spec
    from h5flow.core.request import RunRequest
    from h5flow.transaction.channel import Channel

__all__ = ["Seat", "Seating", "room_of_all", "shared_devices"]


class Seat(NamedTuple):
    """What a rank says of one of its backends.

    Attributes
    ----------
    node : str
        The machine.
    device : str or None
        Its device, None where ranks do not share any.
    free : int or None
        Bytes of the device's memory that are left, None where that is not known.
    """

    node: str
    device: str | None
    free: int | None


class Seating:
    """The backends of a workflow's parts. Collective, where it is made.

    Parameters
    ----------
    request : RunRequest
    workflow : Workflow
    channel : Channel

    Attributes
    ----------
    room : int or None
        Bytes of its device's memory that any rank may take at least, the same on all ranks; None
        where no device says.

    Raises
    ------
    UsageError
        A library or device is missing.
    """

    def __init__(self, request: RunRequest, workflow: Workflow, channel: Channel) -> None:
        self._default = workflow.backend or "auto" if request.backend == "auto" else request.backend
        communicator = channel.communicator
        share = NodeShare(communicator.local_rank, communicator.local_size)
        specs: Sequence[Spec] = (workflow.generator, *workflow.stages)
        names = dict.fromkeys(self._name_for(spec) for spec in specs)
        self._backends: dict[str, Backend] = {}

        def take_seats() -> tuple[Seat, ...]:
            self._backends = {name: choose_backend(name, share) for name in names}
            return tuple(_seat(backend) for backend in self._backends.values())

        seats = channel.by_each("choosing devices", take_seats)
        self.room = room_of_all(seats)
        shared = shared_devices(seats, channel.rank)
        if shared:
            warnings.warn(shared, H5FlowWarning, stacklevel=2)

    def of(self, spec: Spec) -> Backend:
        """Return where a part works: what its own block says, else the command, else `flow`."""
        return self._backends[self._name_for(spec)]

    def _name_for(self, spec: Spec) -> str:
        own = spec.backend if isinstance(spec, StageSpec) else None
        return own or self._default


def _seat(backend: Backend) -> Seat:
    return Seat(os.uname().nodename, backend.device_id(), backend.free_bytes())


def shared_devices(seats: Sequence[Sequence[Seat]], rank: int) -> str:
    """Return a sentence about ranks that share devices, for the first rank of a node to say.

    Parameters
    ----------
    seats : sequence of sequence of Seat
        Of every rank.
    rank : int
        This one. The sentence is empty for all but the first of a node, and where each has a
        device for itself.
    """
    node = seats[rank][0].node
    # How many devices this rank sees says nothing: launchers show each rank another one.
    used = {
        number: {seat.device for seat in own if seat.device is not None and seat.node == node}
        for number, own in enumerate(seats)
    }
    here = [number for number, devices in used.items() if devices]
    ranks_on = Counter(device for devices in used.values() for device in devices)
    if not here or rank != here[0] or max(ranks_on.values()) == 1:
        return ""
    count = f"{len(ranks_on)} device" if len(ranks_on) == 1 else f"{len(ranks_on)} devices"
    return f"the {len(here)} ranks of this node share {count}, and the memory of each"


def room_of_all(seats: Sequence[Sequence[Seat]]) -> int | None:
    """Return the bytes that every rank can take of its devices, None where no device says.

    The least of all ranks: what is decided by it has to be the same on all of them.
    """
    on: Counter[tuple[str, str | None]] = Counter(
        where
        for own in seats
        for where in {(seat.node, seat.device) for seat in own if seat.device is not None}
    )
    rooms = [
        seat.free // max(on[seat.node, seat.device], 1)
        for own in seats
        for seat in own
        if seat.free is not None
    ]
    return min(rooms, default=None)
