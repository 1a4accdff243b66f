# SPDX-License-Identifier: BSD-3-Clause
"""Residual. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
    assert_slopes,
    flat,
    refused,
    snapshot,
)
from support.tolerance import assert_close

import fastrnn as fr


def inner_layers(**own):
    """Layers that keep the shape (5, 3, 4), in either layout."""
    return {
        "linear": fr.Linear(4, 4, seed=0, **own),
        "dropout": fr.Dropout(0, **own),
        "norm": fr.LayerNorm(4, **own),
        "gru": fr.GRU(4, 2, bidirectional=True, seed=0, **own),
        "lstm": fr.LSTM(4, 4, 2, seed=0, **own),
        "sequential": fr.Sequential(fr.LSTM(4, 2, seed=0, **own), fr.Linear(2, 4, seed=1, **own)),
        "residual": fr.Residual(fr.Sequential(fr.Linear(4, 4, seed=0, **own), fr.RNN(4, 4, seed=1, **own))),
        "no time": fr.Sequential(fr.Linear(4, 4, seed=0, **own), fr.LayerNorm(4, **own)),
        "repeated": fr.Sequential(fr.GRU(4, 4, seed=0, **own), fr.MaxPool(**own), fr.RepeatVector(5, **own)),
    }


@pytest.fixture(params=inner_layers())
def inner(request):
    """Make a layer that keeps the shape (5, 3, 4)."""
    return lambda **own: inner_layers(**own)[request.param]


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def assert_same_results(actual, expected):
    for a, b in zip(flat(actual), flat(expected), strict=True):
        assert_same_bits(a, b)


def test_a_residual_adds_x(inner, dtype, rng):
    """y, dx, states and gradients are those of the layer, plus x and dy."""
    layer, other = inner(dtype=dtype), inner(dtype=dtype)
    residual = fr.Residual(layer)
    x, dy = rng.standard_normal((2, 5, 3, 4)).astype(dtype)
    y, *state, tape = residual.forward(x)
    expected, *expected_state, expected_tape = other.forward(x)
    assert_same_bits(y, x + expected)
    assert_same_results(tuple(state), tuple(expected_state))
    assert_same_results(residual(x), (y, *state) if state else y)
    dx, *dstate = as_tuple(residual.backward(tape, dy))
    expected, *expected_dstate = as_tuple(other.backward(expected_tape, dy))
    assert_same_bits(dx, expected + dy)
    assert_same_results(tuple(dstate), tuple(expected_dstate))
    assert_same_arrays(residual.grads, other.grads)
    assert list(residual.params) == list(layer.params) and residual.stateful == layer.stateful
    assert all(residual.params[name] is layer.params[name] for name in layer.params)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", ["gru", "sequential", "residual"])
def test_a_residual_of_a_layer_with_lengths_is_0_beyond_them(kind, batch_first, rng):
    """Whatever x and dy hold there; a row has the bits of the row alone, and the gradients of the sum of the rows."""
    make = lambda: fr.Residual(  # noqa: E731
        {
            "gru": lambda: fr.GRU(4, 4, batch_first=batch_first, seed=0),
            "sequential": lambda: fr.Sequential(
                fr.Dropout(0), fr.GRU(4, 4, batch_first=batch_first, seed=0), fr.Linear(4, 4, seed=1)
            ),
            "residual": lambda: fr.Residual(fr.GRU(4, 4, batch_first=batch_first, seed=0)),
        }[kind]()
    )
    residual, lengths = make(), [2, 0, 5]
    x, dy = rng.standard_normal((2, 5, 3, 4)).astype(np.float32)
    for n, end in enumerate(lengths):
        x[end:, n], dy[end:, n] = np.nan, 1e9
    turn = (lambda array: array.swapaxes(0, 1)) if batch_first else (lambda array: array)
    y, _, tape = residual.forward(turn(x), lengths=lengths)
    assert_same_bits(residual(turn(x), None, lengths)[0], y)
    dx, _ = residual.backward(tape, turn(dy))
    y, dx = turn(y), turn(dx)
    alone = make()
    for n, end in enumerate(lengths):
        assert not y[end:, n].any() and not dx[end:, n].any()
        y_n, _, tape = alone.forward(x[:end, n])
        assert_same_bits(y_n, y[:end, n])
        assert_same_bits(alone.backward(tape, dy[:end, n])[0], dx[:end, n])
    for name, grad in residual.grads.items():
        assert_close(grad, alone.grads[name], np.float32, backward=True, terms=15, steps=5, what=name)


@pytest.mark.parametrize("lengths", [None, [5, 0, 2]], ids=["full", "ragged"])
def test_gradients_of_a_residual_match_central_differences(inner, lengths, rng):
    """Of x, the initial state and the parameters, from y and the final state."""
    residual = fr.Residual(inner(dtype=np.float64))
    provided = {"lengths": lengths} if residual.stateful else {}
    x, dy = rng.standard_normal((2, 5, 3, 4))
    y, *final, tape = residual.forward(x, **provided)
    state, dstate = ([rng.standard_normal(array.shape) for array in flat(tuple(final))] for _ in range(2))

    def like(arrays, example):
        """The arrays, in order, in the form of a state."""
        arrays = iter(arrays)
        put = lambda part: next(arrays) if isinstance(part, np.ndarray) else tuple(map(put, part))  # noqa: E731
        return put(example)

    initial = [like(state, final[0])] if final else []

    def loss():
        y, *final = as_tuple(residual(x, *initial, **provided))
        return sum((a * b).sum() for a, b in zip([y, *flat(tuple(final))], [dy, *dstate], strict=True))

    tape = residual.forward(x, *initial, **provided)[-1]
    dx, *dinitial = as_tuple(residual.backward(tape, dy, *([like(dstate, final[0])] if final else [])))
    assert_slopes(dx, loss, x, "x")
    for actual, array in zip(flat(tuple(dinitial)), state, strict=True):
        assert_slopes(actual, loss, array, "state")
    for name, grad in snapshot(residual.grads).items():
        assert_slopes(grad, loss, residual.params[name], name)


def test_a_residual_in_a_sequential(rng):
    """It has its state and its lengths there, and its parameters under its position."""
    residual = fr.Residual(fr.LSTM(4, 4, seed=0))
    model = fr.Sequential(fr.Residual(fr.Linear(4, 4, seed=1)), residual, fr.LastStep())
    x, lengths = rng.standard_normal((5, 3, 4)).astype(np.float32), [5, 0, 2]
    assert list(model.params)[:3] == ["0.weight", "0.bias", "1.weight_ih_l0"]
    y, (state,) = model(x, None, lengths)
    sequence, expected = residual(model.layers[0](x), None, lengths)
    assert_same_results(state, expected)
    assert_same_bits(y, fr.LastStep()(sequence, lengths))
    _, _, tape = model.forward(x, (state,), lengths)
    wrong = (np.ones((1, 3, 9), np.float32),) * 2
    with refused(ValueError, "dstate[h]: expected (1, 3, 4)", "got (1, 3, 9)"):
        model.backward(tape, y, (wrong,))
    assert not any(grad.any() for grad in model.grads.values())
    dx, ((dh, dc),) = model.backward(tape, y, (state,))
    assert dx.shape == x.shape and dh.shape == dc.shape == (1, 3, 4)


@pytest.mark.parametrize(
    ("layer", "x", "words"),
    [
        (fr.Linear(4, 3, seed=0), np.ones((5, 2, 4), np.float32), ["x, (5, 2, 4)", "got (5, 2, 3) from Linear("]),
        (fr.GRU(4, 4, bidirectional=True), np.ones((5, 2, 4), np.float32), ["x, (5, 2, 4)", "got (5, 2, 8) from GRU("]),
        (fr.LastStep(), np.ones((5, 2, 4), np.float32), ["x, (5, 2, 4)", "got (2, 4) from LastStep("]),
        (fr.RepeatVector(2), np.ones((2, 4), np.float32), ["x, (2, 4)", "got (2, 2, 4) from RepeatVector("]),
        (fr.Linear(4, 1, seed=0), np.ones((1, 4), np.float32), ["x, (1, 4)", "got (1, 1) from Linear("]),
    ],
    ids=["linear", "gru", "last step", "repeat", "one that would be spread"],
)
def test_a_residual_of_another_shape_is_refused(layer, x, words):
    residual = fr.Residual(layer)
    for method in (residual, residual.forward):
        with refused(ValueError, "layer: expected y to have the shape of", *words):
            method(x)


def test_what_a_residual_cannot_take_is_refused():
    for value, came in [
        (None, "NoneType"),
        (fr.Linear, "the class Linear"),
        ("tanh", "str"),
        ([fr.Linear(2, 2)], "list"),
    ]:
        with refused(TypeError, "layer: expected Layer", f"got {came}"):
            fr.Residual(value)
    tokens = np.array([[1, 2], [3, 4]])
    with refused(TypeError, "x: expected float32", "got int64"):
        fr.Residual(fr.Embedding(5, 2))(tokens)
    x = np.ones((5, 3, 4), np.float32)
    with refused(ValueError, "lengths: expected (3,), one for each row of the batch, got (2,)"):
        fr.Residual(fr.GRU(4, 4))(x, lengths=[1, 2])
    with refused(TypeError, "lengths"):
        fr.Residual(fr.Linear(4, 4))(x, lengths=[1, 2, 3])  # it has none


def test_after_a_refused_gradient_the_tape_of_a_residual_still_works(rng):
    residual, other = (fr.Residual(fr.GRU(4, 4, seed=0)) for _ in range(2))
    x = rng.standard_normal((5, 3, 4)).astype(np.float32)
    y, _, tape = residual.forward(x)
    with refused(ValueError, "dy: expected (5, 3, 4)", "got (3, 4)"):
        residual.backward(tape, y[0])
    with refused(TypeError, "dy: expected float32", "got float64"):
        residual.backward(tape, y.astype(np.float64))
    with refused(ValueError, "dstate: expected (1, 3, 4)", "got (3, 4)"):
        residual.backward(tape, y, y[0])
    assert not any(grad.any() for grad in residual.grads.values())
    dx, _ = residual.backward(tape, y)
    assert_same_bits(dx, other.backward(other.forward(x)[2], y)[0])
    assert_same_arrays(residual.grads, other.grads)
