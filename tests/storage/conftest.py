from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from h5flow.storage.single_process import SingleProcessStorage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SingleProcessStorage]:
    opened = SingleProcessStorage(tmp_path / "out.h5")
    yield opened
    opened.close()
