# SPDX-License-Identifier: BSD-3-Clause
"""A writer that is not atomic, or a training that does not resume from its checkpoint, is found when it is killed."""

import time

import pytest
from fuzz import writers
from fuzz.runner import run
from fuzz.writers import Writers
from support.child import linux_only

import fastrnn as fr

pytestmark = linux_only


def in_place(path, content):
    """Writes over the file, half by half."""
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        time.sleep(0.02)  # most of the time the file is cut
        file.write(content[len(content) // 2 :])


def test_a_writer_that_is_not_atomic_is_found(monkeypatch, tmp_path):
    from fastrnn.io import _container as container

    monkeypatch.setattr(container, "replace", in_place)
    (fault, *_) = run(Writers, tmp_path, 1, cases=5, most_faults=1).faults
    assert "truncated" in fault.what or "damaged" in fault.what
    assert "writers of" in fault.what or "every" in fault.what


def test_what_is_left_behind_is_found(monkeypatch, tmp_path):
    save = fr.save

    def leaves(model, path):
        save(model, path)
        path.with_name(".left").touch()

    class Models(Writers):
        def case(self, rng):
            self.models(rng, self.folder)

    monkeypatch.setattr(fr, "save", leaves)
    monkeypatch.setattr(writers, "KILLS", 1)
    (fault,) = run(Models, tmp_path, 1, cases=1).faults
    assert "temporary files after 1 kills" in fault.what


def test_a_writer_that_fails_is_found(monkeypatch, tmp_path):
    save, count = fr.save, [0]

    def fails(model, path):
        count[0] += 1
        if count[0] > 2:
            raise OSError("no")
        save(model, path)

    class Models(Writers):
        def case(self, rng):
            self.models(rng, self.folder)

    monkeypatch.setattr(fr, "save", fails)
    monkeypatch.setattr(writers, "forked", lambda work: pytest.fail("not called") if work is None else _slow(work))
    (fault,) = run(Models, tmp_path, 1, cases=1).faults
    assert "a writer ended with [1]" in fault.what


def _slow(work, forked=writers.forked):
    """A child that has the time to fail."""
    pid = forked(work)
    time.sleep(0.2)
    return pid


def test_a_training_that_begins_anew_is_found(monkeypatch, tmp_path):
    """Instead of resuming, with other bits."""

    class Training(Writers):
        def case(self, rng):
            folder = self.folder / "run"
            folder.mkdir()

            def until_a_checkpoint_exists(seconds):
                while not (folder / "run").exists():
                    sleep(1e-3)

            monkeypatch.setattr(writers.time, "sleep", until_a_checkpoint_exists)  # killed in the middle for certain
            self.training(rng, folder)

    fit, sleep = fr.fit, time.sleep
    monkeypatch.setattr(fr, "fit", lambda *args, resume, **options: fit(*args, **options))
    (fault,) = run(Training, tmp_path, 3, cases=1).faults
    assert "has other bits" in fault.what
