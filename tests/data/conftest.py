from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from h5flow.data import H5FlowDataManager


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test's file is to be."""
    return tmp_path / "file.h5"


@pytest.fixture
def dm(path: Path) -> Iterator[H5FlowDataManager]:
    """A data manager on a new file."""
    with H5FlowDataManager(path) as manager:
        yield manager
