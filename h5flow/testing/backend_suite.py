"""What every backend does, as cases to run on yours.

A case is called with a `Backend`, and fails as tests do, by ``assert``.

Examples
--------
In a test module::

    @pytest.mark.parametrize("case", CASES.values(), ids=CASES)
    def test_my_backend(case):
        case(MyBackend("device:1"))

What is wrong with a backend, by the names of the cases::

    failures = run_cases(lambda: MyBackend("device:1"))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from h5flow.arrays import device_of
from h5flow.backends import owner_of, using
from h5flow.backends.protocol import Backend

__all__ = ["CASES", "Case", "run_cases"]

Array = np.ndarray[Any, Any]
Case: TypeAlias = Callable[[Backend], None]

NUMBERS = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16"]
# packed as compound types of files are: fields begin at odd places
HIT = np.dtype(
    [
        ("flag", "?"),
        ("q", "f8"),
        ("pixel", "i2", (2, 3)),
        ("at", [("x", "f4"), ("y", "u1"), ("deep", [("z", "i8"), ("w", "c16")])]),
        ("id", "u4"),
    ]
)


def run_cases(make: Callable[[], Backend]) -> dict[str, str]:
    """Run every case on a new backend, and return what is wrong, by its name.

    Parameters
    ----------
    make : callable
        Returns the backend.
    """
    failures = {name: _failure(make(), case) for name, case in CASES.items()}
    return {name: text for name, text in failures.items() if text}


def _failure(ours: Backend, case: Case) -> str:
    try:
        case(ours)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


# -- to the device and back -----------------------------------------------------------------------


def numbers_of_every_kind_come_back(ours: Backend) -> None:
    """Booleans, integers of every width, reals and complex numbers, the extremes among them."""
    for kind in NUMBERS:
        check_round_trip(ours, some_numbers(kind))


def rows_come_apart_into_fields(ours: Backend) -> None:
    """Also into fields of fields, and fields that are arrays."""
    for count in (7, 1, 0):
        check_round_trip(ours, some_hits(count))


def rows_with_further_axes_keep_them(ours: Backend) -> None:
    """Rows of shape (n, k), and arrays of three axes."""
    check_round_trip(ours, some_hits(6).reshape(3, 2))
    check_round_trip(ours, np.arange(24.0).reshape(2, 3, 4))


def rows_may_lie_anywhere(ours: Backend) -> None:
    """Rows with gaps between them, in reverse, and fields of rows."""
    rows = some_hits(12)
    for part in (rows[::3], rows[::-1], rows["at"]):
        check_round_trip(ours, part)
    for part in (rows["q"], rows["pixel"][:, :, 1], rows["at"]["y"]):
        check_round_trip(ours, part)


def another_byte_order_is_only_that(ours: Backend) -> None:
    """Files of other machines have it."""
    check_round_trip(ours, np.array([1, 256, -3], ">i4"))
    check_round_trip(ours, np.array([1.5, -2.5], ">f8"))
    check_round_trip(ours, some_hits(3).astype(HIT.newbyteorder(">")))


def a_missing_number_stays_one(ours: Backend) -> None:
    """NaN and infinities come back as they are."""
    given = np.array([np.nan, np.inf, -np.inf, -0.0])
    (found,) = ours.download(ours.upload([given]))
    assert found.tobytes() == given.tobytes()


def text_stays_on_the_host(ours: Backend) -> None:
    """By itself, and as a field beside numbers that go over."""
    rows = np.zeros(3, [("name", "S5"), ("x", "f8"), ("wide", "U2"), ("in", [("s", "S1")])])
    rows["name"], rows["x"], rows["wide"] = [b"a", b"bc", b""], [1, 2, 3], ["a", "b", "c"]
    found = ours.upload([rows])[0]
    for name in ("name", "wide"):
        assert isinstance(found[name], np.ndarray)
        assert found[name].tolist() == rows[name].tolist()
    assert isinstance(found["in"]["s"], np.ndarray)
    assert ours.owns(found["x"])
    assert ours.download([found["x"]])[0].tolist() == [1, 2, 3]
    words = np.array([b"a", b"bc"])
    assert ours.upload([words])[0].tolist() == words.tolist()


def parts_move_together_in_their_order(ours: Backend) -> None:
    """Rows, numbers, nothing and text in one call."""
    parts = [np.arange(3), some_hits(2), np.zeros(0), np.array([b"a"]), np.array([True])]
    found = ours.upload(parts)
    assert len(found) == len(parts)
    for part, uploaded in zip(parts, found, strict=True):
        compare(ours, uploaded, part)
    assert ours.upload([]) == []
    assert ours.download([]) == []


def what_was_uploaded_is_a_copy(ours: Backend) -> None:
    """Neither what becomes of the rows nor the next upload changes it."""
    if ours.is_host:
        return
    given, expected = some_hits(5), some_hits(5)
    first = ours.upload([given, given["q"]])
    for field in ("q", "id"):
        given[field] = 0
    ours.upload([some_hits(50)])
    compare(ours, first[0], expected)
    compare(ours, first[1], expected["q"])


def what_was_downloaded_is_a_copy(ours: Backend) -> None:
    """Stages may go on to change their arrays while the copy waits to be written."""
    if ours.is_host:
        return
    (array,) = ours.upload([np.arange(4.0)])
    (found,) = ours.download([array])
    try:
        array[...] = 9.0
    except TypeError:
        return  # a library whose arrays do not change
    ours.synchronise()
    assert found.tolist() == [0, 1, 2, 3]
    found[0] = 5.0


def what_was_computed_comes_back(ours: Backend) -> None:
    """Scalars, every other row, one value of a column, a turned table, results without rows."""
    xp = ours.namespace
    (table,) = ours.upload([np.arange(6.0).reshape(2, 3)])
    with ours.current():
        parts = [table[:, ::2], table[:1, 1], xp.permute_dims(table, (1, 0)), table[:0, :]]
        found = ours.download([xp.sum(table), *parts, table + 1])
    values = np.arange(6.0).reshape(2, 3)
    expected = [
        values.sum(), values[:, ::2], values[:1, 1], values.T, values[:0, :], values + 1,
    ]  # fmt: skip
    for have, want in zip(found, expected, strict=True):
        assert isinstance(have, np.ndarray | np.generic)
        assert (have.shape, have.tolist()) == (np.shape(want), want.tolist())


def what_moves_is_counted(ours: Backend) -> None:
    """Bytes and transfers, in both directions; nothing where nothing moves."""
    rows = some_hits(100)
    numbers = rows["q"].nbytes
    traffic = ours.traffic
    before = (traffic.bytes_up, traffic.transfers_up, traffic.bytes_down, traffic.transfers_down)
    found = ours.upload([rows, rows["q"]])
    ours.download([found[1], found[0]["q"]])
    after = (traffic.bytes_up, traffic.transfers_up, traffic.bytes_down, traffic.transfers_down)
    if ours.is_host:
        assert after == before
        return
    up, ups, down, downs = (have - had for have, had in zip(after, before, strict=True))
    assert up >= rows.nbytes + numbers
    assert down == 2 * numbers
    assert ups >= 1
    assert downs >= 1


# -- the library's own arrays ---------------------------------------------------------------------


def fields_are_contiguous_arrays_of_the_library(ours: Backend) -> None:
    """Each by itself, at an address that kernels take: for DLPack, and kernels of the user's."""
    if ours.is_host:
        return
    for count in (1, 2, 5):
        rows = some_hits(count)
        for array, part in leaves(ours.upload([rows])[0], rows):
            assert ours.owns(array)
            assert tuple(array.shape) == part.shape
            assert is_contiguous(array)
            assert address_of(array) % part.dtype.itemsize == 0


