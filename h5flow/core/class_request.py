"""What is asked of the search for a class, and how each way to fail is put to the user."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from h5flow.errors import DiscoveryError, Place, did_you_mean

if TYPE_CHECKING:
    from h5flow.core.class_search import Definition, Unparsable

__all__ = ["ClassKind", "ClassRequest", "error_in_words"]


class ClassKind(NamedTuple):
    """What is looked for.

    Attributes
    ----------
    noun : str
        ``"stage"``, for messages.
    base : type
        What the class must derive from.
    group : str
        The entry points that offer such classes: ``"h5flow.stages"``.
    """

    noun: str
    base: type
    group: str


class ClassRequest(NamedTuple):
    """One class that one line of a workflow file asks for; every error names that line."""

    classname: str
    kind: ClassKind
    directory: Path
    place: Place | None

    @property
    def what(self) -> str:
        """The class in words: ``the stage 'MuonPairs'``."""
        return f"the {self.kind.noun} '{self.classname}'"

    def show(self, file: Path | str, line: int | None = None) -> str:
        """Return a file, relative to the working directory if it is below, with the line."""
        text = os.path.relpath(file, self.directory)
        text = str(file) if text.startswith(os.pardir) else text
        return text if line is None else f"{text}:{line}"

    def describe(self, broken: Unparsable) -> str:
        """Return what is wrong with a file that is not valid Python."""
        text = f": {broken.text}" if broken.text else ""
        return f"{self.show(broken.file, broken.line)}: SyntaxError: {broken.message}{text}"

    def fail(self, message: str, advice: str, cause: BaseException | None = None) -> NoReturn:
        """Raise the error."""
        raise DiscoveryError(message, place=self.place, advice=advice) from cause

    def fail_ambiguous(self, definitions: Iterable[Definition]) -> NoReturn:
        """Two files of one rank define the class."""
        places = ", ".join(self.show(found.file, found.line) for found in definitions)
        self.fail(
            f"{self.what} is defined in more than one file: {places}",
            "Say which one with 'path', or rename the others.",
        )

    def fail_not_found(self, unparsable: Iterable[Unparsable], offered: Iterable[str]) -> NoReturn:
        """No file defines the class, or the only one that seems to is broken."""
        for broken in sorted(unparsable, key=lambda broken: not broken.at_line_start):
            self.fail(
                f"{self.what} cannot be imported: {self.describe(broken)}",
                "Correct the syntax of that file.",
            )
        from h5flow.core import class_search

        # The name itself may stand in a docstring, which is no class.
        found = class_search.class_names(self.directory).union(offered)
        names = sorted(found - {self.classname})
        self.fail(
            f"there is no {self.kind.noun} '{self.classname}'{did_you_mean(self.classname, names)}",
            f"Searched were the Python files in {self.directory}, in its h5flow_modules folder and "
            f"in its other folders, the modules of h5flow, and the entry points {self.kind.group}. "
            "For a class of an installed package give its module as 'path'.",
        )

    def fail_no_module(self, module: str) -> NoReturn:
        """There is no such module, here or installed."""
        from h5flow.core import class_search

        self.fail(
            f"there is no module '{module}' for {self.what}"
            f"{did_you_mean(module, sorted(class_search.module_names(self.directory)))}",
            f"'path' is a module in {self.directory}, such as h5flow_modules.dimuon, or one of an "
            "installed package.",
        )

    def fail_import(self, module: Path | str, error: BaseException) -> NoReturn:
        """Blame the line at which importing the module that holds the class raised `error`."""
        file, line = self._origin_of(error)
        shown = self.show(file, line) if file else str(module)
        advice = "The file must be importable by itself."
        if isinstance(error, SyntaxError):
            advice = "Correct the syntax of that file."
        elif isinstance(error, ModuleNotFoundError):
            advice = f"Install '{error.name}' in this environment, or correct the import."
        elif isinstance(error, SystemExit):
            advice = "Put what a script does under: if __name__ == '__main__'."
        message = f"{self.what} cannot be imported: {shown}: {error_in_words(error)}"
        self.fail(message, advice, error)

    def _origin_of(self, error: BaseException) -> tuple[str | None, int | None]:
        """Return the last line of the user's own that was reached, else the last of all."""
        if isinstance(error, SyntaxError) and error.filename:
            return error.filename, error.lineno
        from h5flow.core import class_import, class_search

        lines: list[tuple[str, int]] = []
        trace = error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if not file.startswith("<") and file not in class_import.MACHINERY:
                lines.append((file, trace.tb_lineno))
            trace = trace.tb_next
        lines = lines[1:]  # the first is h5flow's own
        own = [at for at in lines if Path(at[0]).is_relative_to(self.directory)]
        own = [at for at in own if class_search.SKIPPED_FOLDERS.isdisjoint(Path(at[0]).parts)]
        return own[-1] if own else lines[-1] if lines else (None, None)


def error_in_words(error: BaseException) -> str:
    """Return an exception in one line."""
    if isinstance(error, SyntaxError):
        text = f": {error.text.strip()}" if error.text else ""
        return f"SyntaxError: {error.msg}{text}"
    if isinstance(error, SystemExit):
        return f"it ends the program (SystemExit: {error.code})"
    return f"{type(error).__name__}: {error}"
