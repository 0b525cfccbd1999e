"""A batch travels from one rank to another, whole and in pieces."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from h5flow.io.metadata import Metadata
from h5flow.storage.protocol import Batch, Link, SetAttributes, Write
from h5flow.storage.transfer import receive_batches, send_batch, split
from h5flow.testing.ranks import ThreadCommunicator, run_on_ranks

HIT = np.dtype({"names": ["q", "t"], "formats": ["f4", "u2"], "offsets": [4, 0], "itemsize": 12})
REGIONS = ("/a/region", "/b/region")


def travel(batch: Batch, largest: int = 2**20) -> tuple[list[Batch], list[int]]:
    """Send a batch from rank 1 to rank 0; return its pieces, and the sizes of the messages."""
    sizes: list[int] = []

    class Measured:
        def __init__(self, communicator: ThreadCommunicator) -> None:
            self.communicator = communicator

        def send(self, data: Any, rank: int) -> None:
            sizes.append(memoryview(data).nbytes)
            self.communicator.send(data, rank)

    def on_rank(communicator: ThreadCommunicator) -> list[Batch]:
        if communicator.rank:
            send_batch(batch, Measured(communicator), 0, largest)  # type: ignore[arg-type]
            return []
        return list(receive_batches(communicator, 1))

    return run_on_ranks(2, on_rank)[0], sizes


def written(pieces: list[Batch], length: int) -> np.ndarray[Any, Any]:
    rows = np.zeros(length, np.int64)
    for piece in pieces:
        for write in piece.writes:
            rows[write.rows] = write.data
    return rows


def test_rows_arrive_bit_for_bit_in_their_own_layout() -> None:
    rows = np.zeros(1000, HIT)
    rows["q"], rows["t"] = np.arange(1000) / 7, np.arange(1000)
    (piece,), _ = travel(Batch(writes=[Write("/hits/data", slice(5, 1005), rows)]))
    (write,) = piece.writes
    assert (write.path, write.rows) == ("/hits/data", slice(5, 1005))
    assert write.data.dtype == HIT
    assert write.data.dtype.itemsize == 12
    assert write.data.tobytes() == rows.tobytes()


def test_what_all_ranks_know_alike_does_not_travel() -> None:
    assert travel(Batch(lengths={"/hits/data": 9}))[0] == []


def test_metadata_and_references_arrive() -> None:
    values = Metadata(unit="MeV", bins=np.arange(3), nothing=h5py.Empty("f4"))
    link = Link("/ref", REGIONS, np.array([[1, 2], [3, 4]]))
    (piece,), _ = travel(Batch(links=[link], attributes=[SetAttributes("/hits", values)]))
    assert piece.links[0].regions == REGIONS
    assert piece.links[0].pairs.tolist() == [[1, 2], [3, 4]]
    (attributes,) = piece.attributes
    assert attributes.values["unit"] == "MeV"
    assert attributes.values["bins"].tolist() == [0, 1, 2]


def test_text_of_any_length_arrives() -> None:
    words = np.array(["a", "Ω" * 9000, ""], h5py.string_dtype())
    (piece,), _ = travel(Batch(writes=[Write("/names", slice(0, 3), words)]))
    assert piece.writes[0].data.tolist() == words.tolist()


def test_no_message_is_larger_than_a_piece() -> None:
    largest = 64 * 1024
    rows = np.arange(100_000)
    pieces, sizes = travel(Batch(writes=[Write("/data", slice(0, 100_000), rows)]), largest)
    assert max(sizes) <= largest
    assert len(pieces) == -(-rows.nbytes // largest)
    assert written(pieces, 100_000).tolist() == rows.tolist()


def test_text_of_any_length_counts_as_what_it_takes() -> None:
    rows = np.zeros(300, [("n", "i4"), ("text", h5py.string_dtype())])
    rows["text"] = [*([""] * 200), *(f"{row:03}" * 300 for row in range(100))]
    pieces, sizes = travel(Batch(writes=[Write("/data", slice(0, 300), rows)]), 10_000)
    assert max(sizes) <= 2 * 10_000
    arrived = [write for piece in pieces for write in piece.writes]
    assert np.concatenate([write.data["text"] for write in arrived]).tolist() == [*rows["text"]]
    assert [write.rows.start for write in arrived[1:]] == [
        write.rows.stop for write in arrived[:-1]
    ]


def test_the_receiver_holds_one_piece_at_a_time() -> None:
    rows, alive = np.zeros(80_000, np.int64), []

    def on_rank(communicator: ThreadCommunicator) -> None:
        if communicator.rank:
            batch = Batch(writes=[Write("/data", slice(0, len(rows)), rows)])
            send_batch(batch, communicator, 0, 64 * 1024)
            return
        pieces = receive_batches(communicator, 1)
        alive.extend(sum(write.data.nbytes for write in piece.writes) for piece in pieces)

    run_on_ranks(2, on_rank)
    assert len(alive) == 10
    assert max(alive) <= 64 * 1024


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    writes = []
    for _ in range(draw(st.integers(0, 4))):
        index = sorted(draw(st.sets(st.integers(0, 60), max_size=30)))
        if draw(st.booleans()) and index:
            rows: Any = slice(index[0], index[0] + len(index))
        else:
            rows = np.array(index, np.int64)
        writes.append(Write("/data", rows, np.array(index, np.int64) * 3 + len(writes)))
    pairs = [draw(st.integers(0, 9)) for _ in range(draw(st.integers(0, 20)))]
    links = [Link("/ref", REGIONS, np.array([pairs, pairs], np.int64).T)] if pairs else []
    return Batch(writes=writes, links=links)


@given(batch=batches(), largest=st.integers(8, 400))
def test_pieces_one_after_the_other_make_the_same(batch: Batch, largest: int) -> None:
    pieces = list(split(batch, largest))
    assert written(pieces, 100).tolist() == written([batch], 100).tolist()
    found = [pair for piece in pieces for link in piece.links for pair in link.pairs.tolist()]
    assert found == [pair for link in batch.links for pair in link.pairs.tolist()]
    for piece in pieces:
        entries = [*(w.data for w in piece.writes), *(link.pairs for link in piece.links)]
        assert sum(each.nbytes for each in entries) <= max(largest, 16)


def test_a_sender_that_fails_leaves_nobody_waiting() -> None:
    bad = Metadata(lock=threading.Lock())  # type: ignore[arg-type]
    rows = np.arange(5000)
    batch = Batch(
        writes=[Write("/data", slice(0, 5000), rows)], attributes=[SetAttributes("/a", bad)]
    )

    def on_rank(communicator: ThreadCommunicator) -> int:
        if communicator.rank:
            with pytest.raises(TypeError):
                send_batch(batch, communicator, 0, 8192)
            return 0
        return len(list(received(communicator)))

    def received(communicator: ThreadCommunicator) -> Iterator[Batch]:
        yield from receive_batches(communicator, 1)

    # every piece but the one that cannot be sent
    assert run_on_ranks(2, on_rank)[0] == len(list(split(batch, 8192))) - 1


def test_very_many_small_writes_travel_in_pieces_too() -> None:
    writes = [Write("/rows/data", slice(n, n + 1), np.array([n])) for n in range(2000)]
    pieces, sizes = travel(Batch(writes=writes), largest=50_000)
    assert max(sizes) <= 50_000
    assert len(pieces) > 10
    assert written(pieces, 2000).tolist() == list(range(2000))


def test_numbers_of_rows_count_as_their_rows_do() -> None:
    rows = np.arange(0, 40_000, 2)
    pieces, sizes = travel(Batch(writes=[Write("/r/data", rows, rows.astype("u1"))]), 20_000)
    assert max(sizes) <= 20_000
    assert sum(len(write.data) for piece in pieces for write in piece.writes) == len(rows)
