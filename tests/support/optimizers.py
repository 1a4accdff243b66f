# SPDX-License-Identifier: BSD-3-Clause
"""A model with gradients that do not come from a loss, and every optimizer in a few settings."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastrnn.optim import SGD, Adagrad, Adam, AdamW, NAdam, RAdam, RMSprop

STEPS = 6
# Relative to the largest parameter: about ten roundings per step, of an update near lr = 0.1.
RTOL = {np.float32: 8 * STEPS * 2.0**-24, np.float64: 8 * STEPS * 2.0**-53}
# Relative, of gradients. The norm is summed in float64 whatever the dtype, in sums of a few dozen terms; scaling rounds
# the scale and the product once each, in the dtype of the gradient.
RTOL_NORM = 16 * 2.0**-53
RTOL_SCALED = {np.float32: 4 * 2.0**-24, np.float64: 16 * 2.0**-53}

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# name: (kind, options), with the options of PyTorch; one setting of each optimizer for each way through its rule
CASES = {
    "sgd": (SGD, {"lr": 0.1}),
    "sgd-decay": (SGD, {"lr": 0.1, "weight_decay": 0.3}),
    "momentum": (SGD, {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (SGD, {"lr": 0.1, "momentum": 0.75, "nesterov": True, "weight_decay": 0.3}),
    "adagrad": (Adagrad, {}),
    "adagrad-odd": (Adagrad, {"lr": 0.3, "lr_decay": 0.5, "weight_decay": 0.3, "eps": 1e-2}),
    "rmsprop": (RMSprop, {}),
    "rmsprop-momentum": (RMSprop, {"lr": 0.02, "alpha": 0.75, "momentum": 0.5, "weight_decay": 0.3}),
    "rmsprop-centered": (RMSprop, {"centered": True}),
    "rmsprop-odd": (RMSprop, {"lr": 0.02, "alpha": 0.5, "eps": 1e-2, "momentum": 0.5, "centered": True}),
    "adam": (Adam, {}),
    "adam-odd": (Adam, {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-2, "weight_decay": 0.3}),
    "adam-no-memory": (Adam, {"lr": 0.1, "betas": (0.0, 0.0)}),
    "amsgrad": (Adam, {"amsgrad": True}),
    "amsgrad-odd": (Adam, {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-2, "weight_decay": 0.3, "amsgrad": True}),
    "adamw": (AdamW, {}),
    "adamw-odd": (AdamW, {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-2, "weight_decay": 0.5}),
    "amsgradw": (AdamW, {"lr": 0.1, "betas": (0.5, 0.75), "weight_decay": 0.5, "amsgrad": True}),
    "nadam": (NAdam, {}),
    "nadam-odd": (NAdam, {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-2, "weight_decay": 0.3, "momentum_decay": 0.5}),
    "nadamw": (NAdam, {"lr": 0.1, "weight_decay": 0.5, "decoupled_weight_decay": True}),
    "radam": (RAdam, {}),
    "radam-odd": (RAdam, {"lr": 0.01, "betas": (0.5, 0.75), "eps": 1e-2, "weight_decay": 0.3}),
    "radamw": (RAdam, {"lr": 0.01, "betas": (0.5, 0.9), "weight_decay": 0.5, "decoupled_weight_decay": True}),
}
every_optimizer = pytest.mark.parametrize(
    "make", [lambda model, kind=kind, o=o: kind(model, **o) for kind, o in CASES.values()], ids=CASES
)


def model_with_gradients(dtype=np.float64):
    rng = np.random.default_rng(0)
    shapes = {"weight": (4, 3), "bias": (4,), "scale": ()}
    grads = {name: np.asarray(rng.normal(size=shape), dtype) for name, shape in shapes.items()}
    return SimpleNamespace(grads=grads)


def flat(model):
    return np.concatenate([g.ravel() for g in model.grads.values()]).astype(np.float64)


class Model:
    """What an optimizer asks of a layer, and no more."""

    def __init__(self, dtype=np.float64):
        rng = np.random.default_rng(0)
        shapes = {"weight": (4, 3), "bias": (4,), "gain": ()}
        self.params = {k: np.asarray(rng.normal(size=s), dtype) for k, s in shapes.items()}
        self.grads = {k: np.zeros_like(p) for k, p in self.params.items()}

    def zero_grad(self):
        for grad in self.grads.values():
            grad[...] = 0


def set_gradients(model, t):
    """Gradients of step `t`, of sizes from 1e-3 to 1e3."""
    rng = np.random.default_rng(100 + t)
    for grad in model.grads.values():
        grad[...] = rng.normal(size=grad.shape) * 10.0 ** rng.integers(-3, 4, grad.shape)


def train(model, optimizer, steps):
    for t in steps:
        set_gradients(model, t)
        optimizer.step()


def assert_same_bits(model, other):
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, other.params[name])


def assert_matches_rule(dtype, kind, rule, options):
    """The optimizer does to every number what `rule(p, gradients, **options)` does to one."""
    model, start = Model(dtype), Model(dtype)
    optimizer = kind(model, **options)
    gradients = []  # per step, name -> array
    for t in range(STEPS):
        set_gradients(model, t)
        gradients.append({name: grad.copy() for name, grad in model.grads.items()})
        optimizer.step()
        for name, grad in model.grads.items():
            np.testing.assert_array_equal(grad, gradients[-1][name])  # only read
    for name, p in model.params.items():
        assert p.dtype == dtype
        expected = np.empty(p.shape)
        for at in np.ndindex(p.shape):
            seen = [float(g[name][at]) for g in gradients]
            expected[at] = rule(float(start.params[name][at]), seen, **options)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(p, expected, rtol=0, atol=RTOL[dtype] * scale)
