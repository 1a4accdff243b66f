# SPDX-License-Identifier: BSD-3-Clause
"""The output of a model for data of any size."""

import itertools

import numpy as np
import pytest
from support.batches import sequences

import fastrnn as fr

F64 = {"dtype": np.float64}


def nets(batch_first):
    options = {"batch_first": batch_first} | F64
    gru, last = fr.GRU(3, 4, seed=0, **options), fr.LastStep(**options)
    return {
        "steps": fr.Sequential(gru, fr.Linear(4, 2, seed=1, **F64)),
        "rows": fr.Sequential(gru, last),
        "sequences": fr.Sequential(gru, last, fr.RepeatVector(5, **options)),
        "layer": gru,
    }


def called(model, *arguments):
    result = model(*arguments)
    return result[0] if isinstance(result, tuple) else result


CASES = list(itertools.product(nets(False), [False, True], [1, 4, 7, 100]))


@pytest.mark.parametrize(("kind", "batch_first", "batch_size"), CASES)
def test_arrays_give_what_a_call_gives(kind, batch_first, batch_size, rng):
    """To the bit, with lengths and without; also when all batches end before the last step of x."""
    model, x = nets(batch_first)[kind], rng.standard_normal((7, 7, 3))
    for lengths in None, rng.integers(0, 7, 7):
        y = fr.predict(model, x, lengths, batch_size=batch_size)
        expected = np.array(called(model, x, None, lengths))
        if kind == "steps" and lengths is not None:
            (expected if batch_first else expected.swapaxes(0, 1))[np.arange(7) >= lengths[:, None]] = 0
        np.testing.assert_array_equal(y, expected)
        assert y.flags.c_contiguous
    shorter = x.swapaxes(0, 1)[:3].swapaxes(0, 1) if not batch_first else x[:3]
    np.testing.assert_array_equal(fr.predict(model, shorter, batch_size=batch_size), called(model, shorter))


@pytest.mark.parametrize("kind", nets(False))
@pytest.mark.parametrize("batch_first", [False, True])
def test_sequences_and_single_ones(kind, batch_first):
    """Each as if it were alone."""
    model, rows = nets(batch_first)[kind], sequences(20)
    alone = [called(model, np.asarray(row, np.float64)) for row in rows]
    for batch_size in 1, 6, 256:
        y = fr.predict(model, rows, batch_size=batch_size)
        assert isinstance(y, np.ndarray) == (kind in ("rows", "sequences"))
        if kind == "sequences" and not batch_first:
            y = y.swapaxes(0, 1)
        for found, expected in zip(y, alone, strict=True):
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(fr.predict(model, rows[3].tolist() and rows[3]), alone[3])


def test_generators_run_a_batch_when_it_is_asked_for(rng):
    model, x, given = nets(False)["rows"], rng.standard_normal((4, 5, 2, 3)), []

    def batches():
        for batch in x:
            given.append(batch)
            yield batch

    outputs = fr.predict(model, batches())
    assert not given
    np.testing.assert_array_equal(next(outputs), called(model, x[0]))
    assert len(given) == 1 and len(list(outputs)) == 3


def test_tokens_rows_and_inputs_by_name(rng):
    tokens = rng.integers(0, 9, (5, 12))
    reader = fr.Sequential(fr.Embedding(9, 4, seed=0), fr.GRU(4, 2, seed=1))
    np.testing.assert_array_equal(fr.predict(reader, tokens, batch_size=5), reader(tokens)[0])
    np.testing.assert_array_equal(fr.predict(reader, tokens[:, 0]), reader(tokens[:, 0])[0])
    linear, x = fr.Linear(3, 2, seed=0), rng.standard_normal((10, 3))
    np.testing.assert_array_equal(fr.predict(linear, x, batch_size=4), linear(x.astype(np.float32)))
    np.testing.assert_array_equal(fr.predict(linear, x.tolist(), batch_size=4), linear(x.astype(np.float32)))
    translator = fr.Seq2Seq(fr.GRU(1, 2), fr.Embedding(3, 1), fr.GRU(1, 2), fr.Linear(2, 3))
    source, target = rng.standard_normal((4, 6, 1)).astype(np.float32), rng.integers(0, 3, (5, 6))
    logits = fr.predict(translator, {"source": source, "target": target}, batch_size=4)
    np.testing.assert_array_equal(logits, translator(source, target)[0])


def test_numbers_are_converted_and_nothing_is_random():
    model = fr.Sequential(fr.GRU(2, 4, seed=0), fr.Dropout(0.5, seed=1), fr.Linear(4, 1, seed=2))
    x = [[[1, 2], [3, 4]], [[5, 6]]]
    first, second = fr.predict(model, x)
    assert first.shape == (2, 1) and second.dtype == np.float32
    np.testing.assert_array_equal(first, fr.predict(model, x)[0])


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"x: expected \(T, N, 3\), or a single sequence \(T, 3\), got \(5, 2, 4\)", [np.ones((5, 2, 4))]),
        (ValueError, "x: expected at least one row, got none", [[]]),
        (ValueError, "x: expected at least one row, got none", [np.ones((5, 0, 3))]),
        (ValueError, r"lengths: expected \(2,\)", [np.ones((5, 2, 3)), [1]]),
        (ValueError, "lengths: expected none for a list of sequences", [[np.ones((5, 3))], [5]]),
        (TypeError, "lengths: expected none for an iterable of batches, got list", [iter([]), [5]]),
        (TypeError, "x: expected arrays, lists or an iterable of batches, got int", [3]),
    ],
)
def test_what_is_refused(error, message, arguments):
    with pytest.raises(error, match=message):
        fr.predict(nets(False)["layer"], *arguments)
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        fr.predict(nets(False)["layer"], np.ones((5, 2, 3)), batch_size=0)
