"""Masked arrays on any library mean what numpy.ma means."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from libraries import DEVICES, make_backend

from h5flow.arrays import DeviceNamespace
from h5flow.backends import Backend
from h5flow.data import to_host
from h5flow.data.masked import MaskedArray
from h5flow.data.presentation import present

KINDS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8", "?"]
ARITHMETIC = ["add", "sub", "mul", "truediv", "floordiv", "mod"]
COMPARISONS = ["lt", "le", "gt", "ge", "eq", "ne"]


@pytest.fixture(scope="module", params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    return make_backend(request.param)


@st.composite
def masked(
    draw: st.DrawFn, kinds: Sequence[str] = KINDS, shape: tuple[int, ...] | None = None
) -> np.ma.MaskedArray[Any, Any]:
    """Draw masked arrays as files give them: zero under the mask."""
    dtype = np.dtype(draw(st.sampled_from(kinds)))
    shape = shape or draw(npst.array_shapes(min_dims=2, max_dims=3, max_side=4))
    elements = (
        st.sampled_from([0.0, 1.0, -2.5, 3.25, 100.0, 0.125])
        if dtype.kind == "f"
        else npst.from_dtype(dtype, min_value=-9, max_value=9)
        if dtype.kind == "i"
        else npst.from_dtype(dtype, max_value=9)
        if dtype.kind == "u"
        else st.booleans()
    )
    data = draw(npst.arrays(dtype, shape, elements=elements))
    mask = draw(npst.arrays(np.bool_, shape))
    data[mask] = 0
    return np.ma.MaskedArray(data, mask=mask, keep_mask=False)


def check(found: Any, expected: Any) -> None:
    """Compare values and mask with numpy.ma's, and the dtype where a library has it."""
    assert isinstance(found, MaskedArray)
    host = to_host(found)
    expected = np.ma.asarray(expected)
    mask = np.ma.getmaskarray(expected)
    assert host.shape == expected.shape
    assert np.ma.getmaskarray(host).tolist() == mask.tolist()
    np.testing.assert_allclose(
        host.filled(0).astype("f8"), expected.filled(0).astype("f8"), rtol=1e-6
    )
    if expected.dtype.kind != "u":  # wider in PyTorch
        assert host.dtype == expected.dtype


