# SPDX-License-Identifier: BSD-3-Clause
"""fit: it does what a loop by hand does, stops cleanly, and says what is wrong."""

import itertools
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.io import _models as files

pytestmark = pytest.mark.usefixtures("interruptible")

T = 6
ROWS_FIRST = fr.Batches([[1]], [1], batch_first=True)


@pytest.fixture
def data():
    """Sequences of any lengths and their means."""
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((length, 2)).astype(np.float32) for length in rng.integers(1, T + 1, 20)]
    return x, np.array([row.mean(axis=0) for row in x])


def make_model(*more, seed=0):
    return fr.Sequential(fr.GRU(2, 8, seed=seed), fr.LastStep(), *more, fr.Linear(8, 2, seed=seed + 1))


def fit(model, data, loss=fr.mse_loss, **options):
    return fr.fit(model, loss, *data, **{"epochs": 3, "batch_size": 8, "seed": 0, "progress": False} | options)


def assert_same(model, expected):
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, expected[name], err_msg=name)


def but_seconds(history):
    return {name: column for name, column in history.items() if name != "seconds"}


# -- what it computes ----------------------------------------------------------------------------------------------


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


def test_the_best_parameters_come_back(data):
    """A learning rate that ruins the model after the second epoch."""
    seen = []

    def ruin(model, epoch, row):
        seen.append(model.state_dict())
        if epoch == 2:
            adam.lr = 10.0

    for restore in True, False:
        seen.clear()
        model = make_model()
        adam = fr.Adam(model)
        history = fit(model, data, optimizer=adam, validation=data, callbacks=[ruin], restore_best=restore)
        assert history.best_epoch == 2 and history["val_loss"][2] > history["val_loss"][1]
        assert_same(model, seen[1 if restore else 2])


@pytest.mark.parametrize("patience", [1, 3])
def test_patience(patience, data):
    model = make_model()
    history = fit(model, data, optimizer=fr.SGD(model, lr=0), validation=data, patience=patience, epochs=50)
    assert history["epoch"] == list(range(1, patience + 2)) and history.best_epoch == 1


def test_a_plateau_is_seen_after_every_epoch(data):
    model = make_model()
    adam = fr.Adam(model, lr=1e-9)
    schedule = fr.ReduceLROnPlateau(adam, factor=0.5, patience=0)
    history = fit(model, data, optimizer=adam, validation=data, schedule=schedule, epochs=4)
    assert history["lr"] == [1e-9, 1e-9, 5e-10, 2.5e-10]


def test_callbacks_in_their_order(data):
    """on_step sees the gradients before they are clipped, and the parameters before they are changed."""
    seen = []

    class Recorder:
        def on_step(self, model, step, loss, norm):
            seen.append(("step", step, loss, norm))
            assert norm == pytest.approx(fr.clip_grad_norm(model, math.inf))
            if step == 1:
                assert_same(model, make_model().params)

        def on_epoch(self, model, epoch, row):
            seen.append(("epoch", epoch, row["loss"]))

    history = fit(make_model(), data, epochs=2, clip=1e-3, callbacks=[Recorder(), lambda *all: seen.append(all[1])])
    assert [entry if isinstance(entry, int) else entry[:2] for entry in seen] == [
        ("step", 1), ("step", 2), ("step", 3), ("epoch", 1), 1, ("step", 4), ("step", 5), ("step", 6), ("epoch", 2), 2,
    ]  # fmt: skip
    assert [entry[2] for entry in seen if not isinstance(entry, int) and entry[0] == "epoch"] == history["loss"]


def test_a_callback_stops_it(data):
    history = fit(make_model(), data, epochs=9, callbacks=[lambda model, epoch, row: epoch == 4])
    assert history["epoch"] == [1, 2, 3, 4] and not history.interrupted


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
            history = fit(make_model(), (itertools.islice(generate(), count),), **options)
        assert history["step"] == steps and history.exhausted and not history.interrupted
        assert caught[0].filename == __file__
    assert fit(make_model(), (itertools.islice(generate(), 7),), epochs=1)["step"] == [7]  # and no warning


def test_a_model_of_ones_own_with_two_inputs(rng):
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


