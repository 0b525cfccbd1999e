"""What every storage does, as cases to run on yours.

A case is called on every rank with a `StorageOnRank`, and fails as tests do, by ``assert``.

Examples
--------
In a test module, for a storage of one process or of ranks that are threads::

    @pytest.mark.parametrize("case", CASES.values(), ids=CASES)
    @pytest.mark.parametrize("size", [1, 3])
    def test_my_storage(case, size, tmp_path):
        run_in_this_process(MyStorage, size, tmp_path)(case)

For ranks that are processes ``mpiexec`` starts a program, which calls this on each of them::

    failures = run_cases(run_on_this_rank(MyStorage, choose_communicator("mpi"), folder))
"""

from __future__ import annotations

from collections.abc import Mapping

import h5py
import numpy as np

from h5flow.errors import NoSuchDatasetError
from h5flow.storage.protocol import Batch, CreateTable, Link, SetAttributes, Write
from h5flow.testing.storage_on_ranks import (
    Case,
    Run,
    StorageOnRank,
    run_in_this_process,
    run_on_this_rank,
)
from h5flow.testing.storage_rows import (
    EVENTS,
    HIT,
    HITS,
    OF_EVENTS,
    OF_HITS,
    REF,
    TABLES,
    assert_same,
    check_regions,
    compare_with_one_process,
    make_linked,
    some_hits,
)

__all__ = [
    "CASES",
    "compare_with_one_process",
    "run_cases",
    "run_in_this_process",
    "run_on_this_rank",
]


def run_cases(run: Run) -> dict[str, str]:
    """Run every case, and return what is wrong, by its name; collective where ranks are processes.

    Parameters
    ----------
    run : callable
        Of `run_in_this_process` or `run_on_this_rank`.
    """
    failures = {name: _failure(run, case) for name, case in CASES.items()}
    return {name: text for name, text in failures.items() if text}


def _failure(run: Run, case: Case) -> str:
    try:
        run(case)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def a_new_table_is_empty_and_described(ours: StorageOnRank) -> None:
    """Its dtype, rows and attributes are those asked for, and it can grow."""
    ours.apply(Batch(creates=[CreateTable("/a/data", HIT, (3,), {"ref": "/a"}, "gzip:1")]))
    found = ours.describe("/a/data")
    assert found is not None
    assert (found.dtype, found.row_shape, found.length) == (HIT, (3,), 0)
    assert found.chunk_rows
    assert found.most_rows is None
    ours.show()
    assert ours.table("/a/data").shape == (0, 3)
    assert ours.table("/a/data").compression == "gzip"
    assert dict(ours.table("/a/data").attrs) == {"ref": "/a"}


def what_is_not_there_is_said(ours: StorageOnRank) -> None:
    """There is no description of it, and no table."""
    ours.apply(Batch(creates=TABLES))
    ours.show()
    assert ours.describe("/nothing/data") is None
    assert ours.attributes("/nothing") is None
    assert ours.describe("/hits") is None
    try:
        ours.table("/nothing/data")
    except NoSuchDatasetError:
        return
    raise AssertionError("a table that does not exist was returned")


def rows_of_all_ranks_are_read_by_all(ours: StorageOnRank) -> None:
    """Each rank writes its slice, each reads all of them."""
    ours.apply(Batch(creates=TABLES))
    rows, expected = some_hits(5 * ours.size), some_hits(5 * ours.size)
    mine = slice(5 * ours.rank, 5 * ours.rank + 5)
    ours.apply(Batch(lengths={HITS: 5 * ours.size}, writes=[Write(HITS, mine, rows[mine])]))
    ours.show([HITS])
    assert_same(ours.read(HITS), expected)


def packed_rows_are_read_as_they_are_by_then(ours: StorageOnRank) -> None:
    """Many chunks of them: when they were written, when the file was opened anew, and changed."""
    length, path = 150_000, "/packed/data"
    ours.apply(Batch(creates=[CreateTable(path, HIT, compression="gzip+fletcher32")]))
    expected = some_hits(length * ours.size)
    mine = slice(length * ours.rank, length * (ours.rank + 1))
    ours.apply(Batch(lengths={path: len(expected)}, writes=[Write(path, mine, expected[mine])]))
    ours.show([path])
    assert_same(ours.storage.rows(path)[3:length], expected[3:length])
    assert_same(ours.read(path), expected)
    ours.close()
    ours.open()
    ours.show()
    assert_same(ours.storage.rows(path)[3:length], expected[3:length])
    expected["q"][10:70_000] *= -1
    change = [Write(path, slice(10, 70_000), expected[10:70_000])] if ours.rank == 0 else []
    ours.apply(Batch(writes=change))
    ours.show([path])
    assert_same(ours.storage.rows(path)[3:length], expected[3:length])
    assert_same(ours.read(path), expected)


