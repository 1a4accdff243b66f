# SPDX-License-Identifier: BSD-3-Clause
"""One DataFrame of sequences: by an index of two levels, or with series as cells."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.model_selection import cross_val_score
from support.sklearn import few, ragged

from fastrnn.sklearn import ESNRegressor
from fastrnn.sklearn._sequences import read

NAMES = ["left", "right"]


def by_index(sequences):
    keys = [f"s{n}" for n in reversed(range(len(sequences)))]  # their order is that of the rows, not of the keys
    return pd.concat([pd.DataFrame(each, columns=NAMES) for each in sequences], keys=keys)


def by_cells(sequences, cell=pd.Series):
    return pd.DataFrame([[cell(channel) for channel in each.T] for each in sequences], columns=NAMES)


@pytest.mark.parametrize("form", [by_index, by_cells, lambda sequences: by_cells(sequences, np.array)])
def test_the_sequences_come_back_with_the_names_of_channels(form, rng):
    arrays, estimator = ragged(rng, 6), BaseEstimator()
    sequences = read(estimator, form(arrays), reset=True)
    for result, expected in zip(sequences.rows(), arrays, strict=True):
        np.testing.assert_array_equal(result, expected)
    assert estimator.n_features_in_ == 2 and estimator.feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize("form", [by_index, by_cells])
def test_predictions_are_those_of_a_list(form, rng):
    arrays = ragged(rng, 30)
    y = np.array([len(each) for each in arrays], float)
    expected = few(ESNRegressor).fit(arrays, y).predict(arrays)
    assert (few(ESNRegressor).fit(form(arrays), y).predict(form(arrays)) == expected).all()


def test_searches_split_cells_and_refuse_an_index_of_two_levels(rng):
    """The length of the latter is the number of all steps."""
    arrays = ragged(rng, 30)
    y = np.arange(30.0)
    assert len(cross_val_score(few(ESNRegressor), by_cells(arrays), y, cv=3)) == 3
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        cross_val_score(few(ESNRegressor), by_index(arrays), y, cv=3)


def test_channels_of_different_lengths_and_more_levels_are_refused(rng):
    cells = by_cells(ragged(rng, 3))
    cells.iloc[1, 1] = pd.Series(np.zeros(20))
    with pytest.raises(ValueError, match=r"X\[1\]: expected channels of one length, of at least 1, got \[\d, 20\]"):
        read(BaseEstimator(), cells, reset=True)
    deep = pd.concat([by_index(ragged(rng, 3))], keys=["group"])
    with pytest.raises(ValueError, match="X: expected an index of 1 or 2 levels, the sequence and the step, got 3"):
        read(BaseEstimator(), deep, reset=True)


def test_a_frame_of_numbers_is_a_table(rng):
    table = pd.DataFrame(rng.standard_normal((4, 7)))
    assert read(BaseEstimator(), table, reset=True).channels == 1
