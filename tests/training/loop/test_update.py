# SPDX-License-Identifier: BSD-3-Clause
"""One update: it steps, or says what is not finite and leaves the parameters as they were."""

import numpy as np
import pytest
from support.ties import twice

import fastrnn as fr
from fastrnn.training._loop.update import Update


@pytest.fixture
def model():
    model = fr.Sequential(fr.GRU(2, 3, seed=0), fr.Linear(3, 1, seed=1))
    for name in model.grads:
        model.grads[name].fill(0.5)
    return model


def test_it_steps(model):
    before = model.state_dict()
    update = Update(model, fr.SGD(model, lr=0.1))
    size = sum(grad.size for grad in model.grads.values())
    norm = update.norm(0.5)
    np.testing.assert_allclose(norm, 0.5 * np.sqrt(size))
    assert all((grad == 0.5).all() for grad in model.grads.values())  # measuring changes nothing
    update(0.5, norm)
    for name, p in model.params.items():
        np.testing.assert_allclose(p, before[name] - 0.05, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite(bad, model):
    before = model.state_dict()
    model.grads["0.weight_hh_l0"][1, 2] = bad
    with pytest.raises(FloatingPointError) as caught:
        Update(model, fr.SGD(model)).norm(0.25)
    assert str(caught.value) == (
        "expected a finite loss and gradient, got loss 0.25 and gradient norm nan; not finite: "
        "the gradient of 0.weight_hh_l0"
    )
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, before[name])


def test_a_loss_that_is_not_finite(model):
    with pytest.raises(FloatingPointError, match="got loss nan and gradient norm 4.093; not finite: no gradient$"):
        Update(model, fr.SGD(model)).norm(np.nan)


def test_every_name_up_to_some(model):
    for name in model.grads:
        model.grads[name].fill(np.nan)
    model.params["1.bias"][0] = np.inf
    message = (
        "the gradient of 0.weight_ih_l0, 0.weight_hh_l0, 0.bias_ih_l0, 0.bias_hh_l0 and 2 more and the parameter 1.bias"
    )
    with pytest.raises(FloatingPointError, match=message):
        Update(model, fr.SGD(model)).norm(np.inf)


def test_an_update_that_is_too_large_is_taken_back(model):
    before = model.state_dict()
    update = Update(model, fr.SGD(model, lr=1e300))
    with pytest.raises(FloatingPointError, match="expected finite parameters, got others in 0.weight_ih_l0.* lr 1e"):
        update(0.25, update.norm(0.25))
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, before[name])


def test_a_parameter_with_two_names():
    """Its gradient counts once in the norm, it is set back whole, and a message names it once."""
    model = twice()
    for grad in model.grads.values():
        grad.fill(0.5)
    before, update = model.state_dict(), Update(model, fr.SGD(model, lr=0.1))
    norm = update.norm(0.5)
    np.testing.assert_allclose(norm, 0.5 * np.sqrt(3 * 3 * 2 + 3 * 2), rtol=1e-12)
    update(0.5, norm)
    for name, p in model.params.items():
        np.testing.assert_allclose(p, before[name] - 0.05, rtol=1e-12)
    before = model.state_dict()
    model.grads["1.weight_hh_l0"].fill(1e308)
    with pytest.raises(FloatingPointError, match="expected finite parameters, got others in 0.weight_hh_l0 from loss"):
        Update(model, fr.SGD(model, lr=1e300))(0.5, norm)
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, before[name])
