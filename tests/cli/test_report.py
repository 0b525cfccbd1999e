"""Errors as text: whose traceback is shown, and the exit status."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from h5flow.cli.report import PACKAGE, paragraph, report_on
from h5flow.cli.signals import Terminated
from h5flow.errors import (
    ConfigError,
    DataError,
    FileFormatError,
    H5FlowError,
    HookError,
    Place,
    Problem,
    UsageError,
)

STATE = "nothing was published, out.h5 is as it was"


def raised(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def user_code() -> None:
    raise ZeroDivisionError("no muons here")


def of_h5flow(call: Callable[[], object]) -> None:
    """Call from a frame that looks like one of h5flow's own."""
    names: dict[str, Callable[[Callable[[], object]], None]] = {}
    exec(compile("def in_the_loop(call): call()", f"{PACKAGE}core/loop.py", "exec"), names)
    names["in_the_loop"](call)


def from_the_loop_on(error: BaseException) -> BaseException:
    """Cut the frames of this file that a run does not have."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_name != "in_the_loop":
        trace = trace.tb_next
    assert trace is not None
    return error.with_traceback(trace)


def hook_error(call: Callable[[], object]) -> HookError:
    error = HookError("stage 'pairs' (MuonPairs) failed in run, rows 0 to 10")
    error.__cause__ = from_the_loop_on(raised(lambda: of_h5flow(call)))
    return error


@pytest.mark.parametrize("kind", [H5FlowError, UsageError, DataError, FileFormatError])
def test_an_error_of_h5flow_is_one_paragraph(kind: type[H5FlowError]) -> None:
    error = kind("it is wrong", advice="Do this.")
    report = report_on(error, state=STATE)
    assert report.text == "h5flow: error: it is wrong. Do this."
    assert report.status == kind.exit_status


def test_verbose_shows_the_traceback_of_an_error_of_h5flow() -> None:
    def fail() -> None:
        raise DataError("it is wrong")

    text = report_on(raised(fail), state=STATE, verbose=2).text
    assert text.startswith("Traceback")
    assert "in fail" in text
    assert text.endswith("h5flow: error: it is wrong")


def test_every_problem_of_a_workflow_has_a_line() -> None:
    problems = [
        Problem("no such key", Place("a.yaml", 3, 1, "stagse")),
        Problem("no such dataset", Place("a.yaml", 9, 1, "source")),
    ]
    assert paragraph(ConfigError(problems)).splitlines() == [
        "h5flow: error: 2 things are wrong in the workflow:",
        "  a.yaml:3: stagse: no such key",
        "  a.yaml:9: source: no such dataset",
    ]
    assert paragraph(ConfigError(problems[:1])) == "h5flow: error: a.yaml:3: stagse: no such key"


def test_a_hook_shows_the_traceback_of_the_user_without_frames_of_h5flow() -> None:
    report = report_on(hook_error(user_code), state=STATE)
    assert report.status == 1
    lines = report.text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "in user_code" in lines[1]
    assert lines[-2:] == [
        "ZeroDivisionError: no muons here",
        "h5flow: error: stage 'pairs' (MuonPairs) failed in run, rows 0 to 10",
    ]


def test_frames_of_h5flow_below_the_user_stay() -> None:
    def user_calls_h5flow() -> None:
        of_h5flow(user_code)

    text = report_on(hook_error(user_calls_h5flow), state=STATE).text
    assert text.index("in user_calls_h5flow") < text.index("in in_the_loop")


def test_what_h5flow_refuses_ends_with_the_call_of_the_user() -> None:
    names = {"DataError": DataError}
    text = "def write_data(): raise DataError('3 rows do not fit into 2')"
    exec(compile(text, f"{PACKAGE}data/data_manager.py", "exec"), names)

    def user_writes() -> None:
        names["write_data"]()

    shown = report_on(hook_error(user_writes), state=STATE).text
    assert "in user_writes" in shown
    assert "data_manager.py" not in shown
    assert "DataError: 3 rows do not fit into 2" in shown


def test_verbose_shows_all_frames_of_a_hook() -> None:
    text = report_on(hook_error(user_code), state=STATE, verbose=2).text
    assert "in in_the_loop" in text
    assert "HookError" in text


def test_a_traceback_within_h5flow_alone_is_shown_whole() -> None:
    text = report_on(hook_error(None), state=STATE).text  # type: ignore[arg-type]
    assert "in in_the_loop" in text
    assert "TypeError" in text


@pytest.mark.parametrize(
    ("error", "word", "status"),
    [(KeyboardInterrupt(), "interrupted", 130), (Terminated(), "terminated", 143)],
)
def test_an_interruption_says_what_became_of_the_output(
    error: BaseException, word: str, status: int
) -> None:
    report = report_on(error, state=STATE)
    assert report.text == f"h5flow: {word}; {STATE}"
    assert report.status == status


@pytest.mark.parametrize("code", [0, None, 3, "stop"])
def test_a_stage_that_exits_has_failed(code: object) -> None:
    def leave() -> None:
        raise SystemExit(code)

    report = report_on(raised(leave), state=STATE)
    assert report.status == 1
    assert "in leave" in report.text
    assert f"sys.exit({code!r}); {STATE}" in report.text


def test_a_full_disk_is_no_bug() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "out.h5")
    report = report_on(error, state=STATE)
    assert report.text == f"h5flow: error: out.h5: No space left on device; {STATE}"
    assert report.status == 1


def test_too_little_memory_is_no_bug() -> None:
    text = report_on(MemoryError("4 TiB"), state=STATE).text
    assert "not enough memory (4 TiB)" in text
    assert "--chunk-size" in text


def test_any_other_exception_is_a_bug_of_h5flow() -> None:
    def fail() -> None:
        raise KeyError("x")

    report = report_on(raised(fail), state=STATE)
    first, *trace = report.text.splitlines()
    assert "this is a bug in h5flow; please report it" in first
    assert trace[0].startswith("Traceback")
    assert trace[-1] == "KeyError: 'x'"
    assert report.status == 1
