# SPDX-License-Identifier: BSD-3-Clause
"""Every form of X: tables, arrays of sequences, lists of sequences of any lengths, and DataFrames of each."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator

from fastrnn.sklearn._sequences import read


def opened(X):
    return read(BaseEstimator(), X, reset=True)


def test_a_table_is_one_channel(rng):
    table = rng.standard_normal((4, 7))
    sequences = opened(table)
    assert (sequences.channels, sequences.lengths.tolist()) == (1, [7] * 4)
    np.testing.assert_array_equal(sequences.rows()[..., 0], table)


def test_sequences_of_one_length_come_back_as_an_array(rng):
    """So that a list of them is batched as the array is."""
    array = rng.standard_normal((4, 7, 3))
    for form in (array, list(array), array.tolist()):
        assert (opened(form).rows() == array).all() and isinstance(opened(form).rows(), np.ndarray)


@pytest.mark.parametrize(
    "form", [list, tuple, lambda x: np.array([*x, None], object)[:-1], lambda x: [r.tolist() for r in x]]
)
def test_sequences_of_any_lengths_come_back(form, rng):
    """Also as an array of objects, as an index with an array makes it, and as lists of numbers."""
    arrays = [rng.standard_normal((length, 2)) for length in (3, 1, 5)]
    sequences = opened(form(arrays))
    assert sequences.lengths.tolist() == [3, 1, 5]
    for result, expected in zip(sequences.rows(), arrays, strict=True):
        np.testing.assert_array_equal(result, expected)


def test_the_dtype_is_that_of_x(rng):
    """float32 stays; all other numbers become float64."""
    x = rng.standard_normal((3, 4, 2))
    for dtype, expected in (
        ("float32", "float32"),
        ("float64", "float64"),
        ("int16", "float64"),
        ("float16", "float64"),
    ):
        for X in (x.astype(dtype), list(x.astype(dtype)), x[..., 0].astype(dtype)):
            assert opened(X).dtype == expected


def test_features_are_the_steps_of_a_table_and_else_the_channels(rng):
    estimator = BaseEstimator()
    read(estimator, rng.standard_normal((5, 9)), reset=True)
    assert estimator.n_features_in_ == 9
    read(estimator, rng.standard_normal((5, 9, 3)), reset=True)
    assert estimator.n_features_in_ == 3


def test_an_array_and_a_list_of_sequences_are_one_form(rng):
    """With any number of steps."""
    estimator = BaseEstimator()
    read(estimator, rng.standard_normal((5, 9, 3)), reset=True)
    assert read(estimator, [rng.standard_normal((4, 3))], reset=False).lengths.tolist() == [4]


def test_the_names_of_columns_are_kept_and_compared(rng):
    """Of a table they are its steps, of a list of DataFrames its channels."""
    estimator, names = BaseEstimator(), ["a", "b", "c"]
    table = pd.DataFrame(rng.standard_normal((4, 3)), columns=names)
    read(estimator, table, reset=True)
    assert estimator.feature_names_in_.tolist() == names
    read(estimator, [table, table.iloc[:2]], reset=True)
    assert estimator.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="feature names should match"):
        read(estimator, [table[["b", "a", "c"]]], reset=False)
    with pytest.raises(ValueError, match=r"X\[1\]: expected the columns of X\[0\]"):
        read(estimator, [table, table[["b", "a", "c"]]], reset=True)
    with pytest.raises(ValueError, match=r"X\[1\]: expected the columns of X\[0\]"):
        read(estimator, [table, table.to_numpy()], reset=True)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([np.ones(3), np.ones(4)], r"expected sequences of shape \(T, C\), got 1-D"),
        ([np.ones((3, 2)), np.ones((3, 1))], r"X\[1\]: expected 2 channels, as X\[0\] has, got 1"),
        ([np.ones((3, 2)), np.ones((0, 2))], r"X\[1\]: expected a sequence \(T, C\) with at least one step"),
        ([np.ones((3, 2)), np.ones(2)], r"X\[1\]: expected a sequence \(T, C\)"),
        (np.ones((0, 3, 2)), "at least one of each"),
        (np.ones((2, 3, 2, 2)), "Found array with dim 4"),
        ([np.full((3, 2), np.nan)], "X contains NaN"),
        (np.full((2, 3, 2), np.inf), "X contains infinity"),
        ([], "X: expected at least one sample, got an empty list"),
    ],
)
def test_what_is_no_sequence_is_refused(X, words):
    with pytest.raises(ValueError, match=words):
        opened(X)


def test_the_form_has_to_be_that_of_fit(rng):
    """A table of as many columns as there are channels would else be taken for sequences of one step, or one of all."""
    estimator, table, array = BaseEstimator(), rng.standard_normal((6, 3)), rng.standard_normal((6, 4, 3))
    read(estimator, table, reset=True)
    with pytest.raises(ValueError, match="X: expected a table .*, as in fit, got sequences"):
        read(estimator, array, reset=False)
    read(estimator, array, reset=True)
    with pytest.raises(ValueError, match="X: expected sequences: .*, as in fit, got a table"):
        read(estimator, table, reset=False)
    with pytest.raises(ValueError, match="X has 2 features, but BaseEstimator is expecting 3"):
        read(estimator, array[..., :2], reset=False)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2)])
@pytest.mark.parametrize("as_list", [False, True])
def test_times_and_masked_values_are_no_numbers(shape, as_list, rng):
    """NumPy would count nanoseconds, and read what lies under a mask."""
    form = list if as_list and len(shape) == 3 else lambda X: X
    for dtype in ("datetime64[s]", "timedelta64[s]"):
        with pytest.raises(TypeError, match=r"X.*: expected numbers, got (datetime|timedelta)64\[s\]"):
            opened(form(np.ones(shape, dtype)))
    values = rng.standard_normal(shape)
    with pytest.raises(TypeError, match="X.*: expected numbers, got masked values"):
        opened(form(np.ma.masked_where(values == values[1, 1:2], values)))
    opened(form(np.ma.masked_array(values)))


@pytest.mark.parametrize("names", [[0, 1], [("a", 0), ("a", 1)], pd.date_range("2026", periods=2)], ids=["0", "a", "t"])
def test_columns_of_any_names_are_those_of_fit(names, rng):
    """scikit-learn compares strings alone."""
    table = pd.DataFrame(rng.standard_normal((4, 2)), columns=names)
    for form in (lambda frame: frame, lambda frame: [frame, frame]):
        estimator = BaseEstimator()
        read(estimator, form(table), reset=True)
        read(estimator, form(table), reset=False)
        with pytest.raises(ValueError, match=r"X.*: expected the (columns .*, those of fit|steps in their order)"):
            read(estimator, form(table[table.columns[::-1]]), reset=False)


def test_columns_of_a_table_are_in_the_order_of_time(rng):
    table = pd.DataFrame(rng.standard_normal((4, 3)), columns=pd.date_range("2026", periods=3)[::-1])
    with pytest.raises(ValueError, match="X.columns: expected the steps in their order"):
        opened(table)


def test_a_series_of_sequences_is_a_list_of_them(rng):
    """The column of a DataFrame whose cells are sequences."""
    arrays = [rng.standard_normal((length, 2)) for length in (3, 1, 5)]
    for cell in (np.asarray, pd.DataFrame):
        assert opened(pd.Series([cell(each) for each in arrays])).lengths.tolist() == [3, 1, 5]


def test_sparse_arrays_are_named(rng):
    array = sparse.csr_array(np.eye(3))
    for X, name in ((array, "X"), ([array, array], r"X\[0\]"), (sparse.coo_array(np.ones((2, 3, 4))), "X")):
        with pytest.raises(TypeError, match=name + ": expected a dense array, got a sparse"):
            opened(X)


@pytest.mark.parametrize("X", ["abc", {"a": 1}, [[[1, 2], [3]]], np.full((2, 2), "a"), np.ones(3)], ids=str)
def test_errors_of_scikit_learn_name_the_argument(X):
    with pytest.raises((TypeError, ValueError), match="^X: "):
        opened(X)
