# SPDX-License-Identifier: BSD-3-Clause
"""A model and a loss as one: which arguments each of them receives."""

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.losses import Mean
from fastrnn.training._data.batch import Batch
from fastrnn.training._loop.objective import Objective, applied, positions


def squares(y, target):
    """A mean squared error that knows nothing of lengths."""
    return float(np.square(y - target).mean()), 2 * (y - target) / y.size


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_loss_without_lengths_sees_what_counts(batch_first, rng):
    """The same value and gradient as a loss that takes lengths, whatever the padding holds."""
    y, target = rng.standard_normal((6, 3, 2)), rng.standard_normal((6, 3, 2))
    y[4:, 1] = np.nan
    if batch_first:
        y, target = y.swapaxes(0, 1), target.swapaxes(0, 1)
    lengths = np.array([6, 4, 0])
    loss, dy = applied(squares, y, target, lengths, batch_first)
    expected, dexpected = fr.mse_loss(y, target, lengths=lengths, batch_first=batch_first)
    np.testing.assert_allclose(loss, expected, rtol=1e-14)
    np.testing.assert_allclose(dy, dexpected, rtol=1e-14)


def test_what_a_function_is_given():
    y, target = np.zeros((2, 3, 1)), np.zeros((2, 3, 1))
    seen = lambda y, target, **more: (y.shape, more)  # noqa: E731
    takes_lengths = lambda y, target, lengths=None: seen(y, target, lengths=lengths)  # noqa: E731
    takes_both = lambda y, target, lengths=None, batch_first=None: seen(y, target, both=(lengths, batch_first))  # noqa: E731
    assert applied(takes_lengths, y, target, [2, 1, 0], False) == ((2, 3, 1), {"lengths": [2, 1, 0]})
    assert applied(takes_both, y, target, [2, 2], True) == ((2, 3, 1), {"both": ([2, 2], True)})
    assert applied(takes_both, y, target, [2, 1, 0], False) == ((2, 3, 1), {"both": ([2, 1, 0], None)})
    assert applied(takes_both, y, target, None, True) == ((2, 3, 1), {"both": (None, None)})
    assert applied(lambda y, target: len(y), y, target, [2, 1, 0], False) == 3
    with pytest.raises(ValueError, match=r"y: expected targets \(2, 3, '...'\), one for each step, got \(3,\)"):
        applied(squares, y, np.zeros(3), [2, 1, 0], False)


@pytest.mark.parametrize("lengths", [[6, 4], None])
@pytest.mark.parametrize("batch_first", [False, True])
def test_ctc_is_given_its_lengths(batch_first, lengths, rng):
    logits, labels = rng.standard_normal((2, 6, 3) if batch_first else (6, 2, 3)), [[1, 2], [2]]
    loss, dlogits = applied(fr.ctc_loss, logits, labels, lengths, batch_first)
    expected, dexpected = fr.ctc_loss(logits, labels, lengths, batch_first=batch_first)
    assert loss == expected
    np.testing.assert_array_equal(dlogits, dexpected)


class TwoInputs:
    """y = a + w b, with both inputs by name."""

    def __init__(self):
        self.params, self.grads = {"w": np.array(2.0)}, {"w": np.array(0.0)}

    def __call__(self, a, b, scale=1.0):
        return scale * (a + self.params["w"] * b)

    def forward(self, a, b, scale=1.0):
        return self(a, b, scale), (b, scale)

    def backward(self, tape, dy):
        b, scale = tape
        self.grads["w"] += scale * (b * dy).sum()

    def zero_grad(self):
        self.grads["w"][...] = 0


def test_several_inputs():
    objective = Objective(TwoInputs(), squares)
    a, b = np.ones(3), np.arange(3.0)
    for x, expected in ((a, b), [1.0, 3, 5]), ({"b": b, "a": a, "scale": 2.0}, [2.0, 6, 10]):
        y, state, tape = objective.run(Batch(x), training=True)
        assert y.tolist() == expected and state is None and len(tape) == 2
        assert objective.run(Batch(x), training=False)[0].tolist() == expected


