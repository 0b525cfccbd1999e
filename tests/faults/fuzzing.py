"""Damaged copies of a small file, and a server that runs h5flow on each in a process of its own."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from faults.moments import Moment

__all__ = [
    "LIMIT",
    "Outcome",
    "Server",
    "complaints",
    "damaged",
    "is_in_hdf5",
    "make_project",
    "make_whole",
]

# Seconds that a case may take.
LIMIT = 10

WORKFLOW = """
flow: {source: events, stages: [sums]}
sums:
  classname: Sums
  requires:
    - hits
    - {name: calib, path: calib, layout: aligned}
    - {name: rows, path: hits, index_only: true}
    - {name: tracks, path: [hits, tracks], layout: jagged}
"""
STAGE = """
import numpy as np
from h5flow.core import H5FlowStage

class Sums(H5FlowStage):
    def init(self, source_name):
        self.data_manager.create_dset("sums", "f8")
        self.data_manager.create_ref(source_name, "sums")

    def run(self, source_name, source_slice, cache):
        sums = cache["hits"]["q"].sum(axis=-1).filled(0)
        rows = self.data_manager.reserve_data("sums", len(sums))
        self.data_manager.write_data("sums", rows, sums)
        parents = np.arange(source_slice.start, source_slice.stop)
        self.data_manager.write_ref(source_name, "sums", np.c_[parents, np.r_[rows]])
"""


def make_project(folder: Path) -> None:
    """Write a workflow that follows references, and its stage, which writes some."""
    folder.joinpath("sums.yaml").write_text(WORKFLOW)
    folder.joinpath("h5flow_modules").mkdir()
    folder.joinpath("h5flow_modules/sums.py").write_text(STAGE)


def make_whole(path: Path, *, old: bool) -> bytes:
    """Make the file that is damaged: some kB, chunks with and without filters, references.

    Parameters
    ----------
    old : bool
        In HDF5's oldest format, which has no checksums of its structure, and with the ``u4``
        references and ``i4`` regions of the field's files.
    """
    bounds = ("earliest", "v108") if old else ("v110", "v110")
    integer, region = ("u4", "i4") if old else ("i8", "i8")
    events, hits, tracks = np.arange(40), np.arange(100), np.arange(30)
    of_hits = np.c_[np.repeat(events, 3)[:100], hits]
    of_tracks = np.c_[hits[:60], hits[:60] // 2]
    with h5py.File(path, "w", libver=bounds) as file:
        file["events/data"] = np.rec.fromarrays([events, events / 2], names="id,x")
        row = np.dtype([("q", "f8"), ("n", "i4")])
        some = file.create_dataset("hits/data", (100,), row, chunks=(16,), maxshape=(None,))
        some["q"] = hits / 3
        packed = {"chunks": (8,), "compression": "gzip", "shuffle": True, "fletcher32": True}
        file.create_dataset("tracks/data", data=tracks, maxshape=(None,), **packed)
        file["calib/data"] = np.array([f"channel {number}" for number in events], dtype=object)
        file["calib"].attrs["unit"] = "ADC"
        for parent, child, pairs in (("events", "hits", of_hits), ("hits", "tracks", of_tracks)):
            base = f"{parent}/ref/{child}"
            packed = {"chunks": (32, 2), "compression": "lzf", "maxshape": (None, 2)}
            ref = file.create_dataset(f"{base}/ref", data=pairs.astype(integer), **packed)
            other = f"{child}/ref/{parent}/ref_region"
            for column, place in enumerate((f"{base}/ref_region", other)):
                table = regions(pairs[:, column], region)
                file.create_dataset(place, data=table, chunks=(16,), maxshape=(None,))
                file[place].attrs["ref"] = f"/{base}/ref"
            ref.attrs["dset0"], ref.attrs["dset1"] = f"/{parent}/data", f"/{child}/data"
            ref.attrs["ref_region0"], ref.attrs["ref_region1"] = f"/{base}/ref_region", f"/{other}"
    return path.read_bytes()


def regions(column: np.ndarray, integer: str) -> np.ndarray:
    """Return the smallest region of each row, the naive way."""
    table = np.zeros(column.max() + 1, [("start", integer), ("stop", integer)])
    for row in range(len(table)):
        where = np.flatnonzero(column == row)
        if len(where):
            table[row] = where[0], where[-1] + 1
    return table


def damaged(whole: bytes, seed: int) -> bytes:
    """Return a copy with bytes flipped, overwritten or cut off; the same for the same seed."""
    draw = random.Random(seed)
    data = bytearray(whole)
    kind = draw.choice(["flip", "flip", "flip", "value", "zero", "cut"])
    if kind == "cut":
        return bytes(data[: draw.randrange(len(data))])
    if kind == "zero":
        start, size = draw.randrange(len(data)), draw.choice([8, 64, 512, 4096])
        stop = min(start + size, len(data))
        data[start:stop] = bytes(stop - start)
        return bytes(data)
    # what is not zero is where structure and data are
    filled = [position for position, byte in enumerate(data) if byte]
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        position = draw.choice(filled)
        if kind == "flip":
            data[position] ^= 1 << draw.randrange(8)
        else:
            value = draw.choice([b"\xff" * 8, b"\0" * 8, b"\x7f" * 4, b"\1", b"\xfe\xff\xff\x7f"])
            data[position : position + len(value)] = value
            del data[len(whole) :]
    return bytes(data)


@dataclass(frozen=True)
class Outcome:
    """What a process did: its exit status, negative for a signal, None where it did not end."""

    status: int | None
    stdout: str
    stderr: str


SERVER = """
import faulthandler, json, os, resource, select, signal, sys, time

