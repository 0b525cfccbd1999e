"""What went wrong, as text for the terminal, and the exit status that goes with it."""

from __future__ import annotations

import os
import traceback
from types import TracebackType
from typing import NamedTuple

from h5flow import __version__, errors
from h5flow.core.stopping import WORDS
from h5flow.errors import ConfigError, H5FlowError, HookError, Stopped

__all__ = ["Report", "paragraph", "report_on"]

PACKAGE = os.path.dirname(errors.__file__) + os.sep


class Report(NamedTuple):
    """Lines for stderr, and what to exit with."""

    text: str
    status: int


def report_on(error: BaseException, *, state: str, verbose: int = 0) -> Report:
    """Describe what ended a run.

    Parameters
    ----------
    error : BaseException
        What came out of the run.
    state : str
        What became of the output, as a clause: ``"nothing was published"``.
    verbose : int
        From 2 on, every traceback is shown, and whole.
    """
    if isinstance(error, KeyboardInterrupt):
        status = getattr(error, "exit_status", 130)
        text = f"h5flow: {WORDS[status]}; {state}"
    elif isinstance(error, Stopped):
        text, status = f"h5flow: {error.message}; {state}", error.exit_status
    elif isinstance(error, SystemExit):
        text, status = _of_exit(error, state), 1
    elif isinstance(error, H5FlowError):
        text, status = paragraph(error), error.exit_status
        if isinstance(error, HookError) and error.__cause__ is not None and verbose < 2:
            return Report(_traceback_of_user(error.__cause__) + text, status)
    elif _is_of_the_machine(error):
        text, status = f"h5flow: error: {_machine_error(error)}; {state}", 1
    else:
        return Report(_bug(error), 1)
    return Report(_traceback(error) + text if verbose >= 2 else text, status)


def paragraph(error: H5FlowError) -> str:
    """Return an error as one paragraph; of a wrong workflow file, one line per problem."""
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        lines = [f"h5flow: error: {len(error.problems)} things are wrong in the workflow:"]
        return "\n".join([*lines, *(f"  {problem}" for problem in error.problems)])
    return f"h5flow: error: {error}"


def _of_exit(error: SystemExit, state: str) -> str:
    # the status asked for is not passed on: with 0, a batch system would take this for success
    return (
        f"{_traceback_of_user(error)}h5flow: error: code of the workflow ended the program with "
        f"sys.exit({error.code!r}); {state}. Raise an exception in place of it."
    )


def _is_of_the_machine(error: BaseException) -> bool:
    """Tell a full disk, a missing permission or too little memory from a mistake in h5flow."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and bool(error.errno))


def _machine_error(error: BaseException) -> str:
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    return f"not enough memory ({error}); a smaller --chunk-size needs less"


def _bug(error: BaseException) -> str:
    import platform

    return (
        "h5flow: error: this is a bug in h5flow; please report it to the developers of h5flow "
        f"with the workflow file and the following traceback (h5flow {__version__}, "
        f"Python {platform.python_version()}, {platform.platform()}).\n{_traceback(error).rstrip()}"
    )


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _traceback_of_user(error: BaseException) -> str:
    cut = _from_first_frame_outside(error.__traceback__)
    described = traceback.TracebackException(type(error), error, cut)
    if isinstance(error, H5FlowError):
        # what h5flow refuses is explained by the call, not by where in h5flow it was refused
        while len(described.stack) > 1 and described.stack[-1].filename.startswith(PACKAGE):
            described.stack.pop()
    return "".join(described.format())


def _from_first_frame_outside(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the leading frames of h5flow; all stay where there are no others."""
    frame = trace
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if not file.startswith((PACKAGE, "<frozen ")):
            return frame
        frame = frame.tb_next
    return trace
