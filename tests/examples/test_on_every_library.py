"""The example project and the example module make the same file on every array library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from libraries import DEVICES, make_backend

import h5flow

CopyProject = Callable[[str], Path]


def contents(path: str) -> dict[str, Any]:
    found = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("h5flow"):
            found[name] = item[:]

    with h5py.File(path, "r") as file:
        file.visititems(take)
    return found


def assert_equal(found: Any, expected: Any, name: str) -> None:
    """Compare rows: integers to the bit, floats as far as libraries' functions agree."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), name
    if found.dtype.names is not None:
        for field in found.dtype.names:
            assert_equal(found[field], expected[field], f"{name}.{field}")
    elif found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12, err_msg=name)
    else:
        np.testing.assert_array_equal(found, expected, err_msg=name)


def assert_same_file(one: str, other: str) -> None:
    found, expected = contents(one), contents(other)
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert_equal(found[name], rows, name)


@pytest.fixture(scope="module")
def project(copy_project: CopyProject) -> Path:
    return copy_project("examples/dimuon")


@pytest.fixture(scope="module")
def toy(project: Path) -> Callable[[str], str]:
    """Return a function that runs the toy example on a backend, and names its output."""

    def run(backend: str) -> str:
        content = yaml.safe_load((project / "toy.yaml").read_text())
        content["toy"]["params"]["n_events"] = 3000
        content["spectrum"]["params"]["file"] = ""
        output = f"{backend.replace(':', '-')}.h5"
        h5flow.run(content, output, backend=backend, strict=True, overwrite=True)
        return output

    return run


@pytest.fixture(scope="module")
def on_numpy(toy: Callable[[str], str]) -> str:
    return toy("numpy")


@pytest.mark.parametrize("backend", DEVICES)
def test_toy_collisions(toy: Callable[[str], str], on_numpy: str, backend: str) -> None:
    make_backend(backend)
    assert_same_file(toy(backend), on_numpy)
    assert len(contents(on_numpy)["dimuons/data"]) > 1000


@pytest.mark.parametrize("backend", DEVICES)
def test_real_collisions(project: Path, collisions: Path, backend: str) -> None:
    make_backend(backend)
    content = yaml.safe_load((project / "dimuon.yaml").read_text())
    for block in content.values():
        if isinstance(block, dict) and "file" in block.get("params", {}):
            block["params"]["file"] = ""
    outputs = []
    for name in ("numpy", backend):
        outputs.append(f"real-{name.replace(':', '-')}.h5")
        h5flow.run(content, outputs[-1], str(collisions), backend=name, strict=True, overwrite=True)
    assert_same_file(outputs[1], outputs[0])


@pytest.mark.parametrize("backend", DEVICES)
def test_the_example_module(copy_project: CopyProject, backend: str) -> None:
    make_backend(backend)
    folder = copy_project(".")
    (workflow,) = (folder / "h5flow_modules").glob("*.yaml")
    for name in ("numpy", backend):
        h5flow.run(str(workflow), f"{name.replace(':', '-')}.h5", backend=name, strict=True)
    assert_same_file(f"{backend.replace(':', '-')}.h5", "numpy.h5")
