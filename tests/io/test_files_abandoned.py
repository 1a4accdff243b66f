# SPDX-License-Identifier: BSD-3-Clause
"""Temporary files of writers that were killed are removed, those of living ones never."""

import fcntl
import os
import signal
import subprocess
import sys
import threading

import pytest
from support.child import exit_codes, fork, linux_only

from fastrnn.io import _files as files
from fastrnn.io._files import replace

WRITER = """
import os, sys, time
from fastrnn.io import _files as files

def wait(descriptor, sync=os.fsync):
    print("written", flush=True)
    sys.stdin.read()
    sync(descriptor)

files.os.fsync = wait
files.replace(sys.argv[1], b"slow" * 1000)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has written its temporary file, and waits before it renames it."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "file")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


def test_of_a_living_writer(writer, tmp_path):
    [temporary] = os.listdir(tmp_path)
    for k in range(3):
        replace(str(tmp_path / "file"), b"%d" % k)
        assert sorted(os.listdir(tmp_path)) == [temporary, "file"]
    assert writer.communicate() and writer.returncode == 0
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"slow" * 1000


def test_of_a_killed_writer(writer, tmp_path):
    """Whatever it was writing: any file that is saved in the folder next."""
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    [temporary] = os.listdir(tmp_path)
    assert temporary.startswith(files._prefix())
    replace(str(tmp_path / "other"), b"content")
    assert os.listdir(tmp_path) == ["other"]


def test_of_another_machine(tmp_path, monkeypatch):
    """Its locks may not be seen here. Those of version 0.1 have none; other names are of others."""
    prefix = files._prefix()
    with monkeypatch.context() as context:
        context.setattr(files.os, "uname", lambda: os.uname_result(("Linux", "elsewhere", "6", "1", "x86_64")))
        assert files._prefix() != prefix
        foreign = f"{files._prefix()}0123456789abcdef.tmp"
    kept = {foreign, ".fastrnn-0123456789abcdef.tmp", f"{prefix}mine", "0123456789abcdef.tmp"}
    for name in kept | {f"{prefix}0123456789abcdef.tmp"}:
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / f"{prefix}pipe.tmp")  # opened, but nobody waits for its other end
    (tmp_path / "target").touch()
    (tmp_path / f"{prefix}link.tmp").symlink_to("target")
    replace(str(tmp_path / "file"), b"")
    assert {*os.listdir(tmp_path)} >= kept | {"file", "target"}
    assert not (tmp_path / f"{prefix}0123456789abcdef.tmp").exists()


def test_one_that_is_removed_before_it_is_locked(tmp_path, monkeypatch):
    """Another is written. No file is lost even if there are no locks at all."""

    removed = []

    def taken(file, _):
        if len(removed) < 3:
            removed.append(file.name)
            os.unlink(file.name)
        raise OSError("no locks")

    monkeypatch.setattr(fcntl, "flock", taken)
    replace(str(tmp_path / "file"), b"content")
    assert (tmp_path / "file").read_bytes() == b"content" and os.listdir(tmp_path) == ["file"]


def test_one_that_is_always_removed(tmp_path, monkeypatch):
    """An error of the file that was to be written, not a loop without end."""
    monkeypatch.setattr(fcntl, "flock", lambda file, _: os.unlink(file.name))
    with pytest.raises(FileNotFoundError) as caught:
        replace(str(tmp_path / "file"), b"content")
    assert caught.value.filename == str(tmp_path / "file") and not os.listdir(tmp_path)


@linux_only
def test_many_writers_at_once(tmp_path):
    """400 saves in 4 processes with 2 threads each, which remove what others have left, and are read meanwhile."""
    path = str(tmp_path / "file")
    replace(path, b"0" * 20_000)

    def write(digit):
        for _ in range(50):
            replace(path, digit * 20_000)

    def work(k):
        threads = [threading.Thread(target=write, args=(b"%d" % digit,)) for digit in (k, k + 1)]
        failed = []
        threading.excepthook = lambda *error: failed.append(error)
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            (tmp_path / f"{files._prefix()}{os.urandom(8).hex()}.tmp").touch()
            with open(path, "rb") as file:
                content = file.read()
            assert content == content[:1] * 20_000
        return len(failed)

    assert exit_codes([fork(lambda k=k: work(k)) for k in (1, 3, 5, 7)], 60) == [0] * 4
    replace(path, b"")
    assert os.listdir(tmp_path) == ["file"]
