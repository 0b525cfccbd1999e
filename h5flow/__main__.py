"""``python -m h5flow``."""

from __future__ import annotations

import sys

from h5flow.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
