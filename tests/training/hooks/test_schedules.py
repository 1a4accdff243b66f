# SPDX-License-Identifier: BSD-3-Clause
"""Schedules step at their moments."""

import pytest
from support.training import assert_same, fit, make_model

import fastrnn as fr


def test_a_plateau_schedule_steps_after_every_epoch(data):
    model = make_model()
    adam = fr.Adam(model, lr=1e-9)
    schedule = fr.ReduceLROnPlateau(adam, factor=0.5, patience=0)
    history = fit(model, data, optimizer=adam, validation=data, schedule=schedule, epochs=4)
    assert history["lr"] == [1e-9, 1e-9, 5e-10, 2.5e-10]


@pytest.mark.parametrize("per, rates", [("update", [1 / 8, 1 / 64, 1 / 512]), ("epoch", [1, 1 / 2, 1 / 4])])
def test_other_schedules_step_after_every_update_or_epoch(data, per, rates):
    """Of three updates in an epoch; the history has the rate at its end, before what steps after it."""
    model = make_model()
    sgd = fr.SGD(model, lr=2.0**-30)
    schedule = fr.ExponentialLR(sgd, 0.5, per=per)
    history = fit(model, data, optimizer=sgd, schedule=schedule, epochs=3)
    assert history["step"] == [3, 6, 9] and schedule.count == {"update": 9, "epoch": 3}[per]
    assert [rate * 2.0**30 for rate in history["lr"]] == rates


def test_a_training_resumes_with_a_schedule_per_epoch(data, tmp_path):
    """The same bits; what a schedule is does not depend on the checkpoint."""

    def train(epochs, **options):
        model = make_model()
        adam = fr.Adam(model, lr=0.1)
        schedule = fr.LinearWarmup(adam, 2, after=fr.MultiStepLR(adam, [1], per="epoch"), per="epoch")
        return model, fit(model, data, optimizer=adam, schedule=schedule, epochs=epochs, **options)

    whole, history = train(4)
    train(2, checkpoint=tmp_path / "run")
    resumed, _ = train(4, checkpoint=tmp_path / "run", resume=True)
    assert_same(resumed, whole.params)
    assert history["lr"] == [0.05, 0.1, 0.1, pytest.approx(0.01)]


def test_an_object_that_only_steps_is_a_schedule_per_update(data):
    class Counter:
        def __init__(self):
            self.count = 0

        def step(self):
            self.count += 1

    model, counter = make_model(), Counter()
    history = fit(model, data, schedule=counter, epochs=1)
    assert counter.count == history["step"][0] > 1