def arrays_are_told_from_others(ours: Backend) -> None:
    """`owns` knows its arrays, and `owner_of` whose they are."""
    (array,) = ours.upload([np.arange(3)])
    assert ours.owns(array)
    for other in ([1, 2], 3, None, "text", {"x": array}):
        assert not ours.owns(other)
    assert ours.owns(np.arange(3)) == ours.is_host
    if not ours.is_host:
        with using(ours):
            assert owner_of(array) is ours


def the_namespace_makes_arrays_on_the_device(ours: Backend) -> None:
    """Where the uploaded ones are, so that they mix; without saying the device."""
    xp = ours.namespace
    (array,) = ours.upload([np.arange(3.0)])
    with ours.current():
        made = [
            xp.zeros((3,)), xp.ones((3,), dtype=xp.float64), xp.arange(3), xp.full((3,), 2.0),
            xp.asarray([1.0, 2.0, 3.0]), xp.empty((3,)), xp.zeros_like(array),
        ]  # fmt: skip
        for each in made:
            assert ours.owns(each)
            if not ours.is_host:
                assert device_of(each) == device_of(array)
        assert ours.download([made[1] + array])[0].tolist() == [1, 2, 3]


def the_namespace_follows_the_standard(ours: Backend) -> None:
    """As far as h5flow goes: what it calls, by the standard's names."""
    xp = ours.namespace
    (array,) = ours.upload([np.array([3, 1, 2, 1])])
    with ours.current():
        order = xp.argsort(array, stable=True)
        rising = xp.take(array, order, axis=0)
        results = [
            order,
            xp.astype(xp.searchsorted(rising, array, side="right"), xp.int64),
            xp.where(array > 1, array, xp.zeros_like(array)),
            xp.cumulative_sum(array, include_initial=True, dtype=xp.int64),
            xp.concat([array, rising]),
            array[array > 1],
            xp.astype(xp.logical_and(array > 1, array < 3), xp.int64),
        ]
        found = [each.tolist() for each in ours.download(results)]
    assert found == [
        [1, 3, 2, 0], [4, 2, 3, 2], [3, 0, 2, 0], [0, 3, 4, 6, 7], [3, 1, 2, 1, 1, 1, 2, 3],
        [3, 2], [0, 0, 1, 0],
    ]  # fmt: skip


