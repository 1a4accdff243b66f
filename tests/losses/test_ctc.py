# SPDX-License-Identifier: BSD-3-Clause
"""ctc_loss against the sum over all paths, its gradient against central differences, both against PyTorch."""

import itertools

import numpy as np
import pytest
from support.losses import (
    CTC_RTOL,
    RTOL_DIFFERENCES,
    assert_close,
    assert_same_bits,
    both_dtypes,
    brute_force,
    ctc_batch,
    spelled,
)
from support.tolerance import central_differences

from fastrnn.losses import ctc_loss

# Labels 1..2 with blank 0: empty, of one label, with and without repeats, as long as it can be.
TARGETS = [[], [1], [2, 2], [1, 2, 1], [1, 2], [2, 1, 1]]


def random_problem(T, N, V, S, rng, blank=0):
    """Padded targets (N, S), input and target lengths that fit; the labels are few, so that some repeat."""
    few = [k for k in range(V) if k != blank][:3]
    targets = rng.choice(few, (N, S))
    target_lengths = rng.integers(0, S + 1, N)
    target_lengths[:2] = 0, S
    counts = zip(targets, target_lengths, strict=True)
    needed = [n + sum(a == b for a, b in itertools.pairwise(target[:n])) for target, n in counts]
    return targets, rng.integers(np.maximum(needed, 1), T + 1), target_lengths


@both_dtypes
@pytest.mark.parametrize("blank", [0, 1, 2])
@pytest.mark.filterwarnings("error")
def test_matches_the_sum_over_all_paths(blank, dtype):
    logits = ctc_batch(dtype=dtype)
    others = [k for k in range(3) if k != blank]
    targets = [[others[k - 1] for k in target] for target in TARGETS]
    steps = [4, 1, 4, 3, 2, 4]
    loss, dlogits = 0.0, np.zeros(logits.shape)
    for n, (target, T) in enumerate(zip(targets, steps, strict=True)):
        cost, slope = brute_force(logits[:T, n], target, blank)
        scale = len(logits[0]) * max(len(target), 1)
        loss += cost / scale
        dlogits[:T, n] = slope / scale
    assert_close(ctc_loss(logits, targets, steps, blank=blank), (loss, dlogits), dtype, CTC_RTOL)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_one_row_matches_the_sum_over_all_paths(steps, target):
    logits = ctc_batch(steps, 1, seed=steps)
    if steps < len(target) + sum(a == b for a, b in itertools.pairwise(target)):
        assert [path for path in itertools.product(range(3), repeat=steps) if spelled(path, 0) == target] == []
        with pytest.raises(ValueError, match="^input_lengths: expected at least"):
            ctc_loss(logits, [target], [steps])
        return
    loss, slope = brute_force(logits[:, 0], target, 0)
    scale = max(len(target), 1)
    assert_close(ctc_loss(logits, [target], [steps]), (loss / scale, slope[:, None] / scale), np.float64, CTC_RTOL)


@pytest.mark.parametrize("batch_first", [False, True])
def test_gradient_matches_central_differences(batch_first):
    rng = np.random.default_rng(2)
    problem = random_problem(9, 5, 4, 4, rng)
    logits = ctc_batch(9, 5, 4)
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
    logits = ctc_batch(12, 5, 6, dtype)
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
    logits = ctc_batch(12, N, 6)
    loss, dlogits = ctc_loss(logits, targets, steps, lengths)
    alone = []
    for n in range(N):
        T, U = steps[n], lengths[n]
        cost, slope = ctc_loss(logits[:T, [n]], targets[[n], :U], [T], [U])
        alone.append(cost)
        np.testing.assert_allclose(dlogits[:T, [n]], slope / N, rtol=0, atol=CTC_RTOL[np.float64] * np.abs(slope).max())
    assert loss == pytest.approx(np.mean(alone), rel=CTC_RTOL[np.float64])


@both_dtypes
def test_gradient_sums_to_zero_over_the_classes(dtype):
    logits = ctc_batch(20, 4, 7, dtype)
    _, dlogits = ctc_loss(logits, np.random.default_rng(5).integers(1, 7, (4, 8)), [20, 18, 19, 20])
    assert np.abs(dlogits.sum(axis=-1)).max() <= CTC_RTOL[dtype] * np.abs(dlogits).max()


@both_dtypes
@pytest.mark.parametrize("blank", [0, 3])
@pytest.mark.parametrize("scale", [1, 100], ids=["usual", "extreme"])
def test_torch_agrees(scale, blank, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    targets, steps, lengths = random_problem(30, 8, 6, 10, rng, blank)
    logits = scale * ctc_batch(30, 8, 6, dtype, seed=7)
    z = torch.tensor(logits.astype(np.float64), requires_grad=True)  # PyTorch in float64, whatever is tested
    log_p = torch.nn.functional.log_softmax(z, -1)
    loss = torch.nn.functional.ctc_loss(
        log_p, torch.tensor(targets), torch.tensor(steps), torch.tensor(lengths), blank=blank
    )
    loss.backward()
    result = ctc_loss(logits, targets, steps, lengths, blank=blank)
    assert result[0] == pytest.approx(loss.item(), rel=CTC_RTOL[dtype])
    expected = z.grad.numpy()  # both lattices round logarithms, which grow with the logits
    rtol = max(CTC_RTOL[dtype], CTC_RTOL[np.float64] * scale)
    np.testing.assert_allclose(result[1], expected, rtol=0, atol=rtol * np.abs(expected).max())
