# SPDX-License-Identifier: BSD-3-Clause
"""One DataFrame of sequences: by an index of two levels, or with series as cells."""

from datetime import date

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


def test_rows_of_no_sequence_are_refused(rng):
    """pandas would leave them out, and with them predictions."""
    frame = by_index(ragged(rng, 3))
    keys = frame.index.get_level_values(0)
    frame.index = pd.MultiIndex.from_arrays([keys.where(keys != "s1"), frame.index.get_level_values(1)])
    with pytest.raises(ValueError, match="X: expected an index that says of which sequence each row is"):
        read(BaseEstimator(), frame, reset=True)


@pytest.mark.parametrize("steps", [np.arange(5), pd.date_range("2026", periods=5), pd.period_range("2026", periods=5)])
def test_steps_that_are_not_in_their_order_are_refused(steps, rng):
    frame = pd.concat([pd.DataFrame(rng.standard_normal((5, 2)), index=pd.Index(steps)) for _ in "ab"], keys=["a", "b"])
    turned = pd.concat([frame.loc[["a"]], frame.loc[["b"]].iloc[[0, 2, 1, 3, 4]]])
    assert len(read(BaseEstimator(), frame, reset=True).lengths) == 2
    with pytest.raises(ValueError, match=r"X\[1\]: expected the steps in their order, got .* behind"):
        read(BaseEstimator(), turned, reset=True)


def test_a_list_of_frames_is_in_the_order_of_time(rng):
    """Numbers may be those of parts that were joined."""
    frame = pd.DataFrame(rng.standard_normal((5, 2)))
    read(BaseEstimator(), [frame, frame[::-1]], reset=True)
    frame.index = pd.date_range("2026", periods=5)
    with pytest.raises(ValueError, match=r"X\[1\]: expected the steps in their order"):
        read(BaseEstimator(), [frame, frame[::-1]], reset=True)


@pytest.mark.parametrize(
    ("column", "error", "words"),
    [
        (list("abcd"), TypeError, "expected numbers, got .*could not convert"),
        (pd.date_range("2026", periods=4), TypeError, "expected numbers, got datetime64"),
        (pd.date_range("2026", periods=4, tz="Europe/Berlin"), TypeError, "expected numbers, got datetime64.*Berlin"),
        (pd.to_timedelta([1, 2, 3, 4]), TypeError, "expected numbers, got timedelta64"),
        (pd.array([1, 2, None, 4], dtype="Int64"), ValueError, "expected numbers, got a missing value"),
        ([1.0, None, 3.0, 4.0], ValueError, "expected numbers, got a missing value"),
    ],
)
def test_a_column_that_is_no_number_is_named(column, error, words, rng):
    good = pd.DataFrame({"left": rng.standard_normal(4), "right": np.arange(4)})
    with pytest.raises(error, match=r"X\[1\]\['right'\]: " + words):
        read(BaseEstimator(), [good, good.assign(right=column)], reset=True)


def test_columns_of_any_numbers(rng):
    frame = pd.DataFrame({"left": pd.array([1, 2, 3], dtype="Int64"), "right": np.array([0.5, 1, 2], object)})
    np.testing.assert_array_equal(read(BaseEstimator(), [frame], reset=True).steps, [[1, 0.5], [2, 1], [3, 2]])


def test_a_missing_first_cell_is_named(rng):
    cells = by_cells(ragged(rng, 3))
    cells.iloc[0, 0] = None
    with pytest.raises(ValueError, match=r"X\[0\]: expected channels of one length"):
        read(BaseEstimator(), cells, reset=True)


@pytest.mark.parametrize("cell", [list, tuple, pd.Index, pd.array])
def test_cells_of_any_kind_are_series(cell, rng):
    arrays = ragged(rng, 4)
    for result, expected in zip(read(BaseEstimator(), by_cells(arrays, cell), reset=True).rows(), arrays, strict=True):
        np.testing.assert_array_equal(result, expected)


def test_cells_are_in_the_order_of_time_and_of_one_time():
    days, values = pd.date_range("2026", periods=3), [1.0, 2.0, 3.0]
    for index, words in (
        (days[::-1], r"\['b'\]: expected the steps in their order"),
        (days.shift(1), "the times of the"),
    ):
        cells = pd.DataFrame({"a": [pd.Series(values, days)], "b": [pd.Series(values, index)]})
        with pytest.raises(ValueError, match=r"X\[0\].*" + words):
            read(BaseEstimator(), cells, reset=True)
    with pytest.raises(TypeError, match=r"X\[0\]\['a'\]: expected numbers, got masked values"):
        read(BaseEstimator(), pd.DataFrame({"a": [np.ma.masked_equal(values, 2.0)]}), reset=True)


