"""What stages, generators and resources have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from h5flow.backends import Backend, choose_backend
from h5flow.comm.one_rank import OneRankComm
from h5flow.errors import ConfigError, Problem, did_you_mean

if TYPE_CHECKING:
    from h5flow.core.linked_bytes import LinkedBytes
    from h5flow.data.data_manager import H5FlowDataManager

__all__ = ["Component", "Surroundings", "refused_params", "surrounded_by", "surroundings"]


class Surroundings(NamedTuple):
    """What every part of a run has and no workflow file gives: a communicator, an array library.

    Attributes
    ----------
    room : int or None
        Bytes of its device's memory that any rank may take at least, the same on all ranks; None
        where no device says.
    linked : LinkedBytes or None
        Tells a loop over a dataset what its chunks bring along.
    """

    comm: Any
    backend: Backend
    room: int | None = None
    linked: LinkedBytes | None = None


_surroundings: ContextVar[Surroundings | None] = ContextVar("surroundings", default=None)


@contextmanager
def surrounded_by(surroundings: Surroundings) -> Iterator[None]:
    """Give these to all that is constructed inside of ``with``.

    They are no arguments, for a constructor may name the arguments it takes, and need not know
    these.
    """
    token = _surroundings.set(surroundings)
    try:
        yield
    finally:
        _surroundings.reset(token)


def surroundings() -> Surroundings:
    """Return what a part that is being constructed is given; outside of a run, NumPy alone."""
    return _surroundings.get() or Surroundings(OneRankComm(), choose_backend("numpy"))


#: Attributes that a part is given, and cannot change.
GIVEN = frozenset({"data_manager", "comm", "xp", "_backend"})


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
    #: Whether a run that was stopped can go on with an object that was made anew. One that keeps
    #: something from chunk to chunk has two more hooks: ``state()`` returns it, as plain values or
    #: arrays, and ``restore(state)`` takes it in.
    resumable: ClassVar[bool] = True
    #: Names of all params with their defaults; a class that has it refuses other params. A
    #: subclass with a constructor of its own, and without it, takes any again.
    parameters: ClassVar[Mapping[str, Any] | None] = None

    name: str = ""
    classname: str = ""
    data_manager: H5FlowDataManager
    requires: Sequence[Mapping[str, Any]] = ()
    comm: Any
    rank: int = 0
    size: int = 1
    xp: Any
    _backend: Backend

    def __init__(self, **params: Any) -> None:
        self.name = params.pop("name", type(self).__name__)
        self.classname = params.pop("classname", type(self).__name__)
        manager = params.pop("data_manager", None)
        if manager is not None:
            self.data_manager = manager
        self.requires = list(params.pop("requires", ()))
        around = surroundings()
        self.comm, self.xp = around.comm, around.backend.namespace
        self._backend = around.backend
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        self._take_params(params)

    def _take_params(self, params: Mapping[str, Any]) -> None:
        refused = refused_params(type(self), params)
        if refused:
            raise ConfigError([Problem(f"{self.name}: {why}") for why in refused.values()])
        declared, own = type(self).parameters or {}, _own_defaults(type(self))
        for key, default in {**declared, **own}.items():
            if key in params:
                setattr(self, key, params[key])
            elif key not in own:
                # A copy, for one object may edit the list that is the next one's default.
                setattr(self, key, deepcopy(default))


def refused_params(cls: type[Component], params: Iterable[Any]) -> dict[Any, str]:
    """Return the params that a class does not have, each with a sentence; none where it takes any.

    Parameters
    ----------
    cls : type
        A class that declares its `parameters`, or another.
    params : iterable of str
        Their names.
    """
    declared = cls.parameters
    if declared is None or not _declares(cls):
        return {}
    known = {**declared, **_own_defaults(cls)}
    has = f"it has {', '.join(known)}" if known else "it has none"
    return {
        key: f"{cls.__name__} has no parameter '{key}'{did_you_mean(str(key), known)}; {has}"
        for key in params
        if str(key) not in known
    }


def _declares(cls: type) -> bool:
    """Return whether the params are declared where they are taken, or in a subclass of that."""
    for owner in cls.__mro__:
        if "parameters" in vars(owner):
            return True
        if "__init__" in vars(owner):
            return False
    return False


def _own_defaults(cls: type) -> dict[str, Any]:
    """Return the plain attributes of users' classes, which are defaults of parameters.

    Those of a class that declares its `parameters`, and of its bases, are not.
    """
    defaults: dict[str, Any] = {}
    for owner in cls.__mro__:
        if vars(owner).get("parameters") is not None:
            break
        if owner.__module__.partition(".")[0] != "h5flow" and owner is not object:
            for key in vars(owner):
                if not key.startswith("__") and not hasattr(vars(owner)[key], "__get__"):
                    defaults.setdefault(key, vars(owner)[key])
    return defaults
