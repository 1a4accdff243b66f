# SPDX-License-Identifier: BSD-3-Clause
"""Saves that are interrupted leave the old file or the new one."""

import errno
import os
import re
import resource
import stat
import subprocess
import sys

import pytest
from support.model_files import assert_same

import fastrnn as fr
from fastrnn.io import _files as files


def test_save_into_a_missing_directory(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        fr.save(fr.Linear(1, 1), tmp_path / "missing" / "model.safetensors")
    assert caught.value.filename == str(tmp_path / "missing")


def test_save_into_a_file_as_if_it_were_a_directory(saved):
    path, model = saved
    with pytest.raises(NotADirectoryError):
        fr.save(model, path / "model.safetensors")
    assert_same(fr.load(path), model)


def test_save_replaces_files_only(path):
    os.mkfifo(path)
    for target in (path, path.parent):
        with pytest.raises(FileExistsError, match=re.escape(str(target))):
            fr.save(fr.Linear(1, 1), target)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert os.listdir(path.parent) == [path.name]


def test_save_keeps_the_mode_of_the_file_and_follows_links(saved):
    path, _ = saved
    plain = path.parent / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode  # a new file is as any other
    path.chmod(0o640)
    link = path.parent / "link"
    link.symlink_to(path.name)
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert_same(fr.load(path), model)


class Failing:
    """A file that fails after writing half of the content."""

    def __init__(self, file, error):
        self.file, self.error = file, error

    def __enter__(self):
        self.file.__enter__()
        return self

    def __exit__(self, *error):
        return self.file.__exit__(*error)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, content):
        self.file.write(content[: len(content) // 2])
        raise self.error


ERRORS = [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device"), MemoryError(), SystemExit(3)]
POINTS = ["open", "write", "fsync", "replace"]


def fail(monkeypatch, point, error):
    def raise_it(*arguments, **more):
        raise error

    if point == "write":
        monkeypatch.setattr(files, "open", lambda *args, **more: Failing(open(*args, **more), error), raising=False)
    elif point == "open":
        monkeypatch.setattr(files, "open", raise_it, raising=False)
    else:
        monkeypatch.setattr(os, point, raise_it)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("exists", [True, False], ids=["over a file", "new"])
def test_an_interrupted_save_changes_nothing(point, error, exists, path):
    old, new = fr.Linear(3, 2, seed=0), fr.GRU(3, 4, seed=1)
    if exists:
        fr.save(old, path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        fail(monkeypatch, point, error)
        with pytest.raises(type(error)) as caught:
            fr.save(new, path)
    assert caught.value is error
    assert os.listdir(path.parent) == [path.name] * exists
    if exists:
        assert_same(fr.load(path), old)
    fr.save(new, path)
    assert_same(fr.load(path), new)


def test_a_disk_that_is_full_in_the_middle(saved):
    path, model = saved
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # the closest to a full disk without a separate one
    try:
        with pytest.raises(OSError, match="File too large"):
            fr.save(fr.Linear(100, 100), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(path.parent) == [path.name]
    assert_same(fr.load(path), model)


def test_the_order_of_an_atomic_write(saved, monkeypatch):
    """Written, flushed and synced before it gets its name; then the directory."""
    path, model = saved
    done = []

    def fsync(descriptor):
        directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        done.append("fsync directory" if directory else f"fsync {os.fstat(descriptor).st_size} bytes")

    def replace(source, target, before=os.replace):
        assert os.path.dirname(source) == str(path.parent)
        done.append("replace")
        before(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    fr.save(model, path)
    assert done == [f"fsync {path.stat().st_size} bytes", "replace", "fsync directory"]


KILLED = """
import os, random, signal, sys, time
import fastrnn as fr

path = sys.argv[1]
rng = random.Random(4)
versions = [fr.GRU(64, 256), fr.LSTM(32, 200)]  # about 1 MB
for value, model in enumerate(versions):
    for name in model.params:
        model.params[name][...] = value
fr.save(versions[0], path)
for _ in range(20):
    child = os.fork()
    if not child:
        k = 0
        while True:
            fr.save(versions[k % 2], path)
            k += 1
    time.sleep(rng.uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    model = fr.load(path)
    value = [type(version) for version in versions].index(type(model))
    assert all((model.params[name] == value).all() for name in model.params)
    assert repr(model) == repr(versions[value])
    print(type(model).__name__)
"""


def test_killed_while_saving(path):
    """After every kill -9 the file is one of the two versions; what lies beside it goes with the next save."""
    command = [sys.executable, "-c", KILLED, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.split()) == 20
    assert len(os.listdir(path.parent)) <= 2
    model = fr.Linear(1, 1, seed=0)
    fr.save(model, path)
    assert_same(fr.load(path), model)
    assert os.listdir(path.parent) == [path.name]
