"""Workflows as they come from the field, on 1 to 4 ranks: the same file as from one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from programs import content
from ranks import clean_environment, run_ranks

MODULE = '''
import h5py
import numpy as np

from h5flow import H5FLOW_MPI, H5FlowGenerator, H5FlowResource, H5FlowStage, resources

IS_ON_MPI = H5FLOW_MPI


class Run(H5FlowResource):
    """Reads what rank 0 knows, and tells the others."""

    def init(self, source_name):
        self.number = self.comm.bcast(42 if self.rank == 0 else None)
        self.data_manager.set_attrs("run", number=self.number)


class Raw(H5FlowGenerator):
    """Its chunks come from rank 0; the last of them are fewer than the ranks."""

    def init(self):
        self.data_manager.create_dset(self.dset_name, np.dtype([("id", "i4"), ("x", "f8")]))
        self.done = 0
        assert self.comm.allgather(self.rank) == list(range(self.size))

    def next(self):
        chunk = self.done * self.size + self.rank
        self.done += 1
        if chunk >= 7:
            return self.EMPTY
        rows = self.data_manager.reserve_data(self.dset_name, 5 + chunk)
        made = np.zeros(5 + chunk, [("id", "i4"), ("x", "f8")])
        made["id"] = chunk
        made["x"] = np.arange(5 + chunk) / 7
        self.data_manager.write_data(self.dset_name, rows, made)
        return rows


class Hits(H5FlowStage):
    """Creates in run(), writes only where there are rows, and returns early."""

    def run(self, source_name, source_slice, cache):
        manager = self.data_manager
        manager.create_dset("hits", np.dtype([("q", "f4"), ("event", "i8")]))
        manager.create_ref(source_name, "hits")
        events = cache[source_name]
        if not len(events):
            manager.reserve_data("hits", 0)
            return
        index = np.repeat(np.arange(source_slice.start, source_slice.stop), events["id"] % 3)
        rows = manager.reserve_data("hits", len(index))
        if len(index):
            values = {"q": np.arange(len(index)), "event": index}
            manager.write_data("hits", rows, values)
        manager.write_ref(source_name, "hits", np.c_[index, np.r_[rows]])


class Sums(H5FlowStage):
    """Follows the references, and counts in a dataset made in init by all ranks alike."""

    def init(self, source_name):
        self.data_manager.create_dset("sums", "f8")
        self.data_manager.create_ref(source_name, "sums")
        self.data_manager.create_dset("geometry", "i4")
        rows = self.data_manager.reserve_data("geometry", 4)
        self.data_manager.write_data("geometry", rows, np.arange(4))
        self.geometry = self.data_manager.get_dset("geometry")

    def run(self, source_name, source_slice, cache):
        assert self.geometry[:].tolist() == [0, 1, 2, 3]
        assert resources["Run"].number == 42
        sums = cache["hits"]["q"].sum(axis=-1).filled(0) + cache["number"].count(axis=-1)
        rows = self.data_manager.reserve_data("sums", len(sums))
        self.data_manager.write_data("sums", rows, sums)
        refs = np.c_[np.arange(source_slice.start, source_slice.stop), np.r_[rows]]
        self.data_manager.write_ref(source_name, "sums", refs)


class Talk(H5FlowStage):
    """Uses the communicator in all the ways of the field."""

    def init(self, source_name):
        self.total = 0
        self.data_manager.create_dset("totals", "i8")

    def run(self, source_name, source_slice, cache):
        comm, count = self.comm, len(cache[source_name])
        counts = comm.allgather(count)
        assert comm.gather(count) == (counts if comm.rank == 0 else None)
        assert comm.scatter(counts if comm.rank == 0 else None) == count
        assert comm.reduce(count) == (sum(counts) if comm.rank == 0 else None)
        summed = np.zeros(1, "i8")
        comm.Reduce(np.array([count], "i8"), summed if comm.rank == 0 else None)
        assert comm.rank or summed[0] == sum(counts)
        if comm.size > 1:
            if comm.rank == 0:
                comm.send("hello", dest=comm.size - 1, tag=3)
            if comm.rank == comm.size - 1:
                assert comm.recv(source=0, tag=3) == "hello"
        comm.barrier()
        if IS_ON_MPI:
            from mpi4py import MPI

            assert isinstance(comm, MPI.Intracomm)
            assert MPI.COMM_WORLD.allreduce(1) == comm.size
        self.total += count

    def finish(self, source_name):
        total = self.comm.allreduce(self.total)
        rows = self.data_manager.reserve_data("totals", 1)
        if self.rank == 0:
            self.data_manager.write_data("totals", rows, [total])
        self.data_manager.set_attrs("totals", on=source_name)


class Many(H5FlowStage):
    """Reserves several times for a chunk; takes turns."""

    ordered = True

    def init(self, source_name):
        self.data_manager.create_dset("many", "i4")

    def run(self, source_name, source_slice, cache):
        for event in cache[source_name]["id"]:
            rows = self.data_manager.reserve_data("many", 2)
            self.data_manager.write_data("many", rows, [event, -event])


class Twice(H5FlowStage):
    """Reserves twice for a chunk, and does not take turns."""

    def init(self, source_name):
        self.data_manager.create_dset("twice", "i4")

    def run(self, source_name, source_slice, cache):
        for _ in range(2):
            self.data_manager.reserve_data("twice", 1)


class Parallel(H5FlowGenerator):
    """Opens its input as if h5py had MPI."""

    def __init__(self, **params):
        super().__init__(**params)
        self.file = h5py.File(self.input_filename, "r", driver="mpio", comm=self.comm)
'''

WORKFLOW = """
flow: {source: raw, stages: [hits, sums, talk, many]}
resources: [{classname: Run}]
raw: {classname: Raw, dset_name: raw}
hits: {classname: Hits}
sums:
  classname: Sums
  requires: [hits, {name: number, path: hits, index_only: true}]
