# SPDX-License-Identifier: BSD-3-Clause
"""backward.h: every gradient of every cell, on every engine, against the NumPy reference in float64."""

import numpy as np
import pytest
from support.recurrent import SHAPES, as_tuple, make_layer, random_lengths, random_state, run_reference
from support.tolerance import assert_close

import fastrnn as fr


def check(cell, dtype, shape, rng, **options):
    T, N, I, H = shape
    layer = make_layer(cell, I, H, dtype=dtype, seed=1, **options)
    L, D, G = layer.num_layers, layer.num_directions, layer.cell.gates
    x = rng.standard_normal((T, N, I)).astype(dtype)
    dy = rng.standard_normal((T, N, D * H)).astype(dtype)
    for lengths in (None, random_lengths(T, N, rng)):
        for state in (None, random_state(layer, N, rng)):
            dstate = state if state is None else random_state(layer, N, rng)
            _, _, tape = layer.forward(x, state, lengths)
            layer.zero_grad()
            dx, dinitial = layer.backward(tape, dy, dstate)
            _, _, dx_expected, dinitial_expected, grads = run_reference(cell, layer, x, state, lengths, dy, dstate)
            through = {"backward": True, "bidirectional": D == 2, "steps": T * L}
            assert_close(dx, dx_expected, dtype, terms=G * H * D, **through, what="dx")
            for part, ours, theirs in zip("hc", as_tuple(dinitial), as_tuple(dinitial_expected), strict=False):
                assert_close(ours, theirs, dtype, terms=G * H, **through, what=f"d{part}_0")
            assert set(grads) == set(layer.grads)
            ours = {name: layer.grads[name] for name in grads}
            if H == 1:  # each is a single element, a sum that may cancel: their error is relative to all of them
                ours, grads = (
                    {"all": np.concatenate([array.ravel() for array in side.values()])} for side in (ours, grads)
                )
            for name, expected in grads.items():
                assert_close(ours[name], expected, dtype, terms=T * N, **through, what=name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_equal_the_reference(isa, dtype, cell, shape, rng):
    check(cell, dtype, shape, rng)


def test_gradients_of_both_directions(isa, dtype, cell, rng):
    check(cell, dtype, (6, 5, 3, 18), rng, bidirectional=True)


def test_gradients_without_biases(isa, dtype, cell, rng):
    check(cell, dtype, (4, 3, 5, 19), rng, bias=False)


def test_gradients_over_several_chunks(isa, dtype, cell, rng):
    """More tape rows than one chunk, and not a multiple of it."""
    check(cell, dtype, (45, 29, 3, 9), rng)


def test_gradients_of_layers(isa, dtype, cell, rng):
    check(cell, dtype, (5, 4, 3, 18), rng, num_layers=3, bidirectional=True)


def test_backward_adds_and_a_second_pass_doubles(isa, cell, rng):
    layer = make_layer(cell, 3, 18, dtype=np.float64, seed=1)
    x, dy = rng.standard_normal((4, 5, 3)), rng.standard_normal((4, 5, 18))
    for _ in range(2):
        once = {name: layer.grads[name].copy() for name in layer.grads}
        layer.backward(layer.forward(x)[2], dy)
    for name in layer.grads:
        np.testing.assert_allclose(layer.grads[name], 2 * once[name], rtol=1e-13, atol=1e-15)


def test_the_tape_uses_the_weights_of_its_own_forward_pass(isa, cell, rng):
    """An optimizer may step between forward and backward: the gradient is still that of the forward pass."""
    layer = make_layer(cell, 3, 18, dtype=np.float64, seed=1)
    x, dy = rng.standard_normal((4, 5, 3)), rng.standard_normal((4, 5, 18))
    dx, _ = layer.backward(layer.forward(x)[2], dy)
    tape = layer.forward(x)[2]
    for name in layer.params:
        layer.params[name] *= 2
    np.testing.assert_array_equal(layer.backward(tape, dy)[0], dx)


def test_threads_with_masks_have_memory_of_their_own(isa, dtype, cell, rng):
    """The same bits for 1 and 3 threads where a masked row is no whole number of cache lines.

    In a build with asserts each call also checks that no two threads were given the same bytes.
    """
    x, found = rng.standard_normal((70, 24, 12)).astype(dtype), []
    for n_threads in (1, 3):
        layer = make_layer(cell, 12, 20, dtype=dtype, recurrent_dropout=0.3, seed=1)
        with fr.threads(n_threads):
            y, _, tape = layer.forward(x)
            dx, _ = layer.backward(tape, np.ones_like(y))
        found.append([array.tobytes() for array in (y, dx, *layer.grads.values())])
    assert found[0] == found[1]


@pytest.mark.parametrize("T, N", [(1, 1), (1, 5), (3, 4)])
def test_packed_weights_and_the_weights_themselves_give_the_same_bits(isa, dtype, cell, T, N, rng):
    """Few rows do not wait for packing; once many have, the packed ones serve."""
    layer = make_layer(cell, 48, 80, num_layers=2, dtype=dtype, seed=1)

    def gradients(T, N, x, dy):
        layer.zero_grad()
        dx, dstate = layer.backward(layer.forward(x)[2], dy)
        return [dx, *as_tuple(dstate), *(grad.copy() for grad in layer.grads.values())]

    x, dy = (rng.standard_normal((T, N, width)).astype(dtype) for width in (48, 80))
    as_they_are = gradients(T, N, x, dy)
    gradients(30, 9, *(np.zeros((30, 9, width), dtype) for width in (48, 80)))
    for ours, packed in zip(as_they_are, gradients(T, N, x, dy), strict=True):
        assert ours.tobytes() == packed.tobytes()
