"""Exceptions as texts, in which they travel between ranks: their objects need not."""

from __future__ import annotations

import traceback

from h5flow import errors
from h5flow.errors import H5FlowError

__all__ = [
    "describe_error",
    "error_as_strings",
    "error_from_strings",
    "message_of",
    "report_of",
    "status_of",
    "trace_of",
]


def report_of(trace: str, message: str) -> str:
    """Return what is printed of a failure: the traceback, then the error in a line."""
    return f"{trace}h5flow: error: {message}"


def trace_of(error: BaseException | None) -> str:
    """Return the traceback of what a user's class raised, or of the exception itself."""
    if error is None:
        return ""
    origin = error.__cause__ or error  # what a user's class raised
    return "".join(traceback.format_exception(type(origin), origin, origin.__traceback__))


def error_as_strings(error: BaseException | None) -> tuple[str, str, str] | None:
    """Return the name, message and advice of an `H5FlowError`; no name for others."""
    if error is None:
        return None
    if isinstance(error, H5FlowError):
        return type(error).__name__, error.message, error.advice or ""
    return "", describe_error(error), ""


def error_from_strings(name: str, message: str, advice: str) -> H5FlowError:
    """Return the error of which `error_as_strings` has made the strings."""
    kind: type[H5FlowError] = getattr(errors, name, H5FlowError)
    return kind(message, advice=advice or None)


def message_of(error: BaseException) -> str:
    """Return what an exception says, in a line."""
    return error.message if isinstance(error, H5FlowError) else describe_error(error)


def status_of(error: BaseException) -> int:
    """Return the exit status of a process that an exception ends."""
    if isinstance(error, H5FlowError):
        return error.exit_status
    return getattr(error, "exit_status", 130) if isinstance(error, KeyboardInterrupt) else 1


def describe_error(error: BaseException) -> str:
    """Return an exception in a line."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else error.code})"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
