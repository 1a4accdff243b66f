# SPDX-License-Identifier: BSD-3-Clause
"""The penalty of fit: that of add_penalty, beside the loss and not in it."""

from types import SimpleNamespace

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._hooks.hook import Step
from fastrnn.training._hooks.penalty import Penalty

PENALTY = {"l1": 1e-3, "l2": 1e-2, "names": "*weight_ih*"}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((length, 2)).astype(np.float32) for length in rng.integers(1, 7, 20)], np.ones((20, 1))


def make_model(seed=0):
    return fr.Sequential(fr.GRU(2, 8, seed=seed), fr.Dropout(0.2, seed=seed), fr.LastStep(), fr.Linear(8, 1, seed=1))


def train(model, data, **options):
    options = {"penalty": PENALTY, "epochs": 4, "batch_size": 8, "seed": 0, "progress": False} | options
    return fr.fit(model, fr.mse_loss, *data, **options)


def assert_same(model, other):
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, other.params[name], err_msg=name)


def without(history, *names):
    return {name: column for name, column in history.items() if name not in names}


def test_it_is_add_penalty_in_every_step(data):
    """A callback that calls it gives the same bits; the history has its mean, and the loss without it."""
    values = []

    class Callback:
        def on_step(self, model, step, loss, norm):
            values.append(fr.add_penalty(model, **PENALTY))

    model, hand = make_model(), make_model()
    history = train(model, data, clip=0.1, batch_size=10)
    expected = train(hand, data, clip=0.1, batch_size=10, penalty=None, callbacks=[Callback()])
    assert_same(model, hand)
    assert without(history, "seconds", "penalty") == without(expected, "seconds")
    assert list(history) == ["epoch", "step", "loss", "penalty", "grad_norm", "lr", "seconds"]
    assert history["penalty"] == pytest.approx(np.reshape(values, (4, 2)).mean(axis=1), rel=1e-12)
    assert 0 < history["penalty"][-1] < history["penalty"][0]


def test_the_losses_are_those_of_the_data(data):
    """With no step to speak of, loss and validation loss are one number, whatever the penalty; the norm counts it."""
    model = fr.Sequential(fr.GRU(2, 8, seed=0), fr.LastStep(), fr.Linear(8, 1, seed=1))
    options = {"optimizer": fr.SGD(model, lr=0.0), "epochs": 1, "validation": data, "shuffle": False}
    plain = train(model, data, penalty=None, **options)
    history = train(model, data, penalty={"l2": 1.0}, **options)
    assert history["loss"] == plain["loss"] == pytest.approx(history["val_loss"])
    assert history["penalty"] == [pytest.approx(fr.add_penalty(model, l2=1.0))]
    assert history["grad_norm"][0] > 1.5 * plain["grad_norm"][0]


def test_callbacks_see_the_gradients_with_it(data):
    norms = []

    class Callback:
        def on_step(self, model, step, loss, norm):
            norms.append((norm, fr.clip_grad_norm(model, np.inf)))

    train(make_model(), data, penalty={"l2": 5.0}, callbacks=[Callback()])
    assert norms and all(passed == measured for passed, measured in norms)


@pytest.mark.parametrize("truncate", [None, (2, 4)])
def test_resumed_to_the_same_bits(truncate, tmp_path):
    rng = np.random.default_rng(0)
    data = rng.standard_normal((7, 9, 2)).astype(np.float32), rng.standard_normal((7, 9, 1))
    make = lambda seed: fr.Sequential(fr.GRU(2, 8, seed=seed), fr.Dropout(0.2, seed=seed), fr.Linear(8, 1, seed=1))  # noqa: E731
    whole, model, other = make(0), make(0), make(5)
    options = {"truncate": truncate, "clip_value": 0.01}
    expected = train(whole, data, **options)
    train(model, data, epochs=2, checkpoint=tmp_path / "run", **options)
    history = train(other, data, checkpoint=tmp_path / "run", resume=True, **options)
    assert without(history, "seconds") == without(expected, "seconds")
    assert len(history["penalty"]) == 4 and history["step"][-1] == 4 * 2 * (1 if truncate is None else 4)
    assert_same(other, whole)


@pytest.mark.parametrize(
    ("error", "message", "penalty"),
    [
        (TypeError, "penalty: expected a dict of arguments of add_penalty, .* got float", 1e-4),
        (ValueError, "penalty: expected l1, l2, names, got 'L1'", {"L1": 1e-4}),
        (ValueError, "penalty: expected l1, l2 or both, got neither", {}),
        (ValueError, "penalty: expected l1, l2 or both, got names", {"names": "*"}),
        (ValueError, "penalty: l1: expected a finite number of at least 0, got -1", {"l1": -1}),
        (ValueError, "penalty: l2: expected a finite number of at least 0, got inf", {"l2": np.inf}),
        (TypeError, "penalty: l2: expected a finite number of at least 0, got 'much'", {"l2": "much"}),
        (ValueError, "penalty: names: expected a match among 0.weight_ih_l0, .* got none", {"l2": 1, "names": "*ih"}),
        (TypeError, "penalty: names: expected a pattern of parameter names, got list", {"l2": 1, "names": ["*"]}),
    ],
)
def test_errors_come_before_the_first_step(error, message, penalty, data):
    model, losses = make_model(), []
    with pytest.raises(error, match=message):
        fr.fit(model, lambda y, target: losses.append(1), *data, penalty=penalty, progress=False)
    assert not losses
    assert_same(model, make_model())


def test_a_sum_that_does_not_fit(data):
    model = make_model()
    with pytest.raises(FloatingPointError, match=r"step 1: penalty: grads\['.*\]: .* fits float32.* those of step 0"):
        train(model, data, penalty={"l2": 1e39})
    assert_same(model, make_model())


def test_a_custom_model():
    class Model:
        params, grads = {"w": np.array([3.0])}, {"w": np.array([1.0])}

    step = Step(1, 1, 0.5, 1.0, {}, {}, 1)
    assert Penalty(Model, {"l2": 2.0, "names": "w"}).on_gradients(SimpleNamespace(model=Model), step)
    assert step.extras == {"penalty": 9}
    assert Model.grads["w"] == 7
