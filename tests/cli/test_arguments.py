"""The words of a command line and the request they stand for."""

from __future__ import annotations

import pytest

from h5flow.cli.arguments import Command, parse, without_ranks
from h5flow.core.request import RunRequest
from h5flow.errors import UsageError

NO_ENVIRONMENT: dict[str, str] = {}


def request_of(line: str, **environ: str) -> RunRequest:
    return parse(line.split(), environ).request


def refusal_of(line: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(line.split(), NO_ENVIRONMENT)
    assert caught.value.exit_status == 2
    return str(caught.value)


def test_run_takes_workflows_as_words() -> None:
    assert request_of("run a.yaml b.yaml -o out.h5") == RunRequest(
        configs=("a.yaml", "b.yaml"), output="out.h5", strict=True
    )


def test_options_may_stand_between_workflows() -> None:
    assert request_of("run a.yaml -o out.h5 b.yaml").configs == ("a.yaml", "b.yaml")


def test_run_takes_workflows_as_an_option_too() -> None:
    assert request_of("run -c a.yaml b.yaml").configs == ("a.yaml", "b.yaml")


def test_the_older_form_takes_workflows_after_c() -> None:
    assert request_of("-o out.h5 -c a.yaml b.yaml -i in.h5 -s 3 -e 9") == RunRequest(
        configs=("a.yaml", "b.yaml"), output="out.h5", input="in.h5", start=3, end=9, strict=False
    )


def test_c_may_be_repeated() -> None:
    assert request_of("-c a.yaml -o out.h5 -c b.yaml c.yaml").configs == (
        "a.yaml",
        "b.yaml",
        "c.yaml",
    )


@pytest.mark.parametrize("first", ["run", "-o out.h5"])
@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("--config x.yaml", "configs", ("x.yaml",)),
        ("--configs x.yaml y.yaml", "configs", ("x.yaml", "y.yaml")),
        ("--output o.h5", "output", "o.h5"),
        ("--output_filename o.h5", "output", "o.h5"),
        ("-i i.h5", "input", "i.h5"),
        ("--input i.h5", "input", "i.h5"),
        ("--input_filename i.h5", "input", "i.h5"),
        ("-s 5", "start", 5),
        ("--start 5", "start", 5),
        ("--start_position 5", "start", 5),
        ("-e 5", "end", 5),
        ("--end=5", "end", 5),
        ("--end_position 5", "end", 5),
        ("-d a b/c", "drop", ("a", "b/c")),
        ("--drop a --drop b", "drop", ("a", "b")),
        ("-z gzip", "compression", "gzip"),
        ("--compression gzip:6", "compression", "gzip:6"),
        ("--overwrite", "on_existing", "overwrite"),
        ("--append", "on_existing", "append"),
        ("--strict", "strict", True),
        ("--lenient", "strict", False),
        ("--backend cupy", "backend", "cupy"),
        ("--comm mpi", "comm", "mpi"),
        ("--nompi", "comm", "serial"),
        ("--chunk-size 4096", "chunk_size", 4096),
        ("--chunk-size auto", "chunk_size", "auto"),
        ("--input-data link", "input_data", "link"),
        ("--input-data copy", "input_data", "copy"),
        ("--allow-external-links", "allow_external_links", True),
    ],
)
def test_both_forms_have_every_option(first: str, words: str, field: str, value: object) -> None:
    needed = "" if words.startswith("--config") else " -c a.yaml"
    assert getattr(request_of(f"{first} {words}{needed}"), field) == value


def test_negative_rows_count_from_the_end() -> None:
    request = request_of("run a.yaml -s -5 -e -1")
    assert (request.start, request.end) == (-5, -1)


def test_run_is_strict_and_the_older_form_is_not() -> None:
    assert request_of("run a.yaml").strict
    assert not request_of("-c a.yaml").strict


@pytest.mark.parametrize(("value", "comm"), [("1", "serial"), ("0", "auto"), ("", "auto")])
def test_the_environment_can_say_nompi(value: str, comm: str) -> None:
    assert request_of("run a.yaml", H5FLOW_NOMPI=value).comm == comm


def test_the_command_line_outweighs_the_environment() -> None:
    assert request_of("run a.yaml --comm mpi", H5FLOW_NOMPI="1").comm == "mpi"


@pytest.mark.parametrize(
    ("words", "verbose"), [("", 0), ("-v", 1), ("-vv", 2), ("-v -v", 2), ("-vvvv", 2)]
)
def test_more_than_two_v_are_two(words: str, verbose: int) -> None:
    assert parse(["run", "a.yaml", *words.split()], NO_ENVIRONMENT).verbose == verbose


def test_a_trace_is_for_the_command_and_not_for_the_run() -> None:
    assert parse(["run", "a.yaml", "--trace", "run.json"]) == Command(
        RunRequest(("a.yaml",), strict=True), trace="run.json"
    )


def test_a_profile_is_for_the_command_and_not_for_the_run() -> None:
    assert parse(["run", "a.yaml", "--profile"]) == Command(
        RunRequest(("a.yaml",), strict=True), profile=True
    )


