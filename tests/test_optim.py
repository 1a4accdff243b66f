# SPDX-License-Identifier: BSD-3-Clause
"""SGD and Adam against the same rules written for one number, and their state."""

import copy
import math
import pickle
import re
import tracemalloc

import numpy as np
import pytest

from fastrnn.optim import SGD, Adam, Hyperparameter, Optimizer

STEPS = 6
# Relative to the largest parameter: about ten roundings per step, of an update near lr = 0.1.
RTOL = {np.float32: 8 * STEPS * 2.0**-24, np.float64: 8 * STEPS * 2.0**-53}

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
every_optimizer = pytest.mark.parametrize(
    "make",
    [
        lambda model: SGD(model, lr=0.1),
        lambda model: SGD(model, lr=0.1, momentum=0.9),
        lambda model: Adam(model, lr=0.1),
        lambda model: Adam(model, lr=0.1, betas=(0.5, 0.0), eps=1e-3),
    ],
    ids=["sgd", "momentum", "adam", "adam-odd"],
)


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


def sgd(p, gradients, lr, momentum=0.0):
    """SGD for one number."""
    v = 0.0
    for g in gradients:
        v = momentum * v + g
        p = p - lr * v
    return p


def adam(p, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    """Adam for one number."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat = m / (1 - betas[0] ** t)
        v_hat = v / (1 - betas[1] ** t)
        p = p - lr * m_hat / (math.sqrt(v_hat) + eps)
    return p


@both_dtypes
@pytest.mark.parametrize(
    "kind, rule, options",
    [
        (SGD, sgd, {"lr": 0.1}),
        (SGD, sgd, {"lr": 0.1, "momentum": 0.9}),
        (Adam, adam, {}),
        (Adam, adam, {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-2}),
        (Adam, adam, {"lr": 0.1, "betas": (0.0, 0.0)}),
    ],
)
def test_matches_the_rule_for_one_number(dtype, kind, rule, options):
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


def test_defaults():
    sgd, adam = SGD(Model()), Adam(Model())
    assert (sgd.lr, sgd.momentum) == (1e-3, 0.0)
    assert (adam.lr, adam.beta1, adam.beta2, adam.eps) == (1e-3, 0.9, 0.999, 1e-8)


@every_optimizer
def test_updates_are_in_place(make):
    model = Model()
    arrays, view, before = dict(model.params), model.params["weight"][1:, ::2], Model()
    train(model, make(model), range(1))
    assert all(model.params[name] is array for name, array in arrays.items())
    np.testing.assert_array_equal(view, model.params["weight"][1:, ::2])
    assert not np.array_equal(view, before.params["weight"][1:, ::2])


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


def test_parameters_of_two_dtypes():
    model, single, double = Model(), Model(np.float32), Model(np.float64)
    for arrays, singles in ((model.params, single.params), (model.grads, single.grads)):
        arrays["weight"] = singles["weight"].copy()
    for each in (model, single, double):
        train(each, Adam(each, lr=0.1), range(STEPS))
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


def test_lr_zero_changes_nothing():
    model, before = Model(), Model()
    train(model, Adam(model, lr=0), range(STEPS))
    assert_same_bits(model, before)


def test_zero_grad():
    model = Model()
    set_gradients(model, 0)
    SGD(model).zero_grad()
    assert not any(grad.any() for grad in model.grads.values())


@every_optimizer
@both_dtypes
def test_resumes_to_the_same_bits(make, dtype, tmp_path):
    model = Model(dtype)
    optimizer = make(model)
    train(model, optimizer, range(STEPS))
    optimizer.lr = 0.03
    resumed = copy.deepcopy(model)
    np.savez(tmp_path / "state.npz", **optimizer.state_dict())  # numbers come back as arrays ()
    train(model, optimizer, range(STEPS, 2 * STEPS))

    optimizer = make(resumed)
    with np.load(tmp_path / "state.npz") as state:
        optimizer.load_state_dict(state)
    assert (optimizer.steps, optimizer.lr) == (STEPS, 0.03)
    train(resumed, optimizer, range(STEPS, 2 * STEPS))
    assert_same_bits(model, resumed)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copy_goes_its_own_way(duplicate):
    optimizer = Adam(Model(), lr=0.1)
    train(optimizer.model, optimizer, range(STEPS))
    twin = duplicate(optimizer)
    before = copy.deepcopy(optimizer.model)
    train(twin.model, twin, range(STEPS, 2 * STEPS))
    assert_same_bits(optimizer.model, before)
    train(optimizer.model, optimizer, range(STEPS, 2 * STEPS))
    assert_same_bits(optimizer.model, twin.model)


def test_state_dict_holds_plain_numbers_and_copies():
    model = Model()
    optimizer = Adam(model)
    train(model, optimizer, range(STEPS))
    state = optimizer.state_dict()
    numbers = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
    assert numbers == {"steps": STEPS, "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
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
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(entry, value, error, text):
    model = Model()
    optimizer = Adam(model)
    train(model, optimizer, range(STEPS))
    before = optimizer.state_dict()
    state = Adam(Model(), lr=0.5).state_dict()
    state[entry] = value
    if value is None:
        del state[entry]
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert all(np.array_equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize(
    "kind, options, error, text",
    [
        (SGD, {"lr": -0.1}, ValueError, "lr: expected a number in [0, inf), got -0.1"),
        (SGD, {"lr": math.nan}, ValueError, "lr: expected a number in [0, inf), got nan"),
        (Adam, {"lr": math.inf}, ValueError, "lr: expected a number in [0, inf), got inf"),
        (Adam, {"lr": "fast"}, TypeError, "lr: expected a number, got str"),
        (SGD, {"momentum": 1.0}, ValueError, "momentum: expected a number in [0, 1), got 1.0"),
        (SGD, {"momentum": -0.5}, ValueError, "momentum: expected a number in [0, 1), got -0.5"),
        (Adam, {"betas": (1.0, 0.9)}, ValueError, "beta1: expected a number in [0, 1), got 1.0"),
        (Adam, {"betas": (0.9, -1)}, ValueError, "beta2: expected a number in [0, 1), got -1"),
        (Adam, {"betas": 0.9}, ValueError, "betas: expected two numbers in [0, 1), got 0.9"),
        (Adam, {"betas": (0.9,)}, ValueError, "betas: expected two numbers in [0, 1), got (0.9,)"),
        (Adam, {"eps": 0}, ValueError, "eps: expected a number in (0, inf), got 0"),
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


def test_a_model_without_parameters():
    model = Model()
    model.params, model.grads = {}, {}
    Adam(model).step()


def test_a_new_rule_is_a_class_with_one_update():
    class RMSprop(Optimizer):
        decay = Hyperparameter(0, 1)
        moments = ("v",)

        def __init__(self, model, lr=1e-2, decay=0.9):
            super().__init__(model, lr)
            self.decay = decay

        def update(self, p, g, scratch, v):
            v *= self.decay
            v += (1 - self.decay) * g**2
            p -= self.lr * g / (np.sqrt(v) + 1e-8)

    model, adam_model = Model(), Model()
    optimizer = RMSprop(model, lr=0.1)
    train(model, optimizer, range(1))
    train(adam_model, Adam(adam_model, lr=0.1 / math.sqrt(0.1), eps=1e-8), range(1))
    for name, p in model.params.items():  # one step: Adam without its bias correction, nearly
        np.testing.assert_allclose(p, adam_model.params[name], rtol=1e-3)
    assert optimizer.state_dict().keys() >= {"lr", "decay", "steps", "v.weight"}


def test_the_base_class_has_no_rule():
    with pytest.raises(NotImplementedError):
        Optimizer(Model(), lr=0.1).step()


@both_dtypes
@pytest.mark.parametrize(
    "kind, options",
    [
        ("SGD", {"lr": 0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9}),
        ("Adam", {}),
        ("Adam", {"lr": 0.1, "betas": (0.5, 0.75), "eps": 1e-2}),
    ],
)
def test_torch_agrees(dtype, kind, options):
    torch = pytest.importorskip("torch")
    model = Model(dtype)
    optimizer = {"SGD": SGD, "Adam": Adam}[kind](model, **options)
    parameters = {name: torch.nn.Parameter(torch.tensor(p)) for name, p in model.params.items()}
    other = getattr(torch.optim, kind)(parameters.values(), **options)
    for t in range(STEPS):
        set_gradients(model, t)
        for name, parameter in parameters.items():
            parameter.grad = torch.tensor(model.grads[name])
        optimizer.step()
        other.step()
    for name, p in model.params.items():
        expected = parameters[name].detach().numpy()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(p, expected, rtol=0, atol=RTOL[dtype] * scale)
