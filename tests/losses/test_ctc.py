# SPDX-License-Identifier: BSD-3-Clause
"""ctc_loss against the sum over all paths, its gradient against central differences, both against PyTorch."""

import itertools
import re

import numpy as np
import pytest
from support.tolerance import central_differences

from fastrnn.losses._ctc import ctc_loss

# Relative to the loss and to the largest entry of the gradient. The lattice is float64 and knows the logits exactly, so
# float32 costs what softmax rounds: 64 eps. In float64 log-probabilities of about -100 are rounded at each step, and
# their errors are the relative ones of the shares: 1e-12, some thousand roundings.
RTOL = {np.float32: 64 * 2.0**-24, np.float64: 1e-12}
# Central differences with a step of 1e-5: truncation 1e-11, rounding 1e-15 / 1e-5 = 1e-10.
RTOL_DIFFERENCES = 1e-6

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# Labels 1..2 with blank 0: empty, of one label, with and without repeats, as long as it can be.
TARGETS = [[], [1], [2, 2], [1, 2, 1], [1, 2], [2, 1, 1]]


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def spelled(path, blank):
    """What remains of a path when repetitions are merged and blanks dropped."""
    return [k for k, _ in itertools.groupby(path) if k != blank]


def brute_force(logits, target, blank):
    """-log P of one row, logits (T, V), by the sum over all V**T paths; and its gradient."""
    T, V = logits.shape
    log_p = log_softmax(logits.astype(np.float64))
    P, through = 0.0, np.zeros((T, V))
    for path in itertools.product(range(V), repeat=T):
        if spelled(path, blank) == target:
            p = np.exp(log_p[np.arange(T), list(path)].sum())
            P += p
            through[np.arange(T), list(path)] += p
    return -np.log(P), np.exp(log_p) - through / P


def batch(T=4, N=6, V=3, dtype=np.float64, seed=0):
    return (2 * np.random.default_rng(seed).standard_normal((T, N, V))).astype(dtype)


def random_problem(T, N, V, S, rng, blank=0):
    """Padded targets (N, S), input and target lengths that fit; the labels are few, so that some repeat."""
    few = [k for k in range(V) if k != blank][:3]
    targets = rng.choice(few, (N, S))
    target_lengths = rng.integers(0, S + 1, N)
    target_lengths[:2] = 0, S
    counts = zip(targets, target_lengths, strict=True)
    needed = [n + sum(a == b for a, b in itertools.pairwise(target[:n])) for target, n in counts]
    return targets, rng.integers(np.maximum(needed, 1), T + 1), target_lengths


def assert_close(got, expected, dtype):
    (loss, dlogits), (expected_loss, expected_dlogits) = got, expected
    assert type(loss) is float
    assert dlogits.dtype == dtype
    assert loss == pytest.approx(expected_loss, rel=RTOL[dtype])
    scale = np.abs(expected_dlogits).max()
    np.testing.assert_allclose(dlogits, expected_dlogits, rtol=0, atol=RTOL[dtype] * scale)


def assert_same_bits(got, expected):
    assert got[0] == expected[0]
    np.testing.assert_array_equal(got[1], expected[1], strict=True)


@both_dtypes
@pytest.mark.parametrize("blank", [0, 1, 2])
@pytest.mark.filterwarnings("error")
def test_matches_the_sum_over_all_paths(blank, dtype):
    logits = batch(dtype=dtype)
    others = [k for k in range(3) if k != blank]
    targets = [[others[k - 1] for k in target] for target in TARGETS]
    steps = [4, 1, 4, 3, 2, 4]
    loss, dlogits = 0.0, np.zeros(logits.shape)
    for n, (target, T) in enumerate(zip(targets, steps, strict=True)):
        cost, slope = brute_force(logits[:T, n], target, blank)
        scale = len(logits[0]) * max(len(target), 1)
        loss += cost / scale
        dlogits[:T, n] = slope / scale
    assert_close(ctc_loss(logits, targets, steps, blank=blank), (loss, dlogits), dtype)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_one_row_matches_the_sum_over_all_paths(steps, target):
    logits = batch(steps, 1, seed=steps)
    if steps < len(target) + sum(a == b for a, b in itertools.pairwise(target)):
        assert [path for path in itertools.product(range(3), repeat=steps) if spelled(path, 0) == target] == []
        with pytest.raises(ValueError, match="^input_lengths: expected at least"):
            ctc_loss(logits, [target], [steps])
        return
    loss, slope = brute_force(logits[:, 0], target, 0)
    scale = max(len(target), 1)
    assert_close(ctc_loss(logits, [target], [steps]), (loss / scale, slope[:, None] / scale), np.float64)


