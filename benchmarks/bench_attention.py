# SPDX-License-Identifier: BSD-3-Clause
"""Attention (attend.h), forward and back, beside the same computation in NumPy; and a training step of a decoder."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastrnn as fr

from ._suite.timing import measure

Array = NDArray[Any]
SIZES = {"small": (12, 32, 30, 64), "medium": (50, 32, 50, 256), "large": (40, 64, 100, 256)}  # S, N, T, and features


def in_numpy(query: Array, memory: Array, v: Array | None, dcontext: Array) -> None:
    """One query after another, as (S, N, T, K) would not fit into a cache: forward, back, and a row's gradients."""
    dmemory, dv = np.zeros_like(memory), None if v is None else np.zeros_like(v)
    for q, dc in zip(query, dcontext, strict=True):  # (N, K); the memory is (N, T, K)
        hidden = None if v is None else np.tanh(memory + q[:, None])
        scores = np.einsum("ntk,nk->nt", memory, q) if hidden is None else hidden @ v
        w = np.exp(scores - scores.max(axis=1, keepdims=True))
        w /= w.sum(axis=1, keepdims=True)
        np.einsum("nt,ntk->nk", w, memory)
        slopes = np.einsum("nk,ntk->nt", dc, memory)
        d = w * (slopes - (w * slopes).sum(axis=1, keepdims=True))
        dmemory += w[..., None] * dc[:, None]
        if hidden is None:
            np.einsum("nt,ntk->nk", d, memory)
            dmemory += d[..., None] * q[:, None]
        else:
            dv += np.einsum("nt,ntk->k", d, hidden)
            slant = d[..., None] * (1 - hidden * hidden) * v
            slant.sum(axis=1)
            dmemory += slant


def in_engine(attention: fr.Attention, query: Array, memory: Array, dcontext: Array) -> None:
    attention.backward(attention.forward(query, memory)[2], dcontext)


@pytest.mark.parametrize("implementation", ["one thread", "two threads", "numpy"])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("score", ["additive", "dot"])
def bench_attention(benchmark: Any, score: str, sizes: tuple[int, int, int, int], implementation: str) -> None:
    """Forward and back; of "additive" in the engine with the products by its matrices, in NumPy without."""
    S, N, T, F = sizes
    rng = np.random.default_rng(0)
    query, memory, dcontext = (rng.standard_normal((steps, N, F), np.float32) for steps in (S, T, S))
    call: Callable[[], None] = partial(in_engine, fr.Attention(F, F, score=score, seed=0), query, memory, dcontext)
    if implementation == "numpy":
        v = rng.standard_normal(F, np.float32) if score == "additive" else None
        call = partial(in_numpy, query, np.ascontiguousarray(memory.swapaxes(0, 1)), v, dcontext)
    with fr.threads(2 if implementation == "two threads" else 1):
        measure(benchmark, f"{score} S={S} N={N} T={T} F={F}", call, S * N * T * F, "billion_pairs_per_second")


@pytest.mark.parametrize("input_feeding", [False, True], ids=["whole", "fed"])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def bench_decoder(benchmark: Any, sizes: tuple[int, int, int, int], input_feeding: bool) -> None:
    """A training step of a decoder with additive attention, on one thread."""
    S, N, T, F = sizes
    rng = np.random.default_rng(0)
    x, memory, dy = (rng.standard_normal((steps, N, F), np.float32) for steps in (S, T, S))
    layer = fr.LSTM(F + (F if input_feeding else 0), F, seed=0)
    attention, combine = fr.Attention(F, F, seed=1), fr.Linear(2 * F, F, seed=2)
    decoder = fr.AttentionDecoder(layer, attention, combine, input_feeding=input_feeding)

    def call() -> None:
        decoder.backward(decoder.forward(x, memory)[3], dy)

    with fr.threads(1):
        measure(benchmark, f"decoder S={S} N={N} T={T} F={F}", call, S * N, "billion_steps_per_second")
