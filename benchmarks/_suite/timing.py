# SPDX-License-Identifier: BSD-3-Clause
"""What the bench_*.py files share: timing a call under pytest-benchmark, and the figures reported beside its time."""

from collections.abc import Callable
from typing import Any

from fastrnn import _core

from .cases import Case

SHAPES = {  # one small case (T, N, I, H) of each class
    "tiny": (100, 1, 64, 64),
    "small": (150, 4, 256, 256),
    "resident": (100, 32, 128, 128),
    "large": (25, 16, 512, 512),
}


def make_case(group: str, cell: str, training: bool, dtype: str = "float32") -> Case:
    """The small case of a class."""
    T, N, I, H = SHAPES[group]
    return Case(group, cell, T, N, I, H, training=training, dtype=dtype)


def measure(
    benchmark: Any, group: str, call: Callable[[], object], work: float, unit: str = "gflops", **info: Any
) -> None:
    """Time a call and report its rate.

    Parameters
    ----------
    benchmark : pytest_benchmark.fixture.BenchmarkFixture
    group : str
        The table that the time goes into.
    call : callable
    work : float
        How many operations, bytes or elements a call processes.
    unit : str
        What to call a billion of them per second, default "gflops".
    **info
        Further facts to store with the result.
    """
    benchmark.group = group
    benchmark.extra_info.update(info, isa=_core.get_isa())
    call()
    benchmark(call)
    if benchmark.stats is not None:  # None under --benchmark-disable
        benchmark.extra_info[unit] = work / benchmark.stats.stats.median * 1e-9
