# SPDX-License-Identifier: BSD-3-Clause
"""The model decides what axes of data mean; sizes that agree by chance decide nothing."""

import itertools

import numpy as np
import pytest

import fastrnn as fr

SIZES = [(4, 6), (6, 4), (4, 4), (1, 4), (4, 1), (2, 2)]  # T, N
BATCHES = [1, 2, 4, 64]


class Recorder:
    """A model in a layer's clothes would hide what it reads: a loss that records (output, target) as it gets them."""

    def __init__(self):
        self.pairs = []

    def __call__(self, y, target, lengths=None):
        self.pairs.append((np.array(y), np.array(target)))
        return 0.0, np.zeros_like(y)


def identity(layer):
    """A layer whose output is its input: what arrives at the loss can then be compared with what was given."""
    layer.params["weight"], layer.params["bias"] = np.eye(*layer.params["weight"].shape), 0 * layer.params["bias"]
    return layer


def models(batch_first):
    """Nets that pass the number of a row and a step on, and what their targets are of."""
    options = {"batch_first": batch_first, "dtype": np.float64}
    through = fr.RNN(2, 2, nonlinearity="identity", bias=False, **options)
    through.params["weight_ih_l0"], through.params["weight_hh_l0"] = np.eye(2), np.zeros((2, 2))
    last, repeat = fr.LastStep(**options), fr.RepeatVector(4, **options)
    return {
        "steps": fr.Sequential(through, identity(fr.Linear(2, 2, dtype=np.float64))),
        "rows": fr.Sequential(through, last),
        "sequences": fr.Sequential(through, last, repeat),
    }


def data(T, N, target, batch_first, as_list, value):
    """x (T, N, 2) that holds (row, step) at each place, and targets that hold the row, and the step if there is one."""
    x = np.stack(np.broadcast_arrays(np.arange(N) + 1.0, np.arange(T)[:, None] + 1.0), axis=-1)
    y = {"steps": x.copy(), "rows": x[-1], "sequences": np.repeat(x[-1:], 4, axis=0)}[target]
    if value == "number":  # one number in the place of a vector: the row
        y = y[..., 0]
    if as_list:
        return list(x.swapaxes(0, 1)), (list(y.swapaxes(0, 1)) if target != "rows" else list(y))
    if batch_first:
        x, y = x.swapaxes(0, 1), y if target == "rows" else y.swapaxes(0, 1)
    return x, y


CASES = list(itertools.product(SIZES, BATCHES, ["steps", "rows", "sequences"], [False, True], [False, True]))


@pytest.mark.parametrize(("sizes", "batch_size", "target", "batch_first", "as_list"), CASES)
def test_rows_of_inputs_and_targets_stay_together(sizes, batch_size, target, batch_first, as_list):
    model = models(batch_first)[target]
    for value in "vector", "number":
        x, y = data(*sizes, target, batch_first, as_list, value)
        record = Recorder()
        fr.evaluate(model, record, x, y, batch_size=batch_size)
        fr.fit(model, record, x, y, batch_size=batch_size, epochs=2, optimizer=fr.SGD(model, lr=0.0), progress=False)
        assert sum(pair[0].size for pair in record.pairs) == 3 * np.size(y) * (1 if value == "vector" else 2)
        for output, expected in record.pairs:
            np.testing.assert_array_equal(output if value == "vector" else output[..., 0], expected)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("target", ["steps", "rows", "sequences"])
@pytest.mark.parametrize("T", [1, 2, 5])
def test_a_single_sequence_is_a_batch_of_one(T, target, batch_first):
    """x (T, I), with its targets (T, O), or the one target (O,)."""
    model = models(batch_first)[target]
    x, y = data(T, 1, target, False, False, "vector")
    y = y[0] if target == "rows" else y[:, 0]
    record = Recorder()
    fr.evaluate(model, record, x[:, 0], y)
    ((output, expected),) = record.pairs
    np.testing.assert_array_equal(output, expected)


