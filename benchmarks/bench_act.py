# SPDX-License-Identifier: BSD-3-Clause
"""Activations (act.h) on an array that fits into the L1 cache, compared with NumPy's tanh."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from fastrnn import _core

from ._suite.timing import measure

ELEMENTS = 2048


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "selu", "numpy.tanh"])
def bench_activation(benchmark: Any, name: str, dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal(ELEMENTS).astype(dtype) * 3
    y = np.empty_like(x)
    if name.startswith("numpy."):
        call = partial(np.tanh, x, out=y)
    else:
        call = partial(_core.activation, name, x, y)
    measure(benchmark, f"activation {dtype}", call, ELEMENTS, "billion_elements_per_second", dtype=dtype)
