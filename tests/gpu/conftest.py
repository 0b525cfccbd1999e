"""What runs on a real GPU, and is skipped without one: ``pytest tests/gpu``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from libraries import GPUS, make_backend, module_at

from h5flow.backends import Backend

HERE = Path(__file__).parent
# the files and projects on which tests of workflows run elsewhere
_core, _examples = module_at("core/conftest.py"), module_at("examples/conftest.py")
register, workflow = _core.register, _core.workflow
events_once, events = _core.events_once, _core.events
copy_project = _examples.copy_project


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("gpu")
            item.add_marker(pytest.mark.timeout(600))  # kernels are compiled at first use


@pytest.fixture(scope="module", params=GPUS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return make_backend(request.param)


@pytest.fixture(params=GPUS)
def device(request: pytest.FixtureRequest) -> str:
    make_backend(request.param)
    return str(request.param)


@pytest.fixture
def cupy() -> Any:
    """CuPy on a GPU."""
    make_backend("cupy")
    return pytest.importorskip("cupy")


@pytest.fixture
def torch() -> Any:
    """PyTorch on a GPU."""
    make_backend("torch:cuda")
    return pytest.importorskip("torch")