def test_a_single_series_is_learned_in_order():
    """Its steps are no rows that could be shuffled: y[t] = x[t - 1] needs the step before."""
    x = np.random.default_rng(0).choice([-1.0, 1.0], (200, 1))
    y = np.roll(x, 1, axis=0)
    model = fr.Sequential(fr.GRU(1, 8, seed=0), fr.Linear(8, 1, seed=1))
    history = fr.fit(model, fr.mse_loss, x, y, epochs=150, optimizer=fr.Adam(model, lr=0.02), seed=0, progress=False)
    assert history["step"][-1] == 150 and history["loss"][-1] < 0.02


@pytest.mark.parametrize("batch_first", [False, True])
def test_single_and_batched_tokens(batch_first):
    embedding = fr.Embedding(9, 2, dtype=np.float64)
    embedding.params["weight"] = np.arange(9.0)[:, None].repeat(2, 1)
    model = fr.Sequential(embedding, *models(batch_first)["steps"].layers)
    tokens = np.array([[1, 2, 3], [4, 5, 6]])
    for x in tokens, tokens[0]:
        record = Recorder()
        fr.evaluate(model, record, x, x, batch_size=1)
        for output, expected in record.pairs:
            np.testing.assert_array_equal(output[..., 0], expected)
        assert sum(pair[1].size for pair in record.pairs) == x.size


GRU = fr.GRU(3, 4, seed=0)
TAGS, LABEL = fr.Sequential(GRU, fr.Linear(4, 2)), fr.Sequential(GRU, fr.LastStep(), fr.Linear(4, 2))
ONE = fr.Sequential(fr.GRU(1, 4, seed=0), fr.Linear(4, 2))


@pytest.mark.parametrize(
    ("model", "x", "y", "message"),
    [
        (TAGS, (5, 6, 3), (6,), r"y: expected \(5, 6, ...\), a target for each step of x, .* got \(6,\); one for"),
        (TAGS, (5, 6, 3), (6, 5), r"got \(6, 5\) \(y.swapaxes\(0, 1\) has that shape\)"),
        (LABEL, (5, 6, 3), (5, 6), r"y: expected \(6, ...\), one for each .* of x \(5, 6, 3\), got \(5, 6\)"),
        (LABEL, (5, 6, 3), (5,), r"y: expected \(6, ...\), one for each of the 6 rows"),
        (TAGS, (6, 3, 5), (6, 3), r"x: expected \(T, N, 3\), or .* \(T, 3\), got \(6, 3, 5\); with the features la"),
        (TAGS, (6, 5), (6, 5), r"x: expected \(T, N, 3\), or a single sequence \(T, 3\), got \(6, 5\)$"),
        (ONE, (6, 5), (6, 5), r"got \(6, 5\); series without an axis of features: x\[..., None\]"),
        (TAGS, (6,), (6,), r"x: expected \(T, N, 3\), or a single sequence \(T, 3\), got \(6,\)"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit_the_model(model, x, y, message):
    with pytest.raises(ValueError, match=message):
        fr.evaluate(model, fr.cross_entropy, np.zeros(x, np.float32), np.zeros(y, int))


def test_rows_of_features_as_a_list():
    """A model without time reads a list of vectors as rows, not as sequences."""
    record = Recorder()
    model = identity(fr.Linear(2, 2, dtype=np.float64))
    fr.evaluate(model, record, [[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 6]], batch_size=2)
    for output, expected in record.pairs:
        np.testing.assert_array_equal(output, expected)


def test_a_layer_of_ones_own_says_nothing():
    """Then the shapes decide, where they allow one reading."""

    class Sum(fr.nn.StatelessLayer):
        """Over time."""

        dtype = np.dtype(np.float64)

        def _setup(self):
            self._own({})

        def _forward(self, x, training):
            return x.sum(axis=0), x.shape

        def _backward(self, saved, dy):
            return np.broadcast_to(dy, saved)

    model = fr.Sequential(models(False)["steps"].layers[0], Sum())
    x, record = data(5, 6, "rows", False, False, "vector")[0], Recorder()
    fr.evaluate(model, record, x, x.sum(axis=0), batch_size=2)
    assert len(record.pairs) == 3 and all((output == y).all() for output, y in record.pairs)
    with pytest.raises(
        ValueError, match="a target for each step, or one of shape .* for each row, got .*; say which by per_"
    ):
        fr.evaluate(model, record, x[:5, :5], x[:5, :5], batch_size=2)
