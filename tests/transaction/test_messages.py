"""Acts travel as bytes, and come out as they were."""

from __future__ import annotations

import numpy as np
import pytest

from h5flow.comm.mpi import SLOT
from h5flow.io.metadata import Metadata
from h5flow.storage.protocol import CreateTable
from h5flow.transaction import acts
from h5flow.transaction.acts import Tag
from h5flow.transaction.messages import FIELDS, decode, encode

TAG = Tag(7, "pairs", "run")
HIT = np.dtype({"names": ["q", "t"], "formats": ["f4", "u2"], "offsets": [4, 0], "itemsize": 12})
LINKED = acts.Linked("/a/ref/b/ref", ("/a/ref/b/ref_region", "/b/ref/a/ref_region"), 3, (8, 9))

EVERY = [
    acts.Reserve(TAG, "/hits/data", 2**40, 2),
    acts.Extend(TAG, "/hits/data", 12),
    acts.Create(TAG, (CreateTable("/hits/data", HIT, (2, 3), {"a": "b"}, "gzip:4"),), 1),
    acts.Ask(TAG, "metadata", "/hits"),
    acts.Flush(TAG, None),
    acts.Flush(TAG, ("/hits/data",), places=False, watches=True),
    acts.Delete(TAG, "hits/calib"),
    acts.Collective(TAG, "allgather"),
    acts.EndOfHook(TAG),
    acts.EndOfHook(
        TAG,
        slice(3, 9),
        acts.Queued(("/hits/data",), (LINKED,), ("/hits",), b"\0digest", ("/hits/data",)),
        ("careful: Ω",),
    ),
    acts.Outcome(TAG, ("DataError", "it does not fit", "")),
    acts.Outcome(TAG, None, {"length": 3}),
    acts.Failed(Tag(), "ZeroDivisionError", "Traceback …\n", 130),
]


@pytest.mark.parametrize("act", EVERY, ids=lambda act: type(act).__name__)
def test_an_act_comes_out_as_it_was(act: acts.Act) -> None:
    assert decode(encode(act)) == act


def test_every_kind_is_tried() -> None:
    assert {type(act) for act in EVERY} == set(FIELDS)


def test_a_layout_of_rows_is_kept() -> None:
    act = decode(encode(EVERY[2]))
    assert isinstance(act, acts.Create)
    assert act.tables[0].dtype.fields == HIT.fields
    assert act.tables[0].dtype.itemsize == 12


def test_metadata_in_an_answer_are_as_h5py_reads_them() -> None:
    act = decode(encode(acts.Outcome(TAG, None, Metadata(unit="MeV", bins=[1, 2]))))
    assert isinstance(act, acts.Outcome)
    assert act.answer["unit"] == "MeV"
    assert act.answer["bins"].tolist() == [1, 2]


@pytest.mark.parametrize("act", [EVERY[0], EVERY[5], acts.EndOfHook(TAG)])
def test_what_is_frequent_fits_into_a_slot(act: acts.Act) -> None:
    assert len(encode(act)) < SLOT.size
