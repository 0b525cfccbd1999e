"""How rows reach HDF5: the protocol of a storage, and the implementations by name."""

from __future__ import annotations

from collections.abc import Callable

from h5flow.registry import Registry
from h5flow.storage.protocol import Storage

__all__ = ["Storage", "storages"]

storages: Registry[Callable[..., Storage]] = Registry(
    "storage",
    "h5flow.storages",
    {
        "single_process": "h5flow.storage.single_process:SingleProcessStorage",
        "single_writer": "h5flow.storage.single_writer:SingleWriterStorage",
        # of ranks that are threads, for tests
        "shared_file": "h5flow.testing.storage_shared_file:SharedFileStorage",
    },
)
