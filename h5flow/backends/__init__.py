"""Array libraries: what a run needs of one, and the implementations by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any

from h5flow.backends.protocol import Backend, NodeShare
from h5flow.errors import H5FlowWarning, UsageError
from h5flow.events import Moved
from h5flow.registry import Registry

__all__ = [
    "Backend",
    "NodeShare",
    "backends",
    "check_backend",
    "choose_backend",
    "moved_so_far",
    "owner_of",
    "using",
]

NOTHING = Moved()

backends: Registry[Callable[[str, NodeShare], Backend]] = Registry(
    "backend",
    "h5flow.backends",
    {
        "numpy": "h5flow.backends.numpy:NumPyBackend",
        "cupy": "h5flow.backends.cupy:CuPyBackend",
        "torch": "h5flow.backends.torch:TorchBackend",
        "array-api-strict": "h5flow.backends.array_api:StrictBackend",
    },
)


def choose_backend(name: str = "auto", share: NodeShare = NodeShare()) -> Backend:  # noqa: B008
    """Return the backend called `name`.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"cupy"``, ``"torch:cuda:1"``: a library, then perhaps a device of it.
        ``"auto"`` is CuPy where it is installed and finds a GPU, else NumPy.
    share : NodeShare
        By which ranks of a node take devices in turn.

    Raises
    ------
    UsageError
        There is no such backend, or its library or device is missing.
    """
    if name == "auto":
        return _automatic(share)
    library, _, device = name.partition(":")
    return backends.get(library)(device, share)


def check_backend(name: str) -> None:
    """Refuse a backend that does not exist, or cannot be used here.

    Raises
    ------
    UsageError
    """
    if name not in {"auto", "numpy"}:
        choose_backend(name)


def owner_of(array: Any) -> Backend:
    """Return the backend whose library an array is of, on the device where it lives.

    Raises
    ------
    UsageError
        No backend that is installed has such arrays.
    """
    for backend in _in_use.get():
        if backend.owns(array):
            return backend
    package = type(array).__module__.partition(".")[0]
    if package == "numpy":
        return choose_backend("numpy")
    if package == "torch":
        return choose_backend(f"torch:{array.device}")
    if package == "cupy":
        return choose_backend(f"cupy:{array.device.id}")
    # a library that has no backend by its name can still be moved by the standard
    from h5flow.backends.array_api import ArrayAPIBackend, StrictBackend

    if package == "array_api_strict":
        return StrictBackend.of(array.device)
    from array_api_compat import array_namespace

    return ArrayAPIBackend(package, array_namespace(array), array.device)


_in_use: ContextVar[tuple[Backend, ...]] = ContextVar("backends_in_use", default=())


@contextmanager
def using(*chosen: Backend) -> Iterator[None]:
    """Have these backends move their arrays, and count it, inside of ``with``."""
    token = _in_use.set(chosen)
    try:
        yield
    finally:
        _in_use.reset(token)


def moved_so_far() -> Moved:
    """Return what the backends named by `using` have moved since they were made."""
    total = NOTHING
    for backend in _in_use.get():
        if not backend.is_host:
            total += backend.traffic.so_far()
    return total


def _automatic(share: NodeShare) -> Backend:
    host = backends.get("numpy")
    if find_spec("cupy") is None:
        return host("", share)
    try:
        return backends.get("cupy")("", share)
    except UsageError as error:
        warnings.warn(
            f"the backend is numpy, for {error.message} (see 'h5flow doctor'; --backend numpy says "
            "so without this warning)",
            H5FlowWarning,
            stacklevel=3,
        )
        return host("", share)
