# SPDX-License-Identifier: BSD-3-Clause
"""A recurrent layer around a cell of a user's own is the one in C, when the cell has its equations."""

import copy
import pickle

import numpy as np
import pytest
from support.cells import ReferenceCell, names_of, recurrent
from support.layers import argument_refused, assert_same_arrays, assert_same_bits, flat, refused
from support.recurrent import make_layer, random_lengths, random_state, train
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn import nn

T, N, H = 6, 5, 4


@pytest.fixture(params=[False, True], ids=["one direction", "both directions"])
def bidirectional(request):
    return request.param


def both(cell, **options):
    """A Recurrent, and the layer in C with its parameters, in float64."""
    ours = recurrent(np.float64, cell=cell, **options)
    theirs = make_layer(cell, 3, H, dtype=np.float64, **options)
    theirs.load_state_dict({full: ours.params[name] for name, full in names_of(ours).items()})
    return ours, theirs


def assert_equal(actual, expected, what):
    for a, b in zip(flat(actual), flat(expected), strict=True):
        assert_close(a, b, np.float64, terms=H, steps=T, what=what)


@pytest.mark.parametrize("lengths", [False, True], ids=["full", "lengths"])
def test_it_equals_the_layer_in_c(cell, bidirectional, lengths, rng):
    """Outputs, states and all gradients, from an initial state and with gradients of y and of the final state."""
    ours, theirs = both(cell, bidirectional=bidirectional)
    x, state = rng.standard_normal((T, N, 3)), random_state(theirs, N, rng)
    given = random_lengths(T, N, rng) if lengths else None
    dy, dstate = rng.standard_normal((T, N, (1 + bidirectional) * H)), random_state(theirs, N, rng)
    results = [train(layer, x, state, given, dy, dstate) for layer in (ours, theirs)]
    for name, actual, expected in zip(("y", "state", "dx", "dstate"), *results, strict=True):
        assert_equal(actual, expected, name)
    for name, full in names_of(ours).items():
        assert_equal(ours.grads[name], theirs.grads[full], full)


@pytest.mark.parametrize("layout", ["batch first", "unbatched"])
def test_layouts_are_those_of_the_layer_in_c(layout, rng):
    ours, theirs = both("lstm", batch_first=layout == "batch first", bidirectional=True)
    x = rng.standard_normal((N, T, 3) if ours.batch_first else (T, 3))
    dy = rng.standard_normal((N, T, 2 * H) if ours.batch_first else (T, 2 * H))
    results = [train(layer, x, dy=dy) for layer in (ours, theirs)]
    again = [train(layer, x, results[1][1], dy=dy, dstate=results[1][3]) for layer in (ours, theirs)]
    for actual, expected in (results, again):
        assert_equal(actual, expected, layout)


def test_an_empty_batch_and_no_step_leave_the_state():
    ours = recurrent(np.float64, bidirectional=False)
    y, (h, _) = ours(np.zeros((T, 0, 3)))
    assert y.shape == (T, 0, H) and h.shape == (1, 0, H)
    start = np.ones((1, 2, H)), np.ones((1, 2, H))
    y, state = ours(np.zeros((0, 2, 3)), start)
    assert y.shape == (0, 2, H)
    assert_same_bits(state, start)
    assert all((dpart == 1).all() for dpart in train(ours, np.zeros((0, 2, 3)), dstate=start)[3])


def test_it_trains_in_a_stack_with_lengths_and_resumes(rng, tmp_path):
    """With `fit`, as a sequence of layers, from a checkpoint to the same bits."""
    x, target = rng.standard_normal((2, 8, 6, 3)).astype(np.float32)
    lengths = random_lengths(8, 6, rng)

    def model():
        return fr.Sequential(
            recurrent(seed=1), fr.Residual(fr.Recurrent(ReferenceCell(8, 8, seed=3))), fr.Linear(8, 3, seed=4)
        )

    whole, half = model(), model()
    batches = [fr.Batch(x, target, lengths)]

    def fit(model, epochs, **options):
        return fr.fit(model, fr.mse_loss, batches, optimizer=fr.Adam(model, lr=0.02), epochs=epochs, **options)

    losses = fit(whole, 12)["loss"]
    assert losses[-1] < 0.95 * losses[0]
    path = tmp_path / "run.checkpoint"
    fit(half, 5, checkpoint=path)
    again = model()
    fit(again, 12, checkpoint=path, resume=True)
    assert_same_arrays(again.state_dict(), whole.state_dict())