def make_translator():
    """Tokens to tokens, with attention, dropout and scheduled sampling."""
    return fr.Seq2Seq(
        encoder=fr.Sequential(fr.Embedding(6, 4, seed=0), fr.GRU(4, 8, 2, dropout=0.2, seed=1)),
        embedding=fr.Embedding(6, 4, seed=2),
        decoder=fr.AttentionDecoder(fr.GRU(4, 8, 2, seed=3), fr.Attention(8, 8, seed=4), fr.Linear(16, 8, seed=5)),
        output=fr.Linear(8, 6, seed=6),
        seed=7,
    )


def test_sequence_to_sequence(rng, tmp_path):
    """Several inputs by name, of different lengths; stopped and gone on with to the same bits."""
    sources = [rng.integers(1, 6, length) for length in rng.integers(2, 6, 40)]
    targets = [np.append(row[::-1], 0) for row in sources]  # backwards, and a symbol that ends it

    def collate(x, y):
        lengths = [[len(row) for row in rows] for rows in (x, y)]
        source, target = (
            np.stack([np.pad(row, (0, max(n) - len(row))) for row in rows], axis=1)
            for rows, n in zip((x, y), lengths, strict=True)
        )
        names = {"source_lengths": lengths[0], "target_lengths": lengths[1], "sampling": 0.1}
        return {"source": source, "target": target, **names}, target, lengths[1]

    def train(model, epochs, **options):
        batches = fr.Batches(sources, targets, batch_size=8, collate_fn=collate, seed=0)
        adam = fr.Adam(model, lr=0.01)
        return fr.fit(model, fr.cross_entropy, batches, optimizer=adam, epochs=epochs, progress=False, **options)

    with pytest.raises(TypeError, match="since Seq2Seq takes source and target, got ndarray.* collate_fn") as caught:
        fr.fit(make_translator(), fr.cross_entropy, sources, targets, progress=False)
    assert caught.value.__notes__ == ["in step 1 of fit, in epoch 1"]
    whole, model, path = make_translator(), make_translator(), tmp_path / "run"
    history = train(whole, 6)
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    train(model, 3, checkpoint=path)
    other = make_translator()
    assert but_seconds(train(other, 6, checkpoint=path, resume=True)) == but_seconds(history)
    assert_same(other, whole.params)


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_as_lists_of_python_numbers(dtype):
    """They are taken in the model's dtype, integers too; tokens stay integers, arrays of another dtype are refused."""
    make = lambda: fr.Sequential(fr.GRU(1, 4, dtype=dtype, seed=0), fr.Linear(4, 2, dtype=dtype, seed=1))  # noqa: E731
    rows, labels = [[[0.1], [0.2]], [[0.3]], [[2], [3], [4]]], [[0, 1], [1], [0, 0, 1]]
    model, hand = make(), make()
    fit(model, (rows, labels), fr.cross_entropy, validation=(rows, labels), restore_best=False)
    fit(hand, ([np.array(row, dtype) for row in rows], labels), fr.cross_entropy)
    assert_same(model, hand.params)
    found, expected = (
        fr.evaluate(model, fr.cross_entropy, x, labels) for x in (rows, [np.array(r, dtype) for r in rows])
    )
    assert found == expected
    other = np.float32 if dtype == np.float64 else np.float64
    with pytest.raises(TypeError, match=rf"x: expected {np.dtype(dtype)} \(the layer's dtype\), got {np.dtype(other)}"):
        fit(make(), ([np.array(row, other) for row in rows], labels), fr.cross_entropy)
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


def test_labels_whose_times_are_not_known(rng):
    """ctc_loss takes the lengths of a padded batch, and labels as lists."""
    sequences = [np.repeat(np.eye(3, dtype=np.float32)[row], 3, axis=0) for row in ([1, 2], [2], [1], [2, 1])]
    model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.Linear(8, 3, seed=1))
    data = sequences, [[1, 2], [2], [1], [2, 1]]
    adam = fr.Adam(model, lr=0.05)
    history = fit(model, data, fr.ctc_loss, optimizer=adam, epochs=60, batch_size=2, validation=data)
    assert history["val_loss"][-1] < 0.05 < history["val_loss"][0]


