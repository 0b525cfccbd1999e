"""A run that something happens to, and what becomes of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.fuzzing import Outcome, Server
from faults.moments import VARIABLE, Moment
from file_contents import file_contents
from ranks import run_ranks

from h5flow.journal.checkpoint import Checkpoint, read_checkpoint

__all__ = ["Trial"]

TESTS = Path(__file__).parent.parent
SOURCES = ("events", "sums")


@dataclass
class Trial:
    """A command in a project, see `make_project`, that is to replace an older output.

    Attributes
    ----------
    server : Server
        Runs it, where it is one process.
    words : tuple of str
        The command.
    ranks : int
    whole : dict
        What the output holds when nothing happens.
    """

    folder: Path
    server: Server
    words: tuple[str, ...]
    ranks: int = 1
    whole: Any = None

    @property
    def output(self) -> Path:
        return self.folder / "out.h5"

    @property
    def working(self) -> Path:
        return self.folder / "out.h5.partial"

    def begin(self) -> None:
        """Put the older output there, and remove everything else."""
        for path in self.folder.glob("out.h5*"):
            path.unlink()
        self._forget_chunks()
        shutil.copy(self.folder / "old.h5", self.output)

    def run(self, moment: Moment | None = None) -> Outcome:
        """Run the command; with a moment, it comes."""
        self._forget_chunks()
        if self.ranks > 1:
            return self._run_on_ranks(moment)
        if moment is None:
            return self.server.run(*self.words[1:])
        return self.server.run_until(moment, *self.words)

    def _run_on_ranks(self, moment: Moment | None) -> Outcome:
        environment = {"PYTHONPATH": str(TESTS)}
        if moment is not None:
            environment[VARIABLE] = moment.packed()
        words = ["-m", "faults.moments", *self.words]
        done = run_ranks(self.ranks, words, environment=environment, folder=self.folder)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def left(self) -> Checkpoint | None:
        """Return from where the run can go on; the output is the old one, or the new one whole."""
        if self.output.read_bytes() == (self.folder / "old.h5").read_bytes():
            return read_checkpoint(self.working)
        assert file_contents(self.output) == self.whole
        return None

    def resume(self, left: Checkpoint | None) -> None:
        """Let the run end, and see that it made all, and did not do again what was done."""
        done = self.run()
        assert done.status == 0, done.stderr
        assert file_contents(self.output) == self.whole
        others = {path.name for path in self.folder.glob("out.h5*")} - {"out.h5", "out.h5.lock"}
        assert not others
        if left is not None:
            done_before = (left.position, left.rows)
            assert [chunk for chunk in self.chunks() if chunk < done_before] == []

    def chunks(self) -> list[tuple[int, int]]:
        """Return the chunks that the last run has run: which workflow's, and their first row."""
        log = self.folder / "chunks.txt"
        lines = log.read_text().splitlines() if log.exists() else []
        found = (line.split() for line in lines)
        return [(SOURCES.index(source), int(start)) for source, start in found]

    def _forget_chunks(self) -> None:
        (self.folder / "chunks.txt").unlink(missing_ok=True)
