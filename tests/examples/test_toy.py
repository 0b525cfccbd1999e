"""The generator of examples/dimuon: events of the real data's layout, with peaks in them."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

import h5flow
from h5flow.data import H5FlowDataManager
from h5flow.errors import H5FlowError

CopyProject = Callable[[str], Path]
Command = Callable[..., subprocess.CompletedProcess[str]]
Result = dict[str, np.ndarray[Any, Any]]
Make = Callable[..., Result]

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ("events", "muons", "dimuons", "mass_spectrum")
REFERENCES = (("events", "muons"), ("events", "dimuons"), ("dimuons", "muons"))


@pytest.fixture(scope="module")
def project(copy_project: CopyProject) -> Path:
    """A copy of the example, which is the working directory."""
    return copy_project("examples/dimuon")


@pytest.fixture(scope="module")
def make(project: Path) -> Make:
    """Return a function that runs toy.yaml with other params, and gives all rows it makes."""

    def run(start: int | None = None, end: int | None = None, **params: Any) -> Result:
        content = yaml.safe_load(Path("toy.yaml").read_text())
        content["toy"]["params"].update({"n_events": 10_000, **params})
        content["spectrum"]["params"]["file"] = ""
        output = project / "toy_params.h5"
        h5flow.run(
            content,
            str(output),
            start_position=start,
            end_position=end,
            overwrite=True,
            strict=True,
        )
        with H5FlowDataManager(output, mode="r") as dm:
            rows = {name: dm[name, :] for name in DATASETS}
            return rows | {"->".join(pair): dm.get_ref(*pair)[0][:] for pair in REFERENCES}

    return run


@pytest.fixture(scope="module")
def toy(make: Make) -> Result:
    return make()


@pytest.fixture(scope="module")
def physics() -> ModuleType:
    path = ROOT / "examples" / "dimuon" / "h5flow_modules" / "toy_physics.py"
    spec = importlib.util.spec_from_file_location("toy_physics_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(one: Result, other: Result) -> None:
    assert one.keys() == other.keys()
    for name, rows in one.items():
        np.testing.assert_array_equal(rows, other[name], err_msg=name)


def test_layout_is_that_of_the_real_data(project: Path, collisions: Path, make: Make) -> None:
    make(n_events=100)
    with h5py.File(collisions) as real, h5py.File(project / "toy_params.h5") as toy:
        paths: list[str] = []
        real.visit(paths.append)
        for path in paths:
            assert path in toy
            if isinstance(real[path], h5py.Dataset):
                assert toy[path].dtype.names == real[path].dtype.names, path
                assert toy[path].ndim == real[path].ndim, path
                assert dict(toy[path].attrs) == dict(real[path].attrs), path
        for name in ("events", "muons"):
            assert toy[f"{name}/data"].dtype == real[f"{name}/data"].dtype


def test_each_muon_belongs_to_the_event_it_names(toy: Result) -> None:
    event, muon = toy["events->muons"].T
    np.testing.assert_array_equal(muon, np.arange(len(toy["muons"])))
    np.testing.assert_array_equal(toy["events"]["id"][event], toy["muons"]["event_id"])
    np.testing.assert_array_equal(np.bincount(event, minlength=10_000), toy["events"]["n_muons"])


def test_events_have_0_to_4_muons(toy: Result) -> None:
    numbers, how_many = np.unique(toy["events"]["n_muons"], return_counts=True)
    assert numbers.tolist() == [0, 1, 2, 3, 4]
    assert how_many.argmax() == 2


def test_muons_are_physical(toy: Result) -> None:
    muons = toy["muons"]
    assert all(np.isfinite(muons[name]).all() for name in ("pt", "eta", "phi"))
    assert (muons["pt"] > 0).all()
    assert (np.abs(muons["phi"]) <= np.float32(np.pi)).all()
    assert set(muons["charge"].tolist()) == {-1, 1}


@pytest.mark.parametrize(
    ("low", "high"), [(3.0, 3.2), (9.3, 9.6), (85, 97)], ids=["J/psi", "Upsilon", "Z"]
)
def test_peak_stands_out(toy: Result, low: float, high: float) -> None:
    mass = toy["dimuons"]["mass"]
    inside = ((mass > low) & (mass < high)).sum()
    width = high - low
    beside = ((mass > low - 2 * width) & (mass < low - width)).sum()
    assert inside > 3 * beside + 20


@pytest.mark.parametrize("chunk_size", [999, 4096, 100_000])
def test_result_does_not_depend_on_the_chunk_size(toy: Result, make: Make, chunk_size: int) -> None:
    assert_same(make(chunk_size=chunk_size), toy)


def test_more_events_begin_with_the_same(toy: Result, make: Make) -> None:
    more = make(n_events=12_000)
    np.testing.assert_array_equal(more["events"][:10_000], toy["events"])
    np.testing.assert_array_equal(more["muons"][: len(toy["muons"])], toy["muons"])


def test_another_seed_gives_other_events(toy: Result, make: Make) -> None:
    other = make(seed=2)
    assert (other["events"]["n_muons"] != toy["events"]["n_muons"]).any()


@pytest.mark.parametrize(
    ("start", "end", "numbers"),
    [(3000, 9000, slice(3000, 9000)), (-100, None, slice(9900, 10_000)), (None, 1, slice(0, 1))],
)
def test_start_and_end_select_events_by_number(
    toy: Result, make: Make, start: int | None, end: int | None, numbers: slice
) -> None:
    part = make(start, end)
    np.testing.assert_array_equal(part["events"], toy["events"][numbers])
    wanted = np.isin(toy["muons"]["event_id"], part["events"]["id"])
    np.testing.assert_array_equal(part["muons"], toy["muons"][wanted])


@pytest.mark.parametrize(("start", "end"), [(10_000, None), (5, 5), (7, 3)])
def test_range_without_events_is_an_error(make: Make, start: int, end: int | None) -> None:
    with pytest.raises(H5FlowError, match="no events to make"):
        make(start, end)


def test_misspelt_parameter_is_refused(make: Make) -> None:
    with pytest.raises(H5FlowError, match=r"'n_event'.*did you mean 'n_events'"):
        make(n_event=3)


def test_decay_keeps_mass_and_momentum(physics: ModuleType) -> None:
    rng = np.random.default_rng(7)
    mass, parent_pt, rapidity, parent_phi = physics.draw_parents(rng, (500,))
    pt, eta, phi = physics.decay_to_muons(rng, mass, parent_pt, rapidity, parent_phi)
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    energy = np.sqrt(px**2 + py**2 + pz**2 + physics.MUON_MASS**2)
    sums = [values.sum(axis=1) for values in (energy, px, py, pz)]
    found = np.sqrt(sums[0] ** 2 - sums[1] ** 2 - sums[2] ** 2 - sums[3] ** 2)
    np.testing.assert_allclose(found, mass, rtol=1e-6)
    np.testing.assert_allclose(sums[1], parent_pt * np.cos(parent_phi), atol=1e-8)
    np.testing.assert_allclose(sums[2], parent_pt * np.sin(parent_phi), atol=1e-8)
    np.testing.assert_allclose(np.arctanh(sums[3] / sums[0]), rapidity, rtol=1e-6, atol=1e-8)


def test_first_command_of_the_readme_makes_file_and_picture(
    project: Path, command: Command
) -> None:
    pytest.importorskip("matplotlib")
    done = command("run", "-o", "toy.h5", "toy.yaml", folder=project)
    assert done.returncode == 0, done.stderr
    assert "pairs, of these" in done.stdout
    assert (project / "toy_spectrum.png").stat().st_size > 20_000
    with H5FlowDataManager(project / "toy.h5", mode="r") as dm:
        assert len(dm["events/data"]) == 200_000
