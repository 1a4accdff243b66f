# SPDX-License-Identifier: BSD-3-Clause
"""Metrics of a whole epoch: means add up, anything else is computed of all outputs as one batch."""

import numpy as np
import pytest
from support.training import fit

import fastrnn as fr
from fastrnn.losses import Mean
from fastrnn.training import FunctionOfMean
from fastrnn.training._loop.means import Means
from fastrnn.training._loop.whole import EpochMetrics

SIZES = [1, 2, 7, 32]
LENGTHS = np.random.default_rng(0).integers(1, 9, 33)
LENGTHS[[3, 4]] = 30, 0


def rms(y, target):
    return float(np.sqrt(np.square(y - target).mean()))


def r2(y, target):
    """Not defined for one position, which has no variance."""
    return 1 - float(np.square(y - target).sum()) / float(np.square(target - target.mean()).sum())


def f1(y, target):
    """A ratio of counts; NumPy warns of 0 / 0."""
    yes, said = target > 0, y > 0.1
    return 2 * (yes & said).sum() / (yes.sum() + said.sum())


def rows_right(y, target, lengths=None, batch_first=False):
    """The part of the rows, weighted by the square of their lengths, whose sum is above 0 where the target's is."""
    y, target = (np.swapaxes(a, 0, 1) if batch_first else a for a in (y, target))
    lengths = np.full(y.shape[1], len(y)) if lengths is None else np.asarray(lengths)
    inside = (np.arange(len(y))[:, None] < lengths)[..., None]
    right = (np.where(inside, y, 0).sum(axis=(0, 2)) > 0) == (np.where(inside, target, 0).sum(axis=(0, 2)) > 0)
    return float((right * lengths**2).sum() / (lengths**2).sum())


METRICS = {"rms": rms, "rmse": "rmse", "r2": r2, "f1": f1, "rows": rows_right, "mae": "mae"}


def model_of(*more, batch_first=False):
    gru = fr.GRU(3, 4, seed=0, dtype=np.float64, batch_first=batch_first)
    return fr.Sequential(gru, *more, fr.Linear(4, 2, seed=1, dtype=np.float64))


def expected_of(y, target):
    """The metrics of positions (M, F), and of rows one by one."""
    flat, flat_target = np.concatenate(y), np.concatenate(target)
    values = {name: function(flat, flat_target) for name, function in (("rms", rms), ("r2", r2), ("f1", f1))}
    right = [(a.sum() > 0) == (b.sum() > 0) for a, b in zip(y, target, strict=True)]
    squares = np.array([len(row) ** 2 for row in y])
    mae = np.abs(flat - flat_target).mean()
    return values | {"rmse": values["rms"], "rows": (right * squares).sum() / squares.sum(), "mae": mae}


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.filterwarnings("error")
def test_rows_of_any_lengths(batch_first):
    rng = np.random.default_rng(1)
    x = [rng.standard_normal((length, 3)) for length in LENGTHS]
    target = [rng.standard_normal((length, 2)) for length in LENGTHS]
    expected = expected_of([model_of()(row[:, None])[0][:, 0] for row in x], target)
    model = model_of(batch_first=batch_first)
    for size, chunk in *((size, None) for size in SIZES), (7, 3), (33, 1):
        found = fr.evaluate(model, fr.mse_loss, x, target, metrics=METRICS, batch_size=size, chunk=chunk)
        del found["loss"]
        assert list(found) == list(METRICS)
        assert found == pytest.approx(expected, rel=1e-12), (size, chunk)


@pytest.mark.parametrize("lengths", [None, LENGTHS[8:19]])
@pytest.mark.filterwarnings("error")
def test_arrays(lengths, rng):
    """Full rows keep their shape, and a chunk is no batch of its own."""
    x, target = rng.standard_normal((8, 11, 3)), rng.standard_normal((8, 11, 2))
    y, _ = model_of()(x)
    steps = [8] * 11 if lengths is None else lengths
    rows = [(y[:L, n], target[:L, n]) for n, L in enumerate(steps)]
    expected, last = expected_of(*zip(*rows, strict=True)), lambda y, target: float(y[-1, ..., 0].mean())
    for size in SIZES:
        for chunk in None, 3:
            data = fr.Batches(x, target, batch_size=size, shuffle=False, lengths=lengths)
            named = METRICS if lengths is not None else METRICS | {"last": last}
            found = fr.evaluate(model_of(), fr.mse_loss, data, metrics=named, chunk=chunk)
            assert found.pop("loss") == pytest.approx(np.mean(np.square(np.concatenate(
                [a - b for a, b in rows]))), rel=1e-12)  # fmt: skip
            assert lengths is not None or found.pop("last") == pytest.approx(y[-1, :, 0].mean(), rel=1e-12)
            assert found == pytest.approx(expected, rel=1e-12), (size, chunk)


def test_rows_without_time(rng):
    x, target = rng.standard_normal((8, 11, 3)), rng.standard_normal((11, 2))
    model = model_of(fr.LastStep(dtype=np.float64))
    y, _ = model(x)
    for size in SIZES:
        found = fr.evaluate(model, fr.mse_loss, x, target, metrics=[rms, r2, f1], batch_size=size)
        assert found == pytest.approx(
            {"loss": rms(y, target) ** 2, "rms": rms(y, target), "r2": r2(y, target), "f1": f1(y, target)}, rel=1e-12
        )


