# SPDX-License-Identifier: BSD-3-Clause
"""Trials of optuna: told of every epoch, ended by the pruner, otherwise the trainings that they would be without."""

import numpy as np
import pytest

import fastrnn as fr

optuna = pytest.importorskip("optuna", reason="optuna is not installed: pip install 'fastrnn[optuna]'")

EPOCHS = 4


@pytest.fixture(autouse=True)
def quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


def train(callbacks=(), lr=0.01, **options):
    """The history of a training, whose loss falls with this learning rate and does not with a negligible one."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 40, 1)).astype(np.float32)
    model = fr.Sequential(fr.GRU(1, 4, seed=0), fr.Linear(4, 1, seed=1))
    options = dict(epochs=EPOCHS, batch_size=10, validation=0.25, seed=0, progress=False) | options
    return fr.fit(
        model, fr.mse_loss, x, x.cumsum(axis=0), optimizer=fr.Adam(model, lr=lr), callbacks=list(callbacks), **options
    )


def searched(rates, pruner, monitor="val_loss", **options):
    """A study with a trial for each learning rate, and the number of epochs that each was told of."""
    from fastrnn.optuna import PruningCallback

    study = optuna.create_study(pruner=pruner)
    for lr in rates:
        study.enqueue_trial({"lr": lr})

    def objective(trial):
        lr = trial.suggest_float("lr", 1e-9, 1.0, log=True)
        return train([PruningCallback(trial, monitor)], lr, **options)[monitor][-1]

    study.optimize(objective, n_trials=len(rates))
    return study, [len(trial.intermediate_values) for trial in study.trials]


@pytest.mark.parametrize("monitor", ["val_loss", "loss"])
def test_a_trial_is_told_of_every_epoch(monitor):
    """The column of the history; the first is step 0, as pruners count."""
    study, _ = searched([0.01], optuna.pruners.NopPruner(), monitor)
    expected = train()[monitor]
    assert study.trials[0].intermediate_values == dict(enumerate(expected))
    assert study.best_value == expected[-1]


def test_the_pruner_ends_a_trial():
    """One that learns nothing is worse than the median of the others; the pruner leaves each an epoch."""
    study, told = searched([0.05, 0.01, 1e-9, 0.02], optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1))
    assert [trial.state.name for trial in study.trials[:3]] == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert told[:3] == [EPOCHS, EPOCHS, 2]
    assert study.trials[2].value == study.trials[2].intermediate_values[1]


def test_the_end_says_why():
    from fastrnn.optuna import PruningCallback

    trial = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=1e-6)).ask()
    with pytest.raises(optuna.TrialPruned, match="loss was .* after epoch 1"):
        train([PruningCallback(trial, "loss")])


@pytest.mark.parametrize(
    "trial, monitor, error, message",
    [
        ("trial", "val_loss", TypeError, "trial: expected a trial of optuna, got"),
        (None, 3, TypeError, "monitor: expected the name of a column, got"),
        (
            None,
            "accuracy",
            ValueError,
            "monitor: expected a column of the history, epoch, step, loss, .*got 'accuracy'",
        ),
    ],
)
def test_arguments_that_do_not_fit(trial, monitor, error, message):
    from fastrnn.optuna import PruningCallback

    with pytest.raises(error, match=message):
        train([PruningCallback(trial or optuna.create_study().ask(), monitor)])
