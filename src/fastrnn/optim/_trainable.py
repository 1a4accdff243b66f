# SPDX-License-Identifier: BSD-3-Clause
"""What a model is to an optimizer."""

from collections.abc import Mapping
from typing import Any, Protocol

from .._engine.arguments import FLOATS, Array
from ..nn._parameters import distinct, first_names


class Trainable(Protocol):
    """A model as optimizers see it: every layer, and any other object with these three.

    Attributes
    ----------
    params, grads : mapping of str to ndarray
        The same names; float32 or float64 arrays, the gradient of a parameter with its shape and dtype. Both are
        written in place. An array that has several names counts once, under the first.
    """

    @property
    def params(self) -> Mapping[str, Array]:
        """The parameters by name."""
        ...

    @property
    def grads(self) -> Mapping[str, Array]:
        """The gradients by name."""
        ...

    def zero_grad(self) -> None:
        """Set every gradient to 0."""
        ...


def check_model(model: Any, *attributes: str) -> None:
    """Raise TypeError unless a model has the attributes."""
    if not all(hasattr(model, name) for name in attributes):
        raise TypeError(f"model: expected an object with {' and '.join(attributes)}, got {type(model).__name__}")


def check_parameters(model: Any) -> None:
    """Raise TypeError or ValueError unless a model has parameters that are floats, and gradients that fit them."""
    check_model(model, "params", "grads")
    params, grads = model.params, model.grads
    if odd := sorted(params.keys() ^ grads.keys()):
        raise ValueError(f"model: expected params and grads of the same names, got {odd} in one of them only")
    for name, p in distinct(params).items():
        if p.dtype not in FLOATS:
            raise TypeError(f"params[{name!r}]: expected float32 or float64, got {p.dtype}")
        check_like(f"grads[{name!r}]", grads[name], p)
    for name, first in first_names(params).items():
        if name != first and grads[name] is not grads[first]:
            raise ValueError(f"grads[{name!r}]: expected that of {first!r}, the same parameter, got another array")


def check_like(name: str, array: Array, like: Array) -> None:
    """Raise ValueError unless an array has the shape and dtype of another."""
    if array.shape != like.shape or array.dtype != like.dtype:
        expected, got = f"{like.dtype} {like.shape}", f"{array.dtype} {array.shape}"
        raise ValueError(f"{name}: expected {expected}, got {got}")
