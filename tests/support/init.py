# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of initialisers share: layers of every kind, their gates, and the distributions of numbers."""

import math

import numpy as np
import pytest

import fastrnn as fr
from fastrnn import init
from fastrnn.init._shared import WEIGHTED

# How far an estimate may lie from what it estimates, in standard deviations of the estimator: a right distribution
# fails one check in a million, and with the seeds that are fixed here never once it has passed.
SIGMAS = 5

GATES = {"rnn": "h", "lstm": "ifgo", "gru": "rzn"}  # PyTorch's order


def gates_of(layer):
    return GATES[type(layer).__name__.lower()] if layer.stateful else "y"


def blocks(layer, kind):
    """{(name, gate): (rows, columns) or (rows,)} in float64 of the parameters whose name begins with `kind`."""
    gates = gates_of(layer)
    return {
        (name, gate): block.astype(np.float64)
        for name, array in layer.params.items()
        if name.startswith(kind)
        for gate, block in zip(gates, np.split(array, len(gates)), strict=True)
    }


def biases(layer, gate):
    """bias_ih and bias_hh of one gate, (layers * directions, H) each."""
    return [np.stack([b for (_, g), b in blocks(layer, kind).items() if g == gate]) for kind in ("bias_ih", "bias_hh")]


def layers(dtype=np.float32, H=30):
    """One of every kind that has weights, of sizes that tell I, H and G*H apart; seeded, so that they are the same."""
    make = {"num_layers": 2, "bidirectional": True, "dtype": dtype, "seed": 3}
    recurrent = [fr.RNN(70, H, **make), fr.LSTM(70, H, **make), fr.GRU(70, H, reset_after=False, **make)]
    return [*recurrent, fr.Linear(70, H, dtype=dtype, seed=3)]


# The name of each initialiser, its call with a layer and a seed, and the kinds of layers it is for
INITIALISERS = {
    "pytorch": (init.pytorch, WEIGHTED),
    "xavier_uniform": (lambda layer, seed=None: init.xavier_uniform(layer, 1.5, seed), WEIGHTED),
    "xavier_normal": (lambda layer, seed=None: init.xavier_normal(layer, 1.5, seed), WEIGHTED),
    "he_uniform": (lambda layer, seed=None: init.he_uniform(layer, 1.5, seed), WEIGHTED),
    "he_normal": (lambda layer, seed=None: init.he_normal(layer, 1.5, seed), WEIGHTED),
    "orthogonal": (lambda layer, seed=None: init.orthogonal(layer, 1.5, seed), WEIGHTED),
    "identity": (lambda layer, seed=None: init.identity(layer, 0.5, 0.1, seed), (fr.RNN,)),
    "forget_bias": (lambda layer, seed=None: init.forget_bias(layer, 1.5), (fr.LSTM,)),
    "chrono": (lambda layer, seed=None: init.chrono(layer, 50, seed), (fr.LSTM, fr.GRU)),
}
each = pytest.mark.parametrize(("initialise", "kinds"), INITIALISERS.values(), ids=INITIALISERS)
random = pytest.mark.parametrize(
    ("initialise", "kinds"),
    [pair for name, pair in INITIALISERS.items() if name != "forget_bias"],
    ids=[name for name in INITIALISERS if name != "forget_bias"],
)


def fitting(kinds, dtype=np.float32):
    return [layer for layer in layers(dtype) if isinstance(layer, kinds)]


def assert_same(layer, expected):
    assert layer.params.keys() == expected.keys()
    for name, array in layer.params.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def assert_distributed(what, sample, std, uniform):
    """`sample` has mean 0, this standard deviation, and the shape of a uniform or a normal distribution.

    Of n numbers of variance v the mean has variance v / n and the mean square (m4 - v**2) / n, where the fourth moment
    m4 is 9/5 v**2 (uniform) or 3 v**2 (normal).
    """
    n, v = sample.size, std**2
    assert abs(sample.mean()) <= SIGMAS * std / math.sqrt(n), what
    assert abs(np.square(sample).mean() - v) <= SIGMAS * v * math.sqrt((0.8 if uniform else 2) / n), what
    bound = math.sqrt(3) * std
    if uniform:
        # float32 may round up. That none of n is in the outer 20/n of the range has probability exp(-20).
        assert bound * (1 - 20 / n) <= np.abs(sample).max() <= bound * (1 + 1e-7), what
    else:
        outside = math.erfc(bound / std / math.sqrt(2))  # 8 % of normal numbers
        error = SIGMAS * math.sqrt(outside * (1 - outside) / n)
        assert abs(np.mean(np.abs(sample) > bound) - outside) <= error, what


VARIANCES = {  # (rows, columns) -> variance, rows being fan_out
    "xavier": lambda fan_out, fan_in: 2 / (fan_in + fan_out),
    "he": lambda fan_out, fan_in: 2 / fan_in,
}
