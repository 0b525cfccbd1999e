"""One tree of errors: what each is caught as, what it says, what a command exits with."""

from __future__ import annotations

import pickle

import pytest

from h5flow import errors
from h5flow.errors import (
    ConfigError,
    DataError,
    DiscoveryError,
    FileFormatError,
    H5FlowError,
    HookError,
    NoSuchDatasetError,
    PaddingError,
    Place,
    Problem,
    ReverseReferenceError,
    UsageError,
    did_you_mean,
)

PLACE = Place("flow.yaml", 7, 3, "pairs.requires")
ALL = [
    value
    for name in errors.__all__
    if isinstance(value := getattr(errors, name), type) and issubclass(value, H5FlowError)
]
ORDINARY = [cls for cls in ALL if cls is not ConfigError]


@pytest.mark.parametrize(
    ("cls", "built_in"),
    [
        (FileFormatError, OSError),
        (DataError, ValueError),
        (NoSuchDatasetError, KeyError),
        (ReverseReferenceError, RuntimeError),
        (PaddingError, MemoryError),
    ],
)
def test_errors_are_caught_as_the_built_in_that_users_know(
    cls: type[H5FlowError], built_in: type[Exception]
) -> None:
    with pytest.raises(built_in):
        raise cls("wrong")


@pytest.mark.parametrize("cls", ORDINARY)
def test_an_error_says_where_what_and_what_to_do(cls: type[H5FlowError]) -> None:
    error = cls("it is wrong.", place=PLACE, advice="Correct it.")
    assert str(error) == "flow.yaml:7: pairs.requires: it is wrong. Correct it."
    assert (error.message, error.place, error.advice) == ("it is wrong.", PLACE, "Correct it.")


@pytest.mark.parametrize("cls", ORDINARY)
def test_place_and_advice_may_be_absent(cls: type[H5FlowError]) -> None:
    assert str(cls("it is wrong")) == "it is wrong"
    assert str(cls("it is wrong", advice="Correct it.")) == "it is wrong. Correct it."


@pytest.mark.parametrize("cls", ORDINARY)
def test_errors_survive_pickling(cls: type[H5FlowError]) -> None:
    error = pickle.loads(pickle.dumps(cls("wrong", place=PLACE, advice="Correct it.")))
    assert type(error) is cls
    assert str(error) == "flow.yaml:7: pairs.requires: wrong. Correct it."


def test_a_config_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(ConfigError([Problem("wrong", PLACE)])))
    assert error.problems == (Problem("wrong", PLACE),)
    assert str(error) == "flow.yaml:7: pairs.requires: wrong"


def test_a_config_error_holds_every_problem_on_a_line_of_its_own() -> None:
    error = ConfigError([Problem("one", PLACE), Problem("two")])
    assert str(error) == "flow.yaml:7: pairs.requires: one\ntwo"
    assert [problem.message for problem in error.problems] == ["one", "two"]


@pytest.mark.parametrize("cls", ALL)
def test_mistakes_in_command_and_config_exit_with_2_others_with_1(cls: type[H5FlowError]) -> None:
    usage = {UsageError, ConfigError, DiscoveryError}
    assert cls.exit_status == (2 if cls in usage else 1)


def test_a_hook_error_keeps_the_users_exception() -> None:
    cause = ZeroDivisionError("x")
    with pytest.raises(HookError) as caught:
        raise HookError("run of stage 'pairs'") from cause
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (PLACE, "flow.yaml:7: pairs.requires"),
        (Place("flow.yaml", 7, 3), "flow.yaml:7"),
        (Place("a dict", 0, 0, "flow"), "a dict: flow"),
    ],
)
def test_a_place_is_shown_as_editors_understand_it(place: Place, text: str) -> None:
    assert str(place) == text


@pytest.mark.parametrize(
    ("name", "candidates", "text"),
    [
        ("muon", ["events", "muons"], " (did you mean 'muons'?)"),
        ("muon", [], ""),
        ("muon", ["calibration"], ""),
        ("", ["muons"], ""),
    ],
)
def test_the_nearest_name_is_proposed(name: str, candidates: list[str], text: str) -> None:
    assert did_you_mean(name, candidates) == text
