"""Groups of processes: what a run needs of one, and the implementations by name."""

from h5flow.comm.choose import choose_communicator, communicators
from h5flow.comm.protocol import Communicator

__all__ = ["Communicator", "choose_communicator", "communicators"]
