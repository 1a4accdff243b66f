# SPDX-License-Identifier: BSD-3-Clause
"""Exchanges between two processes, here as threads, and what is published of networks."""

import pytest
from support.ranks import in_threads

from fastrnn.benchmarks._scale import network


def test_what_is_measured_between_two_ranks(monkeypatch):
    monkeypatch.setattr(network, "REPEATS", 20)
    for exchange in in_threads(2, network.exchange_times):
        assert 0 < exchange.latency < 1 and 0 < exchange.processor < 1
        both = max(exchange.latency, exchange.processor)  # of separate measurements
        assert exchange.processor + 2 * exchange.waiting.latency == pytest.approx(both)
        assert exchange.bandwidth > 1e6 and exchange.copying.bandwidth == pytest.approx(1 / exchange.per_byte)


def test_published_networks_go_from_slow_to_fast():
    latencies, bandwidths = zip(*network.PUBLISHED.values(), strict=True)
    assert list(latencies) == sorted(latencies, reverse=True) and list(bandwidths) == sorted(bandwidths)
