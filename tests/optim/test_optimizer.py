# SPDX-License-Identifier: BSD-3-Clause
"""What all optimizers share: the step over all parameters, weight decay, options, and optimizers of users."""

import copy
import inspect
import math
import tracemalloc
from functools import partial

import numpy as np
import pytest
from support.layers import refused
from support.optimizers import (
    CASES,
    RTOL,
    STEPS,
    Model,
    assert_same_bits,
    every_optimizer,
    set_gradients,
    train,
)

from fastrnn.nn import Linear
from fastrnn.optim import SGD, Adagrad, Adam, Interval, NAdam, Number, Optimizer, RAdam, RMSprop, add_penalty

KINDS = list(dict.fromkeys(kind for kind, _ in CASES.values()))

# -- the step over all parameters ------------------------------------------------------------------------------------


@every_optimizer
def test_updates_are_in_place(make):
    model = Model()
    arrays, view, before = dict(model.params), model.params["weight"][1:, ::2], Model()
    train(model, make(model), range(1))
    assert all(model.params[name] is array for name, array in arrays.items())
    np.testing.assert_array_equal(view, model.params["weight"][1:, ::2])
    assert not np.array_equal(view, before.params["weight"][1:, ::2])


@every_optimizer
def test_gradients_are_only_read(make):
    model = Model()
    optimizer = make(model)
    train(model, optimizer, range(1))
    set_gradients(model, 1)
    before = copy.deepcopy(model.grads)
    optimizer.step()
    for name, grad in model.grads.items():
        np.testing.assert_array_equal(grad, before[name])


@every_optimizer
def test_strided_parameters(make):
    model, strided = Model(), Model()
    for arrays in (strided.params, strided.grads):
        wide = np.zeros((3, 8))
        wide.T[::2] = arrays["weight"]
        arrays["weight"] = wide.T[::2]
    train(model, make(model), range(STEPS))
    train(strided, make(strided), range(STEPS))
    assert_same_bits(model, strided)


@every_optimizer
def test_a_step_allocates_nothing_as_large_as_a_parameter(make):
    model = Model()
    model.params = {"weight": np.zeros((1000, 500))}
    model.grads = {"weight": np.ones((1000, 500))}
    optimizer = make(model)
    tracemalloc.start()
    try:
        optimizer.step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < model.params["weight"].nbytes / 4


@every_optimizer
@pytest.mark.parametrize("wrong", [np.ones(2), np.ones((3, 4)), np.ones((4, 3), np.float32)])
def test_a_gradient_that_no_longer_fits_is_named_and_nothing_changed(make, wrong):
    model, before = Model(), Model()
    optimizer = make(model)
    model.grads["weight"] = wrong
    with pytest.raises(ValueError, match=r"^grads\['weight'\]: expected float64 \(4, 3\), got "):
        optimizer.step()
    assert optimizer.steps == 0
    assert_same_bits(model, before)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, ">f4"])
def test_parameters_that_are_no_floats_of_the_engines_are_refused(dtype):
    with pytest.raises(TypeError, match=r"^params\['weight'\]: expected float32 or float64, got "):
        SGD(Model(dtype))


@every_optimizer
def test_parameters_of_two_dtypes(make):
    model, single, double = Model(), Model(np.float32), Model(np.float64)
    for arrays, singles in ((model.params, single.params), (model.grads, single.grads)):
        arrays["weight"] = singles["weight"].copy()
    for each in (model, single, double):
        train(each, make(each), range(STEPS))
    np.testing.assert_array_equal(model.params["weight"], single.params["weight"])
    np.testing.assert_array_equal(model.params["bias"], double.params["bias"])


def test_lr_may_be_changed_between_steps():
    model = Model()
    p, before = model.params["weight"], model.params["weight"].copy()
    model.grads["weight"][...] = 1.0
    optimizer = SGD(model, lr=0.5)
    optimizer.step()
    optimizer.lr = np.float32(0.25)
    optimizer.step()
    assert type(optimizer.lr) is float
    np.testing.assert_allclose(p, before - 0.75, rtol=0, atol=RTOL[np.float64])
    with pytest.raises(ValueError, match="lr: expected a finite number of at least 0, got -1.0"):
        optimizer.lr = -1.0
    assert optimizer.lr == 0.25


def test_it_remembers_the_hyperparameters_of_its_first_update():
    """Not those of its constructor, which may have been changed before, nor those of later updates."""
    model = Model()
    optimizer = SGD(model, lr=0.5, momentum=0.9)
    assert optimizer.begun is None
    optimizer.lr = 0.25
    optimizer.step()
    optimizer.lr = 0.125
    optimizer.step()
    assert optimizer.begun == {"lr": 0.25, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}


