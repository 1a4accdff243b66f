# SPDX-License-Identifier: BSD-3-Clause
"""The time loops: directions, lengths, padding, biases, dtypes, and arrays that must not change."""

import numpy as np
import pytest
from support.reference import (
    LENGTHS,
    H,
    N,
    T,
    assert_close,
    assert_same,
    each_cell,
    each_direction,
    forward,
    random_arrays,
    run,
)

from fastrnn import reference
from fastrnn.reference import CELLS

pytestmark = pytest.mark.filterwarnings("error")  # an overflow or a NaN that warns is a failure


@each_cell
def test_reverse_equals_flipped_time(cell):
    """Reverse is forward on x[::-1], with y and dx flipped back."""
    args, upstream = random_arrays(cell)
    flipped_args = {**args, "x": args["x"][::-1]}
    flipped_upstream = {**upstream, "dy": upstream["dy"][::-1]}
    out, gradients = run(cell, flipped_args, flipped_upstream)
    out["y"], gradients["x"] = out["y"][::-1], gradients["x"][::-1]
    reverse_out, reverse_gradients = run(cell, args, upstream, reverse=True)
    assert_same(reverse_out, out)
    assert_same(reverse_gradients, gradients)


def row_alone(arrays, n, length):
    """Row n of every array that has rows, and of those that have time its own steps only."""
    alone = dict(arrays)
    for name, a in arrays.items():
        if a is not None and name not in ("w_ih", "w_hh", "b_ih", "b_hh"):
            alone[name] = a[:length, [n]] if a.ndim == 3 else a[[n]]
    return alone


@each_cell
@each_direction
def test_ragged_equals_each_row_alone(cell, reverse):
    """Row n is as in a batch of its own; 0 beyond its length; the weight gradients add up."""
    args, upstream = random_arrays(cell)
    out, gradients = run(cell, args, upstream, lengths=LENGTHS, reverse=reverse)
    summed = {name: np.zeros_like(args[name]) for name in ("w_ih", "w_hh", "b_ih", "b_hh")}
    for n, length in enumerate(LENGTHS):
        case = (row_alone(arrays, n, length) for arrays in (args, upstream))
        expected_out, expected_gradients = run(cell, *case, reverse=reverse)
        for name in summed:
            summed[name] += expected_gradients[name]
        result = row_alone(out | gradients, n, length)
        for name, expected in (expected_out | expected_gradients).items():
            if expected is not None and name not in summed:
                assert_close(result[name], expected, "rounding")
        assert not out["y"][length:, n].any()
        assert not gradients["x"][length:, n].any()
    for name in summed:
        assert_close(gradients[name], summed[name], "rounding")


@each_cell
@each_direction
def test_a_reset_begins_another_sequence(cell, reverse):
    """Row 0 is cut before time 2, row 3 before its first step: its parts are calls of their own."""
    args, upstream = random_arrays(cell)
    resets = np.zeros((T, N), bool)
    resets[2, 0] = resets[0, 3] = True
    y, hn, _, tape = forward(cell, args, resets=resets, reverse=reverse)
    dx, dh0, *_ = reference.backward(cell, tape, **upstream)
    zeros = dict.fromkeys(("h0", "c0", "dhn", "dcn"), np.zeros((1, H)))
    zeros = {name: None if name[:2] in ("c0", "dc") and not CELLS[cell].has_c else zero for name, zero in zeros.items()}
    for n, part, at_start, at_end in (
        (0, slice(0, 2), True, False),
        (0, slice(2, T), False, True),
        (3, slice(T), False, True),
    ):
        enters, leaves = (at_end, at_start) if reverse else (at_start, at_end)
        own, above = (
            {
                name: None
                if a is None
                else a[part, [n]]
                if a.ndim == 3
                else a[[n]]
                if name in ("h0", "c0", "dhn", "dcn")
                else a
                for name, a in arrays.items()
            }
            for arrays in (args, upstream)
        )
        own |= {} if enters else {name: zeros[name] for name in ("h0", "c0")}
        above |= {} if leaves else {name: zeros[name] for name in ("dhn", "dcn")}
        out, gradients = run(cell, own, above, reverse=reverse)
        assert_close(y[part, [n]], out["y"], "rounding")
        assert_close(dx[part, [n]], gradients["x"], "rounding")
        if leaves:
            assert_close(hn[[n]], out["hn"], "rounding")
        if enters:
            assert_close(dh0[[n]], gradients["h0"], "rounding")
    assert not (hn if reverse else dh0)[3].any()


