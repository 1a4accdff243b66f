# SPDX-License-Identifier: BSD-3-Clause
"""One update: it clips and steps, or says what is not finite and leaves the parameters as they were."""

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._loop.update import Update


@pytest.fixture
def model():
    model = fr.Sequential(fr.GRU(2, 3, seed=0), fr.Linear(3, 1, seed=1))
    for name in model.grads:
        model.grads[name].fill(0.5)
    return model


def test_it_clips_and_steps(model):
    before = model.state_dict()
    update = Update(model, fr.SGD(model, lr=0.1), clip=1.0)
    size = sum(grad.size for grad in model.grads.values())
    norm = update.norm(1, 0.5)
    np.testing.assert_allclose(norm, 0.5 * np.sqrt(size))
    assert all((grad == 0.5).all() for grad in model.grads.values())  # measuring changes nothing
    update(1, 0.5, norm)
    for name, p in model.params.items():
        np.testing.assert_allclose(p, before[name] - 0.1 * 0.5 / norm, rtol=1e-5)


def test_both_clips_hold(model):
    """The elements are clipped first: one that is far out costs the others nothing."""
    before, size = model.state_dict(), sum(grad.size for grad in model.grads.values())
    for clip, step in (None, 0.25), (1.0, size**-0.5):
        for name, p in model.params.items():
            p[...] = before[name]
            model.grads[name].fill(-1e6 if name == "1.bias" else 0.5)
        update = Update(model, fr.SGD(model, lr=1.0), clip, clip_value=0.25)
        norm = update.norm(1, 0.5)
        assert norm > 1e5  # measured before
        update(1, 0.5, norm)
        for name, p in model.params.items():
            np.testing.assert_allclose(np.abs(p - before[name]), step, rtol=1e-4)
            assert ((p > before[name]) == (name == "1.bias")).all()


def test_without_a_clip(model):
    before = model.state_dict()
    update = Update(model, fr.SGD(model, lr=0.1), clip=None)
    update(1, 0.5, update.norm(1, 0.5))
    for name, p in model.params.items():
        np.testing.assert_allclose(p, before[name] - 0.05, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite(bad, model):
    before = model.state_dict()
    model.grads["0.weight_hh_l0"][1, 2] = bad
    with pytest.raises(FloatingPointError) as caught:
        Update(model, fr.SGD(model), None).norm(17, 0.25)
    assert str(caught.value) == (
        "step 17: expected a finite loss and gradient, got loss 0.25 and gradient norm nan; not finite: "
        "the gradient of 0.weight_hh_l0. The parameters are those of step 16"
    )
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, before[name])


def test_a_loss_that_is_not_finite(model):
    with pytest.raises(
        FloatingPointError, match="step 1: .* got loss nan and gradient norm 4.093; not finite: no gradient."
    ):
        Update(model, fr.SGD(model), None).norm(1, np.nan)


def test_every_name_up_to_some(model):
    for name in model.grads:
        model.grads[name].fill(np.nan)
    model.params["1.bias"][0] = np.inf
    message = (
        "the gradient of 0.weight_ih_l0, 0.weight_hh_l0, 0.bias_ih_l0, 0.bias_hh_l0 and 2 more and the parameter 1.bias"
    )
    with pytest.raises(FloatingPointError, match=message):
        Update(model, fr.SGD(model), None).norm(1, np.inf)


def test_an_update_that_is_too_large_is_taken_back(model):
    before = model.state_dict()
    update = Update(model, fr.SGD(model, lr=1e300), clip=None)
    with pytest.raises(
        FloatingPointError, match="step 3: expected finite parameters, got others in 0.weight_ih_l0.* lr 1e"
    ):
        update(3, 0.25, update.norm(3, 0.25))
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, before[name])
