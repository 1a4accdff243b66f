# SPDX-License-Identifier: BSD-3-Clause
"""update.h: a step of Adam, beside the same lines in NumPy."""

from functools import partial

import numpy as np
import pytest

from fastrnn import _core

from .timing import measure


def adam(p, g, m, v, scratch, rate=1e-3, beta1=0.9, beta2=0.999, root=0.9, eps=1e-8):
    """In place, ten passes over memory."""
    m *= beta1
    np.multiply(g, 1 - beta1, out=scratch)
    m += scratch
    v *= beta2
    np.multiply(g, g, out=scratch)
    scratch *= 1 - beta2
    v += scratch
    np.sqrt(v, out=scratch)
    scratch /= root
    scratch += eps
    np.divide(m, scratch, out=scratch)
    scratch *= rate
    p -= scratch


@pytest.mark.parametrize("who", ["one thread", "two threads", "numpy"])
@pytest.mark.parametrize("elements", [4_096, 262_144, 4_194_304])
def bench_adam(benchmark, elements, who):
    p, g, m, v, scratch = np.random.default_rng(0).random((5, elements), np.float32)
    if who == "numpy":
        call = partial(adam, p, g, m, v, scratch)
    else:
        count = 1 if who == "one thread" else 2
        numbers = {"rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "root": 0.9, "eps": 1e-8}
        call = partial(_core.update, "adam", p, g, m, v, None, count, **numbers)
    measure(benchmark, f"adam {elements}", call, elements, "billion_elements_per_second")
