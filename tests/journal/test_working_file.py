"""One writer for an output, whose name appears when it is whole."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from h5flow.errors import H5FlowError, H5FlowWarning, UsageError
from h5flow.journal import lock
from h5flow.journal.working_file import WorkingFile, same_file


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def publish(out: Path, text: str) -> None:
    with WorkingFile(out) as working:
        working.working_path.write_text(text)
        working.publish()


def test_working_file_lies_beside_the_output_and_keeps_its_whole_name(out: Path) -> None:
    with WorkingFile(out) as working:
        assert working.working_path == out.with_name("run.h5.partial")
        assert not working.working_path.exists()


def test_output_appears_when_it_is_published(out: Path, tmp_path: Path) -> None:
    with WorkingFile(out) as working:
        working.working_path.write_text("rows")
        assert not out.exists()
        working.publish()
        assert out.read_text() == "rows"
    assert names(tmp_path) == {"run.h5"}


def test_without_publishing_nothing_is_left(out: Path, tmp_path: Path) -> None:
    out.write_text("old")

    def fail() -> None:
        with WorkingFile(out) as working:
            working.working_path.write_text("rows")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(tmp_path) == {"run.h5"}
    assert out.read_text() == "old"


def test_discarding_twice_or_after_publishing_is_harmless(out: Path) -> None:
    working = WorkingFile(out)
    working.working_path.write_text("rows")
    working.publish()
    working.discard()
    working.discard()
    assert out.read_text() == "rows"


def test_file_and_folder_are_on_disk_before_publish_returns(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    replace = Path.replace

    def rename(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    publish(out, "rows")
    assert done == ["file", "rename", "folder"]


def test_link_is_kept_and_its_target_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.h5").symlink_to("disk/target.h5")
    for text in ("new", "newer"):
        publish(tmp_path / "link.h5", text)
        assert (tmp_path / "disk" / "target.h5").read_text() == text
    assert (tmp_path / "link.h5").is_symlink()
    assert names(tmp_path / "disk") == {"target.h5"}


def test_permissions_of_an_existing_output_are_kept(out: Path) -> None:
    out.touch()
    out.chmod(0o640)
    publish(out, "new")
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


def test_permissions_of_a_new_output_follow_the_umask(out: Path) -> None:
    before = os.umask(0o027)
    try:
        publish(out, "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


def test_rewriting_replaces_the_working_file(out: Path, tmp_path: Path) -> None:
    with WorkingFile(out) as working:
        working.working_path.write_text("long")
        working.rewrite(lambda old, new: new.write_text(old.read_text()[:2]) and None)
        assert working.working_path.read_text() == "lo"
        working.publish()
    assert names(tmp_path) == {"run.h5"}


def test_output_that_cannot_be_replaced_is_kept_under_its_working_name(
    out: Path, tmp_path: Path
) -> None:
    with WorkingFile(out) as working:
        working.working_path.write_text("rows")
        out.mkdir()
        with pytest.raises(H5FlowError, match="rename it yourself"):
            working.publish()
    assert names(tmp_path) == {"run.h5", "run.h5.partial"}


# -- one writer -------------------------------------------------------------------------------


def test_second_run_on_one_output_is_refused(out: Path) -> None:
    with (
        WorkingFile(out),
        pytest.raises(UsageError, match=f"another run is writing .*process {os.getpid()}"),
    ):
        WorkingFile(out)
    WorkingFile(out).discard()


def test_second_run_by_another_path_is_refused(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.h5").symlink_to(out)
    (tmp_path / "folder").symlink_to(tmp_path)
    with WorkingFile(out):
        for path in ("run.h5", "link.h5", "folder/run.h5", f"folder/../{tmp_path.name}/run.h5"):
            with pytest.raises(UsageError, match="another run is writing"):
                WorkingFile(path)


def test_refused_run_leaves_the_first_alone(out: Path) -> None:
    with WorkingFile(out) as working:
        working.working_path.write_text("rows")
        with pytest.raises(UsageError):
            WorkingFile(out)
        working.publish()
    assert out.read_text() == "rows"


def test_outputs_that_differ_in_their_suffix_do_not_meet(tmp_path: Path) -> None:
    with WorkingFile(tmp_path / "run.h5"), WorkingFile(tmp_path / "run.hdf5"):
        pass


CRASHING_RUN = """
import os, signal, sys
from h5flow.journal.working_file import WorkingFile
working = WorkingFile(sys.argv[1])
working.working_path.write_text("half")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def crashed(out: Path) -> Path:
    """The output of a run that was killed."""
    command = [sys.executable, "-c", CRASHING_RUN, str(out)]
    done = subprocess.run(command, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    return out


def test_what_a_killed_run_left_is_replaced_with_a_warning(crashed: Path, tmp_path: Path) -> None:
    assert names(tmp_path) == {"run.h5.partial", "run.h5.lock"}
    with pytest.warns(H5FlowWarning, match=r"removed .*run\.h5\.partial") as caught:
        working = WorkingFile(crashed)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert not working.working_path.exists()
    working.working_path.write_text("whole")
    working.publish()
    assert names(tmp_path) == {"run.h5"}


def test_left_over_that_cannot_be_removed_is_an_error(out: Path, tmp_path: Path) -> None:
    (tmp_path / "run.h5.partial").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        WorkingFile(out)
    assert names(tmp_path) == {"run.h5.partial"}


def test_lock_file_removed_between_opening_and_locking_is_taken_anew(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, removed = fcntl.flock, []

    def lock_late(descriptor: int, operation: int) -> None:
        if not removed:
            # the run before ends just now
            removed.append(True)
            out.with_name("run.h5.lock").unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with WorkingFile(out), pytest.raises(UsageError, match="another run"):
        WorkingFile(out)


RACING_RUN = """
import sys, time
from h5flow.errors import UsageError
from h5flow.journal.working_file import WorkingFile
taken = 0
while taken < 30:
    try:
        with WorkingFile(sys.argv[1]) as working:
            with open(working.working_path, "x"):
                taken += 1
    except UsageError:
        time.sleep(0.0005)
"""


def test_runs_that_race_for_an_output_never_hold_it_together(out: Path, tmp_path: Path) -> None:
    # Opening with "x" and the warning about a left-over, an error here, would notice.
    command = [sys.executable, "-W", "error", "-c", RACING_RUN, str(out)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for run in runs:
        _, errors = run.communicate(timeout=100)
        assert (run.returncode, errors) == (0, "")
    assert names(tmp_path) == set()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_file_system_without_locks_warns_once_and_goes_on(
    number: int, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with pytest.warns(H5FlowWarning, match="has no locks") as caught:
        publish(out, "rows")
    assert len(caught) == 1
    assert names(tmp_path) == {"run.h5"}


# -- outputs that cannot be -------------------------------------------------------------------


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("the superuser may write everywhere")
    yield folder
    folder.chmod(0o755)


def test_read_only_folder_is_refused(read_only_folder: Path) -> None:
    with pytest.raises(UsageError, match="is read-only for you"):
        WorkingFile(read_only_folder / "run.h5")


def deny(path: Path) -> Callable[..., bool]:
    return lambda other, _mode: Path(other) != path


def test_folder_that_may_not_be_written_is_refused(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", deny(tmp_path))
    with pytest.raises(UsageError, match="is read-only for you"):
        WorkingFile(out)
    assert names(tmp_path) == set()


def test_output_that_may_not_be_written_is_refused(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.touch()
    monkeypatch.setattr(os, "access", deny(out))
    with pytest.raises(UsageError, match="is protected against writing"):
        WorkingFile(out)
    assert names(tmp_path) == {"run.h5"}


def test_lock_that_cannot_be_made_is_refused(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match="Read-only file system"):
        WorkingFile(out)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none does not exist") as caught:
        WorkingFile(tmp_path / "none" / "run.h5")
    assert "mkdir -p" in str(caught.value)


def test_folder_that_is_a_file_is_refused(out: Path) -> None:
    out.touch()
    with pytest.raises(UsageError, match="is not a folder"):
        WorkingFile(out / "run.h5")


def test_output_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        WorkingFile(tmp_path)


def test_output_that_is_a_device_is_refused() -> None:
    with pytest.raises(UsageError, match="not an ordinary file"):
        WorkingFile("/dev/null")


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UsageError, match="cannot be written"):
        WorkingFile(tmp_path / "a")


def test_name_too_long_for_the_working_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        WorkingFile(tmp_path / ("x" * 250))
    assert names(tmp_path) == set()


def test_refusals_are_of_exit_status_two(tmp_path: Path) -> None:
    with warnings.catch_warnings(), pytest.raises(UsageError) as caught:
        WorkingFile(tmp_path / "none" / "run.h5")
    assert caught.value.exit_status == 2


# -- same_file --------------------------------------------------------------------------------


def test_files_are_the_same_by_any_path(out: Path, tmp_path: Path) -> None:
    out.touch()
    (tmp_path / "soft").symlink_to(out)
    (tmp_path / "hard").hardlink_to(out)
    (tmp_path / "other").touch()
    assert same_file(out, tmp_path / "soft")
    assert same_file(out, tmp_path / "hard")
    assert not same_file(out, tmp_path / "other")
    assert not same_file(out, tmp_path / "missing")


def test_missing_files_are_the_same_by_their_resolved_names(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").symlink_to(tmp_path)
    assert same_file("run.h5", out)
    assert same_file("folder/run.h5", out)
    assert not same_file("other.h5", out)
