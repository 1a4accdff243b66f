# SPDX-License-Identifier: BSD-3-Clause
"""layer.py: the contract that every layer of the package keeps."""

import copy
import json
import pickle
import types

import numpy as np
import pytest
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
    attention_decoder,
    echo_state,
    language_model,
    mixed_model,
    pooled_model,
    refused,
    snapshot,
    summariser,
    translator,
)

import fastrnn as fr
from fastrnn.nn._layer import Layer

X = np.linspace(-1, 1, 5 * 3 * 3).reshape(5, 3, 3)
TOKENS_2D = np.array([[1, 2, 3], [3, 3, 0], [9, 1, 1], [0, 1, 2], [3, 4, 5]])

# name -> (make(dtype, seed), input, or a tuple of inputs)
LAYERS = {
    "RNN": (lambda **kw: fr.RNN(3, 4, nonlinearity="selu", **kw), X),
    "LSTM": (lambda **kw: fr.LSTM(3, 4, 2, bidirectional=True, **kw), X),
    "LSTM, batch first": (lambda **kw: fr.LSTM(3, 4, bias=False, batch_first=True, **kw), X),
    "GRU": (lambda **kw: fr.GRU(3, 4, 2, **kw), X),
    "GRU, reset before": (lambda **kw: fr.GRU(3, 4, reset_after=False, **kw), X),
    "Linear": (lambda **kw: fr.Linear(3, 4, **kw), X),
    "Linear, no bias": (lambda **kw: fr.Linear(3, 4, bias=False, **kw), X),
    "Embedding": (lambda **kw: fr.Embedding(10, 4, **kw), TOKENS_2D),
    "Embedding, padding": (lambda **kw: fr.Embedding(10, 4, padding_idx=-1, **kw), TOKENS_2D),
    "EchoState": (echo_state, X),
    "Dropout": (lambda **kw: fr.Dropout(0.0, **kw), X),  # without chance: with it, see test_dropout
    "Attention": (lambda **kw: fr.Attention(3, 2, **kw), (X, X[:2, :, :2])),
    "Attention, dot": (lambda **kw: fr.Attention(3, 3, score="dot", **kw), (X, X[:2])),
    "Attention, general": (lambda **kw: fr.Attention(3, 2, score="general", **kw), (X, X[:2, :, :2])),
    "AttentionDecoder": (attention_decoder, (X, X[:2])),
    "AttentionDecoder, fed": (lambda **kw: attention_decoder(input_feeding=True, **kw), (X, X[:2])),
    "LayerNorm": (lambda dtype, seed: fr.LayerNorm(3, dtype=dtype), X),
    "LastStep": (lambda dtype, seed: fr.LastStep(dtype=dtype), X),
    "LastStep, both": (lambda dtype, seed: fr.LastStep(bidirectional=True, dtype=dtype), X[..., :2]),
    "MeanPool": (lambda dtype, seed: fr.MeanPool(batch_first=True, dtype=dtype), X),
    "MaxPool": (lambda dtype, seed: fr.MaxPool(dtype=dtype), X),
    "RepeatVector": (lambda dtype, seed: fr.RepeatVector(4, dtype=dtype), X[0]),
    "Residual": (lambda **kw: fr.Residual(fr.GRU(3, 3, **kw)), X),
    "Residual, no state": (lambda **kw: fr.Residual(fr.Linear(3, 3, **kw)), X),
    "Seq2Seq": (translator, (TOKENS_2D[::-1], TOKENS_2D)),
    "Seq2Seq, fed": (lambda **kw: translator(input_feeding=True, **kw), (TOKENS_2D[:2], TOKENS_2D)),
    "Seq2Seq, no attention": (summariser, (X, TOKENS_2D[:3])),
    "Sequential": (mixed_model, X),
    "Sequential, tokens": (language_model, TOKENS_2D),
    "Sequential, pooled": (pooled_model, X),
    "Sequential, residual": (lambda **kw: fr.Sequential(fr.Residual(fr.Sequential(fr.LSTM(3, 3, **kw)))), X),
}
WITH_PARAMETERS = {name: case for name, case in LAYERS.items() if case[0](dtype=np.float32, seed=0).params}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def case(request):
    """make(dtype=, seed=) of a layer, and an input for it."""
    return request.param


