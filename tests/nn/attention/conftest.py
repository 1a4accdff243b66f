# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: with and without input feeding."""

import pytest


@pytest.fixture(params=[False, True], ids=["whole", "fed"])
def fed(request):
    return request.param