def rows_are_written_by_index(ours: StorageOnRank) -> None:
    """Ranks write interleaved rows."""
    length = 4 * ours.size
    ours.apply(Batch(creates=TABLES))
    index = np.arange(ours.rank, length, ours.size)
    ours.apply(Batch(lengths={EVENTS: length}, writes=[Write(EVENTS, index, index * 10)]))
    ours.show()
    assert_same(ours.read(EVENTS), np.arange(length) * 10)


def the_later_write_of_a_row_wins(ours: StorageOnRank) -> None:
    """In the order of ranks, and of calls within a rank."""
    ours.apply(Batch(creates=TABLES))
    writes = [
        Write(EVENTS, slice(0, 3), np.full(3, 10 * ours.rank)),
        Write(EVENTS, np.array([1]), np.array([10 * ours.rank + 1])),
        Write(EVENTS, slice(3 + ours.rank, 4 + ours.rank), np.array([7])),
    ]
    ours.apply(Batch(lengths={EVENTS: 3 + ours.size}, writes=writes))
    ours.show()
    last = 10 * (ours.size - 1)
    assert ours.read(EVENTS).tolist() == [last, last + 1, last, *[7] * ours.size]


def rows_never_written_are_zero(ours: StorageOnRank) -> None:
    """Also between rows that are written, and after rows of an earlier batch."""
    ours.apply(Batch(creates=TABLES))
    ours.apply(Batch(lengths={HITS: 3}))
    ours.apply(Batch(lengths={HITS: 90}, writes=[Write(HITS, slice(50, 52), some_hits(2))]))
    ours.show()
    expected = np.zeros(90, HIT)
    expected[50:52] = some_hits(2)
    assert_same(ours.read(HITS), expected)


def a_length_never_shrinks(ours: StorageOnRank) -> None:
    """Take a smaller one for what ranks knew before."""
    ours.apply(Batch(creates=TABLES, lengths={EVENTS: 9}))
    ours.apply(Batch(lengths={EVENTS: 4}))
    ours.show()
    assert ours.table(EVENTS).shape == (9,)


def references_of_ranks_to_the_same_rows_are_merged(ours: StorageOnRank) -> None:
    """All are kept, in rank order, and each region covers all of its row's."""
    make_linked(ours)
    pairs = np.array([[0, ours.rank], [2, 0], [1 + ours.rank, 5]])
    ours.apply(Batch(links=[Link(REF, (OF_EVENTS, OF_HITS), pairs)]))
    ours.show()
    check_regions(ours, [[0, rank, 2, 0, 1 + rank, 5] for rank in range(ours.size)])


def later_references_widen_regions(ours: StorageOnRank) -> None:
    """In many batches, with unequal numbers on the ranks, some without any."""
    make_linked(ours)
    expected: list[list[int]] = []
    for turn in range(4):
        everyones = [[(turn * 3 + rank) % 5, turn] * (rank % 2 + 1) for rank in range(ours.size)]
        mine = np.array(everyones[ours.rank]).reshape(-1, 2)
        has_links = (turn + ours.rank) % 3 != 1
        links = [Link(REF, (OF_EVENTS, OF_HITS), mine)] if has_links else []
        ours.apply(Batch(turn, links=links))
        expected += [each for rank, each in enumerate(everyones) if (turn + rank) % 3 != 1]
        ours.show([REF, OF_EVENTS, OF_HITS])
        check_regions(ours, expected)


def metadata_of_all_ranks_are_read_by_all(ours: StorageOnRank) -> None:
    """Make groups for them; of two values of a name the higher rank's counts."""
    mine = {f"rank{ours.rank}": ours.rank, "text": f"Ω{ours.rank}", "list": [1.5, ours.rank]}
    ours.apply(Batch(attributes=[SetAttributes("/run/info", mine), SetAttributes("/empty", {})]))
    found = ours.attributes("/run/info")
    assert found is not None
    ours.show()
    for values in (found, dict(ours.storage.file["/run/info"].attrs)):
        assert values["text"] == f"Ω{ours.size - 1}"
        assert list(values["list"]) == [1.5, ours.size - 1]
        assert [values[f"rank{rank}"] for rank in range(ours.size)] == list(range(ours.size))
    assert ours.attributes("/empty") == {}


def a_table_stays_the_same_object(ours: StorageOnRank) -> None:
    """Have rows in it that come later, also after other objects were made."""
    ours.apply(Batch(creates=TABLES, lengths={EVENTS: 2}))
    ours.show()
    kept = ours.table(EVENTS)
    assert kept.shape == (2,)
    ours.apply(Batch(lengths={EVENTS: 5}, writes=[Write(EVENTS, slice(4, 5), np.array([8]))]))
    ours.show([EVENTS])
    assert kept[:].tolist() == [0, 0, 0, 0, 8]
    ours.apply(Batch(creates=[CreateTable("/more/data", HIT)], lengths={EVENTS: 6}))
    ours.show()
    assert ours.table(EVENTS) is kept
    assert kept[:].tolist() == [0, 0, 0, 0, 8, 0]


