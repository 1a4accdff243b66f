# SPDX-License-Identifier: BSD-3-Clause
"""The state of an optimizer, from which a training resumes to the same bits."""

import copy
import pickle
import re

import numpy as np
import pytest
from support.optimizers import CASES, STEPS, Model, assert_same_bits, both_dtypes, train

from fastrnn._engine.arguments import PROBABILITY
from fastrnn.optim import SGD, Adam, Number
from fastrnn.optim._state import check_names, scalar

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


def test_a_state_of_before_an_option_existed_is_loaded():
    class Newer(Adam):
        omitted: Number = Number("A number that older files lack.", PROBABILITY, default=0.5, omit=True)

    newer = Newer(Model(), omitted=0.25)
    newer.load_state_dict(Adam(Model(), lr=0.125).state_dict())
    assert (newer.lr, newer.omitted) == (0.125, 0.5)


def test_state_dict_holds_plain_numbers_and_copies():
    model = Model()
    optimizer = Adam(model, groups={"bias": {"lr": 5e-4, "eps": 0.5}})
    train(model, optimizer, range(STEPS))
    state = optimizer.state_dict()
    numbers = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
    own = {"lr.bias": 0.5, "eps.bias": 0.5}
    shared = {
        "lr": 1e-3,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 0.0,
    }  # no amsgrad, as in older files
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
        ("lr", -1.0, ValueError, "lr: expected a finite number of at least 0, got -1.0"),
        ("lr", [0.1, 0.2], ValueError, "lr: expected a number, got shape (2,)"),
        ("beta2", "high", TypeError, "beta2: expected a probability in [0, 1), got 'high'"),
        ("steps", -1, ValueError, "steps: expected at least 0, got -1"),
        ("steps", 1.5, TypeError, "steps: expected an integer, got 1.5"),
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


def test_names_of_a_state():
    check_names({"a": 1, "b": 2}, ["b", "a"])
    with pytest.raises(ValueError, match="^b: expected an entry of this name, got none$"):
        check_names({"a": 1}, ["a", "b"])
    with pytest.raises(ValueError, match="^b: expected no entry of this name, got one$"):
        check_names({"a": 1, "b": 2}, ["a"])


@pytest.mark.parametrize("value", [1, 0.5, True])
def test_scalar_gives_back_what_a_file_made_an_array(value):
    assert scalar("x", {"x": np.asarray(value)}) == value
    assert type(scalar("x", {"x": np.asarray(value)})) is type(value)