import h5py, hdf5plugin, numpy, rich, yaml
import h5flow.core.runner, h5flow.data.access, h5flow.data.inventory, h5flow.io.diagnosis
import h5flow.cli.check, h5flow.comm.serial, h5flow.journal.inspection, h5flow.observe.watch
import h5flow.storage.single_process
from h5flow.cli.app import main
from h5flow.data import H5FlowDataManager
from h5flow.errors import H5FlowError

LIMIT, MEMORY = {limit}, 2**32

def read(path):
    # everything by name, and along all references
    with H5FlowDataManager(path, mode="r") as dm:
        for name in ("events", "hits", "tracks", "calib"):
            if dm.dset_exists(name):
                dm[name, :], dm[name, [0, -1]]
                dm.get_attrs(name)
        dm["events", "hits", :], dm["tracks", "hits", "events", :]
        dm["events", "hits", "tracks", :]

def reading(path):
    try:
        read(path)
    except H5FlowError as error:
        print(f"h5flow: error: {{error}}", file=sys.stderr)
        return error.exit_status
    return 0

def serve():
    for line in sys.stdin:
        words = json.loads(line)
        process = os.fork()
        if not process:
            return words
        end = time.monotonic() + LIMIT
        done, status = os.waitpid(process, os.WNOHANG)
        while not done and time.monotonic() < end:
            time.sleep(0.002)
            done, status = os.waitpid(process, os.WNOHANG)
        if not done:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status) if done else None), flush=True)
    sys.exit()

out, err, kind, *words = serve()
resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for number, name in ((1, out), (2, err)):
    os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
faulthandler.enable(all_threads=False)
faulthandler.dump_traceback_later(LIMIT * 0.8)
if kind == "moment":
    from faults.moments import Moment, install
    install(Moment(**json.loads(words.pop(0))))
sys.exit(reading(*words) if kind == "read" else main(words))
"""


class Server:
    """A process that has imported h5flow, and forks for each case; leaving it ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER.format(limit=LIMIT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={
                **os.environ,
                "H5FLOW_NOMPI": "1",
                "PYTHONWARNINGS": "ignore:::h5flow",
                "PYTHONPATH": str(Path(__file__).parent.parent),
            },
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=LIMIT)
        self._process.stdout.close()

    def run(self, *words: str) -> Outcome:
        """Do what ``h5flow run`` does with these words."""
        return self._do("run", "run", *words)

    def run_until(self, moment: Moment, *words: str) -> Outcome:
        """Do what h5flow does with these words, and have a moment come in it."""
        return self._do("moment", moment.packed(), *words)

    def read(self, path: Path) -> Outcome:
        """Read all of a file with a data manager."""
        return self._do("read", str(path))

    def check(self, path: Path) -> Outcome:
        """Do what ``h5flow check --file`` does."""
        return self._do("run", "check", "--file", str(path))

    def _do(self, *words: str) -> Outcome:
        names = [self._folder / "stdout", self._folder / "stderr"]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([*map(str, names), *words]) + "\n")
        self._process.stdin.flush()
        status = json.loads(self._process.stdout.readline())
        return Outcome(status, *(name.read_text(errors="replace") for name in names))


def is_in_hdf5(outcome: Outcome) -> bool:
    """Return whether a process crashed, or did not come back, in a single call of HDF5."""
    if outcome.status is not None and outcome.status >= 0:
        return False
    innermost = re.search(r'most recent call first\):\n  File "([^"]+)"', outcome.stderr)
    return innermost is not None and "/h5py/" in innermost[1]


def complaints(outcome: Outcome) -> Iterator[str]:
    """Yield what must not happen, whatever is wrong with a file."""
    if outcome.status is None:
        yield f"it did not end within {LIMIT} s"
    elif outcome.status < 0:
        yield f"signal {-outcome.status} ended the interpreter"
    elif outcome.status not in {0, 1, 2}:
        yield f"exit status {outcome.status}"
    errors = outcome.stderr.count("h5flow: error:")
    if outcome.status == 0 and errors:
        yield "an error, and exit status 0"
    # what `check` finds stands on stdout
    if outcome.status in {1, 2} and errors + bool(outcome.stdout) != 1:
        yield f"{errors} errors with exit status {outcome.status}"
    for word in ("Traceback", "this is a bug", "Exception ignored"):
        if word in outcome.stderr:
            yield f"'{word}' on stderr"
