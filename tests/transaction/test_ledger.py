"""Whose turn it is in an exchange."""

from __future__ import annotations

from h5flow.storage.protocol import CreateTable
from h5flow.transaction.acts import Create, EndOfHook, Flush, Reserve, Tag
from h5flow.transaction.ledger import Ledger

TAG = Tag(0, "stage", "run")
END = EndOfHook(TAG)
FLUSH = Flush(TAG)


def reserve(path: str = "/x/data", ordinal: int = 0) -> Reserve:
    return Reserve(TAG, path, 1, ordinal)


def ledger(size: int, existing: tuple[str, ...] = ("/x/data", "/y/data")) -> Ledger:
    return Ledger(size, existing.__contains__)


def test_one_process_is_always_served():
    assert ledger(1).turns([reserve()]) == [0]


def test_equal_reservations_are_served_in_rank_order():
    assert ledger(3).turns([reserve(), reserve(), reserve()]) == [0, 1, 2]


def test_a_rank_waits_for_a_lower_one_that_has_not_reserved_yet():
    assert ledger(2).turns([FLUSH, reserve()]) == [0]


def test_a_rank_does_not_wait_for_a_lower_one_that_has_ended():
    assert ledger(2).turns([END, reserve()]) == [1]


def test_a_second_reservation_waits_for_the_second_of_lower_ranks():
    turns = ledger(2)
    assert turns.turns([reserve(), reserve()]) == [0, 1]
    assert turns.turns([FLUSH, reserve(ordinal=1)]) == [0]
    assert turns.turns([reserve(ordinal=1), reserve(ordinal=1)]) == [0, 1]


def test_a_reservation_of_another_dataset_is_no_substitute():
    assert ledger(2).turns([reserve("/y/data"), reserve("/x/data")]) == [0]


def test_a_reservation_of_what_does_not_exist_waits_for_its_creation():
    create = Create(TAG, (CreateTable("/z/data", None),))  # type: ignore[arg-type]
    assert ledger(2).turns([create, reserve("/z/data")]) == [0]


def test_a_reservation_of_what_nobody_can_create_any_more_is_served():
    assert ledger(2).turns([END, reserve("/z/data")]) == [1]


def test_where_nobody_can_be_served_the_lowest_rank_that_waits_is():
    turns = ledger(3)
    turns.turns([END, reserve("/x/data"), FLUSH])
    assert turns.turns([END, reserve("/z/data"), reserve("/z/data")]) == [1]


def test_a_rank_served_after_a_higher_one_is_recorded():
    turns = ledger(3)
    assert turns.turns([reserve("/z/data"), reserve(), reserve()]) == [0]
    assert turns.out_of_order == []
    # Rank 0 is in a collective of its own; ranks 1 and 2 can go on only out of order.
    turns._highest["/x/data"] = 2
    turns.turns([reserve("/x/data"), FLUSH, FLUSH])
    assert [(late.rank, late.after_rank) for late in turns.out_of_order] == [(0, 2)]


def test_a_hook_begins_with_nobody_served():
    turns = ledger(2)
    turns.turns([reserve(), reserve()])
    turns.begin()
    assert turns.turns([FLUSH, reserve(ordinal=0)]) == [0]
