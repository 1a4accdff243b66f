# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: sequences to fit."""

import numpy as np
import pytest


@pytest.fixture
def series(rng):
    """Four sequences of 60 steps: a product, and inputs of one and two steps ago."""
    x = rng.uniform(-1, 1, (60, 4, 2))
    return x, np.stack([x[..., 0] * x[..., 1], np.roll(x[..., 0], 1, 0), np.roll(x[..., 1], 2, 0)], axis=-1)
