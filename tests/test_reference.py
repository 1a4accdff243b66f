# SPDX-License-Identifier: BSD-3-Clause
"""The reference against scalar arithmetic, complex steps and central differences.

This is the first link of the chain of trust: everything else in the project is compared with
fastrnn.reference, so here it is compared with nothing but arithmetic.
"""

import math

import numpy as np
import pytest

from fastrnn import reference
from fastrnn.reference import CELLS

# Largest error allowed, relative to the largest entry of what is expected (float64).
TOLERANCE = {
    "rounding": 1e-14,  # the same sums in another order, libm instead of NumPy; seen: 1e-15
    "complex step": 1e-12,  # no cancellation, only rounding of forward and backward; seen: 1e-15
    "central difference": 1e-6,  # step^2 and eps/step are 1e-10 at step 1e-5; seen: 1e-8
    "sigmoid, in eps of the dtype": 4,  # exp, a sum and a quotient, each within an ulp
}

T, N, I, H = 5, 4, 3, 2  # noqa: E741  all different, so that no axis can stand for another
LENGTHS = np.array([2, 0, T, 3])  # unsorted, with an empty and a full row
ARGUMENTS = ("x", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh")

pytestmark = pytest.mark.filterwarnings("error")  # an overflow or a NaN that warns is a failure
each_cell = pytest.mark.parametrize("cell", CELLS)
each_direction = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
each_lengths = pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])


def random_arrays(cell, T=T, N=N):
    """Arguments of forward and upstream gradients of backward, the same on every call."""
    G, has_c, _, _ = CELLS[cell]
    draw = np.random.default_rng(1).uniform
    args = {
        "x": draw(-1, 1, (T, N, I)),
        "h0": draw(-1, 1, (N, H)),
        "c0": draw(-1, 1, (N, H)) if has_c else None,
        "w_ih": draw(-1, 1, (G * H, I)),
        "w_hh": draw(-1, 1, (G * H, H)),
        "b_ih": draw(-1, 1, G * H),
        "b_hh": draw(-1, 1, G * H),
    }
    upstream = {
        "dy": draw(-1, 1, (T, N, H)),
        "dhn": draw(-1, 1, (N, H)),
        "dcn": draw(-1, 1, (N, H)) if has_c else None,
    }
    return args, upstream


def run(cell, args, upstream, **options):
    """Forward and backward; returns the dicts {y, hn, cn} and {x: dx, h0: dh0, ...}."""
    *out, tape = reference.forward(cell, **args, **options)
    gradients = reference.backward(cell, tape, **upstream)
    return (
        dict(zip(("y", "hn", "cn"), out, strict=True)),
        dict(zip(ARGUMENTS, gradients, strict=True)),
    )


def loss(cell, args, upstream, **options):
    """The scalar whose gradients backward returns: sum of dy*y + dhn*hn + dcn*cn."""
    y, hn, cn, _ = reference.forward(cell, **args, **options)
    total = (upstream["dy"] * y).sum() + (upstream["dhn"] * hn).sum()
    return total if cn is None else total + (upstream["dcn"] * cn).sum()


