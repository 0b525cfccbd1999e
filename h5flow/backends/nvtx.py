"""Ranges that NVIDIA's profilers show by name, which no run may depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["nvtx_range"]


@contextmanager
def nvtx_range(
    push: Callable[[str], Any] | None, pop: Callable[[], Any] | None, name: str
) -> Iterator[None]:
    """Do what is inside of ``with`` in a range, where there are ranges.

    Parameters
    ----------
    push, pop : callable or None
        A library's: None where it has none. It may also have functions that only raise.
    name : str
    """
    begun = False
    if push is not None and pop is not None:
        with suppress(Exception):
            push(name)
            begun = True
    try:
        yield
    finally:
        if begun and pop is not None:
            with suppress(Exception):
                pop()
