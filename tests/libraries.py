"""The array libraries on which every test of the array layer runs."""

from __future__ import annotations

import importlib.util
import sys
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import is_hypothesis_test, settings

from h5flow.backends import Backend, choose_backend
from h5flow.errors import UsageError

__all__ = ["DEVICES", "GPUS", "borrowed_from", "make_backend", "module_at", "skip_without_gpu"]

#: Backends other than NumPy that need no GPU. For tests with "cupy" among their parameters the
#: double of `cupy_double` is in CuPy's place.
DEVICES = ("array-api-strict", "torch:cpu", "cupy")
#: Backends on a GPU; for tests in `gpu` "cupy" is CuPy.
GPUS = ("cupy", "torch:cuda")


def make_backend(name: str) -> Backend:
    try:
        return choose_backend(name)
    except UsageError as error:
        pytest.skip(f"NOT TESTED ON {name}: {error}")


def skip_without_gpu() -> None:
    """Skip a module where no library finds a GPU, and say why."""
    reasons = [reason for reason in map(_refusal, GPUS) if reason]
    if len(reasons) == len(GPUS):
        pytest.skip(f"NOT TESTED ON A GPU: {'; '.join(reasons)}", allow_module_level=True)


def _refusal(name: str) -> str:
    try:
        choose_backend(name)
    except UsageError as error:
        return error.message
    return ""


def module_at(path: str) -> ModuleType:
    """Return a module of the tests, for other tests to build on; `path` begins in their folder."""
    name = "tests_of_" + path.removesuffix(".py").replace("/", "_")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def borrowed_from(path: str, *, examples: int) -> dict[str, Any]:
    """Return a module's tests on backends, to run with other fixtures, and with fewer examples."""
    few = settings(max_examples=examples)
    return {
        name: few(test) if is_hypothesis_test(test) else test
        for name, test in vars(module_at(path)).items()
        if name.startswith("test_") and {"backend", "device"} & signature(test).parameters.keys()
    }