def objects_made_between_are_seen(ours: StorageOnRank) -> None:
    """Tables made one after the other, each written and read at once."""
    ours.apply(Batch(creates=TABLES))
    ours.show()
    for number in range(3):
        path = f"/late{number}/data"
        ours.apply(Batch(creates=[CreateTable(path, np.dtype("f4"))]))
        first = 2 * ours.rank
        write = Write(path, slice(first, first + 2), np.full(2, first + 0.5, "f4"))
        ours.apply(Batch(lengths={path: 2 * ours.size}, writes=[write]))
        ours.show()
        expected = np.repeat(np.arange(ours.size) * 2 + 0.5, 2).astype("f4")
        assert_same(ours.read(path), expected)


def what_is_deleted_is_gone(ours: StorageOnRank) -> None:
    """With groups that are empty without it; the rest stays."""
    ours.apply(Batch(creates=TABLES, lengths={EVENTS: 2}))
    ours.apply(Batch(attributes=[SetAttributes("/events", {"kept": 1})]))
    ours.show()
    assert ours.table(HITS).shape == (0,)
    ours.delete(HITS, "/hits", "/never/there")
    ours.delete("/never/there")
    ours.show()
    assert ours.describe(HITS) is None
    assert ours.attributes("/hits") is None
    assert HITS not in ours.storage.file
    assert ours.table(EVENTS).shape == (2,)
    ours.apply(Batch(creates=[CreateTable(HITS, np.dtype("u1"))], lengths={HITS: 1}))
    ours.show()
    assert ours.read(HITS).tolist() == [0]


def of_creates_that_are_refused_none_is_made(ours: StorageOnRank) -> None:
    """Something else stands in the way of one of them; the storage goes on."""
    ours.apply(Batch(creates=TABLES))
    bad = CreateTable(f"{HITS}/below", np.dtype("i8"))
    assert ours.is_refused(Batch(creates=[CreateTable("/good/data", np.dtype("i8")), bad]))
    assert ours.describe("/good/data") is None
    ours.apply(Batch(lengths={EVENTS: 1}))
    ours.show()
    assert ours.table(EVENTS).shape == (1,)


def a_write_to_no_table_is_refused(ours: StorageOnRank) -> None:
    """On whatever rank it comes from; no rank waits for ever, and the storage goes on."""
    ours.apply(Batch(creates=TABLES))
    rows = np.zeros(4, np.int64)
    paths = ["/nothing/data" if rank == ours.size - 1 else EVENTS for rank in range(ours.size)]
    write = Write(paths[ours.rank], slice(0, 4), rows)
    assert ours.is_refused(Batch(lengths={EVENTS: 4}, writes=[write]))
    ours.apply(Batch(lengths={EVENTS: 5}))
    ours.show()
    assert ours.table(EVENTS).shape == (5,)


def a_closed_file_is_plain_hdf5(ours: StorageOnRank) -> None:
    """Everything that was applied is in it, and it can be opened again and added to."""
    ours.apply(Batch(creates=TABLES))
    mine = slice(3 * ours.rank, 3 * ours.rank + 3)
    rows = some_hits(3 * ours.size)
    ours.apply(Batch(lengths={HITS: 3 * ours.size}, writes=[Write(HITS, mine, rows[mine])]))
    ours.close()
    if ours.rank == 0:
        with h5py.File(ours.path, "r") as file:
            assert_same(file[HITS][:], rows)
    ours.open()
    ours.apply(Batch(lengths={HITS: 3 * ours.size + 1}))
    ours.show()
    assert_same(ours.read(HITS)[:-1], rows)


def a_flushed_file_has_every_row(ours: StorageOnRank) -> None:
    """Rows in small batches, which wait in memory before."""
    ours.apply(Batch(creates=TABLES))
    for turn in range(5):
        row = turn * ours.size + ours.rank
        write = Write(EVENTS, slice(row, row + 1), np.array([row]))
        ours.apply(Batch(turn, lengths={EVENTS: (turn + 1) * ours.size}, writes=[write]))
    ours.flush()
    ours.show()
    assert ours.read(EVENTS).tolist() == list(range(5 * ours.size))


