# SPDX-License-Identifier: BSD-3-Clause
"""A parameter with two names: what walks over all parameters acts on it once."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from support.layers import assert_same_bits
from support.optimizers import CASES, RTOL, RTOL_NORM, STEPS
from support.ties import TIED, accumulate, learn, nested, twice
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn.optim import SGD, Adam, add_penalty, clip_grad_norm, clip_grad_value

each = pytest.mark.parametrize("make", TIED.values(), ids=TIED)


def one_array_each(model):
    """A model of the same arrays, each under one name."""
    params, grads = model.params, model.grads
    return SimpleNamespace(
        params={name: p.copy() for name, p in params.items()}, grads={name: g.copy() for name, g in grads.items()}
    )


@each
def test_a_step_of_sgd_is_lr_times_the_gradient(make):
    model = make()
    accumulate(model)
    before = one_array_each(model)
    SGD(model, lr=0.25).step()
    for name, p in model.params.items():
        np.testing.assert_allclose(p, before.params[name] - 0.25 * before.grads[name], rtol=RTOL[np.float64])
        assert before.grads[name].any()


@pytest.mark.parametrize("case", CASES)
def test_every_optimizer_updates_it_as_a_parameter_with_one_name(case):
    kind, options = CASES[case]
    model = nested()
    accumulate(model)
    single = one_array_each(model)
    tied, plain = kind(model, **options), kind(single, **options)
    for _ in range(STEPS):
        tied.step()
        plain.step()
    assert tied.state.keys() == plain.state.keys() == single.params.keys()
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, single.params[name])


def as_torch(torch):
    """`nested` of support.ties, by PyTorch: (module, function of x)."""
    gru, linear = torch.nn.GRU(3, 3), torch.nn.Linear(3, 2)
    module = torch.nn.Sequential(torch.nn.Sequential(gru), gru, linear).double()
    return module, lambda x: linear(gru(gru(x)[0])[0])


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_torch_trains_shared_modules_alike(name):
    """With clipping by the norm and decay, from its state_dict, which has all names."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module, forward = as_torch(torch)
    options = {"lr": 0.05, "weight_decay": 0.1}
    theirs = getattr(torch.optim, name)(module.parameters(), **options)
    model = nested()
    model.load_state_dict({name: p.numpy() for name, p in module.state_dict().items()})
    optimizer = getattr(fr, name)(model, **options)
    assert list(model.params) == [name for name, _ in module.named_parameters()]
    assert list(model.state_dict()) == list(module.state_dict())
    for t in range(STEPS):
        y = accumulate(model, t)
        x = torch.tensor(np.random.default_rng(t).standard_normal((5, 2, 3)))
        theirs.zero_grad()
        (forward(x) ** 2 / 2).sum().backward()
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        assert_close(forward(x).detach(), y, np.float64, terms=6, steps=10)
        assert clip_grad_norm(model, 0.5) == pytest.approx(norm.item(), rel=1e-12)
        theirs.step()
        optimizer.step()
        for key, p in module.named_parameters():
            assert_close(model.params[key], p.detach(), np.float64, backward=True, terms=64, steps=20, what=key)


@each
def test_norms_and_clipping(make):
    """The norm of the elements that there are; factors act once."""
    model = make()
    accumulate(model)
    before = one_array_each(model).grads
    elements = np.concatenate([g.ravel() for g in before.values()])
    norm = math.sqrt(math.fsum(elements * elements))
    assert clip_grad_norm(model, math.inf) == pytest.approx(norm, rel=RTOL_NORM)
    for each in (False, True):
        assert clip_grad_norm(model, norm / 4, each=each) == pytest.approx(norm if not each else norm / 4, rel=1e-5)
    for name, grad in model.grads.items():
        scale = min(1.0, 0.25 * norm / (0.25 * np.linalg.norm(before[name]) + 1e-6)) * 0.25
        np.testing.assert_allclose(grad, scale * before[name], rtol=1e-5)
    largest = max(np.abs(g).max() for g in model.grads.values())
    assert clip_grad_value(model, largest / 2) == largest
    assert max(np.abs(g).max() for g in model.grads.values()) == largest / 2


@pytest.mark.parametrize("names", ["*weight_hh*", "0.weight_hh*", "1.weight_hh*"])
def test_a_penalty_is_added_once_whichever_name_matches(names):
    model = twice()
    w = model.params["1.weight_hh_l0"].copy()
    value = add_penalty(model, l1=0.5, l2=0.25, names=names)
    assert value == pytest.approx(0.5 * np.abs(w).sum() + 0.125 * np.square(w).sum(), rel=RTOL_NORM)
    np.testing.assert_allclose(model.grads["0.weight_hh_l0"], 0.5 * np.sign(w) + 0.25 * w, rtol=RTOL[np.float64])
    assert sum(grad.any() for grad in model.grads.values()) == 1


