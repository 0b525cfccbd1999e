"""Pairs of muons of opposite charge, and the mass that they would have come from."""

from typing import Any, ClassVar

import numpy as np

from h5flow import H5FlowStage

DIMUON = np.dtype([("mass", "f8"), ("pt", "f8"), ("rapidity", "f8"), ("phi", "f8")])


class MuonPairs(H5FlowStage):
    """Makes ``dimuons``: a row for every two muons of opposite charge in one event.

    Requires ``muons`` with ``layout: jagged``: the muons of all events of the chunk one after the
    other. In a padded table every event would be as wide as the one with the most muons.

    References: events -> dimuons, and dimuons -> muons, two for each pair.
    """

    class_version = "1.0.0"
    parameters: ClassVar = {"min_pt": 0.0}  # a parameter that is not named here is refused

    min_pt: float  # GeV; both muons of a pair have at least this

    def init(self, source_name: str) -> None:
        self.data_manager.create_dset("dimuons", DIMUON)
        self.data_manager.create_ref(source_name, "dimuons")
        self.data_manager.create_ref("dimuons", "muons")
        self.data_manager.set_attrs(
            "dimuons",
            description="pairs of muons of opposite charge; muons are taken as massless",
            classname=self.classname,
            class_version=self.class_version,
            min_pt=self.min_pt,
            mass_unit="GeV",
            pt_unit="GeV",
            phi_unit="rad",
        )

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        xp = self.xp  # NumPy, or the array library of the device that the rows are on
        muons = cache["muons"]
        pt, charge = muons["pt"], muons["charge"]

        first, second = positions_of_pairs(muons, xp)
        good = charge[first] * charge[second] < 0
        good &= (pt[first] >= self.min_pt) & (pt[second] >= self.min_pt)
        first, second = first[good], second[good]

        rows = self.data_manager.reserve_data("dimuons", first.shape[0])
        self.data_manager.write_data("dimuons", rows, combine(muons, first, second, xp))

        pair = xp.arange(rows.start, rows.stop)
        event = source_slice.start + muons.parent[first]
        self.data_manager.write_ref(source_name, "dimuons", xp.stack([event, pair], axis=1))
        muon1, muon2 = muons.index[first], muons.index[second]  # their rows in the file
        refs = xp.stack([pair, muon1, pair, muon2], axis=1)
        self.data_manager.write_ref("dimuons", "muons", xp.reshape(refs, (-1, 2)))  # two for each


def positions_of_pairs(muons: Any, xp: Any) -> tuple[Any, Any]:
    """Return where first and second muon of every pair in the same event stand.

    A muon pairs with all that stand after it in its event: four muons at the positions 5 to 8 make
    the pairs 5-6, 5-7, 5-8, 6-7, 6-8, 7-8.
    """
    position = xp.arange(muons.values.shape[0])
    partners = muons.offsets[muons.parent + 1] - position - 1  # muons after it in its event
    end = xp.cumulative_sum(
        partners
    )  # the pairs of muon i are the rows end[i] - partners[i] : end[i]
    pair = xp.arange(int(xp.sum(partners)))
    first = xp.searchsorted(end, pair, side="right")
    second = first + 1 + pair - (end - partners)[first]
    return first, second


def combine(muons: Any, first: Any, second: Any, xp: Any) -> dict[str, Any]:
    """Return the columns of ``dimuons``, in double precision."""
    pt, eta, phi = (xp.astype(muons[name], xp.float64) for name in ("pt", "eta", "phi"))
    pt1, eta1, phi1 = pt[first], eta[first], phi[first]
    pt2, eta2, phi2 = pt[second], eta[second], phi[second]

    # m^2 = 2 pt1 pt2 (cosh(d_eta) - cos(d_phi)); in this form of it nothing cancels where the two
    # muons are close to each other, and no rounding makes it negative.
    bracket = xp.sinh((eta1 - eta2) / 2) ** 2 + xp.sin((phi1 - phi2) / 2) ** 2
    px = pt1 * xp.cos(phi1) + pt2 * xp.cos(phi2)
    py = pt1 * xp.sin(phi1) + pt2 * xp.sin(phi2)
    forward = pt1 * xp.exp(eta1) + pt2 * xp.exp(eta2)  # E + pz
    backward = pt1 * xp.exp(-eta1) + pt2 * xp.exp(-eta2)  # E - pz
    return {
        "mass": 2 * xp.sqrt(pt1 * pt2 * bracket),
        "pt": xp.hypot(px, py),
        "rapidity": xp.log(forward / backward) / 2,
        "phi": xp.atan2(py, px),
    }
