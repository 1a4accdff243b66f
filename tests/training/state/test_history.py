# SPDX-License-Identifier: BSD-3-Clause
"""The history of a training."""

import pytest

from fastrnn.training._state.history import History


def test_columns():
    history = History()
    assert history.epochs == 0
    history.add({"epoch": 1, "loss": 0.5})
    history.add({"epoch": 2, "loss": 0.25})
    assert history == {"epoch": [1, 2], "loss": [0.5, 0.25]} and history.epochs == 2
    assert history.interrupted is False and history.best_epoch is None


def test_pandas_reads_it():
    pandas = pytest.importorskip("pandas")
    history = History()
    history.add({"epoch": 1, "loss": 0.5})
    frame = pandas.DataFrame(history)
    assert list(frame) == ["epoch", "loss"] and frame.loss[0] == 0.5
