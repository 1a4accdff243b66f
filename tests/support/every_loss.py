# SPDX-License-Identifier: BSD-3-Clause
"""Every loss with a batch for it, and the losses of its parts one by one."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastrnn as fr

T, N, V = 5, 3, 4
WEIGHT = np.array([0.5, 2.0, 0.0, 1.0])  # of the classes
LENGTHS = [2, 0, 5]
ROWS = np.array([0.5, 1.0, 3.0])


class Case(NamedTuple):
    """A loss of a prediction (T, N, V) and a target; `axes` (T, N, ...) are those of what it has one value for."""

    loss: Any
    target: Any
    axes: int
    divisor: Any = None  # of a target: what its part of the mean is divided by, 1 by default


def _cases():
    rng = np.random.default_rng(5)
    numbers, classes = rng.standard_normal((T, N, V)), rng.integers(0, V, (T, N))
    probabilities = rng.dirichlet(np.ones(V), (T, N))
    return {
        "mse": Case(fr.mse_loss, numbers, 3),
        "l1": Case(fr.l1_loss, numbers, 3),
        "huber": Case(partial(fr.huber_loss, delta=0.7), numbers, 3),
        "binary": Case(fr.binary_cross_entropy_with_logits, rng.uniform(size=(T, N, V)), 3),
        "binary weighted": Case(partial(fr.binary_cross_entropy_with_logits, pos_weight=WEIGHT), numbers > 0, 3),
        "quantile": Case(partial(fr.quantile_loss, quantiles=[0.1, 0.5, 0.6, 0.95]), numbers[..., 0], 2),
        "classes": Case(fr.cross_entropy, classes, 2),
        "classes weighted": Case(
            partial(fr.cross_entropy, weight=WEIGHT, label_smoothing=0.1), classes, 2, lambda y: WEIGHT[y]
        ),
        "probabilities": Case(fr.cross_entropy, probabilities, 2),
        "probabilities weighted": Case(partial(fr.cross_entropy, weight=WEIGHT, label_smoothing=0.1), probabilities, 2),
    }


CASES = _cases()
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def prediction_of(dtype=np.float64, seed=6):
    return np.random.default_rng(seed).standard_normal((T, N, V)).astype(dtype)


def one_by_one(case, prediction, counted):
    """The sum of the loss, and what the mean divides it by, of each unit that counts; 0 elsewhere."""
    totals, divisors = np.zeros(counted.shape), np.zeros(counted.shape)
    for at in zip(*counted.nonzero(), strict=True):
        alone = (slice(at[0], at[0] + 1), slice(at[1], at[1] + 1), *at[2:])
        p, y = prediction[alone][0], case.target[alone][0]
        loss = case.loss
        if len(at) == 3 and isinstance(loss, partial) and "pos_weight" in loss.keywords:
            loss = partial(loss.func, pos_weight=WEIGHT[at[2]])
        result = loss(p, y)[0]
        totals[at], divisors[at] = result.total, result.weight
    return totals, divisors
