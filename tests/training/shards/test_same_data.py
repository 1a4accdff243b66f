# SPDX-License-Identifier: BSD-3-Clause
"""Mapped data that differ between ranks: what is noticed before the first step, and what in one of the steps."""

import zlib

import numpy as np
import pytest
from support import ranks
from support.ranks import in_threads

import fastrnn as fr
from fastrnn.training._data.source import EpochReader
from fastrnn.training._data.weights import with_sample_weight
from fastrnn.training._shards.same_data import SAMPLE, checksum, compared_in_step, description_of, sample_of

X, Y = ranks.tagged(200)
SEQUENCES, MEANS = ranks.rows(200, longest=3)


def swapped(rows):
    """The second and third of these rows, of 200, in the other order: none of them is in the sample."""
    return np.r_[:1, 2, 1, 3 : len(rows)]


def another(array, n):
    """A copy with another number in row n, which is on axis 1."""
    array = array.copy()
    array[:, n] += 1
    return array


def mapped(path, array):
    """The same in a file, of which ranks read samples."""
    copy = np.memmap(path, array.dtype, "w+", shape=array.shape)
    copy[:] = array
    return copy


OTHERS = {  # data of rank 1, and what all ranks are told before the first step
    "order": ((X[:, ::-1], Y[:, ::-1]), "checksum of row 0 of x and y: expected"),
    "values": ((X + 1, Y), "checksum of row 0 of x and y: expected"),
    "targets": ((X, 2 - Y), "checksum of row "),
    "last value": ((another(X, 199), Y), "checksum of row 199 of x and y: expected"),
    "dtype": ((X.astype(np.float64), Y), "x: expected 'float32 of shape (5, 200, 2)', as on rank 0, got 'float64 of"),
    "dtype of y": ((X, Y.astype(np.int32)), "y: expected 'int64 of shape (5, 200)', as on rank 0, got 'int32 of"),
    "rows": ((X[:, :199], Y[:, :199]), "time steps of x: expected 1000, as on rank 0, got 995 on rank 1"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_arrays_that_differ_are_noticed_before_the_first_step(name, tmp_path):
    other, text = OTHERS[name]

    def train(communicator):
        arrays = other if communicator.rank else (X, Y)
        data = [mapped(tmp_path / f"{communicator.rank}-{k}", array) for k, array in enumerate(arrays)]
        return ranks.train(communicator, ranks.tagger(), fr.cross_entropy, *data, epochs=1)

    results = in_threads(2, train)
    assert all(isinstance(result, ValueError) and text in str(result) for result in results), results


def test_lengths_in_another_order():
    """Of as many steps together."""
    lengths = np.arange(200) % 5 + 1

    def train(communicator):
        own = lengths[swapped(lengths)] if communicator.rank else lengths
        return ranks.train(communicator, ranks.tagger(), fr.cross_entropy, X, Y, lengths=own, epochs=1)

    for result in in_threads(2, train):
        assert isinstance(result, ValueError) and "checksum of all lengths: expected " in str(result)


def test_a_validation_that_differs(tmp_path):
    def train(communicator):
        x = mapped(tmp_path / str(communicator.rank), another(X, 0) if communicator.rank else X)
        validation = x, Y
        return ranks.train(communicator, ranks.tagger(), fr.cross_entropy, X, Y, epochs=1, validation=validation)

    for result in in_threads(2, train):
        assert isinstance(result, ValueError) and "checksum of row 0 of the validation: expected" in str(result)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_single_row_that_differs_is_found_in_a_step(shuffle, tmp_path):
    """Also where each batch has the same rows in each epoch, which has as many batches as a batch has rows."""
    x = [mapped(tmp_path / f"{k}", array[:, :64]) for k, array in enumerate((X, another(X, 23)))]
    numbers = np.linspace(0, 63, SAMPLE).round()
    assert 23 not in numbers

    def train(communicator):
        options = dict(shuffle=shuffle, batch_size=8, epochs=30)
        return ranks.train(communicator, ranks.tagger(), fr.cross_entropy, x[communicator.rank], Y[:, :64], **options)

    for result in in_threads(2, train):
        assert isinstance(result, ValueError) and " with row 23 of checksum " in str(result), result


def test_every_row_has_its_turn():
    """In 20 epochs of batches that stay, of 5 or 8 rows each."""
    for size in 5, 8:
        reader = EpochReader(fr.Batches(X[:, :40], Y[:, :40], batch_size=size, shuffle=False, per_step=True))
        draws = [draw for _ in range(20) for draw in reader.draws()]
        assert {compared_in_step(draw, step)[1] for step, draw in enumerate(draws)} == set(range(40))


def test_a_batch_of_an_iterable_is_compared_whole():
    batch = fr.Batch(X, Y)
    assert compared_in_step(batch, 3) == ("with batch", checksum(batch))
    assert description_of("", [batch]) == sample_of("x", [batch]) == {}


def test_rows_keep_the_numbers_that_they_have_in_the_data():
    first, last = fr.Batches(X, Y, shuffle=False, per_step=True, batch_size=4).split(0.25)
    assert [*sample_of("x", first)][-1] == "checksum of row 149 of x"
    assert [*sample_of("x", last)][0] == "checksum of row 150 of x" and len(sample_of("x", last)) == SAMPLE
    assert compared_in_step(next(EpochReader(last).draws()), 0)[1] == 150
    assert len(sample_of("x", fr.Batches(X[:, :3], Y[:, :3], per_step=True))) == 3


def test_what_is_described():
    """Inputs by name, weights, sequences, rows that a function of the caller reads."""
    batches = fr.Batches({"a": X[0, :, 0], "b": [row[:1] for row in Y.T]}, Y[0], per_step=False)
    assert description_of("x.", batches) == {
        "x.x['a']": "float32 of shape (200,)", "x.x['b']": "a list of 200, with steps of int64 of shape ()",
        "x.y": "int64 of shape (200,)", "x.checksum of all lengths": zlib.crc32(np.full(200, 1, "<i8").tobytes()),
    }  # fmt: skip
    batches = fr.Batches(SEQUENCES, MEANS)
    batches._rows = with_sample_weight(batches._rows, np.ones(200))
    described = description_of("", batches)
    assert described["x"] == "a list of 200, with steps of float32 of shape (2,)"
    assert described["weights"] == "float64 of shape (200,)"
    batches = fr.Batches(["a", "bc"], [0, 1], collate_fn=lambda x, y: (np.ones((1, len(x), 2)), y))
    assert description_of("", batches)["x"] == "a list of 2, with steps of str"


def test_a_checksum_is_of_all_that_a_batch_holds():
    """Values, shapes, dtypes and lengths; rows that do not fit each other; names that are no numbers are left out."""
    x = np.arange(24.0, dtype=np.float32).reshape(4, 3, 2)
    batches = [fr.Batch(x, x), fr.Batch(x + 1, x), fr.Batch(x, x + 1), fr.Batch(x.astype(np.float64), x)]
    batches += [fr.Batch(x.reshape(2, 6, 2), x), fr.Batch(x, x, [1, 2, 3]), fr.Batch({"x": x}, [[1], [2, 3]])]
    batches += [fr.Batch({"x": x}, [[1], [2, 4]]), fr.Batch((x, 0.5), [1, 2]), fr.Batch(x[:0], None)]
    sums = [checksum(batch) for batch in batches]
    assert len(set(sums)) == len(sums)
    assert checksum(fr.Batch(x[:, ::-1], x)) == checksum(fr.Batch(x[:, ::-1].copy(), x))
