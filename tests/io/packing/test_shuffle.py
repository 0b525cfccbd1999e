"""Bytes of elements side by side, and back."""

from __future__ import annotations

import numpy as np
import pytest

from h5flow.io.packing.shuffle import ALIASED_BYTES, NARROW_BYTES, Shuffle


@pytest.mark.parametrize("width", [1, 5, NARROW_BYTES, NARROW_BYTES + 1])
@pytest.mark.parametrize("elements", [1, 7, ALIASED_BYTES, ALIASED_BYTES + 1, 3 * ALIASED_BYTES])
def test_what_was_shuffled_comes_back(elements: int, width: int) -> None:
    step = Shuffle(width)
    data = np.random.default_rng(1).integers(0, 256, width * elements, np.uint8)
    shuffled = step.encode(data)
    assert shuffled[:elements].tolist() == data[::width].tolist()
    assert step.decode(shuffled, None).reshape(-1).tolist() == data.tolist()


def test_numbers_are_put_into_the_room_that_there_is() -> None:
    step, data, room = Shuffle(8), np.arange(80, dtype=np.uint8), np.zeros(80, np.uint8)
    assert step.decode(step.encode(data), room) is room
    assert room.tolist() == data.tolist()
