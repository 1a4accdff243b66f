# SPDX-License-Identifier: BSD-3-Clause
"""fit computes what a loop by hand does."""

import numpy as np
import pytest
from support.training import T, assert_same, but_seconds, fit, make_model

import fastrnn as fr


def test_it_is_the_loop_by_hand(data):
    """To the bit: batches, gradients, norm, clipping, learning rate, the rows of the history."""
    model, hand = make_model(), make_model()
    adam, sgd = fr.Adam(model, lr=0.01), fr.Adam(hand, lr=0.01)
    history = fit(model, data, optimizer=adam, schedule=fr.StepLR(adam, 4, 0.5), clip=0.5)
    schedule, batches = fr.StepLR(sgd, 4, 0.5), fr.Batches(*data, batch_size=8, seed=0)
    expected = {"epoch": [], "step": [], "loss": [], "grad_norm": [], "lr": []}
    for epoch in range(3):
        losses, norms, rows = [], [], []
        for x, y, lengths in batches:
            hand.zero_grad()
            out, _, tape = hand.forward(x, lengths=lengths)
            loss, dy = fr.mse_loss(out, y)
            hand.backward(tape, dy)
            norms.append(fr.clip_grad_norm(hand, 0.5))
            sgd.step()
            schedule.step()
            losses.append(loss)
            rows.append(len(y))
        row = epoch + 1, sgd.steps, np.average(losses, weights=rows), np.average(norms, weights=rows), sgd.lr
        for column, value in zip(expected.values(), row, strict=True):
            column.append(value)
    assert_same(model, hand.params)
    assert list(history) == [*expected, "seconds"]
    for name, column in expected.items():
        np.testing.assert_allclose(history[name], column, rtol=1e-14, err_msg=name)
    assert max(expected["grad_norm"]) > 0.5 and history.best_epoch == 1 + int(np.argmin(history["loss"]))


def test_the_same_seed_the_same_bits(data):
    first, second, other = make_model(), make_model(), make_model()
    assert but_seconds(fit(first, data)) == but_seconds(fit(second, data))
    assert_same(first, second.params)
    fit(other, data, seed=1)
    assert any((p != first.params[name]).any() for name, p in other.params.items())


def test_validation_and_metrics(data):
    def error(y, target):
        return np.abs(y - target).mean()

    model = make_model()
    history = fit(model, data, validation=data, metrics=[error], restore_best=False)
    assert list(history) == ["epoch", "step", "loss", "error", "grad_norm", "lr", "val_loss", "val_error", "seconds"]
    found = fr.evaluate(model, fr.mse_loss, *data, metrics=[error], batch_size=8)
    assert (history["val_loss"][-1], history["val_error"][-1]) == (found["loss"], found["error"])
    again = fit(make_model(), data, validation=fr.Batches(*data, batch_size=8, shuffle=False))
    assert again["val_loss"] == history["val_loss"]


def test_padded_targets_of_each_step(data):
    """With a loss that takes lengths and with one that does not: the same."""
    x = data[0]
    y = [row.cumsum(axis=0) for row in x]
    models = [fr.Sequential(fr.GRU(2, 8, seed=0), fr.Linear(8, 2, seed=1)) for _ in range(2)]
    losses = [
        fr.fit(model, loss, x, y, epochs=3, batch_size=8, seed=0, progress=False)["loss"]
        for model, loss in zip(models, (fr.mse_loss, lambda y, target: fr.mse_loss(y, target)), strict=True)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize("truncate", [4, (2, 5)])
def test_truncated(truncate, rng):
    """A window is a step; the loop by hand of truncated_bptt gives the same bits."""
    x, y = rng.standard_normal((10, 3, 2)).astype(np.float32), rng.standard_normal((10, 3, 1))
    make = lambda: fr.Sequential(fr.LSTM(2, 4, seed=0), fr.Linear(4, 1, seed=1))  # noqa: E731
    model, hand = make(), make()
    history = fit(model, (x, y), truncate=truncate, shuffle=False, epochs=2, validation=(x, y), restore_best=False)
    adam, k1, k2 = fr.Adam(hand), *(truncate if isinstance(truncate, tuple) else (truncate, truncate))
    for _ in range(2):
        for _ in fr.truncated_bptt(hand, fr.mse_loss, x, y, k1, k2):
            adam.step()
    assert_same(model, hand.params)
    assert history["step"] == [-(-10 // k1), 2 * -(-10 // k1)]
    np.testing.assert_allclose(history["val_loss"][-1], fr.mse_loss(hand(x)[0], y)[0], rtol=1e-6)


def test_the_bar_counts_time_steps(data, capsys):
    pytest.importorskip("tqdm")
    fit(make_model(), data, epochs=2, progress=True)
    last = capsys.readouterr().err.rpartition("\r")[2]
    assert "epoch 2/2, loss " in last and "|████████████████████|" in last


def test_one_class_only(rng):
    """Of two, the model learns the one that there is; of one class altogether, the error says what to do."""
    x = rng.standard_normal((T, 9, 2)).astype(np.float32)
    model = make_model()
    history = fit(model, (x, [1] * 9), loss=fr.cross_entropy, epochs=30, optimizer=fr.Adam(model, lr=0.1))
    assert history["loss"][-1] < 0.01 < history["loss"][0]
    model = fr.Sequential(fr.GRU(2, 4, seed=0), fr.LastStep(), fr.Linear(4, 1, seed=1))
    with pytest.raises(ValueError, match="nothing can be learned about a single class"):
        fit(model, (x, [0] * 9), loss=fr.cross_entropy)


def test_rows_of_length_0(rng):
    x = [np.zeros((length, 2), np.float32) for length in (0, 0, 3, 0)]
    y = [np.ones((len(row), 1)) for row in x]
    model = fr.Sequential(fr.LSTM(2, 4, seed=0), fr.Linear(4, 1, seed=1))
    for loss in fr.mse_loss, lambda y, target: fr.mse_loss(y, target):
        for truncate in None, 2:
            history = fr.fit(model, loss, x, y, batch_size=2, shuffle=False, truncate=truncate, progress=False)
            assert np.isfinite(history["loss"]).all() and history.epochs == 10
