"""Linked rows as a masked rectangle."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.recfunctions import structured_to_unstructured

from h5flow.errors import PaddingError
from h5flow.references.padding import pad_cells
from h5flow.testing.strategies import tables


def padded_rows(counts, values, **options):
    """Pad so many values for each row."""
    width = max(1, *counts)
    cells = [row * width + place for row, count in enumerate(counts) for place in range(count)]
    return pad_cells((len(counts), width), np.array(cells, np.int64), values, **options)


@given(tables(), st.data())
def test_cells_hold_the_rows_and_the_others_are_zero_and_masked(values, data):
    cuts = st.lists(st.integers(0, len(values)), max_size=5).map(sorted)
    offsets = [0, *data.draw(cuts), len(values)]
    counts = np.diff(offsets)
    padded = padded_rows(counts, values)
    width = max(1, *counts)
    expected = np.zeros((len(counts), width, *values.shape[1:]), values.dtype)
    masked = np.ones(expected.shape, np.ma.make_mask_descr(values.dtype))
    for row, count in enumerate(counts):
        expected[row, :count] = values[offsets[row] : offsets[row] + count]
        masked[row, :count] = np.zeros((), masked.dtype)
    assert padded.dtype == values.dtype
    assert padded.data.tobytes() == expected.tobytes()
    assert padded.mask.dtype == masked.dtype
    assert padded.mask.tobytes() == masked.tobytes()


def test_a_structured_mask_has_fields_also_when_all_is_masked():
    padded = padded_rows([0, 0], np.zeros(0, [("x", "f8"), ("y", "f4")]))
    assert padded.shape == (2, 1)
    assert padded.mask["x"].all()
    assert structured_to_unstructured(padded.mask).all()


def test_a_rectangle_without_gaps_has_a_whole_mask_too():
    padded = padded_rows([2, 2], np.arange(4.0))
    assert padded.mask.tolist() == [[False, False], [False, False]]
    assert padded.tolist() == [[0.0, 1.0], [2.0, 3.0]]


def test_strings_of_variable_length_are_empty_where_masked():
    words = np.array([b"muon", b"pion"], h5py.string_dtype())
    padded = padded_rows([2, 0], words)
    assert padded.data.tolist() == [[b"muon", b"pion"], [b"", b""]]


def test_a_field_of_strings_of_variable_length_is_empty_where_masked():
    rows = np.array([(b"muon", 1)], [("name", h5py.string_dtype()), ("n", "i4")])
    padded = padded_rows([0, 1], rows)
    assert padded.data[0, 0].item() == (b"", 0)


def test_arrays_of_variable_length_are_empty_where_masked():
    rows = np.empty(1, h5py.vlen_dtype("i4"))
    rows[0] = np.array([1, 2], "i4")
    padded = padded_rows([0, 1], rows)
    assert padded.data[0, 0].shape == (0,)
    assert padded.data[1, 0].tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [[("x", "f2")], [("at", [("x", "f2", (2,))]), ("n", "i4")]])
def test_fields_of_half_floats_are_padded_without_a_warning(dtype):
    padded = padded_rows([1, 0], np.ones(1, dtype))  # warnings are errors here
    assert padded.data.tobytes() == np.ones(1, dtype).tobytes() + np.zeros(1, dtype).tobytes()


def test_padding_beyond_the_budget_names_the_jagged_layout():
    counts = np.zeros(65_536, np.int64)
    counts[17] = 100_000
    with pytest.raises(PaddingError, match="layout: jagged"):
        padded_rows(counts, np.zeros(100_000, [("x", "f8"), ("y", "f8")]))


def test_the_budget_counts_data_and_mask():
    assert padded_rows([1, 1], np.zeros(2), budget=2 * 9).shape == (2, 1)
    with pytest.raises(PaddingError):
        padded_rows([1, 1], np.zeros(2), budget=2 * 9 - 1)