def quiet(call: Callable[[], Any]) -> Any:
    """Return what numpy.ma makes, without its warnings on what it masks."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return call()


@given(array=masked(), name=st.sampled_from(["sum", "mean", "min", "max", "any", "all", "count"]),
       axis=st.sampled_from([None, 0, 1, -1]))  # fmt: skip
def test_reductions_leave_masked_values_out(
    backend: Backend, array: Any, name: str, axis: Any
) -> None:
    expected = quiet(lambda: getattr(array, name)(axis=axis))
    found = getattr(present(backend, array), name)(axis=axis)
    if name == "count":
        assert to_host(found).tolist() == np.asarray(expected).tolist()
        return
    if expected is np.ma.masked:
        assert bool(to_host(found).mask)
        return
    host = np.ma.asarray(expected)
    if name in {"sum", "mean", "min", "max"} and host.dtype.kind in "ub":
        host = host.astype("f8")
        check(found.astype("f8"), host)
    else:
        check(found, host)


SIGNED = ("i1", "i2", "i4", "i8", "f4", "f8")


@st.composite
def operands(draw: st.DrawFn) -> tuple[Any, Any, str]:
    """Draw two arrays of one shape, and what NumPy computes of both on every library alike."""
    name = draw(st.sampled_from(ARITHMETIC + COMPARISONS))
    kinds = KINDS if name in COMPARISONS else SIGNED
    first = draw(masked(kinds))
    return first, draw(masked(kinds, first.shape)), name


@given(drawn=operands())
def test_two_masked_arrays_are_masked_where_either_is(
    backend: Backend, drawn: tuple[Any, Any, str]
) -> None:
    array, other, name = drawn
    function = getattr(operator, name)
    expected = quiet(lambda: function(array, other))
    check(function(present(backend, array), present(backend, other)), expected)


@given(
    array=masked(["i2", "i4", "i8", "f4", "f8"]),
    number=st.sampled_from([2, -3, 0.5, 0, np.float64(1.5), np.int32(4), True]),
    name=st.sampled_from(ARITHMETIC + COMPARISONS),
    swapped=st.booleans(),
)
def test_a_number_counts_as_it_does_in_numpy(
    backend: Backend, array: Any, number: Any, name: str, swapped: bool
) -> None:
    assume(not (name in {"floordiv", "mod"} and isinstance(number, bool)))
    function = getattr(operator, name)
    ours = present(backend, array)
    if swapped:
        expected = quiet(lambda: function(number, array))
        check(function(number, ours), expected)
    else:
        expected = quiet(lambda: function(array, number))
        check(function(ours, number), expected)


@given(array=masked(["i4", "f8"]), power=st.sampled_from([2, 0, 3]))
def test_powers(backend: Backend, array: Any, power: int) -> None:
    check(present(backend, array) ** power, quiet(lambda: array**power))


def test_a_power_that_is_no_number_is_masked(backend: Backend) -> None:
    array = np.ma.MaskedArray([-2.0, 4.0, 0.0], mask=[False, False, True])
    check(present(backend, array) ** 0.5, quiet(lambda: array**0.5))


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_a_quotient_that_is_not_finite_is_masked(backend: Backend, kind: str) -> None:
    array = np.ma.MaskedArray([np.nan, np.inf, 0.0, -2.0, 0.0], mask=[0, 0, 0, 0, 1], dtype=kind)
    ours = present(backend, array)
    for divide in (
        lambda x: x / 2,
        lambda x: x / np.float32(2),
        lambda x: 1 / x,
        lambda x: x / x,
        lambda x: x // 2,
        lambda x: x % np.float32(2),
    ):
        check(divide(ours), quiet(lambda divide=divide: divide(array)))
    rows = np.ma.MaskedArray(array.data.reshape(1, 5), mask=array.mask.reshape(1, 5))
    check(present(backend, rows).mean(axis=1), quiet(lambda: rows.mean(axis=1)))


def test_a_mean_of_all_is_a_number_which_is_not_masked(backend: Backend) -> None:
    array = np.ma.MaskedArray([np.inf, 1.0], mask=[0, 0])
    check(present(backend, array).mean(), array.mean())
    array /= 2
    ours = present(backend, np.ma.MaskedArray([np.nan, 1.0], mask=[0, 0]))
    ours /= 2  # nor is what is divided in place
    check(ours, np.ma.MaskedArray([np.nan, 0.5], mask=[0, 0]))


def test_zero_by_a_negative_number_is_the_zero_of_numpy(backend: Backend) -> None:
    for array in (
        np.ma.MaskedArray([0.0, 1.0], mask=[0, 0]),
        np.ma.MaskedArray([0, 1], mask=[0, 0]),
    ):
        found = to_host(present(backend, array) / -3)
        assert found.data.tobytes() == (array / -3).data.tobytes()


@pytest.mark.parametrize(("kind", "number"), [("u1", -1), ("u1", 300), ("i1", -129), ("i4", 2**40),
                                              ("i8", 2**63), ("u2", 2**70)])  # fmt: skip
@pytest.mark.parametrize("name", COMPARISONS)
def test_a_number_that_the_dtype_has_not_compares_as_such(
    backend: Backend, kind: str, number: int, name: str
) -> None:
    array, function = np.ma.MaskedArray([1, 0, 100], [0, 1, 0], kind), getattr(operator, name)
    check(function(present(backend, array), number), function(array, number))
    check(function(number, present(backend, array)), function(number, array))


def test_a_number_that_the_dtype_has_not_is_no_operand(backend: Backend) -> None:
    with pytest.raises(OverflowError, match="300"):
        present(backend, np.ma.MaskedArray([1], [0], "i1")) & 300


@given(array=masked())
def test_filling(backend: Backend, array: Any) -> None:
    ours = present(backend, array)
    assert to_host(ours.filled(0)).tolist() == array.filled(0).tolist()
    if array.dtype.kind != "u":  # wider in PyTorch
        assert to_host(ours.filled()).tolist() == array.filled().tolist()
    assert to_host(ours.compressed()).tolist() == array.compressed().tolist()


KEYS = [
    slice(0, 2),
    (slice(None), 0),
    0,
    (slice(None), None),
    np.array([1, 0, 0]),
    [1],
    (Ellipsis, slice(0, 1)),
    slice(None, None, -1),
    (slice(None), slice(2, 0, -1)),
    (Ellipsis, slice(None, None, -2)),
    (slice(None), [2, 0]),
    (Ellipsis, np.array([-1])),
    (1, [2, 1]),
    np.array([[0, 1], [1, 1]]),
    np.array([True, False]),
    (Ellipsis,),
    (0, 1),
    slice(1, 9),
    (slice(5, None), slice(-9, 2)),
    (slice(None), np.array([True, False, True])),
    (np.array([True, False]), slice(None, None, -1)),
    (Ellipsis, np.array([True, False, True]), None),
    (slice(None, None, -1), slice(None, None, -2)),
    np.int64(1),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_selections(backend: Backend, key: Any) -> None:
    array = np.ma.MaskedArray(np.arange(6.0).reshape(2, 3), mask=[[0, 1, 0], [0, 0, 1]])
    array.data[array.mask] = 0
    check(present(backend, array)[key], array[key])


@pytest.mark.parametrize(
    "key",
    [
        (Ellipsis, [0, 1], 1), (1, slice(None), [0, 1]), ([1, 0], slice(None), 2), (1, [0, 1]),
        (0, Ellipsis, np.array([[0, 1], [1, 1]])), (None, 1, [1, 0]), (slice(None), [0, 0], None),
        (Ellipsis, np.array([True, False]), 0, slice(None)),
    ],
    ids=str,
)  # fmt: skip
def test_selections_beside_numbers(backend: Backend, key: Any) -> None:
    array = np.ma.MaskedArray(np.arange(36.0).reshape(2, 2, 3, 3), mask=False)
    array[0, 1, 2, 1] = np.ma.masked
    array.data[array.mask] = 0
    check(present(backend, array)[key], array[key])


def test_a_mask_of_another_length_selects_nothing(backend: Backend) -> None:
    ours = present(backend, np.ma.MaskedArray(np.zeros((2, 3)), mask=False))
    with pytest.raises(IndexError, match="2 values for an axis of 3"):
        ours[:, [True, False]]


def test_rows_that_are_none_can_be_written_to(backend: Backend) -> None:
    ours = present(backend, np.ma.MaskedArray(np.zeros((0, 3)), mask=np.zeros((0, 3), bool)))
    ours[1:5] = 3
    assert ours.shape == (0, 3)


def test_a_comparison_selects_as_in_numpy_also_what_is_masked(backend: Backend) -> None:
    array = np.ma.MaskedArray([[1.0, 5.0, 0.0], [7.0, 0.0, 2.0]], mask=[[0, 0, 1], [0, 1, 0]])
    ours = present(backend, array)
    for mask in (
        lambda x: x < 6,
        lambda x: ~(x > 3),
        lambda x: x + 3 < 6,
        lambda x: 1 - x < 1,
        lambda x: x / 2 == x,
        lambda x: x != 7,
        lambda x: (x == x) & (x < 6),
    ):
        check(ours[mask(ours)], array[mask(array)])
    check(ours[(ours < 6).filled(False)], array[(array < 6).filled(False)])


@pytest.mark.parametrize("name", ["sum", "mean", "min", "max", "any", "all"])
@pytest.mark.parametrize("kind", ["f4", "i2", "u1", "?"])
def test_what_lies_under_the_mask_of_a_reduction_is_numpys(
    backend: Backend, name: str, kind: str
) -> None:
    array = np.ma.MaskedArray(np.zeros((2, 2), kind), mask=[[1, 1], [0, 1]])
    expected = getattr(array, name)(axis=1)
    found = getattr(present(backend, array), name)(axis=1)
    assert to_host(found.data).tolist() == expected.data.tolist()


def test_values_are_written_and_unmasked(backend: Backend) -> None:
    array = np.ma.MaskedArray([[1.0, 0.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])
    ours = present(backend, array)
    ours[:, 1] = 9
    array[:, 1] = 9
    ours[0:1, 0] = np.ma.masked
    array[0:1, 0] = np.ma.masked
    check(ours, array)


@pytest.mark.parametrize("key", [0, slice(0, 1), (Ellipsis, 1)], ids=str)
def test_keys_need_not_name_every_axis_to_write(backend: Backend, key: Any) -> None:
    array = np.ma.MaskedArray([[1.0, 0.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])
    ours = present(backend, array)
    ours[key] = array[key] = 9
    check(ours, array)


def test_in_place_operations_change_the_array_itself(backend: Backend) -> None:
    array = np.ma.MaskedArray([1.0, 0.0, 3.0], mask=[0, 1, 0])
    ours = kept = present(backend, array)
    ours *= 2
    ours += ours
    assert ours is kept
    check(kept, array * 4)
    whole = present(backend, np.ma.MaskedArray([1, 2], mask=[0, 0]))
    with pytest.raises(TypeError, match="in place"):
        whole /= 2


def test_numpy_does_not_take_it_silently(backend: Backend) -> None:
    ours = present(backend, np.ma.MaskedArray([1.0], mask=[False]))
    for convert in (np.asarray, np.array, lambda x: np.zeros(1) + x, lambda x: x + np.zeros(1)):
        with pytest.raises(TypeError):
            convert(ours)


def test_numbers_are_made_on_the_device_and_not_copied_to_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    real = DeviceNamespace._create

    def create(self: Any, function: Any, args: Any, options: Any) -> Any:
        made.extend([function.__name__] if not backend.owns(args[0]) else [])
        return real(self, function, args, options)

    ours = present(backend, np.ma.MaskedArray([[1.0, 2.0], [0.0, 4.0]], [[0, 0], [1, 0]]))
    monkeypatch.setattr(DeviceNamespace, "_create", create)
    for each in (ours * 2, 0.5 + ours, ours / np.float32(3), ours > 1, ours.min(axis=1)):
        each.filled(0)
    assert "asarray" not in made


def test_data_and_mask_are_the_librarys_own(backend: Backend) -> None:
    ours = present(backend, np.ma.MaskedArray([[1.0, 2.0]], mask=[[True, False]]))
    assert backend.owns(ours.data)
    assert backend.owns(ours.mask)
    assert backend.owns(ours.filled(0))
    assert backend.owns(ours.count(axis=-1))
    assert to_host(ours.data)[0, 1] == 2.0


def test_single_values_become_numbers_of_python(backend: Backend) -> None:
    ours = present(backend, np.ma.MaskedArray([3.0, 0.0], mask=[False, True]))
    assert (float(ours[0]), int(ours[0]), bool(ours[0])) == (3.0, 3, True)
    assert np.isnan(float(ours[1]))
    assert not bool(ours[1])
    with pytest.raises(ValueError, match="ambiguous"):
        bool(ours)
    assert range(present(backend, np.ma.MaskedArray([2], [0])).sum()) == range(2)
    for no_number in (ours, ours[0], present(backend, np.ma.MaskedArray([2], [1]))[0]):
        with pytest.raises((TypeError, ValueError)):
            range(no_number)


def test_masked_values_are_filled_with_one_of_their_own(backend: Backend) -> None:
    ours = present(backend, np.ma.MaskedArray([3.0, 0.0, 5.0], mask=[0, 1, 0]))
    assert to_host(ours.filled(ours.max())).tolist() == [3, 5, 5]
