"""Buffers as mpi4py's upper-case methods take them: memory, or memory with counts and a type."""

from __future__ import annotations

import operator
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from h5flow.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "blocks",
    "contiguous_bytes",
    "copy_elements",
    "elements",
    "is_in_place",
    "reduce_elements",
]

Elements: TypeAlias = "npt.NDArray[Any]"


def is_in_place(spec: object) -> bool:
    """Tell whether a buffer is ``MPI.IN_PLACE``, or None, which means the same."""
    return spec is None or type(spec).__name__ == "InPlaceType"


def contiguous_bytes(data: Any) -> Elements:
    """Return the bytes of a buffer in C order, as a view of its memory.

    Raises
    ------
    DataError
        It is not C-contiguous, or holds Python objects.
    """
    memory = _memory(data, writable=False)
    if isinstance(data, np.ndarray) and not data.flags.c_contiguous:
        raise _not_contiguous()
    return memory.view("u1")


def elements(spec: Any, *, writable: bool = False, by_rank: bool = False) -> Elements:
    """Return the elements that a buffer stands for in a group of one; see `blocks`."""
    return blocks(spec, 1, writable=writable, by_rank=by_rank)[0]


def blocks(
    spec: Any, ranks: int, *, writable: bool = False, by_rank: bool = False
) -> list[Elements]:
    """Return the elements that a buffer holds for each rank, as 1-D views of its memory.

    Parameters
    ----------
    spec : buffer, or list or tuple
        ``array``, ``[array, type]``, ``[array, count]``, ``[array, (count, displacement)]`` or
        ``[array, count, displacement, type]``; a type is a typecode or an MPI datatype.
    ranks : int
        Each has as many elements as the others: `count`, or its share of all.
    writable : bool
        The buffer receives.
    by_rank : bool
        Counts and displacements are lists with an entry for each rank; a number for all
        displacements is the step from rank to rank.

    Raises
    ------
    DataError
        It is not a contiguous buffer of numbers, or not as large as its count says.
    """
    if not isinstance(spec, list | tuple):
        found, parts = _numbers(_memory(spec, writable)), []
    elif not spec:
        raise _not_a_buffer(spec)
    else:
        parts = list(spec)
        memory = _memory(parts.pop(0), writable)
        is_typed = bool(parts) and (isinstance(parts[-1], str) or hasattr(parts[-1], "Get_size"))
        found = memory.view("u1").view(_dtype_of(parts.pop())) if is_typed else _numbers(memory)
    extents = _extents_by_rank if by_rank else _extents
    parted = []
    for start, count in extents(*_count_and_displacement(parts), len(found), ranks):
        if not 0 <= start <= start + count <= len(found):
            raise DataError(
                f"a buffer of {len(found)} elements cannot hold {count} from {start} on",
                advice="Correct the counts and displacements, which count elements.",
            )
        parted.append(found[start : start + count])
    return parted


def copy_elements(send: Elements, receive: Elements) -> None:
    """Copy what is sent to the beginning of what receives.

    Raises
    ------
    DataError
        It does not fit, or the types differ (MPI would reinterpret the bytes).
    """
    is_bytes = any(array.dtype.kind == "V" or array.dtype == "u1" for array in (send, receive))
    if send.dtype != receive.dtype and not is_bytes:
        raise _types_differ(send, receive)
    if send.nbytes > receive.nbytes:
        raise DataError(
            f"{send.nbytes} bytes are sent to a buffer of {receive.nbytes}",
            advice="Make the receiving buffer at least as large as what is sent.",
        )
    receive.view("u1")[: send.nbytes] = send.view("u1")


def reduce_elements(send: Elements, receive: Elements) -> None:
    """Copy what a reduction gives; over one rank it is what is sent.

    Raises
    ------
    DataError
        The two differ in type or in number.
    """
    if send.dtype != receive.dtype:
        raise _types_differ(send, receive)
    if len(send) != len(receive):
        raise DataError(
            f"{len(send)} elements are reduced into a buffer of {len(receive)}",
            advice="Both buffers of a reduction have one length.",
        )
    receive[...] = send


def _memory(data: Any, writable: bool) -> Elements:
    try:
        array = np.asarray(data if isinstance(data, np.ndarray | np.generic) else memoryview(data))
    except TypeError:
        raise _not_a_buffer(data) from None
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        raise _not_contiguous()
    if writable and (not array.flags.writeable or isinstance(data, np.generic)):
        raise DataError("a receiving buffer must be writable", advice="Pass an array of your own.")
    if array.dtype.hasobject:
        raise _no_numbers(array)
    return array.reshape(-1, order="A")


