"""Bytes of elements side by side, and back."""

from __future__ import annotations

import numpy as np
import pytest

from h5flow.io.packing.shuffle import ALIASED_BYTES, Shuffle


@pytest.mark.parametrize("elements", [1, 7, ALIASED_BYTES, ALIASED_BYTES + 1, 3 * ALIASED_BYTES])
def test_what_was_shuffled_comes_back(elements: int) -> None:
    step, data = Shuffle(5), np.random.default_rng(1).integers(0, 256, 5 * elements, np.uint8)
    shuffled = step.encode(data)
    assert shuffled[:elements].tolist() == data[::5].tolist()
    assert step.decode(shuffled, None).reshape(-1).tolist() == data.tolist()
