"""Buffers as mpi4py's upper-case methods take them: memory, or memory with counts and a type."""

from __future__ import annotations

import operator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from h5flow.errors import DataError

__all__ = ["copy_elements", "elements", "is_in_place", "reduce_elements"]

Elements: TypeAlias = npt.NDArray[Any]


def is_in_place(spec: object) -> bool:
    """Tell whether a buffer is ``MPI.IN_PLACE``, or None, which means the same."""
    return spec is None or type(spec).__name__ == "InPlaceType"


def elements(spec: Any, *, writable: bool = False, by_rank: bool = False) -> Elements:
    """Return the elements that a buffer stands for, as a 1-D view of its memory.

    Parameters
    ----------
    spec : buffer, or list or tuple
        ``array``, ``[array, type]``, ``[array, count]``, ``[array, (count, displacement)]`` or
        ``[array, count, displacement, type]``; a type is a typecode or an MPI datatype.
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
        return _numbers(_memory(spec, writable))
    if not spec:
        raise _not_a_buffer(spec)
    parts = list(spec)
    memory = _memory(parts.pop(0), writable)
    is_typed = bool(parts) and (isinstance(parts[-1], str) or hasattr(parts[-1], "Get_size"))
    found = memory.view("u1").view(_dtype_of(parts.pop())) if is_typed else _numbers(memory)
    count, displacement = _count_and_displacement(parts, by_rank)
    stop = len(found) if count is None else displacement + count
    if not 0 <= displacement <= stop <= len(found):
        raise DataError(
            f"a buffer of {len(found)} elements cannot hold {count} from {displacement} on",
            advice="Correct the counts and displacements, which count elements.",
        )
    return found[displacement:stop]


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
    """Copy what a reduction over one rank gives: what is sent.

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
        raise DataError(
            "a buffer to send or receive must be contiguous",
            advice="Pass numpy.ascontiguousarray(...) of it, or use the lower-case method.",
        )
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
            "an MPI datatype with gaps cannot be used in a run of one process",
            advice="Copy the elements into a contiguous array.",
        )
    try:
        code: str = mpi_type.tocode()
        return np.dtype(code)
    except (AttributeError, TypeError, ValueError):  # a derived type, or an older mpi4py
        return np.dtype(f"V{size}")


def _count_and_displacement(parts: list[Any], by_rank: bool) -> tuple[int | None, int]:
    if len(parts) == 1 and isinstance(parts[0], tuple):
        parts = list(parts[0])  # [array, (count, displacement)]
        if len(parts) != 2:
            raise _malformed()
    if len(parts) > 2:
        raise _malformed()
    if by_rank and len(parts) > 1 and isinstance(parts[1], int):
        parts[1] = None  # a step, and rank 0 has taken none
    count, displacement = [*(_of_rank_0(part, by_rank) for part in parts), None, None][:2]
    return count, displacement or 0


def _of_rank_0(value: Any, by_rank: bool) -> int | None:
    try:
        if by_rank and isinstance(value, list | tuple | np.ndarray):
            (value,) = value
        return None if value is None else operator.index(value)
    except (TypeError, ValueError):
        raise DataError(
            f"{value!r} is not the count or displacement of the one rank there is",
            advice="Give a whole number, or where ranks have buffers of different lengths a list "
            "with one for each rank.",
        ) from None


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
