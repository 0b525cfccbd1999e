"""What a user asks of a run: the one value that the command line and `run` hand over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from h5flow.config.workflow import Workflow
    from h5flow.events import Event
    from h5flow.journal.provenance import SkippedChunk  # numpy and h5py come with it

__all__ = ["Recorder", "RunRequest", "RunSummary"]


@dataclass(frozen=True)
class RunRequest:
    """One command: workflows, run one after the other on one output.

    Attributes
    ----------
    configs : tuple
        Paths of workflow files, dicts of the same content, or `Workflow` objects.
    output, input : str or None
        Files; None takes what the first workflow says.
    start, end : int or None
        Rows of each source, half open; negative counts from the end.
    on_existing : {"default", "append", "overwrite"}
        What to do where the output exists.
    compression : str or None
        ``"gzip"``, ``"gzip:6"`` …; None takes what each workflow says.
    chunk_size : int, "auto" or None
        Rows per chunk of every dataset loop; None takes what each workflow says.
    allow_external_links : bool
        Whether what the input has in other files is read.
    resume, force : bool
        Whether to go on with a run that did not end; also where it was another command's.
    checkpoint_every : float
        Seconds between two moments of a loop from which a run can be resumed; 0: after each chunk.
    on_error : {"stop", "skip"}
        What to do when a chunk fails.
    time_limit : float or None
        Seconds after which the run stops at the end of its chunk, and can be resumed.
    """

    configs: tuple[str | Mapping[str, Any] | Workflow, ...]
    output: str | None = None
    input: str | None = None
    start: int | None = None
    end: int | None = None
    drop: tuple[str, ...] = ()
    compression: str | None = None
    on_existing: Literal["default", "append", "overwrite"] = "default"
    strict: bool = False
    backend: str = "auto"
    comm: str = "auto"
    chunk_size: int | Literal["auto"] | None = None
    input_data: Literal["copy", "link"] = "copy"
    stall_timeout: float = 600.0
    allow_external_links: bool = False
    resume: bool = False
    force: bool = False
    checkpoint_every: float = 10.0
    on_error: Literal["stop", "skip"] = "stop"
    time_limit: float | None = None


class Recorder(Protocol):
    """Takes down what each rank does; rank 0 writes it."""

    def begin(self) -> None:
        """Count time from now on; all ranks call this at the same moment."""

    def __call__(self, event: Event, /) -> None:
        """Take in an event of this rank."""

    def spans(self) -> Any:
        """Return what was taken down, in what travels between ranks."""

    def write(self, of_ranks: Sequence[Any], /) -> None:
        """Write what `spans` returned on each rank."""


@dataclass(frozen=True)
class RunSummary:
    """What was done: the output, and rows and chunks of each workflow.

    `skipped` are the chunks that were left out, of all workflows. `nothing_to_do` says that the
    output was there already, made by the same command.
    """

    output: str
    run_id: str
    configs: tuple[str, ...] = ()
    chunks: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    seconds: float = 0.0
    nothing_to_do: bool = False
    skipped: tuple[SkippedChunk, ...] = ()
