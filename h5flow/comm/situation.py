"""What a rank is doing, as far as another thread of it can see."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import FrameType
from typing import TYPE_CHECKING

from h5flow import errors

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator

__all__ = ["Situation", "Witness"]

PACKAGE = os.path.dirname(errors.__file__) + os.sep


@dataclass(frozen=True)
class Situation:
    """What a rank is doing.

    Attributes
    ----------
    doing : str
        Hook, part and chunk.
    waits : bool
        It waits for other ranks, in h5flow's communication: those hold it up.
    stack : str
        Where it is, as in a traceback, from the user's code on.
    """

    doing: str
    waits: bool
    stack: str

    def encode(self) -> str:
        """Return it as text that `decode` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Situation:
        """Return what was encoded.

        Raises
        ------
        ValueError
            The text is not whole.
        """
        return cls(**json.loads(text))


class Witness:
    """Sees from another thread what a rank's own thread, the one that makes this, is doing.

    Parameters
    ----------
    communicator : Communicator
        Of the rank; it waits while it is in one of its methods.
    describe : callable
        Returns hook, part and chunk, in a line.
    """

    def __init__(self, communicator: Communicator, describe: Callable[[], str]) -> None:
        self.describe = describe
        self._thread = threading.get_ident()
        methods = (communicator.exchange, communicator.send, communicator.receive)
        self._waiting = [getattr(method, "__code__", None) for method in methods]

    def waits(self) -> bool:
        """Tell whether the rank waits for others in h5flow's communication."""
        return any(frame.f_code in self._waiting for frame in self._frames())

    def situation(self) -> Situation:
        """Return what the rank is doing; reads the files of the code that it is in."""
        shown = _from_users_code(self._frames())
        summary = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in shown)
        return Situation(self.describe(), self.waits(), "".join(summary.format()))

    def _frames(self) -> list[FrameType]:
        innermost = sys._current_frames().get(self._thread)
        frames = [] if innermost is None else list(traceback.walk_stack(innermost))
        return [frame for frame, _ in reversed(frames)]


def _from_users_code(frames: Sequence[FrameType]) -> Sequence[FrameType]:
    """Leave out what leads to the first call from h5flow to elsewhere; all stay without one."""
    is_ours = [frame.f_code.co_filename.startswith(PACKAGE) for frame in frames]
    for place in range(1, len(frames)):
        if is_ours[place - 1] and not is_ours[place]:
            return frames[place:]
    return frames