@pytest.fixture
def make(case):
    """Make a layer, float32 and of seed 0 unless said otherwise."""
    return lambda dtype=np.float32, seed=0: case[0](dtype=dtype, seed=seed)


def each(x):
    """The inputs, as a tuple."""
    return x if isinstance(x, tuple) else (x,)


def inputs(case, dtype=np.float32):
    cast = tuple(x.astype(dtype) if x.dtype == np.float64 else x for x in each(case[1]))
    return cast if isinstance(case[1], tuple) else cast[0]


def first(results):
    """y or dx: what comes first, where a state or more comes too."""
    return results[0] if isinstance(results, tuple) else results


def call(layer, x):
    """y of a call."""
    return first(layer(*each(x)))


def step(layer, x):
    """One step of training with an upstream gradient of ones: y and dx."""
    y, *_, tape = layer.forward(*each(x))
    return y, first(layer.backward(tape, np.ones_like(y)))


def memory(layer):
    return [*layer.params.values(), *layer.grads.values()]


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
    given = tuple(x.copy() for x in each(inputs(case)))
    for x in given:
        x.flags.writeable = False
    step(make(), given)
    call(make(), given)
    assert all((x == expected).all() for x, expected in zip(given, each(inputs(case)), strict=True))


def test_a_tape_serves_once_and_only_its_layer(case, make):
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


def test_what_makes_a_layer_cannot_be_exchanged(make):
    """Its mappings and sizes are read-only: packed weights would not follow, and C trusts them."""
    layer = make()
    sizes = [name for name, value in layer.config().items() if type(value) is int]
    for name in ("params", "grads", *sizes):
        before = getattr(layer, name)
        with pytest.raises(AttributeError, match=name):
            setattr(layer, name, before)
        assert getattr(layer, name) is before


# -- state_dict ------------------------------------------------------------------------------------


def test_state_dict_is_a_copy(case, make):
    """Later changes of the layer do not reach it, changes of it do not reach the layer."""
    layer = make()
    state_dict, before = layer.state_dict(), snapshot(layer.stored)
    assert type(state_dict) is dict
    assert_same_arrays(state_dict, before)
    y = call(layer, inputs(case))
    for array in state_dict.values():
        array.fill(np.nan)
    assert_same_bits(call(layer, inputs(case)), y)
    state_dict = layer.state_dict()
    for array in layer.params.values():
        array.fill(np.nan)
    assert_same_arrays(state_dict, before)


def test_load_state_dict_brings_another_layer_to_the_same_bits(case, make):
    """Into the arrays that there are; the dictionary is neither kept nor changed."""
    layer, other = make(), make(seed=7)
    state_dict, arrays = layer.state_dict(), list(other.params.values())
    other.load_state_dict(state_dict)
    assert_same_arrays(other.stored, layer.stored)
    assert_same_bits(call(other, inputs(case)), call(layer, inputs(case)))
    assert all(a is b for a, b in zip(other.params.values(), arrays, strict=True))
    assert not any(np.shares_memory(a, b) for a in arrays for b in state_dict.values())


def test_load_state_dict_takes_any_mapping(make):
    """Another layer's params, a read-only view, names in another order, nested lists."""
    layer = make()
    for given in (
        layer.stored,
        types.MappingProxyType(layer.state_dict()),
        dict(reversed(layer.state_dict().items())),
        {name: array.tolist() for name, array in layer.stored.items()},
    ):
        other = make(seed=7)
        other.load_state_dict(given)
        assert_same_arrays(other.stored, layer.stored)


