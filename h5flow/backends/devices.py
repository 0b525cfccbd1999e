"""Which array libraries are installed, and the devices that they find.

Each library is asked in a process of its own: a broken driver may end it, or hang it, and h5flow
goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

__all__ = ["INSTALL", "LIBRARIES", "find_devices"]

CUPY = """
import cupy
print(cupy.__version__)
try:
    count = cupy.cuda.runtime.getDeviceCount()
except cupy.cuda.runtime.CUDARuntimeError as error:
    print(f"no device ({error})")
    count = 0
for number in range(count):
    print(cupy.cuda.runtime.getDeviceProperties(number)["name"].decode())
"""
TORCH = """
import torch
print(torch.__version__)
print("cpu")
for number in range(torch.cuda.device_count()):
    print(torch.cuda.get_device_name(number))
"""
LIBRARIES: Mapping[str, str] = {"cupy": CUPY, "torch": TORCH}
"""The program that prints a library's version and its devices, a line each."""

INSTALL: Mapping[str, str] = {
    "cupy": "pip install 'h5flow[cuda12]' or 'h5flow[cuda13]', for an NVIDIA GPU",
    "torch": "pip install 'h5flow[torch]'",
}
"""How to install each library."""


def find_devices(library: str, run_program: Callable[[str], str]) -> str | None:
    """Return a library's version and devices in one line, None where it is not installed.

    Parameters
    ----------
    library : str
        A name in `LIBRARIES`.
    run_program : callable
        Runs the text of a program in an interpreter like this one and returns what it prints;
        raises `OSError` with the last line of its traceback where it fails.
    """
    try:
        version, *devices = run_program(LIBRARIES[library]).strip().splitlines()
    except OSError as error:
        reason = str(error)
        if f"No module named '{library}'" in reason:
            return None
        return f"installed, and does not load: {reason}"
    except ValueError:
        return "installed, and says nothing"
    return f"{version}: {', '.join(devices) or 'no device'}"
