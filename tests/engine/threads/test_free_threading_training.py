# SPDX-License-Identifier: BSD-3-Clause
"""What several Python threads may share in training, with the GIL and without: the bits of one thread, or an error."""

import queue
import threading

import numpy as np
import pytest
from support.many_threads import THREADS, together

import fastrnn as fr

T, N, I = 6, 5, 8
pytestmark = pytest.mark.usefixtures("many_switches")


def training_model():
    return fr.Sequential(fr.GRU(I, 150, 2, seed=1), fr.LayerNorm(150), fr.Linear(150, 4, seed=3))


def passes(model, rank):
    """The tape of a training pass, and the gradient of its output."""
    x = np.random.default_rng(rank).standard_normal((T, N, I)).astype(np.float32)
    y, _, tape = model.forward(x, lengths=[T, 1, 3, 0, 2])
    return tape, np.ones_like(y)


def gradients(model):
    return {name: grad.tobytes() for name, grad in model.grads.items()}


def test_backward_adds_to_the_gradients_or_refuses():
    """Whoever was refused tries again: no gradient is lost. All have the same, so that the order does not matter."""
    model, alone = training_model(), training_model()

    def work(rank):
        refused = 0
        for _ in range(5):
            tape, dy = passes(model, 0)
            while True:
                try:
                    model.backward(tape, dy)
                    break
                except RuntimeError as error:
                    assert "a copy of the layer for each thread" in str(error)
                    refused += 1
        return refused

    together(work)
    for _ in range(5 * THREADS):
        alone.backward(*passes(alone, 0))
    assert gradients(model) == gradients(alone)


class Meeting(fr.nn.StatelessLayer):
    """A layer whose `backward` waits until a second thread has called it."""

    met = threading.Event()

    def _forward(self, x, training):
        return x, None

    def _backward(self, saved, dy):
        assert self.met.wait(30)
        return dy


def test_a_second_thread_is_refused_while_the_first_is_in_backward():
    layer, x = Meeting(), np.ones(3, np.float32)
    tapes = [layer.forward(x)[1] for _ in range(2)]

    def work(rank):
        try:
            return layer.backward(tapes[rank], x).tolist()
        except RuntimeError:
            return "refused"
        finally:
            layer.met.set()

    assert sorted(together(work, 2), key=str) == [[1, 1, 1], "refused"]


def test_one_thread_uses_a_tape():
    for _ in range(20):
        model, alone = training_model(), training_model()
        tape, dy = passes(model, 0)

        def work(rank, model=model, tape=tape, dy=dy):
            try:
                model.backward(tape, dy)
                return True
            except (RuntimeError, ValueError):
                return False

        assert sum(together(work)) == 1
        alone.backward(*passes(alone, 0))
        assert gradients(model) == gradients(alone)


def test_copies_train_in_threads_of_their_own():
    """A model, its copies and their tapes pass from thread to thread, and are freed anywhere."""
    tapes, expected = queue.Queue(), []
    for rank in range(THREADS):
        model = training_model()
        dx, _ = model.backward(*passes(model, rank))
        expected.append((dx.tobytes(), gradients(model)))
    original = training_model()

    def work(rank):
        for _ in range(10):
            model = original.inference_copy()
            tapes.put((rank, model, *passes(model, rank)))
            other, model, tape, dy = tapes.get()
            dx, _ = model.backward(tape, dy)
            assert (dx.tobytes(), gradients(model)) == expected[other]
            del model, tape

    together(work)


def test_masks_come_from_one_generator():
    """After as many training passes it is where it would be after one another; no mask is lost or drawn twice."""
    model, alone = (fr.Dropout(0.5, seed=0) for _ in range(2))
    x = np.ones((4, 8, 8), np.float32)
    masks = [y.tobytes() for part in together(lambda rank: [model.forward(x)[0] for _ in range(20)]) for y in part]
    assert set(masks) == {alone.forward(x)[0].tobytes() for _ in range(20 * THREADS)}
    assert model.random_state == alone.random_state
