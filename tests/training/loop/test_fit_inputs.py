# SPDX-License-Identifier: BSD-3-Clause
"""What fit takes as data: generators, lists, models of several inputs, labels of any length."""

import itertools

import numpy as np
import pytest
from support.training import T, assert_same, but_seconds, fit, make_model

import fastrnn as fr


def test_generators():
    """Endless ones by steps_per_epoch, finite ones to their end."""

    def generate():
        rng = np.random.default_rng(0)
        while True:
            x = rng.standard_normal((T, 4, 2)).astype(np.float32)
            yield x, x.mean(axis=0)

    history = fit(make_model(), (generate(),), steps_per_epoch=5)
    assert history["step"] == [5, 10, 15] and not history.exhausted
    assert fit(make_model(), (lambda: itertools.islice(generate(), 7),))["step"] == [7, 14, 21]
    for count, options, steps in [
        (7, {}, [7]),
        (7, {"steps_per_epoch": 5}, [5, 7]),
        (7, {"steps_per_epoch": 5, "epochs": 2}, [5, 7]),
        (10, {"steps_per_epoch": 5}, [5, 10]),
    ]:
        told = (
            f"x: its batches ended with epoch {len(steps)} of {options.get('epochs', 3)}, in step {count}: .* function"
        )
        with pytest.warns(UserWarning, match=told) as caught:
            history = fr.fit(
                make_model(),
                fr.mse_loss,
                itertools.islice(generate(), count),
                progress=False,
                **{"epochs": 3} | options,
            )
        assert history["step"] == steps and history.exhausted and not history.interrupted
        assert caught[0].filename == __file__
    assert fit(make_model(), (itertools.islice(generate(), 7),), epochs=1)["step"] == [7]  # and no warning


def test_a_custom_model_with_two_inputs(rng):
    class Product:
        def __init__(self):
            self.params, self.grads = {"w": np.array([0.1])}, {"w": np.zeros(1)}

        def __call__(self, a, b):
            return self.params["w"] * a * b

        def forward(self, a, b):
            return self(a, b), (a, b)

        def backward(self, tape, dy):
            self.grads["w"] += (tape[0] * tape[1] * dy).sum()

        def zero_grad(self):
            self.grads["w"][...] = 0

    a, b = rng.standard_normal((2, 50))
    model = Product()
    history = fit(model, ([({"b": b, "a": a}, 3 * a * b)].__iter__(),), optimizer=fr.SGD(model, lr=0.1), epochs=1)
    assert history["step"] == [1]
    batches = fr.Batches(a, 3 * a * b)
    source = lambda: ((tuple([x, x]), 3 * x * x) for x, _, _ in batches)  # noqa: E731
    fit(model, (source,), optimizer=fr.SGD(model, lr=0.3), steps_per_epoch=2, epochs=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_as_lists_of_python_numbers(dtype):
    """They are taken in the model's dtype, integers too, as arrays of another dtype are; tokens stay integers."""
    make = lambda: fr.Sequential(fr.GRU(1, 4, dtype=dtype, seed=0), fr.Linear(4, 2, dtype=dtype, seed=1))  # noqa: E731
    rows, labels = [[[0.25], [0.5]], [[0.75]], [[2], [3], [4]]], [[0, 1], [1], [0, 0, 1]]
    model, hand = make(), make()
    fit(model, (rows, labels), fr.cross_entropy, validation=(rows, labels), restore_best=False)
    fit(hand, ([np.array(row, dtype) for row in rows], labels), fr.cross_entropy)
    assert_same(model, hand.params)
    found, expected = (
        fr.evaluate(model, fr.cross_entropy, x, labels) for x in (rows, [np.array(r, dtype) for r in rows])
    )
    assert found == expected
    other = np.float32 if dtype == np.float64 else np.float64
    third = make()
    fit(third, ([np.array(row, dtype).astype(other) for row in rows], labels), fr.cross_entropy)
    assert_same(third, hand.params)
    reader = fr.Sequential(fr.Embedding(5, 3, dtype=dtype, seed=0), fr.Linear(3, 2, dtype=dtype, seed=1))
    assert fit(reader, ([[1, 4], [0]], [[0, 1], [1]]), fr.cross_entropy).epochs == 3


def test_a_list_of_batches(rng):
    """Data and validation may both be one; two batches in a list are no pair (x, y)."""
    make = lambda: fr.Sequential(fr.GRU(2, 4, seed=0), fr.Linear(4, 2, seed=1))  # noqa: E731
    batches = [tuple(rng.standard_normal((2, T, 3, 2)).astype(np.float32)) for _ in range(2)]
    model, hand = make(), make()
    history = fit(model, (batches,), epochs=2, validation=batches, restore_best=False)
    adam = fr.Adam(hand)
    for x, y in 2 * batches:
        out, _, tape = hand.forward(x)
        hand.zero_grad()
        hand.backward(tape, fr.mse_loss(out, y)[1])
        adam.step()
    assert history["step"] == [2, 4]
    assert_same(model, hand.params)
    assert history["val_loss"][-1] == fr.evaluate(hand, fr.mse_loss, batches)["loss"]


def test_labels_of_unknown_times(rng):
    """ctc_loss takes the lengths of a padded batch, and labels as lists."""
    sequences = [np.repeat(np.eye(3, dtype=np.float32)[row], 3, axis=0) for row in ([1, 2], [2], [1], [2, 1])]
    model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.Linear(8, 3, seed=1))
    data = sequences, [[1, 2], [2], [1], [2, 1]]
    adam = fr.Adam(model, lr=0.05)
    history = fit(model, data, fr.ctc_loss, optimizer=adam, epochs=60, batch_size=2, validation=data)
    assert history["val_loss"][-1] < 0.05 < history["val_loss"][0]