@each_cell
@each_direction
def test_length_zero_returns_the_initial_state(cell, reverse):
    """A row without steps hands its state and the state's gradient through unchanged."""
    args, upstream = random_arrays(cell)
    out, gradients = run(cell, args, upstream, lengths=LENGTHS, reverse=reverse)
    (n,) = np.flatnonzero(LENGTHS == 0)
    for after, before in ((out["hn"], args["h0"]), (gradients["h0"], upstream["dhn"])):
        np.testing.assert_array_equal(after[n], before[n])
    if CELLS[cell].has_c:
        for after, before in ((out["cn"], args["c0"]), (gradients["c0"], upstream["dcn"])):
            np.testing.assert_array_equal(after[n], before[n])


@each_cell
@each_direction
def test_full_lengths_equal_no_lengths(cell, reverse):
    """Giving every row the length T changes no bit."""
    args, upstream = random_arrays(cell)
    expected = run(cell, args, upstream, reverse=reverse)
    result = run(cell, args, upstream, lengths=np.full(N, T), reverse=reverse)
    assert_same(result[0], expected[0])
    assert_same(result[1], expected[1])


@each_cell
@each_direction
@pytest.mark.parametrize("rubbish", [np.nan, np.inf])
def test_padding_is_never_read(cell, reverse, rubbish):
    """NaN or inf in x and dy beyond a row's length changes no bit and raises no warning."""
    args, upstream = random_arrays(cell)
    options = {"lengths": LENGTHS, "reverse": reverse}
    expected = run(cell, args, upstream, **options)
    padding = np.arange(T)[:, None] >= LENGTHS
    args["x"][padding] = upstream["dy"][padding] = rubbish
    result = run(cell, args, upstream, **options)
    assert_same(result[0], expected[0])
    assert_same(result[1], expected[1])


@each_cell
@each_direction
@pytest.mark.parametrize(("steps", "rows"), [(0, N), (T, 0), (0, 0)])
def test_no_steps_or_no_rows(cell, reverse, steps, rows):
    """T=0 or N=0: empty y, the initial states, zero weight gradients."""
    args, upstream = random_arrays(cell, T=steps, N=rows)
    out, gradients = run(cell, args, upstream, reverse=reverse)
    assert_same(out, {"y": np.zeros((steps, rows, H)), "hn": args["h0"], "cn": args["c0"]})
    zeros = {name: None if a is None else np.zeros_like(a) for name, a in args.items()}
    assert_same(gradients, zeros | {"h0": upstream["dhn"], "c0": upstream["dcn"]})


@each_cell
@pytest.mark.parametrize("absent", [("b_ih",), ("b_hh",), ("b_ih", "b_hh")], ids="+".join)
def test_no_bias_equals_zero_bias(cell, absent):
    """A bias of None counts as zeros, and its gradient is None."""
    args, upstream = random_arrays(cell)
    zero = {name: np.zeros_like(args[name]) for name in absent}
    expected_out, expected_gradients = run(cell, args | zero, upstream)
    out, gradients = run(cell, args | dict.fromkeys(absent), upstream)
    assert_same(out, expected_out)
    assert_same(gradients, expected_gradients | dict.fromkeys(absent))


@each_cell
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_dtype_of_the_inputs(cell, dtype):
    """float32 in, float32 out, all the way back too."""
    args, upstream = (
        {name: None if a is None else a.astype(dtype) for name, a in arrays.items()} for arrays in random_arrays(cell)
    )
    out, gradients = run(cell, args, upstream, lengths=LENGTHS)
    assert {a.dtype for a in (out | gradients).values() if a is not None} == {np.dtype(dtype)}


@each_cell
def test_inputs_and_tape_are_not_changed(cell):
    """Nothing that is passed in is written to, and a tape gives the same gradients twice."""
    args, upstream = random_arrays(cell)
    for a in (args | upstream).values():
        if a is not None:
            a.flags.writeable = False
    *_, tape = forward(cell, args, lengths=LENGTHS)
    first, second = (reference.backward(cell, tape, **upstream) for _ in range(2))
    assert_same(dict(enumerate(first)), dict(enumerate(second)))
