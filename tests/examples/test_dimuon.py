"""The stages of examples/dimuon: on small events made here, and on the real collisions."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from itertools import combinations, count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import h5flow
from h5flow.data import H5FlowDataManager
from h5flow.errors import H5FlowError, H5FlowWarning

CopyProject = Callable[[str], Path]
Command = Callable[..., subprocess.CompletedProcess[str]]
Array = np.ndarray[Any, Any]

EVENT = np.dtype([("id", "i8"), ("n_muons", "i8")])
MUON = np.dtype(
    [
        ("event_id", "i8"),
        ("pt", "f4"),
        ("eta", "f4"),
        ("phi", "f4"),
        ("mass", "f4"),
        ("charge", "i4"),
    ]
)
#: transverse momentum, eta, phi, charge
Muon = tuple[float, float, float, int]


@pytest.fixture(scope="module")
def project(copy_project: CopyProject) -> Path:
    """A copy of the example, which is the working directory."""
    return copy_project("examples/dimuon")


@pytest.fixture(scope="module")
def of_collisions(project: Path, collisions: Path) -> H5FlowDataManager:
    """What ``dimuon.yaml`` makes of the real data."""
    h5flow.run("dimuon.yaml", str(project / "real.h5"), str(collisions), strict=True)
    return H5FlowDataManager(project / "real.h5", mode="r")


@pytest.fixture
def output(tmp_path: Path) -> str:
    return str(tmp_path / "out.h5")


@pytest.fixture
def pairs_of(
    project: Path, tmp_path: Path, output: str
) -> Callable[..., tuple[Array, H5FlowDataManager]]:
    """Return a function that runs the stages on events, each a list of muons."""

    def run(
        *events: Sequence[Muon], **params: Mapping[str, Any]
    ) -> tuple[Array, H5FlowDataManager]:
        path = tmp_path / f"in{len(list(tmp_path.iterdir()))}.h5"
        write_events(path, events)
        h5flow.run(workflow(**params), output, str(path), overwrite=True)
        dm = H5FlowDataManager(output, mode="r")
        return dm["dimuons", :], dm

    return run


class NoMatplotlib(MetaPathFinder):
    """Makes an installed matplotlib look absent."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")


def write_events(path: Path, events: Sequence[Sequence[Muon]]) -> None:
    muons = [
        (number, *muon[:3], 0.1057, muon[3])
        for number in range(len(events))
        for muon in events[number]
    ]
    with H5FlowDataManager(path) as dm:
        dm.create_dset("events", EVENT)
        dm.create_dset("muons", MUON)
        dm.create_ref("events", "muons")
        rows = dm.reserve_data("events", len(events))
        dm.write_data("events", rows, np.array([(i, len(e)) for i, e in enumerate(events)], EVENT))
        rows = dm.reserve_data("muons", len(muons))
        dm.write_data("muons", rows, np.array(muons, MUON))
        refs = [(muon[0], row) for row, muon in enumerate(muons)]
        dm.write_ref("events", "muons", np.array(refs, "i8").reshape(-1, 2))


def workflow(
    pairs: Mapping[str, Any] | None = None,
    spectrum: Mapping[str, Any] | None = None,
    chunk_size: int = 100_000,
) -> dict[str, Any]:
    """Return dimuon.yaml with other params, and without a picture unless `spectrum` names one."""
    content: dict[str, Any] = yaml.safe_load(Path("dimuon.yaml").read_text())
    content["flow"]["source"] = "loop"
    content["loop"] = {
        "classname": "H5FlowDatasetLoopGenerator",
        "dset_name": "events",
        "params": {"chunk_size": chunk_size},
    }
    content["pairs"]["params"].update(pairs or {})
    content["spectrum"]["params"].update({"file": "", **(spectrum or {})})
    return content


def pairs_by_hand(muons: Array) -> list[tuple[int, int]]:
    """Return the rows of the muons of each pair, without any reference."""
    found = []
    for event in sorted(set(muons["event_id"].tolist())):
        members = [row for row in range(len(muons)) if muons["event_id"][row] == event]
        for one, other in combinations(members, 2):
            if int(muons["charge"][one]) * int(muons["charge"][other]) < 0:
                found.append((one, other))
    return found


def mass_by_hand(one: Any, other: Any) -> float:
    cosines = math.cosh(float(one["eta"]) - float(other["eta"])) - math.cos(
        float(one["phi"]) - float(other["phi"])
    )
    return math.sqrt(max(0.0, 2 * float(one["pt"]) * float(other["pt"]) * cosines))


