"""What a run tells those who watch it: small frozen records, and the type of a watcher.

The rooms that do the work emit events; `h5flow.observe` consumes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "ChunkDone",
    "ConfigFinished",
    "ConfigStarted",
    "CopyProgress",
    "Event",
    "HookTimed",
    "Observer",
    "Published",
    "ignore_event",
]


@dataclass(frozen=True)
class CopyProgress:
    """Bytes of the input that are in the working file by now."""

    path: str
    done: int
    total: int


@dataclass(frozen=True)
class ConfigStarted:
    """A workflow's parts are built; totals are None where the generator does not know them."""

    config: str
    source: str
    stages: tuple[str, ...]
    total_rows: int | None
    total_chunks: int | None = None


@dataclass(frozen=True)
class ChunkDone:
    """One chunk has gone through all stages, on one of the ranks; it had `rows` rows."""

    iteration: int
    rows: int
    start: int
    stop: int


@dataclass(frozen=True)
class HookTimed:
    """A hook of one part has ended."""

    name: str
    classname: str
    hook: str
    seconds: float


@dataclass(frozen=True)
class ConfigFinished:
    """A workflow has ended, well."""

    config: str
    chunks: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class Published:
    """The output stands under its own name."""

    path: str
    bytes_written: int
    seconds: float


Event: TypeAlias = CopyProgress | ConfigStarted | ChunkDone | HookTimed | ConfigFinished | Published
Observer: TypeAlias = Callable[[Event], None]


def ignore_event(_event: Event) -> None:
    """Watch nothing."""
