# SPDX-License-Identifier: BSD-3-Clause
"""cross_entropy with probabilities of classes as targets, and one-hot labels, which are none."""

import re

import numpy as np
import pytest
from support.foreign_arrays import OnlyDLPack
from support.losses import (
    LOGITS,
    RTOL,
    TARGETS,
    WEIGHT,
    N,
    T,
    V,
    assert_close,
    assert_same_bits,
    both_dtypes,
    class_batch,
    log_softmax,
)

from fastrnn.losses import cross_entropy

PROBABILITIES = np.random.default_rng(4).dirichlet(np.ones(V), (T, N))
each_option = pytest.mark.parametrize(
    "options",
    [{}, {"weight": WEIGHT}, {"label_smoothing": 0.1}, {"weight": WEIGHT, "label_smoothing": 0.3}],
    ids=["plain", "weight", "smoothing", "both"],
)


def textbook(logits, targets, counted, weight=None, label_smoothing=0.0):
    """As PyTorch documents it: the mean over the positions, whatever the weights of the classes."""
    z, y = logits[counted].astype(np.float64), targets[counted].astype(np.float64)
    q = ((1 - label_smoothing) * y + label_smoothing / V) * (1 if weight is None else weight)
    dlogits = np.zeros(logits.shape)
    dlogits[counted] = (np.exp(log_softmax(z)) * q.sum(axis=-1, keepdims=True) - q) / len(z)
    return -(q * log_softmax(z)).sum() / len(z), dlogits


@both_dtypes
@each_option
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.filterwarnings("error")
def test_matches_the_definition(options, batch_first, dtype):
    logits, targets = class_batch(dtype)[0], PROBABILITIES.astype(dtype)
    inside = np.arange(T)[:, None] < np.array([4, 0, 5])
    if batch_first:
        logits, targets, inside = logits.swapaxes(0, 1), targets.swapaxes(0, 1), inside.T
    expected = textbook(logits, targets, inside, **options)
    logits[~inside] = targets[~inside] = np.nan
    result = cross_entropy(logits, targets, lengths=[4, 0, 5], batch_first=batch_first, **options)
    assert_close(result, expected, dtype, RTOL)
    assert not result[1][~inside].any()


@both_dtypes
@each_option
def test_torch_agrees(options, dtype):
    torch = pytest.importorskip("torch")
    theirs = {name: torch.tensor(value.astype(dtype)) if name == "weight" else value for name, value in options.items()}
    for reduction in "mean", "sum":
        z = torch.tensor(LOGITS.astype(dtype).reshape(-1, V), requires_grad=True)
        y = torch.tensor(PROBABILITIES.astype(dtype).reshape(-1, V))
        loss = torch.nn.functional.cross_entropy(z, y, reduction=reduction, **theirs)
        loss.backward()
        result = cross_entropy(LOGITS.astype(dtype), PROBABILITIES.astype(dtype), reduction=reduction, **options)
        assert_close(result, (loss.item(), z.grad.numpy().reshape(T, N, V)), dtype, RTOL)


@both_dtypes
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_certain_probabilities_are_classes(label_smoothing, dtype):
    logits, targets = class_batch(dtype)
    for kind in np.float16, np.float32, np.float64:
        one_hot = np.eye(V, dtype=kind)[targets]
        expected = cross_entropy(logits, targets, label_smoothing=label_smoothing)
        assert_close(cross_entropy(logits, one_hot, label_smoothing=label_smoothing), expected, dtype, RTOL)


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_forbidden_classes_cost_nothing_without_probability(dtype):
    row = np.array([[0, -np.inf, 0]], dtype)
    assert cross_entropy(row, [[0.5, 0.0, 0.5]])[0] == pytest.approx(np.log(2), rel=RTOL[dtype])
    assert cross_entropy(row, [[0.5, 0.5, 0.0]])[0] == np.inf
    assert np.isnan(cross_entropy(np.array([[0, np.nan, 0]], dtype), [[1.0, 0.0, 0.0]])[0])


def changed(at, value):
    targets = PROBABILITIES.copy()
    targets[at] = value
    return targets


ONE_HOT = "integers (5, 3), got {} (5, 3, 7); use targets.argmax(axis=-1) if they are one-hot, targets.astype(float)"


@pytest.mark.parametrize(
    "targets, options, error, text",
    [
        (np.eye(V, dtype=int)[TARGETS], {}, ValueError,
         f"targets: expected the class of each position, {ONE_HOT.format('int64')} if probabilities"),
        (np.eye(V, dtype=bool)[TARGETS], {}, ValueError,
         f"targets: expected the class of each position, {ONE_HOT.format('bool')} if probabilities"),
        (2 * PROBABILITIES, {}, ValueError, "targets.sum(axis=-1): expected probabilities, 1, got"),
        (changed((3, 1, 4), np.nan), {}, ValueError,
         "targets: expected probabilities >= 0, got nan at position (3, 1, 4)"),
        (changed((3, 1, 4), -0.5), {}, ValueError,
         "targets: expected probabilities >= 0, got -0.5 at position (3, 1, 4)"),
        (changed((3, 1), [0.5, 0, 0, 0, 0, 0, 0.25]), {}, ValueError,
         "targets.sum(axis=-1): expected probabilities, 1, got 0.75 at position (3, 1)"),
        (PROBABILITIES, {"ignore_index": 0}, ValueError,
         "ignore_index: expected none for probabilities, which are not classes, got 0"),
        (PROBABILITIES[..., :6], {}, TypeError, "targets: expected integers, got float64"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_and_what_came(targets, options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}"):
        cross_entropy(LOGITS, targets, **options)


def test_any_array_is_taken_and_none_is_written_to():
    expected = cross_entropy(LOGITS, PROBABILITIES)
    logits, targets = LOGITS.copy(), PROBABILITIES.copy()
    for array in logits, targets:
        array.flags.writeable = False  # a write would raise
    for z, y in [
        (logits, targets),
        (logits.tolist(), targets.tolist()),
        (np.asfortranarray(logits), np.asfortranarray(targets)),
        (OnlyDLPack(LOGITS.copy()), OnlyDLPack(PROBABILITIES.copy())),
    ]:
        assert_same_bits(cross_entropy(z, y), expected)


def test_probabilities_that_are_ignored_are_not_checked():
    for options in {"lengths": [3, 5, 5]}, {"sample_weight": [0, 1, 1]}:
        assert np.isfinite(cross_entropy(LOGITS, changed((4, 0), np.nan), **options)[0])
