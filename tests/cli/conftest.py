"""A run that is only pretended, for the command to start."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from h5flow.core.request import RunRequest, RunSummary
from h5flow.events import Observer

Execute = Callable[[RunRequest, Observer], RunSummary | None]


@pytest.fixture
def run_is(monkeypatch: pytest.MonkeyPatch) -> Callable[[Execute], list[RunRequest]]:
    """Put a function in place of the runner; the list holds the requests it was given."""
    monkeypatch.delenv("H5FLOW_NOMPI", raising=False)
    requests: list[RunRequest] = []

    def install(execute: Execute) -> list[RunRequest]:
        def record(request: RunRequest, observe: Observer, **_more: object) -> RunSummary:
            requests.append(request)
            return execute(request, observe) or RunSummary("out.h5", "")

        monkeypatch.setitem(sys.modules, "h5flow.core.runner", SimpleNamespace(execute=record))
        return requests

    return install
