"""Whose turn it is in an exchange."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from h5flow.errors import H5FlowError
from h5flow.storage.protocol import CreateTable
from h5flow.transaction.acts import Act, Collective, Create, Delete, EndOfHook, Flush, Reserve, Tag
from h5flow.transaction.ledger import Ledger

TAG = Tag(0, "stage", "run")
END = EndOfHook(TAG)
FLUSH = Flush(TAG)
INIT = Tag(-1, "stage", "init")


def reserve(path: str = "/x/data", ordinal: int = 0, tag: Tag = TAG, rows: int = 1) -> Reserve:
    return Reserve(tag, path, rows, ordinal)


def create(path: str, ordinal: int = 0) -> Create:
    return Create(TAG, (CreateTable(path, None),), ordinal)  # type: ignore[arg-type]


def ledger(
    size: int,
    existing: tuple[str, ...] = ("/x/data", "/y/data"),
    *,
    tag: Tag = TAG,
    ordered: bool = False,
) -> Ledger:
    made = Ledger(size, existing.__contains__)
    made.begin(tag, ordered=ordered)
    return made


def served(turns: Ledger, *acts: Act) -> list[int]:
    """Ranks in the order of serving."""
    return [rank for turn in turns.turns(acts) for rank in turn.ranks]


def groups(turns: Ledger, *acts: Act) -> Sequence[tuple[int, ...]]:
    """Ranks that are served together."""
    return [turn.ranks for turn in turns.turns(acts)]


def test_one_process_is_always_served():
    assert served(ledger(1), reserve()) == [0]
    assert served(ledger(1, tag=INIT), reserve(tag=INIT)) == [0]
    assert served(ledger(1), Delete(TAG, "x")) == [0]
    assert served(ledger(1), Collective(TAG, "bcast")) == [0]


def test_nobody_is_served_when_all_have_ended():
    assert groups(ledger(2), END, END) == []


def test_equal_reservations_are_served_in_rank_order():
    assert groups(ledger(3), reserve(), reserve(), reserve()) == [(0,), (1,), (2,)]


def test_a_rank_waits_for_a_lower_one_that_has_not_reserved_yet():
    assert served(ledger(2), FLUSH, reserve()) == [0]


def test_a_rank_does_not_wait_for_a_lower_one_that_has_ended():
    assert served(ledger(2), END, reserve()) == [1]


def test_a_second_reservation_waits_for_the_second_of_lower_ranks():
    turns = ledger(2)
    assert served(turns, reserve(), reserve()) == [0, 1]
    assert served(turns, FLUSH, reserve(ordinal=1)) == [0]
    assert served(turns, reserve(ordinal=1), reserve(ordinal=1)) == [0, 1]


def test_a_first_reservation_does_not_count_as_a_lower_ranks_second():
    turns = ledger(3)
    assert served(turns, END, reserve(), reserve()) == [1, 2]
    assert served(turns, END, FLUSH, reserve(ordinal=1)) == [1]


def test_a_reservation_of_another_dataset_is_no_substitute():
    assert served(ledger(2), reserve("/y/data"), reserve("/x/data")) == [0]


def test_a_creation_is_no_reservation():
    turns = ledger(2)
    assert served(turns, create("/x/data"), FLUSH) == [0, 1]
    assert served(turns, FLUSH, reserve("/x/data")) == [0]


def test_a_reservation_of_what_does_not_exist_waits_for_its_creation():
    assert served(ledger(2), create("/z/data"), reserve("/z/data")) == [0]


def test_a_reservation_of_what_nobody_can_create_any_more_is_served():
    assert served(ledger(2), END, reserve("/z/data")) == [1]


def test_where_nobody_can_be_served_the_lowest_rank_that_waits_is():
    acts = END, reserve("/z/data"), reserve("/z/data")
    assert served(ledger(3), *acts) == [1]


def test_a_rank_that_waits_for_one_in_a_collective_is_served_all_the_same():
    assert served(ledger(2), Collective(TAG, "bcast"), reserve()) == [1]


def test_equal_requests_are_served_together():
    assert groups(ledger(3), FLUSH, FLUSH, Flush(TAG, ("/x/data",))) == [(0, 1), (2,)]
    assert groups(ledger(2), create("/z/data"), create("/z/data")) == [(0, 1)]


def test_deletions_wait_until_all_ranks_have_come():
    delete = Delete(TAG, "x")
    assert served(ledger(2), delete, FLUSH) == [1]
    assert groups(ledger(2), delete, delete) == [(0, 1)]
    assert groups(ledger(3), delete, Delete(TAG, "y"), delete) == [(0, 2)]
    assert groups(ledger(2), delete, END) == [(0,)]


# -- outside of the loop


def test_outside_of_the_loop_what_all_ranks_reserve_alike_is_one():
    wish = reserve(tag=INIT)
    assert groups(ledger(3, tag=INIT), wish, wish, wish) == [(0, 1, 2)]


def test_outside_of_the_loop_a_reservation_waits_for_the_other_ranks():
    flush = Flush(INIT)
    assert served(ledger(2, tag=INIT), reserve(tag=INIT), flush) == [1]


@pytest.mark.parametrize("other", [reserve(tag=INIT, rows=2), EndOfHook(INIT)])
def test_outside_of_the_loop_different_reservations_add_up_in_rank_order(other: Act):
    assert groups(ledger(2, tag=INIT), reserve(tag=INIT), other) == [(0,)]


# -- stages that take turns


def test_in_an_ordered_stage_a_rank_waits_until_all_lower_ones_have_ended():
    turns = ledger(2, ordered=True)
    assert served(turns, reserve(), reserve()) == [0]
    assert served(turns, reserve(ordinal=1), reserve()) == [0]
    assert served(turns, END, reserve()) == [1]
    assert turns.judgements == []


# -- collectives


def test_a_collective_starts_when_all_ranks_announce_it():
    call = Collective(TAG, "bcast")
    assert served(ledger(2), call, FLUSH) == [1]
    assert groups(ledger(2), call, call) == [(0, 1)]


def test_different_collectives_are_an_error_that_names_both():
    with pytest.raises(H5FlowError, match=r"rank 0 .*comm.bcast.* and rank 1 in comm.reduce"):
        ledger(2).turns([Collective(TAG, "bcast"), Collective(TAG, "reduce")])


def test_different_collectives_are_no_error_while_a_rank_is_on_its_way():
    acts = Collective(TAG, "bcast"), Collective(TAG, "reduce"), FLUSH
    assert served(ledger(3), *acts) == [2]


def test_a_rank_that_ends_while_another_is_in_a_collective_is_an_error():
    with pytest.raises(
        H5FlowError, match=r"rank 1 waits in comm.reduce.* rank 0 has ended this hook"
    ):
        ledger(2).turns([END, Collective(TAG, "reduce")])


# -- rows that do not lie where one process puts them


def judged(turns: Ledger) -> list[str]:
    return [judgement.why for judgement in turns.judgements]


def test_a_rank_served_after_a_higher_one_is_judged():
    turns = ledger(2)
    served(turns, reserve(), reserve())
    assert judged(turns) == []
    served(turns, reserve(ordinal=1), END)
    (why,) = judged(turns)
    assert "rows of rank 0 come after those of rank 1" in why


def test_references_placed_before_those_of_a_lower_rank_are_judged():
    turns = ledger(2)
    turns.note_links(1, "/a/ref/b/ref")
    turns.note_links(0, "/a/ref/b/ref")
    (why,) = judged(turns)
    assert "references of rank 0 come after those of rank 1" in why


def test_two_stages_that_append_to_one_dataset_are_judged():
    turns = ledger(2)
    served(turns, reserve(), reserve())
    later = Tag(0, "other", "run")
    turns.begin(later)
    served(turns, reserve(tag=later), reserve(tag=later))
    assert set(judged(turns)) == {"both 'stage' and 'other' append to it in the loop, in turns"}


def test_two_stages_that_append_to_one_table_of_references_are_judged():
    turns = ledger(2)
    turns.note_links(0, "/a/ref/b/ref")
    turns.begin(Tag(0, "other", "run"))
    turns.note_links(1, "/a/ref/b/ref")
    assert judged(turns) == ["both 'stage' and 'other' append to it in the loop, in turns"]


def test_one_process_is_never_judged():
    turns = ledger(1)
    for tag in (TAG, Tag(0, "other", "run")):
        turns.begin(tag)
        turns.note_links(0, "/a/ref/b/ref")
        for ordinal in range(2):
            served(turns, reserve(ordinal=ordinal, tag=tag))
    assert judged(turns) == []


def test_a_hook_begins_with_nobody_served():
    turns = ledger(2)
    served(turns, reserve(), reserve())
    turns.begin(TAG)
    assert served(turns, FLUSH, reserve(ordinal=0)) == [0]
