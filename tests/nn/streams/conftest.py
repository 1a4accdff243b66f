# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: a model of every kind that has a stream."""

import pytest
from support.streams import MODELS


@pytest.fixture(params=MODELS)
def name(request):
    return request.param