@pytest.mark.parametrize("kind", KINDS)
def test_lr_zero_changes_nothing(kind):
    model, before = Model(), Model()
    train(model, kind(model, lr=0, weight_decay=0.5), range(STEPS))
    assert_same_bits(model, before)


@pytest.mark.parametrize("kind", KINDS)
def test_zero_gradients_move_nothing(kind):
    model, before = Model(), Model()
    optimizer = kind(model, weight_decay=0.0)
    for _ in range(STEPS):
        optimizer.step()
    assert_same_bits(model, before)


def test_zero_grad():
    model = Model()
    set_gradients(model, 0)
    SGD(model).zero_grad()
    assert not any(grad.any() for grad in model.grads.values())


@pytest.mark.parametrize("kind", [SGD, Adagrad, RMSprop, Adam, partial(Adam, amsgrad=True), NAdam, RAdam])
def test_weight_decay_is_an_l2_penalty(kind):
    """The same bits as with the penalty added to the gradients."""
    model, other = Model(), Model()
    optimizer, plain = kind(model, lr=0.1, weight_decay=0.3), kind(other, lr=0.1)
    for t in range(STEPS):
        train(model, optimizer, [t])
        set_gradients(other, t)
        add_penalty(other, l2=0.3, names="*")
        plain.step()
    assert_same_bits(model, other)


# -- optimizers of users ---------------------------------------------------------------------------------------------


@every_optimizer
def test_a_model_without_parameters(make):
    model = Model()
    model.params, model.grads = {}, {}
    make(model).step()


def test_a_new_rule_is_a_class_with_one_update():
    """And gets weight decay and groups with it."""

    class Running(Optimizer):
        decay: Number = Number("Decay of the mean of squares.", Interval(0, 1), default=0.9)
        moments = ("v",)

        def update(self, p, g, v):
            v *= self.decay
            v += (1 - self.decay) * g**2
            p -= self.lr * g / (np.sqrt(v) + 1e-8)

    model, adam_model = Model(), Model()
    groups = {"gain": {"lr": 0.05, "weight_decay": 0.0}}
    optimizer = Running(model, lr=0.1, weight_decay=0.5, groups={"gain": groups["gain"] | {"decay": 0.75}})
    train(model, optimizer, range(1))
    groups["gain"]["lr"] = 0.05 / math.sqrt(1 - 0.75)
    train(adam_model, Adam(adam_model, lr=0.1 / math.sqrt(0.1), weight_decay=0.5, groups=groups), range(1))
    for name, p in model.params.items():  # one step: Adam without its bias correction, nearly
        np.testing.assert_allclose(p, adam_model.params[name], rtol=1e-3)
    assert optimizer.state_dict().keys() >= {"lr", "decay", "decay.gain", "steps", "v.weight"}
    shown = "groups={'gain': {'lr': 0.05, 'weight_decay': 0.0, 'decay': 0.75}}"
    assert repr(optimizer) == f"Running(lr=0.1, decay=0.9, weight_decay=0.5, {shown})"


def test_a_rule_without_options_takes_those_of_the_base():
    class Plain(Optimizer):
        def update(self, p, g):
            p -= self.lr * g

    model, sgd_model = Model(), Model()
    train(model, Plain(model, 0.1, 0.25), range(STEPS))
    train(sgd_model, SGD(sgd_model, 0.1, weight_decay=0.25), range(STEPS))
    for name, p in model.params.items():
        np.testing.assert_allclose(p, sgd_model.params[name], rtol=RTOL[np.float64])
    assert str(inspect.signature(Plain)) == "(model, lr, weight_decay=0.0, *, groups=None)"


def test_an_optimizer_without_a_rule_cannot_be_made():
    class Forgotten(Optimizer):
        moments = ("v",)

    for kind in (Optimizer, Forgotten):
        with pytest.raises(TypeError, match=f"{kind.__name__} .*abstract method .?update"):
            kind(Model(), lr=0.1)


def test_a_step_during_another_is_refused():
    """From a second thread: both would write the moments. Afterwards it goes on, and so does a copy."""
    adam = Adam(Linear(2, 2, seed=0))
    with adam._exclusive, refused(RuntimeError, "step: expected one call at a time, got another from a second thread"):
        adam.step()
    assert adam.steps == 0 and adam.begun is None
    adam.step()
    other = copy.deepcopy(adam)
    other.step()
    assert (adam.steps, other.steps) == (1, 2)
