# SPDX-License-Identifier: BSD-3-Clause
"""Steps left out by a mask: a row gives the bits that it gives without those steps, forward and backward."""

import numpy as np
import pytest
from support.layers import flat

import fastrnn as fr

T, N, I = 7, 5, 3
LENGTHS = [7, 4, 7, 0, 6]
MASK = np.random.default_rng(1).uniform(size=(T, N)) > 0.4
MASK[:, 2] = False  # nothing is left of this row
MASK[2:4, 0] = False
MASK[[0, -1], 1] = False  # neither its first step nor its last one


def adding(**options):
    class Sum(fr.nn.Cell):
        def step(self, x, h):
            return h + x, h + x, None

        def step_backward(self, saved, dy, dh):
            return dy + dh, dy + dh

    return fr.Recurrent(Sum(I, I), **options)


def stacked(batch_first=False):
    gru = fr.GRU(4, 6, batch_first=batch_first, bidirectional=True, seed=1)
    return fr.Sequential(fr.Linear(I, 4, seed=0), gru, fr.Linear(12, 2, seed=2))


def reservoir(**options):
    layer = fr.EchoState(I, 8, 2, seed=0, **options)
    for p in layer.params.values():
        p[...] = np.linspace(-1, 1, p.size).reshape(p.shape)  # its readout, which is 0 until it is fitted
    return layer


MAKE = {
    "RNN": lambda **options: fr.RNN(I, 4, seed=0, **options),
    "LSTM": lambda **options: fr.LSTM(I, 4, num_layers=2, bidirectional=True, seed=0, **options),
    "GRU": lambda **options: fr.GRU(I, 4, recompute=True, learn_initial_state=True, seed=0, **options),
    "Recurrent": adding,
    "Sequential": stacked,
    "Residual": lambda **options: fr.Residual(fr.GRU(I, I, seed=0, **options)),
    "EchoState": reservoir,
}
each_kind = pytest.mark.parametrize("kind", MAKE)


@pytest.fixture
def x(rng):
    """What is left out holds nan, which nothing may read."""
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    x[~MASK] = np.nan
    return x


def compressed(x, keep):
    """Rows without the steps left out, padded with 0, and their lengths."""
    lengths = keep.sum(axis=0)
    short = np.zeros((lengths.max(), N, *x.shape[2:]), x.dtype)
    for n in range(N):
        short[: lengths[n], n] = x[keep[:, n], n]
    return short, lengths


def spread(short, keep):
    """The reverse: 0 at the steps left out."""
    y = np.zeros((T, *short.shape[1:]), short.dtype)
    for n in range(N):
        y[keep[:, n], n] = short[: keep[:, n].sum(), n]
    return y


def assert_equal(a, b):
    for one, other in zip(flat(a), flat(b), strict=True):
        np.testing.assert_array_equal(one, other)


@each_kind
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("batch_first", [False, True])
def test_bits_of_the_rows_without_those_steps(kind, lengths, batch_first, x, rng):
    turn = (lambda a: a.swapaxes(0, 1)) if batch_first else (lambda a: a)
    keep = MASK if lengths is None else MASK & (np.arange(T)[:, None] < lengths)
    layer, hand = MAKE[kind](batch_first=batch_first), MAKE[kind](batch_first=batch_first)
    short, left = compressed(x, keep)
    short_y, final, short_tape = hand.forward(turn(short), lengths=left)
    short_y = spread(turn(short_y), keep)  # a Linear writes beyond the lengths
    y, state, tape = layer.forward(turn(x), lengths=lengths, mask=turn(MASK))
    assert_equal((turn(y), state), (short_y, final))
    assert_equal(layer(turn(x), lengths=lengths, mask=turn(MASK)), (y, state))
    dy = rng.standard_normal(short_y.shape).astype(np.float32)
    dstate = tuple(map(np.ones_like, state)) if isinstance(state, tuple) else np.ones_like(state)
    short_dx, dinitial = hand.backward(short_tape, turn(compressed(dy, keep)[0]), dstate)
    dx, dfirst = layer.backward(tape, turn(dy), dstate)
    assert_equal((turn(dx), dfirst), (spread(turn(short_dx), keep), dinitial))
    for name, grad in layer.grads.items():
        np.testing.assert_array_equal(grad, hand.grads[name], err_msg=name)


