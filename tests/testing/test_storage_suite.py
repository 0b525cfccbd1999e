"""The suite of storages finds what is wrong with one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from h5flow.storage.protocol import Batch
from h5flow.storage.single_process import SingleProcessStorage
from h5flow.testing.storage_shared_file import SharedFileStorage
from h5flow.testing.storage_suite import run_cases, run_in_this_process


class Forgetful(SingleProcessStorage):
    """Writes a row where no other has been written to before."""

    def apply(self, batch: Batch, /) -> None:
        super().apply(replace(batch, writes=batch.writes[:1]))


class Overwriting(SingleProcessStorage):
    """Forgets the regions of references that came before."""

    def apply(self, batch: Batch, /) -> None:
        for link in batch.links:
            for path in link.regions:
                self.table(path)[...] = 0
        super().apply(batch)


class Selfish(SharedFileStorage):
    """Writes what rank 0 has, and throws away what the others send."""

    def _batches(self, own: Batch):  # type: ignore[no-untyped-def]
        yield own
        for rank, batch in enumerate(super()._batches(Batch())):
            if rank < 0:
                yield batch


class Fresh(SingleProcessStorage):
    """Opens a table anew each time it is asked for."""

    def table(self, path: str, /) -> h5py.Dataset:
        return self.file[super().table(path).name]


@pytest.mark.parametrize(
    ("storage", "size", "found_by"),
    [
        (Forgetful, 1, "the_later_write_of_a_row_wins"),
        (Overwriting, 1, "later_references_widen_regions"),
        (Selfish, 2, "rows_of_all_ranks_are_read_by_all"),
        (Fresh, 1, "a_table_stays_the_same_object"),
    ],
)
def test_a_storage_with_a_mistake_fails_the_case_that_is_about_it(
    storage: type, size: int, found_by: str, tmp_path: Path
) -> None:
    assert found_by in run_cases(run_in_this_process(storage, size, tmp_path))


def test_a_storage_without_one_fails_none(tmp_path: Path) -> None:
    assert run_cases(run_in_this_process(SingleProcessStorage, 1, tmp_path)) == {}
