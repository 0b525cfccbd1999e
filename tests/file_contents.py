"""What users have in a file, to be compared with what is in another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["file_contents", "last_written"]


def file_contents(path: str | Path) -> dict[str, Any]:
    """Return rows, references and regions as bytes, and all metadata, by path."""
    found: dict[str, Any] = {}

    def take(name: str, item: Any) -> None:
        if not name.startswith("h5flow"):
            rows = item[:].tobytes() if isinstance(item, h5py.Dataset) else b""
            found[name] = rows, {key: np.asarray(v).tolist() for key, v in item.attrs.items()}

    with h5py.File(path, "r") as file:
        file.visititems(take)
        assert "h5flow/checkpoint" not in file
    return found


def last_written(path: str | Path) -> tuple[int, ...]:
    """Return numbers that change where a file is written or replaced, not where it is read."""
    state = os.stat(path)
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
