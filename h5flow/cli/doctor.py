"""``h5flow doctor``: what this installation can do, and what to install for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from h5flow.comm.choose import launched_rank
from h5flow.core.installation import Installation, survey

__all__ = ["format_installation", "run_doctor"]


def run_doctor(stream: TextIO) -> int:
    """Print what was found, and return the exit status: 0, whatever is missing."""
    if launched_rank() == 0:
        print("\n".join(format_installation(survey())), file=stream)
    return 0


def format_installation(installation: Installation) -> Iterator[str]:
    """Yield the lines."""
    facts = [fact for section in installation.sections for fact in section.facts]
    width = max(len(fact.name) for fact in facts)
    for section in installation.sections:
        yield section.title
        for fact in section.facts:
            yield f"  {fact.name:<{width}}  {fact.value}"
        yield ""
    if not installation.missing:
        yield "Nothing is missing."
        return
    yield "To install, where you need it"
    for fact in installation.missing:
        yield f"  {fact.name:<{width}}  {fact.to_install}"
