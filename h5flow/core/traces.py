"""Whether what a part of a workflow keeps has changed."""

from __future__ import annotations

import hashlib
import pickle
from typing import Any

from h5flow.core.component import GIVEN, Component

__all__ = ["trace_of", "traces"]


def traces(part: Component) -> dict[str, bytes]:
    """Return what tells whether the attributes of a part have changed.

    What cannot be pickled counts by its identity, and what comes from h5flow does not count.
    """
    return {name: trace_of(value) for name, value in vars(part).items() if name not in GIVEN}


def trace_of(value: Any) -> bytes:
    """Return what tells whether a value has changed."""
    digest, arrays = hashlib.blake2b(), list[pickle.PickleBuffer]()
    try:
        digest.update(pickle.dumps(value, 5, buffer_callback=arrays.append))
        for array in arrays:  # not copied
            digest.update(array.raw())
    except Exception:  # whatever users' classes raise
        return str(id(value)).encode()
    return digest.digest()
