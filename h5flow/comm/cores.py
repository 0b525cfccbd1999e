"""How many cores this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

__all__ = ["physical_cores"]

TOPOLOGY = "sys/devices/system/cpu/cpu{}/topology"
CONTROL_GROUPS = "sys/fs/cgroup"


def physical_cores(cpus: Iterable[int] | None = None, root: Path = Path("/")) -> int:
    """Return the number of physical cores that this process may use, at least 1.

    Two hardware threads of a core count once, for they share what computes. A container's limit
    on CPU time (``cpu.max``) counts, rounded up; where the machine does not tell which threads
    share a core, each one is a core.

    Parameters
    ----------
    cpus : iterable of int, optional
        Hardware threads; those that this process may run on by default.
    root : pathlib.Path
        Where the system's folders ``sys`` and ``proc`` are.
    """
    numbers = _usable_cpus() if cpus is None else list(cpus)
    cores = {_core(number, root) for number in numbers}
    count = len(numbers) if None in cores else len(cores)
    return max(1, min([count, *_limits(root)]))


def _usable_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _core(number: int, root: Path) -> tuple[int, int] | None:
    folder = root / TOPOLOGY.format(number)
    try:
        package = int((folder / "physical_package_id").read_text("ascii"))
        return package, int((folder / "core_id").read_text("ascii"))
    except (OSError, ValueError):
        return None


def _limits(root: Path) -> Iterator[int]:
    """Yield the limit of this process's control group, and of those around it."""
    group = _control_group(root)
    if group is None:
        return
    for folder in (group, *group.parents):
        path = root / CONTROL_GROUPS / folder.relative_to("/") / "cpu.max"
        try:
            quota, period = path.read_text("ascii").split()
            yield math.ceil(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            # there is no such file, or it says "max"
            continue


def _control_group(root: Path) -> PurePosixPath | None:
    """Return this process's group in version 2 of control groups, the only one without a number."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    paths = [line.removeprefix("0::") for line in lines if line.startswith("0::/")]
    return PurePosixPath(paths[0]) if paths else None
