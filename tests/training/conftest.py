# SPDX-License-Identifier: BSD-3-Clause
"""Data for fit."""

import numpy as np
import pytest
from support.training import T


@pytest.fixture
def data():
    """Sequences of any lengths and their means."""
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((length, 2)).astype(np.float32) for length in rng.integers(1, T + 1, 20)]
    return x, np.array([row.mean(axis=0) for row in x])


@pytest.fixture
def tagged():
    """Arrays of all steps with classes, lengths, and weights of rows and of steps, some of them 0."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((T, 20, 2)).astype(np.float32), rng.integers(0, 3, (T, 20))
    steps = rng.uniform(size=(T, 20)) * (rng.uniform(size=(T, 20)) > 0.3)
    return x, y, rng.integers(1, T + 1, 20), rng.uniform(size=20), steps
