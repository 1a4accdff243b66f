# SPDX-License-Identifier: BSD-3-Clause
"""Mixed use in one process, round after round: results keep their bits, and nothing grows.

A round does one thing of many: it trains, streams, computes in several Python threads, saves and loads, forks, is
interrupted by Ctrl-C or a timer, moves between cores, or makes mistakes. What a thing gives is compared with what it
gave when it was first done.
"""

import os
import resource
import signal
import threading
import time
from contextlib import contextmanager

import numpy as np
from fuzz.arrays import choose
from fuzz.runner import Attack
from fuzz.writers import forked, kill
from support.child import results
from support.training import make_model

import fastrnn as fr

WINDOW = 100  # rounds
GROWTH = 24 << 20  # bytes: the least memory of a window, beyond the most that the second window had
MORE = 2  # descriptors and threads beyond those after the first window


def measured():
    """Bytes of memory, open descriptors, threads."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * resource.getpagesize(), len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


@contextmanager
def beside(work):
    """`work` runs in another Python thread again and again, at least once, while the block does; on layers of its own,
    because threads that train one layer add into the same gradients."""
    stop, errors = threading.Event(), []

    def repeat():
        try:
            while True:
                work()
                if stop.is_set():
                    return
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]


class Soak(Attack):
    limit = 60.0
    independent = False

    def __init__(self, folder):
        super().__init__(folder)
        self.layers = (
            fr.LSTM(20, 70, 2, seed=0),
            fr.GRU(5, 15, bidirectional=True, dtype=np.float64, seed=1),
            fr.RNN(3, 130, seed=2),
        )
        self.model = make_model()
        self.x = np.random.default_rng(0).standard_normal((6, 16, 2)).astype(np.float32)
        self.first, self.rounds, self.samples = {}, 0, []
        self.activities = (
            self.compute, self.train, self.stream, self.in_threads, self.files, self.fork, self.fork_beside,
            self.interrupt, self.interrupt_training, self.timer, self.affinity, self.mistakes, self.engines,
        )  # fmt: skip

    def case(self, rng):
        activity = choose(rng, *self.activities)
        self.note(f"round {self.rounds}: {activity.__name__}")
        with fr.threads(int(rng.integers(1, 5))):
            activity(rng)
        self.rounds += 1
        self.watch()

    def watch(self):
        """Memory, descriptors and threads do not grow, once everything has been done a few times."""
        self.samples.append(measured())
        if len(self.samples) < 3 * WINDOW:
            return
        early, late = (np.array(part) for part in (self.samples[WINDOW : 2 * WINDOW], self.samples[-WINDOW:]))
        before, now = early.max(axis=0), late.min(axis=0)
        assert (now <= before + (GROWTH, MORE, MORE)).all(), (
            f"bytes, descriptors, threads: {before} at first, now {now}"
        )

    def same(self, name, value):
        """`value`, bytes or a dict of them, is what it was the first time."""
        assert self.first.setdefault(name, value) == value, f"{name}: other bits than in the first round"

    # -- activities --------------------------------------------------------------------------------------------------

    def compute(self, rng=None, k=None):
        k = int(rng.integers(len(self.layers))) if k is None else k
        self.same(f"layer {k}", results(self.layers[k], 30, 7, [5, 30, 0, 17, 30, 1, 12]))

    def train(self, rng):
        model = make_model()
        fr.fit(model, fr.mse_loss, self.x, self.x[-1], epochs=2, batch_size=5, seed=0, progress=False)
        self.same("train", {name: array.tobytes() for name, array in model.state_dict().items()})

    def stream(self, rng):
        stream = self.layers[0].stream(3)
        x = np.random.default_rng(1).standard_normal((9, 3, 20)).astype(np.float32)
        self.same("stream", b"".join(stream.step(x_t).tobytes() for x_t in x))

    def in_threads(self, rng):
        """Inference of one model in several Python threads, and training of another in each."""
        found = []

        def work(k):
            own = fr.LSTM(4, 40, seed=k)
            found.append((k, results(own, 20, 3), fr.predict(self.model, self.x).tobytes()))

        threads = [threading.Thread(target=work, args=(k,)) for k in range(int(rng.integers(2, 5)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == len(threads), "a thread failed"
        for k, own, shared in found:
            self.same(f"thread {k}", own)
            self.same("predict", shared)

    def files(self, rng):
        path = self.folder / "file"
        fr.save(self.model, path, notes={"round": self.rounds})
        assert fr.load_notes(path) == {"round": self.rounds}
        self.same("predict", fr.predict(fr.load(path), self.x).tobytes())
        fr.save_checkpoint(path, self.model)
        fr.load_checkpoint(path, self.model)
        path.write_bytes(path.read_bytes()[:-1])
        try:
            fr.load_checkpoint(path, self.model)
        except ValueError:
            return
        raise AssertionError("a truncated checkpoint was loaded")

    def fork(self, rng):
        """A child computes the same."""
        self.compute(k=0)

        def work():
            self.compute(k=0)
            return True

        _, status = os.waitpid(forked(work), 0)
        assert status == 0, f"a child ended with {os.waitstatus_to_exitcode(status)}"

    def fork_beside(self, rng):
        """Children that are forked while another Python thread computes, and one that is killed."""
        with beside(lambda: self.compute(k=2)):
            for _ in range(3):
                self.fork(rng)
            victim = forked(lambda: all(self.compute(k=0) is None for _ in range(1000)))
            time.sleep(rng.uniform(0, 0.01))
            kill(victim)

    def interrupt(self, rng):
        """Ctrl-C during calls; then everything is as before."""
        self.interrupted(rng, lambda: results(self.layers[0], 200, 8))
        self.compute(k=0)

    def interrupt_training(self, rng):
        """`fit` returns at Ctrl-C, or it came between two trainings."""
        path = self.folder / "run"
        options = {"epochs": 1000, "seed": 0, "progress": False, "checkpoint": path}
        self.interrupted(rng, lambda: fr.fit(make_model(), fr.mse_loss, self.x, self.x[-1], **options).interrupted)
        path.unlink(missing_ok=True)

    @staticmethod
    def interrupted(rng, call):
        """Repeat `call` until Ctrl-C ends it, or it returns True."""
        timer = threading.Timer(rng.uniform(0, 0.03), os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            while call() is not True:
                pass
        except KeyboardInterrupt:
            pass
        timer.join()

    def timer(self, rng):
        """Signals every millisecond."""
        before = signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            self.compute(rng)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def affinity(self, rng):
        """The process is moved from core to core."""
        allowed = os.sched_getaffinity(0)
        with beside(lambda: self.compute(k=2)):
            try:
                for _ in range(5):
                    os.sched_setaffinity(0, {int(choose(rng, *allowed))})
                    self.compute(k=int(rng.integers(2)))
            finally:
                os.sched_setaffinity(0, allowed)

    def mistakes(self, rng):
        """Calls that are refused leave nothing behind."""
        layer = self.layers[0]
        y, _, tape = layer.forward(np.zeros((3, 2, 20), np.float32))
        for wrong in (
            lambda: layer(np.zeros((3, 2, 7), np.float32)),
            lambda: layer(np.zeros((3, 2, 20))),
            lambda: layer(np.zeros((3, 2, 20), np.float32), lengths=[4, 0]),
            lambda: layer.backward(tape, y[:1]),
            lambda: fr.load(self.folder / "nowhere"),
        ):
            try:
                wrong()
            except (TypeError, ValueError, OSError):
                continue
            raise AssertionError("a mistake was not refused")
        self.compute(k=0)

    def engines(self, rng):
        """Another engine, and back: each has bits of its own."""
        before = fr._core.get_isa()
        try:
            for isa in fr.isas():
                fr._core.set_isa(isa)
                self.same(f"{isa}", results(self.layers[1], 12, 3))
        finally:
            fr._core.set_isa(before)
        self.compute(k=1)
