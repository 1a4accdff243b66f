# SPDX-License-Identifier: BSD-3-Clause
"""linear_cross_entropy beside a Linear, cross_entropy, and the way back: the same bits in little memory."""

import tracemalloc

import numpy as np
import pytest
from support.layers import assert_same_bits
from support.losses import both_dtypes

import fastrnn as fr
import fastrnn.losses._linear_cross_entropy as module
from fastrnn._engine import recycled
from fastrnn.losses import linear_cross_entropy
from fastrnn.losses._linear_cross_entropy import linear_cross_entropy_value
from fastrnn.nn._frozen import frozen

T, N, FEATURES, V = 150, 4, 5, 19  # two parts of 256 positions, and a rest
RNG = np.random.default_rng(3)
TARGETS = RNG.integers(0, V, (T, N))
WEIGHT = np.where(np.arange(V) % 4, RNG.uniform(size=V), 0)  # of the classes: some do not count
LENGTHS = [T, 0, 33, 120]

CASES = {
    "plain": {},
    "ignored": {"targets": np.where(RNG.uniform(size=(T, N)) < 0.4, -100, TARGETS)},
    "all ignored": {"targets": np.full((T, N), 2), "ignore_index": 2},
    "lengths": {"lengths": LENGTHS},
    "class weights": {"weight": WEIGHT},
    "class weights, smoothed": {"weight": WEIGHT, "label_smoothing": 0.1},
    "sample weights": {"sample_weight": RNG.integers(0, 3, (T, N))},
    "weights of rows": {"sample_weight": [0.5, 0, 2, 1], "lengths": LENGTHS},
    "sum": {"reduction": "sum", "label_smoothing": 0.3},
    "probabilities": {"targets": RNG.dirichlet(np.ones(V), (T, N)), "weight": WEIGHT},
    "no weight": {"sample_weight": np.zeros((T, N))},
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture
def in_parts(monkeypatch):
    """Parts of 256 positions, however few they are."""
    monkeypatch.setattr(module, "PART_BYTES", 0)
    monkeypatch.setattr(module, "FEW_BYTES", 0)


def of(case, targets=TARGETS):
    options = dict(case)
    return options.pop("targets", targets), options


def problem(dtype=np.float32, bias=True, scale=1.0):
    """A Linear whose gradients are not 0, and what it reads."""
    linear = fr.Linear(FEATURES, V, bias=bias, dtype=dtype, seed=0)
    for grad in linear.grads.values():
        grad[...] = np.random.default_rng(1).standard_normal(grad.shape)
    return linear, (scale * np.random.default_rng(2).standard_normal((T, N, FEATURES))).astype(dtype)


def one_after_another(linear, x, targets, **options):
    logits, tape = linear.forward(x)
    loss, dlogits = fr.cross_entropy(logits, targets, **options)
    return loss, linear.backward(tape, dlogits)


def assert_as_one_after_another(case, make):
    targets, options = of(case)
    (linear, x), (expected, _) = make(), make()
    loss, dx = one_after_another(expected, x, targets, **options)
    result = linear_cross_entropy(linear, x, targets, **options)
    assert (type(result[0]), result[0].total, result[0].weight) == (type(loss), loss.total, loss.weight)
    assert_same_bits(result[1], dx)
    for name, grad in linear.grads.items():
        assert_same_bits(grad, expected.grads[name])
    assert linear_cross_entropy_value(linear, x, targets, **options).total == loss.total


@each_case
@both_dtypes
def test_the_bits_of_one_after_another(case, dtype, in_parts):
    """Value, gradient of x, and those of the parameters, which are added to what was there."""
    assert_as_one_after_another(case, lambda: problem(dtype))


@both_dtypes
def test_on_every_engine(dtype, isa, in_parts):
    assert_as_one_after_another(CASES["ignored"], lambda: problem(dtype, bias=False))


@pytest.mark.parametrize("n", [2, 3])
def test_on_several_threads(n, in_parts):
    with fr.threads(n):
        assert_as_one_after_another(CASES["class weights, smoothed"], problem)


def test_gradients_that_vanish(in_parts):
    """Rows that count, and are so sure of their class that the gradient is 0: the sums are those of other rows."""
    linear, x = problem(scale=500)
    targets = linear(x).argmax(axis=-1)
    targets[::3] = 0
    dlogits = fr.cross_entropy(linear(x), targets)[1]
    assert 100 < np.count_nonzero(~dlogits.any(axis=-1)) < T * N
    assert_as_one_after_another({"targets": targets}, lambda: problem(scale=500))


def test_nothing_is_read_that_does_not_count(in_parts):
    (linear, x), (clean, _) = problem(), problem()
    expected = linear_cross_entropy(clean, x, TARGETS, lengths=LENGTHS)
    x[np.arange(T)[:, None] >= LENGTHS] = np.nan
    loss, dx = linear_cross_entropy(linear, x, TARGETS, lengths=LENGTHS)
    assert loss == expected[0]
    assert_same_bits(dx, expected[1])
    assert all((grad == clean.grads[name]).all() for name, grad in linear.grads.items())


def test_batches_may_come_first_and_lie_anywhere(in_parts):
    (linear, x), (other, _) = problem(), problem()
    views = x.swapaxes(0, 1), TARGETS.T
    loss, dx = linear_cross_entropy(linear, *views, lengths=LENGTHS, batch_first=True)
    expected = one_after_another(other, *map(np.ascontiguousarray, views), lengths=LENGTHS, batch_first=True)
    assert loss == expected[0]
    assert_same_bits(dx, expected[1])


def test_frozen_parameters_have_no_gradient(in_parts):
    (linear, x), (free, _) = problem(), problem()
    frozen(linear)
    before = {name: grad.copy() for name, grad in linear.grads.items()}
    assert_same_bits(linear_cross_entropy(linear, x, TARGETS)[1], linear_cross_entropy(free, x, TARGETS)[1])
    assert all((grad == before[name]).all() for name, grad in linear.grads.items())


def test_few_positions_are_one_part():
    """Those whose logits fit the caches; and none at all, and a single one without an axis."""
    assert T * N * V * 8 < module.FEW_BYTES
    assert_as_one_after_another(CASES["lengths"], problem)
    linear = problem()[0]
    loss, dx = linear_cross_entropy(linear, np.ones((0, 2, FEATURES), np.float32), np.ones((0, 2), int))
    assert (loss, loss.weight, dx.shape) == (0, 0, (0, 2, FEATURES))
    loss, dx = linear_cross_entropy(linear, np.ones(FEATURES, np.float32), 3)
    assert loss == fr.cross_entropy(linear(np.ones(FEATURES, np.float32)), 3)[0] and dx.shape == (FEATURES,)


def test_the_value_alone_adds_nothing(in_parts):
    linear, x = problem()
    before = {name: grad.copy() for name, grad in linear.grads.items()}
    assert (
        linear_cross_entropy_value(linear, x, TARGETS, lengths=LENGTHS)
        == fr.cross_entropy(linear(x), TARGETS, lengths=LENGTHS)[0]
    )
    assert all((grad == before[name]).all() for name, grad in linear.grads.items())


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"linear": fr.GRU(FEATURES, V)}, TypeError, "linear: expected a Linear, got GRU"),
        ({"x": np.ones((T, N, FEATURES + 1), np.float32)}, ValueError, r"x: expected \(..., 5\), got \(150, 4, 6\)"),
        ({"x": np.ones((T, N, FEATURES))}, TypeError, "x: expected float32"),
        ({"targets": TARGETS[1:]}, ValueError, r"targets: expected \(150, 4\), got \(149, 4\)"),
        ({"targets": TARGETS + 1}, ValueError, r"targets: expected integers in 0..18, got 19"),
        ({"weight": np.ones(3)}, ValueError, r"weight: expected \(19,\), got \(3,\)"),
    ],
)
def test_bad_arguments_add_nothing(changed, error, words, in_parts):
    linear, x = problem()
    before = {name: grad.copy() for name, grad in linear.grads.items()}
    with pytest.raises(error, match=words):
        linear_cross_entropy(**{"linear": linear, "x": x, "targets": TARGETS} | changed)
    assert all((grad == before[name]).all() for name, grad in linear.grads.items())


def test_memory_does_not_grow_with_the_positions():
    """Arrays for logits are those of one part, where one after another needs all of them twice and more."""
    classes, positions = 3000, 2048
    linear, rng = fr.Linear(4, classes, seed=0), np.random.default_rng(0)
    x, targets = rng.standard_normal((positions, 4)).astype(np.float32), rng.integers(0, classes, positions)

    def peak(function):
        function(linear, x, targets)
        recycled._waiting.clear()  # memory that the first call has left would not count
        tracemalloc.start()
        try:
            function(linear, x, targets)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    all_logits = positions * classes * 4
    assert peak(one_after_another) > 2 * all_logits
    assert peak(linear_cross_entropy) < all_logits / 4
