"""Rows as columns read as NumPy's structured arrays do."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from libraries import DEVICES, make_backend

from h5flow.backends import Backend, using
from h5flow.data import to_host
from h5flow.data.columns import Columns, MaskedColumns
from h5flow.data.presentation import present
from h5flow.errors import DataError
from h5flow.references.jagged import Jagged
from h5flow.references.padding import pad_cells

ROW = np.dtype(
    [
        ("b", "?"),
        *((kind, kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")),
        ("vector", "f4", (3,)),
        ("matrix", "i2", (2, 2)),
        ("inner", [("x", "f8"), ("deep", [("n", "u1"), ("pair", "i4", (2,))])]),
        ("name", "S4"),
    ]
)


HIT = np.dtype([("q", "f4"), ("adc", "u2"), ("n", "i4"), ("label", "S3")])


class Pair(NamedTuple):
    first: Any
    second: Any


@pytest.fixture(scope="module", params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    return make_backend(request.param)


def rows_of(count: int, seed: int = 0) -> Any:
    """Return rows whose every byte is different, less what is no boolean."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 255, (count, ROW.itemsize), "u1").view(ROW)[:, 0]
    rows["b"] = random.integers(0, 2, count)
    rows["u8"] >>= 1  # PyTorch has no larger ones
    for name in ("f4", "f8", "vector"):
        rows[name] = random.normal(size=rows[name].shape)
    rows["inner"]["x"] = random.normal(size=count)
    rows["name"] = b"text"
    return rows


def masked_rows(count: int) -> Any:
    """Return rows of two cells, of which every other has one."""
    there = np.ones((count, 2), bool)
    there[::2, 1] = False
    cells = np.flatnonzero(there)
    return pad_cells((count, 2), cells, rows_of(len(cells)))


@given(count=st.integers(0, 5), seed=st.integers(0, 2**32 - 1))
def test_rows_come_back_as_they_went(backend: Backend, count: int, seed: int) -> None:
    rows = rows_of(count, seed)
    found = to_host(present(backend, rows))
    assert found.dtype == rows.dtype
    assert found.tobytes() == rows.tobytes()


@given(rows=npst.arrays(st.just(np.dtype([("a", "i2"), ("v", "u1", (3,))])), npst.array_shapes()))
def test_rows_of_any_shape_come_back(backend: Backend, rows: Any) -> None:
    ours = present(backend, rows)
    assert (ours.shape, ours.ndim, ours.size, len(ours)) == (
        rows.shape,
        rows.ndim,
        rows.size,
        len(rows),
    )
    assert to_host(ours).tobytes() == rows.tobytes()


def test_fields_are_contiguous_arrays_of_the_library(backend: Backend) -> None:
    ours = present(backend, rows_of(7))
    for name in (*ROW.names[:-2], "vector", "matrix"):  # type: ignore[index]
        assert backend.owns(ours[name])
    assert tuple(ours["vector"].shape) == (7, 3)
    assert tuple(ours["matrix"].shape) == (7, 2, 2)
    assert backend.owns(ours["inner"]["deep"]["pair"])
    assert ours["inner"].dtype == ROW["inner"]