def test_a_group_takes_a_parameter_by_any_of_its_names():
    """The first pattern counts that matches one of them."""
    adam = Adam(twice(), lr=0.1, groups={"1.bias*": {"lr": 0.2}, "0.*": {"eps": 0.5}})
    for name in ("0.bias_hh_l0", "1.bias_hh_l0"):
        assert adam.hyperparameters(name)["lr"] == 0.2 and adam.hyperparameters(name)["eps"] == 1e-8
    assert adam.hyperparameters("1.weight_hh_l0")["eps"] == 0.5
    with pytest.raises(ValueError, match=re.escape("got only those of '1.bias*'")):
        Adam(twice(), groups={"1.bias*": {"eps": 0.5}, "0.bias*": {"eps": 0.25}})
    with pytest.raises(ValueError, match="expected one of 0.weight_ih_l0, .*, 1.bias_hh_l0, got 'w'"):
        adam.hyperparameters("w")


def with_two_names(state, first="0.", second="1."):
    """A state_dict of an optimizer as earlier versions wrote it, which went by the names."""
    return state | {name.replace(first, second): value for name, value in state.items() if first in name}


def test_a_state_with_an_entry_for_each_name():
    """It is loaded if it says one thing; nothing is changed if not."""
    groups = {"1.bias*": {"lr": 0.2}}
    model = twice()
    adam = Adam(model, lr=0.1, groups=groups)
    learn(model, adam)
    state = adam.state_dict()
    assert "m.0.bias_hh_l0" in state and "lr.0.bias_hh_l0" in state and not any(".1." in name for name in state)
    other = Adam(twice(), lr=0.1, groups=groups)
    other.load_state_dict(with_two_names(state))
    assert other.steps == 3 and (other.state["0.bias_hh_l0"]["m"] == state["m.0.bias_hh_l0"]).all()

    third, bad = Adam(twice(), lr=0.1, groups=groups), with_two_names(state)
    bad["v.1.weight_hh_l0"] = bad["v.1.weight_hh_l0"] + 1
    text = "v.1.weight_hh_l0: expected the values of v.0.weight_hh_l0, which is of the same parameter, got others"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        third.load_state_dict(bad)
    assert third.steps == 0 and not third.state["0.bias_hh_l0"]["m"].any()
    with pytest.raises(ValueError, match="^m.2.bias_hh_l0: expected no entry of this name, got one$"):
        third.load_state_dict(state | {"m.2.bias_hh_l0": state["m.0.bias_hh_l0"]})


def test_any_object_may_have_an_array_under_two_names():
    p, g = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    model = SimpleNamespace(params={"a": p, "b": p}, grads={"a": g, "b": g})
    sgd = SGD(model, lr=0.5, groups={"b": {"momentum": 0.25}})
    assert clip_grad_norm(model, math.inf) == 5.0
    assert add_penalty(model, l2=2.0, names="b") == 5.0 and g.tolist() == [5, 8]
    sgd.step()
    assert p.tolist() == [-1.5, -2.0] and list(sgd.state) == ["a"] and sgd.hyperparameters("a")["momentum"] == 0.25
    model.grads["b"] = g.copy()
    text = "grads['b']: expected that of 'a', the same parameter, got another array"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        SGD(model)


def test_several_models_may_share_a_layer():
    """What acts on both acts once on what they share, as in one model of both."""
    own = {"dtype": np.float64}

    def trained(join):
        shared = fr.Linear(3, 3, **own, seed=0)
        parts = fr.Sequential(shared, fr.RNN(3, 3, **own, seed=1)), fr.Sequential(shared, fr.LayerNorm(3, **own))
        target, model = join(*parts)
        for part in parts:
            for k, grad in enumerate(part.grads.values()):
                grad += k + 1
        numbers = [add_penalty(target, l2=2.0, names="*1.*"), clip_grad_norm(target, 1.0), clip_grad_value(target, 0.1)]
        adam = Adam(target, lr=0.1, groups={"?.0.bias": {"lr": 0.2}, "[b1].0.*": {"lr": 0.3}})
        adam.step()
        lrs = [adam.hyperparameters(name)["lr"] for name in model.params.first_names()]
        return numbers, lrs, [*adam.state], [p.copy() for p in model.params.values()]

    numbers, lrs, names, arrays = trained(lambda a, b: ([a, b], fr.optim.JoinedModels([a, b])))
    expected = trained(lambda a, b: [fr.Sequential(a, b)] * 2)
    assert (numbers, lrs, names) == expected[:3]
    for ours, theirs in zip(arrays, expected[3], strict=True):
        assert_same_bits(ours, theirs)
    assert names[:2] == ["0.0.weight", "0.0.bias"] and "1.0.bias" not in names
    assert math.isclose(lrs[0], 0.3) and math.isclose(lrs[1], 0.2)
