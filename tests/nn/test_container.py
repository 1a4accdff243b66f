# SPDX-License-Identifier: BSD-3-Clause
"""Layers made of layers: their errors, their tapes, and their parameters under one mapping."""

import numpy as np
import pytest
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
    language_model,
    mixed_model,
    refused,
)

import fastrnn as fr
from fastrnn.nn._recurrent.step_values import step_values as steps


def test_names_of_parameters_are_pytorchs():
    """The position, a dot, the name; nested ones again so, as in torch.nn.Sequential."""
    recurrent = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    model = language_model()
    expected = ["0.weight", *(f"1.{name}" for name in recurrent), "2.weight", "2.bias"]
    assert list(model.params) == list(model.grads) == list(model.state_dict()) == expected
    assert len(model.params) == len(expected)
    assert model.params["1.weight_hh_l0"] is model.layers[1].params["weight_hh_l0"]
    assert model.grads["2.bias"] is model.layers[2].grads["bias"]
    names = list(mixed_model().params)
    assert [name for name in names if name.startswith("2.")] == [
        *(f"2.0.{name}" for name in recurrent),
        "2.1.weight",
    ]


UNKNOWN = ["9.weight", "weight", "0.bias", "0.", "", "00.weight", "-1.weight", 3]


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("mapping", ["params", "grads"])
def test_an_unknown_name_in_a_sequential_is_refused_with_a_list_of_the_names(mapping, name):
    arrays = getattr(language_model(), mapping)
    with pytest.raises(KeyError) as caught:
        arrays[name]
    assert repr(name) in str(caught.value) and "0.weight, 1.weight_ih_l0" in str(caught.value)
    with pytest.raises(KeyError):
        arrays[name] = np.ones(3, np.float32)
    assert name not in arrays
    assert arrays.get(name) is None


@pytest.mark.parametrize("mapping", ["params", "grads"])
def test_arrays_of_a_sequential_are_written_in_place_and_only_in_their_shape(mapping):
    model = language_model()
    arrays = getattr(model, mapping)
    own = arrays["2.bias"]
    arrays["2.bias"] = np.arange(10.0)
    assert arrays["2.bias"] is own and (own == np.arange(10)).all()
    with refused(ValueError, "2.bias: expected shape (10,), got (3,)"):
        arrays["2.bias"] = np.ones(3, np.float32)
    with refused(TypeError, "2.bias", "cannot be deleted"):
        del arrays["2.bias"]


def backward(model, x, dstate):
    y, _, tape = model.forward(x)
    return model.backward(tape, np.ones_like(y), dstate)


@pytest.mark.parametrize(
    ("run", "error", "words", "position"),
    [
        (lambda m, x: m(x.astype(np.float64)), TypeError, ["x: expected float32"], "layer 0"),
        (lambda m, x: m(x[..., :2]), ValueError, ["x: expected (..., 3)"], "layer 0"),
        (lambda m, x: m.forward(x, None, [1, 9, 1]), ValueError, ["lengths: expected"], "layer 1"),
        (lambda m, x: m(x, (None, (1, 2), None)), TypeError, ["state"], "layer 2"),
        (lambda m, x: m(x, (None, None, np.ones(3))), TypeError, ["state"], "layer 3"),
        (lambda m, x: backward(m, x, (None, None, np.ones(3))), TypeError, ["dstate"], "layer 3"),
    ],
)
def test_an_error_says_in_which_layer_it_happened(run, error, words, position):
    """A note with the position and the layer, one for each nesting."""
    model = mixed_model()
    with refused(error, *words) as caught:
        run(model, np.ones((5, 3, 3), np.float32))
    notes = caught.value.__notes__
    assert f"in {position} of Sequential: {model.layers[int(position[-1])]!r}" in notes


def test_an_error_in_a_nested_sequential_has_a_note_for_each_level():
    model = fr.Sequential(fr.Linear(3, 4), fr.Sequential(fr.Linear(4, 5), fr.LastStep(bidirectional=True)))
    with refused(ValueError, "x: expected an even number of features", "got 5") as caught:
        model(np.ones((6, 2, 3), np.float32))
    inner, outer = caught.value.__notes__
    assert inner.startswith("in layer 1 of Sequential: LastStep(")
    assert outer.startswith("in layer 1 of Sequential: Sequential(")


BAD_UPSTREAM = {
    "dy": lambda y: (y[1:], None),
    "dstate, last layer": lambda y: (y, (None, None, np.ones((1, 3, 9), np.float32))),
    "dstate, nested": lambda y: (y, (None, (np.ones((1, 3, 9), np.float32),), None)),
    "dstate, first layer": lambda y: (y, ((y, y), None, None)),
}


@pytest.mark.parametrize("upstream", BAD_UPSTREAM.values(), ids=BAD_UPSTREAM)
def test_after_a_refused_gradient_the_tape_of_a_sequential_still_works(upstream, rng):
    """Whichever layer refuses it: nothing was added anywhere, and the next backward is whole."""
    model, other = mixed_model(), mixed_model()
    x = rng.standard_normal((5, 3, 3)).astype(np.float32)
    y, _, tape = model.forward(x)
    with pytest.raises((TypeError, ValueError), match="dy|dstate"):
        model.backward(tape, *upstream(np.ones_like(y)))
    assert not any(grad.any() for grad in model.grads.values())
    dx, _ = model.backward(tape, np.ones_like(y))
    assert_same_bits(dx, other.backward(other.forward(x)[2], np.ones_like(y))[0])
    assert_same_arrays(model.grads, other.grads)


def test_child_tapes_name_the_layers():
    """The names are the prefixes in params; a Residual adds none. Each tape is its layer's own."""
    model = fr.Sequential(fr.Residual(fr.GRU(3, 3, seed=0)), fr.Linear(3, 2, seed=1))
    x = np.ones((5, 2, 3), np.float32)
    *_, tape = model.forward(x)
    (name, residual, its_tape), (other, linear, _) = model.child_tapes(tape)
    assert (name, residual, other, linear) == ("0", model.layers[0], "1", model.layers[1])
    ((inner, gru, gru_tape),) = residual.child_tapes(its_tape)
    assert inner == "" and gru is residual.layer
    assert_same_bits(steps(gru, gru_tape)["h"][0, 0], gru(x)[0])
    assert gru.child_tapes(gru_tape) == []
    model.backward(tape, np.ones((5, 2, 2), np.float32))
    with refused(ValueError, "tape: it has been used"):
        model.child_tapes(tape)
