# SPDX-License-Identifier: BSD-3-Clause
"""sigmoid, softmax and log_softmax of any numbers."""

import math

import numpy as np
import pytest
from support.layers import argument_refused
from support.tolerance import assert_close

import fastrnn as fr

pytestmark = pytest.mark.filterwarnings("error")

FUNCTIONS = {"sigmoid": fr.sigmoid, "softmax": fr.softmax, "log_softmax": fr.log_softmax}
INF = math.inf


@pytest.fixture(params=FUNCTIONS.values(), ids=FUNCTIONS)
def function(request):
    return request.param


def on_paper(name, x):
    """The definition, in Python floats, of one row."""
    if name == "sigmoid":
        return [1 / (1 + math.exp(-v)) if v > 0 else math.exp(v) / (1 + math.exp(v)) for v in x]
    total = math.fsum(math.exp(v - max(x)) for v in x)
    return [math.exp(v - max(x)) / total if name == "softmax" else v - max(x) - math.log(total) for v in x]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_those_of_the_definition(name, dtype, rng):
    x = (3 * rng.standard_normal((50, 7))).astype(dtype)
    expected = [on_paper(name, row) for row in x.tolist()]
    assert_close(FUNCTIONS[name](x), expected, dtype, terms=7, steps=1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch_gives_the_same(name, dtype, rng):
    """Also along another axis."""
    torch = pytest.importorskip("torch")
    x = (5 * rng.standard_normal((4, 3, 6))).astype(dtype)
    for axis in (None,) if name == "sigmoid" else (0, 1, 2, -2):
        own = {} if axis is None else {"axis": axis}
        expected = getattr(torch, name)(torch.from_numpy(x), **({} if axis is None else {"dim": axis}))
        assert_close(FUNCTIONS[name](x, **own), expected.numpy(), dtype, terms=6, steps=1)


def test_any_finite_number_is_safe(dtype):
    """No overflow, and no precision lost where a probability is tiny."""
    top = np.finfo(dtype).max
    x = np.array([-top, -100, 0, 100, top], dtype)
    np.testing.assert_array_equal(fr.sigmoid(x)[[0, 2, 3, 4]], [0, 0.5, 1, 1])
    assert fr.sigmoid(x)[1] == pytest.approx(math.exp(-100), rel=1e-5)
    np.testing.assert_array_equal(fr.softmax(x), [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(fr.softmax(x[:1]), [1])
    np.testing.assert_array_equal(fr.log_softmax(x[1:4]), [-200, -100, 0])
    np.testing.assert_array_equal(fr.log_softmax(x), [-INF, -top, -top, -top, 0])


def test_minus_infinity_forbids_a_class(dtype):
    x = np.array([[0, -INF, 0], [-INF, 1, -INF]], dtype)
    np.testing.assert_array_equal(fr.softmax(x), [[0.5, 0, 0.5], [0, 1, 0]])
    np.testing.assert_allclose(fr.log_softmax(x), [[-math.log(2), -INF, -math.log(2)], [-INF, 0, -INF]], rtol=1e-6)
    np.testing.assert_array_equal(fr.sigmoid(x[0]), [0.5, 0, 0.5])


@pytest.mark.parametrize("spoiled", [[0, math.nan], [0, INF], [-INF, -INF]], ids=str)
def test_what_has_no_probabilities_is_nan(spoiled, dtype):
    """In its own row alone."""
    x = np.array([spoiled, [0, 0]], dtype)
    for function in (fr.softmax, fr.log_softmax):
        result = function(x)
        assert np.isnan(result[0]).all()
        np.testing.assert_array_equal(result[1], function(x[1]))


def test_nan_passes_through_sigmoid(dtype):
    np.testing.assert_array_equal(fr.sigmoid(np.array([math.nan, INF, -INF], dtype)), [math.nan, 1, 0])


def test_floats_keep_their_dtype_and_other_numbers_become_float64(function):
    for dtype in (np.float32, np.float64):
        x = np.zeros((2, 3), dtype)
        assert function(x).dtype == dtype and function(x).shape == (2, 3)
    for dtype in (np.int8, np.uint64, np.float16, np.dtype(">f4"), np.longdouble):
        assert function(np.ones(3, dtype)).dtype == np.float64
    assert function([1, 2]).dtype == np.float64


def test_the_input_is_not_written_to(function, rng):
    x = rng.standard_normal((3, 4))
    x.flags.writeable = False
    assert not np.shares_memory(function(x), x)


def test_empty_arrays_stay_empty(function):
    assert function(np.zeros((3, 0))).shape == (3, 0)
    assert function(np.zeros((0, 3))).shape == (0, 3)


def test_a_scalar_gives_a_scalar():
    assert fr.sigmoid(0) == 0.5 and np.ndim(fr.sigmoid(0)) == 0


@pytest.mark.parametrize("bad", [None, "1", [1j], [True], [[1.0], [1.0, 2.0]]], ids=repr)
def test_what_is_no_array_of_numbers_is_refused(function, bad):
    with argument_refused(TypeError, "x", "expected an array of real numbers"):
        function(bad)


def test_an_axis_that_is_not_there_is_refused():
    for function in (fr.softmax, fr.log_softmax):
        with argument_refused(ValueError, "axis", "expected one of the 2 axes of x (2, 3), got 2"):
            function(np.zeros((2, 3)), 2)
        with argument_refused(ValueError, "axis", "expected one of the 0 axes of x ()"):
            function(1.0)
        with argument_refused(TypeError, "axis", "expected an integer"):
            function(np.zeros((2, 3)), None)
