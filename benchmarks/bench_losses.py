# SPDX-License-Identifier: BSD-3-Clause
"""Losses with their gradients (cross_entropy.h, ctc.h): cross-entropy beside the same computation in NumPy, and CTC."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastrnn as fr

from ._suite.timing import measure

Array = NDArray[Any]


def in_numpy(z: Array, y: Array) -> tuple[float, Array]:
    """Cross-entropy and its gradient, in seven passes over memory."""
    M, position = len(z), np.arange(len(z))
    p = z - z.max(axis=1, keepdims=True)
    chosen = p[position, y].astype(np.float64)
    np.exp(p, out=p)
    total = p.sum(axis=1, dtype=np.float64)
    loss = float((np.log(total) - chosen).mean())
    p *= (1 / (M * total)).astype(p.dtype)[:, None]
    p[position, y] -= np.float32(1 / M)
    return loss, p


@pytest.mark.parametrize("implementation", ["one thread", "two threads", "numpy"])
@pytest.mark.parametrize("sizes", [(3200, 65), (640, 10_000), (256, 30_000)], ids=str)
def bench_cross_entropy(benchmark: Any, sizes: tuple[int, int], implementation: str) -> None:
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal(sizes, np.float32), rng.integers(0, sizes[1], sizes[0])
    call = partial(in_numpy if implementation == "numpy" else fr.cross_entropy, z, y)
    with fr.threads(2 if implementation == "two threads" else 1):
        measure(benchmark, f"cross-entropy {sizes[0]}x{sizes[1]}", call, z.size, "billion_logits_per_second")


@pytest.mark.parametrize("n", [1, 2])
def bench_ctc(benchmark: Any, n: int) -> None:
    T, N, S, V = 200, 16, 32, 64
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((T, N, V), np.float32), rng.integers(1, V, (N, S))
    with fr.threads(n):
        measure(benchmark, f"CTC T={T} N={N} S={S}", lambda: fr.ctc_loss(z, y, None), T * N, "billion_steps_per_second")
