"""Following references in files and arrays, against a loop over all references."""

import warnings

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.recfunctions import structured_to_unstructured

from h5flow.data import H5FlowDataManager
from h5flow.data.dereferencing import dereference, dereference_chain, dereference_jagged
from h5flow.data.following import References, linked_jagged
from h5flow.errors import DataError, FileFormatError, H5FlowWarning, PaddingError
from h5flow.testing.strategies import linked_arrays, selections, tables

thorough = settings(max_examples=250, deadline=None)


def chosen_rows(selection, length):
    everything = np.arange(length)
    if selection is None:
        return everything
    if isinstance(selection, list) and not selection:
        return everything[:0]
    return np.atleast_1d(everything[selection])


def children_of(link, rows, mask):
    """The naive way: for each row all references, one after the other."""
    parent, child = link.direction
    found = []
    for row, hidden in zip(rows, mask, strict=True):
        pairs = [] if hidden else [pair for pair in link.ref.tolist() if pair[parent] == row]
        found.append(sorted(pair[child] for pair in pairs))
    return found


def expected_cells(children, rows_of_child):
    """Shape (n, w): the row of the child, -1 where a cell is masked."""
    width = max([1, *map(len, children)])
    cells = np.full((len(children), width), -1)
    for row, indices in enumerate(children):
        for place, index in enumerate(indices):
            cells[row, place] = index if 0 <= index < rows_of_child else -1
    return cells


def assert_padded(found, cells, data):
    """Cells hold their rows; masked ones are zero, with a mask for every field."""
    expected = np.zeros((*cells.shape, *data.shape[1:]), data.dtype)
    masked = np.ones(expected.shape, np.ma.make_mask_descr(data.dtype))
    for cell in zip(*np.nonzero(cells >= 0), strict=True):
        expected[cell] = data[cells[cell]]
        masked[cell] = np.zeros((), masked.dtype)
    assert isinstance(found, np.ma.MaskedArray)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert found.data.tobytes() == expected.tobytes()
    assert found.mask.dtype == masked.dtype
    assert found.mask.tobytes() == masked.tobytes()


def quietly(call, *args, **kwargs):
    """Call, and return the result with the number of warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(*args, **kwargs)
    assert all(issubclass(warning.category, H5FlowWarning) for warning in caught)
    return result, len(caught)


@pytest.fixture(scope="module")
def file():
    with h5py.File("dereference.h5", "w", driver="core", backing_store=False) as opened:
        yield opened


def store(file, link, layout, names=("A", "B")):
    """Write a link as h5flow's files have it; returns the datasets of data, ref and region."""
    parent, child = names
    first, second = names if link.direction == (0, 1) else names[::-1]
    file.require_dataset(f"{parent}/data", (link.parent_rows,), "i8")
    child_path, ref_path = f"{child}/data", f"{first}/ref/{second}/ref"
    if child_path in file:
        del file[child_path]
    file.create_dataset(child_path, data=link.data)
    options = {"chunks": (4, 2), "maxshape": (None, 2)} if layout == "chunked" else {}
    ref = file.create_dataset(ref_path, data=link.ref, **options)
    region = file.create_dataset(f"{parent}/ref/{child}/ref_region", data=link.region)
    mine, other = link.direction
    ref.attrs[f"dset{mine}"], ref.attrs[f"dset{other}"] = f"/{parent}/data", f"/{child}/data"
    ref.attrs[f"ref_region{mine}"] = region.name
    return file[child_path], ref, region


class Call:
    """One drawn way of asking for the same thing."""

    def __init__(self, data, file, link):
        self.selection = data.draw(selections(link.parent_rows), label="selection")
        self.rows = chosen_rows(self.selection, link.parent_rows)
        hidden = st.lists(st.booleans(), min_size=len(self.rows), max_size=len(self.rows))
        self.mask = data.draw(st.none() | hidden.map(lambda m: np.array(m, bool)), label="mask")
        self.hidden = np.zeros(len(self.rows), bool) if self.mask is None else self.mask
        file.clear()
        layout = data.draw(st.sampled_from(["contiguous", "chunked"]), label="layout")
        self.data, self.ref, self.region = store(file, link, layout)
        self.where = data.draw(st.sampled_from(["none", "dataset", "array", "rows"]), label="where")
        self.in_memory = data.draw(st.booleans(), label="arrays")
        self._choose_region(link)
        if self.in_memory:
            self.data, self.ref = self.data[()], self.ref[()]
            # Without a file nobody knows how many rows the parent has.
            self.selection = self.rows

    def _choose_region(self, link):
        region = link.region
        if self.where == "none":
            self.region = None
        elif self.where == "rows":
            padded = np.zeros(link.parent_rows + len(region), region.dtype)
            padded[: len(region)] = region
            self.region = padded[self.rows]
        elif self.where == "array" and (
            len(region) == link.parent_rows or len(region) != len(self.rows)
        ):
            self.region = region


