# SPDX-License-Identifier: BSD-3-Clause
"""Writes that fail say of which file, leave it as it was, and nothing beside it; folders with few permissions."""

import errno
import os
import resource
import stat
import subprocess
import sys

import pytest
from support.child import exit_codes, fork, linux_only

import fastrnn as fr
from fastrnn.io import _container as container
from fastrnn.io import _files as files
from fastrnn.io._files import replace

OF_A_DISK = errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS


def fail_at(monkeypatch, name, code):
    """The call fails as the system would report it: without a name where it is given a descriptor."""

    def refuse(first, *others, **_):
        raise OSError(code, os.strerror(code), *([] if isinstance(first, int) else [first, None, *others[:1]]))

    monkeypatch.setattr(files if name == "open" else files.os, name, refuse, raising=False)


@pytest.mark.parametrize("code", OF_A_DISK, ids=os.strerror)
@pytest.mark.parametrize("name", ["open", "fsync", "fchmod", "replace"])
def test_errors_name_the_file(name, code, tmp_path, monkeypatch):
    """Not the temporary one, which the caller does not know and which is gone."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    fail_at(monkeypatch, name, code)
    with pytest.raises(OSError) as caught:
        replace(str(path), b"content")
    assert str(caught.value) == f"[Errno {code}] {os.strerror(code)}: {str(path)!r}"
    assert caught.value.errno == code and caught.value.filename == str(path)
    assert path.read_bytes() == b"before" and os.listdir(tmp_path) == ["file"]


def test_a_full_disk(tmp_path):
    """A real one, where the tests may mount one; else the largest size of a file, which comes closest."""
    (tmp_path / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path / "disk")]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0 if os.getuid() == 0 else False
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        path = tmp_path / "disk" / "file"
        replace(str(path), b"before" * 1000)
        if not mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limit[1]))
        for _ in range(3):
            with pytest.raises(OSError) as caught:
                replace(str(path), bytes(100_000))
            assert caught.value.filename == str(path)
            assert caught.value.errno == (errno.ENOSPC if mounted else errno.EFBIG)
            assert os.listdir(path.parent) == ["file"] and path.read_bytes() == b"before" * 1000
        replace(str(path), b"after" * 1000)  # there is room for it
        assert path.read_bytes() == b"after" * 1000
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        if mounted:
            subprocess.run(["umount", str(tmp_path / "disk")], check=True)


@linux_only
def test_a_folder_that_can_be_written_but_not_read(tmp_path):
    """As another user, since root may read every folder. It cannot be listed, nor opened to be synced."""
    if os.getuid() != 0:
        pytest.skip("takes another user's identity")
    folder = tmp_path / "drop"
    folder.mkdir()
    folder.chmod(0o733)
    for parent in folder.parents[:-1]:
        if not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)

    def work():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with pytest.raises(PermissionError):
            os.listdir(folder)
        replace(str(folder / "file"), b"before")
        replace(str(folder / "file"), b"after")
        return 0

    assert exit_codes([fork(work)]) == [0]
    assert os.listdir(folder) == ["file"] and (folder / "file").read_bytes() == b"after"


@pytest.mark.parametrize("code", [*files.NOT_SYNCED, errno.EIO], ids=os.strerror)
def test_folders_that_cannot_be_synced(code, tmp_path, monkeypatch):
    """Only that is passed over; an error of the disk is one of the file, which is the new one then."""

    def fsync(descriptor, before=os.fsync):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        before(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)
    path, before = tmp_path / "file", os.listdir("/dev/fd")
    if code in files.NOT_SYNCED:
        replace(str(path), b"content")
    else:
        with pytest.raises(OSError) as caught:
            replace(str(path), b"content")
        assert caught.value.filename == str(path)
    assert path.read_bytes() == b"content" and os.listdir("/dev/fd") == before


def test_what_is_secret_is_secret_while_it_is_written(tmp_path, monkeypatch):
    """A new file has the mode of any other. One that replaces another is the owner's alone, then has the mode of it."""
    modes = []

    def fchmod(descriptor, mode, before=os.fchmod):
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        before(descriptor, mode)

    monkeypatch.setattr(files.os, "fchmod", fchmod)
    path, plain = tmp_path / "file", tmp_path / "plain"
    plain.touch()
    replace(str(path), b"")
    assert path.stat().st_mode == plain.stat().st_mode and modes == []
    for mode in 0o640, 0o444, 0o666:
        path.chmod(mode)
        replace(str(path), b"")
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert modes == [0o600] * 3


def test_other_names_of_the_file_keep_what_was_in_it(tmp_path):
    """A hard link is another name of the file that is replaced, a symbolic link of its path."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    os.link(path, tmp_path / "hard")
    (tmp_path / "symbolic").symlink_to("file")
    replace(str(tmp_path / "symbolic"), b"after")
    assert (tmp_path / "hard").read_bytes() == b"before"
    assert path.read_bytes() == (tmp_path / "symbolic").read_bytes() == b"after"


INTERRUPTED = """
import os, random, signal, sys
from fastrnn.io._files import open_regular, replace

signal.signal(signal.SIGALRM, signal.default_int_handler)
path, rng = sys.argv[1], random.Random(0)
replace(path, b"")
before, hits = len(os.listdir("/dev/fd")), 0
for _ in range(3000):
    try:
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 4e-4))
        replace(path, b"content")
        open_regular(path).close()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        hits += 1
print(hits, len(os.listdir("/dev/fd")) - before)
"""


@pytest.mark.slow
def test_an_interrupt_anywhere_leaves_no_descriptor_open(tmp_path):
    """Ctrl-C can come between any two instructions."""
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "file")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    hits, left = map(int, run.stdout.split())
    assert hits > 100 and left == 0


def test_an_error_of_reading_and_a_null_character_name_the_path(tmp_path, monkeypatch):
    """The system does not name the file of a descriptor, and NumPy's and Python's words do not name the argument."""
    model, path = fr.Linear(2, 2), tmp_path / "model"
    fr.save(model, path)

    def broken(file):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(container, "kind_of", broken)
    with pytest.raises(OSError, match=str(path)):
        fr.load(path)
    for call in fr.load, lambda path: fr.save(model, path), fr.load_notes:
        with pytest.raises(ValueError, match=r"path: expected a path without null characters, got 'a\\x00b'"):
            call("a\0b")
