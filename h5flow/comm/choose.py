"""Which communicator a run takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from h5flow.comm.protocol import Communicator
from h5flow.errors import UsageError
from h5flow.registry import Registry

__all__ = ["H5FLOW_MPI", "choose_communicator", "communicators", "launched_ranks"]

#: Whether the run is on MPI; no communicator of this version is.
H5FLOW_MPI = False

communicators: Registry[Callable[[], Communicator]] = Registry(
    "communicator",
    "h5flow.communicators",
    {"serial": "h5flow.comm.serial:SerialCommunicator"},
)

# The number of ranks, as each launcher tells the processes it starts: MPICH's Hydra, Open MPI,
# PMIx, and Slurm's srun (not sbatch, whose script is one process whatever SLURM_NTASKS says).
LAUNCHER_VARIABLES = (
    "PMI_SIZE",
    "OMPI_COMM_WORLD_SIZE",
    "PMIX_SIZE",
    "MPI_LOCALNRANKS",
    "SLURM_STEP_NUM_TASKS",
)


def launched_ranks(environment: Mapping[str, str] | None = None) -> int:
    """Return the number of ranks that a launcher started, 1 without a launcher."""
    environment = os.environ if environment is None else environment
    for variable in LAUNCHER_VARIABLES:
        value = environment.get(variable, "")
        if value.isdigit():
            return max(1, int(value))
    return 1


def choose_communicator(name: str = "auto") -> Communicator:
    """Return the communicator called `name`; ``"auto"`` follows the launcher.

    Raises
    ------
    UsageError
        There is no such communicator, or a launcher started several ranks that would each run
        the whole workflow on the same output.
    """
    if os.environ.get("H5FLOW_NOMPI", "0") not in {"", "0"} and name == "auto":
        name = "serial"
    if name != "auto":
        return communicators.get(name)()
    ranks = launched_ranks()
    if ranks > 1:
        raise UsageError(
            f"a launcher started {ranks} processes, and each would run the whole workflow: this "
            "version of h5flow runs a workflow in one process",
            advice="Start one process without the launcher, or, for processes with an output "
            "each, add --comm serial (or set H5FLOW_NOMPI=1).",
        )
    return communicators.get("serial")()