@pytest.mark.parametrize("batch_first", [False, True])
def test_gradient_matches_central_differences(batch_first):
    rng = np.random.default_rng(2)
    problem = random_problem(9, 5, 4, 4, rng)
    logits = batch(9, 5, 4)
    logits = np.ascontiguousarray(logits.swapaxes(0, 1)) if batch_first else logits
    _, dlogits = ctc_loss(logits, *problem, batch_first=batch_first)
    expected = central_differences(lambda z: ctc_loss(z, *problem, batch_first=batch_first)[0], logits)
    np.testing.assert_allclose(dlogits, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


@both_dtypes
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.filterwarnings("error")
def test_what_lies_beyond_is_not_read(batch_first, dtype):
    rng = np.random.default_rng(3)
    targets, steps, lengths = random_problem(12, 5, 6, 4, rng)
    logits = batch(12, 5, 6, dtype)
    expected = ctc_loss(logits, targets, steps, lengths)
    beyond = np.arange(12)[:, None] >= steps
    assert not expected[1][beyond].any()
    logits[beyond] = np.nan
    targets[np.arange(4) >= lengths[:, None]] = -7
    if batch_first:
        logits = np.ascontiguousarray(logits.swapaxes(0, 1))
    loss, dlogits = ctc_loss(logits, targets, steps, lengths, batch_first=batch_first)
    assert dlogits.flags.c_contiguous and dlogits.shape == logits.shape
    assert_same_bits((loss, np.ascontiguousarray(dlogits.swapaxes(0, 1)) if batch_first else dlogits), expected)


def test_a_row_alone_costs_what_it_costs_in_a_batch():
    rng = np.random.default_rng(4)
    N = 5
    targets, steps, lengths = random_problem(12, N, 6, 4, rng)
    logits = batch(12, N, 6)
    loss, dlogits = ctc_loss(logits, targets, steps, lengths)
    alone = []
    for n in range(N):
        T, U = steps[n], lengths[n]
        cost, slope = ctc_loss(logits[:T, [n]], targets[[n], :U], [T], [U])
        alone.append(cost)
        np.testing.assert_allclose(dlogits[:T, [n]], slope / N, rtol=0, atol=RTOL[np.float64] * np.abs(slope).max())
    assert loss == pytest.approx(np.mean(alone), rel=RTOL[np.float64])


@both_dtypes
def test_gradient_sums_to_zero_over_the_classes(dtype):
    logits = batch(20, 4, 7, dtype)
    _, dlogits = ctc_loss(logits, np.random.default_rng(5).integers(1, 7, (4, 8)), [20, 18, 19, 20])
    assert np.abs(dlogits.sum(axis=-1)).max() <= RTOL[dtype] * np.abs(dlogits).max()


def test_targets_in_all_their_forms():
    logits = batch(8, 3, 5)
    lists = [[1, 1], [], [4, 2, 1]]
    padded, lengths = np.array([[1, 1, 9], [9, 9, 9], [4, 2, 1]], np.uint8), np.array([2, 0, 3], np.uint8)
    expected = ctc_loss(logits, lists, [8, 7, 6])
    for targets, target_lengths in (
        (padded, lengths),
        (padded.astype(np.int64), [2, 0, 3]),
        (padded.tolist(), [2, 0, 3]),
        (tuple(np.array(t, np.uint64) for t in lists), None),
        (lists, lengths),
        (np.pad(padded, ((0, 0), (0, 5))), lengths),
    ):
        assert_same_bits(ctc_loss(logits, targets, np.array([8, 7, 6], np.int8), target_lengths), expected)
    full = ctc_loss(logits, padded[2:].repeat(3, axis=0), None)
    assert_same_bits(ctc_loss(logits, padded[2:].repeat(3, axis=0), [8] * 3, [3] * 3), full)


def test_any_array_is_taken_and_none_is_written_to():
    logits, targets = batch(8, 3, 5), np.array([[1, 1], [2, 3], [4, 2]])
    expected = ctc_loss(logits, targets, [8, 7, 6])
    strided = np.full((16, 3, 15), np.nan)[::2, :, 1::3]
    strided[...] = logits
    fortran = np.asfortranarray(logits)
    for array in (logits, targets, strided, fortran):
        array.flags.writeable = False  # a write would raise
    for z in (logits, strided, fortran, logits.tolist(), memoryview(logits)):
        got = ctc_loss(z, targets, [8, 7, 6])
        assert_same_bits(got, expected)
        assert got[1].flags.c_contiguous and got[1].flags.writeable
        first = ctc_loss(np.asarray(z).swapaxes(0, 1), targets, [8, 7, 6], batch_first=True)
        assert_same_bits((first[0], np.ascontiguousarray(first[1].swapaxes(0, 1))), expected)


@pytest.mark.filterwarnings("error")
def test_empty_rows_and_batches():
    logits = batch(4, 3, 3)
    nothing = ctc_loss(logits * np.nan, [[]] * 3, [0] * 3)
    assert str(nothing[0]) == "0.0" and nothing[1].shape == logits.shape and not nothing[1].any()
    assert ctc_loss(logits[:0], [[]] * 3, [0] * 3)[0] == 0.0
    assert ctc_loss(logits[:, :0], [], [])[1].shape == (4, 0, 3)
    assert str(ctc_loss(logits[:, :0], np.zeros((0, 5), int), [], [])[0]) == "0.0"
    # A row without steps counts as a row: the others are divided by N all the same.
    some = ctc_loss(logits, [[1], [], [1, 2]], [4, 0, 3])
    two = ctc_loss(logits[:, ::2], [[1], [1, 2]], [4, 3])
    assert some[0] == pytest.approx(two[0] * 2 / 3, rel=RTOL[np.float64])
    assert not some[1][:, 1].any()
    # Without labels every step is blank.
    blanks = ctc_loss(logits, [[]] * 3, [4] * 3)[0]
    assert blanks == pytest.approx(-log_softmax(logits)[..., 0].sum() / 3, rel=RTOL[np.float64])
    only_blank = ctc_loss(batch(4, 3, 1), [[]] * 3, [4] * 3)
    assert str(only_blank[0]) == "0.0" and not only_blank[1].any()


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_extreme_logits(dtype):
    """Three steps that say 0, 1, 2 for sure: 1, 2 costs nothing; 2, 1 is wrong at two steps in the best three paths."""
    logits = np.full((3, 1, 3), -1e4, dtype)
    logits[[0, 1, 2], 0, [0, 1, 2]] = 1e4
    with np.errstate(all="raise"):  # the caller's settings do not matter
        right = ctc_loss(logits, [[1, 2]], [3])
        wrong = ctc_loss(logits, [[2, 1]], [3])
    assert right[0] == 0.0 and not right[1].any()
    assert wrong[0] == pytest.approx((4e4 - np.log(3)) / 2, rel=RTOL[dtype])
    through = np.array([[1, 0, 2], [0, 2, 1], [1, 2, 0]]) / 3  # the share of 2 1 -, 2 1 1 and - 2 1 in each class
    np.testing.assert_allclose(wrong[1][:, 0], (np.eye(3) - through) / 2, rtol=0, atol=max(RTOL[dtype], 1e-11))


def test_float32_logits_are_not_rounded_beside_larger_ones():
    """0.01 below 2**20 would be lost in float32; the paths 1 1, 1 - and - 1 differ by it alone."""
    logits = np.array([[[0, 0.01, 2.0**20]]] * 2, np.float32)
    expected = ctc_loss(logits.astype(np.float64), [[1]], [2])
    assert_close(ctc_loss(logits, [[1]], [2]), expected, np.float32)
    e = np.exp(float(logits[0, 0, 1]))
    assert expected[1][0, 0, 1] == pytest.approx(-(e + 1) / (e + 2), rel=1e-8)  # logarithms of about 1e6 are rounded


@both_dtypes
@pytest.mark.parametrize("values", [[np.nan, 0, 0, 0], [0, 0, 0, np.inf], [-np.inf] * 4], ids=str)
@pytest.mark.filterwarnings("error")
def test_nan_stays_in_its_row(values, dtype):
    logits, targets = batch(5, 2, 4, dtype), [[1, 2], [3, 3]]
    _, clean = ctc_loss(logits, targets, [5, 5])
    logits[2, 0] = values
    loss, dlogits = ctc_loss(logits, targets, [5, 5])
    assert np.isnan(loss) and np.isnan(dlogits[:, 0]).all()
    np.testing.assert_array_equal(dlogits[:, 1], clean[:, 1])


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_a_forbidden_target_costs_inf(dtype):
    logits, targets = batch(5, 2, 4, dtype), [[1, 2], [3, 3]]
    _, clean = ctc_loss(logits, targets, [5, 5])
    logits[:, 0, 2] = -np.inf
    loss, dlogits = ctc_loss(logits, targets, [5, 5])
    assert loss == np.inf and np.isnan(dlogits[:, 0]).all()
    np.testing.assert_array_equal(dlogits[:, 1], clean[:, 1])


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_a_forbidden_class_is_a_class_less(dtype):
    """-inf for class 2 is the same as having no class 2."""
    logits, targets = batch(6, 2, 3, dtype), [[1], [1, 1]]
    loss, dlogits = ctc_loss(logits[..., :2], targets, [6, 5])
    logits[..., 2] = -np.inf
    got = ctc_loss(logits, targets, [6, 5])
    assert_close((got[0], got[1][..., :2]), (loss, dlogits), dtype)
    assert not got[1][..., 2].any()


def test_a_long_row_does_not_underflow():
    """2000 steps of 50 equal classes: P is 1e-3250, and the number of paths is a binomial coefficient.

    A target of U different labels is spelled by as many paths of T steps as there are ways to choose 2 U of T + U
    things: U labels and U + 1 blanks, each label at least one step long, each blank any number.
    """
    T, U, V = 2000, 40, 50
    loss, dlogits = ctc_loss(np.zeros((T, 1, V), np.float32), [list(range(1, U + 1))], [T])
    ways = np.log(np.arange(T + 1 - U, T + U + 1)).sum() - np.log(np.arange(1, 2 * U + 1)).sum()
    assert loss == pytest.approx((T * np.log(V) - ways) / U, rel=1e-12)
    assert np.isfinite(dlogits).all() and dlogits.any()


LOGITS = batch(5, 2, 4)


@pytest.mark.parametrize(
    "changed, error, text",
    [
        ({"logits": LOGITS.astype(np.float16)}, TypeError, "logits: expected float32 or float64, got float16"),
        ({"logits": LOGITS[0]}, ValueError, "logits: expected (T, N, V) with V >= 1, got (2, 4)"),
        ({"logits": LOGITS[0], "batch_first": True}, ValueError, "logits: expected (N, T, V) with V >= 1, got (2, 4)"),
        ({"logits": LOGITS[..., :0]}, ValueError, "logits: expected (T, N, V) with V >= 1, got (5, 2, 0)"),
        ({"batch_first": 1}, TypeError, "batch_first: expected True or False, got 1"),
        ({"blank": 4}, ValueError, "blank: expected an integer in 0..3, got 4"),
        ({"blank": -1}, ValueError, "blank: expected an integer in 0..3, got -1"),
        ({"blank": 0.0}, TypeError, "blank: expected an integer, got float"),
        ({"blank": 3}, ValueError,
         "targets[1]: expected labels in 0..3 other than the blank 3, got 3 at position (1,)"),
        ({"targets": np.zeros(2, int)}, ValueError, "targets: expected (2, S), got (2,)"),
        ({"targets": np.ones((3, 2), int)}, ValueError, "targets: expected (2, S), got (3, 2)"),
        ({"targets": np.ones((2, 2))}, TypeError, "targets: expected integers, got float64"),
        ({"targets": None}, TypeError, "targets: expected integers, got None"),
        ({"targets": [[1]]}, ValueError, "targets: expected 2 sequences, one for each row of the batch, got 1"),
        ({"targets": [1, 2]}, ValueError, "targets[0]: expected a sequence of labels, got shape ()"),
        ({"targets": [[1], [1.5]]}, TypeError, "targets[1]: expected integers, got float64"),
        ({"targets": [[1], "ab"]}, TypeError, "targets[1]: expected integers, got <U2"),
        ({"targets": [[1, 0], [1]]}, ValueError,
         "targets[0]: expected labels in 0..3 other than the blank 0, got 0 at position (1,)"),
        ({"targets": [[1], [2, 4]]}, ValueError,
         "targets[1]: expected labels in 0..3 other than the blank 0, got 4 at position (1,)"),
        ({"targets": np.array([[1, 2], [-1, 2]])}, ValueError,
         "targets[1]: expected labels in 0..3 other than the blank 0, got -1 at position (0,)"),
        ({"input_lengths": [5]}, ValueError, "input_lengths: expected (2,), got (1,)"),
        ({"input_lengths": [5, 6]}, ValueError, "input_lengths: expected integers in 0..5, got 6 at position (1,)"),
        ({"input_lengths": [-1, 5]}, ValueError, "input_lengths: expected integers in 0..5, got -1 at position (0,)"),
        ({"input_lengths": [5.0, 5.0]}, TypeError, "input_lengths: expected integers, got float64"),
        ({"target_lengths": [1]}, ValueError, "target_lengths: expected (2,), got (1,)"),
        ({"target_lengths": [2, 3]}, ValueError, "target_lengths: expected integers in 0..2, got 3 at position (1,)"),
        ({"target_lengths": [2.0, 2.0]}, TypeError, "target_lengths: expected integers, got float64"),
        ({"targets": [[1], [2, 3]], "target_lengths": [2, 2]}, ValueError,
         "target_lengths: expected no more than the labels of the row, got 2 at position (0,)"),
        ({"input_lengths": [5, 1]}, ValueError,
         "input_lengths: expected at least 2 for row 1 (2 labels, 0 of them like the one before), got 1"),
        ({"targets": [[3, 3, 3], [1]], "input_lengths": [4, 5]}, ValueError,
         "input_lengths: expected at least 5 for row 0 (3 labels, 2 of them like the one before), got 4"),
        ({"targets": [[3, 3, 3, 3], [1]], "input_lengths": None}, ValueError,
         "input_lengths: expected at least 7 for row 0 (4 labels, 3 of them like the one before), got 5"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_and_what_came(changed, error, text):
    arguments = {"logits": LOGITS, "targets": [[1, 2], [1, 3]], "input_lengths": [5, 5]} | changed
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        ctc_loss(**arguments)


@both_dtypes
@pytest.mark.parametrize("blank", [0, 3])
@pytest.mark.parametrize("scale", [1, 100], ids=["usual", "extreme"])
def test_torch_agrees(scale, blank, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    targets, steps, lengths = random_problem(30, 8, 6, 10, rng, blank)
    logits = scale * batch(30, 8, 6, dtype, seed=7)
    z = torch.tensor(logits.astype(np.float64), requires_grad=True)  # the witness in float64, whatever is judged
    log_p = torch.nn.functional.log_softmax(z, -1)
    loss = torch.nn.functional.ctc_loss(
        log_p, torch.tensor(targets), torch.tensor(steps), torch.tensor(lengths), blank=blank
    )
    loss.backward()
    got = ctc_loss(logits, targets, steps, lengths, blank=blank)
    assert got[0] == pytest.approx(loss.item(), rel=RTOL[dtype])
    expected = z.grad.numpy()  # both lattices round logarithms, which grow with the logits
    rtol = max(RTOL[dtype], RTOL[np.float64] * scale)
    np.testing.assert_allclose(got[1], expected, rtol=0, atol=rtol * np.abs(expected).max())
