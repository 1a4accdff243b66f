# SPDX-License-Identifier: BSD-3-Clause
"""SGD against the same rule written for one number, and what all optimizers share: groups, weight decay, state."""

import copy
import math
import pickle
import re
import tracemalloc

import numpy as np
import pytest
from support.optimizers import (
    CASES,
    RTOL,
    STEPS,
    Model,
    assert_matches_rule,
    assert_same_bits,
    both_dtypes,
    every_optimizer,
    set_gradients,
    train,
)

import fastrnn as fr
from fastrnn.optim import SGD, Hyperparameter, Optimizer
from fastrnn.optim._adaptive import Adagrad, Adam, AdamW, RMSprop
from fastrnn.optim._penalty import add_penalty


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


# -- the walk over the parameters ------------------------------------------------------------------


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
    model.params = {"weight": np.zeros((300, 100))}
    model.grads = {"weight": np.ones((300, 100))}
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
    with pytest.raises(ValueError, match="lr: expected a number"):
        optimizer.lr = -1.0
    assert optimizer.lr == 0.25


@pytest.mark.parametrize("kind", [SGD, Adagrad, RMSprop, Adam, AdamW])
def test_lr_zero_changes_nothing(kind):
    model, before = Model(), Model()
    train(model, kind(model, lr=0, weight_decay=0.5), range(STEPS))
    assert_same_bits(model, before)


def test_zero_grad():
    model = Model()
    set_gradients(model, 0)
    SGD(model).zero_grad()
    assert not any(grad.any() for grad in model.grads.values())


@pytest.mark.parametrize("kind", [SGD, Adagrad, RMSprop, Adam])
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


# -- groups ----------------------------------------------------------------------------------------


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
    assert adam.hyperparameters("bias") == {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 0.5, "weight_decay": 0.0}
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
        ({"bias": {"lr": -1}}, ValueError, "groups['bias']['lr']: expected a number in [0, inf), got -1"),
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


def test_a_multiple_of_nothing():
    text = "lr: expected a number > 0, of which the lr in groups are multiples, got 0.0"
    with pytest.raises(ValueError, match=f"^{text}$"):
        SGD(Model(), lr=0, groups={"bias": {"lr": 0.1}})


# -- the state -------------------------------------------------------------------------------------


GROUPS = {"b*": {"weight_decay": 0.125, "lr": 0.003}}


@pytest.mark.parametrize("groups", [None, GROUPS], ids=["", "groups"])
@pytest.mark.parametrize("name", CASES)
@both_dtypes
def test_resumes_to_the_same_bits(name, groups, dtype, tmp_path):
    kind, options = CASES[name]
    model = Model(dtype)
    optimizer = kind(model, **options, groups=groups)
    train(model, optimizer, range(STEPS))
    optimizer.lr = 0.03
    resumed = copy.deepcopy(model)
    np.savez(tmp_path / "state.npz", **optimizer.state_dict())  # numbers come back as arrays ()
    train(model, optimizer, range(STEPS, 2 * STEPS))

    optimizer = kind(resumed, **options, groups=groups)
    with np.load(tmp_path / "state.npz") as state:
        optimizer.load_state_dict(state)
    assert (optimizer.steps, optimizer.lr) == (STEPS, 0.03)
    train(resumed, optimizer, range(STEPS, 2 * STEPS))
    assert_same_bits(model, resumed)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copy_goes_its_own_way(duplicate):
    optimizer = Adam(Model(), lr=0.1, groups=GROUPS)
    train(optimizer.model, optimizer, range(STEPS))
    twin = duplicate(optimizer)
    before = copy.deepcopy(optimizer.model)
    train(twin.model, twin, range(STEPS, 2 * STEPS))
    assert_same_bits(optimizer.model, before)
    train(optimizer.model, optimizer, range(STEPS, 2 * STEPS))
    assert_same_bits(optimizer.model, twin.model)


