"""Following references on a device gives what it gives on the host, element by element."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from libraries import DEVICES, make_backend

from h5flow.backends import Backend
from h5flow.data import dereference, dereference_chain, dereference_jagged, to_host
from h5flow.data.presentation import present
from h5flow.errors import CallError, DataError, H5FlowWarning, PaddingError
from h5flow.references.jagged import Jagged

REGION = np.dtype([("start", "i8"), ("stop", "i8")])
HIT = np.dtype(
    [
        ("q", "f4"),
        ("n", "u2"),
        ("at", "f8", (3,)),
        ("flag", "?"),
        ("pos", [("x", "i2"), ("y", "i8")]),
    ]
)


@pytest.fixture(scope="module", params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    return make_backend(request.param)


def hits(count: int) -> Any:
    rows = np.zeros(count, HIT)
    rows["q"], rows["n"] = np.arange(count) + 0.5, np.arange(count) + 1
    rows["at"] = np.arange(3 * count).reshape(count, 3)
    rows["flag"], rows["pos"]["x"], rows["pos"]["y"] = True, -1 - np.arange(count), 7
    return rows


def regions_of(ref: Any, column: int, count: int) -> Any:
    """Return the smallest regions, by brute force."""
    region = np.zeros(count, REGION)
    for row in range(count):
        places = np.flatnonzero(ref[:, column] == row)
        if len(places):
            region[row] = places[0], places[-1] + 1
    return region


def same(found: Any, expected: Any) -> None:
    """Compare what a device gives with what NumPy gives: type, shape, values, masks."""
    host = to_host(found)
    if isinstance(expected, Jagged):
        for name in ("offsets", "index"):
            assert getattr(host, name).tolist() == getattr(expected, name).tolist()
        host, expected = host.values, expected.values
    if isinstance(expected, list):
        assert [to_host(each).tolist() for each in found] == [each.tolist() for each in expected]
        return
    assert host.shape == expected.shape
    assert host.dtype == expected.dtype
    if isinstance(expected, np.ma.MaskedArray):
        assert np.ma.getmaskarray(host).tobytes() == np.ma.getmaskarray(expected).tobytes()
    assert np.asarray(host).tobytes() == np.asarray(expected).tobytes()


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    """Draw references, with and without regions, a selection and a mask."""
    parents, children = draw(st.integers(1, 6)), draw(st.integers(0, 6))
    pair = st.tuples(st.integers(0, parents - 1), st.integers(0, children + 1))
    ref = np.array(draw(st.lists(pair, max_size=12)), "i8").reshape(-1, 2)
    direction = draw(st.sampled_from([(0, 1), (1, 0)]))
    ref = ref[:, list(direction)].astype(draw(st.sampled_from(["i8", "i4", "u4"])))
    has_region = draw(st.booleans())
    longest = int(ref[:, direction[0]].max()) + 1 if len(ref) else 0
    length = parents if has_region else longest
    sel = draw(
        st.one_of(
            st.none(),
            st.slices(length),
            st.lists(st.integers(-length, length - 1), max_size=8).map(lambda x: np.array(x, "i8"))
            if length
            else st.none(),
            st.lists(st.booleans(), min_size=length, max_size=length).map(np.array),
        )
    )
    count = len(np.arange(length)[sel if sel is not None else slice(None)]) if length else 0
    mask = draw(st.none() | st.lists(st.booleans(), min_size=count, max_size=count).map(
        lambda x: np.array(x, "?")))  # fmt: skip
    return {
        "sel": sel,
        "ref": ref,
        "region": regions_of(ref, direction[0], parents) if has_region else None,
        "data": hits(children),
        "mask": mask,
        "ref_direction": direction,
    }


@given(call=calls(), indices_only=st.booleans(), data_on_host=st.booleans())
def test_the_device_gives_what_the_host_gives(
    backend: Backend, call: dict[str, Any], indices_only: bool, data_on_host: bool
) -> None:
    on_device = {name: present(backend, value) for name, value in call.items()}
    if data_on_host:
        on_device["data"] = call["data"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5FlowWarning)
        for follow in (dereference, dereference_jagged):
            expected = follow(**call, indices_only=indices_only)
            same(follow(**on_device, indices_only=indices_only), expected)


@given(call=calls())
def test_references_of_the_host_reach_rows_on_the_device(
    backend: Backend, call: dict[str, Any]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5FlowWarning)
        expected = dereference(**call)
        same(dereference(**{**call, "data": present(backend, call["data"])}), expected)
        found = dereference(**call, xp=backend.namespace)
        same(found, expected)
        assert backend.owns(found["q"].data)
        back = dereference(**{k: present(backend, v) for k, v in call.items()}, xp=np)
    assert isinstance(back, np.ma.MaskedArray)
    same(back, expected)


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Any], Any, Any]:
    lengths = [draw(st.integers(1, 4)) for _ in range(draw(st.integers(2, 4)))]
    refs = []
    for parent, child in pairwise(lengths):
        pair = st.tuples(st.integers(0, parent - 1), st.integers(0, child - 1))
        refs.append(np.array(draw(st.lists(pair, max_size=8)), "i8").reshape(-1, 2))
    regions = [regions_of(ref, 0, count) for ref, count in zip(refs, lengths[:-1], strict=True)]
    return refs, regions, hits(lengths[-1])


@given(chain=chains(), with_regions=st.booleans(), all_there=st.booleans())
def test_chains(backend: Backend, chain: Any, with_regions: bool, all_there: bool) -> None:
    refs, regions, data = chain
    given_regions = regions if with_regions else None
    rows = list(range(len(regions[0])))
    if not with_regions:
        rows = list(range(int(refs[0][:, 0].max(initial=-1)) + 1))
    expected = dereference_chain(rows, refs, data, given_regions)
    on_device = [present(backend, ref) for ref in refs]
    if not all_there:
        on_device[-1] = refs[-1]
    same(dereference_chain(rows, on_device, data, given_regions), expected)
    same(
        dereference_chain(rows, refs, data, given_regions, xp=backend.namespace, indices_only=True),
        dereference_chain(rows, refs, data, given_regions, indices_only=True),
    )


REF = np.array([(0, 1), (0, 0), (1, 2), (3, 2), (0, 1)], "i8")


def test_the_form_with_the_data_first(backend: Backend) -> None:
    region = regions_of(REF, 0, 4)
    expected = dereference(hits(3), REF, region, sel=slice(0, 2))
    found = dereference(present(backend, hits(3)), present(backend, REF), region, sel=slice(0, 2))
    same(found, expected)


def test_a_list_of_arrays(backend: Backend) -> None:
    found = dereference(None, present(backend, REF), present(backend, np.arange(3.0)),
                        as_masked=False)  # fmt: skip
    assert all(backend.owns(rows) for rows in found)
    same(found, dereference(None, REF, np.arange(3.0), as_masked=False))
    pairs = np.arange(6.0).reshape(3, 2)
    found = dereference(None, present(backend, REF), present(backend, pairs), as_masked=False)
    same(found, dereference(None, REF, pairs, as_masked=False))


def test_a_masked_selection_is_not_followed_where_it_is_masked(backend: Backend) -> None:
    sel = np.ma.MaskedArray([0, 99, 3], mask=[False, True, False])
    same(
        dereference(present(backend, sel), present(backend, REF), np.arange(3.0)),
        dereference(sel, REF, np.arange(3.0)),
    )


def test_rows_may_come_from_a_masked_array(backend: Backend) -> None:
    for data in (np.ma.MaskedArray(np.arange(3.0), mask=[0, 1, 0]), np.ma.MaskedArray(hits(3))):
        same(
            dereference(None, present(backend, REF), present(backend, data)),
            dereference(None, REF, np.asarray(data)),
        )


def test_regions_for_selected_rows_only(backend: Backend) -> None:
    region = regions_of(REF, 0, 4)[[3, 0]]
    sel = [3, 0]
    same(
        dereference(sel, present(backend, REF), np.arange(3.0), present(backend, region)),
        dereference(sel, REF, np.arange(3.0), region),
    )


def test_references_of_a_file_come_to_the_device(backend: Backend, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "ab.h5", "w") as file:
        data, ref = file.create_dataset("b/data", data=hits(3)), file.create_dataset("r", data=REF)
        region = file.create_dataset("region", data=regions_of(REF, 0, 4))
        found = dereference([3, 0], ref, data, region, xp=backend.namespace)
        same(found, dereference([3, 0], ref, data, region))
        same(
            dereference([3, 0], present(backend, REF), data, region),
            dereference([3, 0], ref, data, region),
        )


def test_missing_rows_are_masked_with_one_warning(backend: Backend) -> None:
    with pytest.warns(H5FlowWarning, match="2 of the references .* do not exist") as caught:
        found = dereference(None, present(backend, REF), np.arange(2.0))
    assert len(caught) == 1
    with pytest.warns(H5FlowWarning):
        same(found, dereference(None, REF, np.arange(2.0)))


def test_padding_beyond_the_budget_is_an_error(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("h5flow.data.presentation.PADDING_BUDGET", 10)
    with pytest.raises(PaddingError, match="layout: jagged"):
        dereference(None, present(backend, REF), np.arange(3.0))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ref": np.zeros((3, 3), "i8")}, "shape \\(N, 2\\)"),
        ({"ref": np.zeros((3, 2), "f8")}, "are integers"),
        ({"region": np.zeros(4, "i8")}, "start and stop"),
        ({"region": np.array([(-1, 2)] * 4, REGION)}, "negative"),
        ({"sel": [9.5]}, "selected by"),
        ({"mask": [True]}, "one boolean per selected row"),
        ({"ref_direction": (0, 0)}, "direction"),
    ],
)
def test_bad_arguments_are_the_errors_of_the_host(
    backend: Backend, change: dict[str, Any], error: str
) -> None:
    call = {"sel": [0, 1], "ref": REF, "data": np.arange(3.0), "region": regions_of(REF, 0, 4)}
    call = {name: present(backend, value) for name, value in {**call, **change}.items()}
    with pytest.raises(DataError, match=error):
        dereference(**call)


def test_a_group_is_no_data_on_devices_either(backend: Backend, tmp_path: Path) -> None:
    with (
        h5py.File(tmp_path / "file.h5", "w") as file,
        pytest.raises(DataError, match="`data` is the group /hits, not a dataset"),
    ):
        dereference([0, 1], present(backend, REF), file.create_group("hits"))


def test_ambiguous_calls_raise_on_devices_too(backend: Backend) -> None:
    with pytest.raises(CallError):
        dereference(present(backend, np.arange(3)), present(backend, REF))
