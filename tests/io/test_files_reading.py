# SPDX-License-Identifier: BSD-3-Clause
"""What is no regular file is refused at once, by whatever it would be read."""

import errno
import os
import socket
import struct

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.io import _files as files
from fastrnn.io._files import open_regular

READERS = {
    "load": fr.load,
    "load_notes": fr.load_notes,
    "load_checkpoint": lambda path: fr.load_checkpoint(path, fr.Linear(1, 1)),
    "resume": lambda path: fr.fit(
        fr.Linear(1, 1), fr.mse_loss, np.ones((4, 1)), np.ones((4, 1)), checkpoint=path, resume=True, progress=False
    ),
}


@pytest.fixture
def others(tmp_path):
    """Paths of what is not a regular file, and what a message calls it."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    reading, writing = os.pipe()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        yield {
            str(tmp_path / "pipe"): "a pipe",
            str(tmp_path / "link"): "a pipe",
            f"/dev/fd/{reading}": "a pipe",
            str(tmp_path / "socket"): "a socket",
            "/dev/zero": "a device",
            "/dev/null": "a device",
        }
    os.close(reading)
    os.close(writing)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_pipes_and_devices(read, others, tmp_path):
    """A pipe without a writer would be waited for, /dev/zero has no end."""
    for path, kind in others.items():
        with pytest.raises(ValueError, match=f"^{path}: expected a file with a .* wrote, got {kind}$"):
            read(path)
    if read is not READERS["resume"]:
        with pytest.raises(IsADirectoryError, match="expected a file with a .* wrote, got a directory") as caught:
            read(tmp_path)
        assert caught.value.filename == str(tmp_path)
        with pytest.raises(FileNotFoundError) as caught:
            read(tmp_path / "none")
        assert caught.value.filename == str(tmp_path / "none")


@pytest.mark.timeout(20)
def test_a_pipe_that_takes_the_place_of_a_file(tmp_path, monkeypatch):
    """Between the look at the path and its opening: it is opened without waiting, and looked at again."""
    path = tmp_path / "file"
    os.mkfifo(path)
    before = os.listdir("/dev/fd")
    monkeypatch.setattr(files.os, "stat", lambda path: os.lstat(__file__))
    with pytest.raises(ValueError, match="file: expected a regular file, got a pipe"):
        open_regular(str(path))
    assert os.listdir("/dev/fd") == before


def test_a_regular_file_by_its_descriptor(tmp_path):
    """As `command < file` passes it."""
    fr.save(fr.Linear(2, 1), tmp_path / "model")
    with open(tmp_path / "model", "rb") as file:
        assert repr(fr.load(f"/dev/fd/{file.fileno()}")) == repr(fr.load(tmp_path / "model"))


def test_no_permission(tmp_path, monkeypatch):
    """The tests may run as root, whom nothing is refused."""
    fr.save(fr.Linear(2, 1), tmp_path / "model")

    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(files.os, "open", refuse)
    for read in READERS.values():
        with pytest.raises(PermissionError, match="model"):
            read(tmp_path / "model")


@pytest.mark.parametrize("name", ["load", "load_checkpoint"])
def test_a_size_that_the_header_does_not_claim(name, tmp_path):
    """A file that is valid up to a hole of 20 GB is refused before memory is taken for it."""
    model, path = fr.Linear(1, 1), tmp_path / "file"
    (fr.save if name == "load" else lambda model, path: fr.save_checkpoint(path, model))(model, path)
    size = path.stat().st_size
    start = 8 + struct.unpack("<Q", path.read_bytes()[:8])[0]
    for wrong in size + 20 * 10**9, size + 1, size - 1, start:
        os.truncate(path, wrong)
        message = f"expected {size - start} bytes of tensors, got {wrong - start}$"
        with pytest.raises(ValueError, match=f"^{path}: truncated, or with an appendix: {message}"):
            READERS[name](path)
