"""The class that users' resources inherit from, and the table in which stages find them."""

from __future__ import annotations

from typing import Any

from h5flow.core.component import Component

__all__ = ["H5FlowResource", "resources"]

#: The resources of the workflow that runs, by class name: ``resources['Geometry']``.
#: One dict for good, changed in place, so that ``from h5flow import resources`` stays right.
resources: dict[str, Any] = {}


class H5FlowResource(Component):
    """Something that several stages share: a geometry, a calibration, run information.

    Parameters
    ----------
    input_filename : str or None
        What the user gave as input.
    start_position, end_position : int or None
        The range the user asked for, as it was given.
    **params
        As of every class of a workflow, see `h5flow.core.component.Component`.
    """

    input_filename: str | None = None
    start_position: int | None = None
    end_position: int | None = None

    def __init__(self, **params: Any) -> None:
        self.input_filename = params.pop("input_filename", None)
        self.start_position = params.pop("start_position", None)
        self.end_position = params.pop("end_position", None)
        super().__init__(**params)

    def init(self, source_name: str) -> None:
        """Load what is shared; once, before generator and stages are initialised."""

    def finish(self, source_name: str) -> None:
        """Do what is left after the loop; once."""
