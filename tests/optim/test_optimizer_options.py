# SPDX-License-Identifier: BSD-3-Clause
"""The options of every optimizer: order, defaults, repr, and what is refused, at once and later."""

import inspect
import math
import re

import numpy as np
import pytest
from support.optimizers import Model

from fastrnn.nn._configurable import options_of
from fastrnn.optim import SGD, Adagrad, Adam, AdamW, NAdam, RAdam, RMSprop


@pytest.mark.parametrize(
    "kind, options, error, text",
    [
        (SGD, {"lr": -0.1}, ValueError, "lr: expected a finite number of at least 0, got -0.1"),
        (SGD, {"lr": math.nan}, ValueError, "lr: expected a finite number of at least 0, got nan"),
        (Adam, {"lr": math.inf}, ValueError, "lr: expected a finite number of at least 0, got inf"),
        (Adam, {"lr": "fast"}, TypeError, "lr: expected a finite number of at least 0, got 'fast'"),
        (SGD, {"momentum": 1.0}, ValueError, "momentum: expected a probability in [0, 1), got 1.0"),
        (SGD, {"momentum": -0.5}, ValueError, "momentum: expected a probability in [0, 1), got -0.5"),
        (SGD, {"momentum": 0.5, "nesterov": "yes"}, TypeError, "nesterov: expected True or False, got 'yes'"),
        (SGD, {"nesterov": True}, ValueError, "nesterov: expected momentum > 0 with it, got 0.0 for weight"),
        (SGD, {"weight_decay": -1}, ValueError, "weight_decay: expected a finite number of at least 0, got -1"),
        (Adagrad, {"lr_decay": -1}, ValueError, "lr_decay: expected a finite number of at least 0, got -1"),
        (Adagrad, {"eps": 0}, ValueError, "eps: expected a finite number above 0, got 0"),
        (RMSprop, {"alpha": 1}, ValueError, "alpha: expected a probability in [0, 1), got 1"),
        (RMSprop, {"momentum": 1}, ValueError, "momentum: expected a probability in [0, 1), got 1"),
        (RMSprop, {"centered": 0.5}, TypeError, "centered: expected True or False, got 0.5"),
        (Adam, {"betas": (1.0, 0.9)}, ValueError, "beta1: expected a probability in [0, 1), got 1.0"),
        (Adam, {"betas": (0.9, -1)}, ValueError, "beta2: expected a probability in [0, 1), got -1"),
        (Adam, {"betas": 0.9}, ValueError, "betas: expected two probabilities in [0, 1), got 0.9"),
        (AdamW, {"betas": (0.9,)}, ValueError, "betas: expected two probabilities in [0, 1), got (0.9,)"),
        (Adam, {"amsgrad": 1}, TypeError, "amsgrad: expected True or False, got 1"),
        (
            NAdam,
            {"momentum_decay": -1},
            ValueError,
            "momentum_decay: expected a finite number of at least 0, got -1",
        ),
        (RAdam, {"decoupled_weight_decay": 0}, TypeError, "decoupled_weight_decay: expected True or False, got 0"),
        (Adam, {"eps": 0}, ValueError, "eps: expected a finite number above 0, got 0"),
        (AdamW, {"weight_decay": None}, TypeError, "weight_decay: expected a finite number of at least 0, got None"),
    ],
)
def test_bad_hyperparameters(kind, options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        kind(Model(), **options)


SIGNATURES = {
    SGD: "(model, lr=0.001, momentum=0.0, *, nesterov=False, weight_decay=0.0, groups=None)",
    Adagrad: "(model, lr=0.01, lr_decay=0.0, weight_decay=0.0, eps=1e-10, *, groups=None)",
    RMSprop: "(model, lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0.0, momentum=0.0, centered=False, *, groups=None)",
    Adam: "(model, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, amsgrad=False, *, groups=None)",
    AdamW: "(model, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, amsgrad=False, *, groups=None)",
    NAdam: (
        "(model, lr=0.002, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, momentum_decay=0.004, "
        "decoupled_weight_decay=False, *, groups=None)"
    ),
    RAdam: (
        "(model, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0, decoupled_weight_decay=False, *, "
        "groups=None)"
    ),
}


@pytest.mark.parametrize("kind", SIGNATURES)
def test_arguments_keep_their_order_and_defaults(kind):
    """Those of version 0.1: they may be passed by place."""
    signature = inspect.signature(kind)
    assert str(signature) == SIGNATURES[kind]
    hidden = {"model", "groups"} | {name for name, option in options_of(kind).items() if option.omit}
    shown = [f"{p.name}={p.default!r}" for p in signature.parameters.values() if p.name not in hidden]
    assert repr(kind(Model())) == f"{kind.__name__}({', '.join(shown)})"
    assert all(f"\n{name} : " in kind.__doc__ for name in signature.parameters)


@pytest.mark.parametrize("kind", SIGNATURES)
def test_a_bad_value_is_refused_later_too_and_changes_nothing(kind):
    optimizer = kind(Model())
    before = repr(optimizer)
    for name, value in optimizer.hyperparameters("bias").items():
        with pytest.raises((TypeError, ValueError), match=f"^{name}: expected "):
            setattr(optimizer, name, None if isinstance(value, bool) else -1)
    assert repr(optimizer) == before


def test_betas_are_two_hyperparameters():
    adam = Adam(Model(), betas=(0.5, np.float32(0.75)))
    adam.beta1 = 0.25
    assert adam.betas == (0.25, 0.75) and type(adam.beta2) is float
    adam.betas = 0.0, 0.5
    assert (adam.beta1, adam.beta2) == (0.0, 0.5)
    with pytest.raises(ValueError, match=re.escape("beta2: expected a probability in [0, 1), got 1")):
        adam.betas = 0.25, 1
    assert adam.betas == (0.0, 0.5)
