"""A generator, a stage and a resource, as small as they can be: begin your own from these.

``h5flow run -o example.h5 h5flow_modules/examples.yaml`` runs them. The generator makes events and
the hits in them, the resource says how to calibrate a hit, and the stage sums up the energy of each
event.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from h5flow import H5FlowGenerator, H5FlowResource, H5FlowStage, resources

# What a row of each dataset looks like.
EVENT = np.dtype([("id", "i8"), ("time", "f8")])
HIT = np.dtype([("channel", "i4"), ("adc", "i4")])
ENERGY = np.dtype([("energy", "f8"), ("n_hits", "i8")])


class ExampleResource(H5FlowResource):
    """Something that several stages share, here the calibration of the hits.

    Stages reach it as ``resources["ExampleResource"]``.
    """

    class_version = "1.0.0"
    # The params that the YAML file may set, and their defaults. Each becomes an attribute of that
    # name; a param that is not listed is refused, so that a misspelt one cannot pass unnoticed.
    parameters: ClassVar = {"pedestal": 0.0, "gain": 1.0}

    pedestal: float  # ADC counts of a channel without a hit
    gain: float  # MeV per ADC count

    def init(self, source_name: str) -> None:
        """Record the calibration in the file, as metadata without a dataset."""
        self.data_manager.set_attrs(
            "calibration",
            classname=self.classname,
            class_version=self.class_version,
            pedestal=self.pedestal,
            gain=self.gain,
        )

    def energy(self, adc: Any) -> Any:
        """Return energies in MeV; `adc` is an array of any shape, masked or not."""
        return (adc - self.pedestal) * self.gain


class ExampleGenerator(H5FlowGenerator):
    """Where the rows of a workflow come from, here random numbers.

    A generator that reads a file of another format opens ``self.input_filename`` in `init`.
    """

    class_version = "1.0.0"
    parameters: ClassVar = {"n_events": 1000, "chunk_size": 256, "seed": 1}

    n_events: int
    chunk_size: int  # events
    seed: int

    def __init__(self, **params: Any) -> None:
        """Set up what does not need the file. A class without such things needs no constructor."""
        super().__init__(**params)
        # The numbers of the events to make; -s and -e of the command line select some of them.
        self.numbers = range(self.n_events)[self.start_position : self.end_position]
        self.iteration = 0

    def init(self) -> None:
        """Create the datasets, and the references from events to hits; once, before the loop."""
        self.data_manager.create_dset(self.dset_name, EVENT)
        self.data_manager.create_dset("hits", HIT)
        self.data_manager.create_ref(self.dset_name, "hits")
        self.data_manager.set_attrs(
            self.dset_name,
            classname=self.classname,
            class_version=self.class_version,
            seed=self.seed,
            time_unit="s",
        )

    def __len__(self) -> int:
        """Return the number of chunks, for the progress bar. May be left out if it is unknown."""
        return math.ceil(len(self.numbers) / (self.chunk_size * self.size))

    def next(self) -> slice:
        """Write the next chunk, and return the rows of ``events`` that it takes."""
        # With MPI the chunks are dealt to the ranks in turn; a single process gets all of them.
        chunk = self.iteration * self.size + self.rank
        numbers = self.numbers[chunk * self.chunk_size : (chunk + 1) * self.chunk_size]
        self.iteration += 1
        if not numbers:
            return self.EMPTY  # no more rows; the loop ends

        rng = np.random.default_rng([self.seed, numbers.start])
        n_hits = rng.poisson(3.0, len(numbers))  # of each event; none in some
        events = np.zeros(len(numbers), EVENT)
        events["id"] = numbers
        events["time"] = events["id"] * 0.5
        hits = np.zeros(n_hits.sum(), HIT)
        hits["channel"] = rng.integers(0, 64, len(hits))
        hits["adc"] = rng.integers(50, 500, len(hits))

        # First reserve rows, then write them: so each process knows its own, and none overlap.
        event_rows = self.data_manager.reserve_data(self.dset_name, len(events))
        hit_rows = self.data_manager.reserve_data("hits", len(hits))
        self.data_manager.write_data(self.dset_name, event_rows, events)
        self.data_manager.write_data("hits", hit_rows, hits)

        # A reference is a pair of row numbers: of the event, and of a hit in it.
        of_event = np.repeat(np.arange(event_rows.start, event_rows.stop), n_hits)
        of_hit = np.arange(hit_rows.start, hit_rows.stop)
        self.data_manager.write_ref(self.dset_name, "hits", np.stack([of_event, of_hit], axis=1))
        return event_rows


class ExampleStage(H5FlowStage):
    """One step of a workflow, here the sum of the energies of the hits of each event.

    Requires ``hits``. Makes ``energies``, a row for each event with enough hits, and the references
    events -> energies.
    """

    class_version = "1.0.0"
    parameters: ClassVar = {"min_hits": 1}

    min_hits: int

    def init(self, source_name: str) -> None:
        """Create the dataset and its references; once, before the loop."""
        self.data_manager.create_dset("energies", ENERGY)
        self.data_manager.create_ref(source_name, "energies")
        self.data_manager.set_attrs(
            "energies",
            classname=self.classname,
            class_version=self.class_version,
            min_hits=self.min_hits,
            energy_unit="MeV",
        )

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        """Work on one chunk: the rows `source_slice` of the source, and the hits linked to them."""
        hits = cache["hits"]  # (events, hits of the largest event), masked where there is none
        energy = resources["ExampleResource"].energy(hits["adc"]).sum(axis=-1)
        n_hits = hits["adc"].count(axis=-1)

        # An array has a value for each event; `chosen` are the events that get a row.
        chosen = self.xp.nonzero(n_hits >= self.min_hits)[0]
        rows = self.data_manager.reserve_data("energies", chosen.shape[0])
        columns = {"energy": energy[chosen], "n_hits": n_hits[chosen]}
        self.data_manager.write_data("energies", rows, columns)

        of_energy = self.xp.arange(rows.start, rows.stop)
        refs = self.xp.stack([source_slice.start + chosen, of_energy], axis=1)
        self.data_manager.write_ref(source_name, "energies", refs)
