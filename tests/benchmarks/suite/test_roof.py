# SPDX-License-Identifier: BSD-3-Clause
"""The roof of the machine, and the bound of a case."""

import pytest
from support.bench_data import ROOF

from fastrnn.benchmarks import Case
from fastrnn.benchmarks._suite import roof


def test_the_bound_is_what_its_docstring_says():
    """Weights that fit into a cache, two plans for two threads, and training."""
    case = Case("x", "lstm", 10, 1, 64, 64)
    weights, projection = 4 * 64 * 64, 2 * 10 * 4 * 64 * 64 / 100e9
    step = weights * 4 / 100e9  # 64 KiB, from L2
    assert roof.bound(case, ROOF) == pytest.approx(projection + 10 * step)
    train = Case("x", "lstm", 10, 1, 64, 64, training=True)
    assert roof.bound(train, ROOF) == pytest.approx(3 * projection + projection + 2 * 10 * step)
    two = Case("x", "lstm", 10, 1, 64, 64, threads=2)
    assert roof.bound(two, ROOF) == pytest.approx(projection / 2 + 10 * (weights * 2 / 200e9 + 1e-7))
    many = Case("x", "lstm", 10, 64, 64, 64, threads=2)
    assert roof.bound(many, ROOF) == pytest.approx(many.flop / 200e9)


def test_the_roof_of_this_machine():
    """The engine's own probes return plausible rates."""
    fma = roof.rate("fma", 0, 4096, 1)
    assert 1e9 < fma < 1e13
    sizes = roof.working_sets(1)
    assert sizes["L1"] < sizes["L2"] < sizes["L3"]
    assert 1e8 < roof.rate("read", 0, sizes["L1"], 1) < 1e13