@pytest.mark.parametrize("as_array", [False, True])
def test_labels_as_many_as_the_steps_are_no_targets_of_each_step(as_array, rng):
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
    with pytest.raises(ValueError, match="x: expected Batches with per_step=False, since the loss takes labels"):
        fit(model, (fr.Batches(*data),), fr.ctc_loss)
    assert fr.evaluate(model, fr.ctc_loss, fr.Batches(*data, per_step=False))["loss"] == pytest.approx(expected)


def test_what_is_wrong_with_the_validation_is_told(data):
    for validation, epoch in [(3, None), ((data[0],), None), (([row[:, :1] for row in data[0]], data[1]), 1)]:
        with pytest.raises((TypeError, ValueError)) as caught:
            fit(make_model(), data, validation=validation)
        told = caught.value.__notes__[-1]
        assert told == f"in the validation of fit, after epoch {epoch}" if epoch else told.startswith("in validation")


# -- what stops it -------------------------------------------------------------------------------------------------


def press():
    os.kill(os.getpid(), signal.SIGINT)


class PressAt:
    """A loss that presses Ctrl-C when it is called for the n-th time."""

    def __init__(self, n):
        self.left = n

    def __call__(self, y, target):
        self.left -= 1
        if not self.left:
            press()
        return fr.mse_loss(y, target)


@pytest.mark.parametrize("call", [1, 2, 5, 9])
def test_ctrl_c_and_on(call, data, tmp_path):
    """The step in which it came is left out; resumed, it is taken again with the same dropout: the same bits."""
    path = tmp_path / "run"
    options = dict(optimizer=None, epochs=3, batch_size=8, seed=0, progress=False)
    whole = make_model(fr.Dropout(0.3, seed=3))
    expected = fr.fit(whole, fr.mse_loss, *data, **options)
    model = make_model(fr.Dropout(0.3, seed=3))
    history = fr.fit(model, PressAt(call), *data, checkpoint=path, **options)
    assert history.interrupted and history.epochs == (call - 1) // 3
    assert all(np.isfinite(p).all() for p in model.params.values())
    other = make_model(fr.Dropout(0.3, seed=4), seed=7)
    resumed = fr.fit(other, fr.mse_loss, *data, checkpoint=path, resume=True, **options | {"seed": None})
    assert not resumed.interrupted
    assert but_seconds(resumed) == but_seconds(expected)
    assert_same(other, whole.params)


def test_ctrl_c_in_an_update_waits_for_its_end(data):
    class Pressing(fr.SGD):
        def step(self):
            press()
            super().step()

    model, hand = make_model(), make_model()
    history = fit(model, data, optimizer=Pressing(model, lr=0.1))
    assert history.interrupted and history == {}
    (x, y, lengths), *_ = fr.Batches(*data, batch_size=8, seed=0)
    out, _, tape = hand.forward(x, lengths=lengths)
    hand.backward(tape, fr.mse_loss(out, y)[1])
    fr.SGD(hand, lr=0.1).step()
    assert_same(model, hand.params)


