"""What stages, generators and resources have in common."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from h5flow.backends import choose_backend
from h5flow.comm.one_rank import OneRankComm
from h5flow.errors import ConfigError, Problem, did_you_mean

if TYPE_CHECKING:
    from h5flow.data.data_manager import H5FlowDataManager

__all__ = ["Component"]


class Component:
    """A class of a workflow: named in YAML, made once, asked to work through its hooks.

    Parameters
    ----------
    name, classname : str
        From the workflow file.
    data_manager : H5FlowDataManager
        The output of the run.
    requires : list of dict
        The stage's ``requires``, each in full: name, path, index_only, optional, layout.
    **params
        The block's ``params``. Those for which the class has an attribute (its default) replace
        it on the object, all before the first line after ``super().__init__(**params)``.

    Attributes
    ----------
    comm : object
        With the methods of ``mpi4py.MPI.Intracomm``, also in one process.
    rank, size : int
        Of this process in `comm`.
    xp : module
        The array namespace in which the rows of a chunk live.
    """

    class_version: ClassVar[str] = "0.0.0"
    #: Names of all params with their defaults; a class that has it refuses other params.
    parameters: ClassVar[Mapping[str, Any] | None] = None

    name: str = ""
    classname: str = ""
    data_manager: H5FlowDataManager
    requires: Sequence[Mapping[str, Any]] = ()
    comm: Any
    rank: int = 0
    size: int = 1
    xp: Any

    def __init__(self, **params: Any) -> None:
        self.name = params.pop("name", type(self).__name__)
        self.classname = params.pop("classname", type(self).__name__)
        manager = params.pop("data_manager", None)
        if manager is not None:
            self.data_manager = manager
        self.requires = list(params.pop("requires", ()))
        self.comm = params.pop("comm", None) or OneRankComm()
        self.rank = self.comm.Get_rank()
        self.size = self.comm.Get_size()
        self.xp = params.pop("xp", None) or choose_backend().namespace
        self._take_params(params)

    def _take_params(self, params: Mapping[str, Any]) -> None:
        declared = type(self).parameters
        if declared is None:
            for key, value in params.items():
                if _is_default(type(self), key):
                    setattr(self, key, value)
            return
        unknown = [key for key in params if key not in declared]
        if unknown:
            raise ConfigError(
                [
                    Problem(
                        f"{self.name}: {self.classname} has no parameter "
                        f"'{key}'{did_you_mean(key, declared)}; it has "
                        f"{', '.join(declared) or 'none'}"
                    )
                    for key in unknown
                ]
            )
        for key, default in declared.items():
            setattr(self, key, params.get(key, default))


def _is_default(cls: type, key: str) -> bool:
    """Return whether a user's class has a plain attribute of that name, a parameter's default."""
    for owner in cls.__mro__:
        if key in vars(owner):
            value = inspect.getattr_static(owner, key)
            ours = owner.__module__.partition(".")[0] == "h5flow" and owner.__name__.startswith(
                ("H5Flow", "Component")
            )
            return not ours and not callable(value) and not hasattr(value, "__get__")
    return False
