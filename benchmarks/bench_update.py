# SPDX-License-Identifier: BSD-3-Clause
"""Parameter updates (update.h): a step of Adam, compared with the same computation in NumPy."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastrnn import _core

from ._suite.timing import measure

Array = NDArray[Any]

RATE, BETA1, BETA2, ROOT, EPS = 1e-3, 0.9, 0.999, 0.9, 1e-8


def adam(p: Array, g: Array, m: Array, v: Array, scratch: Array) -> None:
    """A step of Adam in place, in twelve passes over memory."""
    m *= BETA1
    np.multiply(g, 1 - BETA1, out=scratch)
    m += scratch
    v *= BETA2
    np.multiply(g, g, out=scratch)
    scratch *= 1 - BETA2
    v += scratch
    np.sqrt(v, out=scratch)
    scratch /= ROOT
    scratch += EPS
    np.divide(m, scratch, out=scratch)
    scratch *= RATE
    p -= scratch


@pytest.mark.parametrize("implementation", ["one thread", "two threads", "numpy"])
@pytest.mark.parametrize("elements", [4_096, 262_144, 4_194_304])
def bench_adam(benchmark: Any, elements: int, implementation: str) -> None:
    p, g, m, v, scratch = np.random.default_rng(0).random((5, elements), np.float32)
    if implementation == "numpy":
        call = partial(adam, p, g, m, v, scratch)
    else:
        count = 1 if implementation == "one thread" else 2
        numbers = {"rate": RATE, "beta1": BETA1, "beta2": BETA2, "root": ROOT, "eps": EPS}
        call = partial(_core.update, [(_core.Rule("adam", **numbers), p, g, m, v, None)], count)
    measure(benchmark, f"adam {elements}", call, elements, "billion_elements_per_second")
