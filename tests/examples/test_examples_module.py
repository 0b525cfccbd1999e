"""h5flow_modules/examples.py, from which users begin their own classes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import h5flow
from h5flow.data import H5FlowDataManager
from h5flow.errors import H5FlowError

CopyProject = Callable[[str], Path]
Command = Callable[..., subprocess.CompletedProcess[str]]
Make = Callable[..., H5FlowDataManager]


@pytest.fixture(scope="module")
def project(copy_project: CopyProject) -> Path:
    """A folder with a copy of h5flow_modules/, which is the working directory."""
    return copy_project(".")


@pytest.fixture
def make(project: Path, tmp_path: Path) -> Make:
    """Return a function that runs examples.yaml with other params, by block."""

    def run(
        start: int | None = None, end: int | None = None, **blocks: dict[str, Any]
    ) -> H5FlowDataManager:
        content = yaml.safe_load((project / "h5flow_modules" / "examples.yaml").read_text())
        content["resources"][0]["params"].update(blocks.pop("calibration", {}))
        for name, params in blocks.items():
            content[name]["params"].update(params)
        output = tmp_path / "example.h5"
        h5flow.run(
            content,
            str(output),
            start_position=start,
            end_position=end,
            overwrite=True,
            strict=True,
        )
        return H5FlowDataManager(output, mode="r")

    return run


def test_energies_are_sums_over_the_calibrated_hits_of_each_event(make: Make) -> None:
    dm = make()
    events, hits = dm["events", :], dm["hits", :]
    hits_of = [[] for _ in events]
    for event, hit in dm.get_ref("events", "hits")[0][:].tolist():
        hits_of[event].append(hit)
    expected = [
        (sum((int(hits["adc"][hit]) - 40.0) * 0.25 for hit in members), len(members))
        for members in hits_of
        if members
    ]
    assert 900 < len(expected) < 1000
    assert dm["energies", :].tolist() == expected


def test_each_energy_is_linked_to_its_event(make: Make) -> None:
    dm = make()
    energies = dm["events", "energies", :]
    n_hits = dm["events", "hits", :]["adc"].count(axis=1)
    assert energies.shape == (1000, 1)
    np.testing.assert_array_equal(energies["n_hits"].filled(0)[:, 0], n_hits)
    np.testing.assert_array_equal(energies["energy"].mask[:, 0], n_hits == 0)


def test_parameters_of_all_three_classes_count(make: Make) -> None:
    dm = make(
        calibration={"pedestal": 0.0, "gain": 2.0},
        events_generator={"n_events": 100, "chunk_size": 7},
        energy={"min_hits": 4},
    )
    assert len(dm["events/data"]) == 100
    assert dm["energies", :]["n_hits"].min() == 4
    first = dm["energies", "events", 0]["id"][0, 0]
    assert dm["energies", 0]["energy"][0] == 2 * dm["events", "hits", first]["adc"].sum()


def test_metadata_say_how_everything_was_made(make: Make) -> None:
    dm = make()
    assert dm.get_attrs("calibration") == {
        "classname": "ExampleResource",
        "class_version": "1.0.0",
        "pedestal": 40.0,
        "gain": 0.25,
    }
    assert dm.get_attrs("events")["classname"] == "ExampleGenerator"
    assert dm.get_attrs("energies")["energy_unit"] == "MeV"


def test_start_and_end_select_events(make: Make) -> None:
    assert make(100, 110)["events", :]["id"].tolist() == list(range(100, 110))
    assert make(-3)["events", :]["id"].tolist() == [997, 998, 999]


def test_misspelt_parameter_is_refused(make: Make) -> None:
    with pytest.raises(H5FlowError, match=r"'min_hit'.*did you mean 'min_hits'"):
        make(energy={"min_hit": 2})


def test_missing_requirement_is_refused(make: Make, project: Path, tmp_path: Path) -> None:
    content = yaml.safe_load((project / "h5flow_modules" / "examples.yaml").read_text())
    content["energy"]["requires"] = ["hit"]
    output = tmp_path / "example.h5"
    with pytest.raises(H5FlowError, match=r"'hit'.*did you mean 'hits'"):
        h5flow.run(content, str(output), strict=True)
    assert not output.exists()


def test_command_runs_from_the_root_of_the_repository(
    project: Path, command: Command, tmp_path: Path
) -> None:
    output = tmp_path / "example.h5"
    done = command("run", "-o", str(output), "h5flow_modules/examples.yaml", folder=project)
    assert done.returncode == 0, done.stderr
    with H5FlowDataManager(output, mode="r") as dm:
        assert len(dm["events/data"]) == 1000
