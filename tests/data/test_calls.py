"""The two call forms of `dereference`, told apart."""

import h5py
import numpy as np
import pytest

from h5flow.data.calls import bind_call
from h5flow.errors import CallError, H5FlowError

DATA = np.zeros(3, [("q", "f8")])
REF = np.zeros((2, 2), "u4")
REGION = np.zeros(3, [("start", "i4"), ("stop", "i4")])
INDICES = np.array([0, 1])


@pytest.fixture
def numbers():
    """A dataset of integers: rows, or a selection."""
    with h5py.File("calls.h5", "w", driver="core", backing_store=False) as file:
        yield file.create_dataset("x", data=[1, 2, 3])


@pytest.mark.parametrize("sel", [slice(1), 0, np.int32(1), [0, 2], (0, 1), range(2), None])
def test_a_slice_int_or_list_in_first_place_is_a_selection(sel):
    call = bind_call((sel, REF, REGION, REGION), {})
    assert call.sel is sel
    assert call.data is REGION
    assert call.region is REGION


def test_a_third_argument_with_start_and_stop_means_data_first():
    call = bind_call((DATA, REF, REGION), {})
    assert (call.data, call.ref, call.region, call.sel) == (DATA, REF, REGION, None)


def test_data_first_takes_selection_direction_and_form_by_position():
    call = bind_call((DATA, REF, REGION, INDICES, (1, 0), False), {})
    assert call.sel is INDICES
    assert (call.ref_direction, call.as_masked) == ((1, 0), False)


def test_selection_first_takes_all_by_position():
    call = bind_call((INDICES, REF, DATA, REGION, None, (1, 0), True, False), {})
    assert (call.sel, call.data, call.region) == (INDICES, DATA, REGION)
    assert (call.ref_direction, call.indices_only, call.as_masked) == ((1, 0), True, False)


def test_arrays_of_integers_are_data_before_a_region():
    assert bind_call((INDICES, REF, REGION), {}).data is INDICES


def test_a_dataset_of_integers_is_data_before_a_region(numbers):
    assert bind_call((numbers, REF, REGION), {}).data is numbers


def test_a_selection_by_name_means_data_first(numbers):
    call = bind_call((numbers, REF, REGION), {"sel": INDICES})
    assert (call.data, call.sel) == (numbers, INDICES)
    assert bind_call((numbers, REF), {"sel": INDICES}).region is None


@pytest.mark.parametrize("names", [{"mask": None}, {"indices_only": True}, {"region": REGION}])
def test_names_that_only_one_form_has_decide(names):
    call = bind_call((INDICES, REF, REGION), names)
    assert (call.sel, call.data) == (INDICES, REGION)


def test_two_regions_are_data_and_region():
    call = bind_call((INDICES, REF, REGION, REGION.copy()), {})
    assert (call.sel, call.data) == (INDICES, REGION)


def test_all_by_name_is_one_form():
    call = bind_call((), {"sel": INDICES, "ref": REF, "data": DATA, "region": REGION})
    assert (call.sel, call.ref, call.data, call.region) == (INDICES, REF, DATA, REGION)


def test_data_that_cannot_select_need_no_region():
    assert bind_call((DATA, REF), {}).data is DATA


@pytest.mark.parametrize("args", [(INDICES, REF), (INDICES, REF, None), (np.zeros(3, bool), REF)])
def test_what_stays_ambiguous_is_refused(args):
    with pytest.raises(CallError, match="Name them"):
        bind_call(args, {})
    with pytest.raises(CallError):
        bind_call(args, {"region": REGION})


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((slice(3), REF, DATA), {"sel": INDICES}, "twice"),
        ((DATA, REF, REGION), {"selection": 1}, "did you mean"),
        ((slice(3),), {"data": DATA}, "references to follow"),
        ((slice(3), REF), {}, "indices_only"),
        ((DATA, REF, REGION, None, (0, 1), True, 1), {}, "at most 6"),
    ],
)
def test_calls_that_are_neither_form_are_refused(args, kwargs, message):
    with pytest.raises(CallError, match=message):
        bind_call(args, kwargs)


def test_a_wrong_call_is_a_type_error_and_an_error_of_h5flow():
    assert issubclass(CallError, TypeError)
    assert issubclass(CallError, H5FlowError)
