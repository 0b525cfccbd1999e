"""How rows reach HDF5: the protocol of a storage, and the implementations by name."""

from __future__ import annotations

from collections.abc import Callable

from h5flow.registry import Registry
from h5flow.storage.protocol import Storage

__all__ = ["Storage", "storage_of_run", "storages"]

# To the storage that a script would have, the one that a run has in its place.
RUNS = {"single_process": "live_process"}

storages: Registry[Callable[..., Storage]] = Registry(
    "storage",
    "h5flow.storages",
    {
        "single_process": "h5flow.storage.single_process:SingleProcessStorage",
        "live_process": "h5flow.storage.live_process:LiveProcessStorage",
        "single_writer": "h5flow.storage.single_writer:SingleWriterStorage",
        # of ranks that are threads, for tests
        "shared_file": "h5flow.testing.storage_shared_file:SharedFileStorage",
    },
)


def storage_of_run(name: str) -> Callable[..., Storage]:
    """Return the storage of a run, for the one that a communicator names."""
    return storages.get(RUNS.get(name, name))