def test_channels_of_one_name_are_refused(rng):
    """One would be lost in what has a cell for each name."""
    with pytest.raises(ValueError, match=r"X: expected columns of different names, got \['left', 'left'\]"):
        read(BaseEstimator(), by_cells(ragged(rng, 3)).set_axis(["left", "left"], axis=1), reset=True)


def test_a_step_is_once_in_an_index(rng):
    """Else rows of two sequences of one name would be one, step by step."""
    frame = by_index(ragged(rng, 3))
    with pytest.raises(ValueError, match=r"X\[\d\]: expected each step of a sequence once in the index, got .* twice"):
        read(BaseEstimator(), pd.concat([frame, frame]).sort_index(), reset=True)
    with pytest.raises(ValueError, match="X: expected at least one sequence, got a DataFrame without rows"):
        read(BaseEstimator(), frame.iloc[:0], reset=True)


def test_dates_are_in_their_order(rng):
    """Those of Python, too, which are objects to pandas."""
    frame = pd.DataFrame(rng.standard_normal((3, 2)), index=[date(2026, 1, day) for day in (3, 2, 1)])
    with pytest.raises(ValueError, match=r"X\[0\]: expected the steps in their order, got .*2026, 1, 2.* behind"):
        read(BaseEstimator(), [frame], reset=True)
    read(BaseEstimator(), [frame[::-1]], reset=True)


def test_a_group_with_its_key_is_one_sequence(rng):
    """As groupby gives it; several are not."""
    frame = by_index(ragged(rng, 3))
    groups = [each for _, each in frame.groupby(level=0, sort=False)]
    assert len(read(BaseEstimator(), groups, reset=True).lengths) == 3
    with pytest.raises(ValueError, match=r"X\[0\]: expected one sequence, got an index of 2 levels with several"):
        read(BaseEstimator(), [frame], reset=True)
    with pytest.raises(ValueError, match=r"X\[0\]: expected the steps in their order"):
        read(BaseEstimator(), [groups[0][::-1]], reset=True)


def test_complex_numbers_are_refused(rng):
    """pandas would drop the imaginary part."""
    frame = pd.DataFrame({"a": rng.standard_normal(4) + 1j})
    with pytest.raises(TypeError, match=r"X\[0\]\['a'\]: expected real numbers, got complex128"):
        read(BaseEstimator(), [frame], reset=True)


def test_targets_and_weights_have_the_order_of_the_sequences(rng):
    """If they are of pandas and name them."""
    X = by_index(ragged(rng, 4))
    keys = X.index.get_level_values(0).unique()
    y = pd.Series(np.arange(4.0), keys)
    expected = few(ESNRegressor).fit(X, y.to_numpy(), sample_weight=np.ones(4)).predict(X)
    for same in (y, y.reset_index(drop=True)):
        assert (few(ESNRegressor).fit(X, same, sample_weight=y * 0 + 1).predict(X) == expected).all()
    with pytest.raises(ValueError, match="y: expected the sequences in the order of X"):
        few(ESNRegressor).fit(X, y[::-1])
    with pytest.raises(ValueError, match="sample_weight: expected the sequences in the order of X"):
        few(ESNRegressor).fit(X, y, sample_weight=y[::-1])


def test_rows_of_a_table_have_one_order(rng):
    """Series in a list; parts of one long series may have any numbers."""
    rows = [pd.Series(rng.standard_normal(3), list("abc")) for _ in range(4)]
    read(BaseEstimator(), rows, reset=True)
    read(BaseEstimator(), [row.set_axis([3 * n, 3 * n + 1, 3 * n + 2]) for n, row in enumerate(rows)], reset=True)
    with pytest.raises(
        ValueError, match=r"X\[3\]: expected the order of X\[0\], \['a', 'b', 'c'\], got \['c', 'b', 'a'\]"
    ):
        read(BaseEstimator(), [*rows[:3], rows[3][::-1]], reset=True)
    with pytest.raises(ValueError, match=r"X\[0\]: expected the steps in their order"):
        read(BaseEstimator(), [row.set_axis(pd.date_range("2026", periods=3)[::-1]) for row in rows], reset=True)
