"""Where the time of a loop went: reading, following references, computing, writing, waiting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TextIO

from h5flow.events import ConfigStarted, Event, HookTimed, LoopFinished, Moved, Sampled
from h5flow.observe.aligned import aligned
from h5flow.observe.quantities import bytes_of

__all__ = ["Profile", "print_profile"]

HEAD = ("", "seconds", "share", "")
# The hooks of a loop; init and finish come once, before and after it.
HOOKS = frozenset({"next", "run"})
NOT_A_PART = frozenset({"read", "write"})


@dataclass
class _Loop:
    """What was told about the loop of one workflow."""

    config: str
    source: str
    finished: LoopFinished | None = None
    read: float = 0.0
    dereference: float = 0.0
    write: float = 0.0
    wait: float = 0.0
    bytes_read: int = 0
    bytes_written: int = 0
    moved: Moved = field(default_factory=Moved)
    # by label, in the order in which they came first
    compute: dict[str, float] = field(default_factory=dict)


class Profile:
    """Collects, from what a run tells, where the time of its loops went.

    Transfers, and waiting for other ranks, happen while a chunk is read, while a stage runs and
    while rows are stored: their time is counted once, by itself.
    """

    def __init__(self) -> None:
        self._loops: list[_Loop] = []
        self._sampled: Sampled | None = None

    @property
    def sources(self) -> frozenset[str]:
        """The datasets that workflows loop over."""
        return frozenset(loop.source for loop in self._loops)

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, ConfigStarted):
            self._loops.append(_Loop(event.config, event.source))
        elif isinstance(event, Sampled):
            self._sampled = event
        elif self._loops and self._loops[-1].finished is None:
            if isinstance(event, LoopFinished):
                self._loops[-1].finished = event
            elif isinstance(event, HookTimed) and event.hook in HOOKS:
                _add(self._loops[-1], event)

    def tables(self) -> list[list[str]]:
        """Return a table for each loop that has ended, as lines of text, its title first."""
        return [
            _table(loop, loop.finished, self._sampled)
            for loop in self._loops
            if loop.finished is not None
        ]


def print_profile(profile: Profile, stream: TextIO) -> None:
    """Print a table for each workflow."""
    for lines in profile.tables():
        stream.write("\n" + "\n".join(lines) + "\n")
    stream.flush()


def _add(loop: _Loop, event: HookTimed) -> None:
    seconds = event.seconds - event.moved.seconds - event.waited
    loop.moved += event.moved
    loop.wait += event.waited
    loop.bytes_read += event.files.bytes_read
    loop.bytes_written += event.files.bytes_written
    # h5flow's own work has no class
    own = not event.classname and event.name in NOT_A_PART
    if own and event.name == "read":
        loop.read += event.files.seconds_reading
        loop.dereference += seconds - event.files.seconds_reading
    elif own:
        loop.write += seconds
    else:
        label = f"{'source' if event.hook == 'next' else 'compute'} {event.name}"
        loop.compute[label] = loop.compute.get(label, 0.0) + seconds


def _table(loop: _Loop, finished: LoopFinished, sampled: Sampled | None) -> list[str]:
    moved, total = loop.moved, finished.seconds
    parts = {"read": loop.read, "dereference": loop.dereference}
    details = {"read": _amount_read(loop, sampled), "write": _amount(loop.bytes_written)}
    if moved.transfers_up or moved.transfers_down:
        up, down = "transfer to the device", "transfer to the host"
        parts |= {up: moved.seconds_up, down: moved.seconds_down}
        details[up] = _rate(moved.bytes_up, moved.transfers_up, moved.seconds_up)
        details[down] = _rate(moved.bytes_down, moved.transfers_down, moved.seconds_down)
    else:
        parts["transfer"] = 0.0
        details["transfer"] = "nothing was moved"
    parts |= {**loop.compute, "write": loop.write}
    if finished.ranks > 1:
        parts["wait for other ranks"] = loop.wait
    parts["rest"] = max(total - sum(parts.values()), 0.0)
    parts["loop"] = total
    cells = [
        [name, f"{seconds:.3f}", _share(seconds, total), details.get(name, "")]
        for name, seconds in parts.items()
    ]
    lines = [_title(loop, finished), *aligned([HEAD, *cells], [True, False, False, True])]
    return lines if sampled is None else [*lines, _floor(loop, sampled)]


def _amount_read(loop: _Loop, sampled: Sampled | None) -> str:
    amount = _amount(loop.bytes_read)
    share = None if sampled is None else sampled.inflating.get(loop.source)
    if not amount or share is None:
        return amount
    return f"{amount}, inflating about {share:.0%} of the time (tried on a chunk)"


def _amount(size_bytes: int) -> str:
    return bytes_of(size_bytes) if size_bytes else ""


def _floor(loop: _Loop, sampled: Sampled) -> str:
    """Return how far the loop is from copying the same bytes once, in memory."""
    least = (loop.bytes_read + loop.bytes_written) / sampled.bytes_per_second
    own = loop.read + loop.dereference + loop.write
    rate = f"{bytes_of(sampled.bytes_per_second)}/s"
    times = f"; read, dereference and write took {own / least:.1f} x that" if least > 0 else ""
    return f"  floor: copying as many bytes in memory takes {least:.3f} s at {rate}{times}"


def _title(loop: _Loop, finished: LoopFinished) -> str:
    where = f" on {', '.join(finished.backends)}" if finished.backends else ""
    whose = f", rank 0 of {finished.ranks} alone" if finished.ranks > 1 else ""
    return f"{loop.config}: time of the loop over {loop.source}{where}{whose}"


def _share(seconds: float, total: float) -> str:
    return f"{100 * seconds / total:.0f} %" if total > 0 else ""


def _rate(size: int, transfers: int, seconds: float) -> str:
    if not transfers:
        return "nothing was moved"
    amount = f"{bytes_of(size)} in {transfers:,} {'transfer' if transfers == 1 else 'transfers'}"
    return f"{amount}, {bytes_of(size / seconds)}/s" if seconds > 0 else amount