def assert_close(got, want, kind):
    """Compare arrays by their largest difference, scaled by the largest expected entry."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    largest_error, scale = np.abs(got - want).max(initial=0), np.abs(want).max(initial=0)
    assert largest_error <= TOLERANCE[kind] * scale


def assert_same(got, want):
    """Compare two dicts of arrays (or None) bit by bit."""
    assert got.keys() == want.keys()
    for name in want:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name, strict=True)


# ---- forward: the equations once more, one number at a time -------------------------------------


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def selu(a):
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * (a if a > 0 else alpha * (math.exp(a) - 1))


def affine(weight, bias):
    """The function (k, j, v) -> entry j of gate k of weight @ v + bias."""

    def entry(k, j, v):
        row = k * H + j
        return bias[row] + sum(weight[row][m] * v[m] for m in range(len(v)))

    return entry


# Unit j of the next state (h_j, c_j): x and the previous h and c are lists of floats, w(k, j, x)
# and u(k, j, h) are the input part and the recurrent part of gate k.


def scalar_rnn(act):
    return lambda j, x, h, c, w, u: (act(w(0, j, x) + u(0, j, h)), None)


def scalar_lstm(j, x, h, c, w, u):
    i = sigmoid(w(0, j, x) + u(0, j, h))
    f = sigmoid(w(1, j, x) + u(1, j, h))
    g = math.tanh(w(2, j, x) + u(2, j, h))
    o = sigmoid(w(3, j, x) + u(3, j, h))
    c_j = f * c[j] + i * g
    return o * math.tanh(c_j), c_j


def scalar_gru(j, x, h, c, w, u):
    r = sigmoid(w(0, j, x) + u(0, j, h))
    z = sigmoid(w(1, j, x) + u(1, j, h))
    n = math.tanh(w(2, j, x) + r * u(2, j, h))
    return (1 - z) * n + z * h[j], None


def scalar_gru_reset_before(j, x, h, c, w, u):
    rh = [sigmoid(w(0, k, x) + u(0, k, h)) * h[k] for k in range(H)]
    z = sigmoid(w(1, j, x) + u(1, j, h))
    n = math.tanh(w(2, j, x) + u(2, j, rh))
    return (1 - z) * n + z * h[j], None


SCALAR_STEP = {
    "rnn_tanh": scalar_rnn(math.tanh),
    "rnn_relu": scalar_rnn(lambda a: max(a, 0)),
    "rnn_sigmoid": scalar_rnn(sigmoid),
    "rnn_selu": scalar_rnn(selu),
    "rnn_identity": scalar_rnn(lambda a: a),
    "lstm": scalar_lstm,
    "gru": scalar_gru,
    "gru_reset_before": scalar_gru_reset_before,
}


@each_cell
def test_forward_equals_scalar_arithmetic(cell):
    """y, hn and cn of one row are what the equations give in Python floats, unit by unit."""
    args, _ = random_arrays(cell, N=1)
    y, hn, cn, _ = reference.forward(cell, **args)

    has_c = CELLS[cell][1]
    h, c = args["h0"][0].tolist(), args["c0"][0].tolist() if has_c else None
    w = affine(args["w_ih"].tolist(), args["b_ih"].tolist())
    u = affine(args["w_hh"].tolist(), args["b_hh"].tolist())
    for t, x in enumerate(args["x"][:, 0].tolist()):
        units = [SCALAR_STEP[cell](j, x, h, c, w, u) for j in range(H)]
        h, c = [h_j for h_j, _ in units], [c_j for _, c_j in units]
        assert_close(y[t], [h], "rounding")
    assert_close(hn, [h], "rounding")
    if has_c:
        assert_close(cn, [c], "rounding")
    else:
        assert cn is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_is_stable_at_both_ends(dtype):
    """No warning and full relative accuracy for any a; NaN stays NaN; the dtype is kept."""
    a = np.array([-np.inf, -1000, -80, -1, 0, 1, 80, 1000, np.inf, np.nan], dtype)
    want = [0, 0, math.exp(-80), sigmoid(-1), 0.5, sigmoid(1), 1, 1, 1, math.nan]
    got = reference.sigmoid(a)
    assert got.dtype == dtype
    rtol = TOLERANCE["sigmoid, in eps of the dtype"] * np.finfo(dtype).eps
    np.testing.assert_allclose(got, np.array(want, dtype), rtol=rtol)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "selu", "identity"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_keep_dtype_and_nan(name, dtype):
    """An activation neither changes the precision nor hides a NaN."""
    got = getattr(reference, name)(np.array([-2, 0, 2, np.nan], dtype))
    assert got.dtype == dtype
    np.testing.assert_array_equal(np.isnan(got), [False, False, False, True])


# ---- backward: every gradient against two kinds of numerical derivative -------------------------


@each_cell
@each_lengths
@each_direction
def test_gradients_equal_complex_step(cell, lengths, reverse):
    """Every entry of every gradient, with gradients coming from y, hn and cn at once."""
    options = {"lengths": lengths, "reverse": reverse}
    args, upstream = random_arrays(cell)
    _, gradients = run(cell, args, upstream, **options)
    step = 1e-30  # its square vanishes: f(a + i step) = f(a) + i step f'(a) to the last bit
    for name in ARGUMENTS:
        if args[name] is None:
            assert gradients[name] is None
            continue
        perturbed = args[name].astype(complex)
        want = np.zeros(perturbed.shape)
        for k in np.ndindex(perturbed.shape):
            perturbed[k] += 1j * step
            want[k] = loss(cell, {**args, name: perturbed}, upstream, **options).imag / step
            perturbed[k] -= 1j * step
        assert want.any(), "nothing to compare"
        assert_close(gradients[name], want, "complex step")


@each_cell
def test_gradients_equal_central_differences(cell):
    """The slope along one random direction per argument: independent of complex arithmetic."""
    args, upstream = random_arrays(cell)
    _, gradients = run(cell, args, upstream)
    rng, step = np.random.default_rng(2), 1e-5
    for name in ARGUMENTS:
        if args[name] is None:
            continue
        direction = rng.uniform(-1, 1, args[name].shape)
        up = loss(cell, {**args, name: args[name] + step * direction}, upstream)
        down = loss(cell, {**args, name: args[name] - step * direction}, upstream)
        want = (up - down) / (2 * step)
        assert_close((gradients[name] * direction).sum(), want, "central difference")


@each_cell
def test_missing_upstream_gradients_are_zero(cell):
    """Leaving out dhn and dcn is the same as giving zeros."""
    args, upstream = random_arrays(cell)
    zeros = {**upstream, "dhn": np.zeros((N, H)), "dcn": np.zeros((N, H))}
    assert_same(run(cell, args, {"dy": upstream["dy"]})[1], run(cell, args, zeros)[1])


# ---- both ways: time, lengths, padding, edges ---------------------------------------------------


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
        want_out, want_gradients = run(cell, *case, reverse=reverse)
        for name in summed:
            summed[name] += want_gradients[name]
        got = row_alone(out | gradients, n, length)
        for name, want in (want_out | want_gradients).items():
            if want is not None and name not in summed:
                assert_close(got[name], want, "rounding")
        assert not out["y"][length:, n].any()
        assert not gradients["x"][length:, n].any()
    for name in summed:
        assert_close(gradients[name], summed[name], "rounding")


@each_cell
@each_direction
def test_length_zero_returns_the_initial_state(cell, reverse):
    """A row without steps hands its state and the state's gradient through unchanged."""
    args, upstream = random_arrays(cell)
    out, gradients = run(cell, args, upstream, lengths=LENGTHS, reverse=reverse)
    (n,) = np.flatnonzero(LENGTHS == 0)
    for after, before in ((out["hn"], args["h0"]), (gradients["h0"], upstream["dhn"])):
        np.testing.assert_array_equal(after[n], before[n])
    if CELLS[cell][1]:
        for after, before in ((out["cn"], args["c0"]), (gradients["c0"], upstream["dcn"])):
            np.testing.assert_array_equal(after[n], before[n])


