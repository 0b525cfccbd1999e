"""What ran and how long each part took: a table per workflow, and the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from h5flow.events import (
    ConfigFinished,
    ConfigStarted,
    Event,
    HookTimed,
    Published,
)
from h5flow.observe.aligned import aligned, widths_of
from h5flow.observe.progress import is_terminal, make_console
from h5flow.observe.quantities import bytes_of, duration, rows_of

__all__ = ["Summary", "Table", "print_summary"]

HEAD = ("part", "class", "init", "run", "finish", "seconds", "share")
NARROWER = (HEAD, tuple(name for name in HEAD if name != "class"), ("part", "seconds", "share"))
EARLIER, OTHER = "earlier runs", "other"
# anything else, such as the `next` of a generator, is spent in the loop
COLUMN_OF_HOOK = {"__init__": "init", "init": "init", "finish": "finish"}
# take their time before the first workflow begins to count, and after the last
COPY, PUBLISH = ("copy input", ""), ("publish", "")


@dataclass(frozen=True)
class Table:
    """Cells of one workflow's parts.

    Attributes
    ----------
    title : str
    rows : tuple of dict of str to str
        A cell per name in `HEAD`; the last row is the total.
    """

    title: str
    rows: tuple[dict[str, str], ...]


@dataclass
class _Part:
    name: str
    classname: str
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


@dataclass
class _Config:
    parts: dict[tuple[str, str], _Part] = field(default_factory=dict)
    started: ConfigStarted | None = None
    finished: ConfigFinished | None = None


class Summary:
    """Collects what a run tells.

    Time spent before a workflow begins (copying the input) is counted with it, and that of
    completing the output, until the disk has it, with the last.
    """

    def __init__(self) -> None:
        self.published: Published | None = None
        self._configs = [_Config()]

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        config = self._configs[-1]
        if isinstance(event, HookTimed):
            key = (event.name, event.classname)
            if key == PUBLISH and len(self._configs) > 1:
                config = self._configs[-2]
            part = config.parts.setdefault(key, _Part(*key))
            hook = COLUMN_OF_HOOK.get(event.hook, "run")
            part.seconds[hook] = part.seconds.get(hook, 0.0) + event.seconds
        elif isinstance(event, ConfigStarted):
            config.started = event
        elif isinstance(event, ConfigFinished):
            config.finished = event
            self._configs.append(_Config())
        elif isinstance(event, Published):
            self.published = event

    def tables(self) -> list[Table]:
        """Return a table per workflow, and one for what came after the last."""
        return [_table(config) for config in self._configs if config.parts or config.finished]

    def closing(self, seconds: float) -> str | None:
        """Return the line about the output, None where nothing was published."""
        if self.published is None:
            return None
        size = bytes_of(self.published.bytes_written)
        return f"wrote {self.published.path} ({size}) in {duration(seconds)}"


def print_summary(summary: Summary, stream: TextIO, seconds: float) -> None:
    """Print tables and the closing line, in a terminal's width.

    Parameters
    ----------
    summary : Summary
    stream : text stream
    seconds : float
        How long everything took.
    """
    closing = summary.closing(seconds)
    if is_terminal(stream):
        _print_to_terminal(summary.tables(), closing, stream)
        return
    for table in summary.tables():
        print(f"\n{_plain(table)}", file=stream)
    if closing:
        print(f"\n{closing}", file=stream)
    stream.flush()


def _table(config: _Config) -> Table:
    # h5flow's own parts come last
    parts = sorted(config.parts.values(), key=lambda part: not part.classname)
    if config.finished is not None and config.finished.earlier:
        parts.append(_Part(EARLIER, "", {"other": config.finished.earlier}))
    counted = sum(part.total for part in parts)
    outside = sum(config.parts[key].total for key in (COPY, PUBLISH) if key in config.parts)
    total = max(counted, outside + (config.finished.seconds if config.finished else 0.0))
    rows = [_row(part, total) for part in parts]
    if parts and total - counted >= 0.005:
        rows.append(_row(_Part(OTHER, "", {"other": total - counted}), total))
    by_hook = _by_hook(parts)
    by_hook["other"] = total - sum(by_hook.values())
    rows.append(_row(_Part("total", "", by_hook), total))
    return Table(_title(config), tuple(rows))


def _by_hook(parts: Sequence[_Part]) -> dict[str, float]:
    hooks = ("init", "run", "finish")
    found = {hook: [p.seconds[hook] for p in parts if hook in p.seconds] for hook in hooks}
    return {hook: sum(seconds) for hook, seconds in found.items() if seconds}


def _row(part: _Part, total: float) -> dict[str, str]:
    cells = {hook: f"{seconds:.2f}" for hook, seconds in part.seconds.items() if hook in HEAD}
    return {
        "part": part.name,
        "class": part.classname,
        **cells,
        "seconds": f"{part.total:.2f}",
        "share": f"{100 * part.total / total:.0f} %" if total > 0 else "",
    }


def _title(config: _Config) -> str:
    if config.finished is None:
        return config.started.config if config.started else "after the last workflow"
    chunks = config.finished.chunks
    source = f" of {config.started.source}" if config.started else ""
    return (
        f"{config.finished.config}: {rows_of(config.finished.rows)}{source} "
        f"in {chunks:,} {'chunk' if chunks == 1 else 'chunks'}"
    )


def _cells(table: Table, names: Sequence[str]) -> list[list[str]]:
    return [list(names), *([row.get(name, "") for name in names] for row in table.rows)]


def _is_text(name: str) -> bool:
    return name in ("part", "class")


def _plain(table: Table) -> str:
    lines = aligned(_cells(table, HEAD), [_is_text(name) for name in HEAD])
    return "\n".join([table.title, *lines])


def _print_to_terminal(tables: Sequence[Table], closing: str | None, stream: TextIO) -> None:
    from rich import table as rich_table

    console = make_console(stream)
    for table in tables:
        names = next(
            (
                names
                for names in NARROWER
                if sum(widths_of(_cells(table, names))) + 2 * len(names) <= console.width
            ),
            NARROWER[-1],
        )
        drawn = rich_table.Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in names:
            drawn.add_column(
                name, justify="left" if _is_text(name) else "right", no_wrap=True,
                header_style="dim",
            )  # fmt: skip
        body = _cells(table, names)[1:]
        for row in body[:-1]:
            drawn.add_row(*row)
        drawn.add_row(*body[-1], style="bold")
        console.print(f"\n{table.title}", style="bold", soft_wrap=True)
        console.print(drawn)
    if closing:
        console.print(f"\n{closing}", soft_wrap=True)
