"""What another thread sees of a rank."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from h5flow.comm.situation import Situation, Witness
from h5flow.comm.verdict import within


class Communicator:
    def __init__(self) -> None:
        self.arrived, self.may_go_on = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.arrived.set()
        self.may_go_on.wait(10)

    def exchange(self, message: bytes) -> list[bytes]:
        self.wait()
        return [message]

    def send(self, data: bytes, rank: int) -> None: ...

    def receive(self, rank: int) -> memoryview:
        self.wait()
        return memoryview(b"")


@contextmanager
def a_rank(doing: Callable[[Communicator], object]) -> Iterator[Witness]:
    communicator = Communicator()
    witnesses: list[Witness] = []

    def be_a_rank() -> None:
        witnesses.append(Witness(communicator, lambda: "run of 'x', chunk 1"))  # type: ignore[arg-type]
        doing(communicator)

    thread = threading.Thread(target=be_a_rank)
    thread.start()
    assert communicator.arrived.wait(10)
    yield witnesses[0]
    communicator.may_go_on.set()
    thread.join(10)


def users_code(communicator: Communicator) -> None:
    communicator.wait()


def test_it_is_seen_what_a_rank_does_and_where() -> None:
    with a_rank(users_code) as witness:
        situation = witness.situation()
    assert (situation.doing, situation.waits) == ("run of 'x', chunk 1", False)
    assert "in users_code\n    communicator.wait()\n" in situation.stack


@pytest.mark.parametrize(
    "doing", [lambda ranks: ranks.exchange(b""), lambda ranks: ranks.receive(1)]
)
def test_a_rank_that_communicates_waits(doing: Callable[[Communicator], object]) -> None:
    with a_rank(doing) as witness:
        assert witness.situation().waits


def test_a_stack_begins_where_h5flow_calls_users_code() -> None:
    seen: list[str] = []

    def look(communicator: Communicator) -> None:
        seen.append(Witness(communicator, lambda: "").situation().stack)  # type: ignore[arg-type]

    within(10, lambda: look(Communicator()))
    (stack,) = seen
    first = stack.splitlines()[0]
    assert "test_situation.py" in first
    assert first.endswith("in <lambda>")


def test_a_situation_can_be_written_down() -> None:
    situation = Situation("run of 'ä'", waits=True, stack='  File "x"\n')
    assert Situation.decode(situation.encode()) == situation
