# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints of a model in which one layer is in several places."""

import numpy as np
import pytest
from support.checkpoints import assert_same
from support.layers import refused
from support.ties import TIED, learn, nested, residual, twice, untied

import fastrnn as fr
from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint


def everything(model, optimizer):
    return model.state_dict() | {f"optimizer.{name}": value for name, value in optimizer.state_dict().items()}


@pytest.mark.parametrize("make", TIED.values(), ids=TIED)
def test_a_training_resumes_to_the_same_bits(make, path):
    model = make()
    adam = fr.Adam(model, lr=0.01)
    learn(model, adam)
    fr.save_checkpoint(path, model, adam, epoch=3)
    other = make(seed=5)
    resumed = fr.Adam(other, lr=0.01)
    assert fr.load_checkpoint(path, other, resumed) == {"epoch": 3}
    assert_same(everything(other, resumed), everything(model, adam))
    learn(model, adam, seed=9)
    learn(other, resumed, seed=9)
    assert_same(everything(other, resumed), everything(model, adam))


def test_each_array_is_stored_once(path):
    model = nested()
    fr.save_checkpoint(path, model, fr.Adam(model))
    content = read_checkpoint(path)
    assert list(content["model"]) == list(model.params)
    moments = {name for name in content["optimizer"]["state"] if name.startswith("m.")}
    assert moments == {f"m.{name}" for name in model.params}


def earlier(path, model, optimizer, change=lambda state: state):
    """A checkpoint as earlier versions wrote it: a layer in each place, and everything under each name."""
    fr.save_checkpoint(path, untied(model))
    first, state = model.params.first_names(), optimizer.state_dict()
    kinds = {name.partition(".")[0] for name in state if "." in name}
    state |= {f"{kind}.{name}": state[f"{kind}.{first[name]}"] for kind in kinds for name in first}
    content = read_checkpoint(path)
    content["optimizer"] = {"type": type(optimizer).__name__, "state": change(state)}
    write_checkpoint(path, content | {"training": {"epoch": 3}})


@pytest.mark.parametrize("make", [twice, nested, residual])
def test_a_checkpoint_of_an_earlier_version(make, path):
    model = make()
    adam = fr.Adam(model, lr=0.01)
    learn(model, adam)
    earlier(path, model, adam)
    other = make(seed=5)
    resumed = fr.Adam(other, lr=0.01)
    assert fr.load_checkpoint(path, other, resumed) == {"epoch": 3}
    assert_same(everything(other, resumed), everything(model, adam))


def test_moments_that_an_earlier_version_let_differ(path):
    """With decay in the gradient the second update of a step was another one. Nothing is changed."""
    model = twice()
    adam = fr.Adam(model)
    learn(model, adam)
    earlier(path, model, adam, lambda state: state | {"m.1.bias_hh_l0": state["m.0.bias_hh_l0"] + 1})
    before = everything(model, adam)
    with refused(ValueError, str(path), "m.1.bias_hh_l0: expected the values of m.0.bias_hh_l0"):
        fr.load_checkpoint(path, model, adam)
    assert_same(everything(model, adam), before)
    other = twice(seed=5)
    fr.load_checkpoint(path, other)  # the parameters can be had without the moments
    assert_same(other.state_dict(), model.state_dict())


def test_another_tie_is_another_architecture(path):
    fr.save_checkpoint(path, twice())
    words = "model.layers.1 is the layer at 'layers.0' in the checkpoint, RNN in the model"
    with refused(ValueError, "expected the architecture of the checkpoint, got another", words):
        fr.load_checkpoint(path, untied(twice()))
    layer, other = fr.Linear(3, 3), fr.Linear(3, 3)
    fr.save_checkpoint(path, fr.Sequential(layer, other, layer))
    words = "model.layers.2 is the layer at 'layers.0' in the checkpoint, the layer at 'layers.1' in the model"
    with refused(ValueError, words):
        fr.load_checkpoint(path, fr.Sequential(layer, other, other))


def test_different_layers_do_not_become_one(path):
    """A model in which each place has a layer with values of its own."""
    other = untied(twice())
    other.params["1.bias_hh_l0"] = np.ones(3)
    fr.save_checkpoint(path, other)
    model = twice(seed=5)
    before = model.state_dict()
    with refused(ValueError, "1.bias_hh_l0: expected the values of 0.bias_hh_l0, which is the same array, got others"):
        fr.load_checkpoint(path, model)
    assert_same(model.state_dict(), before)


def test_fit_resumes_and_restores(path):
    """Four epochs in a row, and two and two; the best epoch comes back through the same names."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 12, 3)), rng.standard_normal((6, 12, 3))
    options = {"batch_size": 4, "seed": 0, "progress": False, "clip": 0.5, "penalty": {"l2": 0.1}}
    options |= {"validation": (x, y), "restore_best": True}

    def train(epochs, **more):
        model = twice()
        return model, fr.fit(
            model, fr.mse_loss, x, y, optimizer=fr.Adam(model, lr=0.05), epochs=epochs, **options, **more
        )

    whole, history = train(4)
    train(2, checkpoint=path)
    resumed, again = train(4, checkpoint=path, resume=True)
    assert_same(resumed.state_dict(), whole.state_dict())
    assert again["grad_norm"] == history["grad_norm"] and again["penalty"] == history["penalty"]
