# SPDX-License-Identifier: BSD-3-Clause
"""Timing blocks of calls."""

import time

from fastrnn.benchmarks._suite import blocks


def test_percentiles():
    """The smallest sample that at least so many percent of the samples do not exceed."""
    assert [blocks.percentile([3.0, 1.0, 2.0], percent) for percent in (1, 50, 95, 100)] == [1, 2, 3, 3]


def test_short_calls_are_timed_in_groups():
    """A sample is the time of one call either way."""
    calls = []
    samples = blocks.time_block(lambda: calls.append(0), 0.002, 1e-6)
    assert len(calls) == 100 * len(samples) and 0 < min(samples) < 1e-4
    del calls[:]
    assert len(blocks.time_block(lambda: calls.append(0), 0, 1)) == len(calls) == 1


def test_warming_up_ends_when_a_call_takes_the_usual_time():
    """If the calls stay slow it ends all the same."""
    calls = []

    def call():
        calls.append(0)
        time.sleep(0.005 if len(calls) <= 2 else 0)

    blocks.warm_up(call, usual=0.002)
    assert len(calls) == 3
    del calls[:]
    blocks.warm_up(lambda: calls.append(time.sleep(0.005)), usual=0.001)
    assert 1 < len(calls) <= blocks.LONGEST_WARM_UP / 0.005 + 1
