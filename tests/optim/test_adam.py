# SPDX-License-Identifier: BSD-3-Clause
"""Adam and AdamW, with AMSGrad, against the same rules written for one number; the rest is in test_optimizer."""

import math
import re

import numpy as np
import pytest
from support.optimizers import CASES, STEPS, Model, assert_matches_rule, assert_same_bits, both_dtypes, train

from fastrnn.optim import SGD
from fastrnn.optim._adam import Adam, AdamW


def adam(p, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=0.0, amsgrad=False):
    """Adam for one number."""
    m = v = v_max = 0.0
    for t, g in enumerate(gradients, start=1):
        p = p - lr * decoupled * p
        g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat = m / (1 - betas[0] ** t)
        v_max = max(v_max, v)
        v_hat = (v_max if amsgrad else v) / (1 - betas[1] ** t)
        p = p - lr * m_hat / (math.sqrt(v_hat) + eps)
    return p


def adamw(p, gradients, weight_decay=1e-2, **options):
    """AdamW for one number."""
    return adam(p, gradients, decoupled=weight_decay, **options)


RULES = {Adam: adam, AdamW: adamw}


@both_dtypes
@pytest.mark.parametrize("case", [name for name, (kind, _) in CASES.items() if kind in RULES])
def test_matches_the_rule_for_one_number(dtype, case):
    kind, options = CASES[case]
    assert_matches_rule(dtype, kind, RULES[kind], options)


def test_defaults():
    adam, adamw = Adam(Model()), AdamW(Model())
    assert (adam.lr, adam.beta1, adam.beta2, adam.eps, adam.weight_decay) == (1e-3, 0.9, 0.999, 1e-8, 0.0)
    assert (adamw.lr, adamw.beta1, adamw.beta2, adamw.eps, adamw.weight_decay) == (1e-3, 0.9, 0.999, 1e-8, 1e-2)
    assert not adam.amsgrad and not adamw.amsgrad


def test_decoupled_decay_does_not_pass_through_the_moments():
    """Two AdamW that differ in weight decay alone have the same moments; two Adam have not."""
    for kind, same in ((AdamW, True), (Adam, False)):
        some, more = kind(Model(), weight_decay=0.01), kind(Model(), weight_decay=0.1)
        for optimizer in (some, more):
            train(optimizer.model, optimizer, range(STEPS))
        assert all((some.state[name]["m"] == more.state[name]["m"]).all() == same for name in some.state)
        assert (some.model.params["weight"] != more.model.params["weight"]).all()


# -- AMSGrad ---------------------------------------------------------------------------------------------------------


@both_dtypes
def test_amsgrad_is_adam_until_a_second_moment_falls(dtype):
    """To the bit, although one runs in C and the other in NumPy."""
    model, other = Model(dtype), Model(dtype)
    options = {"lr": 0.1, "betas": (0.5, 0.75), "weight_decay": 0.01}
    adam, amsgrad = AdamW(model, **options), AdamW(other, **options, amsgrad=True)
    for t in range(STEPS):
        for each in (model, other):
            for grad in each.grads.values():
                grad[...] = 10.0**t if t < STEPS - 1 else 0
        adam.step()
        amsgrad.step()
        if t < STEPS - 1:
            assert_same_bits(model, other)
    moments = amsgrad.state["weight"]
    assert (moments["v"] < moments["v_max"]).all()
    assert (np.abs(model.params["weight"]) > np.abs(other.params["weight"])).any()


def test_amsgrad_may_be_that_of_a_group():
    adam = Adam(Model(), groups={"bias": {"amsgrad": True}})
    assert {name: list(moments) for name, moments in adam.state.items()} == {
        "weight": ["m", "v"], "bias": ["m", "v", "v_max"], "gain": ["m", "v"],
    }  # fmt: skip
    train(adam.model, adam, range(STEPS))
    whole = Adam(Model(), amsgrad=True)
    train(whole.model, whole, range(STEPS))
    np.testing.assert_array_equal(adam.model.params["bias"], whole.model.params["bias"])
    assert (adam.model.params["weight"] != whole.model.params["weight"]).any()


@pytest.mark.parametrize("amsgrad", [True, False])
def test_amsgrad_is_decided_when_the_optimizer_is_made(amsgrad):
    adam = Adam(Model(), amsgrad=amsgrad)
    adam.amsgrad = amsgrad
    text = f"amsgrad: expected {amsgrad}, as the optimizer was made, got {not amsgrad}"
    with pytest.raises(ValueError, match=f"^{text}$"):
        adam.amsgrad = not amsgrad
    assert adam.amsgrad == amsgrad


def test_a_state_without_amsgrad_is_one_of_an_earlier_version():
    adam = Adam(Model())
    train(adam.model, adam, range(STEPS))
    state = adam.state_dict()
    assert "amsgrad" not in state and Adam(Model(), amsgrad=True).state_dict()["amsgrad"] is True
    other = Adam(Model())
    other.load_state_dict(state)
    assert other.steps == STEPS
    with pytest.raises(ValueError, match="^v_max.weight: expected an entry of this name, got none$"):
        Adam(Model(), amsgrad=True).load_state_dict(state)


# -- betas -----------------------------------------------------------------------------------------------------------


def test_betas_of_a_group():
    model, other = Model(), Model()
    train(model, Adam(model, groups={"bias": {"betas": (0.5, 0.75)}}), range(STEPS))
    train(other, Adam(other, groups={"bias": {"beta1": 0.5, "beta2": 0.75}}), range(STEPS))
    assert_same_bits(model, other)
    adam = Adam(Model(), groups={"bias": {"betas": (0.5, 0.75)}})
    assert [adam.hyperparameters("bias")[name] for name in ("beta1", "beta2")] == [0.5, 0.75]
    assert adam.hyperparameters("gain")["beta1"] == 0.9


@pytest.mark.parametrize(
    "group, text",
    [
        ({"betas": 0.5}, "groups['bias']['betas']: expected two probabilities in [0, 1), got 0.5"),
        ({"betas": (0.5, 1)}, "groups['bias']['beta2']: expected a probability in [0, 1), got 1"),
        ({"betas": (0.5, 0.9), "beta2": 0.9}, "groups['bias']: expected one value for beta2, got two"),
        (
            {"momentum": 0.5},
            "groups['bias']: expected hyper-parameters of Adam (betas, amsgrad, beta1, beta2, eps, lr, weight_decay), "
            "got 'momentum'",
        ),
    ],
)
def test_bad_betas_of_a_group(group, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        Adam(Model(), groups={"bias": group})
    with pytest.raises(ValueError, match="got 'betas'$"):
        SGD(Model(), groups={"bias": {"betas": (0.5, 0.9)}})
