# SPDX-License-Identifier: BSD-3-Clause
"""What layers report besides gradients is a column of the history."""

import numpy as np
import pytest
from support.training import assert_same, but_seconds, fit

import fastrnn as fr


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
