"""The command ``h5flow``: parse, run, say what happened, exit with a status."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from h5flow.cli.arguments import Command, parse
from h5flow.cli.messages import flush_stdout, log_shown, prepare_streams, say, warnings_shown
from h5flow.cli.options import USAGE
from h5flow.cli.report import paragraph, report_on
from h5flow.cli.signals import interruptible
from h5flow.errors import UsageError
from h5flow.observe.watch import Watch

__all__ = ["main"]


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
    try:
        command = parse(words)
    except UsageError as error:
        say(paragraph(error))
        return error.exit_status
    except (SystemExit, BrokenPipeError):
        # the help or the version stand on stdout, or nobody reads them any more
        return 0
    with interruptible():
        return _run(command)


def _run(command: Command) -> int:
    watch = Watch(sys.stderr, quiet=command.quiet)
    try:
        with log_shown(command.verbose), warnings_shown(), watch:
            # numpy and h5py come with it, and take their time
            from h5flow.core.runner import execute

            execute(command.request, watch)
            watch.summarize()
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        report = report_on(error, state=_state(command, watch), verbose=command.verbose)
        say(report.text)
        return report.status
    return 0


def _state(command: Command, watch: Watch) -> str:
    """Say what became of the output of a run that did not end well."""
    if watch.published is not None:
        return f"{watch.published.path} had been published already"
    return f"nothing was published, {command.request.output or 'the output'} is as it was"
