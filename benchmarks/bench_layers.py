# SPDX-License-Identifier: BSD-3-Clause
"""Linear and Embedding: inference and a training step."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastrnn as fr

from ._suite.timing import measure


def step(layer: fr.Linear | fr.Embedding, x: NDArray[Any], dy: NDArray[Any]) -> None:
    """A training step without the optimizer."""
    layer.zero_grad()
    _, tape = layer.forward(x)
    layer.backward(tape, dy)


@pytest.mark.parametrize("training", [False, True], ids=["infer", "train"])
@pytest.mark.parametrize("sizes", [(32, 128, 64), (2048, 256, 128), (2048, 512, 1000)], ids=str)
def bench_linear(benchmark: Any, sizes: tuple[int, int, int], training: bool) -> None:
    rows, features, outputs = sizes
    layer = fr.Linear(features, outputs, seed=0)
    x = np.random.default_rng(0).standard_normal((rows, features)).astype(np.float32)
    dy = np.ones((rows, outputs), np.float32)
    call = (lambda: step(layer, x, dy)) if training else (lambda: layer(x))
    work = 2 * rows * features * outputs * (3 if training else 1)
    measure(benchmark, f"linear {rows}x{features}x{outputs} {'train' if training else 'infer'}", call, work)


@pytest.mark.parametrize("training", [False, True], ids=["infer", "train"])
def bench_embedding(benchmark: Any, training: bool) -> None:
    words, size, tokens = 10_000, 128, 2048
    layer = fr.Embedding(words, size, seed=0)
    x = np.random.default_rng(0).integers(0, words, (64, 32))
    dy = np.ones((64, 32, size), np.float32)
    call = (lambda: step(layer, x, dy)) if training else (lambda: layer(x))
    measure(benchmark, f"embedding {'train' if training else 'infer'}", call, tokens * size * 4, "gigabytes_per_second")
