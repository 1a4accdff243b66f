# SPDX-License-Identifier: BSD-3-Clause
"""The contract that every layer of the package keeps."""

import copy

import numpy as np
import pytest
from support.every_layer import LAYERS, call, each, first, inputs, memory, step
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
    refused,
    snapshot,
)

import fastrnn as fr
from fastrnn.nn._layer import Layer


def test_every_public_layer_is_tested_here():
    classes = {item for item in vars(fr).values() if isinstance(item, type)}
    tested = {type(make(dtype=np.float32, seed=0)) for make, _ in LAYERS.values()}
    assert tested == {item for item in classes if issubclass(item, Layer)}


def test_params_and_grads_have_the_same_names_and_shapes(make, dtype):
    """All of the layer's dtype; gradients are zero at first; no two arrays share memory."""
    layer = make(dtype)
    assert list(layer.params) == list(layer.grads) and layer.dtype == dtype
    for name, array in layer.params.items():
        assert array.shape == layer.grads[name].shape
        assert array.dtype == layer.grads[name].dtype == layer.dtype == dtype
        assert array.flags.c_contiguous and array.flags.writeable
        assert array.any() or (type(layer), name) == (fr.LayerNorm, "bias")
        assert not layer.grads[name].any()
    arrays = memory(layer)
    assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])


def test_forward_gives_the_y_of_a_call(case, make, dtype):
    layer, x = make(dtype), inputs(case, dtype)
    y = call(layer, x)
    assert type(y) is np.ndarray and y.dtype == dtype
    assert_same_bits(step(layer, x)[0], y)


def test_backward_adds(case, make, dtype):
    """The same step twice gives twice the gradients, exactly."""
    layer, x = make(dtype), inputs(case, dtype)
    _, dx = step(layer, x)
    once = snapshot(layer.grads)
    assert all(grad.any() for grad in once.values())
    _, dx_again = step(layer, x)
    assert_same_arrays(layer.grads, {name: 2 * grad for name, grad in once.items()})
    assert dx is dx_again is None or (dx == dx_again).all()


def test_backward_is_for_one_thread_at_a_time(case, make):
    """A call while another one runs is refused, adds nothing, and leaves its tape as it is."""
    layer, x = make(), inputs(case)
    y, *_, tape = layer.forward(*each(x))
    with layer._in_backward, pytest.raises(RuntimeError, match="backward: expected one call at a time"):
        layer.backward(tape, np.ones_like(y))
    assert not any(grad.any() for grad in layer.grads.values())
    layer.backward(tape, np.ones_like(y))
    assert all(grad.any() for grad in layer.grads.values())


def test_gradients_are_those_of_the_parameters_of_the_forward_pass(case, make, dtype):
    """Parameters that change between forward and backward change no gradient: not by a bit."""
    layer, x = make(dtype), inputs(case, dtype)
    _, dx = step(layer, x)
    expected = snapshot(layer.grads)
    layer.zero_grad()
    y, *_, tape = layer.forward(*each(x))
    for _, array in layer.params.items():
        array += 1
    dx_after = first(layer.backward(tape, np.ones_like(y)))
    assert_same_arrays(layer.grads, expected)
    assert dx is dx_after is None or (dx == dx_after).all()


def test_zero_grad_sets_every_gradient_to_zero_in_place(case, make):
    layer, x = make(), inputs(case)
    step(layer, x)
    once, arrays = snapshot(layer.grads), list(layer.grads.values())
    layer.zero_grad()
    assert all(a is b for a, b in zip(layer.grads.values(), arrays, strict=True))
    assert not any(array.any() for array in arrays)
    step(layer, x)
    assert_same_arrays(layer.grads, once)


def test_the_input_is_not_written_to(case, make):
    provided = tuple(x.copy() for x in each(inputs(case)))
    for x in provided:
        x.flags.writeable = False
    step(make(), provided)
    call(make(), provided)
    assert all((x == expected).all() for x, expected in zip(provided, each(inputs(case)), strict=True))


def test_a_tape_is_used_once_and_only_by_its_layer(case, make):
    layer, other = make(), make()
    y, *_, tape = layer.forward(*each(inputs(case)))
    with refused(ValueError, "tape", "another"):
        other.backward(tape, np.ones_like(y))
    with refused(TypeError, "tape", f"{type(layer).__name__}.forward"):
        layer.backward(None, np.ones_like(y))
    layer.backward(tape, np.ones_like(y))
    grads = snapshot(layer.grads)
    with refused(ValueError, "tape", "a tape can be used once"):
        layer.backward(tape, np.ones_like(y))
    assert_same_arrays(layer.grads, grads)
    assert not any(grad.any() for grad in other.grads.values())


def test_the_configuration_of_a_layer_is_read_only(make):
    """Its mappings and sizes are read-only: packed weights would not follow, and C trusts them."""
    layer = make()
    sizes = [name for name, value in layer.config().items() if type(value) is int]
    for name in ("params", "grads", *sizes):
        before = getattr(layer, name)
        with pytest.raises(AttributeError, match=name):
            setattr(layer, name, before)
        assert getattr(layer, name) is before


@pytest.mark.parametrize("option", ["bias", "batch_first", "bidirectional"])
@pytest.mark.parametrize("value", ["no", 2, None, 1.0], ids=repr)
def test_options_are_true_or_false(option, value):
    with refused(TypeError, f"{option}: expected True or False, got {value!r}"):
        fr.LSTM(3, 4, **{option: value})


def test_masked_values_are_refused():
    """NumPy would read the values under the mask."""
    x = np.ma.masked_array(np.ones((2, 1, 3), np.float32), mask=False)
    fr.RNN(3, 4)(x)
    x[0, 0, 0] = np.ma.masked
    with refused(TypeError, "x: expected float32, got one with masked values"):
        fr.RNN(3, 4)(x)


@pytest.mark.parametrize("make", [lambda: fr.GRU(3, 4, 2, seed=0), lambda: fr.Linear(3, 4, seed=0)])
def test_read_only_arrays_are_refused_before_anything_is_written(make):
    layer, x = make(), np.ones((2, 1, 3), np.float32)
    name = list(layer.params)[-1]
    result = layer.forward(x)
    layer.grads[name].flags.writeable = False
    with refused(ValueError, f"grads['{name}']", "read-only"):
        layer.backward(result[-1], np.ones_like(result[0]))
    assert not any(grad.any() for grad in layer.grads.values())
    layer.grads[name].flags.writeable = True
    layer.backward(result[-1], np.ones_like(result[0]))  # the tape has not been used
    before = layer.state_dict()
    layer.params[name].flags.writeable = False
    with refused(ValueError, name, "read-only"):
        layer.load_state_dict({key: value + 1 for key, value in before.items()})
    assert_same_arrays(layer.params, before)


@pytest.mark.parametrize("make", [lambda: fr.LSTM(3, 4, seed=0), lambda: fr.Sequential(fr.LSTM(3, 4, seed=0))])
def test_parameters_written_while_going_over_them_are_used(make, rng):
    """Packed copies follow every array that an iteration has accessed."""
    layer, x = make(), rng.standard_normal((5, 2, 3)).astype(np.float32)
    assert list(layer.params.items()) == [(name, layer.params[name]) for name in layer.params]
    assert len(layer.params.items()) == len(layer.params)
    going = iter(layer.params.items())
    next(going)
    before, _ = layer(x)  # now they are packed
    for _, p in going:
        p[...] = 0
    del p
    after, _ = layer(x)
    assert (after != before).any()
    np.testing.assert_array_equal(after, copy.deepcopy(layer)(x)[0])
