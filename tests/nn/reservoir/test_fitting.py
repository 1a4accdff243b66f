# SPDX-License-Identifier: BSD-3-Clause
"""The readout of an echo state network, fitted by ridge regression."""

import numpy as np
import pytest
from support.layers import refused, snapshot
from support.least_squares import centred_ridge

import fastrnn as fr


def make(**options):
    return fr.EchoState(2, 15, **({"output_size": 3, "washout": 10, "dtype": np.float64, "seed": 0} | options))


def stacked(esn, x, y, ridge):
    """The readout by least squares on all fitted features at once, sequence by sequence."""
    features = np.concatenate([esn.features(one)[0][esn.washout :] for one in x])
    return centred_ridge(features, np.concatenate([one[esn.washout :] for one in y]), ridge)


def assert_fitted(esn, expected):
    result = np.concatenate([esn.params["bias"][:, None], esn.params["weight"]], axis=1)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("ridge", [1e-3, 1.0])
@pytest.mark.parametrize("options", [{}, {"input_to_readout": False}, {"num_layers": 3}, {"washout": 0}], ids=str)
def test_fit_solves_least_squares_on_the_stacked_features(options, ridge, series):
    """Behind the washout, all rows of the batch; the ridge leaves the bias free."""
    x, y = series
    esn = make(**options)
    assert esn.fit(x, y, ridge) is esn
    assert_fitted(esn, stacked(esn, x.swapaxes(0, 1), y.swapaxes(0, 1), ridge))


