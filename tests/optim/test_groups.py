# SPDX-License-Identifier: BSD-3-Clause
"""Groups of parameters with hyper-parameters of their own."""

import re

import numpy as np
import pytest
from support.optimizers import RTOL, STEPS, Model, train

import fastrnn as fr
from fastrnn.nn._configurable import Configurable
from fastrnn.nn._options import Argument, Flag, Number, Size
from fastrnn.optim import SGD, Adam, AdamW, Interval
from fastrnn.optim._groups import checked_groups, group_values, hyperparameters_of


def test_a_group_has_its_own_hyperparameters():
    """Every parameter moves as in a model that is set to its group's values as a whole."""
    groups = {"b*": {"weight_decay": 0.0, "momentum": 0.5}, "*a*": {"lr": 0.01, "nesterov": True}}
    options = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.3}
    model = Model()
    train(model, SGD(model, **options, groups=groups), range(STEPS))
    for name, own in {"weight": {}, "bias": groups["b*"], "gain": groups["*a*"]}.items():
        other = Model()
        train(other, SGD(other, **options | own), range(STEPS))
        np.testing.assert_allclose(model.params[name], other.params[name], rtol=RTOL[np.float64])
        assert name == "gain" or (model.params[name] == other.params[name]).all()  # lr is 0.1 times 0.1 there


def test_the_first_matching_pattern_counts():
    adam = Adam(Model(), groups={"bias": {"eps": 0.5}, "*i*": {"eps": 0.25, "beta1": 0.5}})
    assert adam.hyperparameters("bias") == {
        "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 0.5, "weight_decay": 0.0, "amsgrad": False,
    }  # fmt: skip
    assert adam.hyperparameters("gain")["eps"] == adam.hyperparameters("weight")["eps"] == 0.25
    assert adam.hyperparameters("gain")["beta1"] == 0.5
    with pytest.raises(ValueError, match="^parameter: expected one of weight, bias, gain, got 'w'$"):
        adam.hyperparameters("w")


def test_groups_of_a_real_model():
    model = fr.Sequential(fr.LSTM(3, 4, num_layers=2, seed=0), fr.Linear(4, 2, seed=1))
    adam = AdamW(model, lr=0.1, groups={"*bias*": {"weight_decay": 0.0}, "0.*": {"lr": 0.05}})
    for name in model.params:
        values = adam.hyperparameters(name)
        assert values["weight_decay"] == (0.0 if "bias" in name else 1e-2)
        assert values["lr"] == (0.05 if name.startswith("0.weight") else 0.1)
    before = model.state_dict()
    adam.step()  # gradients of 0: only the decay is left
    assert all((model.params[name] != p).any() == ("weight" in name) for name, p in before.items())


def test_the_lr_of_a_group_follows_that_of_the_optimizer():
    optimizer = SGD(Model(), lr=0.5, groups={"bias": {"lr": 0.25}, "gain": {"lr": 2, "momentum": 0.5}})
    lr = lambda: [optimizer.hyperparameters(name)["lr"] for name in optimizer.model.params]  # noqa: E731
    assert lr() == [0.5, 0.25, 2.0]
    optimizer.lr = 0.125
    assert lr() == [0.125, 0.0625, 0.5]
    optimizer.lr = 0.0
    assert lr() == [0.0, 0.0, 0.0]
    optimizer.lr = 0.5
    assert lr() == [0.5, 0.25, 2.0]


def test_a_hyperparameter_changed_later_leaves_groups_their_own():
    optimizer = SGD(Model(), groups={"bias": {"momentum": 0.5}})
    optimizer.momentum = 0.75
    assert optimizer.hyperparameters("bias")["momentum"] == 0.5
    assert optimizer.hyperparameters("gain")["momentum"] == 0.75


@pytest.mark.parametrize(
    "groups, error, text",
    [
        ([], TypeError, "groups: expected a mapping of patterns to hyper-parameters, got list"),
        ({3: {}}, TypeError, "groups: expected patterns of parameter names, got 3"),
        ({"bias": 0.1}, TypeError, "groups['bias']: expected a mapping of hyper-parameters to values, got float"),
        (
            {"bias": {"betas": 0.1}},
            ValueError,
            "groups['bias']: expected hyper-parameters of SGD (lr, momentum, nesterov, weight_decay), got 'betas'",
        ),
        ({"bias": {"lr": -1}}, ValueError, "groups['bias']['lr']: expected a finite number of at least 0, got -1"),
        ({"bias": {"nesterov": 1}}, TypeError, "groups['bias']['nesterov']: expected True or False, got 1"),
        ({"Bias": {}}, ValueError, "groups['Bias']: expected a match among weight, bias, gain, got none"),
        (
            {"*g*": {}, "gain": {}},
            ValueError,
            "groups['gain']: expected a parameter that no earlier pattern takes, got only those of '*g*'",
        ),
        (
            {"bias": {"momentum": 0.0, "nesterov": True}},
            ValueError,
            "nesterov: expected momentum > 0 with it, got 0.0 for bias",
        ),
    ],
)
def test_bad_groups(groups, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        SGD(Model(), lr=0.1, momentum=0.9, groups=groups)


def test_a_repr_shows_groups_with_their_lr_of_now():
    groups = {"b*": {"lr": 0.003, "momentum": 0.5}, "gain": {"weight_decay": 0.0}}
    optimizer = SGD(Model(), lr=0.1, groups=groups)
    options = "momentum=0.0, nesterov=False, weight_decay=0.0"
    assert repr(optimizer) == f"SGD(lr=0.1, {options}, groups={groups})"
    optimizer.lr = 0.2
    groups["b*"]["lr"] = 0.006
    assert repr(optimizer) == f"SGD(lr=0.2, {options}, groups={groups})"


def test_a_group_with_lr_0_is_frozen():
    model, before = Model(), Model()
    train(model, AdamW(model, lr=0.1, groups={"bias": {"lr": 0.0}}), range(STEPS))
    assert [(model.params[name] == p).all() for name, p in before.params.items()] == [False, True, False]


def test_a_multiple_of_nothing():
    text = "lr: expected a number above 0, since groups have multiples of it, got 0.0"
    with pytest.raises(ValueError, match=f"^{text}$"):
        SGD(Model(), lr=0, groups={"bias": {"lr": 0.1}})


# -- hyper-parameters ------------------------------------------------------------------------------------------------


class Settings(Configurable):
    model: Argument[object] = Argument("Not a hyper-parameter.", "object", default=None)
    count: Size = Size("A size.", default=1)
    half_open: Number = Number("A number.", Interval(0, 1), default=0.5)
    flag: Flag = Flag("A flag.", default=False)


def test_hyperparameters_are_the_values_of_a_class_and_its_bases():
    class More(Settings):
        another: Size = Size("Another size.", low=0, init=False)

    assert list(hyperparameters_of(Settings)) == ["count", "flag", "half_open"]
    assert list(hyperparameters_of(More)) == ["another", "count", "flag", "half_open"]
    assert "betas" not in hyperparameters_of(Adam)


def test_values_are_checked_copies():
    groups = {"a*": {"count": np.int32(2)}}
    values = group_values(checked_groups(groups, Settings), {name: name for name in ("ab", "ac", "b")})
    assert values == {"ab": {"count": 2}, "ac": {"count": 2}, "b": {}}
    assert type(values["ab"]["count"]) is int
    values["ab"]["count"] = 3
    assert values["ac"] == {"count": 2} and groups == {"a*": {"count": 2}}
