"""Starting ranks under a real ``mpiexec``, with a time limit, and leaving no process behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

__all__ = ["Ranks", "clean_environment", "mpiexec", "run_ranks", "start_ranks"]

# What a launcher tells the processes it starts. Tests that run under one themselves
# (`mpiexec -n 2 pytest --with-mpi`) start another, whose ranks must not take it for theirs.
LAUNCHER_PREFIXES = ("PMI_", "PMIX_", "OMPI_", "HYDI_", "HYDRA_", "MPIR_", "MPI_LOCAL", "PRTE_JOB")
KEPT = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")
# Unbuffered, what ranks print is mixed within lines.
DROPPED = ("H5FLOW_NOMPI", "PYTHONUNBUFFERED")
MARK = "H5FLOW_TEST_RANKS"  # names, in every process of a job, the job it belongs to


class Ranks:
    """A job that was started: ``mpiexec`` and all that it has started. Leaving it kills it.

    Attributes
    ----------
    process : subprocess.Popen
        The ``mpiexec``.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path | None):
        self._mark = uuid.uuid4().hex
        self._stdout, self._stderr = _temporary_file(self), _temporary_file(self)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            env={**environment, MARK: self._mark},
            cwd=folder,
            start_new_session=True,
        )

    def __enter__(self) -> Ranks:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait(self, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Return what the job printed and its exit status, when its last process has gone.

        Raises
        ------
        AssertionError
            It has not ended in time, or has left processes behind; none is left after that.
        """
        try:
            status = self.process.wait(timeout)
            left = self._left_behind()
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not ended after {timeout} s\n{self.printed()}") from None
        finally:
            self.kill()
        assert not left, f"processes {left} are left behind\n{self.printed()}"
        return subprocess.CompletedProcess(
            self.process.args, status, _text(self._stdout), _text(self._stderr)
        )

    def printed(self) -> str:
        """Return all that was printed so far."""
        return f"--- stdout\n{_text(self._stdout)}\n--- stderr\n{_text(self._stderr)}"

    def wait_for(self, words: str, timeout: float = 30.0) -> None:
        """Wait until `words` have been printed.

        Raises
        ------
        AssertionError
            They were not, in time; the job is killed.
        """
        deadline = time.monotonic() + timeout
        while words not in self.printed():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.kill()
                raise AssertionError(f"'{words}' was not printed\n{self.printed()}")
            time.sleep(0.02)

    def pids(self) -> list[int]:
        """Return the processes of the job that are alive, launcher and ranks."""
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._is_ours(entry)]

    def kill(self) -> None:
        """End every process of the job."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pid in self.pids():  # ranks are in sessions of their own
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._left_behind()

    def _is_ours(self, entry: Path) -> bool:
        try:
            return f"{MARK}={self._mark}".encode() in (entry / "environ").read_bytes().split(b"\0")
        except OSError:  # gone, or somebody else's
            return False

    def _left_behind(self) -> list[int]:
        deadline = time.monotonic() + 5
        while (left := self.pids()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left


def start_ranks(
    count: int,
    program: str | Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Ranks:
    """Start a Python program on `count` ranks; see `run_ranks`. Use it in a ``with``."""
    arguments = ["-c", textwrap.dedent(program)] if isinstance(program, str) else list(program)
    command = [mpiexec(), "-n", str(count), sys.executable, *arguments]
    return Ranks(command, {**clean_environment(), **(environment or {})}, folder)


def run_ranks(
    count: int,
    program: str | Sequence[str],
    timeout: float = 60.0,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a Python program on `count` ranks.

    Parameters
    ----------
    count : int
    program : str, or sequence of str
        The program's text, or the interpreter's arguments: ``["script.py", "x"]``,
        ``["-m", "h5flow", "run", ...]``.
    timeout : float
        Seconds, after which every process of the job is killed.
    environment : mapping of str to str, optional
        Variables to add to this process's, less those of launchers.
    folder : pathlib.Path, optional
        The working directory.

    Raises
    ------
    AssertionError
        It has not ended in time, or has left processes behind.
    """
    with start_ranks(count, program, environment=environment, folder=folder) as ranks:
        return ranks.wait(timeout)


def mpiexec() -> str:
    """Return the launcher that belongs to this interpreter's MPI."""
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.is_file() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("NOT TESTED ON RANKS: there is no mpiexec (pip install 'h5flow[test]')")
    return found


def clean_environment() -> dict[str, str]:
    """Return this process's environment as it is without a launcher."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not (name in DROPPED or name.startswith(LAUNCHER_PREFIXES))
    }


def _temporary_file(owner: object) -> int:
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    weakref.finalize(owner, os.close, descriptor)
    return descriptor


def _text(descriptor: int) -> str:
    # Not through the file's own position, which the processes share.
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")
