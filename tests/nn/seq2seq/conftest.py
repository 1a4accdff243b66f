# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: models from sequence to sequence."""

import pytest
from support.seq2seq import MODELS


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def make(request):
    return request.param
