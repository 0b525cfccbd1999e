"""The spectrum of masses: a histogram in the file, and a picture beside it."""

import warnings
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from h5flow import H5FlowStage
from h5flow.data import to_host
from h5flow.errors import H5FlowWarning

from .spectrum_picture import PICTURE_FORMATS, draw_spectrum

BIN = np.dtype([("low", "f8"), ("high", "f8"), ("count", "i8")])

JPSI = (2.95, 3.25)  # GeV
Z = (80.0, 100.0)  # GeV


class MassSpectrum(H5FlowStage):
    """Makes ``mass_spectrum``: how many ``dimuons`` fall into each bin of mass.

    The bins are equally wide on a logarithmic scale. Requires ``dimuons`` with ``layout: jagged``.
    """

    class_version = "1.0.0"
    parameters: ClassVar = {
        "low": 0.3,
        "high": 200.0,
        "bins": 80,
        "file": "",
        "title": "",
    }

    low: float  # GeV, the lower edge of the first bin
    high: float  # GeV, the upper edge of the last one
    bins: int
    file: str  # the picture, in the output's folder; without a name none is drawn
    title: str  # above the picture

    def init(self, source_name: str) -> None:
        suffix = Path(self.file).suffix
        if self.file and suffix not in PICTURE_FORMATS:
            formats = ", ".join(PICTURE_FORMATS)
            raise ValueError(f"file: {self.file!r} has to end in one of {formats}")
        self.edges = np.geomspace(self.low, self.high, self.bins + 1)
        self.counts = np.zeros(self.bins, np.int64)
        self.totals = np.zeros(3, np.int64)  # all pairs, J/psi, Z
        self.data_manager.create_dset("mass_spectrum", BIN)

    def state(self) -> dict[str, Any]:
        """Return what a run that goes on later has to know."""
        return {"counts": self.counts, "totals": self.totals}

    def restore(self, state: dict[str, Any]) -> None:
        """Take in what a rank has counted before the run was stopped."""
        self.counts += state["counts"]
        self.totals += state["totals"]

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        mass = to_host(cache["dimuons"]["mass"])  # np.histogram is NumPy's own
        counts, _ = np.histogram(mass, self.edges)
        self.counts += counts
        self.totals += [len(mass), count_between(mass, *JPSI), count_between(mass, *Z)]

    def finish(self, source_name: str) -> None:
        # Every rank has seen some of the chunks; alone, a rank has seen all of them.
        counts = self.comm.allreduce(self.counts)
        n_dimuons, n_jpsi, n_z = (int(total) for total in self.comm.allreduce(self.totals))

        rows = self.data_manager.reserve_data("mass_spectrum", slice(0, self.bins))
        columns = {"low": self.edges[:-1], "high": self.edges[1:], "count": counts}
        self.data_manager.write_data("mass_spectrum", rows, columns)
        self.data_manager.set_attrs(
            "mass_spectrum",
            description="pairs of muons of opposite charge per bin of their mass",
            classname=self.classname,
            class_version=self.class_version,
            n_dimuons=n_dimuons,
            n_jpsi=n_jpsi,
            n_z=n_z,
            mass_unit="GeV",
        )
        if self.rank == 0:
            print(f"{n_dimuons:,} pairs, of these {n_jpsi:,} J/psi and {n_z:,} Z", flush=True)
            if self.file:
                self.draw(n_dimuons)

    def draw(self, n_dimuons: int) -> None:
        """Draw the histogram that is in the file."""
        picture = Path(self.data_manager.filepath).parent / self.file
        spectrum = self.data_manager["mass_spectrum", :]
        try:
            draw_spectrum(spectrum, picture, title=self.title, n_dimuons=n_dimuons)
        except ModuleNotFoundError as error:
            if error.name != "matplotlib":
                raise
            warnings.warn(
                f"{picture} was not drawn, because matplotlib is not installed "
                "(pip install matplotlib); the histogram is in the file, as mass_spectrum",
                H5FlowWarning,
                stacklevel=2,
            )
        else:
            print(f"picture: {picture}", flush=True)


def count_between(mass: Any, low: float, high: float) -> int:
    """Return how many masses are between two values, neither included."""
    return int(((mass > low) & (mass < high)).sum())
