"""What a stage has written from a device need not travel to the next."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from libraries import DEVICES, make_backend

from h5flow.backends import Backend, using
from h5flow.data import to_host
from h5flow.data.device_results import DeviceResults
from h5flow.data.masked import MaskedArray
from h5flow.data.presentation import present
from h5flow.storage.protocol import TableDescription

ROW = np.dtype([("x", "f4"), ("n", "i2"), ("at", "f8", (2,)), ("in", [("b", "?")])])
PATH = "/rows/data"


@pytest.fixture(params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    return make_backend(request.param)


@pytest.fixture
def results(backend: Backend) -> Any:
    with using(backend):
        yield DeviceResults(Counter())


def a_table(dtype: Any = ROW, shape: tuple[int, ...] = ()) -> TableDescription:
    return TableDescription(np.dtype(dtype), shape, 100)


def some_rows(count: int) -> Any:
    rows = np.zeros(count, ROW)
    rows["x"], rows["n"] = np.arange(count) / 3, np.arange(count)
    rows["at"], rows["in"]["b"] = np.arange(2 * count).reshape(count, 2), True
    return rows


def wide(backend: Backend, rows: Any) -> dict[str, Any]:
    """Return columns with wider numbers than the file has."""
    return {
        "x": backend.namespace.asarray(rows["x"].astype("f8")),
        "n": backend.namespace.asarray(rows["n"].astype("i8")),
        "at": backend.namespace.asarray(rows["at"].copy()),
        "in": {"b": backend.namespace.asarray(rows["in"]["b"].copy())},
    }


def test_rows_are_found_in_the_dtypes_of_the_file(backend: Backend, results: DeviceResults) -> None:
    rows = some_rows(5)
    for data in (wide(backend, rows), present(backend, rows)):
        results.keep(PATH, a_table(), slice(10, 15), data)
        found = results.find(PATH, backend, 11, 14)
        assert found is not None
        taken = found.at(np.array([13, 11, 11]))
        assert to_host(taken).tobytes() == rows[[3, 1, 1]].tobytes()
        assert taken["x"].dtype == present(backend, rows)["x"].dtype


def test_rows_beyond_are_not_found(backend: Backend, results: DeviceResults) -> None:
    results.keep(PATH, a_table(), slice(10, 15), present(backend, some_rows(5)))
    for start, stop in ((9, 12), (14, 16), (0, 1)):
        assert results.find(PATH, backend, start, stop) is None
    assert results.find("/others/data", backend, 11, 12) is None
    assert results.find(PATH, make_backend("numpy"), 11, 12) is None
    results.clear()
    assert results.find(PATH, backend, 11, 12) is None


def test_a_later_write_takes_the_place_of_an_earlier_one(
    backend: Backend, results: DeviceResults
) -> None:
    rows = some_rows(4)
    results.keep(PATH, a_table(), slice(0, 4), present(backend, rows))
    results.keep(PATH, a_table(), slice(4, 8), present(backend, rows))
    assert results.find(PATH, backend, 0, 4) is not None
    results.keep(PATH, a_table(), slice(3, 4), rows[:1])  # from the host
    assert results.find(PATH, backend, 0, 4) is None
    assert results.find(PATH, backend, 4, 8) is not None
    results.keep(PATH, a_table(), np.array([5]), rows[:1])
    assert results.find(PATH, backend, 4, 8) is None


def test_what_another_rank_has_written_to_is_not_found(backend: Backend) -> None:
    overwritten: Counter[str] = Counter()
    with using(backend):
        results = DeviceResults(overwritten)
        results.keep(PATH, a_table(), slice(0, 4), present(backend, some_rows(4)))
        results.keep(PATH, a_table(), slice(8, 12), present(backend, some_rows(4)))
        overwritten[PATH] += 1
        assert results.find(PATH, backend, 0, 4) is None
        results.keep(PATH, a_table(), slice(0, 4), present(backend, some_rows(4)))
        assert results.find(PATH, backend, 0, 4) is not None
        assert results.find(PATH, backend, 8, 12) is None


def test_nothing_is_moved_to_keep_what_is_there(backend: Backend, results: DeviceResults) -> None:
    rows = present(backend, some_rows(4))
    results.keep(PATH, a_table(), slice(0, 4), rows)
    before = backend.traffic.so_far()
    results.keep(PATH, a_table(), slice(4, 8), rows)
    assert backend.traffic.so_far() == before


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_rows_are_as_the_file_rounds_them(
    backend: Backend, results: DeviceResults, kind: str
) -> None:
    values = np.arange(4.0) / 3
    results.keep(PATH, a_table(kind), slice(0, 4), backend.namespace.asarray(values))
    found = results.find(PATH, backend, 0, 4)
    if found is not None:
        assert to_host(found.at(np.arange(4))).tolist() == values.astype(kind).tolist()
    assert found is not None or kind == "f2"


def test_what_is_written_is_a_copy_with_zeros_under_the_mask(
    backend: Backend, results: DeviceResults
) -> None:
    xp = backend.namespace
    values = MaskedArray(xp.asarray([1.0, 2.0, 3.0]), xp.asarray([False, True, False]))
    results.keep(PATH, a_table("f8"), slice(0, 3), values)
    values.data[...] = 9.0
    found = results.find(PATH, backend, 0, 3)
    assert found is not None
    assert to_host(found.at(np.arange(3))).tolist() == [1, 0, 3]


def test_what_is_not_all_on_the_device_is_not_kept(
    backend: Backend, results: DeviceResults
) -> None:
    rows = some_rows(3)
    half = {**wide(backend, rows), "n": rows["n"]}
    scalar = {**wide(backend, rows), "x": backend.namespace.asarray(1.0)}
    text = a_table([("s", "S3"), ("x", "f4")])
    for table, data in (
        (a_table(), half),
        (a_table(), scalar),
        (a_table(), rows),
        (text, {"s": np.array([b"a"] * 3), "x": backend.namespace.zeros((3,))}),
        (text, present(backend, np.zeros(3, text.dtype))),
    ):
        results.keep(PATH, table, slice(0, 3), data)
        assert results.find(PATH, backend, 0, 3) is None
