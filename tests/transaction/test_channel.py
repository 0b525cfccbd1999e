"""What ranks tell each other: outcomes, failures, notes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from h5flow.comm.serial import SerialCommunicator
from h5flow.errors import DataError, H5FlowError, OtherRankError
from h5flow.testing.ranks import ThreadCommunicator, run_on_ranks
from h5flow.transaction.acts import EndOfHook, Reserve, Tag
from h5flow.transaction.channel import Channel, Refused
from h5flow.transaction.error_texts import describe_error

TAG = Tag(2, "pairs", "run")


def outcomes(size: int, work: Callable[[Channel], Any]) -> list[Any]:
    """Return what `work` returns, or raises, on each rank."""

    def on_rank(communicator: ThreadCommunicator) -> Any:
        channel = Channel(communicator)
        try:
            return work(channel)
        except Exception as error:
            return error

    return run_on_ranks(size, on_rank)


def in_hook(channel: Channel, tag: Tag = TAG) -> Channel:
    channel.tag = tag
    return channel


def test_what_each_rank_does_all_ranks_learn() -> None:
    found = outcomes(3, lambda channel: channel.by_each("looking", lambda: channel.rank * 10))
    assert found == [[0, 10, 20]] * 3


def test_an_exchange_gives_every_ranks_act_in_rank_order() -> None:
    found = outcomes(3, lambda channel: in_hook(channel).exchange(Reserve(TAG, "/a", channel.rank)))
    assert found == [[Reserve(TAG, "/a", rank) for rank in range(3)]] * 3


def test_ranks_in_different_hooks_are_an_error_on_all() -> None:
    def work(channel: Channel) -> Any:
        tag = Tag(channel.rank, "pairs", "run")
        return in_hook(channel, tag).exchange(EndOfHook(tag))

    for error in outcomes(2, work):
        assert isinstance(error, H5FlowError)
        assert "different hooks" in error.message
        assert "chunk 1" in error.message


def test_a_failure_is_told_to_all_and_raised_on_the_others() -> None:
    def work(channel: Channel) -> Any:
        in_hook(channel)
        if channel.rank == 1:
            channel.fail(ZeroDivisionError("no muons"))
            return channel.failure
        return channel.exchange(EndOfHook(TAG))

    first, second, third = outcomes(3, work)
    assert second.error == "ZeroDivisionError: no muons"
    for error in (first, third):
        assert isinstance(error, OtherRankError)
        assert error.rank == 1
        assert "rank 1 has failed: ZeroDivisionError: no muons" in error.message


def test_of_two_failures_at_once_the_lower_rank_reports() -> None:
    def work(channel: Channel) -> Any:
        in_hook(channel)
        channel.fail(ValueError(f"from rank {channel.rank}"))

    first, second = outcomes(2, work)
    assert first is None
    assert isinstance(second, OtherRankError)
    assert "from rank 0" in second.message


def test_after_a_failure_nothing_is_exchanged() -> None:
    def work(channel: Channel) -> Any:
        in_hook(channel).fail(ValueError("mine"))
        with pytest.raises(H5FlowError, match="an earlier call has failed"):
            channel.exchange(EndOfHook(TAG))
        return channel.communicator.activity

    assert outcomes(1, work) == [1]


def test_a_step_is_concluded_with_rank_0s_answer() -> None:
    def work(channel: Channel) -> Any:
        in_hook(channel)
        return channel.conclude(TAG, (lambda: "from rank 0") if channel.rank == 0 else None)

    assert outcomes(3, work) == ["from rank 0"] * 3


def test_a_step_that_is_refused_on_one_rank_is_refused_on_all() -> None:
    def refuse() -> None:
        raise DataError("too long", advice="Shorten it.")

    def work(channel: Channel) -> Any:
        in_hook(channel)
        try:
            channel.conclude(TAG, refuse if channel.rank == 0 else None, fatal=False)
        except Refused as refused:
            channel.check()  # the run goes on
            return type(refused.error), refused.error.message, refused.error.advice
        return None

    assert outcomes(2, work) == [(DataError, "too long", "Shorten it.")] * 2


def test_a_step_that_fails_on_one_rank_ends_the_run_on_all() -> None:
    def fail() -> None:
        raise OSError("disk full")

    def work(channel: Channel) -> Any:
        return in_hook(channel).conclude(TAG, fail if channel.rank == 1 else None)

    first, second = outcomes(2, work)
    assert isinstance(first, OtherRankError)
    assert "disk full" in first.message
    assert isinstance(second, OSError)


def test_what_cannot_be_sent_ends_the_run_in_place_of_leaving_others_waiting() -> None:
    def work(channel: Channel) -> Any:
        in_hook(channel)
        result = threading.Lock() if channel.rank == 1 else None
        return channel.exchange(EndOfHook(TAG, result))

    first, second = outcomes(2, work)
    assert isinstance(first, OtherRankError)
    assert isinstance(second, TypeError)


def test_what_rank_0_does_for_all_is_returned_on_all() -> None:
    done: list[int] = []

    def work(channel: Channel) -> Any:
        return channel.by_first("opening", lambda: done.append(channel.rank) or "path")

    assert outcomes(3, work) == ["path"] * 3
    assert done == [0]


def test_no_rank_goes_on_before_all_have_done_a_common_step() -> None:
    done: list[int] = []

    def work(channel: Channel) -> Any:
        channel.together("opening", lambda: done.append(channel.rank))
        return len(done)

    assert outcomes(3, work) == [3] * 3


def test_a_common_step_that_fails_on_one_rank_stops_all() -> None:
    def work(channel: Channel) -> Any:
        def open_file() -> None:
            if channel.rank == 2:
                raise OSError("no such file")

        channel.together("opening", open_file)

    first, second, third = outcomes(3, work)
    assert isinstance(first, OtherRankError)
    assert isinstance(second, OtherRankError)
    assert isinstance(third, OSError)


def test_notes_of_all_ranks_are_heard_at_the_end_of_the_hook() -> None:
    def work(channel: Channel) -> Any:
        heard: list[tuple[int, str]] = []
        channel.hear_notes(lambda rank, text: heard.append((rank, text)))
        in_hook(channel)
        if channel.rank:
            channel.note(f"careful, says {channel.rank}")
        channel.exchange(channel.end_of_hook(None, EndOfHook(TAG).queued))
        return heard

    assert outcomes(3, work)[0] == [(1, "careful, says 1"), (2, "careful, says 2")]


def test_other_threads_of_a_rank_cannot_exchange() -> None:
    def work(channel: Channel) -> Any:
        in_hook(channel)
        raised: list[BaseException] = []

        def elsewhere() -> None:
            try:
                channel.exchange(EndOfHook(TAG))
            except H5FlowError as error:
                raised.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return str(raised[0])

    for text in outcomes(2, work):
        assert "only the thread that runs the workflow" in text


def test_one_process_exchanges_with_itself() -> None:
    channel = in_hook(Channel(SerialCommunicator()))
    act = EndOfHook(TAG)
    assert channel.exchange(act) == [act]
    assert channel.exchange(act)[0] is act


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no"), "ValueError: no"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(0), "it called sys.exit(0)"),
        (SystemExit(), "it called sys.exit()"),
    ],
)
def test_an_exception_is_described_in_a_line(error: BaseException, text: str) -> None:
    assert describe_error(error) == text
