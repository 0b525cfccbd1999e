"""A command: its workflows, one after the other on one output."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from h5flow.config.workflow import Workflow
from h5flow.core.checkpoints import Saver
from h5flow.core.completion import forget_left_lock, publish_left
from h5flow.core.preparation import Preparation, prepare
from h5flow.core.ranks import one_voice, open_channel
from h5flow.core.request import Recorder, RunRequest, RunSummary
from h5flow.core.stopping import StopRequest
from h5flow.core.workflow import H5FlowManager, open_output
from h5flow.errors import H5FlowWarning, UsageError
from h5flow.events import Event, Observer, ignore_event

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator
    from h5flow.core.output import OpenOutput
    from h5flow.journal.provenance import RunRecord
    from h5flow.transaction.channel import Channel

__all__ = ["execute", "run"]


def run(
    configs: str
    | os.PathLike[str]
    | Mapping[str, Any]
    | Workflow
    | Sequence[str | os.PathLike[str] | Mapping[str, Any] | Workflow],
    output_filename: str | os.PathLike[str] | None,
    input_filename: str | os.PathLike[str] | None = None,
    start_position: int | None = None,
    end_position: int | None = None,
    verbose: int = 0,
    drop: str | Sequence[str] | None = None,
    nompi: bool = False,
    compression: str | None = None,
    *,
    backend: str = "auto",
    comm: str | Communicator = "auto",
    overwrite: bool = False,
    append: bool = False,
    resume: bool = False,
    strict: bool = False,
    allow_external_links: bool = False,
) -> RunSummary:
    """Run workflows on one output, as ``h5flow run`` does.

    Parameters
    ----------
    configs : str, dict, Workflow or a sequence of them
        Workflow files or their content; all after the first read the output.
    output_filename : str
        The file that is made, or added to. It appears when everything is done. None takes what
        the first workflow says.
    input_filename : str, optional
        The file whose rows a dataset loop copies, or that a generator reads.
    start_position, end_position : int, optional
        Rows of each source, half open; negative counts from the end.
    verbose : int
        1 logs what the run does, 2 logs more.
    drop : str or sequence of str, optional
        Datasets left out of the final file.
    nompi : bool
        The same as ``comm="serial"``.
    compression : str, optional
        The filter of new datasets: ``"gzip"``, ``"gzip:6"``, ``"lzf"`` …
    backend : str
        A strategy by name; ``"auto"`` chooses.
    comm : str or Communicator
        The same; or ranks that exist, such as those of `h5flow.testing.ranks.run_on_ranks`.
    overwrite, append : bool
        What to do where the output exists.
    resume : bool
        Go on with a run of the same arguments that did not end. Where there is none, begin; where
        its output is there, do nothing.
    strict : bool
        Whether a requirement that cannot be loaded is an error.
    allow_external_links : bool
        Whether what the input has in other files is read: behind external links, in virtual
        datasets, in raw files. The links of h5flow's own ``--input-data link`` need no permission.

    Returns
    -------
    RunSummary

    Raises
    ------
    UsageError
        The arguments or a workflow are wrong (`ConfigError`); nothing was created.
    H5FlowError
        The run failed; the output is as it was.
    """
    if overwrite and append:
        raise UsageError("overwrite and append exclude each other")
    if isinstance(configs, str | os.PathLike | Mapping | Workflow):
        configs = [configs]
    request = RunRequest(
        configs=tuple(
            os.fspath(config) if isinstance(config, os.PathLike) else config for config in configs
        ),
        output=_as_text(output_filename),
        input=_as_text(input_filename),
        start=start_position,
        end=end_position,
        drop=(drop,) if isinstance(drop, str) else tuple(drop or ()),
        compression=compression,
        on_existing="overwrite" if overwrite else "append" if append else "default",
        strict=strict,
        backend=backend,
        resume=resume,
        comm="serial" if nompi or not isinstance(comm, str) else comm,
        allow_external_links=allow_external_links,
    )
    ranks = None if nompi or isinstance(comm, str) else comm
    with _logging(verbose):
        return execute(request, communicator=ranks)


def _as_text(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


def execute(
    request: RunRequest,
    observe: Observer = ignore_event,
    *,
    communicator: Communicator | None = None,
    stop: StopRequest | None = None,
    recorder: Recorder | None = None,
) -> RunSummary:
    """Do what a request asks for. Collective.

    Parameters
    ----------
    observe : callable
        Told what happens, on rank 0.
    communicator : Communicator, optional
        The ranks, in place of those that the request names.
    stop : StopRequest, optional
        Where handlers of signals note that the run is to stop; with the request's time limit.
    recorder : Recorder, optional
        Told what happens on each rank; on rank 0 it writes that at the end.

    Raises
    ------
    Stopped
        It was asked to, and can be resumed.
    UsageError
        The request or a workflow is wrong; nothing was created.
    H5FlowError
        The run failed; the output is as it was.
    """
    begin = time.perf_counter()
    stop = stop or StopRequest(request.time_limit)
    channel = open_channel(communicator or request.comm, request.stall_timeout)
    try:
        with one_voice(channel):
            # Rank 0 speaks for all.
            watch = _recorded(channel, observe if channel.rank == 0 else ignore_event, recorder)
            prepared = prepare(request, channel)
            if prepared.plan.is_done:
                return _nothing_to_do(prepared)
            if prepared.plan.is_complete:
                return _publish(prepared, watch)
            with open_output(prepared, watch) as output:
                start = prepared.plan.resumed
                saver = Saver(
                    output,
                    prepared.records,
                    prepared.planned,
                    request.checkpoint_every,
                    start,
                    stop,
                )
                done = [
                    _run_one(prepared, position, output, saver, watch)
                    for position in range(len(prepared.planned))
                ]
                run_id = output.publish(done)
            if recorder is not None:
                _write_record(channel, recorder)
    except BaseException as error:
        channel.fail(error)
        raise
    finally:
        channel.close()
    return _summary(prepared.plan.output, run_id, done, time.perf_counter() - begin)


def _nothing_to_do(prepared: Preparation) -> RunSummary:
    output = prepared.plan.output
    prepared.channel.by_first("looking for a lock", lambda: forget_left_lock(output))
    return RunSummary(output, "", nothing_to_do=True)


def _publish(prepared: Preparation, observe: Observer) -> RunSummary:
    """Publish what a run has left that is whole."""
    output, workflows = prepared.plan.output, len(prepared.planned)
    run_id, done = prepared.channel.by_first(
        "publishing", lambda: publish_left(output, observe, workflows)
    )
    return _summary(output, run_id, done)


def _summary(
    output: str, run_id: str, done: Sequence[RunRecord], seconds: float = 0.0
) -> RunSummary:
    return RunSummary(
        output=output,
        run_id=run_id,
        configs=tuple(record.config for record in done),
        chunks=tuple(record.chunks for record in done),
        rows=tuple(record.rows for record in done),
        seconds=seconds,
        skipped=tuple(chunk for record in done for chunk in record.skipped),
    )


def _recorded(channel: Channel, observe: Observer, recorder: Recorder | None) -> Observer:
    """Return an observer that tells the recorder as well, which begins now."""
    if recorder is None:
        return observe

    def both(event: Event) -> None:
        recorder(event)
        observe(event)

    channel.together("starting the trace", lambda: None)
    recorder.begin()
    channel.observe = recorder
    return both


def _write_record(channel: Channel, recorder: Recorder) -> None:
    """Write what all ranks have taken down. Collective."""
    channel.observe = ignore_event
    of_ranks = channel.by_each("gathering the trace", recorder.spans)
    if channel.rank == 0:
        try:
            recorder.write(of_ranks)
        except OSError as error:
            # the output stands already
            warnings.warn(f"the trace is not written: {error}", H5FlowWarning, stacklevel=2)


def _run_one(
    prepared: Preparation, position: int, output: OpenOutput, saver: Saver, observe: Observer
) -> RunRecord:
    """Run one workflow of several; return its record, complete."""
    request = prepared.request
    done_before = saver.outcome_of(position)
    if done_before is not None:
        return replace(prepared.records[position], **done_before)
    manager = H5FlowManager(
        prepared.planned[position].workflow,
        prepared.plan.output,
        prepared.input_of(position),
        request.start,
        request.end,
        request.compression,
        prepared=prepared,
        position=position,
        output=output,
        observe=observe,
        saver=saver,
    )
    manager.init()
    manager.run()
    manager.finish()
    saver.outcomes.append(manager.outcome())
    return manager.record


@contextmanager
def _logging(verbose: int) -> Iterator[None]:
    """Show what h5flow logs, for a caller that has not set logging up."""
    import logging

    logger = logging.getLogger("h5flow")
    level, handler = logger.level, logging.StreamHandler()
    if verbose:
        logger.setLevel(logging.INFO if verbose == 1 else logging.DEBUG)
        if not logger.hasHandlers():
            logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
