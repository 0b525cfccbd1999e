"""What escapes a script on one of several ranks, outside of any run."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING

from h5flow.errors import H5FlowError

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator

__all__ = ["end_all_on_escape"]


def end_all_on_escape(communicator: Communicator) -> None:
    """Have an exception that ends this process end all ranks, once it was shown.

    The others may wait for this one, in a run or as MPI ends. What h5flow itself raises it has
    told them.
    """
    show, owner = sys.excepthook, os.getpid()

    def end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        show(kind, error, trace)
        if os.getpid() == owner and not isinstance(error, H5FlowError):
            communicator.abort(130 if isinstance(error, KeyboardInterrupt) else 1)

    sys.excepthook = end