@thorough
@given(st.data(), linked_arrays())
def test_padded_rows_are_those_of_the_naive_loop(file, data, link):
    call = Call(data, file, link)
    children = children_of(link, call.rows, call.hidden)
    dangling = any(not 0 <= c < len(link.data) for found in children for c in found)
    selection = call.selection
    if data.draw(st.booleans(), label="data first"):
        found, warned = quietly(
            dereference,
            call.data,
            call.ref,
            call.region,
            sel=selection,
            mask=call.mask,
            ref_direction=link.direction,
        )
    else:
        found, warned = quietly(
            dereference,
            selection,
            call.ref,
            call.data,
            call.region,
            call.mask,
            ref_direction=link.direction,
        )
    assert_padded(found, expected_cells(children, len(link.data)), link.data)
    assert warned == dangling


@thorough
@given(st.data(), linked_arrays())
def test_lists_jagged_rows_and_indices_are_those_of_the_naive_loop(file, data, link):
    call = Call(data, file, link)
    every = children_of(link, call.rows, call.hidden)
    kept = [[c for c in found if 0 <= c < len(link.data)] for found in every]
    arguments = {
        "sel": call.selection,
        "ref": call.ref,
        "region": call.region,
        "mask": call.mask,
        "ref_direction": link.direction,
    }
    rows, warned = quietly(dereference, data=call.data, as_masked=False, **arguments)
    assert [row.tobytes() for row in rows] == [link.data[found].tobytes() for found in kept]
    assert warned == (every != kept)

    jagged, _ = quietly(dereference_jagged, data=call.data, **arguments)
    assert jagged.counts.tolist() == [len(found) for found in kept]
    assert jagged.index.tolist() == [c for found in kept for c in found]
    assert jagged.values.tobytes() == link.data[jagged.index].tobytes()
    assert (jagged.dtype, jagged.index.dtype) == (link.data.dtype, np.int64)

    raw = dereference(indices_only=True, as_masked=False, **arguments)
    assert [row.tolist() for row in raw] == every
    padded = dereference(indices_only=True, **arguments)
    assert (padded.dtype, padded.mask.dtype) == (np.int64, np.bool_)
    assert [row.compressed().tolist() for row in padded] == every
    known, _ = quietly(dereference, data=call.data, indices_only=True, **arguments)
    cells = expected_cells(every, len(link.data))
    assert known.filled(-1).tolist() == cells.tolist()


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(1, 3))
def test_chains_are_links_one_after_the_other(file, data, length):
    file.clear()
    names = ["A", "B", "C", "D"]
    links, refs, regions, rows = [], [], [], data.draw(st.integers(0, 5))
    for number in range(length):
        values = data.draw(tables(max_rows=5))
        link = data.draw(linked_arrays(parent_rows=rows, data=values))
        child, ref, region = store(file, link, "contiguous", names[number : number + 2])
        if number + 1 < length:
            # The next parent is this child; its own rows do not matter.
            del file[child.name]
        links.append(link)
        refs.append(ref)
        regions.append(data.draw(st.sampled_from([None, region, link.region])))
        rows = len(values)
    if len(links[0].region) != links[0].parent_rows:
        regions[0] = None
    selection = data.draw(selections(links[0].parent_rows))
    cells = chosen_rows(selection, links[0].parent_rows)
    dangling = False
    for link in links:
        flat = cells.reshape(-1)
        children = children_of(link, flat, flat < 0)
        dangling |= any(not 0 <= c < len(link.data) for found in children for c in found)
        found = expected_cells(children, len(link.data))
        cells = found.reshape(*cells.shape, found.shape[1])
    directions = [link.direction for link in links]
    found, warned = quietly(
        dereference_chain, selection, refs, child, regions, ref_directions=directions
    )
    assert_padded(found, cells, links[-1].data)
    assert warned == dangling
    indices, _ = quietly(
        dereference_chain, selection, refs, child, regions, None, directions, indices_only=True
    )
    assert indices.filled(-1).tolist() == cells.tolist()


