# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: every kind of model, every way of decoding."""

import pytest
from support.decoding import FUNCTIONS, MODELS


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request):
    return request.param()


@pytest.fixture(params=FUNCTIONS.values(), ids=FUNCTIONS)
def decode(request):
    return request.param
