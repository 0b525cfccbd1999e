#!/usr/bin/env python3
"""The command ``h5flow`` under its older name."""

import sys

from h5flow.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