def _numbers(memory: Elements) -> Elements:
    """Return `memory` if MPI has a type for its elements."""
    if memory.dtype.kind not in "biufc" or not memory.dtype.isnative:
        raise _no_numbers(memory)
    return memory


def _dtype_of(mpi_type: Any) -> np.dtype[Any]:
    if isinstance(mpi_type, str):
        try:
            return np.dtype(mpi_type)
        except TypeError:
            raise DataError(
                f"'{mpi_type}' is not the typecode of a number",
                advice="Use a NumPy typecode such as 'd', or an MPI datatype.",
            ) from None
    size = int(mpi_type.Get_size())
    if hasattr(mpi_type, "Get_extent") and mpi_type.Get_extent() != (0, size):
        raise DataError(
            "an MPI datatype with gaps can only be used with MPI itself",
            advice="Copy the elements into a contiguous array.",
        )
    try:
        code: str = mpi_type.tocode()
        return np.dtype(code)
    except (AttributeError, TypeError, ValueError):  # a derived type, or an older mpi4py
        return np.dtype(f"V{size}")


def _count_and_displacement(parts: list[Any]) -> tuple[Any, Any]:
    if len(parts) == 1 and isinstance(parts[0], tuple):
        parts = list(parts[0])  # [array, (count, displacement)]
        if len(parts) != 2:
            raise _malformed()
    if len(parts) > 2:
        raise _malformed()
    count, displacement = [*parts, None, None][:2]
    return count, displacement


def _extents(count: Any, start: Any, length: int, ranks: int) -> list[tuple[int, int]]:
    """Return where each rank's elements begin, and how many they are."""
    start = 0 if start is None else _whole(start, 1)
    if count is None:
        count, rest = divmod(length - start, ranks)
        if rest:
            raise DataError(
                f"{length - start} elements are not a multiple of {ranks} ranks",
                advice="Pass as many elements for each rank.",
            )
    count = _whole(count, 1)
    return [(start + rank * count, count) for rank in range(ranks)]


def _extents_by_rank(counts: Any, starts: Any, length: int, ranks: int) -> list[tuple[int, int]]:
    """Return the same where counts and displacements may differ from rank to rank."""
    if counts is None:
        share, rest = divmod(length, ranks)
        counts = [share + (rank < rest) for rank in range(ranks)]
    counts = _each(counts, ranks)
    if starts is None:
        starts = [0, *accumulate(counts)][:ranks]
    elif not isinstance(starts, list | tuple | np.ndarray):
        starts = [rank * _whole(starts, ranks) for rank in range(ranks)]
    return list(zip(_each(starts, ranks), counts, strict=True))


def _each(values: Any, ranks: int) -> list[int]:
    if not isinstance(values, list | tuple | np.ndarray):
        return [_whole(values, ranks)] * ranks
    if len(values) != ranks:
        raise _not_counts(values, ranks)
    return [_whole(value, ranks) for value in values]


def _whole(value: Any, ranks: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise _not_counts(value, ranks) from None


def _not_counts(value: object, ranks: int) -> DataError:
    whose = "the one rank there is" if ranks == 1 else f"each of {ranks} ranks"
    return DataError(
        f"{value!r} is not the count or displacement of {whose}",
        advice="Give a whole number, or where ranks have buffers of different lengths a list "
        "with one for each rank.",
    )


def _malformed() -> DataError:
    return DataError(
        "a buffer has a count, a displacement and a type, at most",
        advice="Pass [array, count], [array, (count, displacement)] or "
        "[array, count, displacement, type].",
    )


def _not_a_buffer(data: object) -> DataError:
    return DataError(
        f"a {type(data).__name__} is not a buffer that can be sent or received",
        advice="Pass a NumPy array, or use the lower-case method for Python objects.",
    )


def _not_contiguous() -> DataError:
    return DataError(
        "a buffer to send or receive must be contiguous",
        advice="Pass numpy.ascontiguousarray(...) of it, or use the lower-case method.",
    )


def _no_numbers(array: Elements) -> DataError:
    return DataError(
        f"MPI has no type for elements of dtype {array.dtype}",
        advice="Pass numbers in the machine's byte order, the bytes of an array of your own "
        "(array.view('u1')), or use the lower-case method.",
    )


def _types_differ(send: Elements, receive: Elements) -> DataError:
    return DataError(
        f"elements of dtype {send.dtype} are sent to a buffer of {receive.dtype}",
        advice="Use one dtype on both sides.",
    )
