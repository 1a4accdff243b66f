# SPDX-License-Identifier: BSD-3-Clause
"""The batches of a validation are divided among ranks: the means have the bits of one process that runs them all."""

import numpy as np
import pytest
from support import ranks
from support.ranks import in_threads

import fastrnn as fr
from fastrnn.training._loop.interrupts import AgreedInterrupts

X, Y = ranks.tagged(37)  # five batches of 8 rows, the last with 5
LENGTHS = [k % 6 for k in range(37)]


class Tagger(fr.Sequential):
    """Notes how many rows each call has that is not one of training."""

    def __init__(self):
        super().__init__(*ranks.tagger().layers)
        self.called = []

    def __call__(self, x, *args, **options):
        self.called.append(x.shape[1])
        return super().__call__(x, *args, **options)


def tag(communicator, layer=None, *, x=X, y=Y, validation=(X, Y), **options):
    layer = ranks.tagger() if layer is None else layer
    return ranks.train(communicator, layer, fr.cross_entropy, x, y, epochs=2, validation=validation, **options)


def called(size, **options):
    """How many rows each rank validates, batch by batch, in two epochs."""
    layers = {}

    def train(communicator):
        layers[communicator.rank] = layer = Tagger()
        return tag(communicator, layer, **options)

    assert in_threads(size, train)
    return [layers[rank].called for rank in range(size)]


def test_each_rank_runs_its_own_batches():
    assert called(2) == [[8, 8, 5] * 2, [8, 8] * 2]
    assert called(4) == [[8, 5] * 2, [8] * 2, [8] * 2, [8] * 2]


def test_all_run_the_first_batch_to_see_which_metrics_are_means():
    perplexity = fr.training.FunctionOfMean(np.exp, fr.cross_entropy)
    assert called(2, metrics={"accuracy": "accuracy", "perplexity": perplexity}) == [[8, 8, 5] * 2, [8, 8, 8] * 2]


def test_all_run_all_batches_of_a_metric_that_is_no_mean():
    def largest(y, target):
        return float(y.max())

    assert called(2, metrics=["accuracy", largest]) == [[8, 8, 8, 8, 5] * 2] * 2


def test_all_run_all_batches_of_an_iterable():
    """Nothing else would notice that those of another rank differ."""
    batches = [(X[:, k : k + 8], Y[:, k : k + 8]) for k in range(0, 37, 8)]
    assert called(2, validation=batches) == [[8, 8, 8, 8, 5] * 2] * 2


OPTIONS = {
    "loss alone": {},
    "means": {"metrics": ["accuracy", fr.cross_entropy]},
    "function of a mean": {"metrics": {"perplexity": fr.training.FunctionOfMean(np.exp, fr.cross_entropy)}},
    "lengths": {"lengths": LENGTHS, "validation": 0.4, "metrics": ["accuracy"], "sample_weight": np.arange(37) % 3},
    "pieces of time": {"truncate": 2, "lengths": LENGTHS, "validation": 0.4, "metrics": ["accuracy"]},
    "one batch": {"validation": (X[:, :3], Y[:, :3])},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_bits_are_those_of_one_process(name):
    alone = tag(None, **OPTIONS[name])
    for size in 2, 4:
        assert in_threads(size, lambda c: tag(c, **OPTIONS[name])) == [alone] * size


def test_only_rows_of_its_own_batches_are_read(tmp_path, monkeypatch):
    """And the samples that are compared, which are few of many rows."""
    x, y = ranks.tagged(400)
    read = {0: set(), 1: set()}

    def train(communicator):
        validation = fr.Batches(x, y, batch_size=8, shuffle=False)
        gather = validation._rows.batch

        def batch(rows):
            read[communicator.rank].update(rows.tolist())
            return gather(rows)

        monkeypatch.setattr(validation._rows, "batch", batch)
        return tag(communicator, validation=validation)

    first, second = in_threads(2, train)
    assert first == second
    samples = {int(n) for n in np.linspace(0, 399, 32).round()}
    own = [{n for n in range(400) if n // 8 % 2 == rank} for rank in (0, 1)]
    assert [read[rank] - samples for rank in (0, 1)] == [rows - samples for rows in own]


def test_an_error_in_a_batch_is_one_of_every_rank():
    """That of rank 1, which alone runs the batch of row 12."""
    y = Y.copy()
    y[2, 12] = 7
    for result in in_threads(2, lambda c: tag(c, validation=(X, y))):
        assert isinstance(result, ValueError) and "targets: expected integers in 0..2, got 7" in str(result)
        assert any("in the validation of fit, after epoch 1" in note for note in result.__notes__)


def test_a_loss_that_is_not_finite_is_an_error_of_every_rank():
    x = X.copy()
    x[0, 12, 0] = np.nan
    for result in in_threads(2, lambda c: tag(c, validation=(x, Y))):
        assert isinstance(result, FloatingPointError) and "expected a finite validation loss, got nan" in str(result)
        assert "x of batch 2 of the validation holds nan or inf" in result.__notes__


def test_ctrl_c_in_a_validation(tmp_path, monkeypatch):
    """All ranks stop with the last step, and go on with the validation that follows it."""
    calls: list[int] = []

    def accuracy(y, target):
        calls.append(len(y))
        return fr.training.accuracy(y, target)

    def train(communicator, path=None):
        options = dict(validation=(X, Y), metrics=[accuracy], checkpoint=path, resume=path is not None)
        layer, options["communicator"] = ranks.tagger(0.2), communicator
        options |= dict(epochs=3, batch_size=8, seed=0, shards=4, progress=False)
        history = fr.fit(layer, fr.cross_entropy, X, Y, **options)
        return history.interrupted, history.epochs, ranks.results_of(history, layer)

    expected = train(None)
    calls.clear()
    in_training, validating = 5 * 4, 6  # calls of an epoch: of shards, and of batches, the first by both ranks
    before = 2 * in_training + validating
    in_validation = range(before + 1, before + validating + 1)
    monkeypatch.setattr(AgreedInterrupts, "pressed", property(lambda self: len(calls) in in_validation))
    path = str(tmp_path / "run")
    stopped = in_threads(2, lambda c: train(c, path))
    assert [result[:2] for result in stopped] == [(True, 1)] * 2
    monkeypatch.undo()
    assert in_threads(4, lambda c: train(c, path)) == [expected] * 4
