"""What decays to two muons, how often, and where the muons go. A toy: made to look right."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Rng = np.random.Generator

MUON_MASS = 0.10565837  # GeV
LIGHTEST, HEAVIEST = 0.25, 500.0  # GeV, of the continuum
RESOLUTION = 0.01  # of a muon's transverse momentum, relative

#: Mass (GeV), width (GeV) and fraction of all pairs; what is left of 1 is the continuum.
RESONANCES = np.array(
    [
        (0.5479, 0.0000, 0.006),  # eta
        (0.7827, 0.0087, 0.014),  # omega
        (1.0195, 0.0042, 0.014),  # phi
        (3.0969, 0.0001, 0.090),  # J/psi
        (3.6861, 0.0003, 0.008),  # psi'
        (9.4604, 0.0001, 0.030),  # Upsilon(1S)
        (10.0234, 0.0000, 0.009),  # Upsilon(2S)
        (10.3551, 0.0000, 0.006),  # Upsilon(3S)
        (91.1880, 2.4955, 0.080),  # Z
    ],
    dtype=[("mass", "f8"), ("width", "f8"), ("fraction", "f8")],
)


def draw_parents(rng: Rng, shape: tuple[int, ...]) -> tuple[Array, Array, Array, Array]:
    """Return mass, transverse momentum, rapidity and azimuth of what decays."""
    fraction = RESONANCES["fraction"]
    kind = rng.choice(len(RESONANCES) + 1, shape, p=[*fraction, 1 - fraction.sum()])
    continuum = LIGHTEST * (HEAVIEST / LIGHTEST) ** rng.beta(2.0, 1.6, shape)
    mass = np.append(RESONANCES["mass"], 0.0)[kind]
    half_width = np.append(RESONANCES["width"], 0.0)[kind] / 2
    mass += half_width * np.tan(rng.uniform(-1.5, 1.5, shape))  # Breit-Wigner, without far tails
    mass = np.where(kind == len(RESONANCES), continuum, mass)

    pt = rng.exponential(4.0 + 0.1 * mass)
    rapidity = rng.normal(0.0, 1.0, shape)
    phi = rng.uniform(-np.pi, np.pi, shape)
    return mass, pt, rapidity, phi


def decay_to_muons(
    rng: Rng, mass: Array, pt: Array, rapidity: Array, phi: Array
) -> tuple[Array, Array, Array]:
    """Return pt, eta and phi of the two muons of each decay, along a new last axis.

    At rest the muons fly apart in a random direction; then they are boosted to the parent's motion.
    """
    momentum = np.sqrt(mass**2 / 4 - MUON_MASS**2)
    at_rest = momentum[..., np.newaxis] * random_directions(rng, mass.shape)
    transverse_mass = np.hypot(mass, pt)
    energy = transverse_mass * np.cosh(rapidity)
    pz = transverse_mass * np.sinh(rapidity)
    parent = np.stack([pt * np.cos(phi), pt * np.sin(phi), pz], axis=-1)

    # p = p* + P (P.p* / (m (E + m)) + E* / m), with E* = m / 2 for both muons
    along = (parent * at_rest).sum(axis=-1) / (mass * (energy + mass))
    plus = at_rest + parent * (along + 0.5)[..., np.newaxis]
    minus = parent - plus
    px, py, pz = np.moveaxis(np.stack([plus, minus], axis=-2), -1, 0)
    muon_pt = np.hypot(px, py)
    return muon_pt, np.arcsinh(pz / muon_pt), np.arctan2(py, px)


def random_directions(rng: Rng, shape: tuple[int, ...]) -> Array:
    """Return unit vectors, shape (*shape, 3), equally likely in all directions."""
    cos_theta = rng.uniform(-1.0, 1.0, shape)
    sin_theta = np.sqrt(1 - cos_theta**2)
    phi = rng.uniform(-np.pi, np.pi, shape)
    return np.stack([sin_theta * np.cos(phi), sin_theta * np.sin(phi), cos_theta], axis=-1)


def smear(rng: Rng, pt: Array, eta: Array, phi: Array) -> tuple[Array, Array, Array]:
    """Return the muons as the detector measures them: their momenta not exactly."""
    return pt * rng.lognormal(0.0, RESOLUTION, pt.shape), eta, phi
