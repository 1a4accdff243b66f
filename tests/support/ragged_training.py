# SPDX-License-Identifier: BSD-3-Clause
"""Training on rows of different lengths: models, losses, data as lists and as padded arrays, and comparisons."""

from functools import partial

import numpy as np
from support.training import but_seconds

import fastrnn as fr

LENGTHS = np.array([4, 9, 1, 9, 6, 2, 7, 3, 5, 8])
N, I, V = len(LENGTHS), 3, 4

MODELS = {
    "rnn": lambda **o: [fr.RNN(I, 8, nonlinearity="relu", seed=0, **o)],
    "gru, leaves": lambda **o: [fr.GRU(I, 8, 2, reset_after=False, seed=0, **o)],
    "lstm": lambda **o: [fr.LSTM(I, 8, num_layers=2, bidirectional=True, seed=0, **o)],
    "masks": lambda **o: [
        fr.LSTM(I, 8, 2, dropout=0.3, zoneout=0.2, recurrent_dropout=0.2, weight_drop=0.3, seed=0, **o)
    ],
    "recomputed": lambda **o: [fr.GRU(I, 8, 2, recompute=True, seed=0, **o)],
    "steps alike": lambda **o: [
        fr.Linear(I, 8, dtype=o["dtype"], seed=2), fr.Activation("tanh", dtype=o["dtype"]), fr.GRU(8, 8, seed=0, **o),
        fr.LayerNorm(8, dtype=o["dtype"]), fr.Dropout(0.4, seed=3, dtype=o["dtype"]),
    ],
    "residual": lambda **o: [
        fr.GRU(I, 8, seed=0, **o), fr.Residual(fr.LSTM(8, 8, seed=1, **o)),
        fr.Residual(fr.Linear(8, 8, seed=4, dtype=o["dtype"])),
    ],
}  # fmt: skip
POOLS = {"last": fr.LastStep, "mean": fr.MeanPool, "max": fr.MaxPool}
LOSSES = {
    "mse": fr.mse_loss, "l1": fr.l1_loss, "huber": fr.huber_loss, "cross-entropy": fr.cross_entropy,
    "classes weighted": partial(fr.cross_entropy, weight=[0.5, 2.0, 0.0, 1.0], label_smoothing=0.1),
    "binary": fr.binary_cross_entropy_with_logits,
    "quantile": partial(fr.quantile_loss, quantiles=[0.1, 0.4, 0.6, 0.9]),
}  # fmt: skip


def make(name, *last, dtype=np.float32, batch_first=False):
    layers = MODELS[name](dtype=dtype, batch_first=batch_first)
    width = layers[0].hidden_size * 2 if getattr(layers[0], "bidirectional", False) else 8
    pools = [pool(batch_first=batch_first, dtype=dtype) for pool in last]
    return fr.Sequential(*layers, *pools, fr.Linear(width, V, seed=9, dtype=dtype))


def target_of(loss, shape, rng):
    name = getattr(loss, "func", loss).__name__
    if name == "cross_entropy":
        return rng.integers(0, V, shape)
    return rng.random(shape) if name == "quantile_loss" else rng.random((*shape, V))


def data(loss, per_step, dtype=np.float32, seed=0):
    """Sequences, their targets, and weights of these."""
    rng = np.random.default_rng(seed)
    x = [rng.standard_normal((T, I)).astype(dtype) for T in LENGTHS]
    if not per_step:
        return x, target_of(loss, (N,), rng), rng.random(N)
    return x, [target_of(loss, (T,), rng) for T in LENGTHS], [rng.random(T) * (rng.random(T) > 0.2) for T in LENGTHS]


def padded(sequences, batch_first, fill=0, more=2):
    """One array of all rows, with steps behind the longest, too."""
    first, T = sequences[0], LENGTHS.max() + more
    array = np.full((T, N, *first.shape[1:]), fill, first.dtype)
    for n, one in enumerate(sequences):
        array[: len(one), n] = one
    return array.swapaxes(0, 1) if batch_first else array


def train(model, loss, x, y, **options):
    defaults = {"epochs": 2, "batch_size": 4, "seed": 1, "progress": False, "metrics": {"again": loss}}
    history = fr.fit(model, loss, x, y, **defaults | options)
    return but_seconds(history), model.state_dict()


def assert_same_training(first, second):
    (history, params), (other, others) = first, second
    assert history == other
    for name, p in params.items():
        np.testing.assert_array_equal(p, others[name], err_msg=name)
        assert np.isfinite(p).all()


def compare(name, loss, per_step, *pools, dtype=np.float32, batch_first=False, weights=False, **options):
    """A list, and an array whose padding is nan, or a class that is none."""
    x, y, weight = data(loss, per_step, dtype)
    listed = {"sample_weight": weight} if weights else {}
    fill = 10**6 if per_step and y[0].dtype.kind == "i" else np.nan
    arrays = padded(x, batch_first, np.nan), padded(y, batch_first, fill) if per_step else y
    of_arrays = {"sample_weight": padded(weight, batch_first) if per_step else weight} if weights else {}
    models = [make(name, *pools, dtype=dtype, batch_first=batch_first) for _ in range(2)]
    as_list = train(models[0], loss, x, y, **listed, **options)
    assert_same_training(as_list, train(models[1], loss, *arrays, lengths=LENGTHS, **of_arrays, **options))
    return as_list
