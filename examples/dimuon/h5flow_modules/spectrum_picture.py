"""The picture of a mass spectrum, both axes logarithmic, with the names of its peaks."""

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

PICTURE_FORMATS = (".png", ".pdf", ".svg")

#: What decays to two muons: its name, its mass (GeV), and by how many points the name is moved.
PEAKS = (
    (r"$\eta$", 0.548, 0),
    (r"$\rho,\omega$", 0.780, 0),
    (r"$\phi$", 1.019, 0),
    (r"$J/\psi$", 3.097, -2),
    (r"$\psi'$", 3.686, 5),
    (r"$\Upsilon$", 9.46, 0),
    (r"$Z$", 91.19, 0),
)
BLUE, GREY = "#1f4e8c", "#606060"


def draw_spectrum(spectrum: Array, picture: Path, *, title: str, n_dimuons: int) -> None:
    """Draw pairs per GeV over their mass.

    Parameters
    ----------
    spectrum : numpy.ndarray
        Fields low, high (GeV) and count of each bin.
    picture : Path
        The file to make; its suffix says in which format.
    title : str
        Stands above the picture.
    n_dimuons : int
        Number of all pairs.
    """
    # Here and not at the top, for a run needs matplotlib at its very end only, if at all. A Figure
    # of one's own, without pyplot, needs no screen.
    from matplotlib.figure import Figure

    edges = np.append(spectrum["low"], spectrum["high"][-1])
    density = spectrum["count"] / (spectrum["high"] - spectrum["low"])
    seen = density[density > 0] if density.any() else np.ones(1)

    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(seen.min() / 3, seen.max() * 5)
    axes.stairs(density, edges, fill=True, color=BLUE, alpha=0.15)
    axes.stairs(density, edges, color=BLUE, linewidth=1.1)
    name_peaks(axes, edges, spectrum["count"], density)
    axes.set_xlabel(r"mass of the pair, $m_{\mu\mu}$ [GeV]", fontsize=12)
    axes.set_ylabel("pairs per GeV", fontsize=12)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(which="both", direction="in", top=True, right=True)
    axes.set_title(title, loc="left", fontsize=12)
    axes.set_title(rf"{n_dimuons:,} pairs $\mu^+\mu^-$", loc="right", fontsize=10, color=GREY)
    figure.savefig(picture, dpi=160)


def name_peaks(axes: Any, edges: Array, count: Array, density: Array) -> None:
    """Write the name of each peak that stands out above it."""
    for name, mass, shift in PEAKS:
        ratio = np.sqrt(edges[:-1] * edges[1:]) / mass
        near = (ratio > 0.9) & (ratio < 1.1)
        around = count[(ratio > 0.6) & (ratio < 1.7)]
        if not near.any():
            continue
        highest = np.flatnonzero(near)[density[near].argmax()]
        usual = np.median(around)
        if count[highest] < usual + 5 * np.sqrt(usual + 1):  # it may be chance
            continue
        axes.annotate(
            name,
            (edges[highest : highest + 2].mean(), density[highest]),
            xytext=(shift, 7),
            textcoords="offset points",
            ha="center",
            fontsize=12,
            color=GREY,
        )
