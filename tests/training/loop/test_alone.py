# SPDX-License-Identifier: BSD-3-Clause
"""A training without shards: gradients of whole batches, and nobody to ask."""

import numpy as np
import pytest
from support.training import make_model

import fastrnn as fr
from fastrnn.training._data.source import EpochReader
from fastrnn.training._loop.alone import Alone
from fastrnn.training._loop.loop import Training
from fastrnn.training._loop.metrics import as_metrics
from fastrnn.training._loop.objective import Objective
from fastrnn.training._loop.update import Update


def test_alone(data):
    model = make_model()
    run = Training(
        Objective(model, fr.mse_loss), EpochReader(fr.Batches(*data, seed=0)), Update(model, fr.SGD(model)), [],
        metrics=as_metrics(["mae"]), validation=None, truncate=None,
    )  # fmt: skip
    alone = run.stepper
    assert type(alone) is Alone and alone.writes
    batch = next(iter(fr.Batches(*data, seed=0)))
    (window,) = alone.windows(run, batch, 0, None)
    y, _, tape = model.forward(batch.x, lengths=batch.lengths)
    loss, dy = fr.mse_loss(y, batch.y)
    assert window.loss == loss and alone.scores(run, window) == {"mae": fr.l1_loss(y, batch.y)[0]}
    gradients = {name: g.copy() for name, g in model.grads.items()}
    model.zero_grad()
    model.backward(tape, dy)
    for name, g in gradients.items():
        np.testing.assert_array_equal(g, model.grads[name], err_msg=name)


def test_nobody_to_ask():
    alone = Alone()
    assert alone.agree(None, True) and not alone.agree(None, False)  # type: ignore[arg-type]
    assert alone.first(lambda: "here") == "here"
    with pytest.raises(KeyError), alone.together():
        raise KeyError
