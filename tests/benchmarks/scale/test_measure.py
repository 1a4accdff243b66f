# SPDX-License-Identifier: BSD-3-Clause
"""What the model of a step is given: times of the parts of a small model."""

from fastrnn.benchmarks._scale import measure


def test_the_parts_of_a_small_model(monkeypatch):
    monkeypatch.setattr(measure, "ROWS", (8, 64))
    monkeypatch.setattr(measure, "REPEATS", 1)
    costs = measure.costs(4, 1e-5)
    assert costs.exchange == 1e-5 and costs.rest >= 0
    assert 0 < costs.shard[8] < costs.shard[64] and 0 < costs.share < 1e-3 and 0 < costs.add < costs.shard[8]
    assert costs.nbytes == 4 * sum(p.size for p in measure.make(4).params.values())
