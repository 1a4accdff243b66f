# SPDX-License-Identifier: BSD-3-Clause
"""Passes at the edge: one input, one unit, NaN and infinity."""

import numpy as np
import pytest
from support.layers import assert_same_bits
from support.recurrent import as_state, as_tuple, make_layer, random_state, run_reference, sequence, train
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn._engine import layers, passes

T, N, I, H = 5, 2, 3, 4


@pytest.mark.parametrize(("inputs", "hidden"), [(1, 1), (1, H), (I, 1)])
def test_one_input_and_one_unit_are_enough(cell, isa, dtype, inputs, hidden, rng):
    """I = 1 and H = 1, forward and backward, against the reference."""
    layer = make_layer(cell, inputs, hidden, dtype=dtype, seed=0)
    # of one sign: a gradient that is a single number must not be the small rest of large terms
    x, dy = (
        abs(sequence(rng, T, N, inputs, dtype=dtype)),
        abs(sequence(rng, T, N, hidden, dtype=dtype)),
    )
    state = as_state(map(abs, as_tuple(random_state(layer, N, rng))))
    y, final, dx, dinitial = train(layer, x, state, None, dy, state)
    expected = run_reference(cell, layer, x, state, None, dy, state)
    sizes = {"terms": 4 * T * N, "steps": T, "backward": True}
    assert_close(y, expected[0], dtype, **sizes, what="y")
    assert_close(dx, expected[2], dtype, **sizes, what="dx")
    for a, b in zip((final, dinitial), (expected[1], expected[3]), strict=True):
        for part, reference in zip(as_tuple(a), as_tuple(b), strict=True):
            assert_close(part, reference, dtype, **sizes, what="state")
    for name, grad in layer.grads.items():
        assert_close(grad, expected[4][name], dtype, **sizes, what=name)


@pytest.mark.parametrize("where", ["x", "state", "dy", "dstate"])
def test_a_row_with_nan_or_infinity_changes_no_other_row(cell, isa, dtype, where, rng):
    """In y, state, dx and the gradient of the initial state, the other rows keep their bits."""
    rows, bad = 7, 2  # a row in the middle of a tile
    layer = make_layer(cell, I, H, 2, bidirectional=True, dtype=dtype, seed=0)
    arguments = {
        "x": sequence(rng, T, rows, I, dtype=dtype),
        "state": random_state(layer, rows, rng),
        "lengths": [T, 3, 4, 1, T, 0, T],
        "dy": sequence(rng, T, rows, 2 * H, dtype=dtype),
        "dstate": random_state(layer, rows, rng),
    }
    clean = train(layer, **arguments)
    others = np.arange(rows) != bad
    for value in (np.nan, np.inf):
        as_tuple(arguments[where])[0][1, bad, 0] = value
        for a, b in zip(train(layer, **arguments), clean, strict=True):
            for part, expected in zip(as_tuple(a), as_tuple(b), strict=True):
                assert_same_bits(part[:, others], expected[:, others])


def test_nan_in_x_is_seen_in_y_from_its_step_on(cell, isa, dtype, rng):
    """Not before, and no activation swallows it; the final state has it too."""
    layer, at, bad = make_layer(cell, I, H, dtype=dtype, seed=0), 2, 1
    x = sequence(rng, T, 3, I, dtype=dtype)
    clean = layer(x)[0]
    x[at, bad, 0] = np.nan
    y, final, dx, _ = train(layer, x)
    assert_same_bits(y[:at, bad], clean[:at, bad])
    assert np.isnan(y[at:, bad]).all()
    assert all(np.isnan(part[:, bad]).all() for part in as_tuple(final))
    assert not np.isnan(np.delete(dx, bad, axis=1)).any()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("steps", [T, 600])
def test_gradients_of_parameters_can_be_added_later(cell, isa, dtype, bias, steps, rng):
    """From those of the gates, with the bits that `backward` gives them; nothing else is written."""
    layer = make_layer(cell, I, H, dtype=dtype, seed=0, bias=bias)
    x, dy = sequence(rng, steps, N, I, dtype=dtype), sequence(rng, steps, N, H, dtype=dtype)
    (weights,), y = layer.stack.weights, np.empty((steps, N, H), dtype)
    initial = as_tuple(random_state(layer, N, rng))
    h_0, c_0 = initial[0][0], initial[1][0] if len(initial) == 2 else None
    parts = [np.empty_like(h_0), None if c_0 is None else np.empty_like(c_0)]
    results = []
    for later in (False, True):
        layer.zero_grad()
        grads, nothing = layer._weight_grads[0], (None, None)
        kept = passes.forward(layer.cell, weights.pack(), passes.Recurrence(), x, y, (h_0, c_0), tuple(parts), True)
        down = layers.Downstream(np.zeros_like(x), [nothing], [(None,) * 4 if later else grads])
        (gates,) = layers.backward(kept, layers.Upstream([dy], [nothing]), down)
        if later:
            before = gates.copy()
            passes.add_gradients(weights.pack(), (x, y, h_0), gates, grads)
            assert_same_bits(gates, before)
        results.append([grad.copy() for grad in layer.grads.values()])
    assert any(grad.any() for grad in results[0])
    for at_once, added in zip(*results, strict=True):
        assert_same_bits(added, at_once)


@pytest.mark.parametrize("idle", [(), (0, 5, 69), range(70)], ids=["all rows", "some", "none"])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (I, 40), (48, 32)])
def test_the_way_back_of_a_linear_takes_its_dy_in_place_of_gates(inputs, outputs, idle, isa, dtype, rng):
    """With the bits of small calls, which copy dy into gates; dy is only read, and dx is added to."""
    linear = fr.Linear(inputs, outputs, dtype=dtype, seed=0)
    x, dy = (rng.standard_normal((70, size)).astype(dtype) for size in (inputs, outputs))
    dy[list(idle)] = 0
    given = dy.copy()
    dy.flags.writeable = False
    expected = linear.backward(linear.forward(x)[1], dy)
    grads = [np.zeros_like(linear.params["weight"]), None, np.zeros_like(linear.params["bias"]), None]
    dx = np.zeros_like(x)
    passes.linear_backward(linear.weights.pack(), x[None], dy[None], dx[None], grads)
    for ours, theirs in ((dx, expected), (grads[0], linear.grads["weight"]), (grads[2], linear.grads["bias"])):
        assert_same_bits(ours, theirs)
    assert_same_bits(dy, given)
    passes.linear_backward(linear.weights.pack(), x[None], dy[None], dx[None], (None,) * 4)
    assert_same_bits(dx, 2 * expected)
