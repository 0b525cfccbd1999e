"""Any sequence of calls leaves the file that a model in plain Python says."""

from __future__ import annotations

import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from h5flow.data import H5FlowDataManager, lifetime
from h5flow.errors import DataError, H5FlowWarning, NoSuchDatasetError, ReverseReferenceError
from h5flow.io import chunks

__all__ = ["TestDataManager"]

TYPES: list[tuple[np.dtype[Any], tuple[int, ...]]] = [
    (np.dtype("i4"), ()),
    (np.dtype("f8"), (2,)),
    (np.dtype([("q", "f4"), ("n", "u2")]), ()),
]
NAMES = ["a", "a/b", "b", "a/b/c", "ab"]
names = st.sampled_from(NAMES)
rows = st.integers(0, 40)


class Model(RuleBasedStateMachine):
    """A data manager, and what its file has to hold."""

    def __init__(self) -> None:
        super().__init__()
        # Small ones, so that few rows fill several chunks, and few calls the queue.
        self.small = ExitStack()
        self.small.enter_context(mock.patch.object(chunks, "HDF5_CHUNK_BYTES", 64))
        self.small.enter_context(mock.patch.object(lifetime, "QUEUE_BYTES", 8000))
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "file.h5"
        self.dm = H5FlowDataManager(self.path)
        self.datasets: dict[str, np.ndarray] = {}
        self.links: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self.attributes: dict[str, dict[str, int]] = {}
        self.written = 0

    def teardown(self) -> None:
        self.check_everything()
        self.dm.close_file()
        self.read_only()
        self.folder.cleanup()
        self.small.close()

    def fresh_rows(self, name: str, count: int) -> np.ndarray:
        like = self.datasets[name]
        numbers = np.arange(self.written, self.written + count) % 60_000 + 1
        self.written += count
        values = np.zeros((count, *like.shape[1:]), like.dtype)
        if like.dtype.names:
            values["q"], values["n"] = numbers, numbers
        else:
            values.T[...] = numbers
        return values

    def grow(self, name: str, length: int) -> None:
        present = self.datasets[name]
        if length > len(present):
            more = np.zeros((length - len(present), *present.shape[1:]), present.dtype)
            self.datasets[name] = np.concatenate([present, more])

    def relation(self, one: str, other: str) -> tuple[str, str] | None:
        return next((key for key in ((one, other), (other, one)) if key in self.links), None)

    # -- making ------------------------------------------------------------------------------

    @initialize(kind=st.sampled_from(TYPES))
    def begin(self, kind: tuple[np.dtype[Any], tuple[int, ...]]) -> None:
        for name in ("a", "b"):
            self.create(name, kind)
        self.create_ref("a", "b")

    @rule(name=names, kind=st.sampled_from(TYPES))
    def create(self, name: str, kind: tuple[np.dtype[Any], tuple[int, ...]]) -> None:
        present = self.datasets.get(name)
        if present is not None and (present.dtype, present.shape[1:]) != kind:
            with pytest.raises(DataError, match="exists already"):
                self.dm.create_dset(name, *kind)
            return
        self.dm.create_dset(name, *kind)
        if present is None:
            self.datasets[name] = np.zeros((0, *kind[1]), kind[0])

    @rule(parent=names, child=names)
    def create_ref(self, parent: str, child: str) -> None:
        if parent not in self.datasets or child not in self.datasets:
            error: type[Exception] | None = NoSuchDatasetError
        elif self.relation(parent, child) in {None, (parent, child)}:
            error = None
        else:
            error = ReverseReferenceError
        if error:
            with pytest.raises(error):
                self.dm.create_ref(parent, child)
        else:
            self.dm.create_ref(parent, child)
            self.links.setdefault((parent, child), [])

    @rule(name=names, count=st.integers(-1, 30))
    def reserve_and_write(self, name: str, count: int) -> None:
        if name not in self.datasets or count < 0:
            with pytest.raises((NoSuchDatasetError, DataError)):
                self.dm.reserve_data(name, count)
            return
        length = len(self.datasets[name])
        reserved = self.dm.reserve_data(name, np.int32(count))
        assert reserved == slice(length, length + count)
        self.grow(name, length + count)
        values = self.fresh_rows(name, count)
        self.dm.write_data(name, reserved, values)
        self.datasets[name][reserved] = values

    @precondition(lambda self: self.datasets)
    @rule(data=st.data(), start=rows, count=rows)
    def reserve_slice(self, data: st.DataObject, start: int, count: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.datasets)))
        wanted = slice(start, start + count)
        assert self.dm.reserve_data(name, wanted) == wanted
        self.grow(name, wanted.stop)

    @precondition(lambda self: any(len(values) for values in self.datasets.values()))
    @rule(data=st.data())
    def write_anywhere(self, data: st.DataObject) -> None:
        name = data.draw(
            st.sampled_from(sorted(name for name, values in self.datasets.items() if len(values)))
        )
        length = len(self.datasets[name])
        where = np.array(data.draw(st.lists(st.integers(0, length - 1), max_size=12)), np.int64)
        values = self.fresh_rows(name, len(where))
        self.dm.write_data(name, where, values)
        for row, value in zip(where, values, strict=True):
            self.datasets[name][row] = value

    @precondition(lambda self: self.links)
    @rule(data=st.data(), pairs=st.lists(st.tuples(rows, rows), max_size=12), turned=st.booleans())
    def write_ref(self, data: st.DataObject, pairs: list[tuple[int, int]], turned: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.links)))
        if turned and key[0] != key[1]:
            self.dm.write_ref(key[1], key[0], [(b, a) for a, b in pairs])
        else:
            self.dm.write_ref(*key, pairs)
        self.links[key] += pairs

    @rule(parent=names, child=names)
    def write_ref_that_was_not_created(self, parent: str, child: str) -> None:
        if self.relation(parent, child) is None:
            with pytest.raises(NoSuchDatasetError):
                self.dm.write_ref(parent, child, [(0, 0)])

    @rule(name=names, key=st.sampled_from("xy"), value=st.integers(0, 9))
    def set_attrs(self, name: str, key: str, value: int) -> None:
        self.dm.set_attrs(name, **{key: value})
        self.attributes.setdefault(name, {})[key] = value

    @rule(name=names)
    def delete(self, name: str) -> None:
        below = {
            other
            for other in {*self.datasets, *self.attributes}
            if f"{other}/".startswith(f"{name}/")
        }
        gone = {name} if name in self.datasets else below
        if not gone:
            with pytest.raises(NoSuchDatasetError):
                self.dm.delete(name)
            return
        self.dm.delete(name)
        for other in gone:
            self.datasets.pop(other, None)
            self.attributes.pop(other, None)
        self.links = {key: pairs for key, pairs in self.links.items() if gone.isdisjoint(key)}

    # -- the life of the file ----------------------------------------------------------------

    @rule()
    def close(self) -> None:
        self.dm.close_file()

    @rule()
    def finish(self) -> None:
        self.dm.finish()

    @rule()
    def read_only(self) -> None:
        self.dm.close_file()
        writing, self.dm = self.dm, H5FlowDataManager(self.path, mode="r")
        self.check_everything()
        self.dm.close_file()
        self.dm = writing

    # -- reading ------------------------------------------------------------------------------

    @rule()
    def check_everything(self) -> None:
        for name in NAMES:
            assert self.dm.dset_exists(name) == (name in self.datasets)
            if name in self.attributes or name in self.datasets:
                assert self.dm.get_attrs(name) == self.attributes.get(name, {})
        for name in self.datasets:
            self.check_rows(name)
        for key in self.links:
            self.check_links(key)

    def check_rows(self, name: str) -> None:
        expected = self.datasets[name]
        assert len(self.dm.get_dset(name)) == len(expected)
        assert np.array_equal(self.dm[name, :], expected)
        backward = np.arange(len(expected))[::-3]
        assert np.array_equal(self.dm[name, backward], expected[backward])
        found = {ref.name for ref, _ in self.dm.get_refs(name)}
        assert found == {f"/{a}/ref/{b}/ref" for a, b in self.links if name in {a, b}}

    def check_links(self, key: tuple[str, str]) -> None:
        ref, direction = self.dm.get_ref(*key)
        assert direction == (0, 1)
        assert [tuple(pair) for pair in ref[:].tolist()] == self.links[key]
        for parent, child, column in ((*key, 0), (*key[::-1], 1)):
            values = self.datasets[child]
            with warnings.catch_warnings():
                # References to rows that do not exist yet.
                warnings.simplefilter("ignore", H5FlowWarning)
                found = self.dm[parent, child, :]
            if key[0] == key[1] and column:
                continue
            for row in range(len(self.datasets[parent])):
                children = sorted(
                    pair[1 - column] for pair in self.links[key] if pair[column] == row
                )
                there = [child for child in children if child < len(values)]
                cells = np.ma.getmaskarray(found)[row]
                shown = ~(cells[next(iter(cells.dtype.names))] if cells.dtype.names else cells)
                shown = shown.reshape(len(shown), -1)[:, 0]
                assert np.array_equal(found.data[row][shown], values[there])


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestDataManager = Model.TestCase
