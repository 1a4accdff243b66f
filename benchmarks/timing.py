# SPDX-License-Identifier: BSD-3-Clause
"""What the bench_*.py files share: a call under pytest-benchmark, and what is written beside its time."""

from fastrnn import _core

from .cases import Case

CLASSES = {  # one small case of each class
    "tiny": (100, 1, 64, 64),
    "small": (150, 4, 256, 256),
    "resident": (100, 32, 128, 128),
    "large": (25, 16, 512, 512),
}


def case_of(group, cell, training, dtype="float32"):
    """The case of a class."""
    T, N, I, H = CLASSES[group]
    return Case(group, cell, T, N, I, H, training=training, dtype=dtype)


def measure(benchmark, group, call, work, unit="gflops", **info):
    """Time `call`, which does `work` operations (or bytes, or elements), in the group of that name."""
    benchmark.group = group
    benchmark.extra_info.update(info, isa=_core.get_isa())
    call()
    benchmark(call)
    if benchmark.stats is not None:  # None under --benchmark-disable
        benchmark.extra_info[unit] = work / benchmark.stats.stats.median * 1e-9