talk: {classname: Talk}
many: {classname: Many}
"""
LOOP = """
flow: {source: raw, stages: [sums], drop: [many]}
resources: [{classname: Run}]
sums:
  classname: Sums
  requires: [hits, {name: number, path: hits, index_only: true}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "h5flow_modules").mkdir()
    (tmp_path / "h5flow_modules" / "field.py").write_text(MODULE)
    (tmp_path / "workflow.yaml").write_text(WORKFLOW)
    return tmp_path


def alone(folder: Path, *words: str) -> None:
    """Run h5flow in one process."""
    subprocess.run(
        [sys.executable, "-m", "h5flow", "run", "-q", *words],
        cwd=folder,
        env=clean_environment(),
        timeout=60,
        check=True,
    )


def on_ranks(folder: Path, count: int, *words: str) -> subprocess.CompletedProcess[str]:
    return run_ranks(count, ["-m", "h5flow", "run", "-q", *words], folder=folder)


def datasets(path: Path) -> dict[str, object]:
    """All but the records of the run, which have its date."""
    return {name: item for name, item in content(path).items() if not name.startswith("h5flow")}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_workflow_of_the_field_makes_the_same_file(folder: Path, count: int):
    alone(folder, "-o", "alone.h5", "workflow.yaml")
    done = on_ranks(folder, count, "-o", "ranks.h5", "workflow.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert datasets(folder / "ranks.h5") == datasets(folder / "alone.h5")
    assert len(datasets(folder / "ranks.h5")) > 30


@pytest.mark.parametrize("options", [(), ("--input-data", "link")])
def test_a_loop_over_another_file_makes_the_same_file(folder: Path, options: tuple[str, ...]):
    alone(folder, "-o", "in.h5", "workflow.yaml")
    loop = LOOP.replace("sums", "later").replace("classname: Sums", "classname: Later")
    (folder / "loop.yaml").write_text(loop.replace(", drop: [many]", "" if options else "$0"))
    (folder / "loop.yaml").write_text(
        (folder / "loop.yaml").read_text().replace("$0", ", drop: [many]")
    )
    (folder / "h5flow_modules" / "later.py").write_text(
        "import numpy as np\n"
        "from h5flow import H5FlowStage\n"
        "class Later(H5FlowStage):\n"
        "    def init(self, source_name):\n"
        "        self.data_manager.create_dset('later', 'i8')\n"
        "        self.data_manager.create_ref('later', source_name)\n"
        "    def run(self, source_name, source_slice, cache):\n"
        "        n = len(cache[source_name])\n"
        "        rows = self.data_manager.reserve_data('later', n)\n"
        "        self.data_manager.write_data('later', rows, cache['number'].count(axis=-1))\n"
        "        refs = np.c_[np.r_[rows], np.r_[source_slice] if n else np.zeros(0, int)]\n"
        "        self.data_manager.write_ref('later', source_name, refs)\n"
    )
    words = ["-i", "in.h5", "--chunk-size", "9", *options, "loop.yaml"]
    alone(folder, "-o", "alone.h5", *words)
    done = on_ranks(folder, 3, "-o", "ranks.h5", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert datasets(folder / "ranks.h5") == datasets(folder / "alone.h5")


def test_several_workflows_are_run_on_one_output(folder: Path):
    (folder / "again.yaml").write_text(
        "flow: {source: raw, stages: [twice]}\ntwice: {classname: Many}\n".replace("Many", "Extra")
    )
    (folder / "h5flow_modules" / "extra.py").write_text(
        "from h5flow import H5FlowStage\n"
        "class Extra(H5FlowStage):\n"
        "    def run(self, source_name, source_slice, cache):\n"
        "        self.data_manager.create_dset('extra', 'i4')\n"
        "        rows = self.data_manager.reserve_data('extra', len(cache[source_name]))\n"
        "        self.data_manager.write_data('extra', rows, cache[source_name]['id'])\n"
    )
    words = ["workflow.yaml", "again.yaml", "-z", "gzip", "-d", "many"]
    alone(folder, "-o", "alone.h5", *words)
    done = on_ranks(folder, 2, "-o", "ranks.h5", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert datasets(folder / "ranks.h5") == datasets(folder / "alone.h5")


def twice(folder: Path) -> None:
    (folder / "twice.yaml").write_text(
        "flow: {source: raw, stages: [twice]}\n"
        "raw: {classname: Raw, dset_name: raw}\n"
        "twice: {classname: Twice}\n"
    )


def test_rows_out_of_order_are_said_once(folder: Path):
    twice(folder)
    done = on_ranks(folder, 3, "--lenient", "-o", "ranks.h5", "twice.yaml")
    assert done.returncode == 0
    assert done.stderr.count("warning") == 1
    assert "/twice/data" in done.stderr
    assert "'twice'" in done.stderr


def test_rows_out_of_order_are_an_error_if_strict(folder: Path):
    twice(folder)
    done = on_ranks(folder, 3, "-o", "ranks.h5", "twice.yaml")
    assert done.returncode == 1
    assert done.stderr.count("h5flow: ") == 1
    assert "ordered = True" in done.stderr
    assert not (folder / "ranks.h5").exists()


def test_an_input_opened_with_mpio_is_one_error_with_both_ways_out(folder: Path):
    (folder / "parallel.yaml").write_text(
        "flow: {source: raw}\nraw: {classname: Parallel, dset_name: raw}\n"
    )
    alone(folder, "-o", "in.h5", "workflow.yaml")
    done = on_ranks(folder, 3, "-i", "in.h5", "-o", "out.h5", "parallel.yaml")
    assert done.returncode == 1
    assert done.stderr.count("h5flow: error") == 1
    assert "without driver='mpio'" in done.stderr
    assert "HDF5_MPI=ON" in done.stderr


def test_a_mistake_on_the_command_line_is_said_once(folder: Path):
    done = on_ranks(folder, 3, "--no-such-option", "workflow.yaml")
    assert done.returncode == 2
    assert done.stderr.count("h5flow: error") == 1


def test_ranks_that_are_told_to_start_ranks_say_so_once(folder: Path):
    done = on_ranks(folder, 3, "--ranks", "2", "-o", "out.h5", "workflow.yaml")
    assert done.returncode == 2
    assert done.stderr.count("h5flow: error") == 1


def test_a_missing_input_is_said_once(folder: Path):
    (folder / "loop.yaml").write_text(LOOP)
    done = on_ranks(folder, 3, "-i", "missing.h5", "-o", "out.h5", "loop.yaml")
    assert done.returncode == 2
    assert done.stderr.count("h5flow: error") == 1


def test_without_mpi_each_process_is_a_run_of_its_own(folder: Path):
    done = run_ranks(
        2,
        "import sys; from h5flow import H5FLOW_MPI, run; assert not H5FLOW_MPI; "
        "from h5flow.comm.choose import launched_rank; "
        "run('workflow.yaml', f'out{launched_rank()}.h5', nompi=True); "
        "assert 'mpi4py' not in sys.modules",
        environment={"H5FLOW_NOMPI": "1"},
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    assert datasets(folder / "out0.h5") == datasets(folder / "out1.h5")


def test_a_script_on_ranks_edits_a_file_together(folder: Path):
    script = """
        import numpy as np
        from h5flow import H5FlowDataManager
        from h5flow.comm import choose_communicator

        comm = choose_communicator()
        with H5FlowDataManager("file.h5") as dm:
            dm.create_dset("x", "i4")
            rows = dm.reserve_data("x", 3)
            dm.write_data("x", rows, [1, 2, 3])
            dm.create_ref("x", "x")
            dm.write_ref("x", "x", [(0, 1)])
            if comm.rank == 1:
                own = dm.reserve_data("x", 2)
                dm.write_data("x", own, [8, 9])
                assert dm["x", :].tolist() == [1, 2, 3, 8, 9]
            dm.set_attrs("x", unit="cm")
        with H5FlowDataManager("file.h5", "r") as dm:
            assert dm["x", :].tolist() == [1, 2, 3, 8, 9]
            assert dm["x", "x", 0:1].compressed().tolist() == [2]
            assert len(dm.get_ref("x", "x")[0]) == 1
            assert dm.get_attrs("x") == {"unit": "cm"}
    """
    done = run_ranks(3, script, folder=folder)
    assert done.returncode == 0, done.stderr
