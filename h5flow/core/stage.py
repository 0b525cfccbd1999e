"""The class that users' stages inherit from."""

from __future__ import annotations

from typing import Any, ClassVar

from h5flow.core.component import Component

__all__ = ["H5FlowStage"]


class H5FlowStage(Component):
    """One step of a workflow: rows of the source in, new datasets and references out.

    A subclass overrides what it needs of `__init__`, `init`, `run` and `finish`; see
    `h5flow.core.component.Component` for parameters and attributes.

    Examples
    --------
    >>> import numpy as np
    >>> class Energy(H5FlowStage):
    ...     gain = 1.0
    ...
    ...     def init(self, source_name):
    ...         self.data_manager.create_dset("energy", np.dtype([("sum", "f8")]))
    ...         self.data_manager.create_ref(source_name, "energy")
    ...
    ...     def run(self, source_name, source_slice, cache):
    ...         energy = (cache["hits"]["q"] * self.gain).sum(axis=-1)
    ...         rows = self.data_manager.reserve_data("energy", len(energy))
    ...         self.data_manager.write_data("energy", rows, {"sum": energy})
    """

    #: Datasets that `run` makes, for workflows whose later stages require them.
    makes: ClassVar[tuple[str, ...]] = ()
    #: Whether ranks take turns in `run`, the lowest first: a stage that reserves more than once
    #: for a chunk then has its rows where one process puts them. Its ranks do not compute at once.
    ordered: ClassVar[bool] = False

    def init(self, source_name: str) -> None:
        """Create datasets and write metadata, or refuse the source; once, before the loop."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        """Work on one chunk.

        Parameters
        ----------
        source_name : str
            The dataset the workflow loops over.
        source_slice : slice
            This chunk's rows in it; `H5FlowGenerator.EMPTY` on a rank without work.
        cache : dict
            The chunk's rows, under `source_name`, and the required rows, under their names. It
            lasts for all stages of the chunk, which may add to it and edit it.
        """

    def finish(self, source_name: str) -> None:
        """Do what is left after the loop; once."""