@pytest.mark.parametrize("as_array", [False, True])
def test_rows_with_labels_of_any_number(as_array):
    """A metric of rows, as of edits, is given all of them, with their labels; as many as the steps are no targets."""

    def ratio(y, labels, input_lengths):
        steps = np.full(y.shape[1], len(y)) if input_lengths is None else input_lengths
        counts = [n * len(row) for n, row in zip(steps, labels, strict=True)]
        return sum(counts) / sum(map(np.sum, labels))

    rng = np.random.default_rng(2)
    lengths = np.full(8, 2) if as_array else np.arange(2, 10)
    x = [rng.standard_normal((length, 3)) for length in lengths]
    labels = [rng.integers(1, 3, 1 if n % 2 else 2) for n in lengths]
    labels = np.array(labels) if as_array else labels
    expected = sum(n * len(row) for n, row in zip(lengths, labels, strict=True)) / sum(map(np.sum, labels))
    loss = lambda y, labels, input_lengths: (0.0, np.zeros_like(y))  # noqa: E731
    for size in 1, 2, 3, 8:
        data = fr.Batches(x, labels, batch_size=size, shuffle=False, per_step=False)
        assert fr.evaluate(model_of(), loss, data, metrics=[ratio])["ratio"] == pytest.approx(expected)


def test_what_is_called_and_kept(rng):
    """A mean is called once for each batch, and nothing is kept; anything else once first and once with all."""
    calls = []

    def mean(y, target):
        calls.append(("mean", len(y)))
        return Mean(y.sum(), y.size)

    def other(y, target):
        calls.append(("other", len(y)))
        return 1.0

    y = rng.standard_normal((4, 2))
    only, both = EpochMetrics({"mean": mean}, False), EpochMetrics({"mean": mean, "other": other}, False)
    for metrics in only, both:
        for part in y[:1], y[1:3], y[3:]:
            added = metrics.add(part, part, None, continues=False)
            assert added == {"mean": pytest.approx(part.mean())} and added["mean"].weight == part.size
    assert len(only._outputs) == 0 and len(both._outputs) == 3
    assert [size for name, size in calls if name == "mean"] == [1, 2, 1] * 2
    assert [size for name, size in calls if name == "other"] == [1]
    assert only.are_means and not both.are_means
    assert only.of_all() == {} and both.of_all() == {"other": 1.0}
    assert calls[-1] == ("other", 4)


def test_a_function_of_a_mean_is_accumulated(rng):
    """As the mean is, whose options it has; of one that is no mean, an error says so."""
    y, target = rng.standard_normal((2, 12, 3))
    root = FunctionOfMean(np.sqrt, fr.mse_loss)
    metrics = EpochMetrics({"rms": root, "nothing": FunctionOfMean(np.exp, fr.l1_loss)}, False)
    means = Means()
    for part in slice(0, 1), slice(1, 7), slice(7, 12):
        added = metrics.add(y[part], target[part], None, continues=False)
        assert added["rms"] == fr.mse_loss(y[part], target[part])[0] and added["rms"].weight == 3 * len(y[part])
        means.add(added, 1)
    assert metrics.are_means and len(metrics._outputs) == 0
    values = metrics.values(means.values())
    assert values == pytest.approx({"rms": rms(y, target), "nothing": np.exp(np.abs(y - target).mean())}, rel=1e-14)
    assert all(type(value) is float for value in values.values())

    metrics = EpochMetrics({"m": FunctionOfMean(np.sqrt, rms)}, False)
    metrics.add(y, target, None, continues=False)
    with pytest.raises(TypeError, match="mean: expected a Mean, got float"):
        metrics.values({})


def test_arrays_that_are_filled_again(rng):
    """Outputs and targets are kept as they were."""
    y, target, metrics = np.zeros((2, 1)), np.zeros((2, 1)), EpochMetrics({"rms": rms}, False)
    for value in 1.0, 3.0:
        y[...], target[...] = value, 2 * value
        metrics.add(y, target, None, continues=False)
    assert metrics.of_all() == {"rms": pytest.approx(np.sqrt(5))}


def test_errors_of_a_metric_come_with_all_data(rng):
    def broken(y, target):
        raise RuntimeError("of all" if len(y) == 4 else "of a part")

    for metric, error, text in [
        (broken, RuntimeError, "of all"),
        (lambda y, target: y[0], TypeError, r"metrics: expected a number from m, got shape \(2,\)"),
    ]:
        metrics = EpochMetrics({"m": metric}, False)
        for _ in range(2):
            metrics.add(np.ones((2, 2)), np.ones((2, 2)), None, continues=False)
        with pytest.raises(error, match=text):
            metrics.of_all()


def test_nothing_counted():
    metrics = EpochMetrics({"rms": rms, "mae": lambda y, target: fr.l1_loss(y, target)}, False)
    for _ in range(2):
        metrics.add(np.ones((3, 2, 1)), np.ones((3, 2, 1)), [0, 0], continues=False)
    assert metrics.of_all() == {"rms": 0.0, "mae": 0.0}


def test_in_training_a_number_is_a_mean_over_batches(rng):
    """Weighted by positions, as the parameters change; a Mean is exact."""
    x, target = rng.standard_normal((4, 5, 2)).astype(np.float32), rng.standard_normal((5, 2)).astype(np.float32)
    model = fr.Sequential(fr.GRU(2, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))
    y, _ = model(x)
    history = fit(
        model, (x, target), epochs=1, batch_size=2, shuffle=False, optimizer=fr.SGD(model, lr=0.0),
        metrics=["rmse", "mse"], validation=(x, target),
    )  # fmt: skip
    parts = [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert history["rmse"] == [pytest.approx(np.average([rms(y[p], target[p]) for p in parts], weights=[2, 2, 1]))]
    assert history["mse"] == [pytest.approx(rms(y, target) ** 2)]
    assert history["val_rmse"] == [pytest.approx(rms(y, target))]
