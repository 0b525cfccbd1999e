"""The ranks of a run: how they are joined before anything else, and part at the end."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from h5flow.comm import Communicator, choose_communicator
from h5flow.comm.choose import chosen_communicator, is_one_of_many
from h5flow.data.data_manager import H5FlowDataManager
from h5flow.errors import H5FlowWarning, UsageError
from h5flow.transaction.channel import Channel

__all__ = ["expect_end", "one_voice", "open_channel"]


def open_channel(communicator: str | Communicator, stall_seconds: float) -> Channel:
    """Return where the ranks of a run tell each other what they do; close it at the end.

    Parameters
    ----------
    communicator : str or Communicator
        Its name, or ``"auto"``; or one that exists.
    stall_seconds : float
        Without an exchange for so long all ranks are stopped; 0 waits for ever.

    Raises
    ------
    UsageError
        There is no such communicator, or a run goes on already on several ranks.
    """
    chosen = choose_communicator(communicator) if isinstance(communicator, str) else communicator
    if chosen.size > 1 and H5FlowDataManager.run_in_progress:
        raise UsageError(
            "a workflow cannot be run inside of another one on several ranks",
            advice="Run it with comm='serial' and an output of its own on each rank, or on one.",
        )
    channel = Channel(chosen)
    if chosen.size > 1 and chosen.are_processes:
        from h5flow.comm.vigil import Vigil

        channel.watch(Vigil(chosen, stall_seconds, channel.describe, lambda: channel.working_path))
    return channel


def expect_end(status: int) -> None:
    """Stop all ranks if this process, whose run has failed, does not end in a few seconds.

    Threads of the user's, or what is registered with `atexit`, may never end, and the other ranks
    wait for this one when they end.
    """
    from h5flow.comm.vigil import stop_unless_ended

    communicator = chosen_communicator()
    if communicator is not None and is_one_of_many():
        stop_unless_ended(communicator, status)


@contextmanager
def one_voice(channel: Channel) -> Iterator[None]:
    """Have the warnings of all ranks shown by rank 0, the same text once."""
    if channel.size == 1 or not channel.communicator.are_processes:
        # Filters of warnings are the process's.
        yield
        return
    with warnings.catch_warnings():
        show = warnings.showwarning
        seen: set[str] = set()

        def forward(
            message: Warning | str, category: type[Warning], *place: Any, **more: Any
        ) -> None:
            text = str(message)
            if not issubclass(category, H5FlowWarning):
                show(message, category, *place, **more)
            elif text not in seen:
                seen.add(text)
                if channel.rank == 0:
                    show(message, category, *place, **more)
                else:
                    channel.note(text)

        def hear(rank: int, text: str) -> None:
            if channel.rank == 0 and text not in seen:
                seen.add(text)
                show(H5FlowWarning(f"rank {rank}: {text}"), H5FlowWarning, __file__, 0)

        warnings.showwarning = forward
        channel.hear_notes(hear)
        yield
