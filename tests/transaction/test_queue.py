"""What a rank has queued, in the order of its calls."""

from __future__ import annotations

import numpy as np

from h5flow.storage.protocol import Link, Write
from h5flow.transaction.queue import Queue

LINK_PATHS = ("/a/ref/b/ref", ("/a/ref/b/ref_region", "/b/ref/a/ref_region"))


def filled() -> Queue:
    queue = Queue()
    for number, path in enumerate(["/x/data", "/y/data", "/x/data"]):
        queue.write(Write(path, slice(0, 1), np.array([number])))
    queue.link(Link(*LINK_PATHS, np.array([[0, 1]])))
    queue.set_attributes("/x", {"unit": "cm"})
    return queue


def test_everything_comes_out_in_the_order_of_the_calls():
    batch = filled().drain(3, {"/x/data": 5})
    assert [(write.path, write.data[0]) for write in batch.writes] == [
        ("/x/data", 0),
        ("/y/data", 1),
        ("/x/data", 2),
    ]
    assert len(batch.links) == 1
    assert batch.attributes[0].values == {"unit": "cm"}
    assert (batch.iteration, batch.lengths) == (3, {"/x/data": 5})


def test_what_comes_out_is_in_no_longer():
    queue = filled()
    assert queue
    assert queue.size_bytes > 0
    queue.drain(0, {})
    assert not queue
    assert queue.size_bytes == 0


def test_one_table_comes_out_alone():
    queue = filled()
    batch = queue.drain(0, {}, {"/x/data"})
    assert [write.data[0] for write in batch.writes] == [0, 2]
    assert not batch.links
    assert not batch.attributes
    rest = queue.drain(0, {})
    assert [write.data[0] for write in rest.writes] == [1]
    assert len(rest.links) == 1
    assert queue.size_bytes == 0


def test_references_come_out_for_their_table_and_for_each_region():
    for path in (LINK_PATHS[0], *LINK_PATHS[1]):
        queue = filled()
        assert len(queue.drain(0, {}, {path}).links) == 1
        assert not queue.drain(0, {}).links


def test_the_size_counts_rows_references_and_entries():
    queue = Queue()
    queue.write(Write("/x/data", slice(0, 1000), np.zeros(1000)))
    assert 8000 <= queue.size_bytes < 10_000
    for _ in range(10):
        queue.set_attributes("/x", {"a": 1})
    assert queue.size_bytes > 10_000
    queue.clear()
    assert queue.size_bytes == 0
