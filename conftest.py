"""`pytest --benchmark-only` runs what is in ``bench/``; plain `pytest` does not look there."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the size of benchmarks."""
    parser.addoption(
        "--scale",
        type=float,
        default=0.1,
        help="size of benchmarks: 1 is that of the table in docs/speed.md (default 0.1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Look into ``bench/`` where benchmarks alone are asked for, and no path is given."""
    only = config.getoption("--benchmark-only", default=False)
    if only and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args[:] = [str(config.rootpath / "bench")]
