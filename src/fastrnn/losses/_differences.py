# SPDX-License-Identifier: BSD-3-Clause
"""Shared code of regression losses, which depend on the difference between prediction and target."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array
from ._masking import Options, Total, as_prediction, as_reduction, as_target, reduce_elements
from ._mean import Mean


def over_differences(
    pointwise: Callable[[Total, Array], tuple[Any, Array]],
    prediction: ArrayLike,
    target: ArrayLike,
    options: Options,
) -> tuple[Mean, Array]:
    """The mean or sum of a loss of d = prediction - target; `pointwise` takes a `Total` and d (M,), its to write."""
    prediction = as_prediction("prediction", prediction)
    target = as_target("target", target, prediction.shape)
    reduction = as_reduction("prediction", prediction.shape, prediction.shape, options)

    def of_difference(total: Total, x: Array, y: Array) -> tuple[Any, Array]:
        return pointwise(total, difference(x, y))

    return reduce_elements(of_difference, reduction, prediction, target)


def difference(x: Array, y: Array) -> Array:
    """x - y in the dtype of x."""
    return np.subtract(x, y, dtype=x.dtype, casting="same_kind")