KEYS = [
    2,
    -1,
    slice(1, 4),
    slice(None, None, -2),
    [0, 3, 3],
    np.array([4, -1]),
    np.array([], "i8"),
    np.array([True, False, True, False, True, False]),
    np.array([[0, 1], [2, 5]]),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_rows_are_selected_as_in_numpy(backend: Backend, key: Any) -> None:
    rows = rows_of(6)
    ours = present(backend, rows)[key]
    assert ours.shape == np.shape(rows[key])
    assert to_host(ours).tobytes() == rows[key].tobytes()


@pytest.mark.parametrize(
    "key",
    [
        0, slice(1, 3), slice(3, 9), [1, 0], (slice(None), 1), (0, slice(None)), (Ellipsis, 0),
        (Ellipsis, [1, 1]), (0, Ellipsis), (Ellipsis, slice(None, None, -1)),
        (slice(None), np.array([False, True])), (None, Ellipsis, 1),
    ],
    ids=str,
)  # fmt: skip
def test_masked_rows_are_selected_as_in_numpy(backend: Backend, key: Any) -> None:
    rows = masked_rows(4)
    ours = present(backend, rows)[key]
    assert type(ours) is MaskedColumns
    host = to_host(ours)
    assert np.ma.getmaskarray(host).tobytes() == np.ma.getmaskarray(rows[key]).tobytes()
    assert np.asarray(host).tobytes() == np.asarray(rows[key].data).tobytes()


def test_masks_data_and_filled_rows(backend: Backend) -> None:
    rows = masked_rows(3)
    ours = present(backend, rows)
    assert type(ours.mask) is Columns
    assert to_host(ours.mask["i4"]).tolist() == rows.mask["i4"].tolist()
    assert to_host(ours.data["f8"]).tolist() == rows.data["f8"].tolist()
    assert to_host(ours.filled(0)["i4"]).tolist() == rows["i4"].filled(0).tolist()
    assert to_host(ours["vector"].mask).shape == (3, 2, 3)


def test_a_comparison_of_a_field_selects_rows(backend: Backend) -> None:
    rows = rows_of(6)
    ours = present(backend, rows)
    chosen = ours[ours["f8"] > 0]
    assert to_host(chosen).tobytes() == rows[rows["f8"] > 0].tobytes()
    padded = present(backend, masked_rows(3))
    expected = masked_rows(3)
    expected = {name: expected[name] for name in ("i8", "f8")}
    some = to_host(padded[padded["f8"] > 0]["i8"]).tolist()
    assert some == expected["i8"][(expected["f8"] > 0).filled(False)].tolist()


def test_a_field_is_assigned(backend: Backend) -> None:
    rows = rows_of(4)
    ours, xp = present(backend, rows), backend.namespace
    ours["f4"] = 3
    ours["i8"] = xp.asarray([1, 2, 3, 4])
    ours["f8"] = np.arange(4.0)
    ours["f8"][0:2] = 9
    ours["f4"] *= 2
    assert to_host(ours["f4"]).tolist() == [6, 6, 6, 6]
    assert to_host(ours["i8"]).tolist() == [1, 2, 3, 4]
    assert to_host(ours["f8"]).tolist() == [9, 9, 2, 3]


def test_a_field_of_masked_rows_is_assigned(backend: Backend) -> None:
    ours = present(backend, masked_rows(3))
    ours["f8"] = ours["f8"] * 0 + 1
    assert to_host(ours["f8"]).tolist() == [[1, None], [1, 1], [1, None]]
    ours["i4"] = 5
    assert to_host(ours["i4"]).tolist() == [[5, 5]] * 3


def test_a_list_of_names_selects_fields(backend: Backend) -> None:
    rows = rows_of(3)
    ours = present(backend, rows)[["f8", "b"]]
    assert ours.dtype.names == ("f8", "b")
    assert to_host(ours)["b"].tolist() == rows["b"].tolist()


def test_a_copy_is_changed_by_itself(backend: Backend) -> None:
    ours = present(backend, rows_of(2))
    other = copy.copy(ours).copy()
    other["i4"] = 0
    assert to_host(ours).tobytes() == rows_of(2).tobytes()


def test_rows_are_iterated(backend: Backend) -> None:
    rows = rows_of(3)
    assert [float(row["f8"]) for row in present(backend, rows)] == rows["f8"].tolist()


def test_text_stays_on_the_host(backend: Backend) -> None:
    ours = present(backend, rows_of(5))
    for touch in (lambda: ours["name"], lambda: ours.__setitem__("name", b"x")):
        with pytest.raises(DataError, match=r"'name'.* stays on the host"):
            touch()
    assert to_host(ours[[4, 0]])["name"].tolist() == [b"text", b"text"]
    padded = present(backend, masked_rows(2))
    assert to_host(padded)["name"][1].tolist() == [b"text", b"text"]


def test_a_single_row_of_any_length_comes_back(backend: Backend) -> None:
    rows = np.zeros(2, [("x", "f4"), ("v", object)])
    rows["v"][:] = [np.arange(2.0), np.arange(3.0)]
    assert to_host(present(backend, rows)[1])["v"][()].tolist() == [0, 1, 2]


def test_text_alone_and_objects_stay_arrays_of_numpy(backend: Backend) -> None:
    assert isinstance(present(backend, np.array([b"a"])), np.ndarray)
    only = present(backend, np.array([(b"a",)], [("s", "S1")]))
    assert to_host(only)["s"].tolist() == [b"a"]


def test_an_unknown_field_is_an_error_that_names_the_nearest(backend: Backend) -> None:
    with pytest.raises(DataError, match="did you mean 'vector'"):
        present(backend, rows_of(1))["vectr"]


def test_rows_are_not_turned_into_numpys_silently(backend: Backend) -> None:
    ours = present(backend, rows_of(2))
    for convert in (np.asarray, np.array, lambda rows: np.zeros(2) + rows):
        with pytest.raises(TypeError):
            convert(ours)
    with pytest.raises(TypeError, match="field by field"):
        ours[0] = 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(ours)


def test_jagged_rows_are_columns_with_offsets_there(backend: Backend) -> None:
    jagged = Jagged(np.array([0, 2, 2, 3]), rows_of(3), np.array([4, 7, 9]))
    ours = present(backend, jagged)
    assert backend.owns(ours.offsets)
    assert backend.owns(ours["f8"])
    assert to_host(ours.parent).tolist() == jagged.parent.tolist() == [0, 0, 2]
    assert to_host(ours.counts).tolist() == [2, 0, 1]
    assert [len(rows) for rows in ours] == [2, 0, 1]
    back = to_host(ours)
    assert back.values.tobytes() == jagged.values.tobytes()
    assert back.index.tolist() == [4, 7, 9]
    with pytest.raises(DataError, match="not a field"):
        ours["nosuch"]


def test_mappings_and_plain_values_pass_to_the_host(backend: Backend) -> None:
    xp = backend.namespace
    found = to_host({"a": xp.asarray([1, 2]), "b": [3], "c": (xp.asarray([4]), None)})
    assert found["a"].tolist() == [1, 2]
    assert found["b"] == [3]
    assert found["c"][0].tolist() == [4]
    assert to_host("text") == "text"


def test_lists_of_arrays_and_tuples_with_names_pass_to_the_host(backend: Backend) -> None:
    xp = backend.namespace
    numbers = xp.asarray([1, 2])
    assert to_host([numbers[0], numbers[1]]) == [1, 2]
    assert to_host([(numbers[0], numbers[1]), (numbers[1], 5)]) == [(1, 2), (2, 5)]
    assert to_host([present(backend, np.ma.MaskedArray([3], [0]))])[0].tolist() == [3]
    found = to_host(Pair(numbers, "text"))
    assert type(found) is Pair
    assert found.first.tolist() == [1, 2]


def test_all_that_goes_together_is_one_transfer(backend: Backend) -> None:
    rows = present(backend, Jagged(np.array([0, 3]), rows_of(3)[["i4", "f8"]], np.arange(3)))
    up, down = backend.traffic.transfers_up, backend.traffic.transfers_down
    with using(backend):
        present(backend, np.arange(3.0))
        assert backend.traffic.transfers_up == up + 1
        to_host(rows)
    assert backend.traffic.transfers_down - down == (1 if "array-api" not in backend.name else 4)


def hits() -> Any:
    rows = np.zeros(4, HIT)
    rows["q"], rows["adc"], rows["n"] = np.arange(4) / 2, 7, -np.arange(4)
    return rows


def padded() -> Any:
    rows = np.ma.MaskedArray(hits().reshape(2, 2), mask=False)
    rows[0, 1] = np.ma.masked
    rows.data[0, 1] = np.zeros((), HIT)
    return rows


def test_rows_are_compared_field_by_field(backend: Backend) -> None:
    for rows in (present(backend, hits()), present(backend, padded())):
        for compare in (lambda x: x == x, lambda x: x != x):
            with pytest.raises(TypeError, match="field by field"):
                compare(rows)


@pytest.mark.parametrize("dtype", ["f8", "i8", "?"])
def test_a_field_takes_values_of_another_dtype(backend: Backend, dtype: str) -> None:
    values = np.array([1, 0, 1, 1], dtype)
    for each in (values, present(backend, values)):
        rows = present(backend, hits())
        rows["q"] = each
        assert to_host(rows)["q"].tolist() == [1.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize("values", [[1, 2, 0, 4], [True] * 4, 2.75, np.int64(3), True], ids=str)
@pytest.mark.parametrize("field", ["q", "n", "adc"])
def test_a_field_takes_lists_and_numbers_as_in_numpy(
    backend: Backend, field: str, values: Any
) -> None:
    expected, rows = hits(), present(backend, hits())
    expected[field] = rows[field] = values
    assert to_host(rows)[field].tolist() == expected[field].tolist()
    expected, rows = padded(), present(backend, padded())
    expected[field] = rows[field] = (
        np.reshape(values, (2, 2)).tolist() if np.ndim(values) else values
    )
    assert to_host(rows[field]).tolist() == expected[field].tolist()


def test_a_plain_field_takes_the_values_of_masked_ones(backend: Backend) -> None:
    rows, masked = present(backend, hits()), np.ma.MaskedArray([1.0, 0.0, 3.0, 4.0], [0, 1, 0, 0])
    for values in (masked, present(backend, masked)):
        rows["q"] = 9
        rows["q"] = values
        assert to_host(rows)["q"].tolist() == [1, 0, 3, 4]
    rows["n"] = present(backend, masked).max()
    assert to_host(rows)["n"].tolist() == [4] * 4


def test_a_masked_field_takes_arrays_of_numpy(backend: Backend) -> None:
    for values in (
        np.arange(4.0).reshape(2, 2),
        np.ma.MaskedArray([[1, 0], [0, 4]], [[0, 1], [1, 0]]),
    ):
        expected, rows = padded(), present(backend, padded())
        expected["q"] = values
        rows["q"] = values
        assert to_host(rows["q"]).tolist() == expected["q"].tolist()


def test_filling_rows_gives_the_fill_values_of_numpy(backend: Backend) -> None:
    filled = to_host(present(backend, padded()).filled())
    expected = padded().filled()
    for name in ("q", "adc", "n"):
        assert filled[name].tolist() == expected[name].tolist()
