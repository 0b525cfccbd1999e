"""Events with muons in them, made up: for a first try without any data."""

import math
from typing import ClassVar

import numpy as np

from h5flow import H5FlowGenerator

from .toy_physics import MUON_MASS, Array, decay_to_muons, draw_parents, smear

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
#: Events are drawn in blocks, each with random numbers of its own. So event 5,000 is the same
#: whatever the chunk size, and wherever a run begins.
BLOCK = 4096


class ToyEvents(H5FlowGenerator):
    """Makes ``events`` and ``muons``, in the layout of the real data.

    An event has one or two particles that decay to two muons each, and the detector misses some
    muons; so events have 0 to 4 of them. ``-s`` and ``-e`` select events by their number.
    """

    class_version = "1.0.0"
    parameters: ClassVar = {
        "n_events": 200_000,
        "chunk_size": 16_384,
        "seed": 1,
        "efficiency": 0.95,
    }

    n_events: int
    chunk_size: int  # events
    seed: int
    efficiency: float  # the chance that a muon is found

    def init(self) -> None:
        self.numbers = range(self.n_events)[self.start_position : self.end_position]
        if not self.numbers:
            asked = f"{self.start_position}:{self.end_position} of {self.n_events}"
            raise ValueError(f"there are no events to make: {asked}")
        if self.chunk_size < 1:
            raise ValueError(f"chunk_size: {self.chunk_size} is not a positive number")
        self.next_chunk = 0  # of all ranks
        self.data_manager.create_dset(self.dset_name, EVENT)
        self.data_manager.create_dset("muons", MUON)
        self.data_manager.create_ref(self.dset_name, "muons")
        self.data_manager.set_attrs(
            "muons",
            description="simulated",
            classname=self.classname,
            class_version=self.class_version,
            seed=self.seed,
            efficiency=self.efficiency,
            pt_unit="GeV",
            phi_unit="rad",
            mass_unit="GeV",
        )

    def __len__(self) -> int:
        """Return the number of chunks of this rank, for the progress bar."""
        return math.ceil(len(self.numbers) / (self.chunk_size * self.size))

    def state(self) -> int:
        """Return where a run goes on that is resumed, whatever its number of ranks."""
        return self.next_chunk

    def restore(self, state: int) -> None:
        self.next_chunk = state

    def next(self) -> slice:
        # Chunks are dealt to the ranks in turn; alone, a rank gets them all.
        chunk = self.next_chunk + self.rank
        numbers = self.numbers[chunk * self.chunk_size : (chunk + 1) * self.chunk_size]
        self.next_chunk += self.size
        if not numbers:
            return self.EMPTY

        muons = self.make_muons(numbers)
        event = muons["event_id"] - numbers.start  # of each muon, counted within this chunk
        events = np.zeros(len(numbers), EVENT)
        events["id"] = numbers
        events["n_muons"] = np.bincount(event, minlength=len(numbers))

        event_rows = self.data_manager.reserve_data(self.dset_name, len(events))
        muon_rows = self.data_manager.reserve_data("muons", len(muons))
        self.data_manager.write_data(self.dset_name, event_rows, events)
        self.data_manager.write_data("muons", muon_rows, muons)
        refs = np.stack([event_rows.start + event, np.arange(muon_rows.start, muon_rows.stop)], 1)
        self.data_manager.write_ref(self.dset_name, "muons", refs)
        return event_rows

    def make_muons(self, numbers: range) -> Array:
        """Return the muons of the events with these numbers."""
        first, last = numbers.start // BLOCK, (numbers.stop - 1) // BLOCK
        muons = np.concatenate([self.make_block(block) for block in range(first, last + 1)])
        wanted = (muons["event_id"] >= numbers.start) & (muons["event_id"] < numbers.stop)
        return muons[wanted]

    def make_block(self, block: int) -> Array:
        """Return the muons of the events ``block * BLOCK : (block + 1) * BLOCK``."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(block,)))
        parents = draw_parents(rng, (BLOCK, 2))  # two of them in each event
        pt, eta, phi = smear(rng, *decay_to_muons(rng, *parents))  # (BLOCK, 2, 2)

        muons = np.zeros(pt.shape, MUON)
        muons["event_id"] = (block * BLOCK + np.arange(BLOCK))[:, np.newaxis, np.newaxis]
        muons["pt"], muons["eta"], muons["phi"] = pt, eta, phi
        muons["mass"] = MUON_MASS
        muons["charge"] = [1, -1]

        found = rng.random((BLOCK, 2, 2)) < self.efficiency
        found[:, 1] &= rng.random((BLOCK, 1)) < 0.1  # most events have the first parent only
        chosen: Array = muons[found]
        return chosen
