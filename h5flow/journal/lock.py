"""One writer for an output: a lock that the kernel takes back when its process dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import warnings
from pathlib import Path

from h5flow.errors import H5FlowWarning, UsageError

__all__ = ["Lock", "holder_of"]

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class Lock:
    """A lock file, held from construction to `release`, which removes it.

    Parameters
    ----------
    path : pathlib.Path
        The lock file.
    output : pathlib.Path
        What is protected, as the user named it.

    Raises
    ------
    UsageError
        Another run holds the lock, or its file cannot be made.

    Warns
    -----
    H5FlowWarning
        The file system has no locks.
    """

    def __init__(self, path: Path, output: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        while self._descriptor is None:
            self._descriptor = self._try(output)

    @property
    def is_held(self) -> bool:
        """Whether `release` is still to come."""
        return self._descriptor is not None

    def release(self) -> None:
        """Remove the lock file; harmless when it is done already."""
        if self._descriptor is None:
            return
        # Removed while it is locked: whoever waits for this file sees that its name is gone.
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def _try(self, output: Path) -> int | None:
        """Return a descriptor that holds the lock; None where the file was removed meanwhile."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise UsageError(
                f"the output {output} cannot be written: {self.path} cannot be made "
                f"({error.strerror})",
                advice="Choose an output elsewhere.",
            ) from error
        try:
            _lock(descriptor, output)
            if not self._is_mine(descriptor):
                os.close(descriptor)
                return None
            # For the message of a second run only: a full disk is no reason to fail here.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _is_mine(self, descriptor: int) -> bool:
        """Whether the locked file still stands under its name."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def holder_of(path: Path) -> str | None:
    """Return who holds a lock, None where nobody does or the file system has none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 200, 0).decode(errors="replace") or "somebody"
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, output: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace")
        raise UsageError(
            f"another run is writing {output}{f': {holder}' if holder else ''}",
            advice="Wait until it has ended, or choose another output.",
        ) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        warnings.warn(
            f"the file system of {output} has no locks: see to it that no other run writes it",
            H5FlowWarning,
            stacklevel=5,
        )
