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
