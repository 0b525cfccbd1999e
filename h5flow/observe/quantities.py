"""Numbers for people: rows, bytes, durations."""

from __future__ import annotations

__all__ = ["about_rows", "bytes_of", "duration", "percent", "rows_of", "scaled"]

PREFIXES = ("", "k", "M", "G", "T", "P")


def scaled(value: float) -> str:
    """Return three digits and a prefix, to be followed by a unit.

    Examples
    --------
    >>> scaled(950) + "B", scaled(12_345) + "B", scaled(1_310_720) + "B"
    ('950 B', '12.3 kB', '1.31 MB')
    """
    for prefix in PREFIXES:
        # 999.5 would be rounded to 1000
        if value < 999.5 or prefix == PREFIXES[-1]:
            break
        value /= 1000
    if not prefix:
        return f"{value:.0f} "
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f} {prefix}"


def about_rows(count: float) -> str:
    """Return a number of rows in short, ``"1.31 M rows"``."""
    return f"{scaled(count).rstrip()} rows"


def rows_of(count: int) -> str:
    """Return a number of rows in full, ``"1,310,720 rows"``."""
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def bytes_of(count: float) -> str:
    """Return a size such as ``"12.3 MB"``, in powers of 1,000."""
    return f"{scaled(count)}B"


def percent(done: int, total: int) -> str:
    """Return the share that is done, rounded down: 100 is said of what is complete only."""
    return f"{min(100 * done // total, 100) if total > 0 else 100} %"


def duration(seconds: float) -> str:
    """Return a time in the two units that matter.

    Examples
    --------
    >>> duration(1.25), duration(80), duration(7_500)
    ('1.2 s', '1 min 20 s', '2 h 05 min')
    """
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