def rows_of_a_file_of_others_are_changed_in_place(ours: StorageOnRank) -> None:
    """Take an old format, u4 references and i4 regions, a table without chunks."""

    def write(file: h5py.File) -> None:
        file[EVENTS] = np.arange(6)
        file.create_dataset(HITS, data=some_hits(4), maxshape=(None,))
        file.create_dataset(REF, data=np.array([[0, 1]], "u4"), maxshape=(None, 2))
        regions = np.array([(0, 1), (0, 0)], [("start", "i4"), ("stop", "i4")])
        file.create_dataset(OF_EVENTS, data=regions, maxshape=(None,))
        file.create_dataset(OF_HITS, data=regions[::-1], maxshape=(None,))

    ours.replace_file(write)
    link = Link(REF, (OF_EVENTS, OF_HITS), np.array([[3, ours.rank], [0, 3]]))
    ours.apply(
        Batch(
            lengths={HITS: 5},
            writes=[Write(EVENTS, np.array([ours.rank]), np.array([-1]))],
            links=[link],
        )
    )
    ours.show()
    assert ours.read(EVENTS).tolist() == [-1] * ours.size + list(range(ours.size, 6))
    assert ours.table(HITS).shape == (5,)
    assert ours.table(REF).dtype == np.dtype("u4")
    check_regions(ours, [[0, 1], *([3, rank, 0, 3] for rank in range(ours.size))])


def batches_at_random_make_what_one_process_makes(ours: StorageOnRank) -> None:
    """See `compare_with_one_process`."""
    for seed in range(5):
        ours.close()
        if ours.rank == 0:
            ours.path.unlink()
        ours.open()
        compare_with_one_process(ours, seed)


def what_was_applied_since_a_mark_is_undone(ours: StorageOnRank) -> None:
    """Rows, lengths, references, metadata and objects, also those that all ranks have seen."""
    make_linked(ours)
    hits = Write(HITS, slice(0, 10), some_hits(10))
    group = [SetAttributes("/events", {"unit": "mm"})] if ours.rank == 0 else []
    ours.apply(Batch(writes=[hits], attributes=group))
    ours.show()
    seen = ours.table(HITS)
    before = {path: ours.read(path) for path in (EVENTS, HITS, REF, OF_EVENTS, OF_HITS)}
    ours.mark()
    ours.apply(
        Batch(
            creates=[CreateTable("/new/one/data", np.dtype("f4"))],
            lengths={HITS: 100_000, EVENTS: 11},
            writes=[
                Write(HITS, slice(5, 12), some_hits(7)),
                Write(EVENTS, slice(3, 4), np.array([5])),
            ],
            links=[Link(REF, (OF_EVENTS, OF_HITS), np.array([[2, 3], [12, 4]]))],
            attributes=[
                SetAttributes("/events", {"unit": "m", "n": 1}),
                SetAttributes("/g", {}),
            ],
        )
    )
    ours.show()
    ours.go_back()
    for path, rows in before.items():
        assert_same(ours.read(path), rows)
    assert_same(seen[...], before[HITS])
    for gone in ("/new", "/g"):
        assert ours.attributes(gone) is None
    assert ours.attributes("/events") == {"unit": "mm"}
    ours.apply(Batch(lengths={HITS: 20}))
    ours.show()
    assert not ours.read(HITS)["q"][10:].any()


def what_is_undone_leaves_nothing_behind(ours: StorageOnRank) -> None:
    """See `compare_with_one_process`."""
    for seed in range(5):
        ours.close()
        if ours.rank == 0:
            ours.path.unlink()
        ours.open()
        compare_with_one_process(ours, seed, undoes=True)


def a_removal_cannot_be_undone(ours: StorageOnRank) -> None:
    """Say so, on the rank that would have to."""
    make_linked(ours)
    ours.mark()
    ours.delete(HITS)
    assert ours.cannot_go_back()


CASES: Mapping[str, Case] = {
    case.__name__: case
    for case in (
        a_new_table_is_empty_and_described,
        what_is_not_there_is_said,
        rows_of_all_ranks_are_read_by_all,
        packed_rows_are_read_as_they_are_by_then,
        rows_are_written_by_index,
        the_later_write_of_a_row_wins,
        rows_never_written_are_zero,
        a_length_never_shrinks,
        references_of_ranks_to_the_same_rows_are_merged,
        later_references_widen_regions,
        metadata_of_all_ranks_are_read_by_all,
        a_table_stays_the_same_object,
        objects_made_between_are_seen,
        what_is_deleted_is_gone,
        of_creates_that_are_refused_none_is_made,
        a_write_to_no_table_is_refused,
        a_closed_file_is_plain_hdf5,
        a_flushed_file_has_every_row,
        rows_of_a_file_of_others_are_changed_in_place,
        batches_at_random_make_what_one_process_makes,
        what_was_applied_since_a_mark_is_undone,
        what_is_undone_leaves_nothing_behind,
        a_removal_cannot_be_undone,
    )
}
