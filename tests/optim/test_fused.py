# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers of the engine: all parameters in one call, with the bits of one after another; and their subclasses."""

import numpy as np
import pytest
from support.optimizers import CASES, every_optimizer

import fastrnn as fr
from fastrnn import _core
from fastrnn.optim import SGD, Adam, NAdam, Optimizer, RAdam, RMSprop

GROUPS = {"*bias*": {"weight_decay": 0.0, "lr": 0.3}, "1.*": {"lr": 0.02}}


def model_with_gradients():
    model = fr.Sequential(fr.LSTM(3, 5, seed=0), fr.Linear(5, 2, seed=1, dtype=np.float32))
    rng = np.random.default_rng(2)
    for _, grad in model.grads.items():
        grad[...] = rng.standard_normal(grad.shape)
    return model


@pytest.fixture
def calls(monkeypatch):
    """How many parameters each call of the engine updated."""
    counts, update = [], _core.update
    monkeypatch.setattr(_core, "update", lambda parameters, n: counts.append(len(parameters)) or update(parameters, n))
    return counts


@pytest.mark.parametrize("kind", [SGD, Adam, RMSprop], ids=lambda kind: kind.__name__)
def test_a_step_is_one_call(kind, calls):
    optimizer = kind(model_with_gradients(), groups=GROUPS)
    for _ in range(3):
        optimizer.step()
    assert calls == [6, 6, 6]


@pytest.mark.parametrize("groups", [None, GROUPS], ids=["alike", "groups"])
@every_optimizer
def test_the_bits_are_those_of_one_parameter_after_another(make, groups):
    models = model_with_gradients(), model_with_gradients()
    together, apart = (make(model) for model in models)
    if groups is not None:
        together, apart = (type(each)(each.model, groups=groups) for each in (together, apart))
    apart._update_all = lambda params, grads: Optimizer._update_all(apart, params, grads)
    for _ in range(4):
        together.step()
        apart.step()
    for name, p in models[0].params.items():
        np.testing.assert_array_equal(p, models[1].params[name])
        for moment, array in together.state[name].items():
            np.testing.assert_array_equal(array, apart.state[name][moment])


def test_a_group_may_have_a_rule_that_the_engine_has_not(calls):
    model = model_with_gradients()
    before = model.state_dict()
    Adam(model, groups={"0.*": {"amsgrad": True}}).step()
    assert calls == [2]
    assert all((p != before[name]).all() for name, p in model.params.items())


@pytest.mark.parametrize("kind", [SGD, Adam, NAdam, RAdam], ids=lambda kind: kind.__name__)
def test_the_update_of_a_subclass_counts(kind):
    class Still(kind):
        seen = ()

        def update(self, p, g, **moments):
            self.seen += (p.shape,)

    model = model_with_gradients()
    before, optimizer = model.state_dict(), Still(model)
    optimizer.step()
    assert len(optimizer.seen) == 6
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, before[name])


def test_a_subclass_may_call_the_update_of_its_base():
    class Signs(SGD):
        def update(self, p, g, velocity):
            super().update(p, np.sign(g), velocity)

    model = model_with_gradients()
    before = model.state_dict()
    Signs(model, lr=0.5).step()
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, before[name] - np.float32(0.5) * np.sign(model.grads[name]))


def test_the_decay_of_a_subclass_counts():
    class Doubled(SGD):
        def decay_weights(self, p, g):
            return 2 * g

    models = model_with_gradients(), model_with_gradients()
    Doubled(models[0], lr=0.5).step()
    SGD(models[1], lr=1.0).step()
    for name, p in models[0].params.items():
        np.testing.assert_array_equal(p, models[1].params[name])


def test_every_case_is_of_the_engine_or_has_a_rule_of_its_own():
    """A setting that fell back to one call for each parameter would be slow and right, so no other test would fail."""
    model = model_with_gradients()
    alone = {name for name, (kind, options) in CASES.items() if not kind(model, **options)._in_one_call}
    assert alone == {"nadam", "nadam-odd", "nadamw", "radam", "radam-odd", "radamw"}
