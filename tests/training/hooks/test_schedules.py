# SPDX-License-Identifier: BSD-3-Clause
"""Schedules step at their moments."""

from support.training import fit, make_model

import fastrnn as fr


def test_a_plateau_schedule_steps_after_every_epoch(data):
    model = make_model()
    adam = fr.Adam(model, lr=1e-9)
    schedule = fr.ReduceLROnPlateau(adam, factor=0.5, patience=0)
    history = fit(model, data, optimizer=adam, validation=data, schedule=schedule, epochs=4)
    assert history["lr"] == [1e-9, 1e-9, 5e-10, 2.5e-10]
