# SPDX-License-Identifier: BSD-3-Clause
"""Shards of a batch: consecutive rows, each once, wherever the batch has its rows; a rank gathers those of its own."""

import numpy as np
import pytest
from support import ranks
from support.ranks import in_threads

import fastrnn as fr
from fastrnn.training._data.batch import weight_of
from fastrnn.training._data.draw import Draw
from fastrnn.training._data.reading import reading_of
from fastrnn.training._data.source import EpochReader
from fastrnn.training._data.weights import with_sample_weight
from fastrnn.training._shards.cut import Cut, rows_of_batch


def shards_of(batches, shards=4):
    draw = next(EpochReader(batches).draws())
    cut = Cut(draw, None, shards)
    return draw.batch(), [cut.shard(k) for k in range(shards)]


@pytest.mark.parametrize("count, sizes", [(8, [2, 2, 2, 2]), (7, [1, 2, 2, 2]), (3, [0, 1, 1, 1]), (1, [0, 0, 0, 1])])
def test_rows_are_divided_by_their_number(count, sizes):
    x = np.arange(5 * count, dtype=np.float32).reshape(5, count, 1)
    batch, shards = shards_of(fr.Batches(x, np.arange(count), batch_size=8, per_step=False, seed=0))
    assert [0 if shard is None else shard.x.shape[1] for shard in shards] == sizes
    there = [shard for shard in shards if shard is not None]
    np.testing.assert_array_equal(np.concatenate([shard.x for shard in there], axis=1), batch.x)
    np.testing.assert_array_equal(np.concatenate([shard.y for shard in there]), batch.y)


def test_a_shard_of_sequences_ends_with_its_own_longest():
    x = [np.full((length, 1), length, np.float32) for length in (5, 1, 3, 2)]
    _, shards = shards_of(fr.Batches(x, [0, 1, 2, 3], batch_size=4, shuffle=False), 2)
    assert [shard.x.shape for shard in shards] == [(5, 2, 1), (3, 2, 1)]
    assert [list(shard.lengths) for shard in shards] == [[5, 1], [3, 2]]
    assert [list(shard.y) for shard in shards] == [[0, 1], [2, 3]]


def test_the_second_part_of_a_split_has_its_own_rows():
    x = np.arange(10.0).reshape(1, 10, 1)
    _, last = fr.Batches(x, np.arange(10), per_step=False, shuffle=False).split(0.4)
    batch, shards = shards_of(last, 2)
    assert [list(shard.y) for shard in shards] == [[6, 7], [8, 9]] and list(batch.y) == [6, 7, 8, 9]


def test_weights_go_with_their_rows():
    batches = fr.Batches(np.zeros((2, 4, 1)), np.zeros((2, 4)), batch_size=4, per_step=True, shuffle=False)
    batches._rows = with_sample_weight(batches._rows, [0.0, 1.0, 2.0, 3.0])
    _, shards = shards_of(batches, 2)
    assert [list(weight_of(shard)) for shard in shards] == [[0, 1], [2, 3]]


ROWS = np.array([1, 2])
X = np.arange(24.0, dtype=np.float32).reshape(4, 3, 2)


def part_of(model, *batch, labels=False):
    count, take = rows_of_batch(fr.Batch(*batch), reading_of(model, labels))
    assert count == 3
    return take(ROWS)


def test_other_batches_are_cut_where_the_model_has_its_rows():
    """Time first, rows first, without time; targets of steps and of rows."""
    gru = fr.GRU(2, 4)
    part = part_of(gru, X, X[..., 0], [4, 2, 1])
    np.testing.assert_array_equal(part.x, X[:2, ROWS])
    np.testing.assert_array_equal(part.y, X[:2, ROWS, 0])
    assert list(part.lengths) == [2, 1]
    x = X.swapaxes(0, 1)
    part = part_of(fr.Sequential(fr.GRU(2, 4, batch_first=True), fr.LastStep(batch_first=True)), x, np.arange(3))
    np.testing.assert_array_equal(part.x, x[ROWS])
    assert list(part.y) == [1, 2] and part.lengths is None
    part = part_of(fr.Sequential(fr.Linear(2, 4), fr.Activation("tanh")), X[0], X[1])
    np.testing.assert_array_equal(part.x, X[0, ROWS])
    np.testing.assert_array_equal(part.y, X[1, ROWS])


