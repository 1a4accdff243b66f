# SPDX-License-Identifier: BSD-3-Clause
"""A training in shards: that of whole batches but for rounding, and the same bits on any number of ranks."""

import numpy as np
import pytest
from support import ranks
from support.ranks import in_threads
from support.tolerance import assert_close
from support.training import assert_same

import fastrnn as fr
from fastrnn.losses import Mean
from fastrnn.losses._mean import Sum
from fastrnn.training._loop.alone import Alone
from fastrnn.training._shards.sharded import Sharded, stepper_of


def fit(layer, *data, loss=fr.mse_loss, **options):
    options = {"epochs": 3, "batch_size": 8, "seed": 0, "progress": False} | options
    return fr.fit(layer, loss, *data, **options)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_shards_are_the_whole_batch_but_for_rounding(reduction):
    """Rows of any lengths, a last batch of other size, weights of rows, a metric."""

    def loss(y, target, sample_weight=None):
        return fr.mse_loss(y, target, sample_weight=sample_weight, reduction=reduction)

    whole, parts = ranks.model(dtype=np.float64), ranks.model(dtype=np.float64)
    options = dict(loss=loss, sample_weight=np.arange(37) % 3, metrics=["mae"], validation=0.2)
    expected = fit(whole, *ranks.rows(dtype=np.float64), optimizer=fr.SGD(whole, lr=0.01), **options)
    history = fit(parts, *ranks.rows(dtype=np.float64), optimizer=fr.SGD(parts, lr=0.01), shards=4, **options)
    for name, p in whole.params.items():
        assert_close(parts.params[name], p, np.float64, terms=1, steps=1, what=name)
    assert history.keys() == expected.keys()
    for name in expected.keys() - {"seconds"}:
        assert_close(history[name], expected[name], np.float64, terms=1, steps=1, what=name)


def test_one_shard_has_the_bits_of_the_whole_batch_times_its_weight():
    """With a sum for a loss the weight is 1: the bits of the whole batch."""

    def loss(y, target):
        return fr.mse_loss(y, target, reduction="sum")

    whole, part = ranks.model(), ranks.model()
    fit(whole, *ranks.rows(), loss=loss)
    fit(part, *ranks.rows(), loss=loss, shards=1)
    assert_same(part, whole.params)


@pytest.mark.parametrize("shards, sizes", [(6, (2, 3, 6)), (12, (3, 4)), (5, (5,))])
@pytest.mark.parametrize("case", [ranks.dropout, ranks.truncated, ranks.empty_shards], ids=lambda case: case.__name__)
def test_numbers_that_are_no_powers_of_two(case, shards, sizes, monkeypatch):
    monkeypatch.setattr(ranks, "SHARDS", shards)
    alone = case(None)
    for size in sizes:
        assert in_threads(size, case) == [alone] * size


def test_ranks_begin_with_the_parameters_of_the_first():
    """With its masks and its moments, whatever they had; data in an order of no given seed is in that of rank 0."""

    def train(communicator):
        seed = communicator.rank
        layer = ranks.model(fr.Dropout(0.3, seed=seed + 2), seed=seed)
        adam = fr.Adam(layer, lr=0.1)
        if not communicator.rank:
            adam.step()  # it has moments
        return ranks.train(communicator, layer, fr.mse_loss, *ranks.rows(), optimizer=adam, seed=None)

    first, *others = in_threads(4, train)
    assert others == [first] * 3


