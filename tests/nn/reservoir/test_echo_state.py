# SPDX-License-Identifier: BSD-3-Clause
"""The echo state network: options, predict and generate. What it shares with every layer is in nn/test_layer.py."""

import numpy as np
import pytest
from support.layers import assert_same_bits, echo_state, refused

import fastrnn as fr


def make(**options):
    return fr.EchoState(2, 15, **({"output_size": 3, "washout": 10, "dtype": np.float64, "seed": 0} | options))


def test_predict_gives_each_sequence_what_a_call_gives_it(dtype, rng):
    """Bit for bit; in a list they may have any lengths, 0 included."""
    esn = echo_state(dtype=dtype)
    xs = [rng.standard_normal((T, 3)).astype(dtype) for T in (7, 0, 1, 12)]
    ys = esn.predict(xs)
    assert [len(y) for y in ys] == [7, 0, 1, 12]
    for x, y in zip(xs, ys, strict=True):
        assert_same_bits(y, esn(x)[0])
        assert_same_bits(esn.predict(x), y)
    assert esn.predict([]) == []


@pytest.mark.parametrize("shape", [(6, 3), (6, 4, 3)], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
def test_generate_reads_its_own_outputs(dtype, batch_first, shape, rng):
    """Bit for bit what a call returns for them; and it continues from its state."""
    esn = fr.EchoState(3, 8, 2, leak=0.4, batch_first=batch_first, dtype=dtype, seed=0)
    weight = rng.uniform(-0.3, 0.3, esn.params["weight"].shape)
    esn.params["weight"] = weight
    x, axis = rng.standard_normal(shape).astype(dtype), 0
    if batch_first and len(shape) == 3:
        x, axis = np.ascontiguousarray(x.swapaxes(0, 1)), 1
    y, state = esn.generate(x, 5)
    told = np.concatenate([x, y], axis=axis)
    steps = told.shape[axis]
    expected, h = esn(told.take(range(steps - 1), axis))
    assert_same_bits(expected.take(range(steps - 6, steps - 1), axis), y)
    assert_same_bits(state, h)
    more, _ = esn.generate(y.take([4], axis), 3, state)
    assert_same_bits(np.concatenate([y, more], axis), esn.generate(x, 8)[0])


def test_generate_goes_on_with_a_wave(rng):
    """Two sines that it has learnt in 600 steps, 100 steps further without reading them."""
    wave = lambda t: np.stack([np.sin(0.2 * t), np.sin(0.311 * t)], axis=1)  # noqa: E731
    esn = fr.EchoState(2, 100, input_scaling=0.1, washout=100, dtype=np.float64, seed=0)
    esn.fit(wave(np.arange(599)), wave(np.arange(1, 600)), 1e-8)
    y, _ = esn.generate(wave(np.arange(600)), 100)
    assert np.abs(y - wave(np.arange(600, 700))).max() < 1e-3


BAD_OPTIONS = {
    "hidden_size": (0, ValueError, "hidden_size: expected at least 1, got 0"),
    "output_size": (0, ValueError, "output_size: expected at least 1, got 0"),
    "leak": (0.0, ValueError, "leak: expected a number in (0, 1], got 0.0"),
    "leak above 1": (1.5, ValueError, "leak: expected a number in (0, 1], got 1.5"),
    "density": (0, ValueError, "density: expected a number in (0, 1], got 0"),
    "density above 1": (1.01, ValueError, "density: expected a number in (0, 1], got 1.01"),
    "spectral_radius": (-0.9, ValueError, "spectral_radius: expected a finite number of at least 0, got -0.9"),
    "spectral_radius nan": (np.nan, ValueError, "spectral_radius: expected a finite number of at least 0, got nan"),
    "input_scaling": (np.inf, ValueError, "input_scaling: expected a finite number of at least 0, got inf"),
    "bias_scaling": ("1", TypeError, "bias_scaling: expected a finite number of at least 0, got '1'"),
    "washout": (-1, ValueError, "washout: expected at least 0, got -1"),
    "washout half": (0.5, TypeError, "washout: expected an integer, got 0.5"),
    "input_to_readout": (1, TypeError, "input_to_readout: expected True or False, got 1"),
    "nonlinearity": ("cos", ValueError, "nonlinearity: expected one of tanh, relu, sigmoid, selu, identity, got 'cos'"),
    "seed": ("x", TypeError, "seed: expected an integer"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_a_bad_option_is_named(name):
    value, error, message = BAD_OPTIONS[name]
    with refused(error, message):
        fr.EchoState(**({"input_size": 2, "hidden_size": 5} | {name.partition(" ")[0]: value}))


def test_a_radius_of_0_leaves_no_recurrence(rng):
    """It is allowed: features of the present alone, for comparison."""
    esn = make(spectral_radius=0.0)
    x = rng.standard_normal((5, 2))
    np.testing.assert_array_equal(esn.features(x)[0][3], esn.features(x[3:])[0][0])


X, Y = np.zeros((30, 2)), np.ones((30, 3))


def test_an_unfitted_readout_predicts_nothing():
    """A call returns 0, from which training starts."""
    esn = make()
    assert not esn(X)[0].any()
    for act in (lambda: esn.predict(X), lambda: fr.EchoState(2, 5, dtype=np.float64).generate(X, 3)):
        with refused(ValueError, "readout", "expected a network after fit"):
            act()


def test_what_generate_refuses():
    esn = fr.EchoState(2, 5, dtype=np.float64, seed=0)
    esn.params["bias"] = np.ones(2)
    with refused(ValueError, "output_size: expected 2, the input size, got 3"):
        make().generate(X, 3)
    with refused(ValueError, "steps: expected at least 1, got 0"):
        esn.generate(X, 0)
    with refused(ValueError, "x: expected at least one step and one row, got 0 and 1"):
        esn.generate(X[:0], 3)
    with refused(ValueError, "x: expected at least one step and one row, got 30 and 0"):
        esn.generate(X[:, None][:, :0], 3)
