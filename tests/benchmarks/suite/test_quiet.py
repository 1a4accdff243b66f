# SPDX-License-Identifier: BSD-3-Clause
"""Noticing other processes that use the machine."""

import os
import subprocess
import sys
import time

import pytest

from fastrnn.benchmarks._suite import quiet


def test_a_busy_process_is_noticed():
    """Unless it is one of our own."""
    if quiet.machine_ticks() is None:
        pytest.skip("needs /proc/stat")
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        including, excluding = quiet.CpuWatch(lambda: [os.getpid()]), quiet.CpuWatch(lambda: [os.getpid(), busy.pid])
        time.sleep(0.5)
        all_others, remaining = including.cores(), excluding.cores()
    finally:
        busy.kill()
        busy.wait()
    assert all_others > quiet.NOISE and remaining < all_others