def test_labels_of_rows_in_a_list():
    part = part_of(fr.GRU(2, 4), X, [[1], [2, 2], [3, 3, 3]], [4, 3, 2], labels=True)
    np.testing.assert_array_equal(part.x, X[:3, ROWS])
    assert part.y == [[2, 2], [3, 3, 3]] and list(part.lengths) == [3, 2]


class Two:
    """A model of two inputs."""

    params = grads = {}  # noqa: RUF012

    def zero_grad(self): ...
    def forward(self, a, b, share=0.0): ...
    def backward(self, tape, dy): ...


def test_several_inputs_and_numbers_that_are_of_no_row():
    a, b = X[..., 0], np.arange(3)
    part = part_of(Two(), {"a": a, "share": 0.5, "b": b}, a, [4, 4, 1])
    assert list(part.x) == ["a", "share", "b"] and part.x["share"] == 0.5 and list(part.x["b"]) == [1, 2]
    np.testing.assert_array_equal(part.x["a"], a[:, ROWS])
    np.testing.assert_array_equal(part.y, a[:, ROWS])
    assert list(part.lengths) == [4, 1]
    x = part_of(Two(), (a, b, 0.5), None).x
    assert isinstance(x, tuple) and list(x[1]) == [1, 2] and x[2] == 0.5


def test_targets_of_another_number_of_rows():
    with pytest.raises(ValueError, match="y: expected 3 rows, as x has, got 2"):
        rows_of_batch(fr.Batch(X, [[1], [2]]), reading_of(fr.GRU(2, 4), True))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_each_rank_reads_its_own_rows(size):
    """After a sample of single rows: of each step the same row on all ranks, which is compared, and its own shards."""
    data = [(n,) for n in range(45)], np.zeros((45, 2))
    expected = fr.Batches(*data, batch_size=10, seed=1, collate_fn=lambda x, y: (x, y))
    batches = [expected.rows.tolist() for _ in expected]

    def train(communicator):
        read = []

        def load(rows, targets):
            read.append([n for (n,) in rows])
            return np.ones((1, len(rows), 2), np.float32), np.array(targets)

        x = fr.Batches(*data, batch_size=10, seed=1, collate_fn=load)
        ranks.train(communicator, ranks.model(), fr.mse_loss, x, epochs=1)
        return read

    sample = 0 if size == 1 else 32
    everyone = in_threads(size, train)
    own = 4 // size + (size > 1)  # what a rank reads in a step
    for rank, read in enumerate(everyone):
        assert len(read) == sample + 5 * own and all(len(rows) == 1 for rows in read[:sample])
        for k, rows in enumerate(batches):
            step = read[sample + k * own : sample + (k + 1) * own]
            shards = [rows[i * len(rows) // 4 : (i + 1) * len(rows) // 4] for i in range(4)]
            assert step[size > 1 :] == shards[rank * 4 // size : (rank + 1) * 4 // size]
            assert size == 1 or (step[0] == everyone[0][sample + k * own] and step[0][0] in rows)


CASES = [ranks.plain, ranks.ragged, ranks.dropout, ranks.weighted, ranks.penalties, ranks.empty_shards, ranks.summed]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_no_rank_gathers_a_whole_batch(case, monkeypatch):
    """Arrays, sequences, lengths, weights, batches with fewer rows than shards."""
    expected = case(None)
    monkeypatch.delattr(Draw, "batch")
    assert in_threads(2, case) == [expected] * 2 and case(None) == expected