def test_ctrl_c_twice_goes_through(data, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "replace", lambda *_: press())
    with pytest.raises(KeyboardInterrupt):
        fr.fit(make_model(), PressAt(2), *data, checkpoint=tmp_path / "run", progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_validation_brings_the_best_back(data):
    seen, calls = [], itertools.count(1)

    def metric(y, target):
        if next(calls) == 15:  # three batches of training and three of validation in an epoch
            press()
        return 0.0

    model = make_model()
    adam = fr.Adam(model, lr=0.01)

    def ruin(model, epoch, row):
        seen.append(model.state_dict())
        adam.lr = 10.0

    history = fit(model, data, optimizer=adam, validation=data, metrics=[metric], callbacks=[ruin])
    assert history.interrupted and history["epoch"] == [1, 2] and history.best_epoch == 1
    assert_same(model, seen[0])


KILLED = """
import os, random, signal, sys, time
import numpy as np
import fastrnn as fr

case, path = sys.argv[1:]
rng = np.random.default_rng(0)
sequences = [rng.standard_normal((length, 2)).astype(np.float32) for length in rng.integers(0, 30, 60)]
sums = [row.cumsum(axis=0) for row in sequences]
x = rng.standard_normal((200, 8, 2)).astype(np.float32)

def generate():
    rng = np.random.default_rng(1)
    while True:
        x = rng.standard_normal((20, 8, 2)).astype(np.float32)
        yield x, x.cumsum(axis=0)

def train(path, resume, seed):
    model = fr.Sequential(
        fr.LSTM(2, 16, 2, dropout=0.2, seed=seed), fr.Dropout(0.3, seed=seed), fr.Linear(16, 2, seed=seed)
    )
    adam = fr.Adam(model, lr=0.01)
    schedule = fr.LinearWarmup(adam, 20, fr.CosineAnnealingLR(adam, 200))
    data, options = {
        "ragged": ((sequences, sums), {"validation": (sequences[:9], sums[:9]), "batch_size": 4, "epochs": 8}),
        "truncated": ((x, x.cumsum(axis=0)), {"truncate": (7, 19), "batch_size": 4, "epochs": 3}),
        "generator": ((generate(),), {"steps_per_epoch": 13, "epochs": 6}),
    }[case]
    history = fr.fit(
        model, fr.mse_loss, *data, optimizer=adam, schedule=schedule, clip=1.0, progress=False, seed=5,
        checkpoint=fr.Checkpoint(path, every_n_steps=3), resume=resume, **options,
    )
    history.pop("seconds")
    return {**model.state_dict(), **adam.state_dict()}, dict(history), schedule.count

start = time.monotonic()
expected, kills, rng = train(path + ".whole", False, 1), 0, random.Random(4)
longest = (time.monotonic() - start) / 4
while True:
    child = os.fork()
    if not child:
        # With other first parameters and dropout where there is a file: then all comes from it.
        state, *rest = train(path, True, 2 if os.path.exists(path) else 1)
        same = rest == list(expected[1:]) and state.keys() == expected[0].keys()
        os._exit(0 if same and all(np.array_equal(state[name], expected[0][name]) for name in state) else 1)
    time.sleep(rng.uniform(0, longest))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        break
    kills += 1
print(kills, os.WEXITSTATUS(status))
"""


@pytest.mark.parametrize("case", ["ragged", "truncated", "generator"])
def test_killed_and_resumed_to_the_same_bits(case, tmp_path):
    """kill -9 at any moments, again and again; in the end the parameters, moments and history of a run in one go."""
    command = [sys.executable, "-c", KILLED, case, str(tmp_path / "run")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    kills, status = map(int, run.stdout.split())
    assert status == 0, run.stderr
    assert kills >= 2


def test_nan_stops_before_the_update(data):
    """It names the step, the loss, the norm and the layers; the parameters are those of the last good step."""
    before, calls = [], itertools.count(1)

    def loss(y, target):
        value, dy = fr.mse_loss(y, target)
        before.append(model.state_dict())
        return (math.nan, dy * math.nan) if next(calls) == 5 else (value, dy)

    model = make_model()
    adam = fr.Adam(model)
    message = r"step 5: .* loss nan and gradient norm nan; not finite: the gradient of 0.weight_ih_l0.* those of step 4"
    with pytest.raises(FloatingPointError, match=message):
        fr.fit(model, loss, *data, optimizer=adam, batch_size=8, progress=False)
    assert_same(model, before[-1])
    assert adam.steps == 4


def test_nan_in_the_data(data):
    x = [row.copy() for row in data[0]]
    x[7][0, 1] = np.nan
    with pytest.raises(FloatingPointError, match="step 1: .* loss nan") as caught:
        fit(make_model(), (x, data[1]), shuffle=False)
    assert caught.value.__notes__ == ["x of this batch holds nan or inf"]


def test_a_learning_rate_that_is_too_large(data):
    model = make_model()
    before = model.state_dict()
    with pytest.raises(FloatingPointError, match="step 1: expected finite parameters, got others in 0.weight_ih_l0"):
        fit(model, data, optimizer=fr.SGD(model, lr=1e300))
    assert_same(model, before)


def test_what_is_wrong_in_a_batch_is_told_with_its_step():
    model = fr.Sequential(fr.Embedding(5, 3, seed=0), fr.GRU(3, 4, seed=1), fr.Linear(4, 5, seed=2))
    tokens = np.zeros((T, 8), int)
    for x, y, message in [(tokens + 5, tokens, "expected .*0..4"), (tokens, tokens + 5, "targets: expected .*0..4")]:
        good = [(tokens, tokens)] * 2
        before = model.state_dict()
        with pytest.raises(ValueError, match=message) as caught:
            fr.fit(model, fr.cross_entropy, iter([(x, y), *good]), progress=False)
        assert caught.value.__notes__[-1] == "in step 1 of fit, in epoch 1"
        assert_same(model, before)


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


def test_a_checkpoint_that_does_not_fit_changes_nothing(data, tmp_path):
    path = tmp_path / "run"
    fit(make_model(), data, checkpoint=path)
    content = path.read_bytes()
    scheduled = make_model()
    adam = fr.Adam(scheduled)
    for message, model, given, options in [
        ("rows: expected 20, as where the state is from, got 19", make_model(), [part[1:] for part in data], {}),
        ("batch_size: expected 8, as where the state is from, got 5", make_model(), data, {"batch_size": 5}),
        ("model: .*: model.layers is 3 of them there, 4 of them here", make_model(fr.LayerNorm(8)), data, {}),
        ("schedule: expected none", scheduled, data, {"optimizer": adam, "schedule": fr.StepLR(adam, 1)}),
    ]:
        before = model.state_dict()
        with pytest.raises(ValueError, match=message):
            fit(model, given, checkpoint=path, resume=True, **options)
        assert_same(model, before)
        assert path.read_bytes() == content
    model = make_model()
    fr.save_checkpoint(path, model)
    with pytest.raises(ValueError, match="expected a checkpoint that fit wrote"):
        fit(model, data, checkpoint=path, resume=True)


def test_a_finished_training_is_not_repeated(data, tmp_path):
    """Resumed, it comes back as it was; with more epochs it goes on."""
    path = tmp_path / "run"
    model, other, longer = make_model(), make_model(seed=5), make_model()
    history = fit(model, data, checkpoint=path, validation=data)
    assert fit(other, data, checkpoint=path, validation=data, resume=True) == history
    assert_same(other, model.params)
    assert but_seconds(fit(other, data, checkpoint=path, validation=data, resume=True, epochs=5)) == but_seconds(
        fit(longer, data, validation=data, epochs=5)
    )
    assert_same(other, longer.params)


def test_a_full_disk_stops_it_with_the_model_whole(data, tmp_path, monkeypatch):
    path, model = tmp_path / "run", make_model()
    fit(model, data, checkpoint=path, epochs=1)
    content = path.read_bytes()

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        fit(model, data, checkpoint=path)
    assert path.read_bytes() == content and all(np.isfinite(p).all() for p in model.params.values())


@pytest.mark.parametrize(
    "error, message, options",
    [
        (TypeError, "loss: expected a function", {"loss": "mse"}),
        (TypeError, "model: expected params", {"model": object()}),
        (TypeError, "y: expected targets, got None", {"y": None}),
        (ValueError, "x: expected at least one row, got none", {"x": [], "y": []}),
        (ValueError, "x: expected at least one batch, got none", {"x": iter([]), "y": None}),
        (ValueError, "y: expected none, since Batches gives", {"x": fr.Batches([[1]], [1])}),
        (ValueError, "optimizer: expected one of this model", {"optimizer": fr.SGD(fr.Linear(1, 1))}),
        (ValueError, "schedule: expected one of this optimizer", {"schedule": fr.StepLR(fr.SGD(fr.Linear(1, 1)), 1)}),
        (ValueError, "epochs: expected at least 1, got 0", {"epochs": 0}),
        (TypeError, "epochs: expected an integer, got 1.5", {"epochs": 1.5}),
        (ValueError, "batch_size: expected at least 1, got 0", {"batch_size": 0}),
        (ValueError, "steps_per_epoch: expected at least 1, got 0", {"steps_per_epoch": 0}),
        (ValueError, "patience: expected at least 1, got 0", {"patience": 0}),
        (ValueError, "clip: expected a finite number above 0, got -1", {"clip": -1}),
        (ValueError, "clip_value: expected a finite number above 0, got 0", {"clip_value": 0}),
        (ValueError, "metrics: expected names other than 'penalty'", {"metrics": {"penalty": fr.mse_loss}}),
        (TypeError, "restore_best: expected True or False, got 1", {"restore_best": 1}),
        (ValueError, "truncate: expected k2 >= k1", {"truncate": (4, 2)}),
        (ValueError, "an output for every step, got a Sequential", {"truncate": 2}),
        (ValueError, "resume: expected a checkpoint to go on from, got none", {"resume": True}),
        (FileNotFoundError, "checkpoint: expected a path in a folder", {"checkpoint": "/none/such/run"}),
        (ValueError, "x: expected Batches with batch_first=False", {"x": ROWS_FIRST, "y": None}),
        (TypeError, "callbacks: expected functions, or objects with on_step or on_epoch, got int", {"callbacks": [3]}),
        (TypeError, "callbacks: expected a list, got function", {"callbacks": lambda model, epoch, row: True}),
        (TypeError, "optimizer: expected an object as Adam.* got the class SGD", {"optimizer": fr.SGD}),
        (TypeError, "optimizer: expected .* got str", {"optimizer": "adam"}),
        (TypeError, "schedule: expected an object as StepLR.* makes it, got float", {"schedule": 0.5}),
        (TypeError, "checkpoint: expected str, bytes or os.PathLike, got int", {"checkpoint": 3}),
        (IsADirectoryError, "checkpoint: expected a path of a file, got the folder", {"checkpoint": os.curdir}),
        (TypeError, "metrics: expected", {"metrics": "accuracy"}),
        (ValueError, "validation: expected batches for each of 10 epochs, got a list_it", {"validation": iter([])}),
        (ValueError, "y: expected", {"validation": (np.zeros((4, 3, 2)), np.zeros(2))}),
    ],
)  # fmt: skip
def test_bad_input(error, message, options, data):
    given = {"model": make_model(), "loss": fr.mse_loss, "x": data[0], "y": data[1], "progress": False} | options
    before = make_model()
    with pytest.raises(error, match=message):
        fr.fit(**given)
    if "model" not in options:
        assert_same(given["model"], before.params)


class Penalty:
    """What a callback may add to the gradients."""

    def on_step(self, model, step, loss, norm):
        fr.add_penalty(model, l2=1e6)


@pytest.mark.parametrize("truncate", [None, 3, (2, 5)])
def test_omega_is_a_column(truncate, rng, tmp_path):
    """Over what gradients went back through; the loss is without it. Resumed, to the same bits."""
    x, y = rng.standard_normal((6, 8, 2)).astype(np.float32), rng.standard_normal((6, 8, 1))
    make = lambda omega: fr.Sequential(fr.RNN(2, 4, omega=omega, seed=0), fr.Linear(4, 1, seed=1))  # noqa: E731
    options = {"truncate": truncate, "batch_size": 4}
    model, plain = make(0.1), make(0.0)
    history, without = (
        fit(net, (x, y), epochs=1, optimizer=fr.SGD(net, lr=0.0), validation=(x, y), **options)
        for net in (model, plain)
    )
    assert list(history) == ["epoch", "step", "loss", "omega", "grad_norm", "lr", "val_loss", "seconds"]
    assert "omega" not in without and history["loss"] == without["loss"] and history["val_loss"] == without["val_loss"]
    assert history["grad_norm"] != without["grad_norm"]
    if truncate is None:
        out, _, tape = model.forward(x)  # at once what fit had in two halves
        model.backward(tape, fr.mse_loss(out, y)[1])
        assert history["omega"] == [pytest.approx(tape.omega, rel=1e-5)]
    whole, part = make(0.1), make(0.1)
    expected = fit(whole, (x, y), epochs=4, **options)
    fit(part, (x, y), epochs=2, checkpoint=tmp_path / "run", **options)
    part = make(0.1)
    found = fit(part, (x, y), epochs=4, checkpoint=tmp_path / "run", resume=True, **options)
    assert but_seconds(found) == but_seconds(expected) and len(found["omega"]) == 4
    assert_same(part, whole.params)


def test_what_a_callback_adds_is_clipped_too():
    """One step of size lr * clip, however large the penalty; the history has the norm with it."""
    model = fr.Linear(3, 2, seed=0)
    before = model.state_dict()
    x, y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    options = {"optimizer": fr.SGD(model, lr=1.0), "epochs": 1, "batch_size": 4, "clip": 0.5, "progress": False}
    history = fr.fit(model, fr.mse_loss, x, y, callbacks=[Penalty()], **options)
    moved = np.concatenate([(model.params[name] - before[name]).ravel() for name in before])
    np.testing.assert_allclose(np.linalg.norm(moved), 0.5, rtol=1e-5)
    assert history["grad_norm"][0] > 1e5
