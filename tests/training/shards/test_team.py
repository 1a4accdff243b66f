# SPDX-License-Identifier: BSD-3-Clause
"""Ranks that differ, or of which one fails: an error of each of them, that names what it is."""

import functools

import numpy as np
import pytest
from support import ranks
from support.ranks import in_threads

import fastrnn as fr
from fastrnn.training._shards.team import Team, as_communicator, as_shards

ROWS = ranks.rows(20)


def fit(communicator, data=ROWS, layer=None, loss=fr.mse_loss, **options):
    layer = ranks.model() if layer is None else layer
    options = {"epochs": 2, "batch_size": 8, "seed": 0, "shards": 4, "progress": False} | options
    return fr.fit(layer, loss, *data, communicator=communicator, **options)


def assert_all(results, kind, text):
    """Every rank has raised this error."""
    for result in results:
        assert isinstance(result, kind) and text in str(result), result


def print_row(model, epoch, row):
    print(row)


class OnStep:
    def on_step(self, model, step, loss, norm): ...


OTHERS = {  # options of rank 1, and what all are told
    "shards": ({"shards": 8}, "shards: expected 4, as on rank 0, got 8 on rank 1"),
    "seed": ({"seed": 1}, "seed: expected 0, as on rank 0, got 1 on rank 1"),
    "rows": ({"data": ranks.rows(19)}, "time steps of x: expected"),
    "batch size": ({"batch_size": 5}, "x.batch_size: expected 8, as on rank 0, got 5"),
    "clip": ({"clip": 1.0}, "clip: expected None, as on rank 0, got 1.0 on rank 1"),
    "metrics": ({"metrics": ["mae"]}, "columns: expected"),
    "loss": ({"loss": fr.l1_loss}, "loss: expected 'mse_loss', as on rank 0, got 'l1_loss'"),
    "model": (
        {"layer": ranks.model(fr.Dropout(0.1))},
        "model.layers.2.type: expected 'Linear', as on rank 0, got 'Dropout' on rank 1",
    ),
    "values": (
        {"data": ([row + 1 for row in ROWS[0]], ROWS[1])},
        "x: expected the bits that rank 0 has, got others in rows ",
    ),
    "epochs": ({"epochs": 3}, "epochs: expected 2, as on rank 0, got 3 on rank 1"),
    "patience": ({"patience": 3}, "patience: expected None, as on rank 0, got 3 on rank 1"),
    "callbacks": ({"callbacks": [print_row]}, "callbacks: expected [], as on rank 0, got ['print_row'] on rank 1"),
    "shuffle": ({"shuffle": False}, "shuffle: expected True, as on rank 0, got False on rank 1"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_trainings_that_differ(name):
    other, text = OTHERS[name]
    assert_all(in_threads(2, lambda c: fit(c, **(other if c.rank else {}))), ValueError, text)


def test_callbacks_that_differ():
    """By their kinds, in their order; another object of the same class is none."""
    kinds = [[OnStep(), print_row], [print_row, OnStep()]]
    results = in_threads(2, lambda c: fit(c, callbacks=kinds[c.rank]))
    text = "callbacks: expected ['OnStep', 'print_row'], as on rank 0, got ['print_row', 'OnStep'] on rank 1"
    assert_all(results, ValueError, text)
    histories = in_threads(2, lambda c: fit(c, callbacks=[OnStep(), functools.partial(print_row)]))
    assert [history.epochs for history in histories] == [2, 2]


def test_optimizers_that_differ():
    def train(communicator):
        layer = ranks.model()
        return fit(communicator, layer=layer, optimizer=fr.Adam(layer, lr=0.1 if communicator.rank else 0.2))

    assert_all(in_threads(2, train), ValueError, "optimizer.lr: expected 0.2, as on rank 0, got 0.1 on rank 1")


def test_versions_that_differ(monkeypatch):
    """A version of NumPy, say, on another machine."""
    reports = in_threads(2, lambda c: Team(c, bool).same("settings", {"version of NumPy": f"2.{c.rank}"}))
    assert_all(reports, ValueError, "version of NumPy: expected '2.0', as on rank 0, got '2.1' on rank 1")


def test_arguments_that_one_rank_refuses():
    results = in_threads(4, lambda c: fit(c, clip=-1.0 if c.rank == 2 else 1.0))
    assert_all(results, ValueError, "clip: expected")
    assert [str(result).startswith("rank 2: ") for result in results] == [True, True, False, True]


def test_shards_that_the_ranks_do_not_divide():
    assert_all(in_threads(4, lambda c: fit(c, shards=2)), ValueError, "shards: expected a multiple of 4, the number of")
    for shards, text in (
        (3, "expected a multiple of 2, the number of processes, got 3"),
        (None, "expected a number such as 8, with a communicator, got None"),
        (0, "least 1"),
    ):
        assert_all(in_threads(2, lambda c, shards=shards: fit(c, shards=shards)), ValueError, text)
    with pytest.raises(TypeError, match="communicator: expected one of fastrnn.distributed, .* got"):
        fit("mpi")
    assert as_communicator(None).size == 1 and as_shards(4, 2) == 4


def test_an_error_in_a_shard_of_one_rank():
    """All others raise one of the same type; the communicator can be used again."""

    def train(communicator):
        def loss(y, target):
            if communicator.rank == 3:
                raise ValueError("no such class")
            return fr.mse_loss(y, target)

        with pytest.raises(ValueError, match="no such class") as caught:
            fit(communicator, loss=loss)
        return str(caught.value), caught.value.__notes__, communicator.gather(communicator.rank)

    results = in_threads(4, train)
    assert [text for text, _, _ in results] == ["rank 3: no such class"] * 3 + ["no such class"]
    assert all(notes[0] == "in step 1 of fit, in epoch 1" and ranks_ == [0, 1, 2, 3] for _, notes, ranks_ in results)


def test_a_second_ctrl_c_of_one_rank():
    """It does not wait for the end of the step, so that the others hear of it as a rank that is elsewhere."""

    def train(communicator):
        def loss(y, target):
            if communicator.rank:
                raise KeyboardInterrupt
            return fr.mse_loss(y, target)

        return fit(communicator, loss=loss)

    assert_all(in_threads(2, train), ValueError, "got at the end by Ctrl-C, with parameters ")


def test_an_error_of_another_type_is_one_in_words():
    class OwnError(Exception):
        pass

    def work(communicator):
        return Team(communicator, bool).agree(("place",), error=OwnError("text") if communicator.rank else None)

    first, second = in_threads(2, work)
    assert isinstance(second, OwnError) and type(first) is RuntimeError and str(first) == "rank 1: OwnError: text"


def test_a_callback_that_fails_on_one_rank():
    """The others learn which it is, and why."""

    def train(communicator):
        return fit(communicator, callbacks=[lambda *_: [][0] if communicator.rank == 3 else None])

    *others, last = in_threads(4, train)
    assert isinstance(last, IndexError)
    assert_all(others, ConnectionError, "rank 3 failed: IndexError: list index out of range; rank ")


def test_a_callback_that_changes_parameters_on_one_rank():
    """Checksums differ after the epoch at the latest."""

    def train(communicator):
        layer = ranks.model()

        def change(model, epoch, row):
            if communicator.rank and epoch == 2:
                model.params["2.bias"] += 1

        return fit(communicator, layer=layer, callbacks=[change])

    assert_all(in_threads(2, train), ValueError, "at the end, with parameters")


@pytest.mark.parametrize("options", [{}, {"monitor": "val_mae", "metrics": ["mae"]}])
def test_batches_of_a_validation_that_differ(options):
    """Nobody compares them; what comes of them would stop ranks in different epochs."""

    def train(communicator):
        validation = [fr.Batch(np.full((3, 2, 2), communicator.rank, np.float32), np.ones((2, 2)))]
        return fit(communicator, validation=validation, **options)

    assert_all(in_threads(2, train), ValueError, "in step 3 with val_loss ")


def test_ranks_that_do_not_all_resume(tmp_path):
    """Or not with the same model."""
    path = tmp_path / "run"
    fit(None, checkpoint=path)
    results = in_threads(2, lambda c: fit(c, checkpoint=path, resume=not c.rank))
    assert_all(results, ValueError, "resume: expected True, as on rank 0, got False on rank 1")
    other = lambda c: ranks.model(fr.Dropout(0.1)) if c.rank else None  # noqa: E731
    results = in_threads(2, lambda c: fit(c, layer=other(c), checkpoint=path, resume=True))
    assert_all(results, ValueError, "model.layers")
    assert str(results[0]).startswith("rank 1: ")


def test_a_model_of_ones_own_that_differs():
    class Own:
        def __init__(self, size):
            self.params, self.grads = {"p": np.zeros(size)}, {"p": np.zeros(size)}

        def zero_grad(self): ...
        def forward(self, x): ...
        def backward(self, tape, dy): ...

    text = "model.params.p: expected ['float64', [2]], as on rank 0, got ['float64', [3]] on rank 1"
    assert_all(in_threads(2, lambda c: fit(c, layer=Own(2 + c.rank))), ValueError, text)


def test_a_checkpoint_that_rank_0_cannot_read(tmp_path):
    (tmp_path / "run").write_bytes(b"no checkpoint")
    results = in_threads(2, lambda c: fit(c, checkpoint=tmp_path / "run", resume=True))
    assert_all(results, ValueError, "run")
    assert_all(in_threads(2, lambda c: fit(c, resume=True)), ValueError, "resume: expected a checkpoint")


def test_a_loss_that_is_not_finite_ends_all():
    data = ROWS[0], np.where(np.arange(20)[:, None] == 7, np.nan, ROWS[1])
    results = in_threads(4, lambda c: fit(c, data))
    assert_all(results, FloatingPointError, "expected a finite loss and gradient")
    assert all("y holds nan or inf in row 7" in result.__notes__ for result in results)
