# SPDX-License-Identifier: BSD-3-Clause
"""Mean and Sum: floats that know their total and their weight."""

import copy
import json
import pickle

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.losses import Mean, Sum


@pytest.mark.parametrize("kind, value", [(Mean, 2.5), (Sum, 7.5)])
def test_it_is_a_float(kind, value):
    result = kind(7.5, 3)
    assert (result.total, result.weight) == (7.5, 3.0) and type(result.weight) is float
    assert result == value and isinstance(result, float) and hash(result) == hash(value)
    assert (repr(result), str(result), f"{result:.1f}", json.dumps(result)) == (repr(value),) * 3 + (json.dumps(value),)
    for plain in (2 * result, result + 1, -result, float(result), max(result, 0.0) * 1):
        assert type(plain) is float
    assert np.asarray(result).dtype == np.float64 and np.mean([result, result]) == value


@pytest.mark.parametrize("kind", [Mean, Sum])
def test_it_can_be_copied_and_pickled(kind):
    result = kind(1.0, 3)
    copies = [pickle.loads(pickle.dumps(result, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in [*copies, copy.copy(result), copy.deepcopy(result)]:
        assert type(other) is kind and (other, other.total, other.weight) == (result, 1.0, 3.0)


def test_nothing_counted():
    assert str(Mean(0.0, 0)) == "0.0" and Mean(2.0, 0).total == 2.0 and Sum(2.0, 0) == 2.0
    assert Mean(3.0) == 3.0 and np.isnan(Mean(np.nan, 2)) and Mean(np.inf, 2) == np.inf


@pytest.mark.parametrize(
    "weight, error", [(-1, ValueError), (np.nan, ValueError), (np.inf, ValueError), ("1", TypeError)]
)
def test_weights_are_checked(weight, error):
    with pytest.raises(error, match="weight: expected a finite number of at least 0, got"):
        Mean(1.0, weight)


def test_a_total_that_is_no_number():
    with pytest.raises(TypeError):
        Mean(None)


def test_the_losses_return_it():
    """With the number of what they average as weight."""
    x = np.zeros((5, 3, 4))
    for loss, weight in [
        (fr.mse_loss(x, x)[0], 60),
        (fr.mse_loss(x, x, lengths=[2, 0, 5])[0], 28),
        (fr.binary_cross_entropy_with_logits(x, x)[0], 60),
        (fr.quantile_loss(x, x[..., 0], quantiles=[0.1, 0.2, 0.3, 0.4])[0], 60),
        (fr.cross_entropy(x, np.zeros((5, 3), int))[0], 15),
        (fr.cross_entropy(x, np.zeros((5, 3), int), weight=[0.5, 1, 1, 1])[0], 7.5),
        (fr.cross_entropy(x, np.full((5, 3), -100))[0], 0),
        (fr.ctc_loss(x, [[1], [2, 3], []], None)[0], 3),
    ]:
        assert type(loss) is Mean and loss.weight == weight
