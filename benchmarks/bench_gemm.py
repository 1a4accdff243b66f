# SPDX-License-Identifier: BSD-3-Clause
"""Matrix products (gemm.h): C += A B on one thread. `_core.gemm` packs B in every call."""

from typing import Any

import numpy as np
import pytest

from fastrnn import _core

from ._suite.timing import measure

SHAPES = [(1, 256, 256), (6, 256, 64), (32, 512, 128), (64, 1024, 256), (16, 2048, 512)]  # m, n, k


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def bench_gemm(benchmark: Any, shape: tuple[int, int, int], dtype: str) -> None:
    m, n, k = shape
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(size).astype(dtype) for size in ((m, k), (k, n)))
    c = np.zeros((m, n), dtype)
    measure(benchmark, f"gemm {m}x{n}x{k}", lambda: _core.gemm(a, b, c), 2 * m * n * k, dtype=dtype)
