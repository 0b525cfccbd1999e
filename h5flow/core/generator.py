"""The class that users' generators inherit from."""

from __future__ import annotations

from typing import Any, ClassVar

from h5flow.core.component import Component

__all__ = ["H5FlowGenerator"]


class H5FlowGenerator(Component):
    """Where the rows of a workflow's source come from, chunk by chunk.

    A subclass overrides `next`, and what it needs of `__init__`, `init`, `finish` and `__len__`
    (the number of iterations, for the progress bar).

    Parameters
    ----------
    dset_name : str
        The dataset whose rows `next` gives.
    input_filename : str or None
        What the user gave as input; any kind of file.
    start_position, end_position : int or None
        The range the user asked for, as it was given.
    **params
        As of every class of a workflow, see `h5flow.core.component.Component`.
    """

    #: What `next` returns where this rank has no rows (left).
    EMPTY: ClassVar[slice] = slice(-1, -1)
    #: Whether the input is an HDF5 file whose data become part of the output.
    copies_input: ClassVar[bool] = False

    dset_name: str = ""
    input_filename: str | None = None
    start_position: int | None = None
    end_position: int | None = None

    def __init__(self, **params: Any) -> None:
        self.dset_name = params.pop("dset_name", "")
        self.input_filename = params.pop("input_filename", None)
        self.start_position = params.pop("start_position", None)
        self.end_position = params.pop("end_position", None)
        super().__init__(**params)

    def init(self) -> None:
        """Open the input, create datasets; once, before stages do."""

    def next(self) -> slice:
        """Make rows of `dset_name` and return them as a slice; `EMPTY` when there are no more.

        The loop ends when every rank returns `EMPTY` in the same iteration.
        """
        raise NotImplementedError(
            f"{type(self).__name__} is a generator without next(): it must return the slice of "
            "the next rows, or H5FlowGenerator.EMPTY"
        )

    def upcoming(self) -> slice | None:
        """Return what `next` will return next on this rank, None where that is not known.

        Those rows are read while stages work on the chunk before.
        """
        return None

    def finish(self) -> None:
        """Close what `init` opened."""
