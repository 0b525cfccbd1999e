"""Warnings and log records on stderr, a line each, whatever the terminal can show."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from h5flow.errors import H5FlowWarning

__all__ = ["flush_stdout", "log_shown", "prepare_streams", "say", "warnings_shown"]

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def say(text: str) -> None:
    """Print to stderr; a reader that has gone away is no reason to fail."""
    # looked up at every call: a progress bar puts a stream of its own there
    with contextlib.suppress(OSError):
        # in one piece: several ranks may speak at once
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def prepare_streams() -> None:
    """Let stdout and stderr take all text, also what is not in the terminal's encoding."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # the process was started with it closed
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_stdout() -> None:
    """Write out what was printed; what a closed pipe no longer takes is dropped."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # or the interpreter would try, and fail, once more when it exits
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def warnings_shown() -> Iterator[None]:
    """Show the warnings of h5flow as a line each, the same text once."""
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("always", H5FlowWarning)
        warnings.showwarning = partial(_show_warning, set(), warnings.showwarning)
        yield


def _show_warning(
    seen: set[str],
    show_other: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    *place: Any,
) -> None:
    if not issubclass(category, H5FlowWarning):
        show_other(message, category, *place)
    elif str(message) not in seen:
        seen.add(str(message))
        say(f"h5flow: warning: {message}")


class _LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            say(f"h5flow: {record.levelname.lower()}: {self.format(record)}")
        except Exception:
            self.handleError(record)


@contextlib.contextmanager
def log_shown(verbose: int) -> Iterator[None]:
    """Show what is logged below ``h5flow``: warnings, with 1 information, with 2 everything."""
    logger = logging.getLogger("h5flow")
    handler, level = _LineHandler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(LEVELS[min(verbose, 2)])
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
