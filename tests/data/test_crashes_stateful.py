"""Whatever is called, a crash at any moment leaves what was there at the last commit."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from types import SimpleNamespace
from unittest import mock

import h5py
import numpy as np
from data.test_data_manager_stateful import Model, names
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from h5flow.journal.revival import revive, tables_of
from h5flow.storage import Storage
from h5flow.storage.live_process import LiveProcessStorage
from h5flow.storage.single_process import SingleProcessStorage

__all__ = ["TestCrashes"]


def storage_for(_name: str) -> Callable[..., Storage]:
    """Return the storage of runs, for what is written."""
    return lambda path, mode, _: (
        LiveProcessStorage(path) if mode == "a" else SingleProcessStorage(path, mode)
    )


class Crashing(Model):
    """A data manager that writes as in a run, and what its file had at the last commit."""

    def __init__(self) -> None:
        super().__init__()
        self.dm.close_file()  # from now on it is opened as a run opens it
        storages = SimpleNamespace(get=storage_for)
        self.small.enter_context(mock.patch("h5flow.storage.storages", storages))
        self.forget()

    def forget(self) -> None:
        """Nothing is committed that a crash leaves: the file has been closed."""
        self.lengths: dict[str, int] | None = None
        self.committed: dict[str, np.ndarray] = {}
        self.committed_links: dict[tuple[str, str], list[tuple[int, int]]] = {}

    @rule()
    def commit(self) -> None:
        rendezvous = self.dm._open_to_write().rendezvous
        assert isinstance(rendezvous.storage, LiveProcessStorage)
        rendezvous.milestones.commit()
        assert rendezvous.storage.file.swmr_mode
        self.committed = {name: rows.copy() for name, rows in self.datasets.items()}
        self.committed_links = copy.deepcopy(self.links)
        file = rendezvous.storage.file
        self.lengths = {path: len(file[path]) for path in tables_of(file)}

    def teardown(self) -> None:
        if self.lengths is not None:
            self.crash(is_flushed=True)
        super().teardown()

    @precondition(lambda self: self.lengths is not None)
    @rule(is_flushed=st.booleans())
    def crash(self, is_flushed: bool) -> None:
        if is_flushed:
            # HDF5 may write at any time what it was given
            self.dm.fh.flush()
        left = self.path.with_name("left.h5")
        shutil.copy(self.path, left)
        revive(left, self.lengths or {})
        with h5py.File(left) as file:
            assert set(tables_of(file)) <= set(self.lengths or {})
            for name, rows in self.committed.items():
                self.check_committed_rows(name, rows, file[f"{name}/data"][:])
            for key, pairs in self.committed_links.items():
                check_committed_links(file, *key, pairs)

    def check_committed_rows(self, name: str, rows: np.ndarray, found: np.ndarray) -> None:
        """What was overwritten since, all at once, need not come back."""
        present = self.datasets[name][: len(rows)]
        assert len(found) == len(rows)
        for was, now, row in zip(rows, present, found, strict=True):
            is_changed = was.tobytes() != now.tobytes()
            assert is_changed or row.tobytes() == was.tobytes()

    @rule(name=names)
    def delete(self, name: str) -> None:
        super().delete(name)
        gone = {other for other in self.committed if other not in self.datasets}
        for other in gone:
            del self.committed[other]
        self.committed_links = {
            key: pairs for key, pairs in self.committed_links.items() if gone.isdisjoint(key)
        }

    # -- a file that is closed is whole without any of this ----------------------------------

    @rule()
    def close(self) -> None:
        super().close()
        self.forget()

    def finish(self) -> None:
        """No rule here, so that more steps lie between a commit and a crash."""

    def read_only(self) -> None:
        self.forget()
        super().read_only()


def check_committed_links(
    file: h5py.File, parent: str, child: str, pairs: list[tuple[int, int]]
) -> None:
    base = f"{parent}/ref/{child}"
    assert [tuple(pair) for pair in file[f"{base}/ref"][:].tolist()] == pairs
    for column, place in enumerate((f"{base}/ref_region", f"{child}/ref/{parent}/ref_region")):
        regions = file[place][:]
        assert (regions["stop"] <= len(pairs)).all()
        for number, pair in enumerate(pairs):
            start, stop = regions[pair[column]].item()
            assert start <= number < stop


Crashing.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestCrashes = Crashing.TestCase