@each_kind
def test_a_single_sequence(kind, x):
    """It has the bits of the row in a batch, and of the kept steps alone."""
    layer, keep = MAKE[kind](), MASK[:, 0]
    y, state = layer(x[:, 0], mask=keep)
    alone, final = layer(x[keep, 0])
    assert_equal((y[keep], state), (alone, final))
    assert not y[~keep].any()
    trained, _, tape = layer.forward(x[:, 0], lengths=[T], mask=keep)
    dx, _ = layer.backward(tape, np.ones_like(trained))
    assert dx.shape == (T, I) and not dx[~keep].any() and dx[keep].any()
    y, state = layer(x[:, 0], lengths=[3], mask=keep)
    assert_equal((y[:3][keep[:3]], state), layer(x[:3][keep[:3], 0]))


def test_the_state_passes_over_what_is_left_out(x):
    """Where nothing is kept the final state is the initial one, and its gradient goes there."""
    lstm, h = fr.LSTM(I, 4, seed=0), (np.full((1, N, 4), 0.5, np.float32), np.full((1, N, 4), -0.5, np.float32))
    y, state, tape = lstm.forward(x, h, mask=MASK)
    assert not y[:, 2].any()
    assert_equal(tuple(part[:, 2] for part in state), tuple(part[:, 2] for part in h))
    dstate = (np.ones_like(h[0]), np.full_like(h[1], 2))
    _, before = lstm.backward(tape, None, dstate)
    assert (before[0][:, 2] == 1).all() and (before[1][:, 2] == 2).all()
    y, state = lstm(x, h, mask=np.zeros((T, N), bool))
    assert not y.any() and y.shape == (T, N, 4)
    assert_equal(state, h)
    y, state = lstm(x[:0], h, mask=MASK[:0])
    assert y.shape == (0, N, 4)
    assert_equal(state, h)


def test_a_mask_that_keeps_all(rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    gru = fr.GRU(I, 4, bidirectional=True, seed=0)
    assert_equal(gru(x, mask=np.ones((T, N), bool)), gru(x))
    ends = np.arange(T)[:, None] < LENGTHS
    assert_equal(gru(x, mask=ends), gru(x, lengths=LENGTHS))
    assert_equal(gru(x.tolist(), mask=ends.tolist()), gru(x, lengths=LENGTHS))


def test_tokens_and_pooling_in_a_sequential(rng):
    """A pooling takes the last step that is kept, and the output has no time to be put back into."""
    tokens = rng.integers(0, 9, (T, N))
    make = lambda: fr.Sequential(fr.Embedding(9, I, seed=0), fr.GRU(I, 4, seed=1), fr.LastStep())  # noqa: E731
    model, hand = make(), make()
    short, left = compressed(tokens, MASK)
    y, state, tape = model.forward(tokens, mask=MASK)
    expected, final, short_tape = hand.forward(short, lengths=left)
    assert_equal((y, state), (expected, final))
    assert model.backward(tape, np.ones_like(y))[0] is None
    hand.backward(short_tape, np.ones_like(y))
    for name, grad in model.grads.items():
        np.testing.assert_array_equal(grad, hand.grads[name], err_msg=name)
    assert_equal(model(tokens[:, 0], mask=MASK[:, 0])[0], y[0])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [fr.LastStep, fr.MeanPool, fr.MaxPool])
def test_pooling_of_what_is_kept(kind, batch_first, x, rng):
    turn = (lambda a: a.swapaxes(0, 1)) if batch_first else (lambda a: a)
    pool, (short, left) = kind(batch_first=batch_first), compressed(x, MASK)
    y, tape = pool.forward(turn(x), mask=turn(MASK))
    expected, short_tape = pool.forward(turn(short), left)
    assert_equal((y, pool(turn(x), mask=turn(MASK))), (expected, expected))
    dy = rng.standard_normal(y.shape).astype(np.float32)
    assert_equal(turn(pool.backward(tape, dy)), spread(turn(pool.backward(short_tape, dy)), MASK))
    assert_equal(pool(x[:, 0], mask=MASK[:, 0]), y[0])