@pytest.fixture
def events():
    """Three events with two, none and one hits, as arrays: data, ref, region."""
    hits = np.array([(1.0, 10), (2.0, 20), (3.0, 30)], [("q", "f8"), ("t", "i4")])
    ref = np.array([[0, 1], [0, 0], [2, 2]])
    region = np.array([(0, 2), (0, 0), (2, 3)], [("start", "i8"), ("stop", "i8")])
    return hits, ref, region


def test_masked_cells_are_zero_and_each_field_has_a_mask(events):
    found = dereference(*events)
    assert found.mask["q"].tolist() == [[False, False], [True, True], [False, True]]
    assert found.data["t"].tolist() == [[10, 20], [0, 0], [30, 0]]
    assert structured_to_unstructured(found.mask).shape == (3, 2, 2)


def test_the_width_adapts_to_the_selection(events):
    assert dereference(*events, sel=[1]).shape == (1, 1)
    assert dereference(*events, sel=0).shape == (1, 2)


def test_the_other_direction_goes_from_child_to_parent(events):
    _, ref, _ = events
    numbers = np.array([100, 101, 102])
    found = dereference(slice(None), ref, numbers, ref_direction=(1, 0))
    assert found.tolist() == [[100], [100], [102]]


def test_masked_rows_are_not_followed(events):
    hits, ref, region = events
    found = dereference([0, 2], ref, hits, region, mask=[True, False])
    assert found["q"].tolist() == [[None], [3.0]]


def test_masked_cells_of_a_selection_are_not_followed(events):
    hits, ref, region = events
    selection = np.ma.array([2, 99, 0], mask=[False, True, False])
    found = dereference(selection, ref, hits, region)
    assert found["q"].tolist() == [[3.0, None], [None, None], [1.0, 2.0]]


def test_a_region_bounds_what_is_searched(events):
    hits, ref, region = events
    region["stop"][0] = 1
    assert dereference([0], ref, hits, region).tolist() == [[(2.0, 20)]]


def test_rows_beyond_the_end_of_a_region_have_no_references(events):
    hits, ref, region = events
    assert dereference([0, 2, 7], ref, hits, region[:2]).mask["q"].tolist() == [
        [False, False],
        [True, True],
        [True, True],
    ]


def test_a_region_of_all_rows_works_with_as_many_selected_rows_in_another_order(events):
    hits, ref, region = events
    expected = [[3.0, None], [None, None], [1.0, 2.0]]
    assert dereference([2, 1, 0], ref, hits, region)["q"].tolist() == expected
    assert dereference([2, 1, 0], ref, hits, region[::-1])["q"].tolist() == expected


def test_a_region_of_the_selected_rows_works_with_a_slice(events):
    hits, ref, region = events
    assert dereference(slice(1, 3), ref, hits, region[1:3])["q"].tolist() == [[None], [3.0]]


def test_a_region_that_cannot_be_is_refused(events):
    hits, ref, region = events
    region["start"][2] = -5
    with pytest.raises(DataError, match=r"row 2 .* \(-5, 3\)"):
        dereference(slice(None), ref, hits, region)


@pytest.mark.parametrize("kind", ["u4", "i4", "u8"])
def test_indices_are_int64_whatever_the_file_holds(events, kind):
    _, ref, region = events
    region = region.astype([("start", kind), ("stop", kind)])
    found = dereference(slice(None), ref.astype(kind), region=region, indices_only=True)
    assert found.dtype == np.int64
    assert found.tolist() == [[0, 1], [None, None], [2, None]]


def test_references_to_rows_that_do_not_exist_are_masked_with_one_warning(events):
    hits, ref, region = events
    ref[:2, 1] = (-1, 50)
    with pytest.warns(H5FlowWarning, match="2 of the references") as caught:
        found = dereference(slice(None), ref, hits, region)
    assert len(caught) == 1
    assert found["q"].tolist() == [[None, None], [None, None], [3.0, None]]
    with pytest.warns(H5FlowWarning, match="left out"):
        assert dereference_jagged(slice(None), ref, hits, region).counts.tolist() == [0, 0, 1]
    raw = dereference(slice(None), ref, region=region, indices_only=True)
    assert raw.tolist() == [[-1, 50], [None, None], [2, None]]


