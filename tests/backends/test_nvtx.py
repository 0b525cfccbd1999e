"""Ranges for profilers: there where a library has them, and never in the way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from libraries import DEVICES, make_backend

from h5flow.backends import choose_backend
from h5flow.backends.nvtx import nvtx_range

seen: list[str] = []


def push(name: str) -> None:
    seen.append(f"begin {name}")


def pop() -> None:
    seen.append("end")


def fail(*_arguments: Any) -> None:
    raise RuntimeError("NVTX functions not installed")


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


def test_a_range_is_around_what_is_done() -> None:
    with nvtx_range(push, pop, "pairs"):
        seen.append("work")
    assert seen == ["begin pairs", "work", "end"]


def test_a_range_ends_with_an_error_which_passes() -> None:
    with pytest.raises(KeyError), nvtx_range(push, pop, "pairs"):
        raise KeyError("of the work")
    assert seen == ["begin pairs", "end"]


def test_a_range_that_did_not_begin_does_not_end() -> None:
    with nvtx_range(fail, pop, "pairs"):
        seen.append("work")
    assert seen == ["work"]


@pytest.mark.parametrize(("begin", "end"), [(None, pop), (push, None), (None, None), (push, fail)])
def test_a_library_without_ranges_is_no_error(
    begin: Callable[[str], Any] | None, end: Callable[[], Any] | None
) -> None:
    with nvtx_range(begin, end, "pairs"):
        seen.append("work")
    assert "work" in seen


@pytest.mark.parametrize("name", ["numpy", *DEVICES])
def test_on_the_host_there_is_nothing_to_tell(name: str) -> None:
    backend = make_backend(name) if name != "numpy" else choose_backend(name)
    with backend.named_range("pairs"):
        seen.append("work")
    assert seen == ["work"]


def test_a_gpu_of_torch_has_the_ranges_of_nvtx(monkeypatch: pytest.MonkeyPatch) -> None:
    backend: Any = make_backend("torch:cpu")
    torch = sys.modules["torch"]
    monkeypatch.setattr(backend, "_device", SimpleNamespace(type="cuda"))
    monkeypatch.setattr(torch.cuda.nvtx, "range_push", push)
    monkeypatch.setattr(torch.cuda.nvtx, "range_pop", pop)
    with backend.named_range("stage of {braces}"):
        seen.append("work")
    assert seen == ["begin stage of {braces}", "work", "end"]