def test_gradients_by_central_differences(rng):
    x, step = rng.standard_normal((T, N, I)), 1e-6
    lstm = fr.LSTM(I, 4, bidirectional=True, seed=0, dtype=np.float64)
    weight = rng.standard_normal((T, N, 8))
    _, _, tape = lstm.forward(x, mask=MASK)
    dx, _ = lstm.backward(tape, weight)
    loss = lambda: (lstm(x, mask=MASK)[0] * weight).sum()  # noqa: E731
    for array, gradient in (x, dx), (lstm.params["weight_hh_l0"], lstm.grads["weight_hh_l0"]):
        for at in rng.integers(0, array.shape, (20, array.ndim)):
            at, value = tuple(at), array[tuple(at)]
            ends = []
            for array[at] in (value - step, value + step):
                ends.append(loss())
            array[at] = value
            np.testing.assert_allclose((ends[1] - ends[0]) / (2 * step), gradient[at], atol=1e-8)


def test_the_tape_counts_what_it_keeps(x):
    gru = fr.GRU(I, 4, seed=0)
    masked, plain = gru.forward(x, mask=MASK)[2], gru.forward(*[compressed(x, MASK)[0]], None, MASK.sum(axis=0))[2]
    assert masked.nbytes > plain.nbytes and masked.x_shape == x.shape and masked.shape == (T, N, 4)
    gru.backward(masked, np.zeros((T, N, 4), np.float32))
    assert masked.nbytes == 0


@each_kind
def test_wrong_masks(kind, x):
    layer = MAKE[kind]()
    for mask, error, message in [
        (MASK.astype(int), TypeError, "mask: expected bools, True for the steps to read, got int"),
        (MASK[:-1], ValueError, r"mask: expected \(7, 5\), the steps of x \(7, 5, 3\), got \(6, 5\)"),
        (MASK[:, 0], ValueError, r"mask: expected \(7, 5\), the steps of x"),
        (np.ones((T, N, I), bool), ValueError, r"mask: expected \(7, 5\), the steps of x"),
    ]:
        for run in layer, layer.forward:
            with pytest.raises(error, match=message):
                run(x, mask=mask)


def test_a_layer_without_steps_takes_no_mask(x):
    with pytest.raises(TypeError, match="mask: expected none, since Linear takes none"):
        fr.Residual(fr.Linear(I, I))(x, mask=MASK)


def test_fit_takes_it_by_name(rng):
    """As one of the inputs; a list of masks is padded with False, so that the padding is left out."""
    x, y = rng.standard_normal((T, N, I)).astype(np.float32), rng.integers(0, 2, N)
    make = lambda: fr.Sequential(fr.GRU(I, 4, seed=0), fr.LastStep(), fr.Linear(4, 2, seed=1))  # noqa: E731
    rows = [x[:n, k] for k, n in enumerate(LENGTHS)], [MASK[:n, k] for k, n in enumerate(LENGTHS)]
    within = MASK & (np.arange(T)[:, None] < LENGTHS)
    results = []
    for inputs in {"x": rows[0], "mask": rows[1]}, {"x": x, "mask": within}:
        model = make()
        fr.fit(model, fr.cross_entropy, inputs, y, epochs=2, batch_size=N, shuffle=False, progress=False)
        results.append(model.state_dict())
    hand = make()
    adam = fr.Adam(hand)
    for _ in range(2):
        out, _, tape = hand.forward(x, mask=within)
        hand.zero_grad()
        hand.backward(tape, fr.cross_entropy(out, y)[1])
        adam.step()
    for name, p in hand.params.items():
        for result in results:
            np.testing.assert_array_equal(result[name], p, err_msg=name)


def test_x_as_lists_of_python_numbers():
    """Integers are features, where the layer reads no tokens."""
    gru = fr.GRU(2, 3, seed=0)
    y, h = gru([[1, 2], [3, 4], [5, 6]], mask=[True, False, True])
    assert_equal(h, gru([[1, 2], [5, 6]])[1])
    assert not y[1].any()
