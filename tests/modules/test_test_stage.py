"""The stage that shows what stages are given."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from h5flow.modules import H5FlowTestStage


def test_it_logs_its_hooks_and_the_cache(caplog: pytest.LogCaptureFixture) -> None:
    stage = H5FlowTestStage(name="look", anything="goes")
    cache = {"events": np.zeros(3), "hits": None}
    with caplog.at_level(logging.INFO, "h5flow"):
        stage.init("events")
        stage.run("events", slice(0, 3), cache)
        stage.finish("events")
    text = caplog.text
    assert "look.init(source_name='events')" in text
    assert "cache['events']: (3,) float64" in text
    assert "cache['hits']: NoneType" in text
    assert "look.finish" in text
