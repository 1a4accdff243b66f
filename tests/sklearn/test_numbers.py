# SPDX-License-Identifier: BSD-3-Clause
"""What is read as numbers and what is refused, with the name of the argument."""

import datetime

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from fastrnn.sklearn._numbers import check_numbers, has_objects, naming


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_errors_get_the_name_of_the_argument_once(error):
    with pytest.raises(error, match="^X: could not convert$"), naming("X"):
        raise error("could not convert")
    with pytest.raises(error, match="^Input X contains NaN$"), naming("X"):
        raise error("Input X contains NaN")


def test_other_errors_pass():
    """But that of a tensor with a gradient, a RuntimeError, is one of a type."""
    with pytest.raises(KeyError), naming("X"):
        raise KeyError("X")
    with pytest.raises(TypeError, match="X: use detach"), naming("X"):
        raise RuntimeError("use detach()")


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csr_matrix, sparse.coo_array])
def test_sparse_arrays_are_refused(form):
    """Also of labels, for which NumPy would make an array of one object."""
    for times in (False, True):
        with pytest.raises(TypeError, match=r"y: expected a dense array, got a sparse \w+; y.toarray\(\)"):
            check_numbers("y", form(np.eye(2)), times)


@pytest.mark.parametrize(
    "value",
    [
        [np.timedelta64(1, "s")],
        np.array([np.timedelta64(1, "s"), 1.0], object),
        [1.0, datetime.date(2026, 1, 1)],
        pd.Series([1.0, np.timedelta64(1, "s")], dtype=object),
        pd.DataFrame({"a": [1.0], "b": pd.Series([pd.Timestamp(0)], dtype=object)}),
        pd.DataFrame({"a": [1.0], "b": pd.to_timedelta([1])}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_times_among_objects_are_no_numbers(value):
    """float() of a timedelta64 is its count of seconds, or of nanoseconds."""
    with pytest.raises(TypeError, match="X: expected numbers, got"):
        check_numbers("X", value)
    check_numbers("X", value, times=True)


def test_numbers_of_any_kind_pass():
    for value in (
        [1, 2.5],
        np.array([1, 2.5], object),
        pd.DataFrame({"a": [1], "b": ["1"]}),
        np.ma.masked_array([1.0]),
    ):
        check_numbers("X", value)


def test_objects_are_those_of_python():
    """Not those of an extension of pandas, whose dtype calls itself one of objects."""
    assert has_objects(np.array(["a"], object)) and has_objects(pd.Series(["a"], dtype=object))
    assert (
        not has_objects(pd.Series(["a"], dtype="category")) and not has_objects(["a"]) and not has_objects(np.ones(1))
    )


def test_masked_rows_of_a_list_are_refused():
    """NumPy would read what is under the mask."""
    with pytest.raises(TypeError, match="X: expected numbers, got masked values"):
        check_numbers("X", [np.ma.masked_equal([1.0, 2.0], 2.0), [3.0, 4.0]])


def test_a_number_that_is_too_large_is_a_wrong_value():
    with pytest.raises(ValueError, match="y: int too large to convert to float"), naming("y"):
        float(10**400)
