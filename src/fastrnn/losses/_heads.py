# SPDX-License-Identifier: BSD-3-Clause
"""Losses that can be computed together with the last Linear, in chunks, without storing all its outputs."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from ..nn import Linear

Function = TypeVar("Function", bound=Callable[..., Any])


class OfLinear(NamedTuple):
    """A loss as a function of the input x of the last `Linear` instead of its output y.

    Both have an argument `see`: a function that is called with the numbers of some rows (k,) of x (M, I), and what the
    linear makes of them, (k, V), until it has seen all rows. It changes nothing.

    Attributes
    ----------
    cost : callable
        ``cost(x, target)`` returns (value, dx), and adds the gradients of the parameters into ``linear.grads``.
    value : callable
        ``value(x, target)`` returns the value alone.
    """

    cost: Callable[..., Any]
    value: Callable[..., Any]


def with_linear(loss: Function, cost: Callable[..., Any], value: Callable[..., Any]) -> Function:
    """Declare the functions of a Linear, x and a target that are equivalent to a loss of ``linear(x)`` and the
    target."""
    loss.of_linear = OfLinear(cost, value)  # type: ignore[attr-defined]
    return loss


def of_linear(loss: Any, layer: Any) -> OfLinear | None:
    """A loss, also with some of its arguments fixed by name, as a function of what a layer reads.

    None if nothing of the kind is declared, or the layer is no plain `Linear`: one of a subclass may do something else.
    """
    if type(layer) is not Linear:
        return None
    fixed: dict[str, Any] = {}
    if isinstance(loss, partial):  # one of another is one
        if loss.args:
            return None
        loss, fixed = loss.func, loss.keywords
    declared = getattr(loss, "of_linear", None)
    if not isinstance(declared, OfLinear):
        return None
    return OfLinear(*(partial(function, layer, **fixed) for function in declared))