@each_cell
@each_direction
def test_full_lengths_equal_no_lengths(cell, reverse):
    """Giving every row the length T changes no bit."""
    args, upstream = random_arrays(cell)
    want = run(cell, args, upstream, reverse=reverse)
    got = run(cell, args, upstream, lengths=np.full(N, T), reverse=reverse)
    assert_same(got[0], want[0])
    assert_same(got[1], want[1])


@each_cell
@each_direction
@pytest.mark.parametrize("rubbish", [np.nan, np.inf])
def test_padding_is_never_read(cell, reverse, rubbish):
    """NaN or inf in x and dy beyond a row's length changes no bit and raises no warning."""
    args, upstream = random_arrays(cell)
    options = {"lengths": LENGTHS, "reverse": reverse}
    want = run(cell, args, upstream, **options)
    padding = np.arange(T)[:, None] >= LENGTHS
    args["x"][padding] = upstream["dy"][padding] = rubbish
    got = run(cell, args, upstream, **options)
    assert_same(got[0], want[0])
    assert_same(got[1], want[1])


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


# ---- what goes in and what comes out ------------------------------------------------------------


@each_cell
@pytest.mark.parametrize("absent", [("b_ih",), ("b_hh",), ("b_ih", "b_hh")], ids="+".join)
def test_no_bias_equals_zero_bias(cell, absent):
    """A bias of None counts as zeros, and its gradient is None."""
    args, upstream = random_arrays(cell)
    zero = {name: np.zeros_like(args[name]) for name in absent}
    want_out, want_gradients = run(cell, args | zero, upstream)
    out, gradients = run(cell, args | dict.fromkeys(absent), upstream)
    assert_same(out, want_out)
    assert_same(gradients, want_gradients | dict.fromkeys(absent))


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
    *_, tape = reference.forward(cell, **args, lengths=LENGTHS)
    first, second = (reference.backward(cell, tape, **upstream) for _ in range(2))
    assert_same(dict(enumerate(first)), dict(enumerate(second)))
