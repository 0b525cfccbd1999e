"""Where some ranks of a group meet and leave each other messages; without waiting or locks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Circle", "Message", "Posted"]


@dataclass(eq=False)
class Message:
    """What one rank sends to another.

    Attributes
    ----------
    is_taken : bool
        A receive has it.
    """

    source: int
    destination: int
    tag: int
    payload: bytes
    is_taken: bool = False


@dataclass(eq=False)
class Posted:
    """A receive. `source` and `tag` are None for any."""

    destination: int
    source: int | None = None
    tag: int | None = None
    message: Message | None = None

    def takes(self, message: Message) -> bool:
        """Tell whether that message is one for this receive."""
        return (
            self.destination == message.destination
            and self.source in (None, message.source)
            and self.tag in (None, message.tag)
        )

    def take(self, message: Message) -> None:
        """Receive a message."""
        self.message = message
        message.is_taken = True


@dataclass(eq=False)
class Circle:
    """A communicator's state, one for all its ranks.

    Attributes
    ----------
    members : tuple of int
        The ranks in the group; the place of each is its rank here.
    """

    members: tuple[int, ...]
    _turns: dict[int, int] = field(default_factory=dict)
    _meetings: dict[int, dict[int, tuple[str, Any]]] = field(default_factory=dict)
    _arrived: list[Message] = field(default_factory=list)
    _posted: list[Posted] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The number of ranks."""
        return len(self.members)

    def arrive(self, rank: int, what: str, value: Any) -> dict[int, tuple[str, Any]]:
        """Come to this rank's next meeting; return what each rank is there for, and brings."""
        turn = self._turns.get(rank, 0)
        self._turns[rank] = turn + 1
        meeting = self._meetings.setdefault(turn, {})
        meeting[rank] = what, value
        if len(meeting) == self.size:  # those who wait hold it
            del self._meetings[turn]
        return meeting

    def send(self, message: Message) -> None:
        """Hand a message to the first receive that takes it, or keep it."""
        taker = next((posted for posted in self._posted if posted.takes(message)), None)
        if taker is None:
            self._arrived.append(message)
        else:
            self._posted.remove(taker)
            taker.take(message)

    def post(self, posted: Posted) -> None:
        """Receive the first message there is, or the next that is sent."""
        message = self.find(posted)
        if message is None:
            self._posted.append(posted)
        else:
            self._arrived.remove(message)
            posted.take(message)

    def withdraw(self, posted: Posted) -> None:
        """Receive nothing any more."""
        if posted in self._posted:
            self._posted.remove(posted)

    def find(self, posted: Posted) -> Message | None:
        """Return the first message that a receive would take."""
        return next((message for message in self._arrived if posted.takes(message)), None)