def test_both_directions_cannot_be_cut_in_time(rng):
    x = rng.standard_normal((8, 2, 3)).astype(np.float32)
    with refused(ValueError, "model: expected one direction, got a bidirectional Sequential"):
        next(fr.truncated_bptt(fr.Sequential(recurrent()), fr.mse_loss, x, x, 4))
    causal = fr.Sequential(recurrent(bidirectional=False), fr.Linear(4, 3, seed=0))
    assert [window.stop for window in fr.truncated_bptt(causal, fr.mse_loss, x, x, 4)] == [4, 8]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_have_the_parameters_of_both_cells(duplicate):
    layer = recurrent()
    clone = duplicate(layer)
    assert_same_arrays(clone.state_dict(), layer.state_dict())
    assert clone.bidirectional and repr(clone) == repr(layer)
    assert list(layer.params)[::4] == ["cell.weight_ih", "reverse_cell.weight_ih"]


def test_cells_that_do_not_fit_are_refused():
    cell = ReferenceCell(3, 4)
    with argument_refused(TypeError, "cell", "expected Cell, got Linear"):
        fr.Recurrent(fr.Linear(3, 4))
    with argument_refused(ValueError, "reverse_cell", "parameters of its own"):
        fr.Recurrent(cell, reverse_cell=cell)
    for other, words in (
        (ReferenceCell(2, 4), "input_size=3, as cell has, got 2"),
        (ReferenceCell(3, 5), "output_size=4"),
        (ReferenceCell(3, 4, "lstm"), "state_shapes"),
        (ReferenceCell(3, 4, dtype=np.float64), "dtype=float32"),
    ):
        with argument_refused(ValueError, "reverse_cell", words):
            fr.Recurrent(cell, reverse_cell=other)


def test_wrong_arguments_are_refused():
    layer, x = recurrent(), np.zeros((T, N, 3), np.float32)
    with argument_refused(ValueError, "x", "expected (T, N, 3) or (T, 3), got (6, 5, 2)"):
        layer(x[..., :2])
    with argument_refused(TypeError, "state", "expected a tuple of 2 arrays, got ndarray"):
        layer(x, np.zeros((2, N, H), np.float32))
    with argument_refused(ValueError, "state[1]", "expected (2, 5, 4), got (1, 5, 4)"):
        layer(x, (np.zeros((2, N, H), np.float32), np.zeros((1, N, H), np.float32)))
    with argument_refused(ValueError, "lengths", "0..6"):
        layer(x, lengths=[7] * N)
    y, _, tape = layer.forward(x)
    with argument_refused(TypeError, "dstate", "expected a tuple of 2 arrays"):
        layer.backward(tape, y, y)
    layer.backward(tape, y)  # the tape is as it was


def test_a_state_may_have_any_shape(rng):
    """A memory of outer products, "fast weights": S_t = S_(t-1) + v k^T, y_t = S_t q."""

    class FastWeights(nn.Cell):
        @property
        def state_shapes(self):
            return ((self.hidden_size, self.input_size),)

        def step(self, x, S):
            S = S + np.einsum("ni,nj->nij", x[:, : self.hidden_size], x)
            return np.einsum("nij,nj->ni", S, x), S, (x, S)

        def step_backward(self, saved, dy, dS):
            (x, S), H = saved, self.hidden_size
            dS = dS + np.einsum("ni,nj->nij", dy, x)
            dx = np.einsum("nij,ni->nj", S, dy) + np.einsum("nij,ni->nj", dS, x[:, :H])
            dx[:, :H] += np.einsum("nij,nj->ni", dS, x)
            return dx, dS

    layer = fr.Recurrent(FastWeights(3, 2, dtype=np.float64))
    x = rng.standard_normal((4, 2, 3))
    y, S = layer(x)
    assert S.shape == (1, 2, 2, 3)
    np.testing.assert_allclose(S[0, 1], sum(np.outer(v[:2], v) for v in x[:, 1]))
    assert fr.check_gradients(layer, x, lengths=[4, 2])
    y, S = layer(x[:, 0])
    assert y.shape == (4, 2) and S.shape == (1, 2, 3)
