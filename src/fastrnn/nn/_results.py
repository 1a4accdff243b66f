# SPDX-License-Identifier: BSD-3-Clause
"""Checks of the results of a layer's passes, so that a mistake is reported in the layer itself, not in the next one."""

from typing import Any

import numpy as np

from ._tape import Tape


def checked_tuple(layer: Any, method: str, result: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    """The result of a method, a tuple of these names, or TypeError."""
    if type(result) is not tuple or len(result) != len(names):
        got = f"{len(result)} of them" if isinstance(result, tuple) else type(result).__name__
        raise TypeError(f"{type(layer).__name__}.{method}: expected to return ({', '.join(names)}), got {got}")
    return result


def checked_output(layer: Any, result: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    """What `_forward` returned, of which y is an array of the layer's dtype, or TypeError."""
    result = checked_tuple(layer, "_forward", result, names)
    y = result[0]
    if not isinstance(y, np.ndarray):
        raise TypeError(f"{type(layer).__name__}._forward: expected y to be an array, got {type(y).__name__}")
    if y.dtype != layer.dtype and not layer.children():  # layers of different dtypes may stand in one container
        raise TypeError(
            f"{type(layer).__name__}._forward: expected y of {layer.dtype}, the layer's dtype, got {y.dtype}; "
            "return y.astype(self.dtype), or make the constants in it Python numbers"
        )
    return result


def checked_gradients(layer: Any, dx: Any, tape: Tape) -> None:
    """Raise ValueError unless dx, where there is one, has the shape of x."""
    shape, expected = getattr(dx, "shape", ()), tape.x_shape
    if dx is not None and expected is not None and shape != expected:
        raise ValueError(
            f"{type(layer).__name__}._backward: expected dx of {tuple(expected)}, the shape of x, got {shape}"
        )


def check_array(owner: Any, method: str, name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise TypeError or ValueError unless a method returned an array of the owner's dtype and this shape."""
    if not isinstance(value, np.ndarray) or value.dtype != owner.dtype:
        got = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(f"{type(owner).__name__}.{method}: expected {name} to be an array of {owner.dtype}, got {got}")
    if value.shape != shape:
        raise ValueError(f"{type(owner).__name__}.{method}: expected {name} of {shape}, got {value.shape}")
