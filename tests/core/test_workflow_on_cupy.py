"""A workflow on GPUs that are none: what is CuPy's alone, beside what holds on every library."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from cupy_double import Machine

from h5flow import H5FlowGenerator, H5FlowResource, H5FlowStage, run
from h5flow.cli.app import main
from h5flow.errors import H5FlowError, H5FlowWarning, HookError, UsageError
from h5flow.modules import H5FlowDatasetLoopGenerator

MakeWorkflow = Callable[..., dict[str, Any]]
LOOP = (H5FlowDatasetLoopGenerator, {"params": {"chunk_size": 4}})


class Sums(H5FlowStage):
    """Sums of linked rows."""

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("sums", [("q", "f8"), ("n", "i8")])

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        hits = cache["hits"]
        values = {"q": hits["q"].sum(axis=-1), "n": hits["n"].max(axis=-1)}
        rows = self.data_manager.reserve_data("sums", len(hits))
        self.data_manager.write_data("sums", rows, values)


def sums(path: str) -> list[Any]:
    with h5py.File(path) as file:
        return list(file["sums/data"][:].tolist())


@pytest.mark.parametrize("backend", ["cupy", "auto", "cupy:1"])
def test_the_file_is_that_of_numpy(
    events: Path, workflow: MakeWorkflow, gpus: Machine, backend: str
) -> None:
    gpus.count = 2
    content = workflow((Sums, {"requires": ["hits"]}), generator=LOOP)
    run(content, "numpy.h5", str(events), backend="numpy")
    assert not gpus.synchronised
    run(content, "cupy.h5", str(events), backend=backend)
    assert gpus.synchronised
    assert sums("cupy.h5") == sums("numpy.h5")
    assert gpus.current == 0


def test_what_stays_on_the_gpu_is_given_back(
    events: Path, workflow: MakeWorkflow, gpus: Machine
) -> None:
    run(workflow((Sums, {"requires": ["hits"]})), "out.h5", str(events), backend="cupy")
    assert gpus.used[0] == 0


class Everywhere(H5FlowStage):
    """Computes in every hook."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self.made = self.xp.ones((3,)) + 1

    def init(self, source_name: str) -> None:
        self.made = self.made * 2 + self.xp.arange(3)

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        self.made = self.made + cache[source_name]["x"][:1]

    def finish(self, source_name: str) -> None:
        self.data_manager.set_attrs("made", device=(self.made + 1).device.id)


class Table(H5FlowResource):
    def init(self, source_name: str) -> None:
        self.table = self.xp.asarray([1.0]) * 2


class Numbers(H5FlowGenerator):
    """Makes rows on the device."""

    left = 2

    def init(self) -> None:
        self.data_manager.create_dset(self.dset_name, [("x", "f8")])

    def next(self) -> slice:
        self.left -= 1
        if self.left < 0:
            return self.EMPTY
        rows = self.data_manager.reserve_data(self.dset_name, 3)
        self.data_manager.write_data(self.dset_name, rows, {"x": self.xp.arange(3) * 0.5})
        return rows


def test_every_hook_computes_on_the_device_of_its_rank(
    working_directory: Path, workflow: MakeWorkflow, gpus: Machine
) -> None:
    gpus.count = 2
    run(workflow(Everywhere, generator=Numbers, resources=[Table]), "out.h5", backend="cupy:1")
    with h5py.File("out.h5") as file:
        assert file["made"].attrs["device"] == 1


def test_stages_may_be_on_devices_of_their_own(
    events: Path, workflow: MakeWorkflow, gpus: Machine
) -> None:
    gpus.count = 2
    content = workflow(
        (Everywhere, {"backend": "cupy:1"}), (Sums, {"requires": ["hits"], "backend": "cupy:0"})
    )
    run(content, "out.h5", str(events), backend="numpy")
    with h5py.File("out.h5") as file:
        assert file["made"].attrs["device"] == 1


# -- without a device -----------------------------------------------------------------------------


def test_cupy_without_a_device_is_an_error_before_anything_is_made(
    events: Path, workflow: MakeWorkflow, gpus: Machine
) -> None:
    gpus.has_driver = False
    with pytest.raises(UsageError, match="h5flow doctor"):
        run(workflow(Sums), "out.h5", str(events), backend="cupy")
    assert not Path("out.h5").exists()


def test_the_command_says_it_in_one_error(
    events: Path, gpus: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    gpus.has_driver = False
    Path("w.yaml").write_text("flow: {source: events, stages: []}\n")
    assert main(["run", "w.yaml", "-i", str(events), "-o", "out.h5", "--backend", "cupy"]) == 2
    said = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert said.count("CuPy finds no GPU") == said.count("'h5flow doctor'") == 1


def test_auto_takes_numpy_and_says_so_once(
    events: Path, workflow: MakeWorkflow, gpus: Machine
) -> None:
    gpus.has_driver = False
    content = workflow((Sums, {"requires": ["hits"]}), generator=LOOP)
    with pytest.warns(H5FlowWarning, match="backend is numpy") as caught:
        run(content, "out.h5", str(events))
    assert len(caught) == 1
    assert len(sums("out.h5")) == 10


def test_numpy_by_name_does_not_ask_for_devices(
    events: Path, workflow: MakeWorkflow, gpus: Machine
) -> None:
    gpus.has_driver = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(workflow((Sums, {"requires": ["hits"]})), "out.h5", str(events), backend="numpy")


# -- memory --------------------------------------------------------------------------------------


def test_rows_that_do_not_fit_name_the_chunk_size(
    events: Path, workflow: MakeWorkflow, gpus: Machine
) -> None:
    gpus.memory = 500
    with pytest.raises(H5FlowError, match="--chunk-size"):
        run(workflow((Sums, {"requires": ["hits"]})), "out.h5", str(events), backend="cupy")


class Greedy(H5FlowStage):
    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        self.xp.zeros((2**20,))


def test_a_stage_that_wants_too_much_is_told_to_take_smaller_chunks(
    events: Path, workflow: MakeWorkflow, gpus: Machine
) -> None:
    gpus.memory = 2**20
    with pytest.raises(HookError, match=r"OutOfMemoryError[\s\S]*--chunk-size"):
        run(workflow(Greedy), "out.h5", str(events), backend="cupy")