@pytest.mark.parametrize("as_array", [False, True])
def test_labels_as_many_as_the_steps_are_not_targets_of_each_step(as_array, rng):
    """Two rows of two steps, each with two labels: (T, N) and (N, S) look alike, and ctc_loss takes the second."""
    x = rng.standard_normal((2, 2, 4)).astype(np.float32)  # (T, N, V)
    labels = [[1, 2], [3, 1]]
    data = (x, np.array(labels)) if as_array else (list(x.swapaxes(0, 1)), labels)
    model = fr.Linear(4, 4, seed=0)
    model.params["weight"], model.params["bias"] = np.eye(4), np.zeros(4)
    model = fr.Sequential(fr.RNN(4, 4, seed=0), model)
    y, _ = model(x)
    expected, other = (fr.ctc_loss(y, target, None)[0] for target in (labels, [[1, 3], [2, 1]]))
    assert expected != pytest.approx(other)
    assert fr.evaluate(model, fr.ctc_loss, *data)["loss"] == pytest.approx(expected)
    history = fit(model, data, fr.ctc_loss, optimizer=fr.SGD(model, lr=0.0), epochs=1, validation=data)
    assert [history["loss"], history["val_loss"]] == [[pytest.approx(expected)]] * 2
    with pytest.raises(ValueError, match="x: expected Batches with per_step=False, since the model or the loss"):
        fit(model, (fr.Batches(*data, per_step=True),), fr.ctc_loss)
    assert fr.evaluate(model, fr.ctc_loss, fr.Batches(*data, per_step=False))["loss"] == pytest.approx(expected)


def test_lengths_of_arrays(rng):
    """Of the data, and of the validation: the same as of sequences of these lengths."""
    x, lengths = rng.standard_normal((T, 20, 2)).astype(np.float32), rng.integers(1, T + 1, 20)
    y, rows = x.mean(axis=0), [x[: lengths[n], n] for n in range(20)]
    arrays, lists = make_model(), make_model()
    options = {"shuffle": False, "restore_best": False}
    history = fit(arrays, (x, y), lengths=lengths, validation=(x, y, lengths), **options)
    expected = fit(lists, (rows, y), validation=(rows, y), **options)
    assert_same(arrays, lists.params)
    assert history["val_loss"] == expected["val_loss"]
    assert fr.evaluate(arrays, fr.mse_loss, x, y, lengths=lengths) == fr.evaluate(lists, fr.mse_loss, rows, y)
    with pytest.raises(ValueError, match="lengths: expected none, since list gives batches of x, y and lengths"):
        fr.evaluate(arrays, fr.mse_loss, [(x, y)], lengths=lengths)
    with pytest.raises(ValueError, match=r"validation: expected \(x, y\), \(x, y, lengths\) or batches, got 4 of them"):
        fit(arrays, (x, y), validation=(x, y, lengths, 1))


def test_a_part_of_the_data_as_validation(rng):
    x, y = rng.standard_normal((T, 20, 2)).astype(np.float32), rng.standard_normal((20, 2))
    split, whole = make_model(), make_model()
    history = fit(split, (x, y), validation=0.25, restore_best=False)
    expected = fit(whole, (x[:, :15], y[:15]), validation=(x[:, 15:], y[15:]), restore_best=False)
    assert_same(split, whole.params)
    assert but_seconds(history) == but_seconds(expected)
    with pytest.raises(ValueError, match="validation: expected data, since a part of list cannot be split off"):
        fit(make_model(), ([(x, y)],), validation=0.25)
    for number in np.float32(0.25), np.array(0.25):
        assert but_seconds(fit(make_model(), (x, y), validation=number, restore_best=False)) == but_seconds(history)
    for flag in True, np.True_:
        with pytest.raises(TypeError, match=r"validation: expected a number in \(0, 1\), got"):
            fit(make_model(), (x, y), validation=flag)
    for fraction in 0.0, 1.0, float("nan"), 2.5, 1, np.float32(0), np.array(2):
        with pytest.raises(ValueError, match=r"validation: expected a number in \(0, 1\)"):
            fit(make_model(), (x, y), validation=fraction)
