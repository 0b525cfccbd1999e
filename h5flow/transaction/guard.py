"""What watches over one rank while it communicates."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

__all__ = ["Guard", "Unguarded"]


class Guard(Protocol):
    """What watches over one rank: signals, and ranks that do not come to an exchange."""

    def shielded(self) -> AbstractContextManager[Any]:
        """Keep signals back while this rank communicates or writes."""
        ...

    def patient(self) -> AbstractContextManager[Any]:
        """Allow any time between two exchanges."""
        ...

    def deferring(self) -> AbstractContextManager[Any]:
        """Let a first signal end the chunk, not the rank: its handler has noted it."""
        ...

    def raise_if_interrupted(self) -> None:
        """Raise what a signal that was kept back stands for."""
        ...

    def ending(self, status: int, report: str = "", /) -> None:
        """Give this process a few seconds to end by itself; then print the report, and end all."""
        ...

    def close(self) -> None:
        """Stop watching."""
        ...


class Unguarded:
    """One process needs nothing of it: signals interrupt, and it waits for nobody."""

    def shielded(self) -> AbstractContextManager[Any]:
        """Do nothing."""
        return nullcontext()

    patient = shielded
    deferring = shielded

    def raise_if_interrupted(self) -> None:
        """Do nothing."""

    def ending(self, status: int, report: str = "", /) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
