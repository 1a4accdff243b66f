# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of layers share: comparing bits, refusals, slopes, and two models of several layers."""

import contextlib

import numpy as np
import pytest
from support.tolerance import slopes_of

import fastrnn as fr

# Central differences in float64, relative to the largest slope: a step of 1e-5 leaves an error of
# 1e-10 from the third derivative and of 1e-16 / 1e-5 = 1e-11 from rounding, both times the size of
# the loss, some ten times that of a slope. A wrong term shows in the first digits.
STEP, RTOL_DIFFERENCES = 1e-5, 1e-7


def assert_same_bits(actual, expected, what=""):
    """Two arrays, or states, have the same shapes, dtypes and bits."""
    for a, b in zip(flat(actual), flat(expected), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype), what
        assert a.tobytes() == b.tobytes(), what


def assert_same_arrays(actual, expected):
    assert actual.keys() == expected.keys()
    for name in expected:
        assert_same_bits(actual[name], expected[name], name)


def snapshot(arrays):
    return {name: array.copy() for name, array in arrays.items()}


@contextlib.contextmanager
def refused(error, *words):
    """The block raises `error` with a message that holds all `words`."""
    with pytest.raises(error) as caught:
        yield caught
    for word in words:
        assert word in str(caught.value)


@contextlib.contextmanager
def argument_refused(error, name, *words):
    """The same, where the message begins with the argument's name."""
    with refused(error, *words) as caught:
        yield
    assert str(caught.value).startswith((f"{name}:", f"{name}["))


def language_model(dtype=np.float32, seed=0):
    """Tokens (T, N) to logits (T, N, 10)."""
    return fr.Sequential(
        fr.Embedding(10, 3, dtype=dtype, seed=seed),
        fr.LSTM(3, 4, dtype=dtype, seed=seed + 1),
        fr.Linear(4, 10, dtype=dtype, seed=seed + 2),
    )


def mixed_model(dtype=np.float32, seed=0):
    """x (T, N, 3) to y (T, N, 2), through every kind of state and another Sequential."""
    return fr.Sequential(
        fr.Linear(3, 2, dtype=dtype, seed=seed),
        fr.LSTM(2, 2, 2, bidirectional=True, dtype=dtype, seed=seed + 1),
        fr.Sequential(
            fr.GRU(4, 3, dtype=dtype, seed=seed + 2),
            fr.Linear(3, 2, bias=False, dtype=dtype, seed=seed + 3),
        ),
        fr.RNN(2, 2, dtype=dtype, seed=seed + 4),
        fr.Linear(2, 2, dtype=dtype, seed=seed + 5),
    )


def pooled_model(dtype=np.float32, seed=0):
    """x (T, N, 3) to y (4, N, 2): an encoder, what it sums up, and a decoder."""
    return fr.Sequential(
        fr.GRU(3, 4, bidirectional=True, dtype=dtype, seed=seed),
        fr.LastStep(bidirectional=True, dtype=dtype),
        fr.RepeatVector(4, dtype=dtype),
        fr.LSTM(8, 2, dtype=dtype, seed=seed + 1),
    )


def attention_decoder(
    dtype=np.float32, seed=0, *, layer=fr.LSTM, num_layers=1, score="additive", input_feeding=False, batch_first=False,
    **options,
):  # fmt: skip
    """x (T, N, 3) and a memory (S, N, 3) to y (T, N, 5)."""
    common = {"batch_first": batch_first, "dtype": dtype}
    size = 3 if score.endswith("dot") else 4
    return fr.AttentionDecoder(
        layer(3 + 5 * input_feeding, size, num_layers, seed=seed, **common, **options),
        fr.Attention(size, 3, score=score, seed=seed + 1, **common),
        fr.Linear(3 + size, 5, dtype=dtype, seed=seed + 2),
        input_feeding=input_feeding,
    )


def translator(dtype=np.float32, seed=0, *, input_feeding=False, batch_first=False, start=9):
    """Tokens (T_s, N) of 10 and a target (T, N) of 10 to logits (T, N, 10), with attention."""
    own = {"batch_first": batch_first, "dtype": dtype}
    return fr.Seq2Seq(
        fr.Sequential(
            fr.Embedding(10, 3, dtype=dtype, seed=seed), fr.GRU(3, 2, bidirectional=True, seed=seed + 1, **own)
        ),
        fr.Embedding(10, 3, dtype=dtype, seed=seed + 2),
        fr.AttentionDecoder(
            fr.GRU(3 + 5 * input_feeding, 4, seed=seed + 3, **own),
            fr.Attention(4, 4, seed=seed + 4, **own),
            fr.Linear(8, 5, dtype=dtype, seed=seed + 5),
            input_feeding=input_feeding,
        ),
        fr.Linear(5, 10, dtype=dtype, seed=seed + 6),
        start=start,
    )


def summariser(dtype=np.float32, seed=0):
    """x (T_s, N, 3) and a target (T, N) of 10 to logits (T, N, 10), without attention, from one cell to another."""
    return fr.Seq2Seq(
        fr.Sequential(
            fr.Linear(3, 2, dtype=dtype, seed=seed), fr.LSTM(2, 2, 2, bidirectional=True, dtype=dtype, seed=seed + 1)
        ),
        fr.Embedding(10, 2, dtype=dtype, seed=seed + 2),
        fr.GRU(2, 3, 2, dtype=dtype, seed=seed + 3),
        fr.Linear(3, 10, dtype=dtype, seed=seed + 4),
        bridge=fr.Linear(16, 6, dtype=dtype, seed=seed + 5),
    )


def learned_state(kind=fr.LSTM, dtype=np.float32, seed=0, **options):
    """x (T, N, 3) to y (T, N, 4), from an initial state that is a parameter, random where it would be 0."""
    return with_learned_state(kind(3, 4, learn_initial_state=True, dtype=dtype, seed=seed, **options), seed)


def with_learned_state(layer, seed=0):
    """A layer that learns its initial state, as it may be after that."""
    rng = np.random.default_rng(seed)
    for name in ("h0", "c0"):
        if name in layer.params:
            layer.params[name] = rng.standard_normal(layer.params[name].shape)
    return layer


def echo_state(dtype=np.float32, seed=0, **options):
    """x (T, N, 3) to y (T, N, 2), with a random readout where it would be 0."""
    esn = fr.EchoState(3, 4, 2, output_size=2, leak=0.6, bias_scaling=0.5, dtype=dtype, seed=seed, **options)
    readout = fr.Linear(esn.params["weight"].shape[1], 2, dtype=dtype, seed=seed)
    esn.load_state_dict(esn.state_dict() | readout.state_dict())
    return esn


def mixed_state(rng, N, dtype=np.float32):
    """A state of mixed_model: LSTM, Sequential of a GRU, RNN."""
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)  # noqa: E731
    return (draw(4, N, 2), draw(4, N, 2)), (draw(1, N, 3),), draw(1, N, 2)


def flat(state):
    """All arrays of a nested state."""
    return [array for part in state for array in flat(part)] if isinstance(state, tuple | list) else [state]


def assert_slopes(actual, loss, array, what):
    slopes = slopes_of(loss, array, STEP)
    error, scale = np.abs(actual - slopes).max(), max(1, np.abs(slopes).max())
    assert error <= RTOL_DIFFERENCES * scale, f"{what}: error {error:.3g}, scale {scale:.3g}"
