"""One tree of errors: what is wrong, where, and what to do about it.

Everything h5flow raises on purpose is an `H5FlowError`. Classes that users already catch as a
built-in (``KeyError``, ``RuntimeError`` …) inherit from that as well. `exit_status` is what the
command line exits with; 2 means that nothing was created.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

__all__ = [
    "CallError",
    "ConfigError",
    "DataError",
    "DiscoveryError",
    "FileFormatError",
    "H5FlowError",
    "H5FlowWarning",
    "HookError",
    "NoRoomError",
    "NoSuchDatasetError",
    "OrderError",
    "OtherRankError",
    "PaddingError",
    "Place",
    "Problem",
    "ReverseReferenceError",
    "Stopped",
    "UsageError",
    "did_you_mean",
]


class Place(NamedTuple):
    """Where in a workflow file something stands: `line` and `column` count from 1.

    Both are 0 where there is no line to point at: a dict, or a file that cannot be read.
    """

    file: str
    line: int
    column: int
    key: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}" if self.key else where


class Problem(NamedTuple):
    """One thing that is wrong in a workflow file."""

    message: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class H5FlowError(Exception):
    """The root of all errors that h5flow raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, in a sentence.
    place : Place, optional
        The line of the workflow file that is to blame.
    advice : str, optional
        What the user can do about it, in a sentence.
    """

    exit_status: ClassVar[int] = 1

    def __init__(
        self, message: str, *, place: Place | None = None, advice: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.advice = advice

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        if not self.advice:
            return text
        return f"{text.rstrip('.')}. {self.advice}"


class UsageError(H5FlowError):
    """The command line, or what it asks of the files at hand, cannot be done."""

    exit_status = 2


class ConfigError(UsageError):
    """A workflow file is wrong; holds every problem that was found in it.

    Parameters
    ----------
    problems : sequence of Problem
        At least one.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class DiscoveryError(UsageError):
    """A class named in a workflow was not found, is ambiguous, or cannot be imported."""


class FileFormatError(H5FlowError, OSError):
    """A file is missing, is not HDF5, is damaged, or does not have h5flow's layout."""

    def __str__(self) -> str:
        return H5FlowError.__str__(self)


class DataError(H5FlowError, ValueError):
    """A call of the data manager with arguments that do not fit the data."""


class OrderError(DataError):
    """On several ranks rows would not lie where one process puts them."""


class CallError(DataError, TypeError):
    """Arguments that do not fit the signature of a function, or fit two of them."""


class NoSuchDatasetError(H5FlowError, KeyError):
    """A dataset, reference or group that is not in the file."""

    def __str__(self) -> str:
        return H5FlowError.__str__(self)


class ReverseReferenceError(H5FlowError, RuntimeError):
    """References between two datasets exist already, in the other direction."""


class PaddingError(H5FlowError, MemoryError):
    """A padded result would not fit in memory."""


class NoRoomError(H5FlowError):
    """A disk is full."""


class HookError(H5FlowError):
    """An exception escaped a hook of a user's class.

    `__cause__` is the user's exception, with its own traceback.

    Parameters
    ----------
    message : str
        Hook, class, name, chunk and rows, and the exception in a line.
    """


class OtherRankError(H5FlowError):
    """Another rank has failed, and reports what happened; this one only stops.

    Parameters
    ----------
    message : str
        What failed there, in a line.
    rank : int
        Where.
    status : int
        The exit status of all ranks.
    """

    def __init__(
        self,
        message: str,
        *,
        place: Place | None = None,
        advice: str | None = None,
        rank: int = 0,
        status: int = 1,
    ) -> None:
        super().__init__(message, place=place, advice=advice)
        self.rank = rank
        self.exit_status = status  # type: ignore[misc]  # of the other rank's error


class Stopped(H5FlowError):
    """A run was asked to stop, and has stopped at the end of a chunk: it can be resumed.

    Parameters
    ----------
    message : str
        Why, and after which chunk.
    status : int
        What to exit with: 130 or 143 after a signal, 75 where the time was over.
    """

    def __init__(
        self,
        message: str,
        *,
        place: Place | None = None,
        advice: str | None = None,
        status: int = 75,
    ) -> None:
        super().__init__(message, place=place, advice=advice)
        self.exit_status = status  # type: ignore[misc]  # of this one


class H5FlowWarning(UserWarning):
    """All warnings of h5flow."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest candidate, or an empty string.

    Examples
    --------
    >>> did_you_mean("muon", ["events", "muons"])
    " (did you mean 'muons'?)"
    """
    import difflib

    nearest = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return f" (did you mean '{nearest[0]}'?)" if nearest else ""
