"""``python -m h5flow``."""

from __future__ import annotations

import os
import sys

# Python puts the working directory first for ``-m``; a user's json.py must not replace another's.
# This package is found by now, and stages are found by their files.
if sys.path and sys.path[0] in {"", os.getcwd()}:
    del sys.path[0]

from h5flow.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
