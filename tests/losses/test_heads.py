# SPDX-License-Identifier: BSD-3-Clause
"""Which losses take what a last Linear reads."""

from functools import partial

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.losses._heads import of_linear

LINEAR = fr.Linear(3, 5, seed=0)
X, TARGETS = np.ones((4, 3), np.float32), np.arange(4)


class Scaled(fr.Linear):
    """A layer of one's own."""


def test_arguments_that_are_fixed_by_name_stay_so():
    loss = partial(partial(fr.cross_entropy, label_smoothing=0.5, ignore_index=1), ignore_index=2)
    head = of_linear(loss, LINEAR)
    expected = fr.losses.linear_cross_entropy(LINEAR, X, TARGETS, label_smoothing=0.5, ignore_index=2)
    assert head.cost(X, TARGETS)[0] == head.value(X, TARGETS) == expected[0] == loss(LINEAR(X), TARGETS)[0]
    assert head.value(X, TARGETS, ignore_index=3) == loss(LINEAR(X), TARGETS, ignore_index=3)[0]


@pytest.mark.parametrize(
    ("loss", "layer"),
    [
        (fr.mse_loss, LINEAR),
        (fr.ctc_loss, LINEAR),
        (lambda y, target: fr.cross_entropy(y, target), LINEAR),
        (partial(fr.cross_entropy, np.zeros((4, 5))), LINEAR),
        (fr.cross_entropy, Scaled(3, 5, seed=0)),
        (fr.cross_entropy, fr.Sequential(LINEAR)),
        (fr.cross_entropy, None),
    ],
)
def test_no_others_do(loss, layer):
    assert of_linear(loss, layer) is None
