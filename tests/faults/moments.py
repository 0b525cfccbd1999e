"""Something that happens to a run at a moment that a test names: at the n-th call of a function.

``python -m faults.moments run …`` is ``h5flow run …`` in which the moment of the environment
variable ``H5FLOW_TEST_MOMENT`` comes.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

__all__ = ["VARIABLE", "Moment", "install"]

VARIABLE = "H5FLOW_TEST_MOMENT"


@dataclass(frozen=True)
class Moment:
    """When something happens, and what.

    Attributes
    ----------
    place : str
        ``module:function`` or ``module:Class.method``, where it is looked up when it is called.
    call : int
        The how manyth call, from 1 on; of those whose arguments have `about` in their text.
    when : str
        Before or after that call, or so many microseconds after it began.
    what : str
        A name in `ACTIONS`, or ``"kill"``.
    rank : int
        To which rank it happens.
    """

    place: str
    call: int = 1
    when: Literal["before", "after"] | int = "before"
    what: str = "kill"
    about: str = ""
    rank: int = 0

    def __str__(self) -> str:
        when = f"{self.when} us into" if isinstance(self.when, int) else self.when
        name = self.place.replace("h5flow.", "").replace(":", ".")
        return f"{self.what} {when} {name} {self.call} {self.about}".rstrip()

    def packed(self) -> str:
        """Return it as text, for the environment."""
        return json.dumps(asdict(self))


def kill() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed, and alive")


def full_disk() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_disk_of_hdf5() -> NoReturn:
    raise RuntimeError(
        "Can't write data (file write failed: errno = 28, error message = 'No space')"
    )


def fill_the_disk() -> None:
    """Leave no byte of a small disk, on which the working directory is."""
    with open("filler", "wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, shutil.disk_usage(".").free)


ACTIONS: dict[str, Callable[[], Any]] = {
    "kill": kill,
    "full disk": full_disk,
    "fill the disk": fill_the_disk,
    "full disk, as HDF5 says it": full_disk_of_hdf5,
    "delete the input": lambda: os.unlink("in.h5"),
    "truncate the input": lambda: os.truncate("in.h5", 3000),
    "replace the input": lambda: shutil.copy("old.h5", "in.h5"),
    "remove the output": lambda: os.unlink("out.h5.partial"),
}


def install(moment: Moment) -> None:
    """Have a moment come in this process."""
    if moment.rank != _rank():
        return
    module, _, path = moment.place.partition(":")
    owner: Any = importlib.import_module(module)
    *names, last = path.split(".")
    for name in names:
        owner = getattr(owner, name)
    original, calls = getattr(owner, last), 0

    def patched(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        is_meant = moment.about in f"{arguments} {options}"
        calls += is_meant
        if not is_meant or calls != moment.call:
            return original(*arguments, **options)
        if moment.when == "before":
            ACTIONS[moment.what]()
        elif moment.when != "after":
            _kill_in(moment.when)
        result = original(*arguments, **options)
        if moment.when != "before":
            ACTIONS[moment.what]()
        return result

    setattr(owner, last, patched)


def _rank() -> int:
    from h5flow.comm.choose import launched_rank

    return launched_rank()


def _kill_in(microseconds: int) -> None:
    """Kill this process from outside: h5py gives way to no other thread of it."""
    process, end = os.getpid(), time.perf_counter() + microseconds / 1e6
    if os.fork() == 0:
        while time.perf_counter() < end:
            pass
        os.kill(process, signal.SIGKILL)
        os._exit(0)


def main() -> int:
    text = os.environ.get(VARIABLE)
    if text:
        install(Moment(**json.loads(text)))
    from h5flow.cli.app import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    sys.exit(main())
