"""What h5py says about a file's contents, as one error that names the place."""

from __future__ import annotations

import errno

import pytest

from h5flow.errors import FileFormatError, NoSuchDatasetError
from h5flow.io.damage import damage_named


@pytest.mark.parametrize(
    "error",
    [
        KeyError("Unable to open object (bad signature)"),
        RuntimeError("Unable to open object (bad signature)"),
        OSError("Unable to open object (bad signature)"),
        TypeError("Unable to open object (bad signature)"),
        ValueError("Unable to open object (bad signature)"),
        OverflowError("Unable to open object (bad signature)"),
    ],
)
def test_whatever_h5py_raises_names_the_place(error: Exception) -> None:
    with pytest.raises(FileFormatError) as caught, damage_named("in.h5", "/hits/data"):
        raise error
    assert caught.value.message == (
        "/hits/data in in.h5 cannot be read: Unable to open object (bad signature)"
    )
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [NoSuchDatasetError("there is no dataset 'x'"), OSError(errno.EIO, "Input/output error")],
)
def test_what_is_explained_already_or_is_the_machines_affair_stays(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, damage_named("in.h5"):
        raise error
    assert caught.value is error