@pytest.mark.parametrize("options", [{}, {"input_to_readout": False, "bias_scaling": 0.5}], ids=str)
@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("offset", [0.0, 100.0, 1e6])
def test_fit_is_the_ridge_regression_of_scikit_learn(offset, ridge, options, series):
    """Of several outputs and sequences, with offsets of inputs and targets, behind the washout."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = series[0] + offset, series[1] - offset
    esn = make(input_scaling=0.5 / (1 + offset), **options)
    features = np.concatenate([esn.features(x[:, k])[0][10:] for k in range(4)])
    expected = linear_model.Ridge(alpha=ridge, solver="svd").fit(features, np.concatenate(list(y[10:].swapaxes(0, 1))))
    esn.fit(list(x.swapaxes(0, 1)), list(y.swapaxes(0, 1)), ridge)
    fitted, predicted = esn.predict(x)[10:], expected.predict(esn.features(x)[0][10:].reshape(200, -1))
    np.testing.assert_allclose(fitted.reshape(200, 3), predicted, rtol=0, atol=1e-8 * (1 + offset))
    if ridge:  # without, small features leave weights to rounding
        atol = 1e-8 * np.abs(expected.coef_).max()
        np.testing.assert_allclose(esn.params["weight"], expected.coef_, rtol=0, atol=atol)
        np.testing.assert_allclose(esn.params["bias"], expected.intercept_, rtol=0, atol=atol * (1 + offset))


def test_lists_padded_arrays_and_both_layouts_fit_the_same(series):
    """A list, a padded array with lengths, and batch first; lengths in any order. NaN in the padding is not read."""
    x, y = series
    lengths = [31, 60, 11, 44]
    xs, ys = ([array[:n, k] for k, n in enumerate(lengths)] for array in series)
    expected = stacked(make(), xs, ys, 1e-2)
    assert_fitted(make().fit(xs, ys, 1e-2), expected)
    assert_fitted(make().fit(tuple(reversed(xs)), tuple(reversed(ys)), 1e-2), expected)
    x[np.arange(60)[:, None] >= lengths] = np.nan
    y[np.arange(60)[:, None] >= lengths] = np.nan
    assert_fitted(make().fit(x, y, 1e-2, lengths=lengths), expected)
    first = make(batch_first=True)
    assert_fitted(first.fit(x.swapaxes(0, 1), y.swapaxes(0, 1), 1e-2, lengths=lengths), expected)
    alone = make(batch_first=True).fit(xs[1], ys[1], 1e-2)
    assert_fitted(alone, stacked(make(), xs[1:2], ys[1:2], 1e-2))


def test_fit_goes_through_time_in_blocks(monkeypatch, series):
    """However short they are, the sums are those of the whole, and the washout counts from the beginning."""
    x, y = series
    expected = stacked(make(), x.swapaxes(0, 1), y.swapaxes(0, 1), 1e-2)
    monkeypatch.setattr("fastrnn.nn._recurrent.stack.BLOCK_STEPS", 7)
    monkeypatch.setattr("fastrnn.nn._recurrent.stack.BLOCK_ELEMENTS", 1)
    assert_fitted(make().fit(x, y, 1e-2), expected)


def test_fit_forgets_an_earlier_fit_and_leaves_the_reservoir(series):
    x, y = series
    esn = make()
    before = esn.state_dict()
    esn.fit(x, -y).fit(x, y, 1e-2)
    assert_fitted(esn, stacked(esn, x.swapaxes(0, 1), y.swapaxes(0, 1), 1e-2))
    for name, array in esn.state_dict().items():
        assert name in esn.params or (array == before[name]).all()


def test_a_network_of_float32_is_fitted_in_float64(series):
    """The readout is that of the float32 states, and is rounded only at the end."""
    x, y = (array.astype(np.float32) for array in series)
    esn = make(dtype=np.float32).fit(x, y, 1e-3)
    expected = stacked(esn, x.swapaxes(0, 1), y.swapaxes(0, 1), 1e-3)
    np.testing.assert_allclose(esn.params["weight"], expected[:, 1:], rtol=0, atol=1e-7 * np.abs(expected).max())


def memory(esn, delays, rng, ridge):
    """Memory capacity (Jaeger, "Short term memory in echo state networks", GMD report 152, 2002): the squared
    correlations between the input k steps ago and what the readout makes of it, summed over k = 1 .. delays; here on
    fresh inputs."""
    x = rng.uniform(-1, 1, (6000, 1))
    y = np.stack([np.roll(x[:, 0], k) for k in range(1, delays + 1)], axis=1)
    esn.fit(x[:4000], y[:4000], ridge)
    actual, target = esn.predict(x[4000:])[esn.washout :], y[4000:][esn.washout :]
    return sum(np.corrcoef(actual[:, k], target[:, k])[0, 1] ** 2 for k in range(delays))


def test_memory_capacity_of_linear_units_is_their_number(rng):
    """No reservoir has more than H, and linear ones of full rank have exactly H (Jaeger 2002).

    20 units in a ring, which keeps the condition low: W is a permutation times 0.8.
    """
    H = 20
    esn = fr.EchoState(1, H, output_size=40, nonlinearity="identity", washout=200, dtype=np.float64, seed=0)
    esn.load_state_dict(esn.state_dict() | {"weight_hh_l0": 0.8 * np.roll(np.eye(H), 1, axis=0)})
    assert memory(esn, 40, rng, 0.0) == pytest.approx(H, rel=0.01)  # by chance 20 correlations of 1/sqrt(1800)


def test_memory_capacity_of_tanh_units_is_below(rng):
    """Most of it with small inputs, where tanh is nearly linear, and less of it with large ones."""
    H, result = 20, {}
    for scaling in (0.01, 1.0):
        esn = fr.EchoState(1, H, output_size=40, input_scaling=scaling, washout=200, dtype=np.float64, seed=0)
        result[scaling] = memory(esn, 40, rng, 1e-12)
    assert H > result[0.01] > 0.5 * H > result[1.0] > 3


X, Y = np.zeros((30, 2)), np.ones((30, 3))
BAD_FITS = {
    "too short": ((X[:10], Y[:10]), ValueError, "x: expected more steps than the washout of 10, got 10"),
    "one too short": (([X, X[:3]], [Y, Y[:3]]), ValueError, "x[1]: expected more steps than the washout of 10, got 3"),
    "a row too short": (
        (X[:, None], Y[:, None], 1.0, [4]), ValueError, "lengths[0]: expected more steps than the washout of 10, got 4",
    ),
    "nothing at all": ((X[:, None], Y[:, None], 1.0, [0]), ValueError, "x: expected at least one step to fit"),
    "no rows": ((np.zeros((30, 0, 2)), np.zeros((30, 0, 3))), ValueError, "x: expected at least one step to fit"),
    "no sequences": (([], []), ValueError, "x, y: expected as many sequences in both, and one at least, got 0 and 0"),
    "other lengths": ((X, Y[1:]), ValueError, "y: expected (30, 3), a target for each step of x, got (29, 3)"),
    "other targets": ((X, Y[:, :2]), ValueError, "y: expected (30, 3), a target for each step of x, got (30, 2)"),
    "other lengths in a list": (([X], [Y[1:]]), ValueError, "y[0]: expected 30 steps, as in x[0], got 29"),
    "fewer targets": (([X, X], [Y]), ValueError, "expected as many sequences in both, and one at least, got 2 and 1"),
    "targets without a list": (([X], Y), TypeError, "y: expected a list of sequences, as x is, got ndarray"),
    "lengths and a list": (([X], [Y], 1.0, [30]), ValueError, "lengths: expected None"),
    "features": (([X[:, :1]], [Y]), ValueError, "x[0]: expected (T, 2), got (30, 1)"),
    "dtype": ((X.astype(np.float32), Y), TypeError, "x: expected float64 (the layer's dtype), got float32"),
    "dtype in a list": (([X], [Y.astype(int)]), TypeError, "y[0]: expected float64 (the layer's dtype), got int64"),
    "NaN in x": ((X + np.nan, Y), ValueError, "x: expected finite numbers"),
    "NaN in y": ((X, Y + np.nan), ValueError, "y: expected finite numbers"),
    "ridge": ((X, Y, -1.0), ValueError, "ridge: expected a finite number of at least 0, got -1.0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FITS.values(), ids=BAD_FITS)
def test_what_fit_refuses_leaves_the_readout(case):
    arguments, error, message = case
    esn = make()
    esn.params["weight"] = np.full((3, 17), 0.5)
    before = snapshot(esn.params)
    with refused(error, message):
        esn.fit(*arguments)
    for name, array in before.items():
        assert (esn.params[name] == array).all()


def test_states_that_grow_without_end_are_refused():
    esn = make(nonlinearity="identity", spectral_radius=50.0)
    with refused(ValueError, "x: expected finite numbers, and states that stay finite"):
        esn.fit(np.ones((400, 2)), np.ones((400, 3)))
