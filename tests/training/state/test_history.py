# SPDX-License-Identifier: BSD-3-Clause
"""The history of a training."""

import sys

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


def test_printed_it_is_a_table():
    history = History()
    assert repr(history) == "no epochs"
    for epoch in range(1, 13):
        history.add({"epoch": epoch, "loss": 1 / epoch, "val_accuracy": 0.5})
    lines = str(history).splitlines()
    assert lines[0] == "epoch    loss val_accuracy" and len(lines) == 13
    assert lines[1] == "    1       1          0.5" and lines[-1] == "   12 0.08333          0.5"
    assert len({len(line) for line in lines}) == 1


def test_a_long_table_has_its_ends_and_the_best_epoch():
    history = History(epoch=list(range(1, 101)), loss=[1 / epoch for epoch in range(1, 101)])
    first, last = ["1", "2", "3", "4", "5", "6"], ["95", "96", "97", "98", "99", "100"]
    assert [line.split()[0] for line in repr(history).splitlines()] == ["epoch", *first, "...", *last]
    history.best_epoch, history.interrupted = 50, True
    words = [line.split()[0] for line in repr(history).splitlines()]
    assert words == ["epoch", *first, "...", "50", "...", *last, "best"]
    assert repr(history).endswith("\nbest epoch: 50, interrupted by Ctrl-C")
    history.best_epoch = 94  # next to the last ones
    assert [line.split()[0] for line in repr(history).splitlines()] == ["epoch", *first, "...", "94", *last, "best"]


def test_a_table_of_columns_that_a_user_changed():
    """Without epochs, and of different lengths."""
    history = History(loss=[0.5, 0.25], note=["first"])
    history.best_epoch, history.exhausted = 1, True
    assert str(history).splitlines() == [
        "loss  note", " 0.5 first", "0.25      ", "best epoch: 1, ended early, with its batches",
    ]  # fmt: skip


def test_as_a_table_of_pandas(monkeypatch):
    pandas = pytest.importorskip("pandas")
    table = History(epoch=[1, 2], loss=[0.5, 0.25]).to_dataframe()
    pandas.testing.assert_frame_equal(
        table, pandas.DataFrame({"loss": [0.5, 0.25]}, index=pandas.Index([1, 2], name="epoch"))
    )
    assert History().to_dataframe().empty
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "fastrnn\[inspect\]"'):
        History().to_dataframe()
