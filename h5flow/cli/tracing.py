"""The file of ``--trace``: made where it harms nothing, written also where a run has failed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from h5flow.cli.messages import say
from h5flow.comm.choose import launched_rank
from h5flow.errors import UsageError

if TYPE_CHECKING:
    from h5flow.observe.trace import Trace

__all__ = ["make_trace", "save_alone"]


def make_trace(path: str, configs: Sequence[Any]) -> Trace:
    """Return what takes down a run.

    Raises
    ------
    UsageError
        The file cannot be made, or is one of the workflows.
    """
    from h5flow.observe.trace import Trace

    if any(os.path.realpath(path) == os.path.realpath(config) for config in configs):
        raise UsageError(f"the trace '{path}' would replace a workflow file")
    return Trace(path)


def save_alone(trace: Trace | None) -> None:
    """Write what rank 0 has done, of a run that has failed: the others cannot be asked any more."""
    if trace is None or launched_rank():
        return
    left_out, spans = trace.spans()
    if not spans:
        return  # nothing was begun
    try:
        trace.write([(left_out, spans)])
    except OSError as error:
        say(f"h5flow: warning: the trace is not written: {error}")
