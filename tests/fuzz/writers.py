# SPDX-License-Identifier: BSD-3-Clause
"""Writers that are killed (SIGKILL) at any moment: what is on the disk is always whole, and nothing is left behind.

When the signal comes is not in the seed: a fault may take several runs of its case to come back.
"""

import os
import shutil
import signal
import time
import warnings

import numpy as np
from fuzz.arrays import choose
from fuzz.runner import Attack
from support.model_files import bits
from support.training import but_seconds

import fastrnn as fr

VERSIONS = 3
KILLS = 4


def forked(work):
    """The pid of a child that runs ``work()`` and ends with code 0 if it returns true, else 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = 0 if work() else 1
    finally:
        os._exit(code)


def kill(pid):
    """Kill a child; its exit code if it had ended before, else None."""
    os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return None if code == -signal.SIGKILL else code


def make(seed, hidden):
    model = fr.Sequential(
        fr.LSTM(2, hidden, 2, dropout=0.2, seed=seed), fr.Dropout(0.3, seed=seed), fr.Linear(hidden, 2, seed=seed)
    )
    return model, fr.Adam(model, lr=0.01)


def left_behind(folder):
    return sorted(name for name in os.listdir(folder) if name.startswith("."))


class Writers(Attack):
    """A writer of models, of checkpoints, or a training that resumes; in a folder of its own."""

    def case(self, rng):
        folder = self.folder / "case"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        choose(rng, self.models, self.checkpoints, self.several, self.training)(rng, folder)

    def models(self, rng, folder):
        self.writers(rng, folder, 1, lambda parts: fr.save(parts[0], folder / "file"), self.read_model)

    def several(self, rng, folder):
        self.writers(rng, folder, 3, lambda parts: fr.save(parts[0], folder / "file"), self.read_model)

    def checkpoints(self, rng, folder):
        self.writers(rng, folder, 1, lambda parts: fr.save_checkpoint(folder / "file", *parts), self.read_checkpoint)

    @staticmethod
    def read_model(path, hidden):
        return fr.load(path)

    @staticmethod
    def read_checkpoint(path, hidden):
        parts = make(99, hidden)
        fr.load_checkpoint(path, *parts)
        return parts[0]

    def writers(self, rng, folder, count, write, read):
        """`count` processes write versions of a model, in turn, and are killed; meanwhile and then the file is read."""
        hidden = int(choose(rng, 4, 32, 128))
        self.note(f"{count} writers of {hidden} units, {write.__code__.co_names}")
        versions = [make(seed, hidden) for seed in range(VERSIONS)]
        known = [bits(model) for model, _ in versions]
        began = time.monotonic()
        write(versions[0])
        longest = 4 * (time.monotonic() - began) + 0.002

        def go_on():
            while True:
                for version in versions:
                    write(version)

        for _ in range(KILLS):
            pids = [forked(go_on) for _ in range(count)]
            try:
                for _ in pids:
                    time.sleep(rng.uniform(0, longest))
                    assert bits(read(folder / "file", hidden)) in known, "the file is none of those that were written"
            finally:
                codes = [kill(pid) for pid in pids]
            assert codes == [None] * count, f"a writer ended with {codes}"
            assert bits(read(folder / "file", hidden)) in known, "the file is none of those that were written"
        write(versions[0])
        assert not left_behind(folder), f"{len(left_behind(folder))} temporary files after {KILLS * count} kills"

    def training(self, rng, folder):
        """A training that is killed and resumed until it ends has the bits of one that was not."""
        ragged, every, seed = bool(rng.random() < 0.5), int(rng.integers(1, 4)), int(rng.integers(1000))
        lengths = np.random.default_rng(seed).integers(1, 20, 30)
        x = [
            np.random.default_rng(seed).standard_normal((20 if not ragged else n, 2)).astype(np.float32)
            for n in lengths
        ]
        y = [row.cumsum(axis=0) for row in x]
        data = (x, y) if ragged else (np.stack(x, 1), np.stack(y, 1))
        truncate = None if ragged else choose(rng, None, 7, (3, 9))
        self.note(f"ragged {ragged}, truncate {truncate}, a checkpoint every {every} steps, seed {seed}")

        def train(path, seed):
            model, adam = make(seed, 8)
            history = fr.fit(
                model, fr.mse_loss, *data, optimizer=adam, schedule=fr.CosineAnnealingLR(adam, 40), batch_size=4,
                epochs=4, progress=False, seed=5, truncate=truncate, resume=True,
                checkpoint=fr.Checkpoint(path, every_n_steps=every),
            )  # fmt: skip
            return bits(model), but_seconds(dict(history))

        began = time.monotonic()
        expected = train(folder / "whole", seed)
        longest, path, code = (time.monotonic() - began) / 2, folder / "run", None
        for left in reversed(range(2 * KILLS)):
            # Another model where there is a file: all of it comes from there.
            pid = forked(lambda: train(path, seed + path.exists()) == expected)
            if left:
                time.sleep(rng.uniform(0, longest))
                code = kill(pid)
            else:
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if code is not None:
                break
        assert code == 0, f"the training that was killed and resumed has other bits (or failed: code {code})"
        assert not left_behind(folder), f"{len(left_behind(folder))} temporary files after a training"
