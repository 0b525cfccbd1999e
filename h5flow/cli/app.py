"""The command ``h5flow``: parse, run, say what happened, exit with a status."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from h5flow.cli.arguments import Command, parse, without_ranks
from h5flow.cli.messages import flush_stdout, log_shown, prepare_streams, say, warnings_shown
from h5flow.cli.options import USAGE
from h5flow.cli.report import paragraph, report_on
from h5flow.cli.signals import interruptible
from h5flow.comm.choose import is_one_of_many, launched_rank
from h5flow.core.stopping import StopRequest
from h5flow.errors import H5FlowError, OtherRankError, Stopped, UsageError

if TYPE_CHECKING:
    from h5flow.core.request import RunSummary
    from h5flow.observe.trace import Trace
    from h5flow.observe.watch import Watch

__all__ = ["main"]

STDERR = 2
# done, with chunks left out on request
SKIPPED = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; those of this process by default.
    """
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    status = _status_of(words)
    flush_stdout()
    return status


def _status_of(words: Sequence[str]) -> int:
    if not words:
        say(f"usage: {USAGE}\n\n'h5flow --help' says more.")
        return UsageError.exit_status
    if list(words) == ["doctor"]:
        from h5flow.cli.doctor import run_doctor

        return run_doctor(sys.stdout)
    return _parsed(words)


def _parsed(words: Sequence[str]) -> int:
    try:
        if words[0] in {"check", "index"}:
            return _look_after_files(words[0], words[1:])
        command = parse(words)
        trace = _trace(command)
    except UsageError as error:
        # every rank reads the same words, and one answer is enough
        if launched_rank() == 0:
            say(paragraph(error))
        return error.exit_status
    except (SystemExit, BrokenPipeError):
        # the help or the version stand on stdout, or nobody reads them any more
        return 0
    if command.ranks != 1:
        return _launch(command.ranks, words)
    stop = StopRequest(command.request.time_limit)
    with interruptible(stop, tell=_tell_of_stop) as afterwards:
        status = _run(command, stop, trace)
        # mpiexec passes Ctrl-C on to ranks that may be ending already, since another was faster
        afterwards.ignored = status != 0 and is_one_of_many()
    return status


def _trace(command: Command) -> Trace | None:
    if not command.trace:
        return None
    from h5flow.cli.tracing import make_trace

    return make_trace(command.trace, command.request.configs)


def _look_after_files(what: str, words: Sequence[str]) -> int:
    if launched_rank():
        # one answer is enough
        return 0
    try:
        if what == "check":
            from h5flow.cli.check import run_check

            return run_check(words, sys.stdout)
        from h5flow.cli.index import run_index

        return run_index(words, sys.stdout)
    except (UsageError, BrokenPipeError):
        raise
    except (Exception, KeyboardInterrupt) as error:
        report = report_on(error, state="the files are as they were")
        say(report.text)
        return report.status


def _launch(ranks: int | Literal["auto"], words: Sequence[str]) -> int:
    from h5flow.comm.launch import launch

    try:
        return launch(ranks, without_ranks(words))
    except UsageError as error:
        if launched_rank() == 0:
            say(paragraph(error))
        return error.exit_status


def _tell_of_stop() -> None:
    """Say that a signal was heard; not through a stream, which the handler may have interrupted."""
    if launched_rank() == 0:
        line = b"h5flow: stopping at the end of this chunk; a second signal stops at once\n"
        os.write(STDERR, b"\n" * os.isatty(STDERR) + line)  # below the progress


def _run(command: Command, stop: StopRequest, trace: Trace | None) -> int:
    from h5flow.observe.watch import Watch  # the help does without

    watch = Watch(sys.stderr, quiet=command.quiet, profile=command.profile)
    try:
        with log_shown(command.verbose), warnings_shown(), watch:
            expect_end, execute = _load_core()
            recorded: dict[str, Any] = {} if trace is None else {"recorder": trace}
            summary = execute(command.request, watch, stop=stop, **recorded)
            if summary.nothing_to_do and launched_rank() == 0:
                say(f"h5flow: {summary.output} is finished: nothing to do")
            elif command.profile and launched_rank() == 0:
                _sample(summary.output, watch)
            watch.summarize()
            if summary.skipped:
                return _say_skipped(summary)
    except OtherRankError as error:
        _save_alone(trace)
        expect_end(error.exit_status)
        return error.exit_status
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        report = report_on(error, state=_state(command, watch), verbose=command.verbose)
        say(report.text)
        left = _left_by(watch)
        is_failure = isinstance(error, H5FlowError) and not isinstance(error, Stopped)
        if is_failure and left is not None:
            say(f"h5flow: --resume goes on from {left}")
        _save_alone(trace)
        expect_end(report.status)
        return report.status
    return 0


def _save_alone(trace: Trace | None) -> None:
    if trace is not None:
        from h5flow.cli.tracing import save_alone

        save_alone(trace)


def _say_skipped(summary: RunSummary) -> int:
    if launched_rank() == 0:
        count, rows = len(summary.skipped), sum(each.stop - each.start for each in summary.skipped)
        say(
            f"h5flow: {count:,} {'chunk' if count == 1 else 'chunks'} ({rows:,} rows) failed and "
            f"{'is' if count == 1 else 'are'} left out of {summary.output}, which records them in "
            "/h5flow/runs/*/skipped"
        )
    return SKIPPED


def _sample(output: str, watch: Watch) -> None:
    """Have the profile compare the run with what its bytes cost at least."""
    from pathlib import Path

    from h5flow.core.sampling import sample_file

    # a comparison that cannot be made is no reason to fail
    with suppress(OSError, RuntimeError, H5FlowError):
        sampled = sample_file(Path(output), watch.sources)
        if sampled is not None:
            watch(sampled)


def _load_core() -> tuple[Callable[[int], None], Callable[..., RunSummary]]:
    """Import what does the work; numpy and h5py come with it, and take their time."""
    # Modules stay to the end: looking for garbage among them only costs, now and ever after.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        from h5flow.core.ranks import expect_end
        from h5flow.core.runner import execute
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
    return expect_end, execute


def _state(command: Command, watch: Watch) -> str:
    """Say what became of the output of a run that did not end well."""
    if watch.published is not None:
        return f"{watch.published.path} had been published already"
    output = command.request.output or "the output"
    state = f"nothing was published, {output} is as it was"
    left = _left_by(watch)
    return state if left is None else f"{state}; --resume goes on from {left}"


def _left_by(watch: Watch) -> str | None:
    """Return the working file that a run has left to be resumed, None where it has removed it."""
    path = None if watch.checkpoint is None else watch.checkpoint.working_path
    return path if path is not None and os.path.exists(path) else None