def sum_by_hand(one: Any, other: Any) -> tuple[float, float, float]:
    """Return pt, rapidity and phi of two massless muons, by adding their four-momenta."""
    px = py = pz = energy = 0.0
    for muon in (one, other):
        pt, eta, phi = (float(muon[name]) for name in ("pt", "eta", "phi"))
        px, py, pz = px + pt * math.cos(phi), py + pt * math.sin(phi), pz + pt * math.sinh(eta)
        energy += pt * math.cosh(eta)
    return math.hypot(px, py), math.atanh(pz / energy), math.atan2(py, px)


# -- the real collisions -----------------------------------------------------------------------


def test_real_collisions_have_the_pairs_that_loops_find(of_collisions: H5FlowDataManager) -> None:
    muons, dimuons = of_collisions["muons", :], of_collisions["dimuons", :]
    expected = pairs_by_hand(muons)
    assert len(dimuons) == len(expected) == 1263
    for row, (one, other) in enumerate(expected):
        assert dimuons["mass"][row] == pytest.approx(
            mass_by_hand(muons[one], muons[other]), rel=1e-8
        )
        assert [dimuons[name][row] for name in ("pt", "rapidity", "phi")] == pytest.approx(
            sum_by_hand(muons[one], muons[other]), rel=1e-8, abs=1e-8
        )


def test_real_collisions_have_92_jpsi_and_98_z(of_collisions: H5FlowDataManager) -> None:
    mass = of_collisions["dimuons", :]["mass"]
    assert ((mass > 2.95) & (mass < 3.25)).sum() == 92
    assert ((mass > 80) & (mass < 100)).sum() == 98
    attributes = of_collisions.get_attrs("mass_spectrum")
    found = [attributes[key] for key in ("n_dimuons", "n_jpsi", "n_z")]
    assert found == [1263, 92, 98]


def test_references_of_real_collisions_lead_to_the_muons_of_each_pair(
    of_collisions: H5FlowDataManager,
) -> None:
    expected = pairs_by_hand(of_collisions["muons", :])
    refs, direction = of_collisions.get_ref("dimuons", "muons")
    assert direction == (0, 1)
    linked = sorted(map(tuple, refs[:].tolist()))
    assert linked == sorted((row, muon) for row, pair in enumerate(expected) for muon in pair)


def test_references_of_real_collisions_lead_to_the_pairs_of_each_event(
    of_collisions: H5FlowDataManager,
) -> None:
    muons, events = of_collisions["muons", :], of_collisions["events", :]
    rows_of_events = {number: row for row, number in enumerate(events["id"].tolist())}
    expected = [
        (rows_of_events[muons["event_id"][one]], row)
        for row, (one, _) in enumerate(pairs_by_hand(muons))
    ]
    refs, _ = of_collisions.get_ref("events", "dimuons")
    assert list(map(tuple, refs[:].tolist())) == expected


def test_result_on_real_collisions_does_not_depend_on_chunks(
    of_collisions: H5FlowDataManager, collisions: Path, output: str
) -> None:
    h5flow.run(workflow(chunk_size=77), output, str(collisions))
    with H5FlowDataManager(output, mode="r") as dm:
        for name in ("dimuons", "mass_spectrum"):
            np.testing.assert_array_equal(dm[name, :], of_collisions[name, :])
        for pair in (("events", "dimuons"), ("dimuons", "muons")):
            expected = of_collisions[(*pair, slice(None))]
            np.testing.assert_array_equal(dm[(*pair, slice(None))].filled(), expected.filled())


def test_command_counts_the_peaks_of_real_collisions(
    project: Path, collisions: Path, command: Command, output: str
) -> None:
    done = command("run", "-i", str(collisions), "-o", output, "dimuon.yaml", folder=project)
    assert done.returncode == 0, done.stderr
    assert "1,263 pairs, of these 92 J/psi and 98 Z" in done.stdout


# -- pairs -------------------------------------------------------------------------------------


def test_events_with_less_than_two_muons_have_no_pairs(pairs_of: Callable[..., Any]) -> None:
    dimuons, dm = pairs_of([], [(5, 0, 0, 1)], [(5, 0, 0, 1), (6, 1, 1, -1)], [])
    assert len(dimuons) == 1
    assert dm["events", "dimuons", :]["mass"].count(axis=1).tolist() == [0, 0, 1, 0]


def test_without_any_pair_the_run_ends_well(pairs_of: Callable[..., Any]) -> None:
    dimuons, dm = pairs_of([], [(5, 0, 0, 1)], [(5, 0, 0, 1), (6, 1, 1, 1)])
    assert len(dimuons) == 0
    assert dm["mass_spectrum", :]["count"].sum() == 0


