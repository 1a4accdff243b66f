# SPDX-License-Identifier: BSD-3-Clause
"""No test of threads leaves a setting to the next."""

import sys

import pytest

import fastrnn as fr


@pytest.fixture(autouse=True)
def no_setting_left():
    """Each test begins and ends without set_num_threads."""
    fr.set_num_threads(None)
    yield
    fr.set_num_threads(None)


@pytest.fixture
def many_switches():
    """With the GIL, threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