@pytest.mark.parametrize(("own", "other"), [("float32", "float64"), ("float64", "float32")])
def test_load_state_dict_converts_between_the_floats(case, make, own, other):
    layer, source = make(np.dtype(own)), make(np.dtype(other), seed=7)
    layer.load_state_dict(source.state_dict())
    assert_same_arrays(layer.params, {name: a.astype(own) for name, a in source.params.items()})
    assert call(layer, inputs(case, own)).dtype == own


def with_last(value):
    """A state_dict with the last entry, which is checked last, made from it by `value`."""

    def spoil(state):
        name = list(state)[-1]
        return state | {name: value(state[name])}

    return spoil


# name -> (state_dict of another layer -> wrong one, error, words)
BAD_STATE_DICTS = {
    "missing": (lambda state: dict(list(state.items())[:-1]), ValueError, ["missing"]),
    "unknown": (lambda state: state | {"w": np.ones(1)}, ValueError, ["unknown w"]),
    "unknown number": (lambda state: state | {3: np.ones(1)}, ValueError, ["unknown 3"]),
    "short": (with_last(lambda array: array[:-1]), ValueError, ["expected shape", "got ("]),
    "rank": (with_last(lambda array: array[..., None]), ValueError, ["expected shape", ", 1)"]),
    "scalar": (with_last(lambda array: 1.0), ValueError, ["expected shape", "got ()"]),
    "integers": (with_last(lambda array: np.ones(array.shape, int)), TypeError, ["got int64"]),
    "half": (with_last(lambda array: array.astype(np.float16)), TypeError, ["got float16"]),
    "complex": (with_last(lambda array: array + 0j), TypeError, ["got complex"]),
    "strings": (with_last(lambda array: array.astype(str)), TypeError, ["got <U"]),
    "None": (with_last(lambda array: None), TypeError, ["got None"]),
    "ragged": (with_last(lambda array: [[1.0], [1.0, 2.0]]), TypeError, ["got list"]),
    "no mapping": (lambda state: list(state.items()), TypeError, ["a mapping", "got list"]),
    "nothing": (lambda state: None, TypeError, ["a mapping", "got NoneType"]),
}


@pytest.mark.parametrize("case", WITH_PARAMETERS.values(), ids=WITH_PARAMETERS)
@pytest.mark.parametrize("bad", BAD_STATE_DICTS.values(), ids=BAD_STATE_DICTS)
def test_load_state_dict_checks_everything_before_it_writes(case, make, bad):
    """The message names the entry, and not one parameter has changed."""
    spoil, error, words = bad
    layer, state_dict = make(), make(seed=7).state_dict()
    before, last, y = snapshot(layer.params), list(state_dict)[-1], call(layer, inputs(case))
    with pytest.raises(error) as caught:
        layer.load_state_dict(spoil(state_dict))
    message = str(caught.value)
    assert message.startswith(("state_dict:", f"{last}:"))
    for word in words:
        assert word in message
    assert_same_arrays(layer.params, before)
    assert_same_bits(call(layer, inputs(case)), y)


def test_missing_and_unknown_names_are_all_listed():
    linear = fr.Linear(3, 4)
    with refused(ValueError, "Linear.state_dict()", "missing weight, bias", "unknown a, b"):
        linear.load_state_dict({"a": np.ones(1), "b": np.ones(1)})


# -- copies, text and seeds ------------------------------------------------------------------------