def test_pairs_within_an_event_are_all_of_opposite_charge(pairs_of: Callable[..., Any]) -> None:
    charges = [1, -1, -1, 1, -1]
    number = count()
    muons = [(3.0 + next(number), 0.3 * i, 0.5 * i, charge) for i, charge in enumerate(charges)]
    dimuons, dm = pairs_of([(5, 0, 0, 1)], muons)
    linked = dm["dimuons", "muons", :]
    assert len(dimuons) == 6
    assert (linked["charge"].sum(axis=1) == 0).all()
    assert (linked["event_id"] == 1).all()


def test_min_pt_is_asked_of_both_muons(pairs_of: Callable[..., Any]) -> None:
    event = [(10, 0, 0, 1), (4, 1, 1, -1), (6, -1, 2, -1)]
    dimuons, dm = pairs_of(event, pairs={"min_pt": 5.0})
    assert len(dimuons) == 1
    assert sorted(dm["dimuons", "muons", 0]["pt"][0].tolist()) == [6, 10]
    assert dm.get_attrs("dimuons")["min_pt"] == 5.0


def test_mass_of_muons_almost_on_top_of_each_other_is_exact(
    pairs_of: Callable[..., Any],
) -> None:
    eta = np.float32(2.0)
    above = np.nextafter(eta, np.float32(3.0))
    dimuons, _ = pairs_of([(20, eta, 1, 1), (20, above, 1, -1)])
    # cosh(x) - 1 is x^2 / 2 for a small x
    assert dimuons["mass"][0] == pytest.approx(20 * (float(above) - float(eta)), rel=1e-12)


def test_mass_of_two_equal_muons_is_zero(pairs_of: Callable[..., Any]) -> None:
    dimuons, _ = pairs_of([(20, 1.1, 1, 1), (20, 1.1, 1, -1)])
    assert dimuons["mass"].tolist() == [0.0]


def test_dimuons_have_units(pairs_of: Callable[..., Any]) -> None:
    _, dm = pairs_of([(20, 1.1, 1, 1)])
    attributes = dm.get_attrs("dimuons")
    assert attributes["mass_unit"] == attributes["pt_unit"] == "GeV"
    assert (attributes["classname"], attributes["class_version"]) == ("MuonPairs", "1.0.0")


# -- the spectrum and its picture --------------------------------------------------------------


def test_spectrum_counts_the_masses_in_its_range(of_collisions: H5FlowDataManager) -> None:
    mass, spectrum = of_collisions["dimuons", :]["mass"], of_collisions["mass_spectrum", :]
    assert (spectrum["low"][0], spectrum["high"][-1]) == pytest.approx((0.3, 200.0))
    np.testing.assert_array_equal(spectrum["low"][1:], spectrum["high"][:-1])
    np.testing.assert_allclose(np.diff(np.log(spectrum["low"])), np.log(200 / 0.3) / 80)
    by_hand = [((mass >= row["low"]) & (mass < row["high"])).sum() for row in spectrum]
    assert spectrum["count"].tolist() == by_hand


@pytest.mark.parametrize(("suffix", "begin"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_picture_lies_beside_the_output(
    pairs_of: Callable[..., Any], output: str, suffix: str, begin: bytes
) -> None:
    pytest.importorskip("matplotlib")
    pairs_of([(20, 1.1, 1, 1), (20, -1.1, 2, -1)], spectrum={"file": f"mass.{suffix}"})
    assert Path(output).with_name(f"mass.{suffix}").read_bytes().startswith(begin)


def test_picture_of_no_pairs_can_be_drawn(pairs_of: Callable[..., Any], output: str) -> None:
    pytest.importorskip("matplotlib")
    pairs_of([(20, 1.1, 1, 1)], spectrum={"file": "mass.png"})
    assert Path(output).with_name("mass.png").is_file()


def test_without_matplotlib_the_run_warns_and_ends_well(
    pairs_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoMatplotlib(), *sys.meta_path])
    with pytest.warns(H5FlowWarning, match=r"mass\.png was not drawn.*pip install matplotlib"):
        dimuons, _ = pairs_of([(20, 1.1, 1, 1), (20, -1.1, 2, -1)], spectrum={"file": "mass.png"})
    assert len(dimuons) == 1
    assert not Path(output).with_name("mass.png").exists()


def test_picture_of_unknown_format_is_refused_before_the_loop(
    pairs_of: Callable[..., Any], output: str
) -> None:
    with pytest.raises(H5FlowError, match=r"'mass\.txt' has to end in one of \.png"):
        pairs_of([(20, 1.1, 1, 1)], spectrum={"file": "mass.txt"})
    assert not Path(output).exists()
