"""What one exchange between ranks costs, against a blocking `Allgather` of 128 bytes.

Run with ``python -m bench.exchange`` from the repository's root; it starts ``mpiexec`` itself.
"""

from __future__ import annotations

import json
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bench.harness import Compare
from bench.processes import answer_of

if TYPE_CHECKING:
    from mpi4py import MPI

FLOOR = "Allgather of 128 bytes"
RANKS = (2, 4)
ROUNDS = 15
CALLS = 200  # in a round
LATE = (0.0003, 0.005, 0.05)  # seconds
LENGTHS = (60, 400, 4000)  # bytes; the last needs a second round
Meet: TypeAlias = Callable[[bytes], Sequence[bytes | bytearray]]
CLOCK = struct.Struct("d120x")  # the moment that the last rank came, as it tells the others


def microseconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - begin) / CALLS * 1e6


def on_rank() -> None:
    from mpi4py import MPI

    from h5flow.comm.mpi import world_communicator

    communicator = world_communicator()
    comm = MPI.COMM_WORLD.Dup()
    slots, empty = bytearray(128 * comm.size), bytes(128)

    def blocking(message: bytes) -> Sequence[bytes | bytearray]:
        comm.Allgather([message or empty, MPI.BYTE], [slots, 128, MPI.BYTE])
        return [slots]

    subjects: dict[str, Callable[[], object]] = {FLOOR: lambda: blocking(b"")}
    for length in LENGTHS:
        message = b"x" * length
        subjects[f"exchange of {length} bytes"] = partial(communicator.exchange, message)
    taken = cost(comm, subjects)
    if "cost" in sys.argv:
        if comm.rank == 0:
            print(json.dumps(taken))
        return
    waiting(comm, {"Allgather": blocking, "exchange": communicator.exchange})


def cost(comm: MPI.Comm, subjects: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Print, and return, the microseconds of each call when all ranks come at once."""
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, call in subjects.items():
            comm.Barrier()
            taken[name].append(microseconds(call))
    if comm.rank == 0:
        print(f"{comm.size} ranks (medians of {ROUNDS} rounds of {CALLS}, interleaved)")
        floor = statistics.median(taken[FLOOR])
        for name, rounds in taken.items():
            median = statistics.median(rounds)
            print(f"  {name:24} {median:7.1f} µs   {median / floor:5.1f} x")
    return taken


def waiting(comm: MPI.Comm, subjects: dict[str, Meet]) -> None:
    """Print what each costs a rank that waits for another."""
    for seconds in LATE:
        for name, meet in subjects.items():
            measured = [after_a_late_rank(comm, meet, seconds) for _ in range(ROUNDS)]
            latency, used = (statistics.median(column) for column in zip(*measured, strict=True))
            if comm.rank == 1:
                print(
                    f"  rank 0 is {seconds * 1e3:4.1f} ms late: {name:9} ends {latency * 1e6:6.1f} "
                    f"µs after it came, and has used {used / seconds:4.0%} of a core"
                )


def after_a_late_rank(comm: MPI.Comm, meet: Meet, seconds: float) -> tuple[float, float]:
    """Return how long after rank 0 this one goes on, and its core's time."""
    comm.Barrier()
    used = time.process_time()
    if comm.rank == 0:
        time.sleep(seconds)
    came = CLOCK.unpack(meet(CLOCK.pack(time.monotonic()))[0][: CLOCK.size])[0]
    return time.monotonic() - came, time.process_time() - used


def test_exchange(compare: Compare) -> None:
    ranks = 2  # more would share the cores of a small machine
    found: dict[str, list[float]] = {}
    compare.elsewhere(lambda: found.update(answer_of("bench.exchange", "cost", ranks=ranks)))
    base, own = (
        [each / 1e6 for each in found[name]] for name in (FLOOR, f"exchange of {LENGTHS[0]} bytes")
    )
    compare.measured(f"an exchange of {LENGTHS[0]} bytes, {ranks} ranks", base, own, floor_is=FLOOR)


def main() -> None:
    mpiexec = Path(sys.executable).with_name("mpiexec")
    for count in RANKS:
        command = [
            str(mpiexec),
            "-n",
            str(count),
            sys.executable,
            "-m",
            "bench.exchange",
            "on a rank",
        ]
        subprocess.run(command, check=True, timeout=120)


if __name__ == "__main__":
    on_rank() if len(sys.argv) > 1 else main()
