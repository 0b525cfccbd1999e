"""The file that a run writes, until it is whole and gets the name of the output."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from h5flow.errors import H5FlowError, H5FlowWarning, UsageError
from h5flow.io.edit import forget_edit
from h5flow.io.space import full_disk_named
from h5flow.journal.lock import Lock

__all__ = [
    "LOCK_SUFFIX",
    "WORKING_SUFFIX",
    "WorkingFile",
    "put_in_place",
    "same_file",
    "working_path_of",
]

WORKING_SUFFIX, LOCK_SUFFIX, REWRITTEN_SUFFIX = ".partial", ".lock", ".rewritten"


class WorkingFile:
    """The one writer's place for an output: the output's name appears when all is written.

    From its construction to `publish` or `discard`, whichever comes first, no other run can write
    the same output. Leaving ``with`` discards what was not published.

    Parameters
    ----------
    output : path-like
        A symbolic link is followed, and kept.
    keep_left_over : bool
        Go on with what a run before has left there.

    Attributes
    ----------
    output : pathlib.Path
        The file itself, with all links resolved.
    working_path : pathlib.Path
        Where to write: beside `output`. There is no file there yet.

    Raises
    ------
    UsageError
        The output cannot be written there, or another run writes it.

    Warns
    -----
    H5FlowWarning
        A run that was killed left its working file, which is removed; or the file system has no
        locks.
    """

    def __init__(self, output: str | os.PathLike[str], *, keep_left_over: bool = False) -> None:
        self.output = _checked(Path(output))
        self.working_path = _beside(self.output, WORKING_SUFFIX)
        self._rewritten_path = _beside(self.working_path, REWRITTEN_SUFFIX)
        self._lock = Lock(_beside(self.output, LOCK_SUFFIX), Path(output))
        try:
            if not keep_left_over:
                self._remove_left_over()
        except OSError as error:
            self._lock.release()
            raise _cannot_write(self.output, error) from error
        except BaseException:
            # also a warning that was made an error
            self._lock.release()
            raise

    def _remove_left_over(self) -> None:
        self._rewritten_path.unlink(missing_ok=True)
        if not os.path.lexists(self.working_path):
            forget_edit(self.working_path)
            return
        self.working_path.unlink()
        forget_edit(self.working_path)
        warnings.warn(
            f"removed {self.working_path}, which a run that was killed has left",
            H5FlowWarning,
            stacklevel=3,
        )

    def rewrite(self, make: Callable[[Path, Path], None]) -> None:
        """Replace the working file, closed, by another one.

        Parameters
        ----------
        make : callable
            ``make(old, new)`` writes the file `new` from the file `old`.
        """
        try:
            with full_disk_named(self._rewritten_path):
                make(self.working_path, self._rewritten_path)
            self._rewritten_path.replace(self.working_path)
        except BaseException:
            self._rewritten_path.unlink(missing_ok=True)
            raise

    def publish(self) -> None:
        """Put the working file, closed, in the place of the output, in one step.

        What is on disk after a power failure is the old output or the new one, whole. The
        permissions of an output that existed are kept.

        Raises
        ------
        H5FlowError
            The output can no longer be written there; the working file stays, whole.
        """
        try:
            put_in_place(self.working_path, self.output)
        except OSError as error:
            raise H5FlowError(
                f"the output {self.output} cannot be put in its place: {error.strerror}",
                advice=f"It is complete in {self.working_path}: rename it yourself.",
            ) from error
        finally:
            self._lock.release()

    def keep(self) -> None:
        """Leave what was written, for a run that goes on with it; harmless after `publish`."""
        self._lock.release()

    def discard(self) -> None:
        """Remove what was written; harmless after `publish`."""
        if not self._lock.is_held:
            return
        try:
            self._rewritten_path.unlink(missing_ok=True)
            self.working_path.unlink(missing_ok=True)
            forget_edit(self.working_path)
        finally:
            self._lock.release()

    def __enter__(self) -> WorkingFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.discard()


def put_in_place(new: Path, path: Path) -> None:
    """Give a file, closed and beside `path`, that name, in one step that outlasts a power failure.

    The permissions of a file that is replaced are kept.
    """
    if path.exists():
        # Some network file systems have no permissions.
        with contextlib.suppress(PermissionError):
            new.chmod(stat.S_IMODE(path.stat().st_mode))
    _sync(new)
    new.replace(path)
    _sync(path.parent)


def working_path_of(output: str | os.PathLike[str]) -> Path:
    """Return where a run writes before its output has its name."""
    return _beside(Path(output).resolve(), WORKING_SUFFIX)


def same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Return whether two paths lead to one file; those of missing files count by name."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


def _beside(path: Path, suffix: str) -> Path:
    # The whole name is kept: run.h5 and run.hdf5 have different working files.
    return path.with_name(path.name + suffix)


def _checked(named: Path) -> Path:
    """Return the output behind all links, or say why it cannot be one."""
    try:
        output = named.resolve()
        if output.is_symlink():
            # Links that lead in a circle stay from Python 3.13 on; before, RuntimeError.
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        output.exists()
        # The name of the working file may be too long where the output's is not.
        _beside(output, WORKING_SUFFIX + REWRITTEN_SUFFIX).exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise _cannot_write(named, error) from error
    folder = output.parent
    if output.is_dir():
        raise UsageError(f"the output {named} is a folder", advice=f"Name a file in it: {named}/….")
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise UsageError(
            f"the output {named} cannot be written: {folder} {what}",
            advice=f"Check the name, or make the folder with `mkdir -p {folder}`.",
        )
    if output.exists() and not output.is_file():
        raise UsageError(f"the output {named} is not an ordinary file", advice="Name another one.")
    if output.exists() and not os.access(output, os.W_OK):
        raise UsageError(
            f"the output {named} is protected against writing",
            advice=f"Choose another output, or allow it with `chmod u+w {named}`.",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"the output {named} cannot be written: the folder {folder} is read-only for you",
            advice="Choose an output elsewhere.",
        )
    return output


def _cannot_write(path: Path, error: Exception) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(
        f"the output {path} cannot be written: {reason}", advice="Choose an output elsewhere."
    )


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no sync for folders.
        if error.errno not in {errno.EINVAL, errno.EBADF, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)
