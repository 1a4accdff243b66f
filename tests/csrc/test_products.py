# SPDX-License-Identifier: BSD-3-Clause
"""products.h: forward passes whose weights are packed before, and those that pack each panel just before it is read."""

import numpy as np
import pytest
from support.recurrent import as_tuple, make_layer, random_state

import fastrnn as fr

SIZES = [(1, 16, 16), (2, 5, 21), (7, 35, 67), (33, 48, 80)]  # N, I, H: one panel and several, whole vectors and parts


@pytest.fixture(autouse=True)
def one_thread():
    """So that no call is divided into groups of rows, each of which would pack all panels."""
    with fr.threads(1):
        yield


def packed_for(layer):
    """The passes for which the weights of each layer and direction have been packed."""
    return [weights.pack().passes for weights in layer.stack.weights]


def step(layer, x, *call, dy):
    """All results of a training step on given weights, as bytes."""
    layer.zero_grad()
    y, state, tape = layer.forward(x, *call)
    dx, dstate = layer.backward(tape, dy)
    return [array.tobytes() for array in (y, *as_tuple(state), dx, *as_tuple(dstate), *layer.grads.values())]


@pytest.mark.parametrize("N, I, H", SIZES, ids=str)
def test_one_step_reads_new_weights_as_they_are_and_has_the_same_bits(isa, dtype, cell, N, I, H, rng):
    """The first pass with new weights packs panels, the second finds all packed; so does inference."""
    layer = make_layer(cell, I, H, 2, bidirectional=True, dtype=dtype, seed=1)
    x, dy = rng.standard_normal((1, N, I)).astype(dtype), rng.standard_normal((1, N, 2 * H)).astype(dtype)
    state = random_state(layer, N, rng)
    first = step(layer, x, state, dy=dy)
    assert all("forward" not in passes for passes in packed_for(layer))
    assert step(layer, x, state, dy=dy) == first
    assert all("forward" in passes for passes in packed_for(layer))
    y, final = layer(x, state)
    assert [array.tobytes() for array in (y, *as_tuple(final))] == first[: 1 + len(as_tuple(final))]


@pytest.mark.parametrize("call", ["lengths", "resets"])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"recurrent_dropout": 0.3}, {"zoneout": 0.2}], ids=str)
def test_lengths_resets_and_what_acts_on_the_state(isa, cell, call, options, rng):
    """On new weights, and on the same ones that inference has packed."""
    x, dy = rng.standard_normal((1, 6, 12)).astype(np.float32), rng.standard_normal((1, 6, 37)).astype(np.float32)
    rows = {"lengths": np.array([1, 0, 1, 1, 0, 1])} if call == "lengths" else {"resets": rng.random((1, 6)) < 0.5}
    found = []
    for passes in ((), ("forward",)):
        layer = make_layer(cell, 12, 37, 2, dtype=np.float32, seed=3, **options)
        if passes:
            layer(x)
        state = random_state(layer, 6, np.random.default_rng(7))
        y, final, tape = layer.forward(x, state, **rows)
        assert [set(each) - {"backward"} for each in packed_for(layer)] == [set(passes)] * 2
        dx, dstate = layer.backward(tape, dy)
        found.append([array.tobytes() for array in (y, *as_tuple(final), dx, *as_tuple(dstate), *layer.grads.values())])
    assert found[0] == found[1]


def test_any_number_of_threads_gives_the_same_bits(isa, cell, rng):
    """Threads that divide the units pack their own panels; groups of rows leave packing to be done before."""
    x, dy = (rng.standard_normal((1, 64, 320)).astype(np.float32) for _ in range(2))
    found = []
    for n_threads in (1, 2, 3):
        layer = make_layer(cell, 320, 320, dtype=np.float32, seed=1)
        with fr.threads(n_threads):
            found.append(step(layer, x, dy=dy))
    assert found[0] == found[1] == found[2]


def test_threads_that_divide_the_units_pack_panels_of_their_own(isa, rng):
    """As many threads as would pack all weights before: two, of a layer whose weights do not fit L2."""
    x, dy = (rng.standard_normal((1, 1, 512)).astype(np.float32) for _ in range(2))
    found = []
    for n_threads in (1, 2):
        layer = make_layer("lstm", 512, 512, dtype=np.float32, seed=1)
        with fr.threads(n_threads):
            found.append(step(layer, x, dy=dy))
        assert "forward" not in packed_for(layer)[0]
    assert found[0] == found[1]


def test_weights_that_change_are_read_again(isa, cell, rng):
    """Between a pass and its way back, and behind a pass that packed: old packed weights and copies are not used."""
    layer, fresh = (make_layer(cell, 20, 24, dtype=np.float32, seed=1) for _ in range(2))
    x, dy = rng.standard_normal((1, 3, 20)).astype(np.float32), rng.standard_normal((1, 3, 24)).astype(np.float32)
    for _ in range(3):
        step(layer, x, dy=dy)
    for each in (layer, fresh):
        for name in each.params:
            each.params[name][...] *= 2
    assert step(layer, x, dy=dy) == step(fresh, x, dy=dy)


@pytest.mark.parametrize("T, N", [(2, 4), (1, 97)])
def test_weights_that_are_read_more_than_once_are_packed(T, N, rng):
    layer = make_layer("lstm", 8, 16, dtype=np.float32, seed=1)
    layer.forward(rng.standard_normal((T, N, 8)).astype(np.float32))
    assert packed_for(layer) == [("forward",)]


def test_inference_and_streams_pack_at_once(rng):
    """What is called again and again does its work at the first call."""
    layer = make_layer("lstm", 8, 16, dtype=np.float32, seed=1)
    layer(rng.standard_normal((1, 4, 8)).astype(np.float32))
    assert packed_for(layer) == [("forward",)]
    layer = make_layer("lstm", 8, 16, dtype=np.float32, seed=1)
    layer.stream().step(rng.standard_normal((1, 8)).astype(np.float32))
    assert packed_for(layer) == [("forward",)]
