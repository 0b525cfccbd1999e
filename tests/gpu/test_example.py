"""The example project on a GPU makes the file that it makes on NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from libraries import GPUS, module_at, skip_without_gpu

skip_without_gpu()

_elsewhere = module_at("examples/test_on_every_library.py")
project, toy, on_numpy = _elsewhere.project, _elsewhere.toy, _elsewhere.on_numpy


@pytest.mark.parametrize("name", GPUS)
def test_toy_collisions(toy: Any, on_numpy: str, name: str) -> None:
    _elsewhere.test_toy_collisions(toy, on_numpy, name)


@pytest.mark.parametrize("name", GPUS)
def test_real_collisions(project: Path, collisions: Path, name: str) -> None:
    _elsewhere.test_real_collisions(project, collisions, name)


@pytest.mark.parametrize("name", GPUS)
def test_the_example_module(copy_project: Any, name: str) -> None:
    _elsewhere.test_the_example_module(copy_project, name)
