# SPDX-License-Identifier: BSD-3-Clause
"""SGD against the same rule written for one number; what all optimizers share is tested in test_optimizer."""

import pytest
from support.optimizers import CASES, Model, assert_matches_rule, both_dtypes

from fastrnn.optim import SGD


def sgd(p, gradients, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    """SGD for one number."""
    v = 0.0
    for g in gradients:
        g = g + weight_decay * p
        v = momentum * v + g
        p = p - lr * (g + momentum * v if nesterov else v)
    return p


@both_dtypes
@pytest.mark.parametrize("name", [name for name, (kind, _) in CASES.items() if kind is SGD])
def test_matches_the_rule_for_one_number(dtype, name):
    kind, options = CASES[name]
    assert_matches_rule(dtype, kind, sgd, options)


def test_defaults():
    sgd = SGD(Model())
    assert (sgd.lr, sgd.momentum, sgd.nesterov, sgd.weight_decay) == (1e-3, 0.0, False, 0.0)
