# SPDX-License-Identifier: BSD-3-Clause
"""Weights of targets in fit and evaluate: the same bits as a loop by hand that gives them to the loss."""

from functools import partial

import numpy as np
import pytest
from support.training import T, assert_same, fit, make_model, tagger

import fastrnn as fr

N = 20  # rows of the tagged data
RTOL = 1e-12  # sums of a few float64 numbers in another order


def by_hand(model, loss, batches, epochs=3):
    """Batches of x, y, lengths and weight, without a shuffle."""
    adam = fr.Adam(model)
    for _ in range(epochs):
        for x, y, lengths, weight in batches:
            out, *_, tape = model.forward(x, lengths=lengths)
            _, dy = loss(out, y, sample_weight=weight, **({} if out.ndim < 3 else {"lengths": lengths}))
            model.zero_grad()
            model.backward(tape, dy)
            adam.step()
    return model.params


def packed_by_hand(model, data, epochs=3):
    """The steps of the rows alone; `weight` is of the rows (N,), or of the steps (T, N)."""
    x, y, lengths, weight = data
    weight = np.broadcast_to(weight, (T, N))
    adam = fr.Adam(model)
    for _ in range(epochs):
        for part in np.split(np.arange(N), range(8, N, 8)):
            rows, targets, weights = (
                fr.pack_sequence([each[: lengths[n], n] for n in part]) for each in (x, y, weight)
            )
            out, _, tape = model.forward(rows)
            _, dy = fr.cross_entropy(out.data, targets.data, sample_weight=weights.data)
            model.zero_grad()
            model.backward(tape, dy)
            adam.step()
    return model.params


@pytest.mark.parametrize("per_row", [True, False])
@pytest.mark.parametrize("batch_first", [False, True])
def test_arrays_with_lengths(per_row, batch_first, tagged):
    x, y, lengths, rows, steps = tagged
    weight, turn = rows if per_row else steps, (lambda a: a.swapaxes(0, 1)) if batch_first else (lambda a: a)
    expected = packed_by_hand(tagger(batch_first), (x, y, lengths, weight))
    model = tagger(batch_first)
    given = weight if per_row else turn(weight)
    options = {"shuffle": False, "lengths": lengths, "sample_weight": given}
    fit(model, (turn(x), turn(y)), fr.cross_entropy, **options)
    assert_same(model, expected)


def test_rows_of_a_regression_with_missing_targets(data):
    """A target of weight 0 may be nan, in fit, in a fraction as validation, and in evaluate; elements, too."""
    x, means = data
    weight = np.ones(means.shape)
    weight[::3, 1] = weight[-1] = 0
    missing = np.where(weight > 0, means, np.nan)
    order = np.arange(16)
    batches = []
    for part in np.split(order, [8]):
        lengths = np.array([len(x[n]) for n in part])
        padded = np.zeros((lengths.max(), len(part), 2), np.float32)
        for k, n in enumerate(part):
            padded[: lengths[k], k] = x[n]
        batches.append((padded, missing[part], lengths, weight[part]))
    expected = by_hand(make_model(), fr.mse_loss, batches)
    model = make_model()
    options = {"validation": 0.2, "restore_best": False, "shuffle": False, "sample_weight": weight}
    history = fit(model, (x, missing), **options)
    assert_same(model, expected)
    y = fr.predict(model, x)
    last = fr.mse_loss(y[16:], missing[16:], sample_weight=weight[16:])[0]
    np.testing.assert_allclose(history["val_loss"][-1], last, rtol=RTOL)
    whole = fr.evaluate(model, fr.mse_loss, x, missing, sample_weight=weight, batch_size=3)["loss"]
    np.testing.assert_allclose(whole, fr.mse_loss(y, missing, sample_weight=weight)[0], rtol=RTOL)


def test_they_go_with_the_rows_through_shuffling(data):
    """Copies of a row, and a row with that number as its weight, are the same whole batch."""
    x, means = data
    counts = np.random.default_rng(1).integers(0, 3, len(x))
    copies = np.repeat(np.arange(len(x)), counts)
    models = make_model(), make_model()
    for model, rows, options in (
        (models[0], np.arange(len(x)), {"sample_weight": counts}),
        (models[1], copies, {}),
    ):
        fit(model, ([x[n] for n in rows], means[rows]), batch_size=100, epochs=2, **options)
    for name, p in models[0].params.items():
        np.testing.assert_allclose(p, models[1].params[name], atol=1e-4)
    assert np.abs(models[0].params["0.weight_hh_l0"] - make_model().params["0.weight_hh_l0"]).max() > 1e-3