def test_quiet_is_for_the_command_and_not_for_the_run() -> None:
    assert parse(["run", "a.yaml", "-q"], NO_ENVIRONMENT) == Command(
        RunRequest(("a.yaml",), strict=True), quiet=True
    )


@pytest.mark.parametrize(
    "pair", ["--append --overwrite", "--strict --lenient", "--nompi --comm mpi"]
)
def test_options_that_exclude_each_other(pair: str) -> None:
    assert "not allowed with" in refusal_of(f"run a.yaml {pair}")


@pytest.mark.parametrize("line", ["run", "run -o out.h5", "-o out.h5", "-v"])
def test_a_workflow_has_to_be_given(line: str) -> None:
    assert "no workflow file is given" in refusal_of(line)


def test_a_workflow_taken_for_a_dataset_to_drop_is_pointed_out() -> None:
    text = refusal_of("run -d scratch a.yaml")
    assert "'a.yaml' was taken for a dataset to drop" in text
    assert "before -d" in text


def test_workflows_are_given_in_one_way_for_their_order_matters() -> None:
    assert "their order is not known" in refusal_of("run a.yaml -c b.yaml")


@pytest.mark.parametrize("option", ["-s", "-e"])
@pytest.mark.parametrize("value", ["first", "1.5"])
def test_rows_are_whole_numbers(option: str, value: str) -> None:
    assert f"'{value}' is not a row number" in refusal_of(f"run a.yaml {option} {value}")


@pytest.mark.parametrize("value", ["0", "-4", "many", "1.5"])
def test_a_chunk_has_a_positive_number_of_rows(value: str) -> None:
    assert f"'{value}' is neither" in refusal_of(f"run a.yaml --chunk-size {value}")


def test_an_unknown_option_comes_with_the_nearest() -> None:
    assert "no option '--overwite' (did you mean '--overwrite'?)" in refusal_of(
        "run a.yaml --overwite"
    )


def test_an_option_is_not_abbreviated() -> None:
    assert "no option '--over'" in refusal_of("run a.yaml --over")


def test_how_a_run_goes_on_is_passed_on() -> None:
    words = ["run", "a.yaml", "--resume", "--force", "--checkpoint-every", "2.5"]
    request = parse(words, {}).request
    assert (request.resume, request.force, request.checkpoint_every) == (True, True, 2.5)


@pytest.mark.parametrize("command", ["inspect", "new"])
def test_a_command_of_a_later_version_is_refused_as_such(command: str) -> None:
    assert f"does not have the command '{command}' yet" in refusal_of(f"{command} a.yaml")


def test_an_unknown_command_comes_with_the_nearest() -> None:
    assert "no command 'rum' (did you mean 'run'?)" in refusal_of("rum a.yaml")


def test_a_workflow_without_run_is_told_how_to_run() -> None:
    assert "h5flow run a.yaml" in refusal_of("a.yaml -o out.h5")


def test_run_comes_first() -> None:
    assert "'run' comes first" in refusal_of("-v run a.yaml")


@pytest.mark.parametrize(("words", "ranks"), [("", 1), ("--ranks 8", 8), ("--ranks=auto", "auto")])
def test_the_number_of_ranks_is_read(words: str, ranks: object) -> None:
    assert parse(["run", *words.split(), "a.yaml"], {}).ranks == ranks


@pytest.mark.parametrize("number", ["0", "-1", "many", "1.5"])
def test_a_number_of_ranks_that_is_none_is_refused(number: str) -> None:
    assert f"'{number}' is neither a positive number" in refusal_of(f"run --ranks={number} a.yaml")


def test_ranks_without_mpi_are_refused() -> None:
    assert "Leave one of the two out" in refusal_of("run --ranks 2 --nompi a.yaml")


def test_the_command_line_of_a_rank_starts_no_ranks() -> None:
    words = ["run", "--ranks", "4", "-o", "--ranks.h5", "a.yaml", "--ranks=auto"]
    assert without_ranks(words) == ["run", "-o", "--ranks.h5", "a.yaml"]


def test_the_stall_timeout_is_read() -> None:
    assert parse(["run", "a.yaml"], {}).request.stall_timeout == 600
    assert parse(["run", "--stall-timeout", "2.5", "a.yaml"], {}).request.stall_timeout == 2.5


@pytest.mark.parametrize("seconds", ["-1", "soon", "nan", "inf"])
def test_a_stall_timeout_that_is_none_is_refused(seconds: str) -> None:
    assert "is not a number of seconds" in refusal_of(f"run --stall-timeout={seconds} a.yaml")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:55:00", 6900),
        ("55:00", 3300),
        ("3300", 3300),
        ("0.5", 0.5),
        ("26:00:00", 93_600),
        ("2-01:00:00", 176_400),
    ],
)
def test_a_time_limit_is_written_as_batch_systems_do(text: str, seconds: float) -> None:
    assert parse(["run", "a.yaml", "--time-limit", text]).request.time_limit == seconds


@pytest.mark.parametrize("text", ["0", "-5", "1:75", "1:2:3:4", "soon", "1::3", "nan", "inf", ""])
def test_a_wrong_time_limit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time: write 1:55:00"):
        parse(["run", "a.yaml", f"--time-limit={text}"])