# -- the device -----------------------------------------------------------------------------------


def the_device_is_current_inside_of_with(ours: Backend) -> None:
    """Also inside of another, and after an error."""
    with ours.current(), ours.current():
        assert ours.owns(ours.namespace.zeros((1,)))
    try:
        with ours.current():
            raise KeyError("a stage's")
    except KeyError:
        pass
    ours.synchronise()


def the_devices_have_names(ours: Backend) -> None:
    """As text, at least one; the backend has one as well."""
    assert ours.devices()
    assert all(isinstance(device, str) for device in ours.devices())
    assert isinstance(ours.name, str)
    assert ours.name


def memory_is_counted_in_bytes_or_not_at_all(ours: Backend) -> None:
    """Both what is in use and what is free: integers, or None."""
    (kept,) = ours.upload([np.zeros(1000)])
    used, free = ours.used_bytes(), ours.free_bytes()
    assert (used is None) == (free is None)
    if used is not None and free is not None:
        assert used >= 8 * len(kept)
        assert free >= 0


def out_of_memory_is_recognised(ours: Backend) -> None:
    """Python's own error is, others are not."""
    assert ours.is_out_of_memory(MemoryError())
    assert not ours.is_out_of_memory(ValueError("a stage's"))


CASES: Mapping[str, Case] = {
    case.__name__: case
    for case in (
        numbers_of_every_kind_come_back,
        rows_come_apart_into_fields,
        rows_with_further_axes_keep_them,
        rows_may_lie_anywhere,
        another_byte_order_is_only_that,
        a_missing_number_stays_one,
        text_stays_on_the_host,
        parts_move_together_in_their_order,
        what_was_uploaded_is_a_copy,
        what_was_downloaded_is_a_copy,
        what_was_computed_comes_back,
        what_moves_is_counted,
        fields_are_contiguous_arrays_of_the_library,
        arrays_are_told_from_others,
        the_namespace_makes_arrays_on_the_device,
        the_namespace_follows_the_standard,
        the_device_is_current_inside_of_with,
        the_devices_have_names,
        memory_is_counted_in_bytes_or_not_at_all,
        out_of_memory_is_recognised,
    )
}


# -- what the cases are made of -------------------------------------------------------------------


def some_numbers(kind: str) -> Array:
    """Return numbers of a dtype, with its least and largest."""
    dtype = np.dtype(kind)
    values = np.arange(10).astype(dtype)
    if dtype.kind in "iu":
        values[:2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    elif dtype.kind == "f":
        values[:2] = np.finfo(dtype).min, np.finfo(dtype).max
    elif dtype.kind == "c":
        values[0] = 1 - 2j
    return values


def some_hits(count: int) -> Array:
    """Return rows with a field of every form."""
    rows = np.zeros(count, HIT)
    number = np.arange(count)
    rows["flag"], rows["q"], rows["id"] = number % 2 == 0, number + 0.5, 2**32 - 1 - number
    rows["pixel"] = (number[:, None] - np.arange(6)).reshape(count, 2, 3)
    rows["at"]["x"], rows["at"]["y"] = number / 4, number % 256
    rows["at"]["deep"]["z"], rows["at"]["deep"]["w"] = -(2**40) - number, number * (1 + 2j)
    return rows


def check_round_trip(ours: Backend, rows: Array) -> None:
    """Upload rows, and compare what comes back."""
    compare(ours, ours.upload([rows])[0], rows)


def compare(ours: Backend, uploaded: Any, rows: Array) -> None:
    """Compare what was uploaded with the rows, field by field, downloaded together."""
    pairs = list(leaves(uploaded, rows))
    on_device = [array for array, _ in pairs if ours.owns(array)]
    found = iter(ours.download(on_device))
    for array, part in pairs:
        back = next(found) if ours.owns(array) else array
        assert isinstance(back, np.ndarray)
        assert back.shape == part.shape
        assert np.array_equal(back, part)
        assert np.can_cast(part.dtype, back.dtype, "same_kind") or part.dtype.kind == "u"


def leaves(uploaded: Any, rows: Array) -> Iterator[tuple[Any, Array]]:
    """Yield what has no further fields, with the rows that it was made of."""
    if rows.dtype.names is None:
        yield uploaded, rows
        return
    for name in rows.dtype.names:
        yield from leaves(uploaded[name], rows[name])


def is_contiguous(array: Any) -> bool:
    """Return whether an array of any library lies in C order, as far as the library says."""
    if hasattr(array, "is_contiguous"):
        return bool(array.is_contiguous())
    return bool(getattr(getattr(array, "flags", None), "c_contiguous", True))


def address_of(array: Any) -> int:
    """Return where an array of any library lies, 0 where the library does not say."""
    if hasattr(array, "data_ptr"):
        return int(array.data_ptr())
    return int(getattr(getattr(array, "data", None), "ptr", 0))
