"""Ranks that the command starts by itself: ``h5flow run --ranks N``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Literal

from h5flow.comm.choose import find_launcher
from h5flow.comm.cores import physical_cores
from h5flow.comm.job import Job
from h5flow.comm.library import find_library, find_mpiexec
from h5flow.errors import UsageError

__all__ = ["job_environment", "launch", "physical_cores", "status_of_job"]

# What h5flow exits with: as in the command's help, and 75 for a run that stopped in time.
STATUSES = (0, 1, 2, 3, 75, 130, 143)
OPEN_MPI = "Open MPI"
MORE_THAN_CORES = {
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # from Open MPI 5 on
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def launch(
    ranks: int | Literal["auto"],
    words: Sequence[str],
    *,
    program: Sequence[str] | None = None,
) -> int:
    """Run the command on several ranks, and return the exit status.

    ``mpiexec`` is the one of mpi4py's MPI library. Ranks get this process's working directory and
    environment, no standard input, and the signals that tell this process to end; they end with
    it, however it ends.

    Parameters
    ----------
    ranks : int or "auto"
        How many; ``"auto"``: as many as there are physical cores for this process.
    words : sequence of str
        The command line of each rank, after the program's name.
    program : sequence of str, optional
        What each rank runs; h5flow in this interpreter by default.

    Raises
    ------
    UsageError
        MPI or its ``mpiexec`` is missing, or a launcher has started this process.
    """
    _refuse_ranks_of_ranks()
    try:
        library = find_library()
        mpiexec = find_mpiexec(library)
    except KeyboardInterrupt:
        return 130
    cores = physical_cores()
    count = cores if ranks == "auto" else ranks
    is_open_mpi = library.family == OPEN_MPI
    added = job_environment(count, cores) if is_open_mpi else {}
    job = Job(
        [mpiexec, "-n", str(count), *(_h5flow() if program is None else program), *words],
        {**added, **os.environ},
        signals_ranks=is_open_mpi,
    )
    status, message = status_of_job(job.wait(), job.passed_on, killed=job.killed)
    if message:
        print(message, file=sys.stderr, flush=True)
    return status


def status_of_job(status: int, passed_on: int | None, *, killed: bool = False) -> tuple[int, str]:
    """Return what to exit with after ``mpiexec``, and what to say.

    Parameters
    ----------
    status : int
        That of ``mpiexec``; negative where a signal has ended it.
    passed_on : int or None
        The signal that was passed on to it.
    killed : bool
        It was killed because it did not end.
    """
    if killed and passed_on is not None:
        return 128 + passed_on, f"h5flow: {_name(passed_on)}; all ranks were killed"
    if status in STATUSES:
        return status, ""
    if passed_on is not None:
        return 128 + passed_on, ""
    return 1, (
        f"h5flow: error: a rank was killed (mpiexec ended with status {status}); "
        "nothing was published"
    )


def job_environment(ranks: int, cores: int) -> Mapping[str, str]:
    """Return what Open MPI is told: more ranks than cores are meant, and so is the user root."""
    environment: dict[str, str] = {}
    if ranks > cores:
        environment |= MORE_THAN_CORES
    if os.geteuid() == 0:
        # it refuses to run as root, which every container does
        environment |= AS_ROOT
    return environment


def _refuse_ranks_of_ranks() -> None:
    launcher = find_launcher()
    if launcher is not None and launcher.ranks != 1:
        raise UsageError(
            f"--ranks would start ranks in each of the {launcher.ranks or 'several'} processes "
            "that a launcher has started already",
            advice="Leave --ranks out.",
        )


def _h5flow() -> list[str]:
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, "-m", "h5flow"]


def _name(number: int) -> str:
    return "interrupted" if number == signal.SIGINT else "terminated"
