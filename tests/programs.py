"""Random programs of stages: what each chunk does, a way to run them, and what must come out.

A program says for every chunk what two stages do with it. One process does one chunk after the
other; N ranks deal them out. What is guaranteed to be the same must be the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from h5flow.backends import choose_backend
from h5flow.comm.protocol import Communicator
from h5flow.core.cache import CacheLoader
from h5flow.core.component import Surroundings
from h5flow.core.generator import H5FlowGenerator
from h5flow.core.hooks import Hooks, Where
from h5flow.core.loop import plan_stages, run_loop
from h5flow.core.stage import H5FlowStage
from h5flow.data.data_manager import H5FlowDataManager
from h5flow.data.linked_tables import LinkedTables
from h5flow.errors import DataError, H5FlowError, H5FlowWarning
from h5flow.events import ignore_event
from h5flow.storage import storages
from h5flow.transaction.channel import Channel
from h5flow.transaction.rendezvous import Rendezvous

ROWS = 3  # of the source in each chunk
GRID_ROWS = 5
STAGES = ("first", "second")

# An operation is its name and numbers; `Program.chunks[chunk][stage]` is a list of them.
Operation = tuple[Any, ...]


@dataclass(frozen=True)
class Program:
    """What the stages do.

    Attributes
    ----------
    chunks : tuple
        For each chunk and stage the operations.
    empty : tuple
        For each stage the operations of a rank without rows.
    ordered : tuple of bool
        For each stage, whether ranks take turns.
    shared : int
        Rows that every rank reserves alike in `init`.
    """

    chunks: tuple[tuple[tuple[Operation, ...], ...], ...]
    empty: tuple[tuple[Operation, ...], ...] = ((), ())
    ordered: tuple[bool, bool] = (False, False)
    shared: int = 0


@dataclass
class Outcome:
    """What came of a program on one rank."""

    error: str = ""
    judged: tuple[str, ...] = ()
    exchanges: int = 0


class ProgramError(Exception):
    """What an operation raises."""


class Source(H5FlowGenerator):
    """Makes the source in `init`, and deals its chunks."""

    program: Program

    def init(self) -> None:
        manager = self.data_manager
        manager.create_dset("source", "i4")
        rows = len(self.program.chunks) * ROWS
        manager.reserve_data("source", slice(0, rows))
        manager.write_data("source", slice(0, rows), np.arange(rows, dtype="i4"))
        self.iteration = 0

    def next(self) -> slice:
        chunk = self.iteration * self.size + self.rank
        self.iteration += 1
        if chunk >= len(self.program.chunks):
            return self.EMPTY
        return slice(chunk * ROWS, (chunk + 1) * ROWS)


class Performer(H5FlowStage):
    """Does what a program says."""

    program: Program
    stage: int

    def init(self, source_name: str) -> None:
        manager, name = self.data_manager, self.name
        manager.create_dset(name, "i8")
        manager.create_dset(f"{name}/grid", "i4")
        manager.reserve_data(f"{name}/grid", slice(0, GRID_ROWS))
        manager.create_ref(source_name, name)
        manager.create_ref(name, f"{name}/grid")
        # Alike on all ranks: one.
        shared = self.program.shared
        rows = manager.reserve_data(name, shared)
        manager.write_data(name, rows, -1 - np.arange(shared))
        manager.write_ref(name, f"{name}/grid", [(row, 0) for row in range(rows.start, rows.stop)])
        self.handle = manager.get_dset(f"{name}/grid")

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        chunk = source_slice.start // ROWS
        if source_slice == H5FlowGenerator.EMPTY:
            operations, self.chunk = self.program.empty[self.stage], -1
        else:
            operations, self.chunk = self.program.chunks[chunk][self.stage], chunk
            expected = np.arange(source_slice.start, source_slice.stop)
            np.testing.assert_array_equal(cache[source_name], expected)
        self.rows = slice(0, 0)
        self.values: dict[int, int] = {}
        self.linked: list[tuple[int, int]] = []
        for step, (name, *numbers) in enumerate(operations):
            if name == "return":
                return
            getattr(self, f"on_{name}")(self.stamp(step), *numbers)
        assert len(self.handle) == GRID_ROWS

    def stamp(self, step: int) -> int:
        return (self.chunk + 1) * 100 + step

    def finish(self, source_name: str) -> None:
        self.data_manager.set_attrs(self.name, finished=1)

    # -- operations

    def on_reserve(self, _stamp: int, count: int) -> None:
        self.rows = self.data_manager.reserve_data(self.name, count)
        assert self.rows.stop - self.rows.start == count
        self.values.update(dict.fromkeys(range(self.rows.start, self.rows.stop), 0))

    def on_write(self, stamp: int, skip: int) -> None:
        rows = slice(min(self.rows.start + skip, self.rows.stop), self.rows.stop)
        values = stamp * 10 + np.arange(rows.stop - rows.start)
        self.data_manager.write_data(self.name, rows, values)
        self.values.update(zip(range(rows.start, rows.stop), values.tolist(), strict=True))

    def on_grid(self, stamp: int, *rows: int) -> None:
        index = np.unique(rows).astype(int)
        self.data_manager.write_data(f"{self.name}/grid", index, np.full(len(index), stamp))

    def on_link(self, _stamp: int, count: int) -> None:
        if self.chunk < 0:
            return
        pairs = [
            (self.chunk * ROWS + item % ROWS, row)
            for item, row in enumerate(list(self.values)[:count])
        ]
        self.data_manager.write_ref("source", self.name, np.array(pairs, int).reshape(-1, 2))
        self.linked += pairs

    def on_grid_link(self, _stamp: int, row: int) -> None:
        """References of many ranks to the same row."""
        pairs = [(row, own) for own in self.values]
        self.data_manager.write_ref(f"{self.name}/grid", self.name, np.reshape(pairs, (-1, 2)))

    def on_create(self, _stamp: int, number: int) -> None:
        self.data_manager.create_dset(f"{self.name}/made{number}", "i2")

    def on_reserve_made(self, stamp: int, number: int) -> None:
        name = f"{self.name}/made{number}"
        rows = self.data_manager.reserve_data(name, 2)
        self.data_manager.write_data(name, rows, [stamp, stamp])

    def on_attribute(self, stamp: int, key: int) -> None:
        self.data_manager.set_attrs(self.name, **{f"key{key}": stamp})
        assert self.data_manager.get_attrs(self.name)[f"key{key}"] == stamp

    def on_read(self, _stamp: int) -> None:
        """A rank sees its own rows at once, and zero where it has not written."""
        rows = self.data_manager[self.name, self.rows]
        assert rows.tolist() == [self.values[row] for row in range(self.rows.start, self.rows.stop)]

    def on_handle(self, _stamp: int) -> None:
        dataset = self.data_manager.get_dset(self.name)
        assert len(dataset) >= self.rows.stop
        on_file = dataset[self.rows].tolist()
        assert on_file == [self.values[row] for row in range(self.rows.start, self.rows.stop)]

    def on_follow(self, _stamp: int) -> None:
        if self.chunk < 0:
            return
        start = self.chunk * ROWS
        found = self.data_manager["source", self.name, start : start + ROWS]
        for row in range(ROWS):
            mine = sorted(self.values[own] for parent, own in self.linked if parent == start + row)
            assert sorted(found[row].compressed().tolist()) == mine

    def on_wrong(self, _stamp: int) -> None:
        """A wrong call raises here, and nowhere else."""
        for wrong in (
            lambda: self.data_manager.reserve_data(self.name, -1),
            lambda: self.data_manager.write_data(self.name, self.rows, [1.5, "x"]),
        ):
            try:
                wrong()
            except (DataError, TypeError):
                continue
            raise AssertionError("it was not refused")

    def on_collective(self, stamp: int, which: int) -> None:
        comm = self.comm
        if which == 0:
            comm.barrier()
        elif which == 1:
            assert comm.bcast(7 if comm.rank == 0 else None) == 7
        elif which == 2:
            assert comm.allgather(comm.rank) == list(range(comm.size))
        else:
            total = comm.reduce(1)
            assert total == (comm.size if comm.rank == 0 else None)

    def on_raise(self, _stamp: int) -> None:
        raise ProgramError(f"chunk {self.chunk}")

    def on_exit(self, _stamp: int) -> None:
        raise SystemExit(0)


class Counting:
    """A communicator that counts its exchanges."""

    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator
        self.exchanges = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._communicator, name)

    def exchange(self, message: bytes, /) -> list[bytes]:
        self.exchanges += 1
        return self._communicator.exchange(message)


def perform(communicator: Communicator, path: Path, program: Program) -> Outcome:
    """Run a program on this rank; the file is at `path` afterwards, unless it failed."""
    outcome = Outcome()
    counting = Counting(communicator)
    with warnings.catch_warnings():
        # The filters are the process's; ranks that are threads set them alike.
        warnings.simplefilter("ignore", H5FlowWarning)
        try:
            _perform(counting, path, program, outcome)
        except (H5FlowError, AssertionError, SystemExit) as error:
            outcome.error = f"{type(error).__name__}: {error}"
    outcome.exchanges = counting.exchanges
    return outcome


def _perform(communicator: Communicator, path: Path, program: Program, outcome: Outcome) -> None:
    channel = Channel(communicator)
    make = storages.get(communicator.storage)
    storage = channel.together("open", lambda: make(path, "a", communicator))
    rendezvous = Rendezvous(channel, storage)
    tables = LinkedTables(rendezvous)
    manager = H5FlowDataManager(path, tables=tables)
    hooks = Hooks(tables, ignore_event)
    around = Surroundings(communicator.handle, choose_backend("numpy"))
    try:
        source = hooks.construct(
            "source",
            "Source",
            type("Source", (Source,), {"program": program}),
            {"data_manager": manager, "name": "source", "dset_name": "source"},
            around,
        )
        stages = [
            hooks.construct(
                name,
                "Performer",
                type("Performer", (Performer,), vars_of(program, number)),
                {"data_manager": manager, "name": name},
                around,
            )
            for number, name in enumerate(STAGES)
        ]
        where = Where("source")
        hooks.call(source, "init", where)
        for stage in stages:
            hooks.call(stage, "init", where, "source")
        loader = CacheLoader(tables, "source", strict=True)
        planned = plan_stages(stages, [(), ()], [around.backend] * 2)
        run_loop(source, planned, hooks, loader, ignore_event)
        for stage in stages:
            hooks.call(stage, "finish", where, "source")
        tables.settle()
        channel.together("close", storage.close)
    except BaseException as error:
        storage.abandon()
        channel.fail(error)
        raise
    finally:
        outcome.judged = tuple(rendezvous.judged)


def vars_of(program: Program, stage: int) -> dict[str, Any]:
    return {"program": program, "stage": stage, "ordered": program.ordered[stage]}


def content(path: Path) -> dict[str, Any]:
    """Everything in a file, to be compared."""
    found: dict[str, Any] = {}

    def take(name: str, item: Any) -> None:
        found[f"{name}:"] = {key: str(value) for key, value in item.attrs.items()}
        if isinstance(item, h5py.Dataset):
            found[name] = (str(item.dtype), item.shape, item[()].tolist())

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def collectives(operations: tuple[Operation, ...]) -> Iterator[int]:
    """The collectives that a chunk comes to in one stage."""
    for name, *numbers in operations:
        if name in {"return", "raise", "exit"}:
            return
        if name == "collective":
            yield numbers[0]


def leaves_out_a_collective(program: Program, size: int) -> bool:
    """Whether ranks call different collectives in a stage of an iteration."""
    for first in range(0, len(program.chunks), size):
        for stage in range(len(STAGES)):
            calls = {
                tuple(
                    collectives(
                        program.chunks[chunk][stage]
                        if chunk < len(program.chunks)
                        else program.empty[stage]
                    )
                )
                for chunk in range(first, first + size)
            }
            if len(calls) > 1:
                return True
    return False
