# SPDX-License-Identifier: BSD-3-Clause
"""act.h: the activations on an array that fits into the first cache, beside NumPy's tanh."""

from functools import partial

import numpy as np
import pytest

from fastrnn import _core

from .timing import measure

ELEMENTS = 2048


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "selu", "numpy.tanh"])
def bench_activation(benchmark, name, dtype):
    x = np.random.default_rng(0).standard_normal(ELEMENTS).astype(dtype) * 3
    y = np.empty_like(x)
    if name.startswith("numpy."):
        call = partial(np.tanh, x, out=y)
    else:
        call = partial(_core.activation, name, x, y)
    measure(benchmark, f"activation {dtype}", call, ELEMENTS, "billion_elements_per_second", dtype=dtype)
