# SPDX-License-Identifier: BSD-3-Clause
"""What an epoch with metrics keeps: of means nothing, so that memory does not grow with the data."""

import tracemalloc
import weakref

import numpy as np
from support.training import fit

import fastrnn as fr
from fastrnn.losses import Mean


def memory_of(metrics, model, x, y, **options):
    """The most bytes that an evaluation has at one time."""
    tracemalloc.start()
    fr.evaluate(model, fr.mse_loss, x, y, metrics=metrics, **options)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_outputs_of_means_are_not_in_memory():
    """Not those of other batches: 16 of them need no more than 2. A metric that is no mean keeps all."""
    model = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 500, seed=1))
    x, y = np.ones((20, 64, 3), np.float32), np.ones((20, 64, 500), np.float32)
    metrics = {"mae": "mae", "rmse": "rmse", "own": lambda y, target: Mean(y.sum(), y.size)}
    few, many = (memory_of(metrics, model, x[:, :n], y[:, :n], batch_size=4) for n in (8, 64))
    batch = y[:, :4].nbytes
    assert many < few + batch // 4
    assert memory_of([lambda y, target: float(y[0, 0, 0])], model, x, y, batch_size=4) > few + 14 * batch


def test_an_output_is_freed_before_the_next():
    """In training, in a validation and in an evaluation with metrics."""
    seen: list[weakref.ref[np.ndarray]] = []

    def mean(y, target):
        assert all(ref() is None for ref in seen)
        seen.append(weakref.ref(y))
        return Mean(y.sum(), y.size)

    model = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 2, seed=1))
    x, y = np.ones((5, 8, 3), np.float32), np.ones((5, 8, 2), np.float32)
    fr.evaluate(model, fr.mse_loss, x, y, metrics=[mean, "rmse", "mse"], batch_size=2)
    fit(model, (x, y), epochs=2, batch_size=2, metrics=[mean, "rmse"], validation=(x, y))
    assert len(seen) == 4 + 2 * 8
    assert all(ref() is None for ref in seen)
