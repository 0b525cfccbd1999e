"""What a run tells those who watch it: small frozen records, and the type of a watcher.

The rooms that do the work emit events; `h5flow.observe` consumes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

__all__ = [
    "CheckpointSaved",
    "ChunkDone",
    "ChunkSkipped",
    "ConfigFinished",
    "ConfigStarted",
    "CopyProgress",
    "Event",
    "FileTraffic",
    "HookTimed",
    "LoopFinished",
    "Moved",
    "Observer",
    "Published",
    "Sampled",
    "Waited",
    "ignore_event",
]


class CopyProgress(NamedTuple):
    """Bytes of the input that are in the working file by now."""

    path: str
    done: int
    total: int


class ConfigStarted(NamedTuple):
    """A workflow's parts are built; totals are None where the generator does not know them."""

    config: str
    source: str
    stages: tuple[str, ...]
    total_rows: int | None
    total_chunks: int | None = None


class ChunkDone(NamedTuple):
    """One chunk has gone through all stages, on one of the ranks; it had `rows` rows."""

    iteration: int
    rows: int
    start: int
    stop: int


class ChunkSkipped(NamedTuple):
    """One chunk was left out, and what failed."""

    iteration: int
    start: int
    stop: int
    error: str


@dataclass(frozen=True)
class Moved:
    """What went between the host and devices: to the device (up), and back (down)."""

    bytes_up: int = 0
    bytes_down: int = 0
    transfers_up: int = 0
    transfers_down: int = 0
    seconds_up: float = 0.0
    seconds_down: float = 0.0

    @property
    def seconds(self) -> float:
        """Both ways."""
        return self.seconds_up + self.seconds_down

    def __add__(self, other: Moved) -> Moved:
        return Moved(
            self.bytes_up + other.bytes_up,
            self.bytes_down + other.bytes_down,
            self.transfers_up + other.transfers_up,
            self.transfers_down + other.transfers_down,
            self.seconds_up + other.seconds_up,
            self.seconds_down + other.seconds_down,
        )

    def __sub__(self, other: Moved) -> Moved:
        if other is self:
            return NOTHING_MOVED
        return Moved(
            self.bytes_up - other.bytes_up,
            self.bytes_down - other.bytes_down,
            self.transfers_up - other.transfers_up,
            self.transfers_down - other.transfers_down,
            self.seconds_up - other.seconds_up,
            self.seconds_down - other.seconds_down,
        )


NOTHING_MOVED = Moved()


class FileTraffic(NamedTuple):
    """What was read from the file, in which time, and what was queued to be written."""

    bytes_read: int = 0
    seconds_reading: float = 0.0
    bytes_written: int = 0


class HookTimed(NamedTuple):
    """A hook of one part has ended, or reading before it, or writing after it.

    Attributes
    ----------
    seconds : float
        Contain those in which `moved` went, those of `files`, and those `waited`.
    begin : float
        By `time.perf_counter`.
    waited : float
        Seconds in which this rank waited for others.
    iteration : int
        Of the loop; -1 outside of it.
    """

    name: str
    classname: str
    hook: str
    seconds: float
    moved: Moved = NOTHING_MOVED
    begin: float = 0.0
    waited: float = 0.0
    files: FileTraffic = FileTraffic()
    iteration: int = -1


class Waited(NamedTuple):
    """A rank has waited for others, from `begin` (by `time.perf_counter`) on."""

    begin: float
    seconds: float


class Sampled(NamedTuple):
    """What reading and writing cost at least, tried on a sample of the output.

    Attributes
    ----------
    bytes_per_second : float
        At which bytes of the file are copied from the system's memory, by the plain system call.
    inflating : mapping of str to float
        By source, the share of the time of reading it in which its chunks are unpacked; sources
        that are stored as they are have none.
    """

    bytes_per_second: float
    inflating: Mapping[str, float] = MappingProxyType({})


class LoopFinished(NamedTuple):
    """All chunks have gone through all stages.

    Attributes
    ----------
    seconds : float
        From asking for the first chunk on, on this rank.
    backends : tuple of str
        The array libraries, with their devices, on which the stages ran.
    ranks : int
        How many there are.
    """

    seconds: float
    backends: tuple[str, ...]
    ranks: int = 1


class ConfigFinished(NamedTuple):
    """A workflow has ended, well.

    Of `seconds`, `earlier` went by in the runs that this one has gone on from.
    """

    config: str
    chunks: int
    rows: int
    seconds: float
    earlier: float = 0.0


class CheckpointSaved(NamedTuple):
    """What a run that is stopped from now on can go on from: `chunks` of the loop are done.

    `is_resumable` is False where nothing was done yet, or a stage keeps something unsaved.
    """

    working_path: str
    chunks: int
    is_resumable: bool = True


class Published(NamedTuple):
    """The output stands under its own name."""

    path: str
    bytes_written: int
    seconds: float


Event: TypeAlias = (
    CopyProgress
    | ConfigStarted
    | ChunkDone
    | ChunkSkipped
    | HookTimed
    | LoopFinished
    | ConfigFinished
    | CheckpointSaved
    | Published
    | Sampled
    | Waited
)
Observer: TypeAlias = Callable[[Event], None]


def ignore_event(_event: Event) -> None:
    """Watch nothing."""
