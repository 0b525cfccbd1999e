"""Performs the programs of a folder on the ranks that mpiexec has started."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from programs import perform

from h5flow.comm import choose_communicator

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    communicator = choose_communicator("mpi")
    for number, program in enumerate(pickle.loads((folder / "programs.pickle").read_bytes())):
        place = folder / str(number)
        place.mkdir(exist_ok=True)
        outcome = perform(communicator, place / "ranks.h5", program)
        name = f"outcome{communicator.rank}.pickle"
        (place / name).write_bytes(pickle.dumps(outcome))