def test_state_dict_holds_plain_numbers_and_copies():
    model = Model()
    optimizer = Adam(model, groups={"bias": {"lr": 5e-4, "eps": 0.5}})
    train(model, optimizer, range(STEPS))
    state = optimizer.state_dict()
    numbers = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
    own = {"lr.bias": 0.5, "eps.bias": 0.5}
    shared = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    assert numbers == {"steps": STEPS, **shared, **own}
    assert state.keys() - numbers.keys() == {f"{m}.{p}" for m in "mv" for p in model.params}

    state["m.bias"][...] = 7.0
    assert not (optimizer.state["bias"]["m"] == 7.0).any()
    optimizer.load_state_dict(state)
    state["m.bias"][...] = 8.0
    assert (optimizer.state["bias"]["m"] == 7.0).all()


@pytest.mark.parametrize(
    "entry, value, error, text",
    [
        ("m.bias", None, ValueError, "m.bias: expected an entry of this name, got none"),
        ("eps", None, ValueError, "eps: expected an entry of this name, got none"),
        ("velocity.bias", 1, ValueError, "velocity.bias: expected no entry of this name, got one"),
        ("m.bias", np.ones(5), ValueError, "m.bias: expected float64 (4,), got float64 (5,)"),
        ("v.gain", np.float32(1), ValueError, "v.gain: expected float64 (), got float32 ()"),
        ("lr", -1.0, ValueError, "lr: expected a number in [0, inf), got -1.0"),
        ("lr", [0.1, 0.2], ValueError, "lr: expected a number, got shape (2,)"),
        ("beta2", "high", TypeError, "beta2: expected a number, got str"),
        ("steps", -1, ValueError, "steps: expected an integer >= 0, got -1"),
        ("steps", 1.5, ValueError, "steps: expected an integer >= 0, got 1.5"),
        ("eps.bias", None, ValueError, "eps.bias: expected an entry of this name, got none"),
        ("eps.bias", 0.25, ValueError, "eps.bias: expected 0.5, as in groups, got 0.25"),
        ("eps.gain", 0.5, ValueError, "eps.gain: expected no entry of this name, got one"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(entry, value, error, text):
    model, groups = Model(), {"bias": {"eps": 0.5}}
    optimizer = Adam(model, groups=groups)
    train(model, optimizer, range(STEPS))
    before = optimizer.state_dict()
    state = Adam(Model(), lr=0.5, groups=groups).state_dict()
    state[entry] = value
    if value is None:
        del state[entry]
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_a_state_is_a_mapping():
    with pytest.raises(TypeError, match="^state: expected a mapping, as state_dict returns it, got list$"):
        SGD(Model()).load_state_dict([])


# -- what is refused, and rules of one's own -------------------------------------------------------


@pytest.mark.parametrize(
    "kind, options, error, text",
    [
        (SGD, {"lr": -0.1}, ValueError, "lr: expected a number in [0, inf), got -0.1"),
        (SGD, {"lr": math.nan}, ValueError, "lr: expected a number in [0, inf), got nan"),
        (Adam, {"lr": math.inf}, ValueError, "lr: expected a number in [0, inf), got inf"),
        (Adam, {"lr": "fast"}, TypeError, "lr: expected a number, got str"),
        (SGD, {"momentum": 1.0}, ValueError, "momentum: expected a number in [0, 1), got 1.0"),
        (SGD, {"momentum": -0.5}, ValueError, "momentum: expected a number in [0, 1), got -0.5"),
        (SGD, {"momentum": 0.5, "nesterov": "yes"}, TypeError, "nesterov: expected True or False, got 'yes'"),
        (SGD, {"nesterov": True}, ValueError, "nesterov: expected momentum > 0 with it, got 0.0 for weight"),
        (SGD, {"weight_decay": -1}, ValueError, "weight_decay: expected a number in [0, inf), got -1"),
        (Adagrad, {"lr_decay": -1}, ValueError, "lr_decay: expected a number in [0, inf), got -1"),
        (Adagrad, {"eps": 0}, ValueError, "eps: expected a number in (0, inf), got 0"),
        (RMSprop, {"alpha": 1}, ValueError, "alpha: expected a number in [0, 1), got 1"),
        (RMSprop, {"momentum": 1}, ValueError, "momentum: expected a number in [0, 1), got 1"),
        (RMSprop, {"centered": 0.5}, TypeError, "centered: expected True or False, got 0.5"),
        (Adam, {"betas": (1.0, 0.9)}, ValueError, "beta1: expected a number in [0, 1), got 1.0"),
        (Adam, {"betas": (0.9, -1)}, ValueError, "beta2: expected a number in [0, 1), got -1"),
        (Adam, {"betas": 0.9}, ValueError, "betas: expected two numbers in [0, 1), got 0.9"),
        (AdamW, {"betas": (0.9,)}, ValueError, "betas: expected two numbers in [0, 1), got (0.9,)"),
        (Adam, {"eps": 0}, ValueError, "eps: expected a number in (0, inf), got 0"),
        (AdamW, {"weight_decay": None}, TypeError, "weight_decay: expected a number, got NoneType"),
    ],
)
def test_bad_hyperparameters(kind, options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        kind(Model(), **options)


def test_bad_models():
    with pytest.raises(TypeError, match="expected an object with params and grads, got dict"):
        SGD(Model().params)
    model = Model()
    model.grads["bias"] = np.zeros(5)
    with pytest.raises(ValueError, match=re.escape("grads['bias']: expected float64 (4,), got ")):
        SGD(model)
    del model.grads["bias"]
    with pytest.raises(ValueError, match=re.escape("same names, got odd ['bias']")):
        SGD(model)


@every_optimizer
def test_a_model_without_parameters(make):
    model = Model()
    model.params, model.grads = {}, {}
    make(model).step()


def test_a_new_rule_is_a_class_with_one_update():
    """And gets weight decay and groups with it."""

    class Running(Optimizer):
        decay = Hyperparameter(0, 1)
        moments = ("v",)

        def __init__(self, model, lr=1e-2, decay=0.9, **options):
            super().__init__(model, lr, **options)
            self.decay = decay

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


def test_the_base_class_has_no_rule():
    with pytest.raises(NotImplementedError):
        Optimizer(Model(), lr=0.1).step()


# -- PyTorch ---------------------------------------------------------------------------------------

TORCH_STEPS = 20
# Relative to the largest that a parameter has been. float32: 4 ulp, as PyTorch fuses products and sums; 1.7 are met.
TORCH_RTOL = {np.float32: 4 * 2.0**-23, np.float64: 1e-12}
TORCH_GROUPS = {"b*": {"weight_decay": 0.0, "lr": 0.05}, "gain": {"weight_decay": 0.5}}


@both_dtypes
@pytest.mark.parametrize("groups", [None, TORCH_GROUPS], ids=["", "groups"])
@pytest.mark.parametrize("case", CASES)
def test_torch_agrees(dtype, case, groups):
    torch = pytest.importorskip("torch")
    kind, options = CASES[case]
    model = Model(dtype)
    optimizer = kind(model, **options, groups=groups)
    parameters = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in model.params.items()}
    own = {"weight": {}, "bias": groups["b*"], "gain": groups["gain"]} if groups else dict.fromkeys(parameters, {})
    other = getattr(torch.optim, kind.__name__)(
        [{"params": [parameter], **own[name]} for name, parameter in parameters.items()], **options
    )
    largest = {name: np.abs(p).max() for name, p in model.params.items()}
    for t in range(TORCH_STEPS):
        set_gradients(model, t)
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(model.grads[name])
        optimizer.step()
        other.step()
        for name, p in model.params.items():
            largest[name] = max(largest[name], np.abs(p).max())
            expected = parameters[name].detach().numpy()
            np.testing.assert_allclose(p, expected, rtol=0, atol=TORCH_RTOL[dtype] * largest[name])