def test_a_jagged_chain_has_the_last_rows_of_each_first_row(events):
    _, ref, region = events
    chain = [References(ref, region), References(np.array([[1, 5], [0, 3], [0, 9], [2, 4]]))]
    with pytest.warns(H5FlowWarning, match="1 of the references"):
        found = linked_jagged(np.arange(3), chain, np.arange(6) * 10)
    assert [rows.tolist() for rows in found] == [[30, 50], [], [40]]
    assert found.index.tolist() == [3, 5, 4]


def test_data_with_further_dimensions_keep_them(events):
    _, ref, region = events
    waveforms = np.arange(12.0).reshape(3, 4)
    found = dereference(waveforms, ref, region)
    assert found.shape == (3, 2, 4)
    assert found.mask.shape == (3, 2, 4)
    assert found[0, 1].tolist() == [4.0, 5.0, 6.0, 7.0]


def test_strings_of_variable_length_are_followed(file):
    file.clear()
    words = file.create_dataset("words", data=["muon", "pion"], dtype=h5py.string_dtype())
    found = dereference([1, 0], np.array([[1, 0], [1, 1]]), words)
    assert found.data.tolist() == [[b"muon", b"pion"], [b"", b""]]


def test_an_empty_reference_table_of_floats_is_empty(events):
    hits, _, _ = events
    assert dereference([0], np.zeros((0, 2)), hits).mask["q"].all()


def test_all_rows_of_a_parent_that_only_the_file_knows(file, events):
    hits, ref, region = events
    file.clear()
    file["events/data"] = np.zeros(6)
    table = file.create_dataset("events/ref/hits/ref", data=ref)
    file["events/ref/hits/ref_region"] = region
    table.attrs["dset0"] = "/events/data"
    table.attrs["ref_region0"] = "/events/ref/hits/ref_region"
    assert dereference(None, table, hits).shape == (6, 2)
    assert dereference([-6, -1], table, hits)["q"].tolist() == [[1.0, 2.0], [None, None]]
    with pytest.raises(DataError, match="6 rows"):
        dereference([6], table, hits)


def test_a_table_without_attributes_finds_parent_and_region_by_its_own_path(file, events):
    hits, ref, region = events
    file.clear()
    file["events/data"] = np.zeros(6)
    table = file.create_dataset("events/ref/hits/ref", data=ref)
    shorter = file.create_dataset("events/ref/hits/ref_region", data=region[:2])
    assert dereference(slice(0, 6), table, hits, shorter).shape == (6, 2)
    assert dereference(slice(1, 6), table, hits).mask["q"].all()


def test_attributes_that_lead_nowhere_are_not_needed(file, events):
    hits, ref, _ = events
    file.clear()
    table = file.create_dataset("events/ref/hits/ref", data=ref)
    table.attrs["dset0"], table.attrs["ref_region0"] = "/gone/data", "/gone/ref_region"
    assert dereference(None, table, hits)["q"].tolist() == [[1.0, 2.0], [None, None], [3.0, None]]


def test_the_result_does_not_share_memory_with_the_references():
    ref = np.asfortranarray([[0, 1], [1, 0]])
    found = dereference(None, ref, indices_only=True)
    found[...] = 7
    assert ref.tolist() == [[0, 1], [1, 0]]


