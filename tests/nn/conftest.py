# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: one layer of every kind."""

import numpy as np
import pytest
from support.every_layer import LAYERS


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def case(request):
    """make(dtype=, seed=) of a layer, and an input for it."""
    return request.param


@pytest.fixture
def make(case):
    """A function that makes the layer, by default in float32 and with seed 0."""
    return lambda dtype=np.float32, seed=0: case[0](dtype=dtype, seed=seed)
