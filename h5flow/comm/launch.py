"""Starting ranks on this machine with the ``mpiexec`` that belongs to the mpi4py in use."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Literal

from h5flow.comm.choose import find_launcher
from h5flow.errors import UsageError

__all__ = ["find_mpiexec", "launch", "mpi_library", "physical_cores"]

PROBE_SECONDS = 20.0
# Ranks end by themselves within six seconds of a signal; see `h5flow.comm.vigil`.
GRACE_SECONDS = 8.0
# What a run can end with by itself.
KNOWN_STATUSES = frozenset({0, 1, 2, 3, 75, 130, 143})
STATUS_OF_SIGNAL = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}
# Words by which a library, and a launcher, say whose they are.
FAMILIES = {
    "mpich": ("mpich", "hydra", "intel(r) mpi", "mvapich"),
    "openmpi": ("open mpi", "openmpi", "openrte", "prte", "prrte"),
}
PROBE = """
import mpi4py
mpi4py.rc.initialize = False
from mpi4py import MPI
print(MPI.Get_library_version())
"""
INSTALL = (
    "pip install 'h5flow[mpi]' brings both; on a cluster, load the site's MPI and install mpi4py "
    "with it: pip install --no-binary=mpi4py mpi4py."
)
# The parent may be killed: mpiexec, and with it all ranks, then ends as well.
DIE_WITH_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def launch(
    ranks: int | Literal["auto"],
    words: Sequence[str],
    program: Sequence[str] = ("-m", "h5flow"),
) -> int:
    """Run a program of Python on several ranks; return its exit status.

    SIGINT, SIGTERM and SIGHUP are passed on. What has not ended eight seconds after a signal, or
    at a second Ctrl-C, is killed.

    Parameters
    ----------
    ranks : int or "auto"
        ``"auto"`` takes as many as there are physical cores.
    words : sequence of str
        Arguments of the program.
    program : sequence of str
        Arguments of the interpreter that name the program.

    Raises
    ------
    UsageError
        A launcher has started this process already, or there is no MPI to start ranks with.
    """
    launcher = find_launcher()
    if launcher is not None and not launcher.is_shell and launcher.ranks != 1:
        raise UsageError(
            f"a launcher has started {launcher.ranks or 'several'} processes already, each of "
            "which would start more",
            advice="Leave --ranks out.",
        )
    count = physical_cores() if ranks == "auto" else ranks
    library = mpi_library()
    mpiexec = find_mpiexec(library)
    if mpiexec is None:
        name = library.partition("\n")[0].partition(",")[0].strip()
        raise UsageError(
            f"mpi4py uses {name}, and there is no mpiexec of that library", advice=INSTALL
        )
    command = [mpiexec, "-n", str(count), sys.executable]
    command += [*subprocess._args_from_interpreter_flags(), *program, *words]  # type: ignore[attr-defined]
    return _Parent(command, _environment(library, count)).wait()


def physical_cores(
    cpus: Path = Path("/sys/devices/system/cpu"), limit: Path = Path("/sys/fs/cgroup/cpu.max")
) -> int:
    """Return the number of cores that this process may use, each counted once.

    Parameters
    ----------
    cpus, limit : pathlib.Path
        Where Linux says which threads share a core, and how much time a container has.
    """
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if usable is None:
        return os.cpu_count() or 1
    cores = set()
    for cpu in usable:
        topology = cpus / f"cpu{cpu}" / "topology"
        try:
            package = (topology / "physical_package_id").read_text().strip()
            cores.add((package, (topology / "core_id").read_text().strip()))
        except OSError:
            cores.add((f"cpu{cpu}", ""))
    return max(1, min(len(cores), _quota(limit, len(cores))))


def mpi_library(seconds: float = PROBE_SECONDS) -> str:
    """Return what mpi4py's MPI library says of itself.

    A process of its own asks, for a broken library may end or hang it.

    Raises
    ------
    UsageError
        mpi4py is not installed, or finds no library.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        why = f"it does not answer within {seconds:.0f} s"
    else:
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
        lines = done.stderr.strip().splitlines()
        why = lines[-1] if lines else f"it ended with status {done.returncode}"
    raise UsageError(f"no ranks can be started, for mpi4py cannot be used: {why}", advice=INSTALL)


def find_mpiexec(library: str, path: str | None = None) -> str | None:
    """Return the launcher of a library: the one beside the interpreter, or the first on PATH.

    Parameters
    ----------
    library : str
        What the library says of itself.
    path : str, optional
        Folders to look in, in place of those.
    """
    wanted = _family(library)
    if path is None:
        beside = os.path.dirname(sys.executable)
        path = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])
    for folder in path.split(os.pathsep):
        for name in ("mpiexec", "mpirun"):
            found = shutil.which(name, path=folder)
            if found is not None and wanted is not None and _family(_version(found)) == wanted:
                return found
    return None


def _family(text: str) -> str | None:
    lower = text.lower()
    for family, words in FAMILIES.items():
        if any(word in lower for word in words):
            return family
    return None


def _version(mpiexec: str) -> str:
    try:
        done = subprocess.run(
            [mpiexec, "--version"],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def _environment(library: str, count: int) -> dict[str, str]:
    environment = dict(os.environ)
    if _family(library) == "openmpi":
        if count > physical_cores():
            environment.setdefault("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
            environment.setdefault("OMPI_MCA_rmaps_base_oversubscribe", "1")
        if os.geteuid() == 0:
            # In a container root is the only user, and whoever runs h5flow there knows.
            environment.setdefault("OMPI_ALLOW_RUN_AS_ROOT", "1")
            environment.setdefault("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
    return environment


def _quota(limit: Path, default: int) -> int:
    """Return the processors' worth of time that a container has."""
    try:
        quota, period = limit.read_text().split()
        return default if quota == "max" else math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return default


class _Parent:
    """Waits for mpiexec, which is in a session of its own, so that signals reach it once."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._signalled: int | None = None
        self._deadline = math.inf
        self._latest = -math.inf
        wrapped = [sys.executable, "-c", DIE_WITH_PARENT, str(os.getpid()), *command]
        self._process = subprocess.Popen(
            wrapped, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True
        )
        # None: a handler that was not set from Python cannot be put back.
        self._before = {
            number: signal.getsignal(number) or signal.SIG_DFL for number in STATUS_OF_SIGNAL
        }
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._pass_on)

    def wait(self) -> int:
        try:
            return self._status(self._wait())
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _wait(self) -> int:
        while self._process.poll() is None:
            if time.monotonic() > self._deadline:
                # Its ranks end with it, whatever session they are in.
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.2)
        return self._process.returncode

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._signalled is None:
            self._signalled, self._deadline = number, now + GRACE_SECONDS
        elif number == signal.SIGINT and now - self._latest > 1.0:
            self._deadline = now
        self._latest = now
        # mpiexec takes a second SIGINT for the wish to kill at once.
        asked = signal.SIGTERM if number == signal.SIGHUP else number
        if self._process.poll() is None and self._deadline > now:
            self._process.send_signal(asked)

    def _status(self, status: int) -> int:
        if self._signalled is not None and status not in {0, 1, 2, 3, 75}:
            return STATUS_OF_SIGNAL[signal.Signals(self._signalled)]
        if status in KNOWN_STATUSES:
            return status
        print(
            f"h5flow: error: a rank was killed (mpiexec ended with status {status}); nothing was "
            "published",
            file=sys.stderr,
        )
        return 1