def test_padding_beyond_the_budget_is_an_error_and_jagged_is_not():
    ref = np.zeros((40_000, 2), np.int64)
    ref[:, 1] = np.arange(40_000)
    data = np.zeros(40_000, "f8")
    rows = np.arange(65_536)
    with pytest.raises(PaddingError, match="layout: jagged"):
        dereference(rows, ref, data)
    assert len(dereference_jagged(rows, ref, data)) == 65_536


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ref": np.zeros((3, 3), int)}, r"shape \(N, 2\)"),
        ({"ref": np.zeros((3, 2))}, "integers"),
        ({"region": np.zeros(3)}, "start and stop"),
        ({"ref_direction": (0, 0)}, "direction"),
        ({"ref_direction": 1}, "direction"),
        ({"mask": [True]}, "mask"),
        ({"mask": [0, 1, 0]}, "mask"),
        ({"data": np.float64(3)}, "single value"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(events, change, message):
    hits, ref, region = events
    arguments = {"sel": [0, 1, 2], "ref": ref, "data": hits, "region": region, **change}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", H5FlowWarning)
        with pytest.raises(DataError, match=message):
            dereference(**arguments)


def test_a_group_in_place_of_its_rows_is_refused_with_advice(file, events):
    _, ref, region = events
    file.clear()
    file["hits/data"] = np.zeros(3)
    with pytest.raises(DataError, match="hits/data"):
        dereference(slice(None), ref, file["hits"], region)


@pytest.mark.parametrize("follow", [dereference, dereference_jagged, dereference_chain])
@pytest.mark.parametrize("closed", ["ref", "data", "region"])
def test_datasets_of_a_closed_file_are_refused(follow, closed):
    with h5py.File("closed.h5", "w", driver="core", backing_store=False) as file:
        given = {
            "ref": file.create_dataset("ref", data=[(0, 1)]),
            "data": file.create_dataset("data", data=[1.0, 2.0]),
            "region": file.create_dataset("region", (1,), [("start", "i8"), ("stop", "i8")]),
        }
        arrays = {name: dataset[:] for name, dataset in given.items()}
    arguments = arrays | {closed: given[closed]}
    if follow is dereference_chain:
        arguments = {
            "refs": [arguments["ref"]],
            "regions": [arguments["region"]],
            "data": arguments["data"],
        }
    with pytest.raises(DataError, match="closed"):
        follow(sel=[0], **arguments)


@pytest.mark.parametrize("direction", [(0, 1), (1, 0)])
def test_the_region_of_the_other_direction_is_refused(tmp_path, direction):
    with H5FlowDataManager(tmp_path / "both.h5", "a") as dm:
        for name in ("events", "hits"):
            dm.create_dset(name, "i8")
            dm.reserve_data(name, 3)
        dm.create_ref("events", "hits")
        dm.write_ref("events", "hits", [(0, 2), (1, 1), (1, 0)])
    names = [("events", "hits")[column] for column in direction]
    with h5py.File(tmp_path / "both.h5") as file:
        call = {
            "sel": [0, 1, 2],
            "ref": file["events/ref/hits/ref"],
            "data": file[f"{names[1]}/data"],
            "ref_direction": direction,
        }
        own, other = (file[f"{a}/ref/{b}/ref_region"] for a, b in (names, names[::-1]))
        assert dereference(region=own, **call).count() == 3
        with pytest.raises(DataError, match="the other dataset") as caught:
            dereference(region=other, **call)
    assert f"ref_direction={direction[::-1]}" in caught.value.advice


def test_rows_that_refer_to_rows_of_the_same_dataset_have_one_region(tmp_path):
    with H5FlowDataManager(tmp_path / "self.h5", "a") as dm:
        dm.create_dset("hits", "i8")
        dm.reserve_data("hits", 3)
        dm.create_ref("hits", "hits")
        dm.write_ref("hits", "hits", [(0, 2), (1, 0)])
    with h5py.File(tmp_path / "self.h5") as file:
        ref, region = file["hits/ref/hits/ref"], file["hits/ref/hits/ref_region"]
        assert dereference([0, 1], ref, file["hits/data"], region).count() == 2


def test_a_chain_needs_as_many_regions_and_directions_as_references(events):
    hits, ref, region = events
    for wrong in ({"regions": [region, None]}, {"ref_directions": []}, {"refs": ref}, {"refs": []}):
        with pytest.raises(DataError):
            dereference_chain(**{"sel": [0], "refs": [ref], "data": hits, **wrong})
    with pytest.raises(DataError, match="indices_only"):
        dereference_chain([0], [ref])


@pytest.mark.parametrize("attribute", ["dset0", "ref_region0"])
def test_a_damaged_attribute_beside_references_is_an_error_that_names_it(tmp_path, attribute):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["B/data"] = np.arange(3)
        file["A/ref/B/ref"] = np.array([[0, 1]])
        file["A/ref/B/ref"].attrs[attribute] = "/A/data"
    # Where HDF5 keeps texts of any length.
    path.write_bytes(path.read_bytes().replace(b"GCOL", b"damg"))
    with h5py.File(path) as file:
        expected = f"the attribute {attribute} of /A/ref/B/ref cannot be read"
        with pytest.raises(FileFormatError, match=expected):
            dereference(None, file["A/ref/B/ref"], file["B/data"])
