"""The command, with a run that is only pretended."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import pytest

from h5flow.cli.app import main
from h5flow.cli.signals import Terminated
from h5flow.core.request import RunRequest, RunSummary
from h5flow.errors import (
    ConfigError,
    DataError,
    H5FlowWarning,
    HookError,
    Place,
    Problem,
    UsageError,
)
from h5flow.events import (
    ChunkDone,
    ConfigFinished,
    ConfigStarted,
    HookTimed,
    LoopFinished,
    Observer,
    Published,
)
from h5flow.journal.provenance import SkippedChunk

Execute = Callable[[RunRequest, Observer], RunSummary | None]
RunIs = Callable[[Execute], list[RunRequest]]
Captured = pytest.CaptureFixture[str]


def a_run(request: RunRequest, observe: Observer) -> RunSummary:
    observe(ConfigStarted("events.yaml", "events", ("pairs",), 10))
    observe(HookTimed("pairs", "MuonPairs", "run", 0.5))
    observe(ChunkDone(0, 10, 0, 10))
    observe(LoopFinished(0.75, ("numpy",)))
    observe(ConfigFinished("events.yaml", 1, 10, 1.0))
    observe(Published("out.h5", 2048, 0.1))
    return RunSummary("out.h5", "")


def that_raises(error: BaseException) -> Execute:
    def execute(request: RunRequest, observe: Observer) -> RunSummary:
        raise error

    return execute


def test_a_run_that_left_chunks_out_has_status_3(run_is: RunIs, capsys: Captured) -> None:
    skipped = (SkippedChunk(0, 10, "a mistake"), SkippedChunk(20, 25, "a mistake"))
    run_is(lambda request, observe: RunSummary("out.h5", "", skipped=skipped))
    assert main(["run", "events.yaml", "-o", "out.h5"]) == 3
    assert "2 chunks (15 rows) failed and are left out of out.h5" in capsys.readouterr().err


def test_a_run_that_ends_well_has_status_0(run_is: RunIs) -> None:
    requests = run_is(a_run)
    assert main(["run", "events.yaml", "-o", "out.h5"]) == 0
    assert requests == [RunRequest(("events.yaml",), output="out.h5", strict=True)]


def test_what_ran_is_told_on_stderr_and_nothing_on_stdout(run_is: RunIs, capsys: Captured) -> None:
    run_is(a_run)
    main(["run", "events.yaml"])
    told = capsys.readouterr()
    assert told.out == ""
    assert "events.yaml: done, 10 rows in 1 chunk, 1.0 s" in told.err
    assert "pairs" in told.err
    assert "wrote out.h5 (2.05 kB)" in told.err


def test_quiet_says_nothing_of_a_run_that_ends_well(run_is: RunIs, capsys: Captured) -> None:
    run_is(a_run)
    assert main(["run", "events.yaml", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_profile_is_told_on_stderr_where_it_is_asked_for(run_is: RunIs, capsys: Captured) -> None:
    run_is(a_run)
    main(["run", "events.yaml"])
    assert "time of the loop" not in capsys.readouterr().err
    main(["run", "events.yaml", "--profile"])
    told = capsys.readouterr()
    assert told.out == ""
    assert "events.yaml: time of the loop over events on numpy" in told.err
    assert "nothing was moved" in told.err


def test_quiet_still_shows_warnings_and_errors(run_is: RunIs, capsys: Captured) -> None:
    def execute(request: RunRequest, observe: Observer) -> RunSummary:
        warnings.warn("'-e 99' is beyond the end", H5FlowWarning, stacklevel=1)
        raise DataError("it is wrong")

    run_is(execute)
    assert main(["run", "events.yaml", "-q"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "h5flow: warning: '-e 99' is beyond the end",
        "h5flow: error: it is wrong",
    ]


def test_no_words_are_answered_with_how_to_use_it(capsys: Captured) -> None:
    assert main([]) == 2
    told = capsys.readouterr().err
    assert told.startswith("usage: h5flow run [OPTIONS] CONFIG")
    assert len(told.splitlines()) < 9


def test_a_wrong_command_line_is_a_paragraph_and_runs_nothing(
    run_is: RunIs, capsys: Captured
) -> None:
    requests = run_is(a_run)
    assert main(["run", "events.yaml", "--chunk-size", "none"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert requests == []


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_lists_every_option(words: list[str], capsys: Captured) -> None:
    assert main(words) == 0
    told = capsys.readouterr().out
    for option in (
        "--output",
        "--start",
        "--drop",
        "--append",
        "--lenient",
        "--resume",
        "--version",
    ):
        assert option in told


def test_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    name, number = capsys.readouterr().out.split()
    assert name == "h5flow"
    assert number[0].isdigit()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("OUT exists", advice="Give --append or --overwrite."), 2),
        (ConfigError([Problem("no such key", Place("a.yaml", 3, 1, "stagse"))]), 2),
        (DataError("it is wrong"), 1),
        (HookError("stage 'pairs' failed"), 1),
    ],
)
def test_an_error_of_a_user_is_a_paragraph_and_its_status(
    error: Exception, status: int, run_is: RunIs, capsys: Captured
) -> None:
    run_is(that_raises(error))
    assert main(["run", "events.yaml"]) == status
    assert capsys.readouterr().err == f"h5flow: error: {error}\n"


def test_vv_adds_the_traceback(run_is: RunIs, capsys: Captured) -> None:
    run_is(that_raises(DataError("it is wrong")))
    assert main(["run", "events.yaml", "-vv"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_v_shows_what_is_logged(run_is: RunIs, capsys: Captured) -> None:
    def execute(request: RunRequest, observe: Observer) -> None:
        logging.getLogger("h5flow.core").info("the source has %d rows", 10)

    run_is(execute)
    main(["run", "events.yaml", "-v"])
    assert "h5flow: info: the source has 10 rows\n" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_an_interruption_leaves_the_output_and_says_so(
    error: BaseException, status: int, run_is: RunIs, capsys: Captured
) -> None:
    run_is(that_raises(error))
    assert main(["run", "events.yaml", "-o", "out.h5"]) == status
    assert "nothing was published, out.h5 is as it was" in capsys.readouterr().err


def test_an_interruption_after_the_output_was_published_does_not_deny_it(
    run_is: RunIs, capsys: Captured
) -> None:
    def execute(request: RunRequest, observe: Observer) -> None:
        a_run(request, observe)
        raise KeyboardInterrupt

    run_is(execute)
    assert main(["run", "events.yaml"]) == 130
    assert "interrupted; out.h5 had been published already" in capsys.readouterr().err


def test_a_stage_that_exits_with_0_has_not_succeeded(run_is: RunIs, capsys: Captured) -> None:
    run_is(that_raises(SystemExit(0)))
    assert main(["run", "events.yaml"]) == 1
    assert "sys.exit(0)" in capsys.readouterr().err


def test_a_bug_of_h5flow_is_called_that(run_is: RunIs, capsys: Captured) -> None:
    run_is(that_raises(AttributeError("no attribute")))
    assert main(["run", "events.yaml"]) == 1
    told = capsys.readouterr().err
    assert "this is a bug in h5flow" in told
    assert told.endswith("AttributeError: no attribute\n")