@pytest.mark.parametrize("x", [np.zeros(3), [1, 2]])
def test_one_input_where_the_model_takes_several(x):
    """What works is named; state and lengths are not among them, and a model that takes anything receives it."""
    expected = r"x: expected a dict {'a': ..., 'b': ...}, since TwoInputs takes a and b, got .*collate"
    with pytest.raises(TypeError, match=expected):
        Objective(TwoInputs(), squares).run(Batch(x), training=True)
    translator = fr.Seq2Seq(fr.GRU(1, 2), fr.Embedding(3, 1), fr.GRU(1, 2), fr.Linear(2, 3))
    for training in True, False:
        with pytest.raises(TypeError, match="since Seq2Seq takes source and target, got"):
            Objective(translator, fr.cross_entropy).run(Batch(x, None, [3]), training=training)

    class Anything(TwoInputs):
        def forward(self, *inputs, lengths, **named):
            return inputs[0], None

        def __call__(self, x, state, lengths):
            return x

    assert Objective(Anything(), squares).run(Batch(x, None, [1]), training=True)[0] is x


def test_layers_of_every_kind(rng):
    """What they take of x, state and lengths, and whether a state comes back."""
    x, lengths = rng.standard_normal((5, 2, 3)).astype(np.float32), [5, 2]
    for model, has_state, after in [
        (fr.LSTM(3, 4, seed=0), True, lengths),
        (fr.Linear(3, 4, seed=0), False, lengths),
        (fr.LastStep(), False, None),
        (fr.Sequential(fr.GRU(3, 4, seed=0), fr.MeanPool()), True, None),
        (fr.Residual(fr.GRU(3, 3, seed=0)), True, lengths),
    ]:
        objective = Objective(model, fr.mse_loss)
        y, state, tape = objective.run(Batch(x, None, lengths), training=True)
        again, state_again, _ = objective.run(Batch(x, None, lengths), training=False)
        assert (state is not None, state_again is not None) == (has_state, has_state)
        np.testing.assert_array_equal(y, again)
        assert objective.lengths_after(lengths) == after
        assert tape.nbytes >= 0


def test_where_the_rows_are():
    first = lambda model: Objective(model, fr.mse_loss).batch_first  # noqa: E731
    assert not first(fr.GRU(1, 1)) and first(fr.GRU(1, 1, batch_first=True))
    assert first(fr.Linear(1, 1)) and first(fr.Sequential(fr.Linear(1, 1)))
    assert not first(fr.Sequential(fr.Linear(1, 1), fr.GRU(1, 1))) and not first(TwoInputs())


def test_positions():
    assert positions(np.zeros((4, 3, 2)), None) == 12 and positions(np.zeros((4, 3, 2)), [4, 1, 0]) == 5
    assert positions(np.zeros((4, 3)), None) == 4


@pytest.mark.parametrize("loss", [lambda y, t: 3.0, lambda y, t: (3.0, np.zeros(2)), lambda y, t: (1.0, y, 2)])
def test_a_loss_without_a_gradient(loss):
    with pytest.raises(TypeError, match=r"loss: expected \(value, dy\), dy of the shape of y \(3, 1\), got float"):
        Objective(fr.Linear(1, 1), loss).cost(np.zeros((3, 1)), np.zeros((3, 1)), None)


def test_the_value_of_a_loss():
    """A Mean as it is, anything else as a float; nothing counts for nothing, except to a loss of rows."""
    y, target = np.ones((3, 2, 4)), np.zeros((3, 2, 4))
    cost = lambda loss, lengths: Objective(fr.GRU(1, 4), loss).cost(y, target, lengths)[0]  # noqa: E731
    assert type(cost(fr.mse_loss, None)) is Mean and cost(fr.mse_loss, [3, 1]).weight == 16
    assert type(cost(squares, [3, 1])) is float
    assert type(cost(lambda y, target: (np.float32(2), y), None)) is float
    for loss in squares, fr.mse_loss:
        empty = cost(loss, [0, 0])
        assert (empty, empty.total, empty.weight) == (0, 0, 0)
    rows = Objective(fr.GRU(1, 4), fr.ctc_loss)
    assert rows.of_rows and not Objective(fr.GRU(1, 4), fr.mse_loss).of_rows
    loss, dy = rows.cost(y, [[], []], [0, 0])
    assert (loss, loss.weight) == (0, 2) and not dy.any()


def test_objects_that_are_not_models_or_losses():
    with pytest.raises(TypeError, match="model: expected params, .* got object without params"):
        Objective(object(), fr.mse_loss)
    with pytest.raises(TypeError, match=r"loss: expected a function loss\(y, target\), got str"):
        Objective(fr.Linear(1, 1), "mse")