@pytest.mark.parametrize("per_row", [True, False])
def test_truncated_and_in_chunks(per_row, tagged):
    """A list is padded as its sequences, and cut in time as they are."""
    x, y, lengths, rows, steps = tagged
    weight = rows if per_row else steps
    listed = [steps[:n, k] for k, n in enumerate(lengths)]
    data = [x[:n, k] for k, n in enumerate(lengths)], [y[:n, k] for k, n in enumerate(lengths)]
    model, hand = tagger(), tagger()
    adam = fr.Adam(hand)
    state = None
    for begin in range(0, T, 4):
        piece = slice(begin, begin + 4)
        left = np.clip(lengths - begin, 0, 4)[:N]
        out, state, tape = hand.forward(x[piece], state, np.minimum(left, len(x[piece])))
        w = weight if per_row else weight[piece]
        _, dy = fr.cross_entropy(out, y[piece], lengths=np.minimum(left, len(x[piece])), sample_weight=w)
        hand.zero_grad()
        hand.backward(tape, dy)
        adam.step()
    given = list(rows) if per_row else listed
    options = {"truncate": 4, "epochs": 1, "batch_size": N, "shuffle": False, "sample_weight": given}
    fit(model, data, fr.cross_entropy, **options)
    assert_same(model, hand.params)
    expected = fr.cross_entropy(model(x, lengths=lengths)[0], y, lengths=lengths, sample_weight=weight)[0]
    for chunk in None, 2:
        result = fr.evaluate(model, fr.cross_entropy, *data, sample_weight=given, batch_size=7, chunk=chunk)
        np.testing.assert_allclose(result["loss"], expected, rtol=1e-6)  # outputs are float32


def test_a_loss_of_ones_own(tagged):
    """Without an argument lengths it sees the weights of the positions that count."""
    x, y, lengths, rows, steps = tagged

    def loss(y, target, sample_weight=None):
        return fr.cross_entropy(y, target, sample_weight=sample_weight)

    for weight in rows, steps:
        models = tagger(), tagger()
        for model, function in zip(models, (loss, fr.cross_entropy), strict=True):
            fit(model, (x, y), function, lengths=lengths, sample_weight=weight)
        assert_same(models[0], models[1].params)


def test_a_loss_of_rows(rng):
    x, labels = rng.standard_normal((6, 4, 2)).astype(np.float32), [[1], [1, 2], [2], [2, 2]]
    weight = np.array([0.5, 2.0, 0.0, 1.0])
    model = tagger()
    y, _ = model(x)
    got = fr.evaluate(model, fr.ctc_loss, list(x.swapaxes(0, 1)), labels, sample_weight=weight, batch_size=3)["loss"]
    np.testing.assert_allclose(got, fr.ctc_loss(y, labels, None, sample_weight=weight)[0], rtol=1e-6)


def test_what_is_refused(tagged):
    x, y, _, rows, _ = tagged
    batches, own = fr.Batches(x, y, per_step=True), lambda y, target: (0.0, np.zeros_like(y))
    own.__name__ = "own"
    for loss, data, options, error, message in [
        (own, (x, y), {"sample_weight": rows}, TypeError, "sample_weight: expected a loss with .* got own"),
        (own, (x, y), {"class_weight": {}}, TypeError, "class_weight: expected a loss with an argument sample_weight"),
        (
            fr.mse_loss,
            (x, y),
            {"class_weight": {}},
            TypeError,
            "class_weight: .* cross_entropy, got mse_loss; give sam",
        ),
        (
            fr.cross_entropy,
            (batches,),
            {"sample_weight": rows},
            ValueError,
            "sample_weight: expected none, since Batch",
        ),
        (fr.cross_entropy, (batches,), {"class_weight": "balanced"}, ValueError, "class_weight: .* Batches gives its"),
        (
            fr.cross_entropy,
            (x, y),
            {"sample_weight": rows[1:]},
            ValueError,
            r"sample_weight: expected \(20,\), one for",
        ),
    ]:
        for function in fr.evaluate, partial(fr.fit, progress=False):
            with pytest.raises(error, match=message):
                function(tagger(), loss, *data, **options)


def test_the_note_of_a_failure_leaves_out_what_does_not_count(rng):
    """nan in x is named; nan in targets of weight 0 is not its cause."""
    x, y = rng.standard_normal((6, 2)).astype(np.float32), rng.standard_normal((6, 1))
    x[2], y[3] = np.nan, np.nan
    with pytest.raises(FloatingPointError) as caught:
        fit(fr.Linear(2, 1, seed=0), (x, y), sample_weight=[1, 1, 1, 0, 1, 1])
    assert "x of this batch holds nan or inf" in caught.value.__notes__
    assert "x holds nan or inf in row 2" in caught.value.__notes__
    assert not any(note.startswith("y") for note in caught.value.__notes__)