def test_only_rank_0_writes_and_shows(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def train(communicator):
        checkpoint = f"run-{communicator.rank}"
        return fit(ranks.model(), *ranks.rows(), shards=2, communicator=communicator, checkpoint=checkpoint, epochs=1,
                   progress="lines")  # fmt: skip

    in_threads(2, train)
    assert [path.name for path in tmp_path.iterdir()] == ["run-0"]
    assert capsys.readouterr().err.count("epoch 1/1") == 1


def test_each_rank_computes_its_own_shards():
    def train(communicator):
        rows = []

        def loss(y, target):
            rows.append(len(y))
            return fr.mse_loss(y, target)

        fit(ranks.model(), *ranks.rows(16), loss=loss, shards=8, communicator=communicator, epochs=1)
        return rows

    assert in_threads(4, train) == [[1] * 4] * 4  # two shards in each of two batches


def test_a_training_that_one_rank_stops_is_stopped_on_all():
    def train(communicator):
        stop = lambda model, epoch, row: communicator.rank == 1 and epoch == 2  # noqa: E731
        return fit(ranks.model(), *ranks.rows(), shards=2, communicator=communicator, epochs=9, callbacks=[stop]).epochs

    assert in_threads(2, train) == [2, 2]


def test_resumed_within_an_epoch(tmp_path):
    """On another number of ranks, from a checkpoint of every third step, with dropout: the same bits."""
    path = tmp_path / "run"

    def train(communicator, epochs, **options):
        layer = ranks.model(fr.Dropout(0.3, seed=2))
        return ranks.train(communicator, layer, fr.mse_loss, *ranks.rows(), epochs=epochs, **options)

    def stop(communicator):
        act = ranks.Act(communicator, communicator.rank, 7, lambda: [][0])
        checkpoint = fr.Checkpoint(path, every_n_steps=3)
        return train(communicator, 3, checkpoint=checkpoint, callbacks=[act])

    assert all(isinstance(result, IndexError | ConnectionError) for result in in_threads(2, stop))
    expected = train(None, 3)
    assert in_threads(4, lambda c: train(c, 3, checkpoint=path, resume=True)) == [expected] * 4


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("k2", [2, 3, 5])
def test_resumed_within_a_sequence(step, k2, tmp_path):
    """Of which some shards have ended, with the states of all in the checkpoint; on another number of ranks."""
    path = tmp_path / "run"

    def train(communicator, **options):
        layer = fr.Sequential(fr.LSTM(2, 4, 2, dropout=0.3, seed=0), fr.Linear(4, 3, seed=1))
        lengths = [7, 5, 1, 2, 7, 6, 3, 3, 5, 4]
        options |= dict(lengths=lengths, truncate=(2, k2), batch_size=5, shuffle=False, epochs=2)
        return ranks.train(communicator, layer, fr.cross_entropy, *ranks.tagged(10, T=7), **options)

    def stop(communicator):
        act = ranks.Act(communicator, communicator.rank, step + 1, lambda: [][0])
        return train(communicator, checkpoint=fr.Checkpoint(path, every_n_steps=1), callbacks=[act])

    assert all(isinstance(result, IndexError | ConnectionError) for result in in_threads(2, stop))
    expected = train(None)
    assert in_threads(4, lambda c: train(c, checkpoint=path, resume=True)) == [expected] * 4


def test_a_checkpoint_without_the_states_of_the_shards(tmp_path):
    """As a training of whole batches writes it within a sequence: an error, and not another result."""
    path, layer = tmp_path / "run", ranks.tagger()
    options = dict(loss=fr.cross_entropy, truncate=2, epochs=1, batch_size=8)
    act = ranks.Act(fr.distributed.Local(), 0, 2, lambda: [][0])
    with pytest.raises(IndexError):
        fit(layer, *ranks.tagged(8), checkpoint=fr.Checkpoint(path, every_n_steps=1), callbacks=[act], **options)
    message = "training/place/first: expected a list of 4, one for each shard"
    with pytest.warns(UserWarning, match="shards"), pytest.raises(ValueError, match=message):
        fit(layer, *ranks.tagged(8), checkpoint=path, resume=True, shards=4, **options)


def test_resumed_behind_the_end_of_a_batch(tmp_path):
    """Whose sequences have become shorter: no shard goes on."""
    path, options = tmp_path / "run", dict(loss=fr.cross_entropy, truncate=2, epochs=1, batch_size=8, shards=4)
    act = ranks.Act(fr.distributed.Local(), 0, 2, lambda: [][0])
    with pytest.raises(IndexError):
        fit(
            ranks.tagger(),
            *ranks.tagged(8),
            checkpoint=fr.Checkpoint(path, every_n_steps=1),
            callbacks=[act],
            **options,
        )
    message = "training/place/start: expected a step of the batch, which has 1, got 2"
    with pytest.warns(UserWarning, match="time steps of x"), pytest.raises(ValueError, match=message):
        fit(ranks.tagger(), *ranks.tagged(8, T=1), checkpoint=path, resume=True, **options)


def test_resumed_with_other_shards_is_another_training(tmp_path):
    path = tmp_path / "run"
    fit(ranks.model(), *ranks.rows(), epochs=1, shards=2, checkpoint=path)
    with pytest.warns(UserWarning, match=r"Those given are used for shards \(4, in the checkpoint 2\)"):
        fit(ranks.model(), *ranks.rows(), epochs=2, shards=4, checkpoint=path, resume=True)
    with pytest.warns(UserWarning, match="Those given are used for shards"):
        fit(ranks.model(), *ranks.rows(), epochs=2, checkpoint=path, resume=True)


def test_losses_of_shards_are_one_loss():
    """Nothing counts in the last batch."""
    losses = []

    class See:
        def on_step(self, model, step, loss, norm):
            losses.append(loss)

    x, y = np.zeros((3, 8, 2), np.float32), np.array([[0] * 4 + [-100] * 4] * 3)
    layer = ranks.tagger()
    fit(layer, x, y, loss=fr.cross_entropy, shards=4, shuffle=False, batch_size=4, callbacks=[See()], epochs=1)
    assert all(type(loss) is Mean for loss in losses)
    assert [loss.weight for loss in losses] == [12, 0] and losses[1] == 0
    losses.clear()
    summed = lambda y, target: fr.cross_entropy(y, target, reduction="sum")  # noqa: E731
    fit(layer, x, y, loss=summed, shards=4, shuffle=False, batch_size=4, callbacks=[See()], epochs=1)
    assert all(type(loss) is Sum for loss in losses)


def test_how_gradients_are_computed():
    assert type(stepper_of(None, None)) is Alone
    assert type(stepper_of(4, None)) is Sharded
