"""Warnings and log records, a line each."""

from __future__ import annotations

import io
import logging
import sys
import warnings

import pytest

from h5flow.cli.messages import log_shown, prepare_streams, say, warnings_shown
from h5flow.errors import H5FlowWarning


def test_a_warning_is_a_line_and_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings_shown():
        for text in ("rows are clipped", "no references", "rows are clipped"):
            warnings.warn(text, H5FlowWarning, stacklevel=1)
    assert capsys.readouterr().err.splitlines() == [
        "h5flow: warning: rows are clipped",
        "h5flow: warning: no references",
    ]


def test_each_run_says_its_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with warnings_shown():
            warnings.warn("rows are clipped", H5FlowWarning, stacklevel=1)
    assert capsys.readouterr().err.count("rows are clipped") == 2


def test_other_warnings_are_left_to_python(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    with warnings_shown():
        warnings.warn("a division by zero", RuntimeWarning, stacklevel=1)
    assert [str(warning.message) for warning in recwarn] == ["a division by zero"]


@pytest.mark.parametrize(
    ("verbose", "levels"),
    [(0, ["warning"]), (1, ["warning", "info"]), (2, ["warning", "info", "debug"])],
)
def test_verbose_sets_what_is_logged(
    verbose: int, levels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("h5flow.core.loop")
    with log_shown(verbose):
        logger.warning("%d rows", 3)
        logger.info("%d rows", 3)
        logger.debug("%d rows", 3)
    assert capsys.readouterr().err.splitlines() == [f"h5flow: {level}: 3 rows" for level in levels]


def test_the_logger_is_left_as_it_was() -> None:
    logger = logging.getLogger("h5flow")
    before = (logger.level, list(logger.handlers))
    with log_shown(2):
        pass
    assert (logger.level, logger.handlers) == before


def test_a_stream_that_is_gone_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone())
    say("anything")


def test_a_terminal_that_lacks_a_letter_shows_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding="ascii"))
    prepare_streams()
    say("µ → e")
    assert written.getvalue() == b"\\xb5 \\u2192 e\n"