COPIES = {
    "copy.deepcopy": copy.deepcopy,
    **{f"pickle {n}": lambda layer, n=n: pickle.loads(pickle.dumps(layer, n)) for n in (2, 5)},
}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_is_equal_and_independent(case, make, duplicate):
    """Same class, config, parameters and results; no memory in common; both train alike."""
    layer, x = make(), inputs(case)
    step(layer, x)
    clone = duplicate(layer)
    assert type(clone) is type(layer)
    assert clone.config() == layer.config()
    assert_same_arrays(clone.params, layer.params)
    assert not any(np.shares_memory(a, b) for a in memory(clone) for b in memory(layer))
    layer.zero_grad()
    clone.zero_grad()
    for a, b in zip(step(clone, x), step(layer, x), strict=True):
        assert a is b is None or (a == b).all()
    assert_same_arrays(clone.grads, layer.grads)
    y = call(layer, x)
    for array in memory(clone):
        array.fill(np.nan)
    assert_same_bits(call(layer, x), y)


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_draws_the_next_dropout_masks(duplicate):
    """It continues where the original stands, and neither takes numbers from the other."""
    make = lambda: fr.GRU(3, 4, 3, dropout=0.5, seed=0)  # noqa: E731
    layer, other, x = make(), make(), inputs((None, X))
    expected = [other.forward(x)[0] for _ in range(3)]
    assert (expected[0] != expected[1]).any()
    assert_same_bits(layer.forward(x)[0], expected[0])
    clone = duplicate(layer)
    for k in (1, 2):
        assert_same_bits(clone.forward(x)[0], expected[k])
    for k in (1, 2):
        assert_same_bits(layer.forward(x)[0], expected[k])


def test_repr_evaluates_to_an_equal_layer(make, dtype):
    layer = make(dtype)
    again = eval(repr(layer), vars(fr))
    assert type(again) is type(layer)
    assert again.config() == layer.config()
    assert repr(again) == repr(layer)
    assert again.dtype == dtype
    assert list(again.params) == list(layer.params)
    for name, array in layer.params.items():
        assert again.params[name].shape == array.shape


def test_config_is_plain_data(make):
    """JSON gives it back as it was."""
    config = make().config()
    assert json.loads(json.dumps(config)) == config


def test_the_same_seed_gives_the_same_parameters_and_another_seed_others(case, make):
    layer, same, other = make(), make(), make(seed=100)
    assert_same_arrays(same.params, layer.params)
    for name in layer.params if type(layer) is not fr.LayerNorm else ():  # its first values are ones and zeros
        assert (layer.params[name] != other.params[name]).any()
    assert_same_bits(call(same, inputs(case)), call(layer, inputs(case)))


@pytest.mark.parametrize("kind", [fr.RNN, fr.LSTM, fr.GRU, fr.Linear, fr.Embedding])
def test_without_a_seed_every_layer_is_another(kind):
    layer, other = kind(3, 4), kind(3, 4)
    for name in layer.params:
        assert (layer.params[name] != other.params[name]).any()


@pytest.mark.parametrize("kind", [fr.RNN, fr.LSTM, fr.GRU])
def test_the_same_seed_gives_the_same_dropout_masks_and_another_seed_others(kind):
    """Whatever the parameters are; inference draws nothing and drops nothing."""
    layers = [kind(3, 64, 2, dropout=0.5, seed=seed) for seed in (0, 0, 1)]
    plain = kind(3, 64, 2, seed=0)
    for layer in layers:
        layer.load_state_dict(plain.state_dict())
    x = inputs((None, X))
    for layer in layers:
        assert_same_bits(layer(x)[0], plain(x)[0])
    first = [layer.forward(x)[0] for layer in layers]
    second = [layer.forward(x)[0] for layer in layers]
    for a, b, c in (first, second):
        assert_same_bits(a, b)
        assert (a != c).any() and (a != plain(x)[0]).any()
    assert (first[0] != second[0]).any()


@pytest.mark.parametrize("option", ["bias", "batch_first", "bidirectional"])
@pytest.mark.parametrize("value", ["no", 2, None, 1.0], ids=repr)
def test_options_are_true_or_false(option, value):
    with refused(TypeError, f"{option}: expected True or False, got {value!r}"):
        fr.LSTM(3, 4, **{option: value})


def test_masked_values_are_refused():
    """NumPy would read what lies under the mask."""
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
    """The names and arrays are those of the mapping, and packed copies follow what was given out on the way."""
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
