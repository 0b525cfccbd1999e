"""Under a real mpiexec: rank 0 writes, the others read the file at the same time."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
from ranks import run_ranks, start_ranks

from h5flow.testing.storage_on_ranks import run_in_this_process

KILLS = int(os.environ.get("H5FLOW_TEST_KILLS", "3"))
BEGIN = """
import os, sys, time
from pathlib import Path
import h5py
import numpy as np
from h5flow.comm import choose_communicator
from h5flow.storage.protocol import Batch, CreateTable, SetAttributes, Write
from h5flow.storage.single_writer import SingleWriterStorage
from h5flow.testing.storage_on_ranks import StorageOnRank

communicator = choose_communicator("mpi")
rank, size = communicator.rank, communicator.size
ours = StorageOnRank(SingleWriterStorage, Path("out.h5"), communicator)
ours.open()
DATA = "/events/data"
ours.apply(Batch(creates=[CreateTable(DATA, np.dtype("i8"), compression="gzip")]))
"""


def run(program: str, folder: Path, ranks: int = 3) -> str:
    done = run_ranks(ranks, ["-c", BEGIN + program], folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readers_see_rows_while_the_writer_goes_on(tmp_path: Path) -> None:
    printed = run(
        """
ours.show()
kept, agreed = ours.table(DATA), 0
for turn in range(200):
    first = turn * size + rank
    write = Write(DATA, slice(first, first + 1), np.array([first]))
    batch = Batch(turn, lengths={DATA: (turn + 1) * size}, writes=[write])
    ours.apply(batch)
    ours.show([DATA])
    assert kept is ours.table(DATA)
    agreed += kept[:].tolist() == list(range((turn + 1) * size))
# the writer alone knows how its file is open; readers have theirs
is_live = ours.storage.file.swmr_mode
ours.close()
print(f"rank {rank} agreed {agreed} times, live {is_live}", flush=True)
""",
        tmp_path,
    )
    assert sorted(printed.splitlines()) == [
        f"rank {rank} agreed 200 times, live True" for rank in range(3)
    ]


def test_every_rank_reads_the_file_through_a_handle_of_its_own(tmp_path: Path) -> None:
    printed = run(
        """
ours.show()
opened = sum(
    os.path.realpath(f"/proc/self/fd/{number}") == os.path.realpath("out.h5")
    for number in os.listdir("/proc/self/fd")
)
print(opened, flush=True)
ours.close()
""",
        tmp_path,
    )
    assert printed.split() == ["1"] * 3


def test_rows_in_many_pieces_arrive(tmp_path: Path) -> None:
    run(
        """
SingleWriterStorage.largest_piece = 4096
count = 50_000
mine = slice(rank * count, (rank + 1) * count)
rows = np.arange(mine.start, mine.stop)
ours.apply(Batch(lengths={DATA: size * count}, writes=[Write(DATA, mine, rows)]))
ours.show()
assert np.array_equal(ours.read(DATA), np.arange(size * count))
ours.close()
""",
        tmp_path,
        ranks=2,
    )
    with h5py.File(tmp_path / "out.h5") as file:
        assert np.array_equal(file["events/data"][:], np.arange(100_000))


def test_memory_of_the_writer_is_bounded_by_a_piece(tmp_path: Path) -> None:
    printed = run(
        """
import resource
SingleWriterStorage.largest_piece = 2**22
count = 2**24  # 128 MiB of rows
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
writes = [] if rank == 0 else [Write(DATA, slice(0, count), np.zeros(count, "i8"))]
ours.apply(Batch(lengths={DATA: count}, writes=writes))
if rank == 0:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024, flush=True)
ours.close()
""",
        tmp_path,
        ranks=2,
    )
    assert int(printed) < 48  # MiB


PROGRAM_TO_KILL = (
    BEGIN
    + """
turn = 0
while True:
    for path, stop in ((DATA, 1000), (f"/late{turn // 40}/data", 10)):
        if turn % 40 == 0 and path != DATA:
            ours.apply(Batch(creates=[CreateTable(path, np.dtype("i8"))]))
        start = (turn if path == DATA else turn % 40) * size * stop + rank * stop
        write = Write(path, slice(start, start + stop), np.arange(start, start + stop))
        length = ((turn if path == DATA else turn % 40) + 1) * size * stop
        ours.apply(Batch(turn, lengths={path: length}, writes=[write]))
    ours.show(None if turn % 40 == 0 else [DATA, f"/late{turn // 40}/data"])
    turn += 1
    if rank == 0:
        print("SHARED", turn, flush=True)
"""
)


@pytest.mark.parametrize("kill", range(KILLS))
def test_every_row_that_was_shared_outlives_a_kill(tmp_path: Path, kill: int) -> None:
    """HDF5's promise for files in SWMR mode; objects are made outside of it."""
    turns = 45 + 7 * kill
    with start_ranks(2, ["-c", PROGRAM_TO_KILL], folder=tmp_path) as ranks:
        ranks.wait_for(f"SHARED {turns}\n")
        for pid in ranks.pids():
            os.kill(pid, signal.SIGKILL)
        printed = ranks.printed()
    shared = max(int(line.split()[1]) for line in printed.splitlines() if "SHARED" in line)
    with h5py.File(tmp_path / "out.h5", "r", swmr=True, locking=False) as file:
        rows = file["events/data"][: shared * 2000]
        assert np.array_equal(rows, np.arange(shared * 2000))


def test_an_error_of_the_writer_comes_after_all_rows_were_taken(tmp_path: Path) -> None:
    from h5flow.storage.protocol import Batch, CreateTable, Write
    from h5flow.storage.writer import Writer
    from h5flow.testing.storage_on_ranks import StorageOnRank
    from h5flow.testing.storage_shared_file import SharedFileStorage

    path = "/events/data"

    def case(ours: StorageOnRank) -> None:
        ours.apply(Batch(creates=[CreateTable(path, np.dtype("i8"))], lengths={path: 9}))
        with pytest.MonkeyPatch.context() as patch:
            if ours.rank == 0:
                patch.setattr(Writer, "apply", refuse)
            ours.meet()
            write = Write(path, slice(0, 9), np.arange(9))
            if ours.rank == 0:
                with pytest.raises(OSError, match="disk"):
                    ours.apply(Batch(writes=[write]))
            else:
                ours.apply(Batch(writes=[write]))
            ours.meet()
        ours.show()
        assert ours.table(path).shape == (9,)

    def refuse(*_: object) -> None:
        raise OSError("the disk is gone")

    run_in_this_process(SharedFileStorage, 3, tmp_path)(case)
