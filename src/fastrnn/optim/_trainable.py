# SPDX-License-Identifier: BSD-3-Clause
"""What a model is to an optimizer."""

from collections.abc import Mapping
from typing import Any, Protocol

from .._engine.arguments import Array


class Trainable(Protocol):
    """A model as optimizers see it: every layer, and any other object with these three.

    Attributes
    ----------
    params, grads : mapping of str to ndarray
        The same names; float32 or float64 arrays, the gradient of a parameter with its shape and dtype. Both are
        written in place.
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
