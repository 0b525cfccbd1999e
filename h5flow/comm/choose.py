"""Which communicator a run takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from h5flow.comm.absence import expect_all, tell_launcher_at_exit
from h5flow.errors import UsageError
from h5flow.registry import Registry

if TYPE_CHECKING:
    from h5flow.comm.protocol import Communicator

    #: Whether the run is on MPI: what was chosen last, or before that what `auto` would choose.
    H5FLOW_MPI: bool

__all__ = [
    "H5FLOW_MPI",
    "Launcher",
    "choose_communicator",
    "chosen_communicator",
    "communicators",
    "find_launcher",
    "is_one_of_many",
    "launched_rank",
]

communicators: Registry[Callable[[], Communicator]] = Registry(
    "communicator",
    "h5flow.communicators",
    {
        "serial": "h5flow.comm.serial:SerialCommunicator",
        "mpi": "h5flow.comm.mpi:world_communicator",
    },
)

# The number of ranks, as launchers tell the processes they start: MPICH's Hydra and all that speak
# its protocol, Open MPI, PMIx.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "MPI_LOCALNRANKS")
# Slurm's srun; not sbatch, whose script is one process whatever SLURM_NTASKS says. Looked at last:
# launchers inside a job start their own helpers by srun.
SLURM_SIZE = "SLURM_STEP_NUM_TASKS"
# The number of this process among them.
RANKS = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "MPI_LOCALRANKID", "SLURM_PROCID")
UNCOUNTED = "PMIX_RANK"  # of a launcher that does not say how many there are


class Launcher(NamedTuple):
    """What has started this process.

    Attributes
    ----------
    ranks : int or None
        How many processes it has started; None if it does not say.
    is_shell : bool
        It has started one, as Slurm does for an interactive shell, from which MPI cannot start.
    """

    ranks: int | None
    is_shell: bool = False


_chosen: Communicator | None = None


def find_launcher(environment: Mapping[str, str] | None = None) -> Launcher | None:
    """Return what has started this process, None if it was started by itself."""
    environment = os.environ if environment is None else environment
    sizes = [environment[name] for name in SIZES if environment.get(name, "").isdigit()]
    if sizes:  # an outer launcher's variables are inherited: the larger one is taken
        return Launcher(max(1, *map(int, sizes)))
    if environment.get(SLURM_SIZE, "").isdigit():
        ranks = max(1, int(environment[SLURM_SIZE]))
        return Launcher(ranks, is_shell=ranks == 1)
    return Launcher(None) if UNCOUNTED in environment else None


def launched_rank(environment: Mapping[str, str] | None = None) -> int:
    """Return the number that a launcher gave this process, 0 without one."""
    environment = os.environ if environment is None else environment
    if find_launcher(environment) is None:
        return 0
    found = [environment[name] for name in RANKS if environment.get(name, "").isdigit()]
    return int(found[0]) if found else 0


def choose_communicator(name: str = "auto") -> Communicator:
    """Return the communicator called `name`; ``"auto"`` follows the launcher. Collective.

    Raises
    ------
    UsageError
        There is no such communicator; or a launcher started several ranks that would each run
        the whole workflow on the same output, for MPI is missing or is not the launcher's.
    """
    global _chosen  # noqa: PLW0603 - a process has one group of ranks
    _chosen = _automatic() if name == "auto" else _named(name)
    expect_all()
    return _chosen


def is_one_of_many() -> bool:
    """Return whether the last run was one of several processes'."""
    return _chosen is not None and _chosen.size > 1 and _chosen.are_processes


def chosen_communicator() -> Communicator | None:
    """Return what was chosen last, None before that."""
    return _chosen


def __getattr__(name: str) -> Any:
    if name != "H5FLOW_MPI":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    if _chosen is not None:
        return _chosen.name == "mpi"
    launcher = None if _is_mpi_refused() else find_launcher()
    return launcher is not None and launcher.ranks != 1


def _automatic() -> Communicator:
    launcher = None if _is_mpi_refused() else find_launcher()
    if launcher is None or launcher.is_shell:
        return _named("serial")
    if launcher.ranks == 1 and not _has_mpi():
        return _named("serial")
    return _named("mpi")


def _named(name: str) -> Communicator:
    make = communicators.get(name)
    if name == "mpi":
        # until it has joined them the others wait for it
        tell_launcher_at_exit()
    communicator = make()
    if name == "mpi":
        _check_launched(communicator.size, find_launcher())
    return communicator


def _check_launched(size: int, launcher: Launcher | None) -> None:
    """Refuse an MPI that does not know of the ranks that the launcher has started."""
    if launcher is None or size == launcher.ranks:
        return
    if launcher.ranks is None and (size > 1 or os.environ.get(UNCOUNTED) == "0"):
        return
    raise UsageError(
        f"the launcher started {launcher.ranks or 'several'} processes, but MPI counts {size}: "
        "mpi4py uses an MPI library that does not belong to this launcher",
        advice="Start with the mpiexec of that library (h5flow run --ranks N finds it), or install "
        "mpi4py built with the launcher's MPI; or, for processes with an output each, add "
        "--comm serial (or set H5FLOW_NOMPI=1).",
    )


def _is_mpi_refused() -> bool:
    return os.environ.get("H5FLOW_NOMPI", "0") not in {"", "0"}


def _has_mpi() -> bool:
    from h5flow.comm.mpi import load_mpi

    try:
        load_mpi()
    except UsageError:
        return False
    return True
